internal import GRDB
internal import Records

/// The files that a connection sees as one store: the live one, and before it the segments that are attached.
///
/// A row that was carried over is in more than one. The newest file's is the one that counts: what is told of a row later
/// is written where it has been carried to.
///
/// Queries name tables as if there were one file. Where segments are attached, views of the same names go over all of
/// them, and SQLite asks each file by its own indices. It cannot do that on the right of a LEFT JOIN, so what a row
/// refers to is joined file by file.
struct Reach {
  /// The tables whose rows go from the live file into segments, the entries' first.
  static let tables = [
    "entries", "sessions", "conversations", "processes", "files", "accesses", "names", "gaps", "incidents",
    "file_systems", "seals", "sealed_file_systems", "mount_tables", "mounts", "privileges", "changes", "commands",
    "logins",
  ]

  /// The live file alone.
  static let live = Reach(segments: [])

  /// The numbers of the segments, the newest first.
  let segments: [Int64]

  private init(segments: [Int64]) { self.segments = segments }

  /// What the connection sees.
  init(_ db: Database) throws {
    let names = try Row.fetchAll(db.cachedStatement(sql: "PRAGMA database_list")).map { $0["name"] as String }
    segments = names.compactMap(Self.number).sorted(by: >)
  }

  /// The name under which a segment is attached.
  static func schema(_ segment: Int64) -> String { "segment_\(segment)" }

  private static func number(_ schema: String) -> Int64? {
    schema.hasPrefix("segment_") ? Int64(schema.dropFirst("segment_".count)) : nil
  }

  /// All the files, the newest first.
  var schemas: [String] { ["main"] + segments.map(Self.schema) }

  // MARK: - Views

  /// Makes the views, once the segments are attached.
  static func makeViews(_ db: Database) throws {
    let schemas = try Reach(db).schemas
    for table in tables {
      let columns = try Self.columns(table, "main", db)
      let key = table == "entries" ? ["kind", "id"] : ["id"]
      var parts: [String] = []
      for (index, schema) in schemas.enumerated() {
        // A segment is never changed: what a later version of the service added is not in it.
        let known = Set(try Self.columns(table, schema, db))
        if known.isEmpty { continue }
        let list = columns.map { known.contains($0) ? "x.\($0)" : "NULL AS \($0)" }.joined(separator: ", ")
        let isNewest = schemas[..<index].map { newer in
          let same = key.map { "y.\($0) = x.\($0)" }.joined(separator: " AND ")
          return "NOT EXISTS (SELECT 1 FROM \(newer).\(table) y WHERE \(same))"
        }
        let condition = isNewest.isEmpty ? "" : " WHERE " + isNewest.joined(separator: " AND ")
        parts.append("SELECT \(list) FROM \(schema).\(table) x\(condition)")
      }
      try db.execute(sql: "CREATE TEMP VIEW \(table) AS " + parts.joined(separator: " UNION ALL "))
    }
  }

  /// Removes the views.
  static func dropViews(_ db: Database) throws {
    for table in tables { try db.execute(sql: "DROP VIEW IF EXISTS temp.\(table)") }
  }

  /// The columns of a file's table, in order.
  static func columns(_ table: String, _ schema: String, _ db: Database) throws -> [String] {
    try String.fetchAll(
      db, sql: "SELECT name FROM pragma_table_info(?, ?) ORDER BY cid", arguments: [table, schema])
  }

  // MARK: - Statements

  /// What the row of a number in a column is, in whichever file; `column` reads it.
  private func join(_ table: String, _ alias: String, by own: String = "id", on key: String) -> String {
    guard !segments.isEmpty else { return "LEFT JOIN \(table) \(alias) ON \(alias).\(own) = \(key)" }
    return schemas.enumerated().map { index, schema in
      let newer = (0..<index).map { "\(Self.alias(alias, $0)).id IS NULL AND " }.joined()
      let name = Self.alias(alias, index)
      return "LEFT JOIN \(schema).\(table) \(name) ON \(newer)\(name).\(own) = \(key)"
    }.joined(separator: " ")
  }

  private static func alias(_ alias: String, _ index: Int) -> String { index == 0 ? alias : "\(alias)_\(index)" }

  /// The column of a row that was joined: all but one of the files have none.
  func column(_ alias: String, _ name: String) -> String {
    guard !segments.isEmpty else { return "\(alias).\(name)" }
    return "coalesce(" + schemas.indices.map { "\(Self.alias(alias, $0)).\(name)" }.joined(separator: ", ") + ")"
  }

  /// Who an access's hold depends on: the session, the process, and the record of its address space.
  var holders: String {
    [
      join("sessions", "s", on: "a.session"), join("processes", "p", on: "a.process"),
      join("processes", "q", on: column("p", "space")),
    ].joined(separator: " ")
  }

