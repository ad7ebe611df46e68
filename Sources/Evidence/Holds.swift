internal import GRDB
internal import Records

// How long what was opened or mapped was held.
extension StoreReader {
  /// The arguments of `Reach.touched` and `Reach.firstTouched`.
  static func arguments(ofTouchedIn time: Interval) -> StatementArguments {
    let (from, to) = (time.from.nanoseconds, time.to.nanoseconds)
    let (early, isFar) = from.subtractingReportingOverflow(Reach.usual)
    return [isFar ? Int64.min : early, to, from, from, to, to, from, to, from, from, to, from, from]
  }

  /// A part of a statement, with its arguments.
  typealias Part = (sql: String, arguments: StatementArguments)

  /// What lets through the accesses that a time touches where other conditions let through few in all of history, and
  /// the statement for the numbers of the files that were accessed.
  ///
  /// In a time that is much of history most files were accessed, often: each is asked for itself then, up to its first
  /// access.
  static func touching(_ time: Interval, _ db: Database) throws -> (condition: Part, files: Part) {
    let reach = try Reach(db)
    let isMost = try isMuchOfHistory(time, db)
    let condition: Part =
      isMost ? (reach.touches, touching(time)) : ("a.id IN (\(reach.touched))", arguments(ofTouchedIn: time))
    let files: Part =
      isMost
      ? (
        """
        SELECT f.id FROM files f WHERE EXISTS (SELECT 1 FROM accesses a \(reach.holders) WHERE a.file = f.id \
        AND \(reach.touches))
        """, touching(time)
      ) : (reach.touchedFiles, arguments(ofTouchedIn: time))
    guard !reach.segments.isEmpty else { return (condition, files) }
    // Over several files whatever asks for them would find them once for each. They are those of one moment of the live
    // file: what was written to it since may have touched others.
    let version = try Int64.fetchOne(db, sql: "PRAGMA main.data_version") ?? 0
    let known = try Row.fetchOne(db, sql: "SELECT t0, t1, version FROM touched_time")
    if known?.span != time || known?["version"] != version {
      try db.execute(sql: "DELETE FROM touched_time; DELETE FROM touched_files")
      try db.execute(
        sql: "INSERT OR IGNORE INTO touched_files (id) SELECT * FROM (\(files.sql))", arguments: files.arguments)
      try db.execute(
        sql: "INSERT INTO touched_time (t0, t1, version) VALUES (?, ?, ?)",
        arguments: [time.from.nanoseconds, time.to.nanoseconds, version])
    }
    return (condition, ("SELECT id FROM touched_files", []))
  }

  /// Whether a time is so much of history that it is asked for file by file.
  static func isMuchOfHistory(_ time: Interval, _ db: Database) throws -> Bool {
    let row = try Row.fetchOne(db, sql: Reach(db).history)
    guard let from = row?.time("t0"), let to = row?.time("t1") else { return false }
    let history = Interval(from: from, to: to)
    guard let part = time.intersection(history) else { return false }
    return part.seconds * 20 > history.seconds
  }

  static func touching(_ time: Interval) -> StatementArguments {
    let from = time.from.nanoseconds
    return [time.to.nanoseconds, from, from, from, from, from, from]
  }

  /// When boots that are over ended, as far as anybody vouched for them.
  struct Boots {
    private var runs: [(started: Timestamp, boot: String)] = []
    private var ends: [String: Timestamp] = [:]

    init(_ db: Database) throws {
      let rows = try Row.fetchAll(db, sql: "SELECT started, covered_to, boot_id FROM runs ORDER BY id")
      for row in rows {
        let boot = row["boot_id"] as String
        runs.append((row.time("started") ?? .distantPast, boot))
        if let end = row.time("covered_to") { ends[boot] = max(ends[boot] ?? end, end) }
      }
    }

    /// The last moment of a hold: nothing is held beyond its boot.
    func end(of row: AccessRow) -> Timestamp? {
      guard let until = row.heldUntil else { return nil }
      guard until == .distantFuture, let last = runs.last?.boot,
        let boot = runs.last(where: { $0.started <= row.access.time.to })?.boot, boot != last
      else { return until }
      return ends[boot] ?? until
    }
  }
}

extension Row {
  /// Until when the access in this row was held; see `AccessRow`.
  var heldUntil: Timestamp? {
    let operations = Operations(rawValue: self["operations"])
    var ends: [Timestamp] = []
    if operations.contains(.mapped) { ends.append(time("released") ?? .distantFuture) }
    if operations.isLeftOpen { ends.append(time("closed") ?? time("session_ended") ?? .distantFuture) }
    if operations.isInheritedStill { ends.append(time("session_ended") ?? .distantFuture) }
    return ends.max()
  }
}
