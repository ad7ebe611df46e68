internal import CLinux
internal import Glibc

/// A thread of its own for a loop that blocks in the kernel: neither an executor's nor Dispatch's to schedule.
public struct KernelThread: ~Copyable, Sendable {
  private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  private let handle: pthread_t

  /// Starts a thread; `name` shows in `comm`, at most 15 bytes.
  public init(name: String, _ body: @escaping @Sendable () -> Void) throws(Errno) {
    let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
    var handle = pthread_t()
    let code = unsafe pthread_create(
      &handle, nil,
      { argument in
        guard let argument = unsafe argument else { return nil }
        let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
        unsafe cl_name_thread(start.name)
        start.body()
        return nil
      }, start.toOpaque())
    guard code == 0 else {
      unsafe start.release()
      throw Errno(rawValue: code)
    }
    self.handle = handle
  }

  /// Lets the calling thread run before every ordinary one (SCHED_FIFO), so that it is woken without delay; without the
  /// right to that it stays an ordinary one.
  public static func hurry() {
    var priority = sched_param(sched_priority: 1)
    _ = unsafe sched_setscheduler(0, SCHED_FIFO, &priority)
  }

  /// Waits until the thread has ended.
  public consuming func join() {
    _ = pthread_join(handle, nil)
  }
}