  /// Accesses with all that is told of them; conditions on `a` may follow.
  var accessQuery: String {
    let parts: [(alias: String, columns: [String])] = [
      ("f", ["path", "name", "file_system", "inode", "generation", "subvolume"]),
      ("s", ["agent", "uid", "login_uid", "user_name", "terminal", "working_directory", "project"]),
      ("p", ["executable", "pid", "class"]), ("k", ["arguments", "masked", "directory"]),
    ]
    let list = parts.flatMap { part in part.columns.map { "\(column(part.alias, $0)) AS \($0)" } }
    let file = segments.isEmpty ? "JOIN files f ON f.id = a.file" : join("files", "f", on: "a.file")
    return """
      SELECT a.*, \(column("q", "released")) AS released, \(column("s", "ended")) AS session_ended, \
      \(column("f", "erased")) AS file_erased, \(column("s", "erased")) AS session_erased, \
      \(column("s", "key")) AS session_key, \(column("p", "started")) AS process_started, \(list.joined(separator: ", ")), \
      (SELECT c.conversation FROM \(conversations("since <= a.t1")) c ORDER BY c.since DESC, c.id DESC LIMIT 1) \
      AS conversation, (SELECT c.conversation FROM \(conversations("1")) c ORDER BY c.since, c.id LIMIT 1) AS first \
      FROM accesses a \(file) \(holders) \(join("commands", "k", by: "process", on: "a.process"))
      """
  }

  /// The labels of an access's session. What was carried over is the same in each file, so it does no harm twice.
  private func conversations(_ condition: String) -> String {
    let parts = schemas.map { schema in
      "SELECT id, since, conversation FROM \(schema).conversations WHERE session = a.session AND \(condition)"
    }
    return "(" + parts.joined(separator: " UNION ALL ") + ")"
  }

  // MARK: - What a time touches

  private static let isMapped = "a.operations & \(Operations.mapped.rawValue) <> 0"
  private static let isLeftOpen =
    "a.operations & \(Operations.qualifiers.union(.deputies).union(.open).rawValue) = \(Operations.open.rawValue)"
  private static let isInheritedStill = """
    a.operations & \(Operations.qualifiers.union(.inherited).rawValue) = \(Operations.inherited.rawValue)
    """
  /// Nanoseconds that few accesses last; those that last longer have an index of their own.
  static let usual: Int64 = 60_000_000_000

  private var isNotReleased: String {
    "(\(column("q", "released")) IS NULL OR \(column("q", "released")) >= ?)"
  }

  /// What lets through every access that a time touches, the time for which it was held included. For few accesses: of
  /// all it reads everything since the beginning.
  var touches: String {
    let ended = column("s", "ended")
    return """
      a.t0 <= ? AND (a.t1 >= ? OR (\(Self.isMapped) AND \(isNotReleased)) \
      OR (\(Self.isLeftOpen) AND coalesce(a.closed, \(ended), ?) >= ?) \
      OR (\(Self.isInheritedStill) AND coalesce(\(ended), ?) >= ?))
      """
  }

  /// The numbers of the same accesses, each kind by its index.
  var touched: String { each("a.id") }

  /// The numbers of their files.
  var touchedFiles: String { each("a.file") }

  /// When the first of the same accesses may have been.
  var firstTouched: String {
    // Over several files the least of each kind would be looked for among all of it.
    "SELECT min(first) FROM (\(each(segments.isEmpty ? "min(a.t0) AS first" : "a.t0 AS first")))"
  }

  /// When the first access was, and the last.
  var history: String {
    let first = schemas.map { "SELECT min(t0) AS t FROM \($0).accesses" }.joined(separator: " UNION ALL ")
    let last = schemas.map { "SELECT max(t0) AS t FROM \($0).accesses" }.joined(separator: " UNION ALL ")
    return "SELECT (SELECT min(t) FROM (\(first))) AS t0, (SELECT max(t) FROM (\(last))) AS t1"
  }

  private func each(_ what: String) -> String {
    let spaces = join("processes", "p", on: "a.process") + " " + join("processes", "q", on: column("p", "space"))
    let sessions = join("sessions", "s", on: "a.session")
    let ended = column("s", "ended")
    return """
      SELECT \(what) FROM accesses a WHERE a.t0 >= ? AND a.t0 <= ? AND a.t1 >= ? \
      UNION ALL SELECT \(what) FROM accesses a WHERE a.t1 - a.t0 > \(Self.usual) AND a.t1 >= ? AND a.t0 <= ? \
      UNION ALL SELECT \(what) FROM accesses a \(spaces) WHERE \(Self.isMapped) AND a.t0 <= ? AND \(isNotReleased) \
      UNION ALL SELECT \(what) FROM accesses a \(sessions) WHERE \(Self.isLeftOpen) AND a.t0 <= ? \
      AND coalesce(a.closed, \(ended), ?) >= ? \
      UNION ALL SELECT \(what) FROM accesses a \(sessions) WHERE \(Self.isInheritedStill) AND a.t0 <= ? \
      AND coalesce(\(ended), ?) >= ?
      """
  }
}
