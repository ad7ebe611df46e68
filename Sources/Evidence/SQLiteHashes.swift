internal import GRDB
internal import MerkleLog

extension Hash {
  /// The hashes of a column, one behind the other; what comes behind the last is none.
  static func kept(_ blob: Blob?) -> [Hash] {
    let bytes = blob?.bytes ?? []
    return list(bytes[..<(bytes.count - bytes.count % 32)]) ?? []
  }
}

/// The log's hashes in a column of the store, within a transaction.
struct SQLiteHashes: HashStore {
  let db: Database

  var count: UInt64 {
    get throws { UInt64((try Int64.fetchOne(db, sql: "SELECT max(id) FROM log_hashes") ?? -1) + 1) }
  }

  func hashes(at numbers: [UInt64]) throws -> [Hash] {
    let statement = try db.cachedStatement(sql: "SELECT hash FROM log_hashes WHERE id = ?")
    return try numbers.map { number in
      guard let hash = try Blob.fetchOne(statement, arguments: [Int64(number)]).flatMap({ Hash($0.bytes) }) else {
        throw LogError.missingHash(number)
      }
      return hash
    }
  }

  mutating func append(_ hashes: [Hash]) throws {
    let statement = try db.cachedStatement(sql: "INSERT INTO log_hashes (id, hash) VALUES (?, ?)")
    var number = Int64(try count)
    for hash in hashes {
      try statement.execute(arguments: [number, Blob(hash.bytes)])
      number += 1
    }
  }
}
