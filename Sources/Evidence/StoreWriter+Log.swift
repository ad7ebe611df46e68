internal import GRDB
public import MerkleLog
public import Records

/// A record of the log, as its text.
public struct LogLine: Sendable, Hashable {
  /// The word for its type.
  public var kind: String
  /// The leaf data.
  public var text: [UInt8]

  /// A record of this type and text.
  public init(kind: String, text: [UInt8]) {
    self.kind = kind
    self.text = text
  }
}

/// What a transaction seals, in numbers: what the SEAL record and those before it tell.
public struct SealDraft: Sendable {
  /// The number of the seal; the first is 1.
  public var sequence: UInt64
  /// The run.
  public var run: Int64
  /// The end of the seal before.
  public var from: Timestamp
  /// Up to here everything is committed.
  public var to: Timestamp
  /// How many entries are first used in it.
  public var entries: UInt64
  /// How many events it has.
  public var events: UInt64
  /// Losses that were told of.
  public var lost: UInt64
  /// Whether the canaries of this time were seen.
  public var hasCanary: Bool
  /// The root over entries and events.
  public var root: Hash
  /// The gaps that were found.
  public var gaps: [Gap]
  /// How many incidents of each kind there were.
  public var incidents: [String: UInt64]
  /// The file systems that are watched now.
  public var fileSystems: [UInt64]
  /// SHA-256 of the rules that the newest look at the sensor found in force.
  public var rulesDigest: [UInt8]
  /// The text of the newest CONFIG record.
  public var config: [UInt8]?
}

/// Writes the texts of the log's records; what they say is not the store's to know.
public protocol SealScribe: Sendable {
  /// The records of a seal, in their order; the SEAL record is the last.
  func records(_ draft: SealDraft) throws -> [LogLine]
  /// Texts that these records name by their hashes alone, for the store to keep.
  var patterns: [[UInt8]] { get }
}

extension StoreWriter {
  /// How large the log is, and its root.
  public struct Head: Sendable, Hashable {
    /// How many records there are.
    public var size: UInt64
    /// The root over them.
    public var root: Hash
  }

  /// Appends records in one transaction, and returns the index of the first.
  @discardableResult
  public func append(_ lines: [LogLine]) throws(StoreError) -> UInt64 {
    try write { db in try Self.append(lines, db) }
  }

  /// The log as it is.
  public func head() throws(StoreError) -> Head {
    try read { db in
      let log = try Log(SQLiteHashes(db: db))
      return Head(size: log.size, root: try log.root())
    }
  }

  /// The text of the newest record of a type; nil where there is none.
  public func newestRecord(_ kind: String) throws(StoreError) -> [UInt8]? {
    try read { db in try Self.newest(kind, db) }
  }

  /// The records of some types, by index.
  public func records(_ kinds: [String]) throws(StoreError) -> [KeptRecord] {
    try read { db in try StoreReader.records(kinds, db) }
  }

  /// The newest signed head's size; 0 where there is none.
  public func signedSize() throws(StoreError) -> UInt64 {
    try read { db in UInt64(try Int64.fetchOne(db, sql: "SELECT max(size) FROM checkpoints") ?? 0) }
  }

  /// The number of the newest seal; 0 where there is none.
  public func lastSeal() throws(StoreError) -> UInt64 {
    try read { db in UInt64(try Int64.fetchOne(db, sql: "SELECT max(id) FROM log_seals") ?? 0) }
  }

  /// Keeps a signed head.
  public func keep(checkpoint note: [UInt8], size: UInt64) throws(StoreError) {
    try write { db in
      try db.execute(
        sql: "INSERT OR IGNORE INTO checkpoints (size, note) VALUES (?, ?)", arguments: [Int64(size), Blob(note)])
    }
  }

  /// Keeps the public part of a key under a role, where it is not the newest already.
  public func keep(publicKey verifier: String, role: String) throws(StoreError) {
    try write { db in
      let newest = try String.fetchOne(
        db, sql: "SELECT verifier FROM public_keys WHERE role = ? ORDER BY id DESC", arguments: [role])
      guard newest != verifier else { return }
      try db.execute(sql: "INSERT INTO public_keys (role, verifier) VALUES (?, ?)", arguments: [role, verifier])
    }
  }

  /// Seals what is not sealed, with no findings.
  public func seal(with scribe: any SealScribe) throws(StoreError) {
    try write { db in try seal(with: scribe, db) }
  }

  func write<R>(_ body: (Database) throws -> R) throws(StoreError) -> R {
    do { return try queue.write { try body($0) } } catch { throw StoreError(error, directory: queue.path) }
  }

  /// Needs no room on the disk.
  func read<R>(_ body: (Database) throws -> R) throws(StoreError) -> R {
    do { return try queue.read { try body($0) } } catch { throw StoreError(error, directory: queue.path) }
  }

  static func append(_ lines: [LogLine], _ db: Database) throws -> UInt64 {
    var log = try Log(SQLiteHashes(db: db))
    let first = log.size
    for line in lines {
      let index = try log.append(record: line.text)
      try db.cachedStatement(sql: "INSERT INTO log_records (id, kind, text) VALUES (?, ?, ?)")
        .execute(arguments: [Int64(index), line.kind, Blob(line.text)])
    }
    return first
  }
}
