public import MerkleLog

// The records that a verifier understands. Each is read from, and written as, a `LogRecord`.

/// GENESIS: whose log this is, and the keys it begins with.
public struct GenesisRecord: Sendable, Hashable {
  /// The name of the log, which is its key's.
  public var origin: String
  /// The key that signs heads.
  public var logKey: VerifierKey
  /// The key that signs certificates.
  public var certificateKey: VerifierKey

  /// A record of these parts.
  public init(origin: String, logKey: VerifierKey, certificateKey: VerifierKey) {
    self.origin = origin
    self.logKey = logKey
    self.certificateKey = certificateKey
  }

  /// The same as a record; nil where a part does not fit one.
  public var record: LogRecord? {
    LogRecord(.genesis, [.word(origin), .word(logKey.text), .word(certificateKey.text)])
  }

  /// Reads a record.
  public init?(_ record: LogRecord) {
    guard record.kind == .genesis, case .word(let origin) = record.values[0],
      case .word(let log) = record.values[1], case .word(let certificate) = record.values[2],
      let logKey = VerifierKey(log.utf8), let certificateKey = VerifierKey(certificate.utf8)
    else { return nil }
    self.init(origin: origin, logKey: logKey, certificateKey: certificateKey)
  }
}

/// KEY: one key takes another's place; both have signed the lines `alibi.v1/key` to `new`.
public struct KeyRecord: Sendable, Hashable {
  /// `log` or `cert`.
  public var role: String
  /// The key that was in force.
  public var old: VerifierKey
  /// The key that is in force from here on.
  public var new: VerifierKey
  /// The old key's signature.
  public var oldSignature: [UInt8]
  /// The new key's signature.
  public var newSignature: [UInt8]

  /// A rotation, signed with both keys.
  public init(role: String, old: SigningKey, new: SigningKey) throws {
    self.role = role
    self.old = old.verifier
    self.new = new.verifier
    oldSignature = []
    newSignature = []
    oldSignature = try old.signature(of: signed)
    newSignature = try new.signature(of: signed)
  }

  private var signed: [UInt8] { Array("alibi.v1/key\nrole \(role)\nold \(old.text)\nnew \(new.text)\n".utf8) }

  /// The same as a record.
  public var record: LogRecord? {
    LogRecord(.key, [.word(role), .word(old.text), .word(new.text), .bytes(oldSignature), .bytes(newSignature)])
  }

  /// Reads a record; nil unless both signatures hold.
  public init?(_ record: LogRecord) {
    guard record.kind == .key, case .word(let role) = record.values[0], case .word(let old) = record.values[1],
      case .word(let new) = record.values[2], case .bytes(let first) = record.values[3],
      case .bytes(let second) = record.values[4], let oldKey = VerifierKey(old.utf8),
      let newKey = VerifierKey(new.utf8)
    else { return nil }
    self.role = role
    self.old = oldKey
    self.new = newKey
    oldSignature = first
    newSignature = second
    guard oldKey.kind == .note, newKey.kind == .note, oldKey.verifies(first, of: signed),
      newKey.verifies(second, of: signed)
    else { return nil }
  }
}

/// GAP: time that nobody vouches for.
public struct GapRecord: Sendable, Hashable {
  /// Nanoseconds since 1970.
  public var from: UInt64
  /// Not before `from`.
  public var to: UInt64
  /// Which witness was missing.
  public var source: String
  /// Why.
  public var reason: String

  /// A gap.
  public init(from: UInt64, to: UInt64, source: String, reason: String) {
    self.from = from
    self.to = to
    self.source = source
    self.reason = reason
  }

  /// The same as a record; nil where a part does not fit one.
  public var record: LogRecord? { LogRecord(.gap, [.number(from), .number(to), .word(source), .line(reason)]) }

  /// Reads a record; nil where it ends before it begins.
  public init?(_ record: LogRecord) {
    guard record.kind == .gap, case .number(let from) = record.values[0], case .number(let to) = record.values[1],
      case .word(let source) = record.values[2], case .line(let reason) = record.values[3], from <= to
    else { return nil }
    self.init(from: from, to: to, source: source, reason: reason)
  }

  /// How many nanoseconds of a stretch lie in at least one of the gaps.
  public static func measure(_ gaps: [GapRecord], from: UInt64, to: UInt64) -> UInt64 {
    var total: UInt64 = 0
    var reached = from
    for gap in gaps.sorted(by: { $0.from < $1.from }) {
      let begin = max(gap.from, reached)
      let end = min(gap.to, to)
      if end > begin {
        total += end - begin
        reached = end
      }
    }
    return total
  }
}

