internal import GRDB
internal import Records

extension Schema {
  /// How far two witnesses agree: counts alone, no evidence, and no name of anything.
  static func registerAgreement(_ migrator: inout DatabaseMigrator) {
    migrator.registerMigration("agreement") { db in
      try db.execute(
        sql: """
          CREATE TABLE agreement (
            day INTEGER NOT NULL, matter INTEGER NOT NULL, told_by_both INTEGER NOT NULL, audit_only INTEGER NOT NULL,
            others_only INTEGER NOT NULL, PRIMARY KEY (day, matter)) WITHOUT ROWID;
          """)
    }
  }
}

extension StoreWriter {
  func write(_ more: Agreement, _ db: Database) throws {
    try db.cachedStatement(
      sql: """
        INSERT INTO agreement (day, matter, told_by_both, audit_only, others_only) VALUES (?, ?, ?, ?, ?) \
        ON CONFLICT DO UPDATE SET told_by_both = told_by_both + excluded.told_by_both, \
        audit_only = audit_only + excluded.audit_only, others_only = others_only + excluded.others_only
        """
    ).execute(arguments: [more.day, more.matter.rawValue, more.both, more.auditOnly, more.othersOnly])
  }
}

extension StoreReader {
  /// How far the witnesses agreed on the days of a time, oldest first.
  static func agreement(_ time: Interval, _ db: Database) throws -> [Agreement] {
    try Row.fetchAll(
      db, sql: "SELECT * FROM agreement WHERE day BETWEEN ? AND ? ORDER BY day, matter",
      arguments: [Agreement.day(of: time.from), Agreement.day(of: time.to)]
    ).compactMap { row in
      Agreement.Matter(rawValue: row["matter"]).map { matter in
        Agreement(
          day: row["day"], matter: matter, both: row["told_by_both"], auditOnly: row["audit_only"],
          othersOnly: row["others_only"])
      }
    }
  }
}
