internal import GRDB
public import Records
internal import Synchronization

/// The one writer of a store.
public final class StoreWriter: Sendable {
  let queue: DatabaseQueue
  /// The number of the run.
  public let run: Int64
  /// The directory of the store.
  public var directory: String { String(queue.path.dropLast("/alibi.sqlite".count)) }
  /// Numbers of files that this writer has committed.
  let files = Mutex<[FileKey: Int64]>([:])

  /// What the writer needs to know of the run that begins.
  public struct Run: Sendable {
    /// /proc/sys/kernel/random/boot_id
    public var bootID: String
    /// The host's name.
    public var host: String
    /// The kernel's release.
    public var kernel: String
    /// The service's version.
    public var version: String
    /// SHA-256 of the rules.
    public var rulesDigest: [UInt8]
    /// The service's pid.
    public var pid: Int32
    /// Where its socket is.
    public var runDirectory: String
    /// When it started.
    public var started: Timestamp
    /// Why there are no perf task records; nil where there are.
    public var perfMissing: String?
    /// Why there is no process connector; nil where there is.
    public var connectorMissing: String?
    /// Why audit is no witness; nil where it is.
    public var auditMissing: String?

    /// A run of these facts.
    public init(
      bootID: String, host: String, kernel: String, version: String, rulesDigest: [UInt8], pid: Int32,
      runDirectory: String, started: Timestamp, perfMissing: String?, connectorMissing: String?,
      auditMissing: String? = nil
    ) {
      self.bootID = bootID
      self.host = host
      self.kernel = kernel
      self.version = version
      self.rulesDigest = rulesDigest
      self.pid = pid
      self.runDirectory = runDirectory
      self.started = started
      self.perfMissing = perfMissing
      self.connectorMissing = connectorMissing
      self.auditMissing = auditMissing
    }
  }

