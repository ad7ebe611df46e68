internal import GRDB
internal import MerkleLog

extension StoreReader {
  /// Recomputes every commitment in a segment from its row, and every root of its seals; of seals before, what was
  /// carried over. The file must be the one that was sealed.
  public func audit(_ segment: KeptSegment) throws(StoreError) -> StoreAudit {
    do {
      let queue = try KeptSegment.open(reading: KeptSegment.directory(directory) + "/" + segment.file)
      defer { try? queue.close() }
      return try queue.writeWithoutTransaction { db in
        try db.execute(
          sql: "ATTACH DATABASE ? AS live",
          arguments: [Self.uri(directory)])
        // The live store has all runs, and here are the entries of those of that time.
        try db.execute(
          sql: """
            CREATE TEMP VIEW runs AS SELECT r.* FROM live.runs r WHERE EXISTS (SELECT 1 FROM main.entries e \
            WHERE e.kind = \(EntryKind.run.rawValue) AND e.id = r.id)
            """)
        let rows = try Row.fetchAll(
          db,
          sql: """
            SELECT l.id, l.record, l.t0, l.t1, l.last_event, l.id < ?1 AS pruned, NULL AS leaves, \
            (SELECT p.last_event FROM live.log_seals p WHERE p.id = l.id - 1) AS before FROM live.log_seals l \
            WHERE l.id BETWEEN ?1 AND ?2 OR l.id < ?1 AND l.id IN (SELECT seal FROM main.remains) ORDER BY l.id
            """, arguments: [Int64(segment.seals.lowerBound), Int64(segment.seals.upperBound)])
        var audit = StoreAudit()
        audit.isAtRest = true
        var seals = try Seals(rows, isWhole: false, db)
        while try seals.next(into: &audit) {}
        try Self.findLost(&audit, db)
        try Self.findUnsealed(&audit, seals.lastEvent, db)
        try Self.compareChanges(&audit, db)
        return audit
      }
    } catch {
      throw StoreError(error, directory: directory)
    }
  }
}
