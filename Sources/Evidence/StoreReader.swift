internal import Foundation
internal import GRDB
internal import Glibc
public import Records
internal import Synchronization

/// Reads a store, also while the service writes to it, and with no right to write.
public final class StoreReader: Sendable {
  let queue: DatabaseQueue
  /// Where it is.
  public let directory: String
  /// The same store with segments attached, once a question has reached back to one.
  let wide = Mutex<WideStore?>(nil)

  /// Opens the store in `directory`.
  public init(directory: String) throws(StoreError) {
    let path = directory + "/alibi.sqlite"
    self.directory = directory
    guard unsafe Glibc.access(path, F_OK) == 0 else {
      throw errno == EACCES ? .forbidden(directory: directory) : .missing(directory: directory)
    }
    guard unsafe Glibc.access(path, R_OK) == 0 else { throw .forbidden(directory: directory) }
    do {
      queue = try Self.open(directory) { _ in }
      try queue.read { db in
        if try Schema.migrator.hasBeenSuperseded(db) { throw StoreError.newer }
        guard try Schema.migrator.hasCompletedMigrations(db) else {
          throw StoreError.damaged("tables are missing")
        }
      }
    } catch {
      throw StoreError(error, directory: directory)
    }
  }

  /// A connection that cannot write.
  static func open(
    _ directory: String, prepare: @escaping @Sendable (Database) throws -> Void
  ) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.readonly = true
    configuration.busyMode = .timeout(5)
    configuration.prepareDatabase(prepare)
    return try DatabaseQueue(path: uri(directory), configuration: configuration)
  }

  /// The live file, to be read only.
  static func uri(_ directory: String) -> String {
    let path = directory + "/alibi.sqlite"
    // Without a service nobody has left the -shm file that a reader without write rights needs; the store is
    // then at rest and may be read as it lies.
    let isAtRest = unsafe Glibc.access(path + "-wal", F_OK) != 0
    let isWritable = unsafe Glibc.access(directory, W_OK) == 0
    return "file:\(KeptSegment.escaped(path))?\(isAtRest && !isWritable ? "immutable=1" : "mode=ro")"
  }

  /// Reads the live file. It holds all that matters to any time after that of the newest segment.
  func read<R>(_ body: (Database) throws -> R) throws(StoreError) -> R {
    do { return try queue.read { try body($0) } } catch { throw StoreError(error, directory: directory) }
  }
}

/// Which accesses or sessions to list. Everything that is set must hold.
public struct Filter: Sendable {
  /// Host paths, as a glob.
  public var path: PathPattern?
  /// A session's key or a conversation id.
  public var session: String?
  /// An agent's name.
  public var agent: String?
  /// The developer's name or user id.
  public var developer: String?
  /// The project's directory.
  public var project: RawPath?
  /// Done, not merely possible.
  public var kind: Operations.Kind = .any
  /// Overlapping this time.
  public var time: Interval?
  /// At most so many, the newest.
  public var limit: Int?

  /// A filter that lets everything pass.
  public init() {}
}

/// A run of the service.
public struct RunRow: Sendable, Hashable {
  /// Its number.
  public var id: Int64
  /// When it started.
  public var started: Timestamp
  /// What it vouches for; nil before the first commit.
  public var covered: Interval?
  /// When it was stopped; nil where it goes on, or ended without saying so.
  public var ended: Timestamp?
  /// The boot.
  public var bootID: String
  /// The host.
  public var host: String
  /// The kernel's release.
  public var kernel: String
  /// The service's version.
  public var version: String
  /// The service's pid.
  public var pid: Int32
  /// Where its socket is.
  public var runDirectory: String
  /// Why it had no perf task records; nil where it had.
  public var perfMissing: String?
  /// Why audit was no witness; nil where it was.
  public var auditMissing: String?
  /// Why it had no process connector; nil where it had.
  public var connectorMissing: String?
}

extension StoreReader {
  /// The runs of the service, oldest first.
  public func runs() throws(StoreError) -> [RunRow] {
    try read { db in
      try Row.fetchAll(db, sql: "SELECT * FROM runs ORDER BY id").map { row in
        let to = row.time("covered_to")
        return RunRow(
          id: row["id"], started: row.time("started") ?? .distantPast,
          covered: to.map { Interval(from: row.time("covered_from") ?? $0, to: $0) }, ended: row.time("ended"),
          bootID: row["boot_id"], host: row["host"], kernel: row["kernel"], version: row["version"],
          pid: row["pid"], runDirectory: row["run_directory"], perfMissing: row["perf_missing"],
          auditMissing: row["audit_missing"], connectorMissing: row["connector_missing"])
      }
    }
  }

