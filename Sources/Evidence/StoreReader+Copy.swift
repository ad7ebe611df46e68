internal import GRDB

extension StoreReader {
  /// Writes a copy of the store as it is at one moment into a new file: without pages that are free, and complete
  /// without a write-ahead log.
  public func copy(to path: String) throws(StoreError) {
    do {
      try queue.writeWithoutTransaction { db in
        try db.execute(sql: "VACUUM INTO ?", arguments: [path])
      }
    } catch {
      throw StoreError(error, directory: directory)
    }
  }

  /// The texts of so many records from an index on.
  public func texts(from index: UInt64, count: Int) throws(StoreError) -> [[UInt8]] {
    try read { db in
      try Blob.fetchAll(
        db, sql: "SELECT text FROM log_records WHERE id >= ? ORDER BY id LIMIT ?", arguments: [Int64(index), count]
      ).map(\.bytes)
    }
  }
}
