internal import Certificates
public import Evidence
public import MerkleLog
internal import Records

/// What a store is worth: everything in it recomputed, down to each value.
public struct FullVerification: Sendable {
  /// What is not as it was sealed; empty for a sound store.
  public private(set) var flaws: [Flaw] = []
  /// How many records the log has.
  public private(set) var records = 0
  /// How many seals.
  public private(set) var seals = 0
  /// How many entries they hold.
  public private(set) var entries: UInt64 = 0
  /// How many events.
  public private(set) var events: UInt64 = 0
  /// How many epochs.
  public private(set) var epochs = 0
  /// How many heads others have seen.
  public private(set) var anchors = 0
  /// How many values were erased.
  public private(set) var erased = 0
  /// How many epochs were deleted when their time was over.
  public private(set) var pruned = 0
  /// How often the keys were replaced.
  public private(set) var rotations = 0
  /// How many rows came after the last seal.
  public private(set) var unsealed = 0

  /// How many segments.
  public private(set) var segments = 0

  private var texts: [LogRecord] = []
  var goings = Goings()
  /// Where the oldest epochs end that cannot be looked into, because a segment is not what was sealed.
  private var unread = Timestamp.distantPast

  /// Goes over a store.
  ///
  /// - Parameters:
  ///   - pinned: the key that the auditor has of this log; nil to believe the log's own, which shows only that the store
  ///     is of one piece.
  ///   - heads: signed heads that somebody else kept, by what they are called: the log must go on from each.
  public init(_ store: StoreReader, pinned: VerifierKey?, heads: [(name: String, note: [UInt8])] = []) throws {
    let audit = try store.audit()
    let kept = try store.records()
    flaws = audit.flaws
    records = kept.count
    unsealed = audit.unsealed
    try readLog(kept, audit, pinned, heads, store)
    goings = Goings(texts)
    flaws += goings.flaws
    pruned = goings.pruned.count
    check(audit.seals)
    flaws += goings.faults(of: try checkSegments(store, audit.erased))
    try checkEpochs(store)
  }

  // MARK: - The log

  private mutating func readLog(
    _ kept: [KeptRecord], _ audit: StoreAudit, _ pinned: VerifierKey?, _ heads: [(name: String, note: [UInt8])],
    _ store: StoreReader
  ) throws {
    var log = try Log(MemoryHashStore())
    for (index, record) in kept.enumerated() {
      if record.index != UInt64(index) {
        flaws.append(Flaw("log record \(index)", "is missing"))
        return
      }
      guard let text = LogRecord(record.text), text.kind.rawValue == record.kind else {
        flaws.append(Flaw("log record \(index)", "is malformed, or of another type"))
        return
      }
      texts.append(text)
      try log.append(record: record.text)
    }
    guard let genesis = texts.first.flatMap(GenesisRecord.init),
      !texts.dropFirst().contains(where: { $0.kind == .genesis })
    else {
      flaws.append(Flaw("log record 0", "is no GENESIS, or not the only one"))
      return
    }
    let ofKeys = texts.enumerated().filter { [.genesis, .key].contains($0.element.kind) }
    guard let first = KeyChain(genesis),
      let chain = KeyChain(ofKeys.map { (record: $0.element, index: UInt64($0.offset)) })
    else {
      flaws.append(Flaw("keys", "the log's records of its keys do not hold"))
      return
    }
    rotations = chain.log.count - first.log.count
    if let pinned, !chain.isReached(from: [pinned]) {
      flaws.append(Flaw("log record 0", "is of another key than yours"))
    }
    for number in 0..<max(UInt64(audit.hashes.count), log.store.count) {
      let made = number < log.store.count ? try log.store.hashes(at: [number]).first : nil
      let there = number < UInt64(audit.hashes.count) ? audit.hashes[Int(number)] : nil
      if made != there {
        flaws.append(Flaw("log hash \(number)", "is not that of the records"))
        break
      }
    }
    if audit.checkpoints.isEmpty { flaws.append(Flaw("checkpoints", "no head was signed")) }
    for bytes in audit.checkpoints {
      guard let note = SignedNote(bytes), let head = Checkpoint(note.text),
        let key = chain.key(atSize: head.size), note.signers(among: [key]) != nil, head.origin == key.name
      else {
        flaws.append(Flaw("checkpoints", "a head is not signed by the log's key"))
        break
      }
      guard head.size <= log.size, try log.root(size: head.size) == head.root else {
        let what = head.size > log.size ? "the log is shorter than it was: truncated" : "the log was another"
        flaws.append(Flaw("checkpoint of size \(head.size)", what))
        break
      }
    }
    anchors = texts.count { $0.kind == .anchor }
    let root = { (size: UInt64) in try log.root(size: size) }
    flaws += try Self.anchorFlaws(store, texts, chain: chain, root: root)
    for head in heads {
      if let what = try Self.objection(to: head.note, chain: chain, size: log.size, root: root) {
        flaws.append(Flaw("kept head \(head.name)", what))
      }
    }
  }

