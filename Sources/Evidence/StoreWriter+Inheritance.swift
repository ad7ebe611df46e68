internal import GRDB
public import Records

// What one run of the service leaves to the next.
extension StoreWriter {
  /// What an earlier run left.
  public struct Inheritance: Sendable {
    /// The first number no session has.
    public var firstSession: Int64
    /// The first number no process record has.
    public var firstProcess: Int64
    /// Processes that may still live.
    public var survivors: [Survivor]
    /// Up to when an earlier run of this boot vouches for lineage; nil when there was none.
    public var watchedBefore: Timestamp?
  }

  /// What the run that begins must know of those before it.
  public func inheritance(bootID: String) throws(StoreError) -> Inheritance {
    do {
      return try queue.read { db in
        var survivors: [Survivor] = []
        let rows = try Row.fetchAll(
          db,
          sql: """
            SELECT p.id AS record, p.space, p.pid, p.pid_started, s.* FROM processes p JOIN sessions s \
            ON s.id = p.session WHERE p.ended IS NULL AND s.ended IS NULL AND s.boot_id = ? ORDER BY p.id
            """, arguments: [bootID])
        for row in rows {
          survivors.append(
            Survivor(
              key: ProcessKey(
                pid: row["pid"], startedAt: UInt64(bitPattern: row["pid_started"]), provenance: .observed),
              session: Session(row: row), record: row["record"], space: row["space"]))
        }
        return Inheritance(
          firstSession: try Self.highest("sessions", db) + 1, firstProcess: try Self.highest("processes", db) + 1,
          survivors: survivors,
          watchedBefore: try Int64.fetchOne(
            db, sql: "SELECT max(covered_to) FROM runs WHERE boot_id = ? AND id <> ?", arguments: [bootID, run]
          ).map { Timestamp(nanoseconds: $0) })
      }
    } catch {
      throw StoreError(error, directory: queue.path)
    }
  }

  /// The highest number that a row of the table ever had.
  private static func highest(_ table: String, _ db: Database) throws -> Int64 {
    try Int64.fetchOne(db, sql: "SELECT seq FROM sqlite_sequence WHERE name = ?", arguments: [table]) ?? 0
  }
}
