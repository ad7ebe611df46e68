internal import MerkleLog

/// An epoch whose record was read and found in the log.
struct SealedEpoch {
  var record: EpochRecord
  var evidence: EvidenceFile.Epoch
  var gaps: [GapRecord] = []
}

extension Verifier {
  /// Step 5.
  func epochs(
    _ file: EvidenceFile, head: Checkpoint, stated: CertificateText
  ) throws(Rejection) -> [SealedEpoch] {
    var epochs: [SealedEpoch] = []
    for each in file.epochs {
      guard isIncluded(each.leaf, in: head) else { throw Rejection(5, "an epoch is not in the log") }
      guard let record = LogRecord(each.leaf.record).flatMap(EpochRecord.init) else {
        throw Rejection(5, "a record is not an epoch")
      }
      guard record.version == EpochRecord.keyVersion else { throw Rejection(5, "an epoch is of an unknown version") }
      guard record.from < record.to, record.firstSeal <= record.lastSeal, record.to <= policy.now else {
        throw Rejection(5, "an epoch ends before it begins, or in the future")
      }
      if let last = epochs.last {
        guard record.number == last.record.number + 1, record.from == last.record.to,
          record.firstSeal == last.record.lastSeal + 1, each.leaf.index > last.evidence.leaf.index
        else { throw Rejection(5, "an epoch is missing, doubled or out of order") }
      }
      epochs.append(SealedEpoch(record: record, evidence: each))
    }
    guard let first = epochs.first?.record, let last = epochs.last?.record else {
      throw Rejection(5, "there is no epoch")
    }
    guard first.number == stated.firstEpoch, last.number == stated.lastEpoch else {
      throw Rejection(5, "the epochs are not the stated ones")
    }
    guard first.from <= stated.from, stated.from < first.to, last.from < stated.to, stated.to <= last.to else {
      throw Rejection(5, "the epochs do not hold the interval, or one of them does not touch it")
    }
    guard epochs.allSatisfy({ Self.isAscending($0.record.hazards) && Self.isAscending($0.record.fileSystems) }),
      epochs.allSatisfy({ $0.record.hazards.allSatisfy(CertificateText.isHazard) })
    else { throw Rejection(5, "an epoch's scopes or file systems are out of order") }
    return epochs
  }

  private static func isAscending(_ words: [String]) -> Bool { zip(words, words.dropFirst()).allSatisfy(<) }

  /// Step 6, and what of step 7 concerns names and scopes.
  func absences(_ epochs: [SealedEpoch], stated: CertificateText) throws(Rejection) {
    var isScopeKnown = stated.scope == .agent
    for epoch in epochs {
      guard let keys = IndexKeys(salt: epoch.evidence.salt), keys.commitment == epoch.record.saltCommit else {
        throw Rejection(6, "a salt is not the sealed one")
      }
      if let place = epoch.evidence.session {
        guard case .session(let key) = stated.scope,
          LogCheck.includes(
            leaf: .leaf(Array(key.utf8)), index: place.index, size: epoch.record.sessions, proof: place.proof,
            root: epoch.record.sessionsRoot)
        else { throw Rejection(6, "the session is not among those of an epoch") }
        isScopeKnown = true
      }
      let expected = Self.expected(stated, record: epoch.record, identities: try identities(epoch, keys, stated))
      guard expected.count == epoch.evidence.absences.count else {
        throw Rejection(6, "the proofs of absence are not exactly those that the claim needs")
      }
      for ((scope, fact), absence) in zip(expected, epoch.evidence.absences) {
        let key = keys.key(fact, scope: Array(scope.utf8))
        guard let proof = absence.proof, proof.showsAbsence(of: key, root: epoch.record.indexRoot) else {
          throw Rejection(6, "an absence is not proven")
        }
      }
    }
    guard isScopeKnown else { throw Rejection(6, "no epoch knows the session") }
  }

  /// What must be absent in an epoch, in the order of the evidence file: by scope, then by fact.
  static func expected(
    _ stated: CertificateText, record: EpochRecord, identities: [[UInt8]]
  ) -> [(scope: String, fact: IndexFact)] {
    expected(
      claim: stated.claim, scope: stated.scope, target: stated.target, accepted: stated.accepted, record: record,
      identities: identities)
  }

  static func expected(
    claim: Claim, scope: Scope, target: Target, accepted: [String], record: EpochRecord, identities: [[UInt8]]
  ) -> [(scope: String, fact: IndexFact)] {
    var scopes = [scope.text + claim.suffix]
    // Whoever may have been a session, and whatever was done at a session's request, counts for every claim.
    if !accepted.contains("unattributed") { scopes.append("unattributed") }
    scopes += record.hazards.filter { !accepted.contains($0) }.map { "hazard:\($0)" }
    let facts = target.facts(identities: identities)
    return scopes.flatMap { scope in facts.map { (scope, $0) } }
  }

