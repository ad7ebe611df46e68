internal import GRDB
public import Records

/// What was watched within a time, and what was not.
public struct CoverageReport: Sendable {
  /// A file system that was watched at some moment of it.
  public struct Place: Sendable {
    /// `f_fsid`.
    public var fileSystem: UInt64
    /// Where it was mounted.
    public var mountPoint: RawPath
    /// Its type.
    public var type: String
    /// What is vouched for on it.
    public var covered: IntervalSet
    /// What is not, with reasons.
    public var missing: [Gap]
  }

  /// The time.
  public var time: Interval
  /// The file systems, by mount point.
  public var places: [Place]
  /// Those that were there and never watched, with the reason.
  public var unwatched: [WatchedFileSystem]
  /// How many seals lie in it.
  public var seals = 0
  /// Canaries that were made, as the seals say.
  public var canariesSent = 0
  /// How many of them were seen.
  public var canariesSeen = 0
  /// How often each source told of a loss.
  public var losses: [String: Int] = [:]
  /// Times in which a witness missed something without which files' verdicts stand: the connector, audit.
  public var besides: [Gap] = []
  /// How far audit and the other witnesses agreed, for each day of it: whole days, in UTC.
  public var agreement: [Agreement] = []
}

extension StoreReader {
  /// What was covered within a time and what was not, for each file system that was watched at some moment of it.
  public func coverage(_ time: Interval) throws(StoreError) -> CoverageReport {
    try read(since: time.from) { db in
      let rows = try Row.fetchAll(
        db,
        sql: """
          SELECT f.* FROM file_systems f JOIN runs r ON r.id = f.run \
          WHERE coalesce(r.covered_to, r.started) >= ? AND f.since <= ? ORDER BY f.id
          """, arguments: [time.from.nanoseconds, time.to.nanoseconds])
      let watched = rows.filter { ($0["mode"] as String?) != nil && $0.unsigned("file_system") != 0 }
      let devices = Set(watched.map { $0.unsigned("device") })
      let others = rows.filter { !devices.contains($0.unsigned("device")) && $0["reason"] as String != "unmounted" }
      var report = CoverageReport(
        time: time, places: [],
        unwatched: Self.latest(others, by: "device").map(WatchedFileSystem.init(row:)))
      for row in Self.latest(watched, by: "file_system") {
        let fileSystem = row.unsigned("file_system")
        let found = try Self.uncovered(time, [fileSystem], db)
        report.places.append(
          CoverageReport.Place(
            fileSystem: fileSystem, mountPoint: row.path("mount_point") ?? RawPath([]), type: row["type"],
            covered: found.covered, missing: found.missing))
      }
      try Self.addSeals(to: &report, db)
      report.besides = Self.joined(
        try Self.gaps(time, db).filter { Self.secondOpinions.contains($0.source) }, within: time)
      report.agreement = try Self.agreement(time, db)
      return report
    }
  }

  /// What goes on is told now and then while it does: as one gap again.
  private static func joined(_ gaps: [Gap], within time: Interval) -> [Gap] {
    var found: [Gap] = []
    for gap in gaps.sorted(by: { ($0.time.from, $0.time.to) < ($1.time.from, $1.time.to) }) {
      guard let part = gap.time.intersection(time) else { continue }
      if let last = found.lastIndex(where: { $0.source == gap.source && $0.reason == gap.reason }),
        found[last].time.to >= part.from
      {
        found[last].time.to = max(found[last].time.to, part.to)
      } else {
        found.append(Gap(time: part, source: gap.source, reason: gap.reason, fileSystem: gap.fileSystem))
      }
    }
    return found
  }

  /// The last row of each number in a column, by mount point.
  private static func latest(_ rows: [Row], by column: String) -> [Row] {
    let last = Dictionary(rows.map { ($0.unsigned(column), $0) }, uniquingKeysWith: { $1 })
    return last.values.sorted {
      ($0.path("mount_point")?.bytes ?? []).lexicographicallyPrecedes($1.path("mount_point")?.bytes ?? [])
    }
  }

  private static func addSeals(to report: inout CoverageReport, _ db: Database) throws {
    let rows = try Row.fetchAll(
      db, sql: "SELECT * FROM seals WHERE t0 <= ? AND t1 >= ?",
      arguments: [report.time.to.nanoseconds, report.time.from.nanoseconds])
    report.seals = rows.count
    for row in rows {
      report.canariesSent += row["canaries_sent"] as Int
      report.canariesSeen += row["canaries_seen"] as Int
      for word in (row["losses"] as String).split(separator: " ") {
        let parts = word.split(separator: "=")
        if parts.count == 2, let count = Int(parts[1]) { report.losses[String(parts[0]), default: 0] += count }
      }
    }
  }

  /// The same for a question: on a file system where the target lay for a while, that while counts.
  static func uncovered(_ question: ProofQuestion, _ db: Database) throws -> (missing: [Gap], covered: IntervalSet) {
    var (missing, covered) = try uncovered(question.time, question.fileSystems, db)
    for former in question.formerFileSystems {
      guard let time = former.time.intersection(question.time) else { continue }
      let gaps = try uncovered(time, [former.fileSystem], db).missing.filter { gap in
        gap.source == "coverage" || gap.fileSystem == former.fileSystem
      }
      for gap in gaps where !missing.contains(gap) {
        missing.append(gap)
      }
    }
    covered = covered.subtracting(IntervalSet(missing.map(\.time)))
    return (missing.sorted { ($0.time.from, $0.source) < ($1.time.from, $1.source) }, covered)
  }

