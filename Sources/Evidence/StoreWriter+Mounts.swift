internal import GRDB
internal import Records

extension StoreWriter {
  func write(_ seen: MountsSeen, _ db: Database) throws {
    let table = seen.state == .known ? try number(of: seen.table, db) : nil
    try db.cachedStatement(
      sql: """
        INSERT INTO mounts (run, namespace, is_host, is_first, state, t0, t1, mount_table) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """
    ).execute(arguments: [
      run, seen.namespace, seen.isHost, seen.isFirst, seen.state.rawValue, seen.time.from.nanoseconds,
      seen.time.to.nanoseconds, table,
    ])
  }

  /// The number of a table of mounts, new or not.
  private func number(of text: [UInt8], _ db: Database) throws -> Int64 {
    let hash = Self.hash(text)
    let known = try db.cachedStatement(sql: "SELECT id FROM mount_tables WHERE hash = ? AND text = ?")
    if let id = try Int64.fetchOne(known, arguments: [hash, Blob(text)]) { return id }
    try db.cachedStatement(sql: "INSERT INTO mount_tables (hash, text) VALUES (?, ?)")
      .execute(arguments: [hash, Blob(text)])
    return db.lastInsertedRowID
  }

  /// FNV-1a: only to find a table among others; their bytes decide.
  private static func hash(_ text: [UInt8]) -> Int64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return Int64(bitPattern: hash)
  }
}
