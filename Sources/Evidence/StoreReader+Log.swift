internal import GRDB
public import MerkleLog
internal import Records

/// A record of the log as the store keeps it.
public struct KeptRecord: Sendable, Hashable {
  /// The leaf's index.
  public var index: UInt64
  /// The word for its type.
  public var kind: String
  /// The leaf data.
  public var text: [UInt8]
}

extension StoreReader {
  /// The closed epochs, oldest first, without their indexes.
  public func epochs() throws(StoreError) -> [KeptEpoch] {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT id, record, t0, t1, last_seal, salt, NULL AS hiding, NULL AS keys, sessions, gaps, pruned, \
          segment FROM epochs ORDER BY id
          """
      ).map(KeptEpoch.init(row:))
    }
  }

  /// One epoch with everything that is kept of it.
  ///
  /// - Parameter isThorough: whether every byte of the segments is looked at first, unless they have been.
  public func keptEpoch(_ number: UInt64, isThorough: Bool = true) throws(StoreError) -> KeptEpoch? {
    let row = try read { db in
      try Row.fetchOne(db, sql: "SELECT * FROM epochs WHERE id = ?", arguments: [Int64(number)])
    }
    guard let row else { return nil }
    var epoch = KeptEpoch(row: row)
    guard let segment = row["segment"] as Int64?, epoch.salt != nil, epoch.index == nil else { return epoch }
    epoch.index = try read(since: epoch.time.from, isThorough: isThorough) { db in
      if let absent = try KeptSegment.absent(since: epoch.time.from, db).last {
        throw StoreError.incomplete(absent.reason)
      }
      return try Blob.fetchOne(
        db, sql: "SELECT keys FROM \(Reach.schema(segment)).keys WHERE epoch = ?", arguments: [Int64(number)])?.bytes
    }
    return epoch
  }

  /// The records of some types, all where none is named, by index.
  public func records(_ kinds: [String] = []) throws(StoreError) -> [KeptRecord] {
    try read { db in try Self.records(kinds, db) }
  }

  static func records(_ kinds: [String], _ db: Database) throws -> [KeptRecord] {
    let marks = kinds.map { _ in "?" }.joined(separator: ",")
    let condition = kinds.isEmpty ? "1" : "kind IN (\(marks))"
    return try Row.fetchAll(
      db, sql: "SELECT * FROM log_records WHERE \(condition) ORDER BY id", arguments: StatementArguments(kinds)
    ).map(kept)
  }

  /// The record of this index.
  public func record(_ index: UInt64) throws(StoreError) -> KeptRecord? {
    try read { db in
      try Row.fetchOne(db, sql: "SELECT * FROM log_records WHERE id = ?", arguments: [Int64(index)]).map(Self.kept)
    }
  }

  static func kept(_ row: Row) -> KeptRecord {
    KeptRecord(index: row.unsigned("id"), kind: row["kind"], text: (row["text"] as Blob).bytes)
  }

  /// The newest signed head and its size; nil where there is none.
  public func checkpoint() throws(StoreError) -> (size: UInt64, note: [UInt8])? {
    try read { db in
      try Row.fetchOne(db, sql: "SELECT * FROM checkpoints ORDER BY size DESC LIMIT 1").map {
        ($0.unsigned("size"), ($0["note"] as Blob).bytes)
      }
    }
  }

  /// What shows that a record is in the log of a size.
  public func inclusionProof(index: UInt64, size: UInt64) throws(StoreError) -> [Hash] {
    try read { db in try Log(SQLiteHashes(db: db)).inclusionProof(index: index, size: size) }
  }

  /// The public keys by role, the newest last.
  public func publicKeys() throws(StoreError) -> [(role: String, verifier: String)] {
    try read { db in
      try Row.fetchAll(db, sql: "SELECT role, verifier FROM public_keys ORDER BY id").map {
        ($0["role"], $0["verifier"])
      }
    }
  }
}
