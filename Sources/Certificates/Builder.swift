public import MerkleLog

/// What is asked to be certified.
public struct CertificateRequest: Sendable, Hashable {
  /// What is denied.
  public var claim: Claim
  /// Of whom.
  public var scope: Scope
  /// About what.
  public var target: Target
  /// Nanoseconds since 1970.
  public var from: UInt64
  /// After `from`.
  public var to: UInt64
  /// Kinds of hazard, or `unattributed`, that the asker accepts.
  public var accepted: Set<String>

  /// A request.
  public init(claim: Claim, scope: Scope, target: Target, from: UInt64, to: UInt64, accepted: Set<String> = []) {
    self.claim = claim
    self.scope = scope
    self.target = target
    self.from = from
    self.to = to
    self.accepted = accepted
  }
}

/// What the store knows of one sealed epoch, as far as a certificate needs it.
public struct EpochMaterial {
  /// The EPOCH record, its index, and its inclusion under the final head.
  public var leaf: EvidenceFile.Leaf
  /// The epoch's salt.
  public var salt: [UInt8]
  /// The GAP records that `gap_root` commits, in its order.
  public var gaps: [GapRecord]
  /// Where the asked session's key stands among the epoch's; nil where it did not run, and for `Scope.agent`.
  public var session: EvidenceFile.SessionPlace?
  /// What the target's path was in this epoch; nil where names are not followed.
  public var names: NameOpening?
  /// Makes the proof of a key of the epoch's index, present or not: `SparseIndex.proof(of:)`.
  public var proof: (Hash) throws -> SparseProof

  /// Material of these parts.
  public init(
    leaf: EvidenceFile.Leaf, salt: [UInt8], gaps: [GapRecord], session: EvidenceFile.SessionPlace?,
    names: NameOpening?, proof: @escaping (Hash) throws -> SparseProof
  ) {
    self.leaf = leaf
    self.salt = salt
    self.gaps = gaps
    self.session = session
    self.names = names
    self.proof = proof
  }
}

/// What is the same for every certificate under one head.
public struct LogMaterial {
  /// The signed head, with what witnesses added.
  public var checkpoint: [UInt8]
  /// GENESIS, and the KEY records up to the head.
  public var authority: [EvidenceFile.Leaf]
  /// CONFIG records; those that the epochs do not name are left out.
  public var configs: [LogRecord]
  /// Anchors up to the head.
  public var anchors: [EvidenceFile.Anchor]

  /// Material of these parts.
  public init(
    checkpoint: [UInt8], authority: [EvidenceFile.Leaf], configs: [LogRecord], anchors: [EvidenceFile.Anchor]
  ) {
    self.checkpoint = checkpoint
    self.authority = authority
    self.configs = configs
    self.anchors = anchors
  }
}

/// A certificate and what it rests on, as files.
public struct CertificateBundle: Sendable, Hashable {
  /// The signed note.
  public let certificate: [UInt8]
  /// The evidence file.
  public let evidence: [UInt8]
  /// What a verifier says of them.
  public let verdict: Verdict
}

/// Why there is no certificate.
public enum CertificateError: Error, Equatable {
  /// The key of this fact is in the epoch's index: the target was, or may have been, accessed.
  case notAbsent(epoch: UInt64, scope: String, fact: IndexFact)
  /// A record among the material is not what it should be.
  case badMaterial(String)
  /// What was built does not verify; the material contradicts itself.
  case refused(step: Int, reason: String)
}

