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
    notProven = IntervalSet(doubts).clipped(to: asked).subtracting(accessed)
    proven = IntervalSet(IntervalSet(accessed.intervals + notProven.intervals).missing(from: asked))
  }
}
