internal import GRDB
internal import MerkleLog
public import Records

// What a segment's file holds: the rows of the live store that its seals have, and those that were carried over from
// before and were still there.
extension KeptSegment {
  /// The tables, and which entries each row of them is.
  private static let kinds: [(table: String, kinds: [EntryKind])] = [
    ("sessions", [.session, .person]), ("conversations", [.conversation]), ("processes", [.process]),
    ("files", [.file]), ("names", [.name]), ("gaps", [.gap]), ("incidents", [.incident]),
    ("file_systems", [.fileSystem]), ("seals", [.sensor]), ("sealed_file_systems", [.unseen]),
    ("mount_tables", [.mountTable]), ("mounts", [.mounts]), ("privileges", [.privilege]), ("changes", [.change]),
    ("commands", [.command]), ("logins", [.login]),
  ]

  /// Copies what is sealed up to the end of some epochs out of a store into a new file, of one moment.
  ///
  /// The store is read only, so nobody waits for it, however long it takes. The file has no hash yet, and is no segment
  /// before `StoreWriter.keep(_:_:)`.
  public static func make(
    _ period: String, _ epochs: ClosedRange<UInt64>, from state: String, to path: String
  ) throws(StoreError) -> KeptSegment {
    do {
      let queue = try Self.open(path)
      defer { try? queue.close() }
      return try queue.writeWithoutTransaction { db in
        try db.execute(sql: "ATTACH DATABASE ? AS live", arguments: [StoreReader.uri(state)])
        var made: KeptSegment?
        try db.inTransaction {
          made = try fill(period, epochs, db)
          return .commit
        }
        guard let made else { throw StoreError.damaged("nothing to copy") }
        return made
      }
    } catch {
      throw StoreError(error, directory: state)
    }
  }

  /// A file that becomes a segment: whole or not at all, so nothing needs to be rolled back in it.
  static func open(_ path: String) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.label = "alibi.segment"
    configuration.foreignKeysEnabled = false
    configuration.busyMode = .timeout(5)
    configuration.prepareDatabase { db in
      try db.execute(sql: "PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON")
    }
    return try DatabaseQueue(path: path, configuration: configuration)
  }

  /// A segment that is only read.
  static func open(reading path: String) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.readonly = true
    return try DatabaseQueue(path: "file:\(escaped(path))?immutable=1", configuration: configuration)
  }

  private static func fill(_ period: String, _ epochs: ClosedRange<UInt64>, _ db: Database) throws -> KeptSegment {
    let last = try Row.fetchOne(
      db, sql: "SELECT t1, last_seal FROM live.epochs WHERE id = ?", arguments: [Int64(epochs.upperBound)])
    guard let last, let end = last.time("t1") else {
      throw StoreError.damaged("epoch \(epochs.upperBound) is not there")
    }
    let lastSeal = last["last_seal"] as Int64
    let before = try Int64.fetchOne(
      db, sql: "SELECT last_seal FROM live.epochs WHERE id = ?", arguments: [Int64(epochs.lowerBound) - 1])
    let lastEvent = try Int64.fetchOne(
      db, sql: "SELECT last_event FROM live.log_seals WHERE id = ?", arguments: [lastSeal])
    let erasure = try Int64.fetchOne(db, sql: "SELECT max(id) FROM live.log_records WHERE kind = 'erasure'")
    try makeTables(db)
    for (table, kinds) in kinds {
      let list = kinds.map { "\($0.rawValue)" }.joined(separator: ",")
      try db.execute(
        sql: """
          INSERT INTO main.\(table) SELECT t.* FROM live.\(table) t WHERE EXISTS (SELECT 1 FROM live.entries e \
          WHERE e.kind IN (\(list)) AND e.id = t.id AND e.seal <= ?)
          """, arguments: [lastSeal])
    }
    try db.execute(sql: "INSERT INTO main.entries SELECT * FROM live.entries WHERE seal <= ?", arguments: [lastSeal])
    try db.execute(sql: "INSERT INTO main.remains SELECT * FROM live.remains WHERE seal <= ?", arguments: [lastSeal])
    try db.execute(
      sql: "INSERT INTO main.accesses SELECT * FROM live.accesses WHERE id <= ?", arguments: [lastEvent ?? 0])
    try db.execute(
      sql: "INSERT INTO main.keys SELECT id, keys FROM live.epochs WHERE id BETWEEN ? AND ? AND keys IS NOT NULL",
      arguments: [Int64(epochs.lowerBound), Int64(epochs.upperBound)])
    try forgetLateChanges(db)
    let indices = try String.fetchAll(
      db, sql: "SELECT sql FROM live.sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN (\(marks))",
      arguments: StatementArguments(copied))
    for sql in indices { try db.execute(sql: sql) }
    try db.execute(
      sql: "INSERT INTO main.segment (period, first_epoch, last_epoch) VALUES (?, ?, ?)",
      arguments: [period, Int64(epochs.lowerBound), Int64(epochs.upperBound)])
    let first = UInt64((before ?? 0) + 1)
    return KeptSegment(
      period: period, file: "", epochs: epochs, seals: first...max(first, UInt64(lastSeal)), end: end, size: 0,
      hash: .zero, erasure: erasure ?? -1)
  }

  private static let copied = Reach.tables + ["remains"]
  private static let marks = copied.map { _ in "?" }.joined(separator: ",")

  private static func makeTables(_ db: Database) throws {
    let tables = try String.fetchAll(
      db, sql: "SELECT sql FROM live.sqlite_master WHERE type = 'table' AND name IN (\(marks))",
      arguments: StatementArguments(copied))
    for sql in tables { try db.execute(sql: sql) }
    try db.execute(
      sql: """
        CREATE TABLE main.keys (epoch INTEGER PRIMARY KEY, keys BLOB NOT NULL);
        CREATE TABLE main.segment (period TEXT NOT NULL, first_epoch INTEGER NOT NULL, last_epoch INTEGER NOT NULL);
        """)
  }

  /// What was told of a row after the segment's last seal is not the segment's: the row stays in the live store for it.
  private static func forgetLateChanges(_ db: Database) throws {
    for change in Schema.Change.allCases {
      try db.execute(
        sql: """
          UPDATE main.\(change.table) SET \(change.column) = (SELECT c.value FROM main.changes c WHERE c.what = ?1 \
          AND c.row = main.\(change.table).id ORDER BY c.id DESC LIMIT 1) WHERE id IN (SELECT l.row \
          FROM live.changes l WHERE l.what = ?1 AND NOT EXISTS (SELECT 1 FROM main.changes m WHERE m.id = l.id))
          """, arguments: [change.rawValue])
    }
  }
}

