internal import GRDB
internal import MerkleLog

// What an erasure leaves: the commitments, and what shows that they were sealed.
extension Erasure {
  /// Lets the openings go. Of what only a segment has, the commitment comes back into the live store, as the log tells of it
  /// for longer than there are segments.
  func forget(_ entries: [EntryCommitment], _ record: Int64, _ db: Database) throws {
    let update = try db.cachedStatement(
      sql: "UPDATE main.entries SET opening = NULL, erased = ? WHERE kind = ? AND id = ?")
    let insert = try db.cachedStatement(
      sql: """
        INSERT INTO main.entries (kind, id, opening, commitment, seal, erased) SELECT kind, id, NULL, commitment, seal, ? \
        FROM entries WHERE kind = ? AND id = ?
        """)
    var moved: [Int64: [EntryCommitment]] = [:]
    for entry in entries {
      let arguments: StatementArguments = [record, entry.kind, Int64(bitPattern: entry.id)]
      try update.execute(arguments: arguments)
      guard db.changesCount == 0 else { continue }
      try insert.execute(arguments: arguments)
      let seal = try Int64.fetchOne(
        db.cachedStatement(sql: "SELECT seal FROM main.entries WHERE kind = ? AND id = ?"),
        arguments: [entry.kind, Int64(bitPattern: entry.id)])
      if let seal { moved[seal, default: []].append(entry) }
    }
    for (seal, entries) in moved { try keepProofs(of: entries, seal, db) }
  }

  /// Writes down that a seal had these: as a later segment has it, or by all that the seal's own segment has.
  private func keepProofs(of entries: [EntryCommitment], _ seal: Int64, _ db: Database) throws {
    var open = Set(entries)
    for segment in try Reach(db).segments {
      for entry in open {
        try db.execute(
          sql: "INSERT INTO main.remains SELECT * FROM \(Reach.schema(segment)).remains WHERE kind = ? AND id = ?",
          arguments: [entry.kind, Int64(bitPattern: entry.id)])
        if db.changesCount > 0 { open.remove(entry) }
      }
    }
    guard !open.isEmpty, let row = try Row.fetchOne(db, sql: "SELECT * FROM log_seals WHERE id = ?", arguments: [seal])
    else { return }
    let leaving = try Leaving(row, db)
    let places = try leaving.places(db)
    let own = places.filter { place in
      open.contains { Int64($0.kind) == place.kind && Int64(bitPattern: $0.id) == place.id }
    }
    try leaving.keepRemains(places.map(\.leaf), own, db)
  }
}
