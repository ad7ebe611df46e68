internal import GRDB
internal import Records

extension StoreReader {
  /// What there is to close: everything since the last epoch that is sealed, nil where that is no time. First `begin` is
  /// given what is known without the accesses, then each access is given to `take`, the like only once. All of it is of
  /// one moment of the store.
  public func epoch(
    begin: (EpochSource) throws -> Void = { _ in }, _ take: (EpochAccess) throws -> Void
  ) throws(StoreError) -> EpochSource? {
    try read { db in
      guard var source = try Self.nextEpoch(db) else { return nil }
      try begin(source)
      try Self.accesses(of: &source, isClosed: false, db, take)
      return source
    }
  }

  /// The same for an epoch that is closed, as far as its seals go.
  public func epoch(
    _ number: UInt64, begin: (EpochSource) throws -> Void = { _ in }, _ take: (EpochAccess) throws -> Void
  ) throws(StoreError) -> EpochSource? {
    let from = try read { db in
      try Int64.fetchOne(db, sql: "SELECT t0 FROM epochs WHERE id = ?", arguments: [Int64(number)])
    }
    return try readWhole(since: from.map { Timestamp(nanoseconds: $0) } ?? .distantFuture) { db in
      guard let row = try Row.fetchOne(db, sql: "SELECT * FROM epochs WHERE id = ?", arguments: [Int64(number)]) else {
        return nil
      }
      let before = try Int64.fetchOne(
        db, sql: "SELECT last_seal FROM epochs WHERE id = ?", arguments: [Int64(number) - 1])
      var source = EpochSource(
        number: number, time: row.span, firstSeal: UInt64(before ?? 0) + 1, lastSeal: row.unsigned("last_seal"))
      try Self.fill(&source, db)
      try begin(source)
      try Self.accesses(of: &source, isClosed: true, db, take)
      return source
    }
  }

  private static func nextEpoch(_ db: Database) throws -> EpochSource? {
    let last = try Row.fetchOne(db, sql: "SELECT id, t1, last_seal FROM epochs ORDER BY id DESC LIMIT 1")
    let firstSeal = (last?["last_seal"] as Int64? ?? 0) + 1
    guard let begin = try Row.fetchOne(db, sql: "SELECT t0 FROM log_seals WHERE id = ?", arguments: [firstSeal]),
      let end = try Row.fetchOne(db, sql: "SELECT id, t1 FROM log_seals ORDER BY id DESC LIMIT 1"),
      let from = begin.time("t0"), let to = end.time("t1"), from < to
    else { return nil }
    var source = EpochSource(
      number: UInt64((last?["id"] as Int64? ?? -1) + 1), time: Interval(from: from, to: to),
      firstSeal: UInt64(firstSeal), lastSeal: end.unsigned("id"))
    try fill(&source, db)
    return source
  }

  private static func fill(_ source: inout EpochSource, _ db: Database) throws {
    let (first, last) = (Int64(source.firstSeal), Int64(source.lastSeal))
    for row in try Row.fetchAll(db, sql: "SELECT * FROM log_seals WHERE id BETWEEN ? AND ?", arguments: [first, last]) {
      source.entries += row.unsigned("entries")
      source.events += row.unsigned("events")
      source.lost += row.unsigned("lost")
      if row.unsigned("lost") > 0 || !(row["canary"] as Bool) {
        source.degraded += UInt64(max(0, (row["t1"] as Int64) - (row["t0"] as Int64)))
      }
    }
    source.configs = try Blob.fetchAll(
      db,
      sql: """
        SELECT text FROM log_records WHERE kind = 'config' AND id < (SELECT record FROM log_seals WHERE id = ?) AND \
        id >= coalesce((SELECT max(id) FROM log_records WHERE kind = 'config' AND id < coalesce((SELECT record FROM \
        log_seals WHERE id = ?), 0)), 0) ORDER BY id
        """, arguments: [last, first - 1]
    ).map(\.bytes)
    source.patterns = try Schema.patterns(db)
    try findGaps(&source, db)
    let sessions = try Row.fetchAll(
      db,
      sql: """
        SELECT s.key, s.started FROM sessions s WHERE s.started < ? AND (s.ended IS NULL OR s.ended >= ?) \
        AND (SELECT e.seal FROM entries e WHERE e.kind = ? AND e.id = s.id) <= ?
        """,
      arguments: [
        source.time.to.nanoseconds, source.time.from.nanoseconds, EntryKind.session.rawValue, last,
      ])
    source.sessions = sessions.map { $0["key"] as String }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    source.begun = UInt64(sessions.filter { ($0["started"] as Int64) >= source.time.from.nanoseconds }.count)
    source.names = try Row.fetchAll(
      db,
      sql: """
        SELECT n.* FROM names n WHERE n.t0 <= ? AND n.t1 >= ? \
        AND (SELECT e.seal FROM entries e WHERE e.kind = ? AND e.id = n.id) <= ? ORDER BY n.id
        """,
      arguments: [
        source.time.to.nanoseconds, source.time.from.nanoseconds, EntryKind.name.rawValue, last,
      ]
    ).map { NameRow(row: $0).change }
  }

  /// Coverage, and hazards that concern every target: no key of any target shows them, so they are gaps.
  private static func findGaps(_ source: inout EpochSource, _ db: Database) throws {
    let candidates = try Int64.fetchAll(
      db,
      sql: """
        SELECT DISTINCT f.file_system FROM file_systems f JOIN runs r ON r.id = f.run WHERE f.mode IS NOT NULL AND \
        f.file_system <> 0 AND r.covered_to >= ? AND f.since <= ?
        """, arguments: [source.time.from.nanoseconds, source.time.to.nanoseconds]
    ).map { UInt64(bitPattern: $0) }
    source.fileSystems = try candidates.filter { system in
      !(try uncovered(source.time, [system], db).missing.contains { $0.source == "coverage" })
    }.sorted()
    source.gaps = try uncovered(source.time, Set(source.fileSystems), db).missing
    let question = ProofQuestion(
      target: .identity(FileIdentity(fileSystem: 0, inode: 0, generation: 0)), time: source.time)
    let everybody = Set(try Int64.fetchAll(db, sql: "SELECT id FROM sessions"))
    let hazards =
      try privileges(question, db) + rottenRules(question, db) + rawDevices(question, everybody, db)
    for hazard in hazards {
      source.hazards.insert(hazard.kind)
      guard let time = (hazard.time ?? source.time).intersection(source.time) else { continue }
      source.addGap(time, hazard.kind, "a hazard that concerns every target")
    }
  }
}

extension EpochSource {
  mutating func addGap(_ time: Interval, _ source: String, _ reason: String) {
    let gap = Gap(time: time, source: source, reason: reason, fileSystem: nil)
    if !gaps.contains(gap) { gaps.append(gap) }
  }
}
