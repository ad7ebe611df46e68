internal import GRDB
internal import MerkleLog
public import Records

// Retention: what ended before the limit goes, epoch by epoch, and what of it still matters stays.
extension StoreWriter {
  /// The epochs whose time is over: the oldest that are not pruned, as far as they ended before `limit`.
  public func expired(before limit: Timestamp) throws(StoreError) -> ClosedRange<UInt64>? {
    try read { db in
      let row = try Row.fetchOne(
        db, sql: "SELECT min(id), max(id) FROM epochs WHERE pruned IS NULL AND t1 < ?", arguments: [limit.nanoseconds])
      guard let first = row?[0] as Int64?, let last = row?[1] as Int64? else { return nil }
      return UInt64(first)...UInt64(last)
    }
  }

  /// Appends the PRUNE record of some epochs. From here on nothing is said of their time, and nothing can be proven of
  /// it; the rest goes with `pruneNext`.
  public func prune(_ epochs: ClosedRange<UInt64>, _ line: LogLine) throws(StoreError) {
    try write { db in
      let index = try Self.append([line], db)
      try db.execute(
        sql: """
          UPDATE epochs SET salt = NULL, hiding = NULL, keys = NULL, sessions = '', gaps = '', pruned = ? \
          WHERE id BETWEEN ? AND ? AND pruned IS NULL
          """, arguments: [Int64(index), Int64(epochs.lowerBound), Int64(epochs.upperBound)])
    }
  }

  /// Deletes the values of one seal of a pruned epoch, in a transaction that holds up nobody for long; false where there
  /// is none left.
  ///
  /// The newest seal goes first: what refers to an entry was sealed with it or later.
  public func pruneNext() throws(StoreError) -> Bool {
    try write { db in
      guard let bound = try Self.prunedSeal(db),
        let seal = try Row.fetchOne(
          db, sql: "SELECT * FROM log_seals WHERE NOT pruned AND id <= ? ORDER BY id DESC LIMIT 1", arguments: [bound])
      else { return false }
      try prune(seal, db)
      files.withLock { $0.removeAll() }
      return true
    }
  }

  /// Looks again at what stayed of pruned epochs, from an entry on, in a bounded transaction; where to go on, nil at the
  /// end.
  public func sweep(from place: (kind: Int64, id: Int64), _ deleted: inout Int) throws(StoreError) -> (
    kind: Int64, id: Int64
  )? {
    var count = 0
    let next = try write { db -> (kind: Int64, id: Int64)? in
      guard let needs = try Needs(db) else { return nil }
      let rows = try Row.fetchAll(
        db, sql: "SELECT kind, id FROM remains WHERE (kind, id) > (?, ?) ORDER BY kind, id LIMIT 500",
        arguments: [place.kind, place.id])
      for row in rows {
        let (kind, id) = (row["kind"] as Int64, row["id"] as Int64)
        if try needs.drop(kind, id, db) { count += 1 }
      }
      files.withLock { $0.removeAll() }
      return rows.last.map { ($0["kind"], $0["id"]) }
    }
    deleted += count
    return next
  }

  /// The last seal of what is pruned.
  private static func prunedSeal(_ db: Database) throws -> Int64? {
    try Int64.fetchOne(db, sql: "SELECT max(last_seal) FROM epochs WHERE pruned IS NOT NULL")
  }

  private func prune(_ seal: Row, _ db: Database) throws {
    guard let needs = try Needs(db) else { return }
    let number = seal["id"] as Int64
    let before = try Int64.fetchOne(db, sql: "SELECT last_event FROM log_seals WHERE id = ?", arguments: [number - 1])
    // The leaves as they were sealed: what stays is shown to have been among them.
    var places: [(kind: Int64, id: Int64, leaf: Hash)] = []
    let entries = try Row.fetchCursor(
      db, sql: "SELECT kind, id, commitment FROM entries WHERE seal = ? ORDER BY id, kind", arguments: [number])
    while let row = try entries.next() {
      guard let commitment = Hash((row["commitment"] as Blob).bytes) else {
        throw StoreError.damaged("a commitment has another length")
      }
      let entry = EntryCommitment(
        kind: row["kind"], id: UInt64(bitPattern: row["id"]), commitment: commitment)
      places.append((row["kind"], row["id"], .leaf(entry.encoded)))
    }
    let events = try Row.fetchCursor(
      db, sql: CommittedEvent.query + " WHERE id > ? AND id <= ? ORDER BY id",
      arguments: [before ?? 0, seal["last_event"] as Int64])
    while let row = try events.next() {
      let event = CommittedEvent(row: row)
      places.append((0, Int64(bitPattern: event.sequence), .leaf(event.encoded)))
    }
    // What refers goes before what is referred to; of processes the children, which came later.
    for kind in Needs.order {
      for place in places.reversed() where place.kind == kind { _ = try needs.drop(kind, place.id, db) }
    }
    try keep(places, of: number, db)
    try db.execute(sql: "UPDATE log_seals SET pruned = 1 WHERE id = ?", arguments: [number])
  }

  /// Writes down, for what is still there, that the seal had it.
  private func keep(_ places: [(kind: Int64, id: Int64, leaf: Hash)], of seal: Int64, _ db: Database) throws {
    let event = try db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM accesses WHERE id = ?)")
    let entry = try db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM entries WHERE kind = ? AND id = ?)")
    let insert = try db.cachedStatement(
      sql: "INSERT INTO remains (kind, id, seal, place, size, siblings) VALUES (?, ?, ?, ?, ?, ?)")
    var tree: Log<MemoryHashStore>?
    for (index, place) in places.enumerated() {
      let isThere =
        try place.kind == 0
        ? Bool.fetchOne(event, arguments: [place.id]) : Bool.fetchOne(entry, arguments: [place.kind, place.id])
      guard isThere == true else { continue }
      if tree == nil {
        var made = try Log(MemoryHashStore())
        for place in places { try made.append(leaf: place.leaf) }
        tree = made
      }
      let proof = try tree?.inclusionProof(index: UInt64(index), size: UInt64(places.count)) ?? []
      try insert.execute(arguments: [
        place.kind, place.id, seal, index, places.count, Blob(proof.flatMap(\.bytes)),
      ])
    }
  }
}
