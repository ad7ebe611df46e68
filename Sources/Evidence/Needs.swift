internal import GRDB
internal import Records

/// What of a time whose values go still matters to questions about later times, and so stays: of a time that is pruned,
/// and of one whose values a segment has.
struct Needs {
  /// An event's, where a kind of entry is asked for.
  static let event: Int64 = 0

  /// The kinds in the order in which they can go: what refers before what is referred to.
  static let order: [Int64] =
    [event]
    + [
      EntryKind.bearer, .change, .name, .gap, .incident, .unseen, .sensor, .mounts, .mountTable, .fileSystem,
      .privilege, .file, .command, .login, .process, .conversation, .session, .person, .run,
    ].map { Int64($0.rawValue) }

  /// The end of what goes.
  private let cut: Int64
  /// What ended after this may have accesses that are told a little later.
  private var late: Int64 { cut - 60_000_000_000 }
  /// The last seal of it.
  private let lastSeal: Int64
  private let boots: StoreReader.Boots
  /// Mounts before this matter to nothing: nothing that is kept was told so early.
  private let mountsFrom: Int64
  /// Runs that vouch for a time after the cut, or go on.
  private let runs: Set<Int64>
  /// Runs whose mounts something kept may have been told by.
  private let mountRuns: Set<Int64>

  /// Nil where nothing goes.
  init?(_ db: Database) throws {
    let row = try Row.fetchOne(
      db, sql: "SELECT max(t1), max(last_seal) FROM epochs WHERE pruned IS NOT NULL OR segment IS NOT NULL")
    guard let cut = row?[0] as Int64?, let lastSeal = row?[1] as Int64? else { return nil }
    self.cut = cut
    self.lastSeal = lastSeal
    boots = try StoreReader.Boots(db)
    let oldest = try Int64.fetchOne(db, sql: "SELECT min(t0) FROM accesses") ?? cut
    mountsFrom = min(cut, oldest) - 60_000_000_000
    let all = try Row.fetchAll(db, sql: "SELECT id, started, covered_to FROM runs ORDER BY id")
    var runs: Set<Int64> = []
    var mountRuns: Set<Int64> = []
    for (index, run) in all.enumerated() {
      let isLast = index + 1 == all.count
      if isLast || (run["covered_to"] as Int64? ?? run["started"]) >= cut { runs.insert(run["id"]) }
      if isLast || (all[index + 1]["started"] as Int64) >= mountsFrom { mountRuns.insert(run["id"]) }
    }
    self.runs = runs
    self.mountRuns = mountRuns
  }

  /// Deletes what is not needed any more, with its entry; whether it was.
  func drop(_ kind: Int64, _ id: Int64, _ db: Database) throws -> Bool {
    guard kind != Self.event else {
      guard try !isHeld(id, db) else { return false }
      try db.cachedStatement(sql: "DELETE FROM accesses WHERE id = ?").execute(arguments: [id])
      try db.cachedStatement(sql: "DELETE FROM remains WHERE kind = ? AND id = ?").execute(arguments: [kind, id])
      return true
    }
    guard let what = EntryKind(rawValue: UInt8(truncatingIfNeeded: kind)), try !needs(what, id, db) else {
      return false
    }
    // A session is two entries of one row, and who bore an access is a column of it.
    if what == .session {
      try dropConversations(of: id, db)
      try forget(Int64(EntryKind.person.rawValue), id, db)
    }
    if let table = what.table {
      try db.cachedStatement(sql: "DELETE FROM \(table) WHERE id = ?").execute(arguments: [id])
    }
    try forget(kind, id, db)
    return true
  }

  /// Of what was erased the commitment stays: the ERASURE record tells of it.
  private func forget(_ kind: Int64, _ id: Int64, _ db: Database) throws {
    let entry = try db.cachedStatement(
      sql: "DELETE FROM entries WHERE kind = ? AND id = ? AND erased IS NULL RETURNING 1")
    let wasThere = try Row.fetchAll(entry, arguments: [kind, id]).isEmpty == false
    guard wasThere else { return }
    try db.cachedStatement(sql: "DELETE FROM remains WHERE kind = ? AND id = ?").execute(arguments: [kind, id])
  }

  private func dropConversations(of session: Int64, _ db: Database) throws {
    let rows = try Int64.fetchAll(
      db.cachedStatement(sql: "SELECT id FROM conversations WHERE session = ?"), arguments: [session])
    for id in rows {
      try db.cachedStatement(sql: "DELETE FROM conversations WHERE id = ?").execute(arguments: [id])
      try forget(Int64(EntryKind.conversation.rawValue), id, db)
    }
  }

  // MARK: - What is needed