  /// The state of each file system that the last run knew, the latest word on each.
  public func fileSystems(run: Int64) throws(StoreError) -> [WatchedFileSystem] {
    try read { db in
      try Row.fetchAll(
        db,
        sql: """
          SELECT * FROM file_systems WHERE id IN (SELECT max(id) FROM file_systems WHERE run = ? GROUP BY device) \
          ORDER BY mount_point
          """, arguments: [run]
      ).map(WatchedFileSystem.init(row:))
    }
  }

  /// Gaps that overlap a time, oldest first.
  public func gaps(_ time: Interval) throws(StoreError) -> [Gap] {
    try readWhole(since: time.from) { db in try Self.gaps(time, db) }
  }

  static func gaps(_ time: Interval, _ db: Database) throws -> [Gap] {
    try Row.fetchAll(
      db, sql: "SELECT * FROM gaps WHERE t0 <= ? AND t1 >= ? ORDER BY t0, id",
      arguments: [time.to.nanoseconds, time.from.nanoseconds]
    ).map { row in
      Gap(
        time: row.span, source: row["source"], reason: row["reason"],
        fileSystem: (row["file_system"] as Int64?).map { UInt64(bitPattern: $0) })
    }
  }

  /// Incidents within a time, oldest first.
  public func incidents(_ time: Interval) throws(StoreError) -> [Incident] {
    try readWhole(since: time.from) { db in
      try Row.fetchAll(
        db, sql: "SELECT * FROM incidents WHERE time BETWEEN ? AND ? ORDER BY id",
        arguments: [time.from.nanoseconds, time.to.nanoseconds]
      ).map { Incident(time: $0.time("time") ?? .distantPast, kind: $0["kind"], detail: $0["detail"]) }
    }
  }

  /// Sessions, oldest first.
  public func sessions(_ filter: Filter = Filter()) throws(StoreError) -> [Session] {
    try readWhole(since: filter.time?.from ?? .distantPast) { db in try Self.sessions(filter, db) }
  }

  static func sessions(_ filter: Filter, _ db: Database) throws -> [Session] {
    var conditions = "1"
    var arguments: StatementArguments = []
    filter.restrictSessions(&conditions, &arguments)
    if let time = filter.time {
      conditions += " AND s.started <= ? AND (s.ended IS NULL OR s.ended >= ?)"
      arguments += [time.to.nanoseconds, time.from.nanoseconds]
    }
    let sql = """
      SELECT s.*, (SELECT l.audit_session FROM logins l WHERE l.session = s.id AND l.what = '\(Login.beginning)' LIMIT 1) \
      AS audit_session FROM sessions s WHERE \(conditions) ORDER BY s.started DESC, s.id DESC LIMIT ?
      """
    return try Row.fetchAll(db, sql: sql, arguments: arguments + [filter.limit ?? -1]).map(Session.init(row:))
      .reversed()
  }

  /// The conversations of a session with the time from which each label held.
  public func conversations(of session: Int64) throws(StoreError) -> [ConversationLabel] {
    try readWhole(since: beginning(of: session)) { db in
      try Row.fetchAll(
        db, sql: "SELECT * FROM conversations WHERE session = ? ORDER BY since, id", arguments: [session]
      ).map {
        ConversationLabel(
          session: session, conversation: $0["conversation"], from: $0.time("since") ?? .distantPast)
      }
    }
  }

  /// How many accesses a session has.
  public func accessCount(of session: Int64) throws(StoreError) -> Int {
    try readWhole(since: beginning(of: session)) { db in
      try Int.fetchOne(
        db, sql: "SELECT count(*) FROM accesses WHERE session = ? AND operations & ? = 0",
        arguments: [session, Operations.deputies.union(.inherited).rawValue]) ?? 0
    }
  }

  /// Accesses by sessions, oldest first. Not those by deputies: they are for the questions about their targets.
  public func accesses(_ filter: Filter) throws(StoreError) -> [AccessRow] {
    try readWhole(since: filter.time?.from ?? .distantPast) { db in
      var conditions = "1"
      var arguments: StatementArguments = []
      filter.restrictSessions(&conditions, &arguments)
      if conditions != "1" { conditions = "a.session IN (SELECT s.id FROM sessions s WHERE \(conditions))" }
      conditions += " AND a.operations & \(Operations.deputies.rawValue) = 0"
      if let time = filter.time {
        conditions += " AND a.t0 <= ? AND a.t1 >= ?"
        arguments += [time.to.nanoseconds, time.from.nanoseconds]
      }
      let bearers = try filter.session.map { try Self.bearers(of: $0, db) } ?? []
      var found: [AccessRow] = []
      let cursor = try Row.fetchCursor(
        db, sql: Reach(db).accessQuery + " WHERE \(conditions) ORDER BY a.t0 DESC, a.id DESC", arguments: arguments)
      while found.count < filter.limit ?? .max, let row = try cursor.next() {
        let entry = AccessRow(row: row)
        if let pattern = filter.path, !(entry.access.path.map(pattern.matches) ?? false) { continue }
        // Of what was denied there is nothing that was done; it belongs to what was tried.
        let isTried = entry.access.result != 0 && filter.kind == .any
        if !isTried, entry.access.operations.answer(filter.kind) != .did { continue }
        // Of a session that bore several ids in turn only the time of the one asked for; what came before
        // its first label counts for any.
        if let bearer = entry.session, bearers.contains(bearer), entry.isLabelled,
          entry.conversation != filter.session?.lowercased()
        {
          continue
        }
        found.append(entry)
      }
      return found.reversed()
    }
  }

