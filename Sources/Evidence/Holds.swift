internal import GRDB
internal import Records

// How long what was opened or mapped was held.
extension StoreReader {
  /// Who an access's hold depends on: the session, the process, and the record of its address space.
  static let holders = """
    LEFT JOIN sessions s ON s.id = a.session LEFT JOIN processes p ON p.id = a.process \
    LEFT JOIN processes q ON q.id = p.space
    """

  /// What lets through every access that a time touches, the time for which it was held included.
  static let touches = """
    a.t0 <= ? AND (a.t1 >= ? OR (a.operations & \(Operations.mapped.rawValue) <> 0 AND \
    (q.released IS NULL OR q.released >= ?)) OR (a.operations & \(Operations.qualifiers.union(.open).rawValue) = \
    \(Operations.open.rawValue) AND coalesce(a.closed, s.ended, ?) >= ?) OR (a.operations & \
    \(Operations.qualifiers.union(.inherited).rawValue) = \(Operations.inherited.rawValue) AND \
    coalesce(s.ended, ?) >= ?))
    """

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