  /// Whether an access reaches beyond the cut, or what it opened or mapped does.
  private func isHeld(_ id: Int64, _ db: Database) throws -> Bool {
    let plain = try Row.fetchOne(
      db.cachedStatement(sql: "SELECT t1, session, operations FROM accesses WHERE id = ?"), arguments: [id])
    guard let plain else { return false }
    if (plain["t1"] as Int64) >= cut { return true }
    let operations = Operations(rawValue: plain["operations"])
    // Most hold nothing and were opened by who used them; to ask all of them would take hours.
    let mayHold = operations.contains(.mapped) || operations.isLeftOpen || operations.isInheritedStill
    guard try mayHold || hasInherited(plain["session"], db) else { return false }
    if try isChangedLate(.accessClosed, id, db) { return true }
    let row = try Row.fetchOne(
      db.cachedStatement(sql: Reach.live.accessQuery + " WHERE a.id = ?"), arguments: [id]
    ).map(AccessRow.init(row:))
    guard let row else { return false }
    if max(row.access.time.to, boots.end(of: row) ?? .distantPast).nanoseconds >= cut { return true }
    guard row.access.operations.contains(.open), let session = row.access.session else { return false }
    // A close that is told later is the session's own only because it had opened the file.
    return try ask(
      db,
      """
      SELECT 1 FROM accesses b JOIN files g ON g.id = b.file WHERE b.session = ? AND \
      b.operations & \(Operations.inherited.rawValue) <> 0 AND b.t1 >= ? AND g.file_system = ? AND g.inode = ? AND \
      g.generation = ? AND g.subvolume = ?
      """, [session, cut] + row.access.identity.arguments)
  }

  private func hasInherited(_ session: Int64?, _ db: Database) throws -> Bool {
    guard let session else { return false }
    return try ask(
      db, "SELECT 1 FROM accesses WHERE session = ? AND operations & \(Operations.inherited.rawValue) <> 0", [session])
  }

  /// Whether something about it was told so late that no seal that goes has it: the row stays as long as that.
  private func isChangedLate(_ change: Schema.Change, _ id: Int64, _ db: Database) throws -> Bool {
    try ask(
      db,
      """
      SELECT 1 FROM changes c WHERE c.what = ? AND c.row = ? AND coalesce((SELECT e.seal FROM entries e \
      WHERE e.kind = \(EntryKind.change.rawValue) AND e.id = c.id), ?) > ?
      """, [change.rawValue, id, Int64.max, lastSeal])
  }

  private func ask(_ db: Database, _ sql: String, _ arguments: StatementArguments) throws -> Bool {
    try Bool.fetchOne(db.cachedStatement(sql: "SELECT EXISTS (\(sql))"), arguments: arguments) == true
  }

  private func needs(_ kind: EntryKind, _ id: Int64, _ db: Database) throws -> Bool {
    switch kind {
    case .bearer: try ask(db, "SELECT 1 FROM accesses WHERE id = ?", [id])
    case .file: try ask(db, "SELECT 1 FROM accesses WHERE file = ?", [id])
    case .gap: try ask(db, "SELECT 1 FROM gaps WHERE id = ? AND t1 >= ?", [id, cut])
    case .incident: try ask(db, "SELECT 1 FROM incidents WHERE id = ? AND time >= ?", [id, cut])
    case .sensor:
      try ask(db, "SELECT 1 FROM seals WHERE id = ? AND (t1 >= ? OR id = (SELECT max(id) FROM seals))", [id, cut])
        || ask(
          db,
          """
          SELECT 1 FROM sealed_file_systems f JOIN entries e ON e.kind = \(EntryKind.unseen.rawValue) AND e.id = f.id \
          WHERE f.seal = ? AND e.seal > ?
          """, [id, lastSeal])
    case .unseen:
      try ask(
        db, "SELECT 1 FROM sealed_file_systems f JOIN seals s ON s.id = f.seal WHERE f.id = ? AND s.t1 >= ?", [id, cut])
    case .run: true
    case .fileSystem: try isOf(runs, "file_systems", id, db)
    case .privilege: try isOf(runs, "privileges", id, db)
    case .mounts: try needs(mounts: id, db)
    case .mountTable: try ask(db, "SELECT 1 FROM mounts WHERE mount_table = ?", [id])
    case .change: try needs(change: id, db)
    case .name: try needs(name: id, db)
    case .process: try needs(process: id, db)
    case .command:
      try Int64.fetchOne(
        db.cachedStatement(sql: "SELECT process FROM commands WHERE id = ?"), arguments: [id]
      ).map { try needs(process: $0, db) } ?? false
    case .conversation: try needs(sessionOf: "conversations", id, db)
    case .login: try needs(sessionOf: "logins", id, db)
    case .session, .person: try needs(session: id, db)
    }
  }

  private func isOf(_ runs: Set<Int64>, _ table: String, _ id: Int64, _ db: Database) throws -> Bool {
    try Int64.fetchOne(db.cachedStatement(sql: "SELECT run FROM \(table) WHERE id = ?"), arguments: [id])
      .map(runs.contains) ?? false
  }