  private static func has(_ table: String, _ id: Int64, _ db: Database) throws -> Bool {
    try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM \(table) WHERE id = ?)", arguments: [id]) == true
  }

  /// When a session began; the distant past where the live file does not know it.
  private func beginning(of session: Int64) throws(StoreError) -> Timestamp {
    let started = try read { db in
      try Int64.fetchOne(db, sql: "SELECT started FROM sessions WHERE id = ?", arguments: [session])
    }
    return started.map { Timestamp(nanoseconds: $0) } ?? .distantPast
  }

  /// The keys of the sessions that ever bore a conversation id.
  static func bearers(of conversation: String, _ db: Database) throws -> Set<String> {
    try String.fetchSet(
      db,
      sql: "SELECT s.key FROM conversations c JOIN sessions s ON s.id = c.session WHERE c.conversation = ?",
      arguments: [conversation.lowercased()])
  }

  /// One access by its number.
  public func access(_ id: Int64) throws(StoreError) -> AccessRow? {
    let isHere = try read { db in try Self.has("accesses", id, db) }
    return try readWhole(since: isHere ? .distantFuture : .distantPast) { db in
      try Row.fetchOne(db, sql: Reach(db).accessQuery + " WHERE a.id = ?", arguments: [id]).map(AccessRow.init(row:))
    }
  }

  /// The processes from the one of `process` up to its session's root.
  public func ancestry(process: Int64) throws(StoreError) -> [ProcessRecord] {
    let isHere = try read { db in try Self.has("processes", process, db) }
    return try readWhole(since: isHere ? .distantFuture : .distantPast) { db in
      var chain: [ProcessRecord] = []
      var next: Int64? = process
      while let id = next, chain.count < 1000,
        let row = try Row.fetchOne(db, sql: "SELECT * FROM processes WHERE id = ?", arguments: [id])
      {
        let record = ProcessRecord(
          id: id, session: row["session"],
          key: ProcessKey(
            pid: row["pid"], startedAt: row.unsigned("pid_started"),
            provenance: ProcessKey.Provenance(rawValue: row["provenance"]) ?? .unknown),
          parent: row["parent"], executable: row.path("executable") ?? RawPath([]),
          processClass: ProcessClass(rawValue: row["class"]) ?? .unknown,
          started: row.time("started") ?? .distantPast)
        chain.append(record)
        next = record.parent
      }
      return chain
    }
  }
}

extension Filter {
  /// Adds what concerns the session `s` to a WHERE clause.
  func restrictSessions(_ conditions: inout String, _ arguments: inout StatementArguments) {
    if let session {
      // What a session within another does counts for the other too.
      conditions += """
         AND s.id IN (WITH RECURSIVE tree(id) AS (SELECT id FROM sessions WHERE key = ? UNION SELECT session FROM \
        conversations WHERE conversation = ? UNION SELECT inside.id FROM sessions inside JOIN tree ON \
        inside.parent = tree.id AND inside.relation IN ('nested', 'adopted')) SELECT id FROM tree)
        """
      arguments += [session, session.lowercased()]
    }
    if let agent {
      conditions += " AND s.agent = ?"
      arguments += [agent]
    }
    if let developer {
      conditions += " AND (s.user_name = ? OR coalesce(s.login_uid, s.uid) = ?)"
      arguments += [developer, Int64(developer) ?? -1]
    }
    if let project {
      conditions += " AND s.project = ?"
      arguments += [Blob(project.bytes)]
    }
  }
}

extension WatchedFileSystem {
  init(row: Row) {
    self.init(
      fileSystem: row.unsigned("file_system"), device: row.unsigned("device"), type: row["type"],
      mountPoint: row.path("mount_point") ?? RawPath([]), mode: row["mode"], reason: row["reason"],
      since: row.time("since") ?? .distantPast)
  }
}
