internal import GRDB
internal import MerkleLog
public import Records

// Retention: what ended before the limit goes, epoch by epoch, and what of it still matters stays.
extension StoreWriter {
  /// The epochs whose time is over: the oldest that are not pruned, as far as they ended before `limit`. Those of a
  /// segment go together, because its file does.
  public func expired(before limit: Timestamp) throws(StoreError) -> ClosedRange<UInt64>? {
    try read { db in
      let row = try Row.fetchOne(
        db,
        sql: """
          SELECT min(id), max(id) FROM epochs e WHERE pruned IS NULL AND t1 < ? AND NOT EXISTS (SELECT 1 FROM segments s \
          WHERE s.id = e.segment AND s.t1 >= ?)
          """, arguments: [limit.nanoseconds, limit.nanoseconds])
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
      try db.execute(sql: "DELETE FROM segments WHERE last_epoch <= ?", arguments: [Int64(epochs.upperBound)])
    }
  }

  /// Where in a seal the deletion has come to.
  public struct PruneCursor: Sendable {
    var seal: Int64
    var step = 0
    var id = Int64.max
  }

  /// Deletes some of the values of epochs that are pruned or whose values a segment has, in a transaction that holds up
  /// nobody for long; false where there is nothing left.
  ///
  /// The newest seal goes first: what refers to an entry was sealed with it or later. Before anything of a seal goes its
  /// leaves are written down, and when all has gone the way from what stayed to the seal's root takes their place.
  ///
  /// - Parameter cursor: nil at first; what an earlier process had begun is gone through again.
  public func pruneNext(_ cursor: inout PruneCursor?) throws(StoreError) -> Bool {
    var seals = 0
    return try pruneNext(&cursor, &seals)
  }

  /// The same; counts the seals that are done.
  ///
  /// - Parameter most: as many values as go in one transaction.
  public func pruneNext(
    _ cursor: inout PruneCursor?, _ seals: inout Int, most: Int = 400
  ) throws(StoreError) -> Bool {
    var next = cursor
    var done = 0
    let isMore = try write { db in
      if try Self.dropKeys(db) { return true }
      guard let needs = try Needs(db) else { return false }
      var budget = most
      var isMore = false
      while budget > 0, let row = try Self.nextSeal(db) {
        isMore = true
        let leaving = try Leaving(row, db)
        // Small ones go whole, several at a time.
        let isWhole = next == nil && leaving.count <= budget
        guard isWhole || budget == most else { break }
        if isWhole {
          budget -= max(leaving.count, 20)
          let leaves = try leaving.leavesNow(db)
          _ = try leaving.drop(PruneCursor(seal: leaving.number), leaves, most: leaving.count, needs, db)
          done += 1
          continue
        }
        if let begun = next, begun.seal == leaving.number {
          next = try leaving.drop(begun, leaving.leaves, most: most, needs, db)
          if next == nil { done += 1 }
        } else {
          try leaving.keepLeaves(db)
          next = PruneCursor(seal: leaving.number)
        }
        break
      }
      files.withLock { $0.removeAll() }
      return isMore
    }
    cursor = next
    seals += done
    return isMore
  }

  /// Deletes the index of one epoch whose segment has it; whether there was one.
  private static func dropKeys(_ db: Database) throws -> Bool {
    try db.execute(
      sql: """
        UPDATE epochs SET keys = NULL WHERE id = (SELECT min(id) FROM epochs WHERE segment IS NOT NULL \
        AND keys IS NOT NULL)
        """)
    return db.changesCount > 0
  }

  private static func nextSeal(_ db: Database) throws -> Row? {
    guard let bound = try prunedSeal(db) else { return nil }
    return try Row.fetchOne(
      db.cachedStatement(sql: "SELECT * FROM log_seals WHERE NOT pruned AND id <= ? ORDER BY id DESC LIMIT 1"),
      arguments: [bound])
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

  /// The last seal of what goes.
  private static func prunedSeal(_ db: Database) throws -> Int64? {
    try Int64.fetchOne(
      db.cachedStatement(
        sql: "SELECT max(last_seal) FROM epochs WHERE pruned IS NOT NULL OR segment IS NOT NULL"))
  }
}

/// A seal whose values go.
struct Leaving {
  let number: Int64
  /// The events of it are after the first and up to the second.
  private let events: (after: Int64, to: Int64)
  /// What is written down of its leaves; empty where nothing is.
  let leaves: [Hash]
  /// How many values it had.
  let count: Int