  /// The newest mounts of a namespace before anything that is kept, and all since.
  private func needs(mounts id: Int64, _ db: Database) throws -> Bool {
    guard try isOf(mountRuns, "mounts", id, db) else { return false }
    return try !ask(
      db,
      """
      SELECT 1 FROM mounts m JOIN mounts n ON n.run = m.run AND n.namespace = m.namespace AND n.id > m.id \
      WHERE m.id = ? AND NOT m.is_first AND n.t1 < ?
      """, [id, mountsFrom])
  }

  private func needs(change id: Int64, _ db: Database) throws -> Bool {
    guard
      let row = try Row.fetchOne(
        db.cachedStatement(sql: "SELECT what, row FROM changes WHERE id = ?"), arguments: [id]),
      let change = Schema.Change(rawValue: row["what"])
    else { return false }
    return try ask(db, "SELECT 1 FROM \(change.table) WHERE id = ?", [row["row"] as Int64])
  }

  /// Who bears a name keeps it until it is told to have lost it, or to have got it again.
  ///
  /// A change of a directory's name matters only to times that reach back to it.
  private func needs(name id: Int64, _ db: Database) throws -> Bool {
    let isOld = try ask(db, "SELECT 1 FROM names WHERE id = ? AND t1 < ?", [id, cut])
    guard isOld else { return try ask(db, "SELECT 1 FROM names WHERE id = ?", [id]) }
    let arrived = """
      SELECT 1 FROM names n WHERE n.id = ? AND n.kind <> 1 AND n.to_path IS NOT NULL AND NOT EXISTS (SELECT 1 \
      FROM names l WHERE l.file_system = n.file_system AND l.inode = n.inode AND l.generation = n.generation AND \
      l.subvolume = n.subvolume AND l.is_sure AND l.t0 > n.t1 AND l.t1 < ? AND (l.from_path = n.to_path OR \
      l.to_path = n.to_path))
      """
    let lost = """
      SELECT 1 FROM names n JOIN names e ON e.file_system = n.file_system AND e.inode = n.inode AND \
      e.id <> n.id AND e.to_path = n.from_path AND e.t0 <= n.t1 WHERE n.id = ? AND n.kind <> 1
      """
    // Whoever got a name took it from whoever had it.
    let taken = """
      SELECT 1 FROM names n JOIN names e ON e.to_path = n.to_path AND e.id <> n.id AND e.kind <> 1 AND e.t1 < n.t0 \
      WHERE n.id = ? AND n.kind <> 1
      """
    return try ask(db, arrived, [id, cut]) || ask(db, lost, [id]) || ask(db, taken, [id])
  }

  private func needs(process id: Int64, _ db: Database) throws -> Bool {
    let lives = """
      SELECT 1 FROM processes p JOIN sessions s ON s.id = p.session WHERE p.id = ? AND (s.ended IS NULL OR s.ended >= ?) \
      AND (p.ended IS NULL OR p.ended >= ?)
      """
    return try ask(db, lives, [id, cut, cut]) || isChangedLate(.processEnded, id, db)
      || isChangedLate(.released, id, db) || ask(db, "SELECT 1 FROM accesses WHERE process = ?", [id])
      || ask(db, "SELECT 1 FROM processes WHERE parent = ? AND id <> ?", [id, id])
      || ask(db, "SELECT 1 FROM processes WHERE space = ? AND id <> ?", [id, id])
  }

  private func needs(sessionOf table: String, _ id: Int64, _ db: Database) throws -> Bool {
    try Int64.fetchOne(db.cachedStatement(sql: "SELECT session FROM \(table) WHERE id = ?"), arguments: [id])
      .map { try needs(session: $0, db) } ?? false
  }

  private func needs(session id: Int64, _ db: Database) throws -> Bool {
    try ask(db, "SELECT 1 FROM sessions WHERE id = ? AND (ended IS NULL OR ended >= ?)", [id, late])
      || isChangedLate(.sessionEnded, id, db) || isChangedLate(.sessionDigest, id, db)
      || ask(db, "SELECT 1 FROM accesses WHERE session = ?", [id])
      || ask(db, "SELECT 1 FROM processes WHERE session = ?", [id])
      || ask(db, "SELECT 1 FROM sessions WHERE parent = ?", [id])
      || ask(db, "SELECT 1 FROM privileges WHERE session = ?", [id])
      || ask(
        db,
        """
        SELECT 1 FROM conversations c LEFT JOIN entries e ON e.kind = \(EntryKind.conversation.rawValue) AND \
        e.id = c.id WHERE c.session = ? AND coalesce(e.seal, ? + 1) > ?
        """, [id, lastSeal, lastSeal])
      || ask(
        db,
        """
        SELECT 1 FROM entries WHERE id = ? AND kind IN (\(EntryKind.session.rawValue), \(EntryKind.person.rawValue)) \
        AND seal > ?
        """, [id, lastSeal])
  }
}
