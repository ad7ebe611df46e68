public import Journal
public import LinuxKernel
internal import Synchronization

/// What other threads ask of the collector.
public final class CaptureMailbox: Sendable {
  enum Request: Sendable {
    case barrier(UInt64)
    case follow(Int32)
    case nursery(Int32)
    case heartbeat(Heartbeat)

    var isBarrier: Bool { if case .barrier = self { true } else { false } }
  }

  private struct State {
    var requests: [Request] = []
    var isStopping = false
    var places: [CanaryPlace] = []
  }

  private let state = Mutex(State())
  let wakeUp: WakeUp

  /// An empty mailbox.
  public init() throws(Errno) {
    wakeUp = try WakeUp()
  }

  /// Asks to watch the mount namespace of a session's process.
  public func follow(_ pid: Int32) { post(.follow(pid)) }

  /// Tells whose descendants are canaries from now on.
  public func announce(nursery pid: Int32) { post(.nursery(pid)) }

  /// Tells of canaries that were made; the batch that is read next will hold them, and then these barriers.
  public func beat(_ heartbeat: Heartbeat?, barriers: [UInt64]) {
    state.withLock { state in
      if let heartbeat { state.requests.append(.heartbeat(heartbeat)) }
      state.requests += barriers.map { .barrier($0) }
    }
    wakeUp.signal()
  }

  /// Where canaries belong: the file systems that are watched now.
  public internal(set) var places: [CanaryPlace] {
    get { state.withLock { $0.places } }
    set { state.withLock { $0.places = newValue } }
  }

  /// Asks the collector to end after one more batch.
  public func stop() {
    state.withLock { $0.isStopping = true }
    wakeUp.signal()
  }

  private func post(_ request: Request) {
    state.withLock { $0.requests.append(request) }
    wakeUp.signal()
  }

  func take() -> (requests: [Request], isStopping: Bool) {
    wakeUp.clear()
    return state.withLock { state in
      defer { state.requests.removeAll() }
      return (state.requests, state.isStopping)
    }
  }
}

/// A watched file system, for a canary.
public struct CanaryPlace: Sendable {
  /// `st_dev`, major in the upper and minor in the lower 32 bits.
  public var device: UInt64
  /// A directory of it, as this process reaches it.
  public var path: [UInt8]
  /// Whether opening the directory is an event: in descriptor mode only files are.
  public var tellsOfDirectories: Bool
}
