internal import GRDB
internal import MerkleLog
internal import Records

extension StoreWriter {
  /// Rows whose number is so much lower than the highest sealed one may still come: records get their numbers before
  /// they are found to be worth keeping.
  private static let late: Int64 = 4096

  /// Makes entries and events of everything that is not sealed, and appends the records that tell of it.
  func seal(with scribe: any SealScribe, _ db: Database) throws {
    let last = try Row.fetchOne(db, sql: "SELECT id, t1, last_event FROM log_seals ORDER BY id DESC LIMIT 1")
    let sequence = (last?["id"] as Int64? ?? 0) + 1
    let lastEvent = last?["last_event"] as Int64? ?? 0
    let fresh = try Fresh(lastEvent: lastEvent, db)
    var leaves: [(id: Int64, kind: UInt8, hash: Hash)] = []
    for kind in EntryKind.allCases { leaves += try seal(kind, lastEvent: lastEvent, as: sequence, db) }
    leaves.sort { ($0.id, $0.kind) < ($1.id, $1.kind) }
    var hashes = leaves.map(\.hash)
    let events = try Row.fetchCursor(
      db, sql: CommittedEvent.query + " WHERE id > ? ORDER BY id", arguments: [lastEvent])
    var newestEvent = lastEvent
    while let row = try events.next() {
      let event = CommittedEvent(row: row)
      newestEvent = Int64(bitPattern: event.sequence)
      hashes.append(.leaf(event.encoded))
    }
    let from = try last?.time("t1") ?? Self.beginning(db)
    let coveredTo = try Int64.fetchOne(db, sql: "SELECT covered_to FROM runs WHERE id = ?", arguments: [run])
    let to = max(from, coveredTo.map { Timestamp(nanoseconds: $0) } ?? from)
    let draft = SealDraft(
      sequence: UInt64(sequence), run: run, from: from, to: to, entries: UInt64(leaves.count),
      events: UInt64(hashes.count - leaves.count), lost: fresh.lost,
      hasCanary: from < to && fresh.hasCanary, root: LogCheck.root(of: hashes), gaps: fresh.gaps,
      incidents: fresh.incidents, fileSystems: try Self.watched(run, db),
      rulesDigest: try Self.rules(run, db), config: try Self.newest("config", db))
    let lines = try scribe.records(draft)
    let first = try Self.append(lines, db)
    // With the record that names them, so that none is ever without its text.
    for pattern in scribe.patterns {
      try db.cachedStatement(sql: "INSERT OR IGNORE INTO patterns (text) VALUES (?)")
        .execute(arguments: [Blob(pattern)])
    }
    try db.execute(
      sql: """
        INSERT INTO log_seals (id, record, run, t0, t1, entries, events, last_event, lost, canary) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        sequence, Int64(first) + Int64(lines.count) - 1, run, from.nanoseconds, to.nanoseconds, leaves.count,
        hashes.count - leaves.count, newestEvent, Int64(draft.lost), draft.hasCanary,
      ])
  }

  private func seal(
    _ kind: EntryKind, lastEvent: Int64, as seal: Int64, _ db: Database
  ) throws -> [(id: Int64, kind: UInt8, hash: Hash)] {
    let newest =
      kind == .bearer
      ? lastEvent
      : try Int64.fetchOne(db, sql: "SELECT max(id) FROM entries WHERE kind = ?", arguments: [kind.rawValue])
    let mayBeLate = [.person, .session, .process].contains(kind)
    let rows = try Row.fetchAll(
      db,
      sql: kind.query + " AND t.id > ?"
        + (mayBeLate ? " AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.kind = ? AND e.id = t.id)" : ""),
      arguments: [(newest ?? 0) - (mayBeLate ? Self.late : 0)] + (mayBeLate ? [kind.rawValue] : []))
    let insert = try db.cachedStatement(
      sql: "INSERT INTO entries (kind, id, opening, commitment, seal) VALUES (?, ?, ?, ?, ?)")
    var random = SystemRandomNumberGenerator()
    return try rows.map { row in
      let id = row[0] as Int64
      var opening: [UInt8] = []
      for _ in 0..<2 { opening.append(bigEndian: random.next()) }
      guard
        let entry = EntryCommitment(
          kind: kind.rawValue, id: UInt64(bitPattern: id), value: EntryKind.value(row), opening: opening)
      else { throw StoreError.damaged("an opening has another length") }
      try insert.execute(arguments: [kind.rawValue, id, Blob(opening), Blob(entry.commitment.bytes), seal])
      return (id, kind.rawValue, .leaf(entry.encoded))
    }
  }

  /// The first seal goes back to the beginning of what the store holds.
  private static func beginning(_ db: Database) throws -> Timestamp {
    let first = try Int64.fetchOne(db, sql: "SELECT min(min(started, coalesce(covered_from, started))) FROM runs")
    return Timestamp(nanoseconds: max(0, first ?? 0))
  }

  private static func watched(_ run: Int64, _ db: Database) throws -> [UInt64] {
    try Int64.fetchAll(
      db,
      sql: """
        SELECT DISTINCT file_system FROM file_systems WHERE id IN (SELECT max(id) FROM file_systems WHERE run = ? \
        GROUP BY device) AND mode IS NOT NULL AND file_system <> 0
        """, arguments: [run]
    ).map { UInt64(bitPattern: $0) }.sorted()
  }

  private static func rules(_ run: Int64, _ db: Database) throws -> [UInt8] {
    try Blob.fetchOne(
      db,
      sql: """
        SELECT coalesce((SELECT rules_digest FROM seals WHERE run = ? ORDER BY id DESC LIMIT 1), \
        (SELECT rules_digest FROM runs WHERE id = ?))
        """, arguments: [run, run])?.bytes ?? []
  }

  static func newest(_ kind: String, _ db: Database) throws -> [UInt8]? {
    try Blob.fetchOne(
      db, sql: "SELECT text FROM log_records WHERE kind = ? ORDER BY id DESC LIMIT 1", arguments: [kind])?.bytes
  }

  /// What came since the last seal that its record tells of.
  private struct Fresh {
    var gaps: [Gap] = []
    var incidents: [String: UInt64] = [:]
    var lost: UInt64 = 0
    var hasCanary = false

    init(lastEvent: Int64, _ db: Database) throws {
      func newest(_ kind: EntryKind) throws -> Int64 {
        try Int64.fetchOne(db, sql: "SELECT max(id) FROM entries WHERE kind = ?", arguments: [kind.rawValue]) ?? 0
      }
      gaps = try Row.fetchAll(
        db, sql: "SELECT * FROM gaps WHERE id > ? ORDER BY id", arguments: [try newest(.gap)]
      ).map { row in
        Gap(
          time: row.span, source: row["source"], reason: row["reason"],
          fileSystem: (row["file_system"] as Int64?).map { UInt64(bitPattern: $0) })
      }
      for row in try Row.fetchAll(
        db, sql: "SELECT kind, count(*) AS n FROM incidents WHERE id > ? GROUP BY kind",
        arguments: [try newest(.incident)])
      {
        incidents[row["kind"]] = UInt64(row["n"] as Int64)
      }
      let looks = try Row.fetchAll(
        db, sql: "SELECT losses, canaries_seen FROM seals WHERE id > ?", arguments: [try newest(.sensor)])
      var told: UInt64 = 0
      for word in looks.flatMap({ ($0["losses"] as String).split(separator: " ") }) {
        told += word.split(separator: "=").last.flatMap { UInt64($0) } ?? 1
      }
      let notLosses = ["canary", "service", "coverage"]
      lost = max(told, UInt64(gaps.filter { !notLosses.contains($0.source) }.count))
      // Coverage goes no further than the last canaries that were seen; so between two looks their absence would show
      // as coverage that stands still. Only before the first look nobody asked for them.
      let looked =
        try Bool.fetchOne(
          db, sql: "SELECT EXISTS (SELECT 1 FROM seals WHERE run = (SELECT max(id) FROM runs))") == true
      hasCanary =
        looked && looks.allSatisfy { ($0["canaries_seen"] as Int) > 0 } && !gaps.contains { $0.source == "canary" }
    }
  }
}
