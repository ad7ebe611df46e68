internal import CTestActions
import LinuxKernel
import TestSupport

/// A child process that does one thing and ends (`CTestActions.h`).
struct Child {
  /// Its process id.
  let pid: Int32

  /// Starts it in `directory`.
  static func start(
    _ action: Action, in directory: ScratchDirectory, _ name: String = "a", _ other: String = "b",
    descriptor: Int32 = -1, number: Int = 0
  ) throws -> Child {
    let pid = unsafe act_start(action, directory.path, name, other, descriptor, Int32(number))
    guard pid > 0 else { throw Errno(rawValue: -pid) }
    return Child(pid: pid)
  }

  /// Starts it and waits for its end; throws the error it ended with.
  @discardableResult
  static func run(
    _ action: Action, in directory: ScratchDirectory, _ name: String = "a", _ other: String = "b",
    descriptor: Int32 = -1, number: Int = 0
  ) throws -> Int32 {
    let child = try start(action, in: directory, name, other, descriptor: descriptor, number: number)
    try child.finish()
    return child.pid
  }

  /// Waits for its end; throws the error it ended with.
  func finish() throws {
    let code = act_finish(pid)
    guard code == 0 else { throw Errno(rawValue: code) }
  }

  /// Whether it has ended; throws the error it ended with.
  func hasEnded() throws -> Bool {
    let code = act_poll(pid)
    guard code <= 0 else { throw Errno(rawValue: code) }
    return code == 0
  }

  /// What the child started last wrote down.
  static func note(_ index: Int) -> Int64 { act_note(Int32(index)) }
  /// The same, as a process id.
  static func notedPid(_ index: Int = 0) -> Int32 { Int32(truncatingIfNeeded: note(index)) }
  /// Waits for a child of this process that another child made.
  static func reap(_ pid: Int32) -> Int32 { act_finish(pid) }
}
