public import Records

/// The asked time in three parts: of every moment it is said what can be said. Neighbours share their ends.
public struct Division: Sendable, Hashable {
  /// Nothing was accessed then, and that is vouched for.
  public let proven: IntervalSet
  /// The target was accessed then, or held.
  public let accessed: IntervalSet
  /// Nobody can say.
  public let notProven: IntervalSet

  /// Divides `asked`.
  ///
  /// - Parameters:
  ///   - accesses: when accesses were made, or what they opened or mapped was held.
  ///   - doubts: when something was in the way of a no.
  init(of asked: Interval, accesses: [Interval], doubts: [Interval]) {
    accessed = IntervalSet(accesses).clipped(to: asked)
    var doubtful = IntervalSet(doubts).clipped(to: asked)
    for access in accessed.intervals { doubtful = doubtful.subtracting(access) }
    notProven = doubtful
    var rest = IntervalSet([asked])
    for part in accessed.intervals + doubtful.intervals { rest = rest.subtracting(part) }
    proven = rest
  }
}

extension IntervalSet {
  /// The set without the inside of `hole`.
  func subtracting(_ hole: Interval) -> IntervalSet {
    IntervalSet(
      intervals.flatMap { part -> [Interval] in
        guard part.overlaps(hole) else { return [part] }
        var left: [Interval] = []
        if part.from < hole.from { left.append(Interval(from: part.from, to: hole.from)) }
        if hole.to < part.to { left.append(Interval(from: hole.to, to: part.to)) }
        return left
      })
  }
}
