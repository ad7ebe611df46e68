internal import CLinux

/// Waits for any of several descriptors, epoll(7).
public final class Poller: Sendable {
  private let descriptor: OwnedDescriptor

  /// As many as one wait tells of.
  public static let most = 32

  /// An empty set.
  public init() throws(Errno) {
    descriptor = OwnedDescriptor(adopting: try call { epoll_create1(Int32(bitPattern: 0o2000000)) })
  }

  /// Watches a descriptor for input; `priority` watches for EPOLLPRI|EPOLLERR, which /proc/PID/mountinfo raises.
  public func add(_ raw: Int32, tag: UInt64, priority: Bool = false) throws(Errno) {
    let own = descriptor.raw
    _ = try call { cl_epoll_add(own, raw, priority ? 1 : 0, tag) }
  }

  /// Stops watching.
  public func remove(_ raw: Int32) {
    _ = epoll_ctl(descriptor.raw, EPOLL_CTL_DEL, raw, nil)
  }

  /// Waits at most `milliseconds` (-1: for ever) and returns the tags of what is ready.
  public func wait(milliseconds: Int32) throws(Errno) -> [UInt64] {
    var tags = [UInt64](repeating: 0, count: Self.most)
    let own = descriptor.raw
    let count = try call { unsafe cl_epoll_wait(own, &tags, Int32(Self.most), milliseconds) }
    return Array(tags[..<Int(count)])
  }
}

/// A counter other threads can wake a poller with, eventfd(2).
public final class WakeUp: Sendable {
  /// Readable once signalled.
  public let descriptor: OwnedDescriptor

  /// A counter at zero.
  public init() throws(Errno) {
    descriptor = OwnedDescriptor(adopting: try call { eventfd(0, Int32(0o2000000 | 0o4000)) })
  }

  /// Wakes whoever waits.
  public func signal() {
    var one: UInt64 = 1
    _ = unsafe write(descriptor.raw, &one, 8)
  }

  /// Resets the counter.
  public func clear() {
    var value: UInt64 = 0
    _ = unsafe read(descriptor.raw, &value, 8)
  }
}
