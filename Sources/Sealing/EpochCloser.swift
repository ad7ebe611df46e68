internal import Certificates
public import Evidence
internal import MerkleLog
public import Records

/// Makes an epoch of the seals since the last one: the index of absence, the names, the sums.
///
/// It reads a snapshot of the store, so it may take its time; only what it made goes through the writer.
public enum EpochCloser {
  /// What was closed.
  public struct Closed: Sendable {
    /// The number of the newest epoch.
    public var number: UInt64
    /// Where it ends.
    public var to: Timestamp
  }

  /// Closes what is sealed and in no epoch; where that is nothing, the newest epoch is the answer.
  public static func close(state: String, writer: StoreWriter) throws -> Closed {
    var random = SystemRandomNumberGenerator()
    var secrets: [UInt8] = []
    for _ in 0..<8 { secrets.append(bigEndian: random.next()) }
    let (salt, hiding) = (Array(secrets[..<32]), Array(secrets[32...]))
    let reader = try StoreReader(directory: state)
    guard let keys = IndexKeys(salt: salt) else { throw StoreError.damaged("a salt has another length") }
    var facts = IndexFacts(keys)
    guard
      let source = try reader.epoch(
        begin: { facts.patterns = try RegisteredPattern.all(in: $0) }, { facts.add($0) })
    else {
      guard let last = try reader.epochs().last else { throw StoreError.damaged("there is nothing to close") }
      return Closed(number: last.number, to: last.time.to)
    }
    let index = SparseIndex(facts.present, hiding: hiding)
    var made = try record(source, keys: keys, hiding: hiding, indexRoot: index.root)
    // It was closed after whoever is named here had seen the log.
    made.record.anchor = try reader.newestRecord("anchor", within: .max >> 1)
      .flatMap { LogRecord($0.text)?.hash("token") }
    try writer.keep(
      KeptEpoch(
        number: source.number, record: 0, time: source.time, lastSeal: source.lastSeal, salt: salt, hiding: hiding,
        index: index.encoded, sessions: source.sessions, gaps: made.gaps), try Sealer.line(made.record.record))
    return Closed(number: source.number, to: source.time.to)
  }

  /// The record of an epoch, and the texts of its GAP records.
  static func record(
    _ source: EpochSource, keys: IndexKeys, hiding: [UInt8], indexRoot: Hash
  ) throws -> (record: EpochRecord, gaps: [[UInt8]]) {
    let (from, to) = (source.time.from.unsigned, source.time.to.unsigned)
    let gaps = source.gaps.map { GapRecord($0) }
    let texts = try gaps.map { try Sealer.line($0.record).text }
    let names = try NameHistory(bindings(source), keys: keys, hiding: hiding)
    var record = EpochRecord(
      number: source.number, from: from, to: to, firstSeal: source.firstSeal, lastSeal: source.lastSeal,
      covered: to - from - GapRecord.measure(gaps, from: from, to: to),
      configs: unique(source.configs.map { Hash.leaf($0).base64 }),
      fileSystems: source.fileSystems.map(Sealer.name(ofFileSystem:)), saltCommit: keys.commitment,
      indexRoot: indexRoot)
    record.entries = source.entries
    record.events = source.events
    record.lost = source.lost
    record.degraded = min(source.degraded, to - from)
    record.gaps = UInt64(gaps.count)
    record.gapRoot = LogCheck.root(of: texts.map(Hash.leaf))
    record.hazards = source.hazards.sorted()
    record.sessions = UInt64(source.sessions.count)
    record.begun = source.begun
    record.sessionsRoot = LogCheck.root(of: source.sessions.map { .leaf(Array($0.utf8)) })
    // Who keeps a name without anything happening to it is in no record: the history is not all there is.
    record.namesComplete = false
    record.names = names.count
    record.namesRoot = try names.root
    return (record, texts)
  }

  private static func unique(_ words: [String]) -> [String] {
    var seen: Set<String> = []
    return words.filter { seen.insert($0).inserted }
  }

