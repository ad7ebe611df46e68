internal import Foundation
internal import GRDB
internal import Glibc
public import MerkleLog
public import Records

/// A file that holds what was recorded in a period that is over.
public struct KeptSegment: Sendable, Hashable {
  /// Its number; 0 until it is kept.
  public var id: Int64 = 0
  /// What the period is called.
  public var period: String
  /// The file's name in the directory of segments.
  public var file: String
  /// The epochs whose values it holds.
  public var epochs: ClosedRange<UInt64>
  /// Their seals.
  public var seals: ClosedRange<UInt64>
  /// The end of the last epoch: questions about any time before need the file.
  public var end: Timestamp
  /// How many bytes the file has.
  public var size: UInt64
  /// SHA-256 of the file.
  public var hash: Hash
  /// The index of its newest SEGMENT record.
  public var record: UInt64 = 0
  /// The index of the newest ERASURE record that it follows; -1 for none.
  public var erasure: Int64

  /// The directory of segments beneath that of the store.
  public static func directory(_ state: String) -> String { state + "/segments" }
}

/// A segment that cannot be read, and why.
struct AbsentSegment {
  var end: Timestamp
  var reason: String
}

extension Schema {
  /// Which files hold what was recorded in periods that are over. `epochs.segment` is the file that has its values;
  /// `keys` is there, too, then. `erasure` is the index of the newest ERASURE record that the file follows.
  static func registerSegments(_ migrator: inout DatabaseMigrator) {
    migrator.registerMigration("10 segments") { db in
      try db.execute(
        sql: """
          CREATE TABLE segments (
            id INTEGER PRIMARY KEY AUTOINCREMENT, period TEXT NOT NULL UNIQUE, file TEXT NOT NULL UNIQUE,
            first_epoch INTEGER NOT NULL, last_epoch INTEGER NOT NULL, first_seal INTEGER NOT NULL,
            last_seal INTEGER NOT NULL, t1 INTEGER NOT NULL, size INTEGER NOT NULL, hash BLOB NOT NULL,
            record INTEGER NOT NULL REFERENCES log_records(id), erasure INTEGER NOT NULL);
          ALTER TABLE epochs ADD COLUMN segment INTEGER;
          """)
    }
  }
}

extension KeptSegment {
  init(row: Row) throws {
    guard let hash = Hash((row["hash"] as Blob).bytes) else { throw StoreError.damaged("a hash has another length") }
    let (first, last) = (row.unsigned("first_epoch"), row.unsigned("last_epoch"))
    let (begin, end) = (row.unsigned("first_seal"), row.unsigned("last_seal"))
    self.init(
      id: row["id"], period: row["period"], file: row["file"], epochs: first...max(first, last),
      seals: begin...max(begin, end), end: row.time("t1") ?? .distantFuture, size: row.unsigned("size"), hash: hash,
      record: row.unsigned("record"), erasure: row["erasure"])
  }

  /// Those that questions about a time from `moment` on need, the newest first.
  static func needed(since moment: Timestamp, _ db: Database) throws -> [KeptSegment] {
    try Row.fetchAll(
      db.cachedStatement(sql: "SELECT * FROM segments WHERE t1 > ? ORDER BY id DESC"),
      arguments: [moment.nanoseconds]
    ).map(KeptSegment.init(row:))
  }

  /// Those that questions about a time from `moment` on need, and the connection does not see.
  static func absent(since moment: Timestamp, _ db: Database) throws -> [AbsentSegment] {
    let seen = try Reach(db).segments
    let lacking = try needed(since: moment, db).filter { !seen.contains($0.id) }
    guard !lacking.isEmpty else { return [] }
    let isTold = try Bool.fetchOne(
      db, sql: "SELECT EXISTS (SELECT 1 FROM sqlite_temp_master WHERE name = 'absent_segments')")
    return try lacking.map { segment in
      let why =
        try isTold == true
        ? String.fetchOne(db, sql: "SELECT reason FROM absent_segments WHERE id = ?", arguments: [segment.id]) : nil
      return AbsentSegment(
        end: segment.end, reason: "segment \(segment.period) cannot be used: \(why ?? "it was not looked into")")
    }
  }

  /// What is wrong with the file; nil where it is what was sealed.
  ///
  /// - Parameter isThorough: whether every byte of it is looked at.
  public func fault(in state: String, isThorough: Bool) -> String? {
    let path = KeptSegment.directory(state) + "/" + file
    var status = stat()
    guard unsafe stat(path, &status) == 0 else {
      return errno == ENOENT ? "\(file) is missing" : "\(file) cannot be read"
    }
    guard UInt64(status.st_size) == size else { return "\(file) is not as long as it was" }
    guard isThorough else { return nil }
    do {
      return try Self.hash(of: path) == hash ? nil : "\(file) is not the file that was sealed"
    } catch {
      return "\(file) cannot be read"
    }
  }