  /// Sources that are a second opinion: the first ones stand without it.
  private static let secondOpinions: Set<String> = ["connector", "audit"]

  /// The times in which names of files may have changed and nobody saw it: between runs, and where events were lost.
  static func unseen(_ db: Database) throws -> [Interval] {
    var found: [Interval] = []
    var vouched: Timestamp?
    let runs = try Row.fetchCursor(
      db, sql: "SELECT covered_from, covered_to FROM runs WHERE covered_to IS NOT NULL ORDER BY id")
    while let run = try runs.next() {
      guard let from = run.time("covered_from"), let to = run.time("covered_to") else { continue }
      if let vouched, vouched < from { found.append(Interval(from: vouched, to: from)) }
      vouched = max(vouched ?? to, to)
    }
    let lost = try Row.fetchCursor(db, sql: "SELECT source, t0, t1 FROM gaps")
    while let gap = try lost.next() {
      if !secondOpinions.contains(gap["source"]) { found.append(gap.span) }
    }
    return found
  }

  /// The sub-intervals that nothing vouches for, with reasons.
  ///
  /// - Parameter fileSystems: those that matter; nil where they cannot be told.
  static func uncovered(
    _ asked: Interval, _ fileSystems: Set<UInt64>?, _ db: Database
  ) throws -> (missing: [Gap], covered: IntervalSet) {
    var missing: [Gap] = []
    let runs = try Row.fetchAll(db, sql: "SELECT * FROM runs WHERE covered_to IS NOT NULL ORDER BY id")
    let watched = try Row.fetchAll(db, sql: "SELECT * FROM file_systems ORDER BY id")
    var good: [Interval] = []
    for run in runs {
      guard let from = run.time("covered_from"), let to = run.time("covered_to") else { continue }
      let whole = Interval(from: from, to: to)
      guard let clipped = whole.intersection(asked) else { continue }
      guard let needed = fileSystems, !needed.contains(0) else { continue }
      if let why = run["perf_missing"] as String? {
        missing.append(
          Gap(
            time: clipped, source: "perf",
            reason: "task records missing (\(why)): the process connector alone can be silenced, and names the "
              + "wrong parent after CLONE_PARENT", fileSystem: nil))
        continue
      }
      var part = IntervalSet([clipped])
      for fileSystem in needed {
        let seen = coverage(of: fileSystem, in: watched.filter { $0["run"] == run["id"] as Int64 }, whole)
        let lacking = seen.missing(from: clipped).filter { $0.from < $0.to || seen.intervals.isEmpty }
        missing += lacking.map {
          Gap(
            time: $0, source: "coverage", reason: "the target's file system was not watched",
            fileSystem: fileSystem)
        }
        part = IntervalSet(part.intervals.flatMap { seen.clipped(to: $0).intervals })
      }
      good += part.intervals
    }
    if fileSystems?.contains(0) != false {
      missing.append(
        Gap(
          time: asked, source: "coverage", reason: "the target's file system cannot be told", fileSystem: nil))
    }
    let losses = try gaps(asked, db).filter { gap in
      !secondOpinions.contains(gap.source)
        && (gap.fileSystem == nil || fileSystems?.contains(gap.fileSystem ?? 0) != false)
    }
    var all = runs.compactMap { run -> Interval? in
      guard let from = run.time("covered_from"), let to = run.time("covered_to") else { return nil }
      return Interval(from: from, to: to)
    }
    all.sort { $0.from < $1.from }
    for hole in IntervalSet(all).missing(from: asked) {
      missing.append(Gap(time: hole, source: "service", reason: "not capturing", fileSystem: nil))
    }
    for loss in losses where loss.source != "service" {
      if let part = loss.time.intersection(asked) {
        missing.append(Gap(time: part, source: loss.source, reason: loss.reason, fileSystem: loss.fileSystem))
      }
    }
    let pruned = try Int64.fetchOne(db, sql: "SELECT max(t1) FROM epochs WHERE pruned IS NOT NULL")
    if let pruned, asked.from.nanoseconds < pruned {
      missing.append(
        Gap(
          time: Interval(from: asked.from, to: min(asked.to, Timestamp(nanoseconds: pruned))), source: "retention",
          reason: "its time is over: what was recorded then has been deleted", fileSystem: nil))
    }
    for segment in try KeptSegment.absent(since: asked.from, db) {
      missing.append(
        Gap(
          time: Interval(from: asked.from, to: min(asked.to, segment.end)), source: "segment", reason: segment.reason,
          fileSystem: nil))
    }
    let covered = IntervalSet(good).subtracting(IntervalSet(missing.map(\.time)))
    return (missing.sorted { ($0.time.from, $0.source) < ($1.time.from, $1.source) }, covered)
  }

  /// When a file system was watched within a run.
  private static func coverage(of fileSystem: UInt64, in rows: [Row], _ run: Interval) -> IntervalSet {
    var parts: [Interval] = []
    var since: Timestamp?
    for row in rows where row.unsigned("file_system") == fileSystem {
      let time = row.time("since") ?? .distantFuture
      if (row["mode"] as String?) != nil {
        // What was marked before the run vouched for anything was marked all along.
        if since == nil { since = max(time, run.from) }
      } else if let begun = since {
        if begun <= time { parts.append(Interval(from: begun, to: time)) }
        since = nil
      }
    }
    if let begun = since, begun <= run.to { parts.append(Interval(from: begun, to: run.to)) }
    return IntervalSet(parts)
  }
}