  /// The identities that the target's path had in an epoch, each once.
  private func identities(
    _ epoch: SealedEpoch, _ keys: IndexKeys, _ stated: CertificateText
  ) throws(Rejection) -> [[UInt8]] {
    if stated.target.kind == .inode {
      guard isWatched(stated.target.data, epoch) else {
        throw Rejection(7, "the target lay on a file system that was not watched")
      }
    }
    guard stated.target.isPath, stated.names != nil else {
      guard epoch.evidence.names == nil else { throw Rejection(7, "names were opened that the claim does not need") }
      return []
    }
    guard let opening = epoch.evidence.names, epoch.record.namesComplete,
      opening.isComplete(
        path: stated.target.data, keys: keys, size: epoch.record.names, root: epoch.record.namesRoot)
    else { throw Rejection(7, "the names are not all that were sealed") }
    var identities: [[UInt8]] = []
    for binding in opening.bindings {
      guard isWatched(binding.identity, epoch) else {
        throw Rejection(7, "the target lay on a file system that was not watched")
      }
      if !identities.contains(binding.identity) { identities.append(binding.identity) }
    }
    return identities
  }

  private func isWatched(_ identity: [UInt8], _ epoch: SealedEpoch) -> Bool {
    epoch.record.fileSystems.contains(Hex.encode(identity.prefix(8)))
  }

  /// Step 7.
  func sums(
    _ file: EvidenceFile, epochs: [SealedEpoch], stated: CertificateText
  ) throws(Rejection) -> (gaps: [GapRecord], configs: [LogRecord]) {
    guard stated.target.isPath || stated.names == nil else {
      throw Rejection(7, "a target that is no path has no names")
    }
    var tally = Tally(firstEpoch: stated.firstEpoch, lastEpoch: stated.lastEpoch, anchorLag: stated.anchorLag)
    tally.sessions = epochs[0].record.sessions
    if stated.names != nil { tally.names = epochs.reduce(0) { $0 + UInt64($1.evidence.names?.bindings.count ?? 0) } }
    var touching: [GapRecord] = []
    for (index, epoch) in epochs.enumerated() {
      let record = epoch.record
      let gaps = try self.gaps(of: epoch)
      for gap in gaps where gap.from < stated.to && gap.to > stated.from && !touching.contains(gap) {
        touching.append(gap)
      }
      let length = record.to - record.from
      guard record.covered == length - GapRecord.measure(gaps, from: record.from, to: record.to),
        record.degraded <= length, record.begun <= record.sessions
      else { throw Rejection(7, "an epoch's coverage is not what its gaps leave") }
      let (lost, tooMany) = tally.lost.addingReportingOverflow(record.lost)
      let (sessions, tooManySessions) = tally.sessions.addingReportingOverflow(index > 0 ? record.begun : 0)
      guard !tooMany, !tooManySessions else { throw Rejection(7, "a sum does not fit") }
      tally.lost = lost
      tally.sessions = sessions
      tally.covered += record.covered
      tally.degraded += record.degraded
      tally.gaps += record.gaps
    }
    guard tally == Tally(of: stated) else { throw Rejection(7, "the certificate's numbers are not those sealed") }
    let configs = try self.configs(file, epochs: epochs)
    // A pattern that nobody registered is absent from everything.
    guard stated.target.kind != .glob || configs.allSatisfy({ Self.registers(stated.target, $0) }) else {
      throw Rejection(7, "the pattern was not registered all the time")
    }
    return (touching, configs)
  }

  private static func registers(_ pattern: Target, _ config: LogRecord) -> Bool {
    guard case .words(let ids)? = config.values.last else { return false }
    return ids.contains(Hash(of: pattern.data).base64)
  }

  private func gaps(of epoch: SealedEpoch) throws(Rejection) -> [GapRecord] {
    var gaps: [GapRecord] = []
    for text in epoch.evidence.gaps {
      guard let gap = LogRecord(text).flatMap(GapRecord.init) else { throw Rejection(7, "a gap is malformed") }
      gaps.append(gap)
    }
    guard UInt64(gaps.count) == epoch.record.gaps,
      LogCheck.root(of: epoch.evidence.gaps.map(Hash.leaf)) == epoch.record.gapRoot
    else { throw Rejection(7, "the gaps are not those sealed") }
    return gaps
  }

  private func configs(_ file: EvidenceFile, epochs: [SealedEpoch]) throws(Rejection) -> [LogRecord] {
    var named: [String] = []
    for name in epochs.flatMap(\.record.configs) where !named.contains(name) { named.append(name) }
    var configs: [LogRecord] = []
    for text in file.configs {
      guard let config = LogRecord(text), config.kind == .config else {
        throw Rejection(7, "a configuration is malformed")
      }
      configs.append(config)
    }
    guard configs.map(\.leaf.base64) == named, epochs.allSatisfy({ !$0.record.configs.isEmpty }) else {
      throw Rejection(7, "the configurations are not those sealed")
    }
    return configs
  }
}

extension Tally {
  init(of stated: CertificateText) {
    self.init(
      firstEpoch: stated.firstEpoch, lastEpoch: stated.lastEpoch, sessions: stated.sessions, names: stated.names,
      covered: stated.covered, gaps: stated.gaps, lost: stated.lost, degraded: stated.degraded,
      anchorLag: stated.anchorLag)
  }
}
