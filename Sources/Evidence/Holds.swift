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
    let row = try Row.fetchOne(db, sql: reach.history)
    if let from = row?.time("t0"), let to = row?.time("t1"), case let history = Interval(from: from, to: to),
      let part = time.intersection(history), part.seconds * 20 > history.seconds
    {
      return (
        (reach.touches, touching(time)),
        (
          """
          SELECT f.id FROM files f WHERE EXISTS (SELECT 1 FROM accesses a \(reach.holders) WHERE a.file = f.id \
          AND \(reach.touches))
          """,
          touching(time)
        )
      )
    }
    let arguments = arguments(ofTouchedIn: time)
    return (("a.id IN (\(reach.touched))", arguments), (reach.touchedFiles, arguments))
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
