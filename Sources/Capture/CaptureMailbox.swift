public import LinuxKernel
internal import Synchronization

/// What other threads ask of the collector.
public final class CaptureMailbox: Sendable {
  enum Request: Sendable {
    case barrier(UInt64)
    case follow(Int32)
  }

  private struct State {
    var requests: [Request] = []
    var isStopping = false
  }

  private let state = Mutex(State())
  let wakeUp: WakeUp

  /// An empty mailbox.
  public init() throws(Errno) {
    wakeUp = try WakeUp()
  }

  /// Asks for a batch that ends after this moment, with `number` in it.
  public func barrier(_ number: UInt64) { post(.barrier(number)) }

  /// Asks to watch the mount namespace of a session's process.
  public func follow(_ pid: Int32) { post(.follow(pid)) }

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
