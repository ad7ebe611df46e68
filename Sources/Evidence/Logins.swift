internal import GRDB
public import Records

extension Schema {
  /// As whom sessions act. No reference to the session: a store that refused records may not know it.
  static func registerLogins(_ migrator: inout DatabaseMigrator) {
    migrator.registerMigration("13 logins") { db in
      try db.execute(
        sql: """
          CREATE TABLE logins (
            id INTEGER PRIMARY KEY AUTOINCREMENT, session INTEGER NOT NULL, process INTEGER, time INTEGER NOT NULL,
            what TEXT NOT NULL, operation TEXT, account BLOB, terminal BLOB, host BLOB, program BLOB, command BLOB,
            masked INTEGER NOT NULL, directory BLOB, login_uid INTEGER, audit_session INTEGER, is_success INTEGER);
          CREATE INDEX logins_session ON logins(session);
          """)
    }
  }
}

extension StoreWriter {
  func write(_ login: Login, _ db: Database) throws {
    try db.cachedStatement(
      sql: """
        INSERT INTO logins (session, process, time, what, operation, account, terminal, host, program, command, masked, \
        directory, login_uid, audit_session, is_success) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: [
      login.session, login.process, login.time.nanoseconds, login.what, login.operation,
      login.account.map { Blob($0) }, login.terminal.map { Blob($0) }, login.host.map { Blob($0) },
      login.program.map { Blob($0.bytes) }, login.command.map { Blob($0) }, login.isMasked,
      login.directory.map { Blob($0.bytes) }, login.loginUid, login.auditSession, login.isSuccess,
    ])
  }
}

/// What was told of accounts in a session, as answers tell it.
public struct LoginRow: Sendable, Hashable {
  /// What is recorded.
  public var login: Login
  /// The session's key.
  public var session: String
  /// The agent.
  public var agent: String
  /// The developer.
  public var developer: String?
  /// The process; nil where it has no record.
  public var pid: Int32?
}

extension StoreReader {
  /// What was told of accounts in sessions, oldest first. Paths and operations of the filter are about accesses.
  public func logins(_ filter: Filter) throws(StoreError) -> [LoginRow] {
    try readWhole(since: filter.time?.from ?? .distantPast) { db in
      var conditions = "1"
      var arguments: StatementArguments = []
      filter.restrictSessions(&conditions, &arguments)
      if let time = filter.time {
        conditions += " AND l.time BETWEEN ? AND ?"
        arguments += [time.from.nanoseconds, time.to.nanoseconds]
      }
      let sql = """
        SELECT l.*, s.key, s.agent, s.uid, s.login_uid AS of_session, s.user_name, (SELECT p.pid FROM processes p \
        WHERE p.id = l.process) AS pid FROM logins l JOIN sessions s ON s.id = l.session WHERE \(conditions) \
        ORDER BY l.time DESC, l.id DESC LIMIT ?
        """
      return try Row.fetchAll(db, sql: sql, arguments: arguments + [filter.limit ?? -1]).map(LoginRow.init(row:))
        .reversed()
    }
  }
}

extension LoginRow {
  init(row: Row) {
    var login = Login(session: row["session"], time: row.time("time") ?? .distantPast, what: row["what"])
    login.process = row["process"]
    login.operation = row["operation"]
    login.account = (row["account"] as Blob?)?.bytes
    login.terminal = (row["terminal"] as Blob?)?.bytes
    login.host = (row["host"] as Blob?)?.bytes
    login.program = row.path("program")
    login.command = (row["command"] as Blob?)?.bytes
    login.isMasked = row["masked"]
    login.directory = row.path("directory")
    login.loginUid = row["login_uid"]
    login.auditSession = row["audit_session"]
    login.isSuccess = row["is_success"]
    self.init(login: login, session: row["key"], agent: row["agent"], developer: nil, pid: row["pid"])
    developer = (row["uid"] as UInt32?).map {
      SessionFacts(
        uid: $0, loginUid: row["of_session"], userName: row["user_name"], terminal: nil, workingDirectory: nil,
        project: nil
      ).developer
    }
  }
}
