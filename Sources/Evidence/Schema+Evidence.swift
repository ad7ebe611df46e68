internal import GRDB

extension Schema {
  /// What a value that changes after its row was written is kept as, so that it is sealed once and never edited.
  enum Change: Int64, CaseIterable {
    case sessionEnded = 1
    case sessionDigest
    case processEnded
    case released
    case accessClosed

    var table: String {
      switch self {
      case .sessionEnded, .sessionDigest: "sessions"
      case .processEnded, .released: "processes"
      case .accessClosed: "accesses"
      }
    }

    var column: String {
      switch self {
      case .sessionEnded, .processEnded: "ended"
      case .sessionDigest: "executable_digest"
      case .released: "released"
      case .accessClosed: "closed"
      }
    }
  }

  /// The log, what its seals commit, and what epochs were closed with.
  ///
  /// `entries.opening` is NULL once the value was erased. `log_records.id` is the leaf's index, `log_hashes.id` the
  /// dense number of `StoredHash`. `log_seals.last_event` is the highest `accesses.id` that is sealed.
  static func registerEvidence(_ migrator: inout DatabaseMigrator) {
    migrator.registerMigration("7 evidence") { db in
      // What is sealed needs a number of its own, and stays: these three had none, or were replaced.
      try db.execute(
        sql: """
          CREATE TABLE conversations_2 (
            id INTEGER PRIMARY KEY, session INTEGER NOT NULL REFERENCES sessions(id), conversation TEXT NOT NULL,
            since INTEGER NOT NULL, UNIQUE (session, since, conversation));
          INSERT INTO conversations_2 (session, conversation, since) SELECT session, conversation, since
            FROM conversations ORDER BY since;
          DROP TABLE conversations;
          ALTER TABLE conversations_2 RENAME TO conversations;
          CREATE INDEX conversations_id ON conversations(conversation);
          CREATE TABLE privileges_2 (
            id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs(id), session INTEGER NOT NULL,
            since INTEGER NOT NULL, reason TEXT NOT NULL, UNIQUE (run, session));
          INSERT INTO privileges_2 (run, session, since, reason) SELECT run, session, since, reason
            FROM privileges ORDER BY run, since;
          DROP TABLE privileges;
          ALTER TABLE privileges_2 RENAME TO privileges;
          CREATE TABLE sealed_file_systems_2 (
            id INTEGER PRIMARY KEY, seal INTEGER NOT NULL REFERENCES seals(id), file_system INTEGER NOT NULL,
            device INTEGER NOT NULL, is_marked INTEGER NOT NULL, has_canary INTEGER NOT NULL, UNIQUE (seal, device));
          INSERT INTO sealed_file_systems_2 (seal, file_system, device, is_marked, has_canary)
            SELECT seal, file_system, device, is_marked, has_canary FROM sealed_file_systems ORDER BY seal, device;
          DROP TABLE sealed_file_systems;
          ALTER TABLE sealed_file_systems_2 RENAME TO sealed_file_systems;
          CREATE TABLE changes (id INTEGER PRIMARY KEY, what INTEGER NOT NULL, row INTEGER NOT NULL, value NOT NULL);
          CREATE INDEX changes_row ON changes(what, row);
          CREATE TABLE log_hashes (id INTEGER PRIMARY KEY, hash BLOB NOT NULL);
          CREATE TABLE log_records (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, text BLOB NOT NULL);
          CREATE INDEX log_records_kind ON log_records(kind);
          CREATE TABLE log_seals (
            id INTEGER PRIMARY KEY, record INTEGER NOT NULL UNIQUE REFERENCES log_records(id),
            run INTEGER NOT NULL REFERENCES runs(id), t0 INTEGER NOT NULL, t1 INTEGER NOT NULL,
            entries INTEGER NOT NULL, events INTEGER NOT NULL, last_event INTEGER NOT NULL, lost INTEGER NOT NULL,
            canary INTEGER NOT NULL);
          CREATE TABLE entries (
            kind INTEGER NOT NULL, id INTEGER NOT NULL, opening BLOB, commitment BLOB NOT NULL,
            seal INTEGER NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;
          CREATE TABLE epochs (
            id INTEGER PRIMARY KEY, record INTEGER NOT NULL UNIQUE REFERENCES log_records(id), t0 INTEGER NOT NULL,
            t1 INTEGER NOT NULL, last_seal INTEGER NOT NULL REFERENCES log_seals(id), salt BLOB, hiding BLOB,
            keys BLOB, sessions TEXT NOT NULL, gaps TEXT NOT NULL);
          CREATE TABLE public_keys (id INTEGER PRIMARY KEY, role TEXT NOT NULL, verifier TEXT NOT NULL);
          CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note BLOB NOT NULL);
          """)
      for change in Change.allCases {
        try db.execute(
          sql: """
            INSERT INTO changes (what, row, value) SELECT ?, id, \(change.column) FROM \(change.table) \
            WHERE \(change.column) IS NOT NULL ORDER BY id
            """, arguments: [change.rawValue])
      }
    }
  }
}

extension StoreWriter {
  /// Sets a value that was not known when its rows were written, and keeps that as an entry of its own.
  func change(
    _ change: Schema.Change, to value: some DatabaseValueConvertible, where condition: String,
    _ arguments: StatementArguments, _ db: Database
  ) throws {
    try Self.change(change, to: "?", [value] + arguments, where: condition, db)
  }

  private static func change(
    _ change: Schema.Change, to expression: String, _ arguments: StatementArguments, where condition: String,
    _ db: Database
  ) throws {
    let update = try db.cachedStatement(
      sql: """
        UPDATE \(change.table) SET \(change.column) = \(expression) WHERE \(condition) RETURNING id, \(change.column)
        """)
    let rows = try Row.fetchAll(update, arguments: arguments)
    let insert = try db.cachedStatement(sql: "INSERT INTO changes (what, row, value) VALUES (?, ?, ?)")
    for row in rows {
      try insert.execute(arguments: [change.rawValue, row[0] as Int64, row[1] as DatabaseValue])
    }
  }

  /// Ends the sessions of earlier boots that have no end with the coverage of their run.
  static func endSessions(notOf bootID: String, _ db: Database) throws {
    try change(
      .sessionEnded,
      to: """
        coalesce((SELECT max(covered_to) FROM runs WHERE runs.boot_id = sessions.boot_id), started)
        """, [bootID], where: "ended IS NULL AND boot_id <> ?", db)
  }
}