  /// What names files got and lost in the epoch, as bindings cut to it.
  private static func bindings(_ source: EpochSource) -> [NameHistory.Binding] {
    source.names.flatMap { change -> [NameHistory.Binding] in
      var found: [NameHistory.Binding] = []
      if let path = change.from, path.isAbsolute {
        found.append(
          .init(
            path: path.bytes, identity: change.identity.encoded, from: source.time.from.unsigned,
            to: min(change.time.to, source.time.to).unsigned))
      }
      if let path = change.to, path.isAbsolute {
        found.append(
          .init(
            path: path.bytes, identity: change.identity.encoded, from: max(change.time.from, source.time.from).unsigned,
            to: source.time.to.unsigned))
      }
      return found
    }
  }
}

/// The keys of an epoch's index, gathered.
struct IndexFacts {
  private let keys: IndexKeys
  /// Those under which accesses are indexed.
  var patterns: [RegisteredPattern] = []
  private(set) var present: Set<Hash> = []

  init(_ keys: IndexKeys) { self.keys = keys }

  mutating func add(_ access: EpochAccess) {
    present.formUnion(Self.facts(access, patterns).map { keys.key($0.fact, scope: Array($0.scope.utf8)) })
  }

  /// Under which scopes an access is found, and by what.
  static func facts(
    _ access: EpochAccess, _ patterns: [RegisteredPattern] = []
  ) -> [(scope: String, fact: IndexFact)] {
    var facts: Set<IndexFact> = [IndexFact(.identity, access.file.encoded)]
    for path in access.paths { facts.formUnion(IndexFact.facts(ofPath: path.bytes)) }
    if access.paths.isEmpty, let name = access.name {
      // A relative path has no directory that could be meant.
      facts.formUnion(IndexFact.facts(ofPath: Array(name.lastComponent)).filter { $0.kind != .file })
    }
    for pattern in patterns where pattern.mayMatch(access) { facts.insert(IndexFact(.glob, pattern.source)) }
    for directory in access.directories { facts.insert(IndexFact(.directoryIdentity, directory.encoded)) }
    if access.isDenied { facts = Set(facts.map { IndexFact($0.kind.denied, $0.data) }) }
    var scopes: [String]
    if !access.hazards.isEmpty {
      scopes = access.hazards.map { "hazard:\($0)" }
    } else if access.sessions.isEmpty {
      scopes = ["unattributed"]
    } else {
      scopes = ["agent"] + access.sessions.map { "session:\($0)" }
      let plain = scopes
      if access.writes { scopes += plain.map { $0 + Claim.noWrite.suffix } }
      if access.executes { scopes += plain.map { $0 + Claim.noExec.suffix } }
    }
    return scopes.flatMap { scope in facts.map { (scope, $0) } }
  }
}

extension FileIdentity {
  /// The 28 bytes of a certificate.
  var encoded: [UInt8] {
    var out: [UInt8] = []
    out.append(bigEndian: fileSystem)
    out.append(bigEndian: inode)
    out.append(bigEndian: generation)
    out.append(bigEndian: subvolume)
    return out
  }
}

extension SparseIndex {
  /// How many keys, the keys, and the part of the tree's top that is worth keeping.
  var encoded: [UInt8] {
    let top = keptTop
    var out: [UInt8] = []
    out.reserveCapacity(8 + 32 * (keys.count + top.count))
    out.append(bigEndian: UInt64(keys.count))
    for hash in keys { out += hash.bytes }
    for hash in top { out += hash.bytes }
    return out
  }

  /// Reads what `encoded` wrote; nil for anything else.
  init?(encoded bytes: [UInt8], hiding: [UInt8]) {
    guard bytes.count >= 8, let hashes = Hash.list(bytes[8...]) else { return nil }
    let count = bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard count <= UInt64(hashes.count) else { return nil }
    self.init(keys: Array(hashes.prefix(Int(count))), hiding: hiding, keptTop: Array(hashes.dropFirst(Int(count))))
  }
}
