internal import Journal

/// What bystanders did in the last moments, as the kernel told it: audit tells later than fanotify whom a session asked
/// to act for it. In memory alone, and only where audit tells.
struct RecentEvents {
  /// Some twenty thousand events.
  static let room = 2 << 20
  /// In nanoseconds: audit is not so late, unless it loses something.
  static let span: UInt64 = 2_000_000_000

  /// The ends of batches, and where in `bytes` each begins.
  private var batches: [(end: BatchEnd, from: Int)] = []
  private var bytes: [UInt8] = []
  /// CLOCK_MONOTONIC up to which something did not fit.
  private var lostTo: UInt64 = 0

  /// CLOCK_MONOTONIC: everything since is here; nil where nothing is.
  var oldest: UInt64? { batches.first.map { max($0.end.lower, lostTo) } }

  /// A batch begins.
  mutating func begin(_ end: BatchEnd) {
    if bytes.count > Self.room / 4 * 3 || batches.count > 4096 { forget(until: end) }
    batches.append((end, bytes.count))
  }

  /// Seldom, and much at once: the older half, and what is older than anybody asks for.
  private mutating func forget(until end: BatchEnd) {
    let middle = batches.firstIndex { $0.from >= bytes.count / 2 } ?? batches.count
    let old = batches.firstIndex { $0.end.upper.later(by: Self.span) >= end.upper } ?? batches.count
    let keep = max(middle, old)
    let from = keep < batches.count ? batches[keep].from : bytes.count
    bytes.removeSubrange(..<from)
    batches = batches[keep...].map { ($0.end, $0.from - from) }
  }

  /// Takes in an event of the batch.
  mutating func append(_ event: RawSpan) {
    guard bytes.count + event.byteCount <= Self.room else {
      // What does not fit any more is as good as all before it.
      lostTo = batches.last?.end.upper ?? lostTo
      bytes.removeAll(keepingCapacity: true)
      batches = batches.last.map { [($0.end, 0)] } ?? []
      return
    }
    unsafe event.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
  }

  /// The events of each batch that ended since `time`.
  func events(since time: UInt64) -> [(end: BatchEnd, bytes: [UInt8])] {
    batches.indices.compactMap { index in
      guard batches[index].end.upper >= time else { return nil }
      let to = index + 1 < batches.count ? batches[index + 1].from : bytes.count
      return (batches[index].end, Array(bytes[batches[index].from..<to]))
    }
  }
}

extension RecentEvents: Archived {
  static var blank: RecentEvents { RecentEvents() }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    let empty = BatchEnd(lower: 0, upper: 0, wall: 0, boot: 0, emptied: 0)
    try archive.list(&batches, (empty, 0)) { (archive, batch) throws(JournalError) in
      try archive(&batch.end.lower)
      try archive(&batch.end.upper)
      try archive(&batch.end.wall)
      try archive(&batch.end.boot)
      try archive(&batch.end.emptied)
      try archive(&batch.from)
    }
    try archive(&bytes)
    try archive(&lostTo)
    // A damaged snapshot must not lead outside.
    guard archive.isReading else { return }
    let places = batches.map(\.from)
    guard places == places.sorted(), places.allSatisfy({ (0...bytes.count).contains($0) }) else {
      throw .truncated(offset: 0)
    }
  }
}