  init(_ seal: Row, _ db: Database) throws {
    number = seal["id"]
    let before = try Int64.fetchOne(db, sql: "SELECT last_event FROM log_seals WHERE id = ?", arguments: [number - 1])
    events = (before ?? 0, seal["last_event"])
    leaves = Hash.kept(seal["leaves"])
    count = (seal["entries"] as Int) + (seal["events"] as Int)
  }

  /// What is there of it, in the order of its leaves.
  func places(_ db: Database) throws -> [(kind: Int64, id: Int64, leaf: Hash)] {
    var places: [(kind: Int64, id: Int64, leaf: Hash)] = []
    let entries = try Row.fetchCursor(
      db, sql: "SELECT kind, id, commitment FROM entries WHERE seal = ? ORDER BY id, kind", arguments: [number])
    while let row = try entries.next() {
      guard let commitment = Hash((row["commitment"] as Blob).bytes) else {
        throw StoreError.damaged("a commitment has another length")
      }
      let entry = EntryCommitment(kind: row["kind"], id: UInt64(bitPattern: row["id"]), commitment: commitment)
      places.append((row["kind"], row["id"], .leaf(entry.encoded)))
    }
    let events = try Row.fetchCursor(
      db, sql: CommittedEvent.query + " WHERE id > ? AND id <= ? ORDER BY id",
      arguments: [self.events.after, self.events.to])
    while let row = try events.next() {
      let event = CommittedEvent(row: row)
      places.append((Needs.event, Int64(bitPattern: event.sequence), .leaf(event.encoded)))
    }
    return places
  }

  /// Its leaves: as they are written down, or else as they are.
  func leavesNow(_ db: Database) throws -> [Hash] { leaves.isEmpty ? try places(db).map(\.leaf) : leaves }

  func keepLeaves(_ db: Database) throws {
    guard leaves.isEmpty else { return }
    let bytes = try places(db).flatMap(\.leaf.bytes)
    try db.execute(sql: "UPDATE log_seals SET leaves = ? WHERE id = ?", arguments: [Blob(bytes), number])
  }

  /// Deletes some, what refers before what is referred to; where to go on, nil when the seal is done.
  func drop(
    _ begun: StoreWriter.PruneCursor, _ leaves: [Hash], most: Int, _ needs: Needs, _ db: Database
  ) throws -> StoreWriter.PruneCursor? {
    var cursor = begun
    // More than it has, where it goes whole.
    var budget = most + 1
    while cursor.step < Needs.order.count {
      let kind = Needs.order[cursor.step]
      let ids = try some(of: kind, below: cursor.id, budget, db)
      for id in ids { _ = try needs.drop(kind, id, db) }
      if ids.count == budget {
        cursor.id = ids.last ?? 0
        return cursor
      }
      budget -= ids.count
      cursor.step += 1
      cursor.id = .max
    }
    try keepRemains(leaves, places(db), db)
    try db.execute(sql: "UPDATE log_seals SET pruned = 1, leaves = NULL WHERE id = ?", arguments: [number])
    return nil
  }

  /// The newest first: of processes the children, which came later.
  private func some(of kind: Int64, below id: Int64, _ count: Int, _ db: Database) throws -> [Int64] {
    if kind == Needs.event {
      return try Int64.fetchAll(
        db.cachedStatement(
          sql: "SELECT id FROM accesses WHERE id > ? AND id <= ? AND id < ? ORDER BY id DESC LIMIT ?"),
        arguments: [events.after, events.to, id, count])
    }
    return try Int64.fetchAll(
      db.cachedStatement(
        sql: "SELECT id FROM entries WHERE seal = ? AND kind = ? AND id < ? ORDER BY id DESC LIMIT ?"),
      arguments: [number, kind, id, count])
  }

  /// Writes down, for what is still there, that the seal had it.
  func keepRemains(
    _ leaves: [Hash], _ places: [(kind: Int64, id: Int64, leaf: Hash)], _ db: Database
  ) throws {
    guard !places.isEmpty else { return }
    var tree = try Log(MemoryHashStore())
    var indexes: [Hash: Int] = [:]
    for (index, leaf) in leaves.enumerated() {
      indexes[leaf] = index
      try tree.append(leaf: leaf)
    }
    let insert = try db.cachedStatement(
      sql: "INSERT OR REPLACE INTO main.remains (kind, id, seal, place, size, siblings) VALUES (?, ?, ?, ?, ?, ?)")
    for place in places {
      // What is not among them was changed meanwhile: it shows as that.
      guard let index = indexes[place.leaf] else { continue }
      let proof = try tree.inclusionProof(index: UInt64(index), size: tree.size)
      try insert.execute(arguments: [
        place.kind, place.id, number, index, Int64(tree.size), Blob(proof.flatMap(\.bytes)),
      ])
    }
  }
}