  // MARK: - Seals

  private mutating func check(_ made: [SealAudit]) {
    let told = texts.enumerated().filter { $0.element.kind == .seal }
    seals = told.count
    if told.count != made.count { flaws.append(Flaw("seals", "the log has \(told.count), the store \(made.count)")) }
    var reached: UInt64?
    for (place, seal) in zip(told, made) {
      let name = "seal \(seal.sequence)"
      if !seal.isPruned {
        entries += seal.entries
        events += seal.events
      }
      func number(_ key: String) -> UInt64? { place.element.number(key) }
      guard number("seq") == seal.sequence, UInt64(place.offset) == seal.record else {
        flaws.append(Flaw(name, "stands elsewhere in the log"))
        continue
      }
      if number("from") != seal.time.from.unsigned || number("to") != seal.time.to.unsigned {
        flaws.append(Flaw(name, "is of another time in the store than in the log"))
      }
      if let reached, number("from") != reached { flaws.append(Flaw(name, "does not begin where the last one ended")) }
      reached = number("to")
      flaws += faults(of: seal, place.element).map { Flaw(name, $0) }
    }
  }

  /// What of a seal's values is not what its record says.
  private func faults(of seal: SealAudit, _ record: LogRecord) -> [String] {
    guard !seal.isPruned, !seal.isGoing else { return goings.faults(ofPruned: seal, record) }
    var faults: [String] = []
    if let told = record.number("entries"), told != seal.entries {
      faults.append("\(told) entries were sealed, \(seal.entries) are there")
    }
    if let told = record.number("events"), told != seal.events {
      faults.append("\(told) events were sealed, \(seal.events) are there")
    }
    if record.hash("root") != seal.root { faults.append("its entries and events are not those that were sealed") }
    return faults
  }

  // MARK: - Segments

  /// Looks into every segment that must be there; what is erased in the live store and in them.
  private mutating func checkSegments(
    _ store: StoreReader, _ erased: [UInt64: [EntryCommitment]]
  ) throws -> [UInt64: [EntryCommitment]] {
    var erased = erased
    let kept = try store.segments()
    let told = goings.segments.filter { segment in segment.value.epochs.contains { goings.pruned[$0] == nil } }
    segments = kept.count
    for period in told.keys.sorted() where !kept.contains(where: { $0.period == period }) {
      flaws.append(Flaw("segment \(period)", "is not in the store"))
    }
    let seals = texts.filter { $0.kind == .seal }
    for segment in kept {
      let name = "segment \(segment.period)"
      guard let record = told[segment.period], record.epochs == segment.epochs, record.size == segment.size,
        record.hash == segment.hash, record.record == segment.record
      else {
        flaws.append(Flaw(name, "is not what the log says"))
        unread = max(unread, segment.end)
        continue
      }
      if let fault = segment.fault(in: store.directory, isThorough: true) {
        let (first, last) = (segment.epochs.lowerBound, segment.epochs.upperBound)
        flaws.append(Flaw(name, "\(fault): nothing is said of epochs \(first) to \(last), nor of those before"))
        unread = max(unread, segment.end)
        continue
      }
      let audit = try store.audit(segment)
      flaws += audit.flaws.map { Flaw("\(name), \($0.place)", $0.what) }
      for (record, entries) in audit.erased { erased[record, default: []] += entries }
      let own = audit.seals.filter { segment.seals.contains($0.sequence) }
      if own.count != segment.seals.count { flaws.append(Flaw(name, "does not have all of its seals")) }
      for seal in audit.seals where seal.sequence <= seals.count {
        if segment.seals.contains(seal.sequence) {
          entries += seal.entries
          events += seal.events
        }
        flaws += faults(of: seal, seals[Int(seal.sequence) - 1]).map { Flaw("\(name), seal \(seal.sequence)", $0) }
      }
    }
    self.erased = Set(erased.values.joined()).count
    return erased
  }

  // MARK: - Epochs

