/// The mounts of a namespace, as they were seen or could not be.
///
/// They may have been so since `time.from`, and were at `time.to`: what was before held until then at the latest.
public struct MountsSeen: Hashable, Sendable {
  /// What is known of the mounts.
  public enum State: Int, Hashable, Sendable {
    /// Nobody of a session lives in the namespace any more.
    case gone = 0
    /// The table tells them.
    case known = 1
    /// They were others than any table tells, or too many.
    case unknown = 2
  }

  /// What /proc/PID/ns/mnt says.
  public var namespace: String
  /// Whether it is the host's own.
  public var isHost: Bool
  /// Whether it is a recorder's first look at the host's: what it does not restate of other namespaces is gone.
  public var isFirst: Bool
  /// What is known.
  public var state: State
  /// /proc/PID/mountinfo; empty unless it is known.
  public var table: [UInt8]
  /// Since when it may have been so, and when it was seen.
  public var time: Interval

  /// A look of these facts.
  public init(
    namespace: String, isHost: Bool, isFirst: Bool = false, state: State, table: [UInt8], time: Interval
  ) {
    self.namespace = namespace
    self.isHost = isHost
    self.isFirst = isFirst
    self.state = state
    self.table = table
    self.time = time
  }
}