/// Makes certificates; a pure function of what was sealed.
public enum CertificateBuilder {
  /// Builds, signs and then verifies a certificate.
  ///
  /// Names are followed when every epoch brings them; else the claim reads `under-this-name`.
  ///
  /// - Parameters:
  ///   - epochs: those that the interval touches, in order and no other.
  ///   - policy: as strict as the issuer likes; its log keys must lead to that of the checkpoint.
  public static func build(
    _ request: CertificateRequest, log: LogMaterial, epochs: [EpochMaterial], key: SigningKey,
    policy: VerificationPolicy
  ) throws -> CertificateBundle {
    let accepted = request.accepted.sorted()
    let follows = request.target.isPath && epochs.allSatisfy { $0.names != nil }
    var tally = Tally()
    tally.names = follows ? 0 : nil
    var sealed: [EvidenceFile.Epoch] = []
    var ends: [(index: UInt64, to: UInt64)] = []
    var configNames: [String] = []
    for material in epochs {
      guard let record = LogRecord(material.leaf.record).flatMap(EpochRecord.init),
        let keys = IndexKeys(salt: material.salt)
      else { throw CertificateError.badMaterial("epoch") }
      let names = follows ? material.names : nil
      var identities: [[UInt8]] = []
      for binding in names?.bindings ?? [] where !identities.contains(binding.identity) {
        identities.append(binding.identity)
      }
      let expected = Verifier.expected(
        claim: request.claim, scope: request.scope, target: request.target, accepted: accepted, record: record,
        identities: identities)
      let absences = try expected.map { scope, fact in
        let key = keys.key(fact, scope: Array(scope.utf8))
        let proof = try material.proof(key)
        guard proof.showsAbsence(of: key, root: record.indexRoot) else {
          throw CertificateError.notAbsent(epoch: record.number, scope: scope, fact: fact)
        }
        return EvidenceFile.Absence(proof)
      }
      guard case let gaps = material.gaps.compactMap(\.record?.text), gaps.count == material.gaps.count else {
        throw CertificateError.badMaterial("gap")
      }
      sealed.append(
        EvidenceFile.Epoch(
          leaf: material.leaf, salt: material.salt, session: material.session, gaps: gaps, names: names,
          absences: absences))
      if sealed.count == 1 { tally.firstEpoch = record.number }
      tally.lastEpoch = record.number
      tally.sessions += sealed.count == 1 ? record.sessions : record.begun
      tally.covered += record.covered
      tally.gaps += record.gaps
      tally.lost += record.lost
      tally.degraded += record.degraded
      if let names { tally.names = (tally.names ?? 0) + UInt64(names.bindings.count) }
      ends.append((material.leaf.index, record.to))
      for name in record.configs where !configNames.contains(name) { configNames.append(name) }
    }
    tally.anchorLag = Verifier.lag(ends, try sightings(log.anchors))
    let configs = configNames.compactMap { name in log.configs.first { $0.leaf.base64 == name }?.text }
    let evidence = EvidenceFile(
      checkpoint: log.checkpoint, authority: log.authority, configs: configs, epochs: sealed, anchors: log.anchors
    ).bytes
    guard let head = SignedNote(log.checkpoint).flatMap({ Checkpoint($0.text) }) else {
      throw CertificateError.badMaterial("checkpoint")
    }
    let text = CertificateText(
      origin: String(decoding: head.origin, as: UTF8.self), claim: request.claim, scope: request.scope,
      target: request.target, from: request.from, to: request.to, accepted: accepted, tally: tally,
      evidence: Hash(of: evidence)
    ).text
    let certificate = try SignedNote.sign(text, with: [key])
    // Whoever gets it will ask the same.
    let verdict = Verifier.verify(certificate: certificate, evidence: evidence, policy: policy)
    if case .reject(let step, let reason) = verdict { throw CertificateError.refused(step: step, reason: reason) }
    return CertificateBundle(certificate: certificate, evidence: evidence, verdict: verdict)
  }

  private static func sightings(_ anchors: [EvidenceFile.Anchor]) throws -> [Sighting] {
    try anchors.filter { $0.kind == .witness }.map { anchor in
      guard let note = SignedNote(anchor.checkpoint), let head = Checkpoint(note.text),
        let witness = VerifierKey(anchor.by), let seconds = note.cosignatureTime(of: witness),
        // A witness is somebody else, and may say any time.
        seconds <= UInt64(Int64.max) / 1_000_000_000
      else { throw CertificateError.badMaterial("anchor") }
      return Sighting(size: head.size, time: seconds * 1_000_000_000)
    }
  }
}