/// EPOCH: a stretch of seals, what it covers, and the roots that proofs of absence lead to.
public struct EpochRecord: Sendable, Hashable {
  /// How the keys of the index are made; see `IndexKeys`.
  public static let keyVersion: UInt64 = 1

  /// Counts epochs without holes.
  public var number: UInt64
  /// See `keyVersion`.
  public var version: UInt64 = keyVersion
  /// Nanoseconds since 1970; the `to` of the epoch before.
  public var from: UInt64
  /// When it ends.
  public var to: UInt64
  /// The first seal in it; the one after the last of the epoch before.
  public var firstSeal: UInt64
  /// The last seal in it.
  public var lastSeal: UInt64
  /// Entries first used in it.
  public var entries: UInt64 = 0
  /// Events in it.
  public var events: UInt64 = 0
  /// Losses that were reported.
  public var lost: UInt64 = 0
  /// Nanoseconds of it in no gap.
  public var covered: UInt64
  /// Nanoseconds in seals with a loss or without a canary.
  public var degraded: UInt64 = 0
  /// How many gaps touch it.
  public var gaps: UInt64 = 0
  /// The root over the texts of their records.
  public var gapRoot = Hash(of: [])
  /// The leaf hashes of the CONFIG records in force, in base64.
  public var configs: [String]
  /// The file systems watched throughout: `f_fsid` as 16 hexadecimal digits, ascending.
  public var fileSystems: [String]
  /// The kinds of hazard there were, ascending.
  public var hazards: [String] = []
  /// How many sessions ran.
  public var sessions: UInt64 = 0
  /// How many of them began in it.
  public var begun: UInt64 = 0
  /// The root over their keys, ascending byte by byte.
  public var sessionsRoot = Hash(of: [])
  /// Whether the name history covers the file systems for all of the epoch.
  public var namesComplete = true
  /// How many bindings the name history has.
  public var names: UInt64 = 0
  /// The root over them; see `NameHistory`.
  public var namesRoot = Hash(of: [])
  /// See `IndexKeys.commitment`.
  public var saltCommit: Hash
  /// See `SparseIndex.root`.
  public var indexRoot: Hash
  /// The hash of the newest anchor's token, when there was one: the epoch was sealed after it.
  public var anchor: Hash?

  /// An epoch in which nothing happened; the rest is set afterwards.
  public init(
    number: UInt64, from: UInt64, to: UInt64, firstSeal: UInt64, lastSeal: UInt64, covered: UInt64,
    configs: [String], fileSystems: [String], saltCommit: Hash, indexRoot: Hash
  ) {
    self.number = number
    self.from = from
    self.to = to
    self.firstSeal = firstSeal
    self.lastSeal = lastSeal
    self.covered = covered
    self.configs = configs
    self.fileSystems = fileSystems
    self.saltCommit = saltCommit
    self.indexRoot = indexRoot
  }

  /// The same as a record; nil where a part does not fit one.
  public var record: LogRecord? {
    LogRecord(
      .epoch,
      [
        .number(number), .number(version), .number(from), .number(to), .number(firstSeal), .number(lastSeal),
        .number(entries), .number(events), .number(lost), .number(covered), .number(degraded), .number(gaps),
        .hash(gapRoot), .words(configs), .words(fileSystems), .words(hazards), .number(sessions), .number(begun),
        .hash(sessionsRoot), .word(namesComplete ? "complete" : "partial"), .number(names), .hash(namesRoot),
        .hash(saltCommit), .hash(indexRoot), .anyHash(anchor),
      ])
  }

  /// Reads a record.
  public init?(_ record: LogRecord) {
    guard record.kind == .epoch else { return nil }
    var values = record.values.makeIterator()
    // The record was read by the table of its fields, so each value has the form that is asked for here.
    func number() -> UInt64 { if case .number(let value)? = values.next() { value } else { 0 } }
    func hash() -> Hash { if case .hash(let value)? = values.next() { value } else { .zero } }
    func words() -> [String] { if case .words(let value)? = values.next() { value } else { [] } }
    func word() -> String { if case .word(let value)? = values.next() { value } else { "" } }
    self.number = number()
    version = number()
    from = number()
    to = number()
    firstSeal = number()
    lastSeal = number()
    entries = number()
    events = number()
    lost = number()
    covered = number()
    degraded = number()
    gaps = number()
    gapRoot = hash()
    configs = words()
    fileSystems = words()
    hazards = words()
    sessions = number()
    begun = number()
    sessionsRoot = hash()
    let state = word()
    guard ["complete", "partial"].contains(state) else { return nil }
    namesComplete = state == "complete"
    names = number()
    namesRoot = hash()
    saltCommit = hash()
    indexRoot = hash()
    guard case .anyHash(let value)? = values.next() else { return nil }
    anchor = value
  }
}
