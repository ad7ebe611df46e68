internal import CLinux

/// The kernel's clocks, in nanoseconds.
public enum Clock: Sendable {
  /// CLOCK_MONOTONIC: the clock of perf records and of the connector; stands still in suspend.
  case monotonic
  /// CLOCK_BOOTTIME: goes on in suspend; process start times in /proc are of this clock.
  case boot
  /// CLOCK_REALTIME: what people call the time; may be set.
  case wall

  /// The present reading.
  public var now: UInt64 {
    var spec = timespec()
    let id =
      switch self {
      case .monotonic: CLOCK_MONOTONIC
      case .boot: CLOCK_BOOTTIME
      case .wall: CLOCK_REALTIME
      }
    _ = unsafe clock_gettime(id, &spec)
    return UInt64(spec.tv_sec) &* 1_000_000_000 &+ UInt64(spec.tv_nsec)
  }
}

/// Lets this thread sleep.
public func sleepThread(nanoseconds: UInt64) {
  var span = timespec(tv_sec: Int(nanoseconds / 1_000_000_000), tv_nsec: Int(nanoseconds % 1_000_000_000))
  _ = unsafe nanosleep(&span, nil)
}
