/// A closed span of time, `from` not after `to`.
public struct Interval: Hashable, Sendable {
  /// The first moment.
  public var from: Timestamp
  /// The last moment.
  public var to: Timestamp

  /// The span between two moments; a reversed pair is put in order.
  public init(from: Timestamp, to: Timestamp) {
    self.from = min(from, to)
    self.to = max(from, to)
  }

  /// Whether the two have a moment in common.
  public func overlaps(_ other: Interval) -> Bool { from <= other.to && other.from <= to }

  /// What the two have in common.
  public func intersection(_ other: Interval) -> Interval? {
    overlaps(other) ? Interval(from: max(from, other.from), to: min(to, other.to)) : nil
  }

  /// The length in seconds.
  public var seconds: Double { (Double(to.nanoseconds) - Double(from.nanoseconds)) / 1e9 }
}

/// A set of moments kept as disjoint intervals in order.
public struct IntervalSet: Hashable, Sendable {
  /// Disjoint, sorted, never touching each other.
  public private(set) var intervals: [Interval] = []

  /// The set of the moments of all these intervals.
  public init(_ parts: some Sequence<Interval> = []) {
    for part in parts.sorted(by: { $0.from < $1.from }) {
      if let last = intervals.last, part.from <= last.to {
        intervals[intervals.count - 1].to = max(last.to, part.to)
      } else {
        intervals.append(part)
      }
    }
  }

  /// The moments of `whole` that are not in this set. Ends are shared: what touches is not apart.
  public func missing(from whole: Interval) -> [Interval] {
    var open: [Interval] = []
    var reached = whole.from
    var touched = false
    for part in intervals[first(reaching: whole.from)...] {
      guard part.from <= whole.to else { break }
      if part.from > reached { open.append(Interval(from: reached, to: part.from)) }
      reached = max(reached, part.to)
      touched = true
    }
    if reached < whole.to || !touched { open.append(Interval(from: reached, to: whole.to)) }
    return open
  }

  /// The place of the first interval that does not end before `moment`.
  private func first(reaching moment: Timestamp) -> Int {
    var (low, high) = (0, intervals.count)
    while low < high {
      let middle = low + (high - low) / 2
      if intervals[middle].to < moment { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The set without the inside of every one of `holes`.
  public func subtracting(_ holes: IntervalSet) -> IntervalSet {
    IntervalSet(intervals.flatMap(holes.missing(from:)))
  }

  /// The moments common to this set and `whole`.
  public func clipped(to whole: Interval) -> IntervalSet {
    IntervalSet(intervals.compactMap { $0.intersection(whole) })
  }

  /// The length in seconds.
  public var seconds: Double { intervals.reduce(0) { $0 + $1.seconds } }
}
