internal import Foundation
internal import GRDB
internal import MerkleLog

// What was erased in the live store goes from a segment by another file in its place.
extension KeptSegment {
  /// Whether something was erased since the file was written; then it must follow.
  public func isBehind(_ writer: StoreWriter) throws(StoreError) -> Bool {
    try writer.read { db in try Self.newestErasure(db) > erasure }
  }

  private static func newestErasure(_ db: Database) throws -> Int64 {
    try Int64.fetchOne(db, sql: "SELECT max(id) FROM log_records WHERE kind = 'erasure'") ?? -1
  }

  /// Copies a segment into a new file, without what was erased since; nil where none of it is in there.
  ///
  /// The file must be the one that was sealed. What was deleted in the copy is overwritten with zeros, and nothing of it is
  /// written anywhere else.
  public func rewritten(
    from state: String, to path: String, erasure: inout Int64
  ) throws(StoreError) -> KeptSegment? {
    let source = KeptSegment.directory(state) + "/" + file
    do {
      let reading = try Self.open(reading: source)
      defer { try? reading.close() }
      let (newest, concerned) = try reading.writeWithoutTransaction { db in
        try db.execute(sql: "ATTACH DATABASE ? AS live", arguments: [StoreReader.uri(state)])
        let newest = try Int64.fetchOne(db, sql: "SELECT max(id) FROM live.log_records WHERE kind = 'erasure'") ?? -1
        let concerned = try Bool.fetchOne(
          db, sql: "SELECT EXISTS (\(Self.erased)) OR EXISTS (\(Self.salted))", arguments: [newest])
        return (newest, concerned == true)
      }
      erasure = newest
      guard concerned else { return nil }
      try reading.writeWithoutTransaction { try $0.execute(sql: "VACUUM main INTO ?", arguments: [path]) }
      let writing = try Self.open(path)
      defer { try? writing.close() }
      try writing.writeWithoutTransaction { db in
        // A journal would hold what goes.
        try db.execute(sql: "PRAGMA journal_mode = OFF")
        try db.execute(sql: "ATTACH DATABASE ? AS live", arguments: [StoreReader.uri(state)])
        try db.inTransaction {
          try Self.hollow(newest, db)
          return .commit
        }
      }
    } catch {
      throw StoreError(error, directory: state)
    }
    var made = self
    made.erasure = erasure
    return made
  }

  /// Entries of the file that are erased in the live store, and not in it.
  private static let erased = """
    SELECT l.kind, l.id, l.erased FROM live.entries l JOIN main.entries e ON e.kind = l.kind AND e.id = l.id \
    WHERE l.erased <= ? AND e.erased IS NULL
    """
  /// Epochs of which nothing can be proven any more, and whose index the file has.
  private static let salted = """
    SELECT k.epoch FROM main.keys k JOIN live.epochs l ON l.id = k.epoch WHERE l.salt IS NULL
    """

  private static func hollow(_ newest: Int64, _ db: Database) throws {
    for row in try Row.fetchAll(db, sql: erased, arguments: [newest]) {
      let (kind, id) = (row["kind"] as Int64, row["id"] as Int64)
      if let sql = EntryKind(rawValue: UInt8(truncatingIfNeeded: kind))?.hollowing(in: "main") {
        try db.cachedStatement(sql: sql).execute(arguments: [id])
      }
      try db.cachedStatement(
        sql: "UPDATE main.entries SET opening = NULL, erased = ? WHERE kind = ? AND id = ?"
      ).execute(arguments: [row["erased"] as Int64, kind, id])
    }
    try db.execute(sql: "DELETE FROM main.keys WHERE epoch IN (\(salted))")
  }
}

extension StoreWriter {
  /// Notes that a segment has nothing of what was erased up to a record.
  public func note(_ segment: KeptSegment, follows erasure: Int64) throws(StoreError) {
    try write { db in
      try db.execute(
        sql: "UPDATE segments SET erasure = ? WHERE period = ?", arguments: [erasure, segment.period])
    }
  }
}
