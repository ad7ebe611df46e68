internal import Certificates
public import Evidence
public import MerkleLog
internal import Records
internal import Synchronization

/// What a CONFIG record tells of the program and the machine.
public struct ProgramFacts: Sendable {
  /// The service's version.
  public var version: String
  /// SHA-256 of its executable.
  public var digest: Hash
  /// The kernel's release.
  public var kernel: String
  /// What the kernel's lockdown forbids even root: `none`, `integrity`, `confidentiality`, or `unknown`.
  public var lockdown: String
  /// The boot's id.
  public var bootID: String
  /// For how many days records are kept.
  public var retentionDays: UInt64
  /// The globs under which accesses are indexed.
  public var patterns: [String]

  /// Facts of these parts.
  public init(
    version: String, digest: Hash, kernel: String, lockdown: String, bootID: String,
    retentionDays: UInt64 = Keeper.usualDays, patterns: [String] = []
  ) {
    self.version = version
    self.digest = digest
    self.kernel = kernel
    self.lockdown = lockdown
    self.bootID = bootID
    self.retentionDays = retentionDays
    self.patterns = patterns
  }
}

/// Writes the log of one service: the records of its seals, and the signed heads.
public final class Sealer: SealScribe {
  private let facts: ProgramFacts
  private let clocks: @Sendable () -> (wall: UInt64, mono: UInt64)
  /// The RUN record that the store did not take when the run began: the next seal brings it.
  private let pending = Mutex<LogLine?>(nil)

  /// A sealer that reads the clocks where a record wants them.
  public init(facts: ProgramFacts, clocks: @escaping @Sendable () -> (wall: UInt64, mono: UInt64)) {
    self.facts = facts
    self.clocks = clocks
  }

  /// Begins the log, or goes on with it: GENESIS where it is empty, RUN in any case, and a signed head.
  ///
  /// - Parameters:
  ///   - keys: nil where there are none any more; then records go on, unsigned.
  ///   - reason: why the run begins.
  ///   - isPatient: a store that takes nothing now is no reason not to begin.
  public func begin(_ writer: StoreWriter, keys: KeyDirectory?, reason: String, isPatient: Bool = false) throws {
    var lines: [LogLine] = []
    if try writer.head().size == 0 {
      guard let keys else { throw KeyError(description: "a log cannot begin without keys") }
      let genesis = GenesisRecord(
        origin: String(decoding: keys.log.verifier.name, as: UTF8.self), logKey: keys.log.verifier,
        certificateKey: keys.certificate.verifier)
      lines.append(try Self.line(genesis.record))
    }
    let clocks = clocks()
    lines.append(
      try Self.line(
        LogRecord(
          .run,
          [
            .word(Self.word(facts.bootID)), .number(UInt64(writer.run)), .line(Self.line(reason)),
            .number(try writer.lastSeal()), .number(clocks.wall), .number(clocks.mono),
          ])))
    do { try writer.append(lines) } catch {
      guard isPatient, lines.count == 1 else { throw error }
      pending.withLock { $0 = lines[0] }
      return
    }
    guard let keys else { return }
    try KeyRotation.keepPublic(keys, writer)
    try sign(writer, keys)
  }

  /// The patterns that a CONFIG record names by their hashes: their texts can name people.
  public var patterns: [[UInt8]] { facts.patterns.map { Array($0.utf8) } }

  /// What the last call of `records` gave is in the store.
  public func committed() { pending.withLock { $0 = nil } }

  /// Signs the head as it is, and keeps it.
  public func sign(_ writer: StoreWriter, _ keys: KeyDirectory) throws { try Self.sign(writer, keys) }

