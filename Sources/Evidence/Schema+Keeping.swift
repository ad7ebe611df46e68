internal import GRDB

extension Schema {
  /// What lets values go: retention, epoch by epoch, and erasure.
  ///
  /// `epochs.pruned` and `entries.erased` are the indexes of the PRUNE and ERASURE records that tell of it. A pruned
  /// epoch has neither salt nor secret nor index. Once `log_seals.pruned` is set, that seal's entries and events are gone
  /// but for those in `remains`, each with what shows that the seal had it: the place among `size` leaves, and the
  /// siblings, 32 bytes each. Kind 0 is an event. While they go `log_seals.leaves` has the hashes of all its leaves. A row whose entry was erased stays where others refer to it, without its
  /// value.
  static func registerKeeping(_ migrator: inout DatabaseMigrator) {
    migrator.registerMigration("9 retention and erasure") { db in
      // A number must never be used again for another entry: of what is deleted, SQLite must remember the highest.
      let tables = [
        "runs", "sessions", "conversations", "processes", "files", "accesses", "names", "gaps", "incidents",
        "file_systems", "seals", "sealed_file_systems", "mount_tables", "mounts", "privileges", "changes",
      ]
      for table in tables { try rememberNumbers(of: table, db) }
      try db.execute(
        sql: """
          ALTER TABLE files ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;
          ALTER TABLE sessions ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;
          ALTER TABLE entries ADD COLUMN erased INTEGER;
          ALTER TABLE epochs ADD COLUMN pruned INTEGER;
          ALTER TABLE log_seals ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;
          ALTER TABLE log_seals ADD COLUMN leaves BLOB;
          CREATE INDEX entries_seal ON entries(seal);
          CREATE INDEX entries_erased ON entries(erased) WHERE erased IS NOT NULL;
          CREATE INDEX files_erased ON files(id) WHERE erased;
          CREATE INDEX processes_parent ON processes(parent);
          CREATE INDEX processes_space ON processes(space);
          CREATE INDEX accesses_handed ON accesses(session) WHERE operations & 32768 <> 0;
          CREATE INDEX accesses_process ON accesses(process);
          CREATE TABLE remains (
            kind INTEGER NOT NULL, id INTEGER NOT NULL, seal INTEGER NOT NULL, place INTEGER NOT NULL,
            size INTEGER NOT NULL, siblings BLOB NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
          """)
    }
  }

  /// SQLite cannot add AUTOINCREMENT to a table: it is made anew.
  private static func rememberNumbers(of table: String, _ db: Database) throws {
    let key = "INTEGER PRIMARY KEY"
    guard
      let sql = try String.fetchOne(
        db, sql: "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", arguments: [table]),
      let columns = sql.firstIndex(of: "("), let place = sql.firstRange(of: key)
    else { throw StoreError.damaged("the table \(table) is missing") }
    let indices = try String.fetchAll(
      db, sql: "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL",
      arguments: [table])
    let definition = sql[columns..<place.upperBound] + " AUTOINCREMENT" + sql[place.upperBound...]
    try db.execute(
      sql: """
        CREATE TABLE \(table)_new \(definition);
        INSERT INTO \(table)_new SELECT * FROM \(table);
        DROP TABLE \(table);
        ALTER TABLE \(table)_new RENAME TO \(table);
        """)
    for index in indices { try db.execute(sql: index) }
  }
}
