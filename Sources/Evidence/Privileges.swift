internal import GRDB
public import Records

/// A session that had, or may have had, root's rights.
public struct PrivilegedSession: Sendable, Hashable {
  /// The session's number.
  public var session: Int64
  /// From when on.
  public var since: Timestamp
  /// Why that is said.
  public var reason: String
}

extension StoreWriter {
  func write(privileged session: Int64, since: Timestamp, _ reason: String, _ db: Database) throws {
    // It may be told again when the store has refused records.
    try db.execute(
      sql: "INSERT OR IGNORE INTO privileges (run, session, since, reason) VALUES (?, ?, ?, ?)",
      arguments: [run, session, since.nanoseconds, reason])
  }
}

extension StoreReader {
  /// The sessions that had, or may have had, root's rights, in the first run in which they had.
  public func privilegedSessions() throws(StoreError) -> [PrivilegedSession] {
    try readWhole(since: .distantPast) { db in
      try Row.fetchAll(db, sql: "SELECT session, min(since) AS since, reason FROM privileges GROUP BY session").map {
        PrivilegedSession(session: $0["session"], since: $0.time("since") ?? .distantPast, reason: $0["reason"])
      }
    }
  }

  /// From the moment a session has root's rights, what the sensor says may be what root wants it to say: whatever the
  /// target, and whosever the access. Root can also take hold of what the service has open, and let a single file be
  /// ignored without any canary's noticing; so the end of the session mends nothing. The service's next run does: it
  /// opens everything anew.
  static func privileges(_ question: ProofQuestion, _ db: Database) throws -> [Verdict.Hazard] {
    try Row.fetchAll(
      db,
      sql: """
        SELECT p.since, p.reason, (SELECT s.key FROM sessions s WHERE s.id = p.session) AS key, CASE WHEN r.id < (SELECT max(id) FROM runs) THEN r.covered_to END AS until \
        FROM privileges p JOIN runs r ON r.id = p.run \
        WHERE p.since <= ? AND (r.id = (SELECT max(id) FROM runs) OR coalesce(r.covered_to, p.since) >= ?) \
        ORDER BY p.since LIMIT 20
        """, arguments: [question.time.to.nanoseconds, question.time.from.nanoseconds]
    ).map { row in
      let since = row.time("since") ?? .distantPast
      return Verdict.Hazard(
        kind: Verdict.AcceptableHazard.privilege.rawValue,
        detail: "session \(row["key"] as String? ?? "?"), since \(since): \(row["reason"] as String)",
        time: Interval(from: since, to: max(since, row.time("until") ?? .distantFuture)))
    }
  }

  /// Whoever reads a block device or memory, also another process's, may read any file. What a process outside had read
  /// is not known; which files lie on a device, and which are cached or
  /// swapped out, is not known for a time that is over; so it concerns every target.
  static func rawDevices(
    _ question: ProofQuestion, _ inScope: Set<Int64>, _ db: Database
  ) throws -> [Verdict.Hazard] {
    let reach = try Reach(db)
    let isRaw = "a.operations & \(Operations.rawDevice.rawValue) <> 0"
    let rows = try Row.fetchAll(
      db, sql: reach.accessQuery + " WHERE \(reach.touches) AND \(isRaw) ORDER BY a.id",
      arguments: touching(question.time)
    ).map(AccessRow.init(row:))
    return rows.filter { row in row.access.session.map(inScope.contains) != false }.prefix(20).map { row in
      let what = (row.access.path ?? row.access.name).map { "\($0)" } ?? "the memory of a process that is gone"
      let isDeputys = !row.access.operations.isDisjoint(with: .deputies)
      let who = (isDeputys ? "who works for session " : "session ") + (row.session ?? "?")
      return Verdict.Hazard(
        kind: Verdict.AcceptableHazard.rawDevice.rawValue,
        detail: "record \(row.id): \(who) reached into \(what), and so perhaps any file's content",
        time: row.access.time)
    }
  }

  /// A close that was seen alone is no sign of a descriptor from outside where the session had opened the file.
  static func isOwn(_ access: Access, _ db: Database) throws -> Bool {
    guard access.operations.contains(.inherited), !access.operations.isInheritedStill else { return false }
    return try Bool.fetchOne(
      db,
      sql: """
        SELECT EXISTS (SELECT 1 FROM accesses a JOIN files f ON f.id = a.file WHERE a.session = ? AND a.t0 <= ? \
        AND a.operations & ? = ? AND f.file_system = ? AND f.inode = ? AND f.generation = ? AND f.subvolume = ?)
        """,
      arguments: [
        access.session, access.time.to.nanoseconds, Operations.deputies.union(.open).rawValue, Operations.open.rawValue,
      ] + access.identity.arguments)
      == true
  }
}