  /// SHA-256 of a file.
  public static func hash(of path: String) throws -> Hash {
    guard let file = FileHandle(forReadingAtPath: path) else { throw StoreError.io("\(path) cannot be read") }
    defer { try? file.close() }
    var hash = RunningHash()
    while let part = try file.read(upToCount: 1 << 20), !part.isEmpty { hash.update(part.bytes) }
    return hash.value
  }

  /// A path as SQLite reads it in a URI.
  static func escaped(_ path: String) -> String {
    path.replacing("%", with: "%25").replacing("?", with: "%3f").replacing("#", with: "%23")
  }

  /// Attaches the file, which is never written to, to a connection.
  func attach(in state: String, _ db: Database) throws {
    let path = KeptSegment.directory(state) + "/" + file
    try db.execute(
      sql: "ATTACH DATABASE ? AS \(Reach.schema(id))", arguments: ["file:\(Self.escaped(path))?immutable=1"])
    do {
      // A file of this length under this name may be another period's all the same.
      let told = try Row.fetchOne(db, sql: "SELECT period, first_epoch, last_epoch FROM \(Reach.schema(id)).segment")
      guard told?["period"] == period, told?.unsigned("first_epoch") == epochs.lowerBound,
        told?.unsigned("last_epoch") == epochs.upperBound
      else { throw StoreError.incomplete("\(file) is of another period") }
    } catch {
      try? db.execute(sql: "DETACH DATABASE \(Reach.schema(id))")
      throw error
    }
  }
}

/// A connection that sees segments.
struct WideStore: Sendable {
  /// The segments that were needed, the newest first.
  let segments: [KeptSegment]
  /// Whether every byte of them was looked at.
  let isThorough: Bool
  let queue: DatabaseQueue

  func serves(_ needed: [KeptSegment], isThorough: Bool) -> Bool {
    (self.isThorough || !isThorough) && segments.starts(with: needed)
  }
}

extension StoreReader {
  /// Reads all that matters to a time from `moment` on. What cannot be read shows as an absent segment, and so as a time
  /// of which nothing is said.
  func read<R>(since moment: Timestamp, _ body: (Database) throws -> R) throws(StoreError) -> R {
    try read(since: moment, isThorough: true, body)
  }

  /// Reads all that matters to a time from `moment` on, for whoever lists it.
  ///
  /// - Throws: `StoreError.incomplete` where a segment cannot be read: a list that lacks something must not look whole.
  func readWhole<R>(since moment: Timestamp, _ body: (Database) throws -> R) throws(StoreError) -> R {
    try read(since: moment, isThorough: false) { db in
      if let absent = try KeptSegment.absent(since: moment, db).first { throw StoreError.incomplete(absent.reason) }
      return try body(db)
    }
  }

  private func read<R>(
    since moment: Timestamp, isThorough: Bool, _ body: (Database) throws -> R
  ) throws(StoreError) -> R {
    for _ in 0..<10 {
      var needed: [KeptSegment] = []
      let narrow: R? = try read { db in
        needed = try KeptSegment.needed(since: moment, db)
        return needed.isEmpty ? try body(db) : nil
      }
      if let narrow { return narrow }
      let wide = try widened(to: needed, isThorough: isThorough)
      do {
        let result: R? = try wide.queue.read { db in
          // One that was rewritten or made meanwhile is another.
          try KeptSegment.needed(since: moment, db) == needed ? try body(db) : nil
        }
        if let result { return result }
      } catch {
        throw StoreError(error, directory: directory)
      }
    }
    throw .io("its segments change all the time")
  }

  private func widened(to needed: [KeptSegment], isThorough: Bool) throws(StoreError) -> WideStore {
    do {
      // Whoever else wants one waits: to look at every byte of the segments twice at the same time helps nobody.
      return try wide.withLock { wide in
        if let there = wide, there.serves(needed, isThorough: isThorough) { return there }
        let queue = try Self.open(directory) { [directory] db in
          try db.execute(
            sql: """
              CREATE TEMP TABLE absent_segments (id INTEGER PRIMARY KEY, reason TEXT NOT NULL);
              CREATE TEMP TABLE touched_time (t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, version INTEGER NOT NULL);
              CREATE TEMP TABLE touched_files (id INTEGER PRIMARY KEY);
              """)
          for segment in needed {
            var fault = segment.fault(in: directory, isThorough: isThorough)
            if fault == nil {
              do { try segment.attach(in: directory, db) } catch { fault = "\(segment.file): \(error)" }
            }
            if let fault {
              try db.execute(
                sql: "INSERT INTO absent_segments (id, reason) VALUES (?, ?)", arguments: [segment.id, fault])
            }
          }
          try Reach.makeViews(db)
        }
        let made = WideStore(segments: needed, isThorough: isThorough, queue: queue)
        wide = made
        return made
      }
    } catch {
      throw StoreError(error, directory: directory)
    }
  }

  /// The segments, oldest first.
  public func segments() throws(StoreError) -> [KeptSegment] {
    try read { db in try KeptSegment.needed(since: .distantPast, db).reversed() }
  }
}
