internal import GRDB
public import Records

extension Schema {
  /// What a run must know of those before it to tell who works for a session; no evidence, and no name of anything.
  ///
  /// `written` has the files whose content or name may be a session's work, `session` NULL where it may be several'.
  /// `deputies` has the processes outside that work for one, as long as they live.
  static func registerDeputies(_ migrator: inout DatabaseMigrator) {
    migrator.registerMigration("11 deputies") { db in
      try db.execute(
        sql: """
          CREATE TABLE written (
            file_system INTEGER NOT NULL, inode INTEGER NOT NULL, generation INTEGER NOT NULL,
            subvolume INTEGER NOT NULL, session INTEGER,
            PRIMARY KEY (file_system, inode, generation, subvolume)) WITHOUT ROWID;
          CREATE TABLE deputies (
            run INTEGER NOT NULL REFERENCES runs(id), pid INTEGER NOT NULL, pid_started INTEGER NOT NULL,
            session INTEGER, channels INTEGER NOT NULL, PRIMARY KEY (pid, pid_started)) WITHOUT ROWID;
          DROP INDEX accesses_left_open;
          CREATE INDEX accesses_left_open ON accesses(t0, session, closed) WHERE operations & 399361 = 1;
          INSERT OR IGNORE INTO written SELECT f.file_system, f.inode, f.generation, f.subvolume,
            CASE WHEN count(*) = count(a.session) AND min(a.session) = max(a.session) THEN min(a.session) END FROM accesses a JOIN files f
            ON f.id = a.file WHERE a.operations & 3276 <> 0 GROUP BY 1, 2, 3, 4;
          """)
    }
  }
}

extension StoreWriter {
  func write(written file: FileIdentity, by session: Int64?, _ db: Database) throws {
    try db.cachedStatement(
      sql: """
        INSERT INTO written (file_system, inode, generation, subvolume, session) VALUES (?, ?, ?, ?, ?) \
        ON CONFLICT DO UPDATE SET session = CASE WHEN session IS excluded.session THEN session END
        """
    ).execute(arguments: file.arguments + [session])
  }

  func forget(written file: FileIdentity, _ db: Database) throws {
    try db.cachedStatement(
      sql: "DELETE FROM written WHERE file_system = ? AND inode = ? AND generation = ? AND subvolume = ?"
    ).execute(arguments: file.arguments)
  }

  func write(_ deputy: Deputy, of key: ProcessKey, _ db: Database) throws {
    try db.execute(
      sql: """
        INSERT OR REPLACE INTO deputies (run, pid, pid_started, session, channels) VALUES (?, ?, ?, ?, ?)
        """,
      arguments: [
        run, key.pid, Int64(bitPattern: key.startedAt), deputy.session, deputy.channels.rawValue,
      ])
  }

  func forget(deputy key: ProcessKey, _ db: Database) throws {
    try db.execute(
      sql: "DELETE FROM deputies WHERE pid = ? AND pid_started = ?",
      arguments: [key.pid, Int64(bitPattern: key.startedAt)])
  }

  /// The files that sessions, and who worked for them, wrote: by which session, or nil for several.
  public func writtenFiles() throws(StoreError) -> [(file: FileIdentity, session: Int64?)] {
    do {
      return try queue.read { db in
        var found: [(file: FileIdentity, session: Int64?)] = []
        let rows = try Row.fetchCursor(db, sql: "SELECT * FROM written")
        while let row = try rows.next() { found.append((row.identity, row["session"])) }
        return found
      }
    } catch {
      throw StoreError(error, directory: queue.path)
    }
  }

  /// Processes outside that worked for a session in an earlier run of this boot, or in this run.
  public func deputies(bootID: String) throws(StoreError) -> [(key: ProcessKey, deputy: Deputy)] {
    do {
      return try queue.read { db in
        try Row.fetchAll(
          db, sql: "SELECT d.* FROM deputies d JOIN runs r ON r.id = d.run WHERE r.boot_id = ?", arguments: [bootID]
        ).map { row in
          (
            ProcessKey(pid: row["pid"], startedAt: row.unsigned("pid_started"), provenance: .observed),
            Deputy(session: row["session"], channels: Operations(rawValue: row["channels"]))
          )
        }
      }
    } catch {
      throw StoreError(error, directory: queue.path)
    }
  }
}
