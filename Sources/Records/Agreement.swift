/// How often two witnesses told of the same, on one day: what audit told, and what the kernel's other sources did.
public struct Agreement: Hashable, Sendable {
  /// Of what it is the figure.
  public enum Matter: Int64, Sendable, CaseIterable {
    /// Executions within sessions.
    case executions = 1
    /// Files of classified places that sessions opened.
    case places = 2
  }

  /// The day in UTC, counted from 1970.
  public var day: Int64
  /// Of what.
  public var matter: Matter
  /// Told by both.
  public var both: Int
  /// Told by audit alone.
  public var auditOnly: Int
  /// Told by the others alone.
  public var othersOnly: Int

  /// A figure of these parts.
  public init(day: Int64, matter: Matter, both: Int = 0, auditOnly: Int = 0, othersOnly: Int = 0) {
    self.day = day
    self.matter = matter
    self.both = both
    self.auditOnly = auditOnly
    self.othersOnly = othersOnly
  }

  /// What anybody told of.
  public var all: Int { both + auditOnly + othersOnly }

  /// The day that a moment belongs to.
  public static func day(of time: Timestamp) -> Int64 {
    let (days, rest) = time.nanoseconds.quotientAndRemainder(dividingBy: 86_400_000_000_000)
    return rest < 0 ? days - 1 : days
  }
}