  private mutating func checkEpochs(_ store: StoreReader) throws {
    let told = texts.enumerated().filter { $0.element.kind == .epoch }
    let kept = try store.epochs()
    epochs = told.count
    if told.count != kept.count { flaws.append(Flaw("epochs", "the log has \(told.count), the store \(kept.count)")) }
    var last: EpochRecord?
    var there: [EpochRecord] = []
    for place in told {
      guard let record = EpochRecord(place.element) else { continue }
      let name = "epoch \(record.number)"
      if let last, record.number != last.number + 1 || record.from != last.to || record.firstSeal != last.lastSeal + 1 {
        flaws.append(Flaw(name, "does not begin where the last one ended"))
      }
      last = record
      guard let epoch = kept.first(where: { $0.number == record.number }), epoch.record == UInt64(place.offset) else {
        flaws.append(Flaw(name, "is not in the store"))
        continue
      }
      if epoch.pruned == nil, (epoch.segment != nil) != goings.moved.contains(record.number) {
        flaws.append(Flaw(name, "the store and the log differ on whether a segment has its values"))
      }
      if epoch.pruned == nil, epoch.time.from < unread { continue }
      there.append(record)
    }
    // Nearly all of the time goes into the roots of their indexes, and each is for itself.
    let verification = self
    flaws += try concurrently(there) { record in
      try verification.faults(record, store).map { Flaw("epoch \(record.number)", $0) }
    }.joined()
  }

  /// What of an epoch that is in the store is not what its record says.
  private func faults(_ record: EpochRecord, _ store: StoreReader) throws -> [String] {
    guard let epoch = try store.keptEpoch(record.number) else { return ["is not in the store"] }
    let isTold = epoch.pruned == goings.pruned[record.number]
    let faults = isTold ? [] : ["the store and the log differ on whether its time is over"]
    return epoch.pruned == nil ? try faults + self.faults(epoch, record, store) : faults
  }

  /// What of an epoch is not what its record says.
  private func faults(_ epoch: KeptEpoch, _ record: EpochRecord, _ store: StoreReader) throws -> [String] {
    guard let salt = epoch.salt, let hiding = epoch.hiding, let bytes = epoch.index else {
      // Of what was erased nothing can be proven any more, and nothing is claimed.
      return goings.isErased(epoch.number)
        ? [] : ["its salt, its secret or its index is gone, and no record tells of it"]
    }
    guard let keys = IndexKeys(salt: salt), keys.commitment == record.saltCommit else {
      return ["its salt is not the sealed one"]
    }
    guard let index = SparseIndex(encoded: bytes, hiding: hiding) else { return ["its index is not what was kept"] }
    var faults: [String] = []
    let made = SparseIndex(index.keys, hiding: hiding)
    if made.root != record.indexRoot { faults.append("its index, or its hiding secret, is not the sealed one") }
    if made.keptTop != index.keptTop { faults.append("the top of its index is not that of its keys") }
    var facts = IndexFacts(keys)
    var isComplete = true
    guard
      let source = try store.epoch(
        epoch.number,
        begin: { source in
          do { facts.patterns = try RegisteredPattern.all(in: source) } catch { isComplete = false }
        }, { facts.add($0) })
    else { return faults + ["is not in the store"] }
    if !isComplete { faults.append("the text of a pattern that it registers is not in the store") }
    if !facts.present.allSatisfy(index.contains) { faults.append("an access of it is not in its index") }
    let again = try EpochCloser.record(source, keys: keys, hiding: hiding, indexRoot: made.root)
    let (from, to) = (source.time.from.unsigned, source.time.to.unsigned)
    if (again.record.from, again.record.to, again.record.lastSeal) != (record.from, record.to, record.lastSeal)
      || (from, to) != (record.from, record.to)
    {
      faults.append("its time is not the sealed one")
    }
    if (again.record.entries, again.record.events, again.record.lost, again.record.degraded)
      != (record.entries, record.events, record.lost, record.degraded)
    {
      faults.append("its sums are not the sealed ones")
    }
    if again.record.names != record.names || again.record.namesRoot != record.namesRoot {
      faults.append("its names are not the sealed ones")
    }
    if again.record.configs != record.configs { faults.append("its configurations are not the sealed ones") }
    if UInt64(epoch.gaps.count) != record.gaps || LogCheck.root(of: epoch.gaps.map(Hash.leaf)) != record.gapRoot {
      faults.append("its gaps are not the sealed ones")
    }
    // A gap may become known later; none may vanish.
    if !Set(epoch.gaps).isSubset(of: Set(again.gaps)) { faults.append("a gap of it is no more in the store") }
    if LogCheck.root(of: epoch.sessions.map { .leaf(Array($0.utf8)) }) != record.sessionsRoot
      || UInt64(epoch.sessions.count) != record.sessions || !Set(source.sessions).isSubset(of: Set(epoch.sessions))
    {
      faults.append("its sessions are not the sealed ones")
    }
    return faults
  }
}

extension LogRecord {
  func value(_ key: String) -> Value? { kind.fields.firstIndex { $0.key == key }.map { values[$0] } }

  /// The number under a key.
  func number(_ key: String) -> UInt64? { if case .number(let number)? = value(key) { number } else { nil } }

  /// The hash under a key.
  func hash(_ key: String) -> Hash? { if case .hash(let hash)? = value(key) { hash } else { nil } }
}
