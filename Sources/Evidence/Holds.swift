internal import GRDB
internal import Records

// How long what was opened or mapped was held.
extension StoreReader {
  /// Who an access's hold depends on: the session, the process, and the record of its address space.
  static let holders = """
    LEFT JOIN sessions s ON s.id = a.session LEFT JOIN processes p ON p.id = a.process \
    LEFT JOIN processes q ON q.id = p.space
    """

  private static let isMapped = "a.operations & \(Operations.mapped.rawValue) <> 0"
  private static let isLeftOpen =
    "a.operations & \(Operations.qualifiers.union(.deputies).union(.open).rawValue) = \(Operations.open.rawValue)"
  private static let isInheritedStill = """
    a.operations & \(Operations.qualifiers.union(.inherited).rawValue) = \(Operations.inherited.rawValue)
    """
  private static let isNotReleased = "(q.released IS NULL OR q.released >= ?)"

  /// What lets through every access that a time touches, the time for which it was held included. For few accesses: of
  /// all it reads everything since the beginning.
  static let touches = """
    a.t0 <= ? AND (a.t1 >= ? OR (\(isMapped) AND \(isNotReleased)) \
    OR (\(isLeftOpen) AND coalesce(a.closed, s.ended, ?) >= ?) OR (\(isInheritedStill) AND coalesce(s.ended, ?) >= ?))
    """

  /// Nanoseconds that few accesses last; those that last longer have an index of their own.
  private static let usual: Int64 = 60_000_000_000

  /// The numbers of the same accesses, each kind by its index.
  static let touched = each("a.id")

  /// When the first of the same accesses may have been.
  static let firstTouched = "SELECT min(first) FROM (\(each("min(a.t0) AS first")))"

  private static func each(_ what: String) -> String {
    """
    SELECT \(what) FROM accesses a WHERE a.t0 >= ? AND a.t0 <= ? AND a.t1 >= ? \
    UNION ALL SELECT \(what) FROM accesses a WHERE a.t1 - a.t0 > \(usual) AND a.t1 >= ? AND a.t0 <= ? \
    UNION ALL SELECT \(what) FROM accesses a LEFT JOIN processes p ON p.id = a.process \
    LEFT JOIN processes q ON q.id = p.space WHERE \(isMapped) AND a.t0 <= ? AND \(isNotReleased) \
    UNION ALL SELECT \(what) FROM accesses a LEFT JOIN sessions s ON s.id = a.session \
    WHERE \(isLeftOpen) AND a.t0 <= ? AND coalesce(a.closed, s.ended, ?) >= ? \
    UNION ALL SELECT \(what) FROM accesses a LEFT JOIN sessions s ON s.id = a.session \
    WHERE \(isInheritedStill) AND a.t0 <= ? AND coalesce(s.ended, ?) >= ?
    """
  }

  /// The arguments of `touched` and `firstTouched`.
  static func arguments(ofTouchedIn time: Interval) -> StatementArguments {
    let (from, to) = (time.from.nanoseconds, time.to.nanoseconds)
    let (early, isFar) = from.subtractingReportingOverflow(usual)
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
    let row = try Row.fetchOne(
      db, sql: "SELECT (SELECT min(t0) FROM accesses) AS t0, (SELECT max(t0) FROM accesses) AS t1")
    if let from = row?.time("t0"), let to = row?.time("t1"), case let history = Interval(from: from, to: to),
      let part = time.intersection(history), part.seconds * 20 > history.seconds
    {
      return (
        (touches, touching(time)),
        (
          "SELECT f.id FROM files f WHERE EXISTS (SELECT 1 FROM accesses a \(holders) WHERE a.file = f.id AND \(touches))",
          touching(time)
        )
      )
    }
    let arguments = arguments(ofTouchedIn: time)
    return (
      ("a.id IN (\(touched))", arguments), ("SELECT a.file FROM accesses a WHERE a.id IN (\(touched))", arguments)
    )
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
