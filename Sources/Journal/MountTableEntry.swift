/// The mounts of a namespace as they were seen, or that they could not be.
///
/// From `since` on it may have been so, at `seen` it was: what was before held until `seen` at the latest.
public struct MountTableEntry: JournalValue, Hashable, Sendable {
  /// What is known of the mounts.
  public enum State: UInt8, Hashable, Sendable {
    /// Nobody of a session lives in the namespace any more.
    case gone = 0
    /// The table tells them.
    case known = 1
    /// They were others than any table tells, or too many.
    case unknown = 2
  }

  /// See `JournalValue`.
  public static let kind = EntryKind.mountTable
  /// What /proc/PID/ns/mnt says.
  public var namespace: [UInt8]
  /// Whether it is the host's own.
  public var isHost: Bool
  /// Whether it is a recorder's first look at the host's: what it does not restate of other namespaces is gone.
  public var isFirst: Bool
  /// What is known.
  public var state: State
  /// /proc/PID/mountinfo; empty unless it is known.
  public var table: [UInt8]
  /// CLOCK_MONOTONIC
  public var since: UInt64
  /// CLOCK_MONOTONIC
  public var seen: UInt64

  /// An entry of these parts.
  public init(
    namespace: [UInt8], isHost: Bool, isFirst: Bool = false, state: State, table: [UInt8], since: UInt64, seen: UInt64
  ) {
    self.namespace = namespace
    self.isHost = isHost
    self.isFirst = isFirst
    self.state = state
    self.table = table
    self.since = since
    self.seen = seen
  }

  /// See `JournalValue`.
  public func write(to writer: inout ByteWriter) {
    writer.write(namespace)
    writer.write(UInt8((isHost ? 1 : 0) | (isFirst ? 2 : 0)))
    writer.write(state.rawValue)
    writer.write(table)
    writer.write(since)
    writer.write(seen)
  }

  /// See `JournalValue`.
  public init(from reader: inout ByteReader) throws(JournalError) {
    namespace = try reader.byteString()
    let flags = try reader.integer(UInt8.self)
    isHost = flags & 1 != 0
    isFirst = flags & 2 != 0
    let at = reader.offset
    guard let state = State(rawValue: try reader.integer()) else { throw .truncated(offset: at) }
    self.state = state
    table = try reader.byteString()
    since = try reader.integer()
    seen = try reader.integer()
  }
}
