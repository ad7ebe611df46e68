internal import GRDB
public import MerkleLog

/// What somebody outside said of a head, as it is kept.
public struct KeptAnchor: Sendable, Hashable {
  /// `witness` or `rfc3161`.
  public var kind: String
  /// The witness's verifier key, or the authority's URL.
  public var by: String
  /// The size of the head.
  public var size: UInt64
  /// When it was seen, in nanoseconds since 1970.
  public var time: UInt64
  /// The signed head, without what the witness added.
  public var note: [UInt8]
  /// The witness's line, or the authority's token.
  public var token: [UInt8]
  /// The index of its ANCHOR record.
  public var record: UInt64

  /// An anchor of these parts.
  public init(
    kind: String, by: String, size: UInt64, time: UInt64, note: [UInt8], token: [UInt8], record: UInt64 = 0
  ) {
    self.kind = kind
    self.by = by
    self.size = size
    self.time = time
    self.note = note
    self.token = token
    self.record = record
  }
}

extension Schema {
  /// What others have said of heads; `record` is the ANCHOR record that commits to the token.
  static func registerAnchors(_ migrator: inout DatabaseMigrator) {
    migrator.registerMigration("8 anchors") { db in
      try db.execute(
        sql: """
          CREATE TABLE anchors (
            id INTEGER PRIMARY KEY, kind TEXT NOT NULL, by TEXT NOT NULL, size INTEGER NOT NULL,
            time INTEGER NOT NULL, note BLOB NOT NULL, token BLOB NOT NULL,
            record INTEGER NOT NULL UNIQUE REFERENCES log_records(id));
          CREATE INDEX anchors_size ON anchors(by, size);
          """)
    }
  }
}

extension StoreWriter {
  /// Keeps an anchor and appends its record. `anchor.record` is set here.
  public func keep(_ anchor: KeptAnchor, _ line: LogLine) throws(StoreError) {
    try write { db in
      let index = try Self.append([line], db)
      try db.execute(
        sql: "INSERT INTO anchors (kind, by, size, time, note, token, record) VALUES (?, ?, ?, ?, ?, ?, ?)",
        arguments: [
          anchor.kind, anchor.by, Int64(anchor.size), Int64(anchor.time), Blob(anchor.note), Blob(anchor.token),
          Int64(index),
        ])
    }
  }
}

extension StoreReader {
  /// The anchors of heads with more than `size` records, oldest head first.
  public func anchors(beyond size: UInt64 = 0) throws(StoreError) -> [KeptAnchor] {
    try read { db in
      try Row.fetchAll(
        db, sql: "SELECT * FROM anchors WHERE size > ? ORDER BY size, time, id", arguments: [Int64(size)]
      ).map(KeptAnchor.init(row:))
    }
  }

  /// Of each witness and authority the newest head that it has seen.
  public func newestAnchors() throws(StoreError) -> [KeptAnchor] {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT * FROM anchors WHERE id IN (SELECT max(id) FROM anchors GROUP BY kind, by) ORDER BY kind DESC, by
          """
      ).map(KeptAnchor.init(row:))
    }
  }

  /// The signed heads that are larger than `size`, the smallest first.
  public func checkpoints(beyond size: UInt64) throws(StoreError) -> [(size: UInt64, note: [UInt8])] {
    try read { db in
      try Row.fetchAll(
        db, sql: "SELECT * FROM checkpoints WHERE size > ? ORDER BY size LIMIT 1000", arguments: [Int64(size)]
      ).map { ($0.unsigned("size"), ($0["note"] as Blob).bytes) }
    }
  }

  /// The newest record of a type among the first `size`.
  public func newestRecord(_ kind: String, within size: UInt64) throws(StoreError) -> KeptRecord? {
    try read { db in
      try Row.fetchOne(
        db, sql: "SELECT * FROM log_records WHERE kind = ? AND id < ? ORDER BY id DESC LIMIT 1",
        arguments: [kind, Int64(size)]
      ).map(Self.kept)
    }
  }

  /// How large the log was when the newest record that is no anchor had come.
  public func sizeWithNews() throws(StoreError) -> UInt64 {
    try read { db in
      UInt64(try Int64.fetchOne(db, sql: "SELECT max(id) + 1 FROM log_records WHERE kind <> 'anchor'") ?? 0)
    }
  }

  /// What shows that the log of one size goes on from that of another.
  public func consistencyProof(old: UInt64, new: UInt64) throws(StoreError) -> [Hash] {
    try read { db in try Log(SQLiteHashes(db: db)).consistencyProof(old: old, new: new) }
  }
}

extension KeptAnchor {
  init(row: Row) {
    self.init(
      kind: row["kind"], by: row["by"], size: row.unsigned("size"), time: row.unsigned("time"),
      note: (row["note"] as Blob).bytes, token: (row["token"] as Blob).bytes, record: row.unsigned("record"))
  }
}
