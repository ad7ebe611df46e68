internal import GRDB
public import Records

/// What is known of mounts about a time.
public struct MountRecords: Sendable {
  /// The mounts of one namespace, and when they may have been so.
  public struct Span: Sendable, Hashable {
    /// Whether the namespace is the host's own.
    public var isHost: Bool
    /// When.
    public var time: Interval
    /// Which table; nil where the mounts of that time are not known.
    public var table: Int64?
  }

  /// Every namespace's, oldest first.
  public var spans: [Span] = []
  /// The tables, as /proc/PID/mountinfo told them.
  public var tables: [Int64: [UInt8]] = [:]
  /// Times in which capture ran and kept no tables.
  public var unrecorded: [Interval] = []
}

extension StoreReader {
  /// The mounts of the host and of namespaces of sessions that a record of this time may have been told by: also those
  /// from when what was held in it was opened.
  public func mounts(about time: Interval) throws(StoreError) -> MountRecords {
    try read(since: time.from) { db in
      let held = try Int64.fetchOne(
        db, sql: Reach(db).firstTouched, arguments: Self.arguments(ofTouchedIn: time))
      let first = min(time.from, held.map { Timestamp(nanoseconds: $0) } ?? time.from)
      // A path may be told a little later than it was used.
      let whole = Interval(from: first.moved(seconds: -60), to: time.to.moved(seconds: 60))
      var found = MountRecords()
      let runs = try Row.fetchAll(db, sql: "SELECT * FROM runs ORDER BY id")
      for (index, run) in runs.enumerated() {
        guard let started = run.time("started") else { continue }
        let end = index + 1 < runs.count ? runs[index + 1].time("started") ?? .distantFuture : .distantFuture
        guard Interval(from: started, to: max(started, end)).overlaps(whole) else { continue }
        let spans = try Self.mounts(of: run["id"], until: end, db)
        found.spans += spans.filter { $0.time.overlaps(whole) }
        if let to = run.time("covered_to"), !spans.contains(where: \.isHost),
          let lacking = Interval(from: run.time("covered_from") ?? to, to: to).intersection(time)
        {
          found.unrecorded.append(lacking)
        }
      }
      let statement = try db.cachedStatement(sql: "SELECT text FROM mount_tables WHERE id = ?")
      for number in Set(found.spans.compactMap(\.table)) {
        guard let text = try Blob.fetchOne(statement, arguments: [number]) else {
          throw StoreError.damaged("a table of mounts is not there")
        }
        found.tables[number] = text.bytes
      }
      return found
    }
  }

  private static func mounts(of run: Int64, until end: Timestamp, _ db: Database) throws -> [MountRecords.Span] {
    var spans: [MountRecords.Span] = []
    var open: [String: Int] = [:]
    for row in try Row.fetchAll(db, sql: "SELECT * FROM mounts WHERE run = ? ORDER BY id", arguments: [run]) {
      let (name, isHost, time) = (row["namespace"] as String, row["is_host"] as Bool, row.span)
      // What a recorder that continues does not restate is gone.
      let over = row["is_first"] ? Array(open.keys) : [name]
      for name in over {
        guard let index = open.removeValue(forKey: name) else { continue }
        spans[index].time = Interval(from: spans[index].time.from, to: max(time.to, spans[index].time.from))
      }
      guard row["state"] as Int != MountsSeen.State.gone.rawValue else { continue }
      open[name] = spans.count
      spans.append(
        MountRecords.Span(
          isHost: isHost, time: Interval(from: time.from, to: max(end, time.from)), table: row["mount_table"]))
    }
    return spans
  }

  /// What was known of the file system with a device number in a time, oldest first.
  public func fileSystems(device: UInt64, in time: Interval) throws(StoreError) -> [WatchedFileSystem] {
    try read(since: time.from) { db in
      let rows = try Row.fetchAll(
        db, sql: "SELECT * FROM file_systems WHERE device = ? AND since <= ? AND reason <> 'unmounted' ORDER BY id",
        arguments: [Int64(bitPattern: device), time.to.nanoseconds]
      ).map(WatchedFileSystem.init(row:))
      let within = rows.filter { $0.since >= time.from }
      return rows.filter { $0.since < time.from }.suffix(1) + within
    }
  }
}

extension Timestamp {
  /// The moment so many seconds later, within what there is.
  fileprivate func moved(seconds: Int64) -> Timestamp {
    let (sum, isFar) = nanoseconds.addingReportingOverflow(seconds * 1_000_000_000)
    return isFar ? (seconds < 0 ? .distantPast : .distantFuture) : Timestamp(nanoseconds: sum)
  }
}
