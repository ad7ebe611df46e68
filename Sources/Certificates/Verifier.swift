internal import MerkleLog

/// Checks a certificate and its evidence, offline.
///
/// | step | holds when |
/// |---|---|
/// | 1 | the auditor pinned a key of the certificate's log |
/// | 2 | the certificate is well-formed and signed by the last key that GENESIS and the KEY records name |
/// | 3 | the evidence has the hash in the certificate, and is well-formed to the last byte |
/// | 4 | the log's last key, to which a pinned one leads, signed the final head, with the witnesses demanded |
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
    guard let final = SignedNote(file.checkpoint), let head = Checkpoint(final.text) else {
      throw Rejection(4, "the checkpoint is malformed")
    }
    guard head.origin.elementsEqual(stated.origin.utf8) else { throw Rejection(4, "the checkpoint is of another log") }
    // Which key the head must be signed with, it says itself; what it says counts once that key has signed it, which a
    // pinned one is or has signed in.
    let chain = try keys(file, head: head)
    guard note.signers(among: [chain.key.certificate]) != nil else {
      throw Rejection(2, "the certificate is not signed by the key that the log authorised")
    }
    let cosignatures = try cosignatures(final, chain: chain, logKeys: logKeys)
    let epochs = try epochs(file, head: head, stated: stated)
    try absences(epochs, stated: stated)
    let (gaps, configs) = try self.sums(file, epochs: epochs, stated: stated)
    let lag = try anchors(file, head: head, chain: chain, epochs: epochs)
    guard lag.all == stated.anchorLag else { throw Rejection(8, "the anchor lag is not the stated one") }
    let shared = epochs.dropFirst().reduce(Set(epochs[0].record.fileSystems)) {
      $0.intersection($1.record.fileSystems)
    }
    return Findings(
      certificate: stated, checkpoint: head, gaps: gaps, configs: configs, fileSystems: shared.sorted(),
      cosignatures: cosignatures, pinnedLag: lag.pinned, uncheckedTokens: lag.tokens)
  }

  /// The keys of the log up to its final head, from GENESIS through their rotations.
  private func keys(_ file: EvidenceFile, head: Checkpoint) throws(Rejection) -> KeyChain {
    var records: [(record: LogRecord, index: UInt64)] = []
    for leaf in file.authority {
      guard isIncluded(leaf, in: head) else { throw Rejection(2, "a record of the keys is not in the log") }
      guard let record = LogRecord(leaf.record) else { throw Rejection(2, "a record of the keys is malformed") }
      records.append((record, leaf.index))
    }
    guard let first = records.first, first.index == 0, let genesis = GenesisRecord(first.record),
      head.origin.elementsEqual(genesis.origin.utf8), KeyChain(genesis) != nil
    else { throw Rejection(2, "the log does not begin with its keys") }
    guard let chain = KeyChain(records) else { throw Rejection(2, "a rotation of the keys does not hold") }
    return chain
  }

  /// How many witnesses signed the final head; the log's last key must have.
  private func cosignatures(
    _ note: SignedNote, chain: KeyChain, logKeys: [VerifierKey]
  ) throws(Rejection) -> Int {
    guard chain.isReached(from: logKeys) else { throw Rejection(4, "no pinned key leads to the log's last") }
    guard let signers = note.signers(among: [chain.key.log] + policy.witnesses), signers.contains(chain.key.log) else {
      throw Rejection(4, "the checkpoint is not signed by the log's last key, or a signature is wrong")
    }
    let witnesses = signers.filter { $0.kind == .cosignature }
    guard witnesses.count >= policy.quorum else { throw Rejection(4, "too few witnesses cosigned the checkpoint") }
    for witness in witnesses {
      guard let seconds = note.cosignatureTime(of: witness), seconds <= policy.now / 1_000_000_000 else {
        throw Rejection(4, "a cosignature is from the future")
      }
    }
    return witnesses.count
  }

  func isIncluded(_ leaf: EvidenceFile.Leaf, in head: Checkpoint) -> Bool {
    LogCheck.includes(
      leaf: .leaf(leaf.record), index: leaf.index, size: head.size, proof: leaf.proof, root: head.root)
  }
}