  /// Signs the head as it is, and keeps it.
  ///
  /// - Throws: also where these are not the keys that the log names.
  public static func sign(_ writer: StoreWriter, _ keys: KeyDirectory) throws {
    let head = try writer.head()
    guard try KeyChain(of: writer)?.key(atSize: head.size) == keys.log.verifier else {
      throw KeyError(description: "the key is not the one that the log names")
    }
    guard let checkpoint = Checkpoint(origin: keys.log.verifier.name, size: head.size, root: head.root) else {
      throw KeyError(description: "the log has no head")
    }
    try writer.keep(checkpoint: try SignedNote.sign(checkpoint.text, with: [keys.log]), size: head.size)
  }

  /// The records of a seal: CONFIG where it changed, GAP and INCIDENT for what came since, SEAL.
  public func records(_ draft: SealDraft) throws -> [LogLine] {
    var lines = pending.withLock { $0.map { [$0] } ?? [] }
    let config = try Self.line(
      LogRecord(
        .config,
        [
          .hash(Hash(draft.rulesDigest) ?? Hash(of: draft.rulesDigest)), .hash(Hash(of: [])),
          .words(draft.fileSystems.map(Self.name(ofFileSystem:))), .number(facts.retentionDays),
          .word(Self.word(facts.version)),
          .hash(facts.digest), .word(Self.word(facts.kernel)), .word(Self.word(facts.lockdown)),
          .words(patterns.map { Hash(of: $0).base64 }.sorted()),
        ]))
    if config.text != draft.config { lines.append(config) }
    for gap in draft.gaps { lines.append(try Self.line(GapRecord(gap).record)) }
    let clocks = clocks()
    for (kind, count) in draft.incidents.sorted(by: { $0.key < $1.key }) {
      let values: [LogRecord.Value] = [.number(clocks.wall), .word(Self.word(kind)), .number(count)]
      lines.append(try Self.line(LogRecord(.incident, values)))
    }
    let isClean = draft.lost == 0 && draft.hasCanary
    lines.append(
      try Self.line(
        LogRecord(
          .seal,
          [
            .number(draft.sequence), .number(UInt64(draft.run)), .number(draft.from.unsigned),
            .number(draft.to.unsigned), .number(clocks.mono), .number(draft.entries), .number(draft.events),
            .number(draft.lost), .word(isClean ? "clean" : "degraded"), .number(draft.hasCanary ? 1 : 0),
            .hash(draft.root),
          ])))
    return lines
  }

  /// `f_fsid` as records have it.
  static func name(ofFileSystem id: UInt64) -> String {
    var bytes: [UInt8] = []
    bytes.append(bigEndian: id)
    return Hex.encode(bytes)
  }

  /// A record as a line of the log.
  static func line(_ record: LogRecord?) throws -> LogLine {
    guard let record else { throw StoreError.damaged("a record has a value that the log cannot hold") }
    return LogLine(kind: record.kind.rawValue, text: record.text)
  }

  /// The text as a word of a record: whatever is no word becomes `?`.
  static func word(_ text: String) -> String {
    let plain = text.utf8.prefix(200).map { (0x21...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }
    return plain.isEmpty ? "?" : String(decoding: plain, as: UTF8.self)
  }

  /// The text as a line of a record.
  static func line(_ text: String) -> String {
    let plain = text.utf8.prefix(200).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }
    let words = String(decoding: plain, as: UTF8.self).split(separator: " ")
    return words.isEmpty ? "?" : words.joined(separator: " ")
  }
}

extension GapRecord {
  /// A gap as the log tells of it: without whose session it was.
  init(_ gap: Gap) {
    let isOfSession = gap.reason.hasPrefix("session ")
    self.init(
      from: gap.time.from.unsigned, to: max(gap.time.from, gap.time.to).unsigned, source: Sealer.word(gap.source),
      reason: Sealer.line(isOfSession ? "a session joined late" : gap.reason))
  }
}

extension Sealer {
  /// Writes a CERT record: what was certified stays uncounted only for who cannot count.
  public func note(certificate: Hash, evidence: Hash, _ writer: StoreWriter) throws {
    try writer.append([try Self.line(LogRecord(.cert, [.hash(certificate), .hash(evidence)]))])
  }
}
