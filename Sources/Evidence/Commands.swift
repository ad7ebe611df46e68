internal import GRDB
internal import Records

extension Schema {
  /// What audit tells of commands. `arguments` has each with a NUL behind it; no argument has one within.
  static func registerCommands(_ migrator: inout DatabaseMigrator) {
    migrator.registerMigration("12 commands") { db in
      try db.execute(
        sql: """
          CREATE TABLE commands (
            id INTEGER PRIMARY KEY AUTOINCREMENT, process INTEGER NOT NULL, arguments BLOB NOT NULL,
            masked INTEGER NOT NULL, directory BLOB);
          CREATE INDEX commands_process ON commands(process);
          ALTER TABLE runs ADD COLUMN audit_missing TEXT;
          """)
    }
  }
}

extension StoreWriter {
  func write(_ command: Command, _ db: Database) throws {
    try db.cachedStatement(
      sql: "INSERT INTO commands (process, arguments, masked, directory) VALUES (?, ?, ?, ?)"
    ).execute(arguments: [
      command.process, Blob(command.arguments.flatMap { $0 + [0] }), command.masked,
      command.directory.map { Blob($0.bytes) },
    ])
  }
}
