internal import GRDB
internal import Records

extension StoreWriter {
  func write(_ seal: Seal, _ db: Database) throws {
    let losses = seal.losses.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    try db.execute(
      sql: """
        INSERT INTO seals (run, t0, t1, boot0, boot1, rules_digest, canaries_sent, canaries_seen, losses, file_systems) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
      arguments: [
        run, seal.time.from.nanoseconds, seal.time.to.nanoseconds, Int64(bitPattern: seal.bootFrom),
        Int64(bitPattern: seal.bootTo), Blob(seal.rulesDigest), seal.canariesSent, seal.canariesSeen, losses,
        seal.fileSystems.count,
      ])
    let number = db.lastInsertedRowID
    for place in seal.fileSystems where !place.isMarked || !place.hasCanary {
      try db.execute(
        sql: """
          INSERT INTO sealed_file_systems (seal, file_system, device, is_marked, has_canary) VALUES (?, ?, ?, ?, ?)
          """,
        arguments: [
          number, Int64(bitPattern: place.fileSystem), Int64(bitPattern: place.device), place.isMarked, place.hasCanary,
        ])
    }
  }
}
