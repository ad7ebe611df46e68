internal import Certificates
public import Evidence
internal import LinuxKernel
internal import MerkleLog
internal import Records

/// The stretches of time whose values become a file of their own when they are over.
public struct Periods: Sendable {
  /// What the period is called in which a moment lies, and when it is over.
  let holding: @Sendable (Timestamp) -> (name: String, end: Timestamp)

  /// So many months, from January on where they are a part of a year.
  public static func months(_ count: Int64) -> Periods {
    Periods { time in
      let first = time.month - time.month % count
      return (String(Timestamp(month: first).description.prefix(7)), Timestamp(month: first + count))
    }
  }

  /// A quarter of a year; where records are kept for more than two years so many months that what is kept is in no more
  /// files than can be asked as one, which are ten.
  public static func fitting(_ days: UInt64) -> Periods {
    let counts: [Int64] = [3, 6, 12, 24, 60, 120]
    return months(counts.first { Int64(clamping: days) <= $0 * 30 * 8 } ?? 240)
  }

  /// Days in UTC.
  static let days = Periods { time in
    let day: Int64 = 86_400_000_000_000
    let next = Timestamp(nanoseconds: (time.nanoseconds / day + 1) * day)
    return (String(time.description.prefix(10)), next)
  }
}

// Segments: what was recorded in a period that is over becomes a file that is only read, and the live store keeps what
// later times depend on.
extension Keeper {
  /// What has been done for a segment; a process may end after each.
  enum SegmentStep: CaseIterable {
    case copied
    case named
    case recorded
    case emptied
  }

  /// Makes the segments of periods that are over: those whose epochs are all closed.
  ///
  /// A file that no record tells of is nothing, and is made again; one that is recorded is whole, whatever of it the live
  /// store still has.
  ///
  /// - Returns: how many were made.
  public static func makeSegments(_ writer: StoreWriter) throws -> Int {
    guard let days = try writer.retentionDays() else { return 0 }
    return try makeSegments(writer, periods: .fitting(days))
  }

  static func makeSegments(_ writer: StoreWriter, periods: Periods) throws -> Int {
    try makeSegments(writer, periods: periods) { _ in }
  }

  static func makeSegments(
    _ writer: StoreWriter, periods: Periods, most: Int = 400, after: (SegmentStep) throws -> Void
  ) throws -> Int {
    try removeStrays(writer)
    try follow(writer)
    // What an earlier process had begun; and each before the next, which else would have all of it once more.
    try empty(writer, most: most, after: after)
    let due = try due(writer, periods)
    for each in due {
      try make(each.name, each.epochs, writer, after: after)
      try empty(writer, most: most, after: after)
    }
    return due.count
  }

  private static func empty(_ writer: StoreWriter, most: Int, after: (SegmentStep) throws -> Void) throws {
    guard try letGo(writer, most: most) > 0 else { return }
    try after(.emptied)
    _ = try sweep(writer)
    _ = try writer.emptyLog()
  }

  private static func due(
    _ writer: StoreWriter, _ periods: Periods
  ) throws -> [(name: String, epochs: ClosedRange<UInt64>)] {
    let epochs = try writer.unsegmented()
    guard let reach = epochs.last?.time.to else { return [] }
    var found: [(name: String, epochs: ClosedRange<UInt64>)] = []
    for epoch in epochs {
      let period = periods.holding(epoch.time.from)
      guard period.end <= reach else { break }
      if let last = found.last, last.name == period.name {
        found[found.count - 1].epochs = last.epochs.lowerBound...epoch.number
      } else {
        found.append((period.name, epoch.number...epoch.number))
      }
    }
    return found
  }

  private static func make(
    _ period: String, _ epochs: ClosedRange<UInt64>, _ writer: StoreWriter, after: (SegmentStep) throws -> Void
  ) throws {
    let state = writer.directory
    let directory = KeptSegment.directory(state)
    try OwnFiles.makeDirectory(directory, mode: 0o750)
    try OwnFiles.share(directory, like: state)
    // Whoever had other periods before may have begun one on the same day.
    let taken = Set(try writer.segments().map(\.period))
    let name = taken.contains(period) ? "\(period)-\(epochs.lowerBound)" : period
    let path = "\(directory)/\(name).sqlite"
    OwnFiles.remove(path + ".new")
    var segment = try KeptSegment.make(name, epochs, from: state, to: path + ".new")
    try after(.copied)
    segment.file = "\(name).sqlite"
    try place(&segment, path + ".new", state)
    try after(.named)
    if try !writer.keep(segment, line(segment)) { OwnFiles.remove(path) }
    try after(.recorded)
  }

  /// Gives a file that is written its name, and says what is in it.
  static func place(_ segment: inout KeptSegment, _ path: String, _ state: String) throws {
    let directory = KeptSegment.directory(state)
    try OwnFiles.seal(path, like: state + "/alibi.sqlite")
    try OwnFiles.sync(path)
    segment.size = UInt64(try FileStatus(path: Array(path.utf8)).size)
    segment.hash = try KeptSegment.hash(of: path)
    try OwnFiles.rename(path, to: "\(directory)/\(segment.file)")
    try OwnFiles.sync(directory)
  }

  static func line(_ segment: KeptSegment) throws -> LogLine {
    try Sealer.line(
      LogRecord(
        .segment,
        [
          .word(segment.period), .number(segment.epochs.lowerBound), .number(segment.epochs.upperBound),
          .number(segment.size), .hash(segment.hash),
        ]))
  }

  /// Takes what was erased out of the segments: each that has something of it is written anew, and a record tells of the
  /// file that has taken its place.
  static func follow(_ writer: StoreWriter, after: (SegmentStep) throws -> Void = { _ in }) throws {
    let state = writer.directory
    for segment in try writer.segments() where try segment.isBehind(writer) {
      // What was altered must not become what was sealed.
      if let fault = segment.fault(in: state, isThorough: true) { throw StoreError.incomplete(fault) }
      let path = "\(KeptSegment.directory(state))/\(segment.period).new"
      OwnFiles.remove(path)
      var erasure: Int64 = -1
      guard var made = try segment.rewritten(from: state, to: path, erasure: &erasure) else {
        try writer.note(segment, follows: erasure)
        continue
      }
      try after(.copied)
      made.file = "\(segment.period)_\(erasure).sqlite"
      try place(&made, path, state)
      try after(.named)
      try writer.replace(made, line(made))
      try after(.recorded)
    }
    try removeStrays(writer)
  }

  /// Removes files that no segment has: begun and not recorded, replaced, or over.
  static func removeStrays(_ writer: StoreWriter) throws {
    let directory = KeptSegment.directory(writer.directory)
    let kept = Set(try writer.segments().map(\.file))
    for name in try OwnFiles.names(in: directory) where !kept.contains(name) {
      OwnFiles.remove("\(directory)/\(name)")
    }
  }
}