extension StoreWriter {
  /// The epochs whose values are in the live file, oldest first, with their times.
  public func unsegmented() throws(StoreError) -> [(number: UInt64, time: Interval)] {
    try read { db in
      try Row.fetchAll(
        db, sql: "SELECT id, t0, t1 FROM epochs WHERE pruned IS NULL AND segment IS NULL ORDER BY id"
      ).map { ($0.unsigned("id"), $0.span) }
    }
  }

  /// The segments, oldest first.
  public func segments() throws(StoreError) -> [KeptSegment] {
    try read { db in try KeptSegment.needed(since: .distantPast, db).reversed() }
  }

  /// Keeps a segment whose file is in its place, with the record that tells of it. From here on the live file need not
  /// have its values; they go with `pruneNext`.
  ///
  /// - Returns: false where its epochs have been pruned meanwhile.
  public func keep(_ segment: KeptSegment, _ line: LogLine) throws(StoreError) -> Bool {
    try write { db in
      let (first, last) = (Int64(segment.epochs.lowerBound), Int64(segment.epochs.upperBound))
      let there = try Int.fetchOne(
        db, sql: "SELECT count(*) FROM epochs WHERE id BETWEEN ? AND ? AND pruned IS NULL AND segment IS NULL",
        arguments: [first, last])
      guard there == segment.epochs.count else { return false }
      let record = try Self.append([line], db)
      try db.execute(
        sql: """
          INSERT INTO segments (period, file, first_epoch, last_epoch, first_seal, last_seal, t1, size, hash, record, \
          erasure) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          segment.period, segment.file, first, last, Int64(segment.seals.lowerBound), Int64(segment.seals.upperBound),
          segment.end.nanoseconds, Int64(segment.size), Blob(segment.hash.bytes), Int64(record), segment.erasure,
        ])
      try db.execute(
        sql: "UPDATE epochs SET segment = ? WHERE id BETWEEN ? AND ?", arguments: [db.lastInsertedRowID, first, last])
      return true
    }
  }
}

extension StoreWriter {
  /// Puts a file in the place of a segment's, with the record that tells of it.
  public func replace(_ segment: KeptSegment, _ line: LogLine) throws(StoreError) {
    try write { db in
      let record = try Self.append([line], db)
      try db.execute(
        sql: "UPDATE segments SET file = ?, size = ?, hash = ?, record = ?, erasure = ? WHERE period = ?",
        arguments: [
          segment.file, Int64(segment.size), Blob(segment.hash.bytes), Int64(record), segment.erasure, segment.period,
        ])
    }
  }
}
