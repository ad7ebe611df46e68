internal import MerkleLog

/// Checks a certificate and its evidence, offline.
///
/// | step | holds when |
/// |---|---|
/// | 1 | the auditor pinned a key of the certificate's log |
/// | 2 | the certificate is well-formed and signed by the key that GENESIS and the KEY records name |
/// | 3 | the evidence has the hash in the certificate, and is well-formed to the last byte |
/// | 4 | a pinned log key signed the final head, of that origin, in three lines, with the witnesses demanded |
/// | 5 | each epoch is in the log, of a known version, in order, without hole, and together they hold the interval |
/// | 6 | each salt is the sealed one; exactly the keys that the claim needs are there, and each is absent |
/// | 7 | the certificate's numbers are the sums of the epochs', and its names all that were sealed |
/// | 8 | each anchor is of a head that the final one goes on from, none from the future, the lag as stated |
public struct Verifier {
  let policy: VerificationPolicy

  /// Decides what the two files are worth.
  public static func verify(certificate: [UInt8], evidence: [UInt8], policy: VerificationPolicy) -> Verdict {
    do {
      let findings = try Verifier(policy: policy).findings(certificate, evidence)
      let stated = findings.certificate
      let isClean = findings.gaps.isEmpty && stated.lost == 0 && stated.degraded == 0
      return isClean ? .accept(findings) : .acceptWithGaps(findings)
    } catch {
      return .reject(step: error.step, reason: error.reason)
    }
  }

  private func findings(_ certificate: [UInt8], _ evidence: [UInt8]) throws(Rejection) -> Findings {
    guard let note = SignedNote(certificate), let stated = CertificateText(note.text) else {
      throw Rejection(2, "the certificate is malformed")
    }
    guard policy.logKeys.allSatisfy({ $0.kind == .note }), policy.witnesses.allSatisfy({ $0.kind == .cosignature })
    else { throw Rejection(1, "a pinned key is of the wrong kind") }
    let logKeys = policy.logKeys.filter { $0.name.elementsEqual(stated.origin.utf8) }
    guard !logKeys.isEmpty else { throw Rejection(1, "no key of this log is pinned") }
    // The hash before the parse: what nobody signed is not read.
    guard Hash(of: evidence) == stated.evidence else { throw Rejection(3, "the evidence has another hash") }
    guard let file = EvidenceFile(evidence) else { throw Rejection(3, "the evidence is malformed") }
    let (head, cosignatures) = try finalHead(file, logKeys: logKeys, origin: stated.origin)
    let key = try certificateKey(file, head: head)
    guard note.signers(among: [key]) != nil else {
      throw Rejection(2, "the certificate is not signed by a key that the log authorised")
    }
    let epochs = try epochs(file, head: head, stated: stated)
    try absences(epochs, stated: stated)
    let (gaps, configs) = try self.sums(file, epochs: epochs, stated: stated)
    let lag = try anchors(file, head: head, logKeys: logKeys, epochs: epochs)
    guard lag.all == stated.anchorLag else { throw Rejection(8, "the anchor lag is not the stated one") }
    let shared = epochs.dropFirst().reduce(Set(epochs[0].record.fileSystems)) {
      $0.intersection($1.record.fileSystems)
    }
    return Findings(
      certificate: stated, checkpoint: head, gaps: gaps, configs: configs, fileSystems: shared.sorted(),
      cosignatures: cosignatures, pinnedLag: lag.pinned, uncheckedTokens: lag.tokens)
  }

  private func finalHead(
    _ file: EvidenceFile, logKeys: [VerifierKey], origin: String
  ) throws(Rejection) -> (Checkpoint, Int) {
    guard let note = SignedNote(file.checkpoint), let head = Checkpoint(note.text) else {
      throw Rejection(4, "the checkpoint is malformed")
    }
    guard head.origin.elementsEqual(origin.utf8) else { throw Rejection(4, "the checkpoint is of another log") }
    guard let signers = note.signers(among: logKeys + policy.witnesses), signers.contains(where: logKeys.contains)
    else { throw Rejection(4, "the checkpoint is not signed by the log, or a signature is wrong") }
    let witnesses = signers.filter { $0.kind == .cosignature }
    guard witnesses.count >= policy.quorum else { throw Rejection(4, "too few witnesses cosigned the checkpoint") }
    for witness in witnesses {
      guard let seconds = note.cosignatureTime(of: witness), seconds <= policy.now / 1_000_000_000 else {
        throw Rejection(4, "a cosignature is from the future")
      }
    }
    return (head, witnesses.count)
  }

  /// Follows the certificate key from GENESIS through its rotations.
  private func certificateKey(_ file: EvidenceFile, head: Checkpoint) throws(Rejection) -> VerifierKey {
    for leaf in file.authority where !isIncluded(leaf, in: head) {
      throw Rejection(2, "a record of the keys is not in the log")
    }
    guard let first = file.authority.first, first.index == 0,
      let genesis = LogRecord(first.record).flatMap(GenesisRecord.init),
      head.origin.elementsEqual(genesis.origin.utf8), genesis.certificateKey.kind == .note,
      genesis.certificateKey.name == head.origin + Array("/cert".utf8)
    else { throw Rejection(2, "the log does not begin with its keys") }
    var key = genesis.certificateKey
    var place: UInt64 = 0
    for leaf in file.authority.dropFirst() {
      guard let rotation = LogRecord(leaf.record).flatMap(KeyRecord.init), rotation.role == "cert",
        rotation.old == key, rotation.new.name == key.name, leaf.index > place
      else { throw Rejection(2, "a rotation of the certificate key does not hold") }
      key = rotation.new
      place = leaf.index
    }
    return key
  }

  func isIncluded(_ leaf: EvidenceFile.Leaf, in head: Checkpoint) -> Bool {
    LogCheck.includes(
      leaf: .leaf(leaf.record), index: leaf.index, size: head.size, proof: leaf.proof, root: head.root)
  }
}
