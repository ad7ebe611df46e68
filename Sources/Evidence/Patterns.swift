internal import GRDB

extension Schema {
  /// The texts of the patterns that CONFIG records name by their hashes. What was registered once stays: the epochs of
  /// then are checked with it.
  static func registerPatterns(_ migrator: inout DatabaseMigrator) {
    migrator.registerMigration("10 patterns") { db in
      try db.execute(sql: "CREATE TABLE patterns (id INTEGER PRIMARY KEY, text BLOB NOT NULL UNIQUE)")
    }
  }

  static func patterns(_ db: Database) throws -> [[UInt8]] {
    try Blob.fetchAll(db, sql: "SELECT text FROM patterns ORDER BY id").map(\.bytes)
  }
}