  /// Opens the store in `directory`, makes it where there is none, and begins a run.
  ///
  /// Sessions of an earlier boot that have no end are ended with the coverage of their run.
  public init(directory: String, run: Run) throws(StoreError) {
    do {
      queue = try Self.open(directory)
      self.run = try queue.write { db in
        try Self.endSessions(notOf: run.bootID, db)
        try db.execute(
          sql: """
            INSERT INTO runs (boot_id, host, kernel, version, rules_digest, pid, run_directory, started, \
            perf_missing, connector_missing, audit_missing) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
          arguments: [
            run.bootID, run.host, run.kernel, run.version, Blob(run.rulesDigest), run.pid, run.runDirectory,
            run.started.nanoseconds, run.perfMissing, run.connectorMissing,
            run.auditMissing,
          ])
        return db.lastInsertedRowID
      }
    } catch {
      throw StoreError(error, directory: directory)
    }
  }

  /// Opens the store to continue a run whose recorder has died.
  public init(directory: String, continuing run: Int64) throws(StoreError) {
    do {
      queue = try Self.open(directory)
      // A recorder that was told to end, and not its guardian, has ended the run.
      try queue.write { db in
        try db.execute(literal: "UPDATE runs SET ended = NULL WHERE id = \(run) AND ended IS NOT NULL")
      }
    } catch {
      throw StoreError(error, directory: directory)
    }
    self.run = run
  }

  /// A writer of a store that is open.
  init(_ queue: DatabaseQueue, run: Int64) {
    self.queue = queue
    self.run = run
  }

  static func open(_ directory: String) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.label = "alibi.store"
    configuration.journalMode = .wal
    // Somebody who holds the store must not hold up attribution: the next attempt comes soon.
    configuration.busyMode = .timeout(1)
    configuration.prepareDatabase { db in
      try db.execute(sql: "PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY")
    }
    let queue = try DatabaseQueue(path: directory + "/alibi.sqlite", configuration: configuration)
    try Schema.migrator.migrate(queue)
    // GRDB sets NORMAL after it has opened a WAL database: a commit must survive a power cut.
    try queue.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA synchronous = FULL") }
    return queue
  }

  /// What the store holds of the run that a recorder continues.
  public struct Progress: Sendable {
    /// How far into the journal its records reach; nil when none was committed.
    public var journalOffset: UInt64?
    /// The time that it vouches for.
    public var coveredTo: Timestamp?
    /// Sessions that have not ended and whose executable has no digest yet.
    public var undigested: Set<Int64>
    /// The boot of the run.
    public var bootID: String
    /// When the run started.
    public var started: Timestamp
  }

  /// How far the run has come.
  public func progress() throws(StoreError) -> Progress {
    do {
      return try queue.read { db in
        guard let row = try Row.fetchOne(db, sql: "SELECT * FROM runs WHERE id = ?", arguments: [run]) else {
          throw StoreError.damaged("run \(run) is not there")
        }
        let undigested = try Int64.fetchSet(
          db, sql: "SELECT id FROM sessions WHERE ended IS NULL AND executable_digest IS NULL")
        return Progress(
          journalOffset: (row["journal_offset"] as Int64?).map { UInt64(bitPattern: $0) },
          coveredTo: row.time("covered_to"), undigested: undigested, bootID: row["boot_id"],
          started: row.time("started") ?? .distantPast)
      }
    } catch {
      throw StoreError(error, directory: queue.path)
    }
  }

  /// Writes findings, the coverage that vouches for them and how far in the journal they reach in one transaction:
  /// losing one loses the others.
  ///
  /// - Parameter scribe: where the transaction is to be sealed: makes the texts of the log's records.
  public func commit(
    _ findings: [Finding], covered: Interval?, journalOffset: UInt64 = 0, sealing scribe: (any SealScribe)? = nil
  ) throws(StoreError) {
    do {
      try queue.write { db in
        for finding in findings { try write(finding, db) }
        try db.execute(
          sql: "UPDATE runs SET journal_offset = ? WHERE id = ?",
          arguments: [Int64(bitPattern: journalOffset), run])
        if let covered {
          try db.execute(
            sql: "UPDATE runs SET covered_from = coalesce(covered_from, ?), covered_to = ? WHERE id = ?",
            arguments: [covered.from.nanoseconds, covered.to.nanoseconds, run])
        }
        if let scribe { try seal(with: scribe, db) }
      }
    } catch {
      // What was rolled back has no numbers.
      files.withLock { $0.removeAll() }
      throw StoreError(error, directory: queue.path)
    }
  }

  /// Ends the run and closes the store.
  public func close(at time: Timestamp) throws(StoreError) {
    do {
      try queue.write { db in
        try db.execute(sql: "UPDATE runs SET ended = ? WHERE id = ?", arguments: [time.nanoseconds, run])
      }
      try queue.close()
    } catch {
      throw StoreError(error, directory: queue.path)
    }
  }

  /// What `PRAGMA synchronous` reads back: 2 is FULL.
  public func synchronousMode() throws(StoreError) -> Int {
    do {
      return try queue.writeWithoutTransaction { try Int.fetchOne($0, sql: "PRAGMA synchronous") ?? -1 }
    } catch {
      throw StoreError(error, directory: queue.path)
    }
  }

  private func write(_ finding: Finding, _ db: Database) throws {
    switch finding {
    case .session(let session): try write(session, db)
    case .sessionEnded(let id, let time):
      try change(.sessionEnded, to: time.nanoseconds, where: "id = ?", [id], db)
      try change(.processEnded, to: time.nanoseconds, where: "session = ? AND ended IS NULL", [id], db)
    case .digest(let session, let digest):
      try change(.sessionDigest, to: Blob(digest), where: "id = ? AND NOT erased", [session], db)
    case .conversation(let label):
      try db.execute(
        sql: """
          INSERT OR IGNORE INTO conversations (session, conversation, since) SELECT id, ?, ? FROM sessions WHERE id = ? \
          AND NOT erased
          """, arguments: [label.conversation, label.from.nanoseconds, label.session])
    case .process(let process):
      try db.cachedStatement(
        sql: """
          INSERT OR IGNORE INTO processes (id, session, pid, pid_started, provenance, parent, executable, class, started, \
          space) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """
      ).execute(arguments: [
        process.id, process.session, process.key.pid, Int64(bitPattern: process.key.startedAt),
        process.key.provenance.rawValue, process.parent, Blob(process.executable.bytes),
        process.processClass.rawValue, process.started.nanoseconds, process.space,
      ])
    case .command(let command): try write(command, db)
    case .login(let login): try write(login, db)
    case .processEnded(let id, let time): try change(.processEnded, to: time.nanoseconds, where: "id = ?", [id], db)
    case .released(let space, let time): try change(.released, to: time.nanoseconds, where: "id = ?", [space], db)
    case .closed(let session, let identity, let time): try close(identity, in: session, at: time, db)
    case .access(let access): try write(access, db)
    case .name(let change): try write(change, db)
    case .gap(let gap):
      try db.execute(
        sql: "INSERT INTO gaps (t0, t1, source, reason, file_system) VALUES (?, ?, ?, ?, ?)",
        arguments: [
          gap.time.from.nanoseconds, gap.time.to.nanoseconds, gap.source, gap.reason,
          gap.fileSystem.map { Int64(bitPattern: $0) },
        ])
    case .privileged(let session, let since, let reason):
      try write(privileged: session, since: since, reason, db)
    case .written(let file, let session): try write(written: file, by: session, db)
    case .unwritten(let file): try forget(written: file, db)
    case .deputy(let key, let deputy): try write(deputy, of: key, db)
    case .deputyEnded(let key): try forget(deputy: key, db)
    case .incident(let incident):
      try db.execute(
        sql: "INSERT INTO incidents (time, kind, detail) VALUES (?, ?, ?)",
        arguments: [incident.time.nanoseconds, incident.kind, incident.detail])
    case .seal(let seal): try write(seal, db)
    case .agreement(let more): try write(more, db)
    case .mounts(let seen): try write(seen, db)
    case .fileSystem(let watched):
      try db.execute(
        sql: """
          INSERT INTO file_systems (run, file_system, device, type, mount_point, mode, reason, since) \
          VALUES (?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          run, Int64(bitPattern: watched.fileSystem), Int64(bitPattern: watched.device), watched.type,
          Blob(watched.mountPoint.bytes), watched.mode, watched.reason, watched.since.nanoseconds,
        ])
    }
  }

  private func write(_ session: Session, _ db: Database) throws {
    let facts = session.facts
    try db.execute(
      sql: """
        INSERT OR IGNORE INTO sessions (id, key, agent, started, root_pid, root_started, root_provenance, boot_id, host, \
        executable, executable_identity, version, joined_late, parent, relation, uid, login_uid, user_name, \
        terminal, working_directory, project) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT id FROM sessions WHERE id = ?), ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        session.id, session.key, session.agent, session.started.nanoseconds, session.root.pid,
        Int64(bitPattern: session.root.startedAt), session.root.provenance.rawValue, session.bootID,
        session.host, Blob(session.executable.bytes), session.executableIdentity?.description, session.version,
        session.joinedLate, session.parent, session.relation?.rawValue, facts?.uid, facts?.loginUid,
        facts?.userName, facts?.terminal, facts?.workingDirectory.map { Blob($0.bytes) },
        facts?.project.map { Blob($0.bytes) },
      ])
  }

  private func write(_ access: Access, _ db: Database) throws {
    var session = access.session
    // Of a deputy's session retention may have left nothing: then the access is anybody's.
    if let id = session, !access.operations.isDisjoint(with: .deputies) {
      let known = try db.cachedStatement(sql: "SELECT id FROM sessions WHERE id = ?")
      session = try Int64.fetchOne(known, arguments: [id])
    }
    try db.cachedStatement(
      sql: """
        INSERT INTO accesses (session, process, file, t0, t1, operations, result, count, attribution) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: [
      session, access.process, try file(access, db), access.time.from.nanoseconds, access.time.to.nanoseconds,
      access.operations.rawValue, access.result, access.count, access.attribution.rawValue,
    ])
  }

  private func write(_ change: NameChange, _ db: Database) throws {
    try db.cachedStatement(
      sql: """
        INSERT INTO names (file_system, inode, generation, subvolume, from_path, to_path, kind, is_sure, t0, t1) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """
    ).execute(
      arguments: change.identity.arguments + [
        change.from.map { Blob($0.bytes) }, change.to.map { Blob($0.bytes) }, change.kind.rawValue, change.isSure,
        change.time.from.nanoseconds, change.time.to.nanoseconds,
      ])
  }

  /// Ends what the session's accesses of a file had been holding open.
  private func close(_ identity: FileIdentity, in session: Int64, at time: Timestamp, _ db: Database) throws {
    let condition = """
      session = ? AND closed IS NULL AND operations & ? = ? AND file IN \
      (SELECT id FROM files WHERE file_system = ? AND inode = ? AND generation = ? AND subvolume = ?)
      """
    try change(
      .accessClosed, to: time.nanoseconds, where: condition,
      [session, Operations.qualifiers.union(.deputies).union(.open).rawValue, Operations.open.rawValue]
        + identity.arguments, db)
  }

  /// The number of a file under a name, new or not.
  private func file(_ access: Access, _ db: Database) throws -> Int64 {
    let key = FileKey(path: access.path, name: access.path == nil ? access.name : nil, identity: access.identity)
    if let known = files.withLock({ $0[key] }) { return known }
    let arguments: StatementArguments =
      [Blob(key.path?.bytes ?? []), Blob(key.name?.bytes ?? [])] + access.identity.arguments
    try db.cachedStatement(
      sql: """
        INSERT OR IGNORE INTO files (path, name, file_system, inode, generation, subvolume) \
        VALUES (?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: arguments)
    let statement = try db.cachedStatement(
      sql: """
        SELECT id FROM files WHERE path = ? AND name = ? AND file_system = ? AND inode = ? AND generation = ? \
        AND subvolume = ?
        """)
    guard let id = try Int64.fetchOne(statement, arguments: arguments) else {
      throw StoreError.damaged("a file that was just written is not there")
    }
    files.withLock { files in
      if files.count >= 50_000 { files.removeAll() }
      files[key] = id
    }
    return id
  }

  struct FileKey: Hashable {
    var path: RawPath?
    var name: RawPath?
    var identity: FileIdentity
  }
}

extension FileIdentity {
  var arguments: StatementArguments {
    [Int64(bitPattern: fileSystem), Int64(bitPattern: inode), Int64(generation), Int64(bitPattern: subvolume)]
  }
}
