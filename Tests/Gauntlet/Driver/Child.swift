internal import CLinux
import Foundation
import Glibc

/// A failure of the Gauntlet itself, never a finding.
struct Trouble: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }
}

enum Wall {
  /// Nanoseconds since 1970.
  static var now: Int64 { read(CLOCK_REALTIME) }
  static var monotonic: Int64 { read(CLOCK_MONOTONIC) }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    _ = unsafe clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  /// Sets the clock by so much; what is to be undone by its opposite.
  static func step(seconds: Int) {
    var time = timespec()
    _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
    time.tv_sec += seconds
    _ = unsafe clock_settime(CLOCK_REALTIME, &time)
  }

  static func sleep(milliseconds: Int) { usleep(UInt32(milliseconds) * 1000) }

  /// RFC 3339 with all nine digits.
  static func text(_ nanoseconds: Int64) -> String {
    let seconds = nanoseconds / 1_000_000_000, days = seconds / 86_400, inDay = seconds % 86_400
    // Days from 0000-03-01, so that a leap day is a year's last (Howard Hinnant's `civil_from_days`).
    let shifted = days + 719_468, era = shifted / 146_097, dayOfEra = shifted % 146_097
    let year = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * year + year / 4 - year / 100), fifth = (5 * dayOfYear + 2) / 153
    let month = fifth < 10 ? fifth + 3 : fifth - 9, day = dayOfYear - (153 * fifth + 2) / 5 + 1
    let date = "\(pad(year + era * 400 + (month <= 2 ? 1 : 0), 4))-\(pad(month, 2))-\(pad(day, 2))"
    let clock = "\(pad(inDay / 3600, 2)):\(pad(inDay / 60 % 60, 2)):\(pad(inDay % 60, 2))"
    return "\(date)T\(clock).\(pad(nanoseconds % 1_000_000_000, 9))Z"
  }

  /// The inverse, for what Alibi prints.
  static func nanoseconds(_ text: String) -> Int64? {
    let parts = text.split(whereSeparator: { !$0.isNumber })
    let numbers = parts.compactMap { Int64($0) }
    guard numbers.count == parts.count, numbers.count == 6 || numbers.count == 7, text.hasSuffix("Z") else {
      return nil
    }
    let year = numbers[1] <= 2 ? numbers[0] - 1 : numbers[0], era = year / 400
    let inYear = (153 * (numbers[1] > 2 ? numbers[1] - 3 : numbers[1] + 9) + 2) / 5 + numbers[2] - 1
    let days = era * 146_097 + year % 400 * 365 + year % 400 / 4 - year % 400 / 100 + inYear - 719_468
    let seconds = days * 86_400 + numbers[3] * 3600 + numbers[4] * 60 + numbers[5]
    guard numbers.count == 7 else { return seconds * 1_000_000_000 }
    let fraction = String(parts[6]).padding(toLength: 9, withPad: "0", startingAt: 0)
    return Int64(fraction).map { seconds * 1_000_000_000 + $0 }
  }

  private static func pad(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}

/// A program that the driver started. What it prints goes to a file that has no name.
final class Child {
  let pid: Int32
  private let output: Int32
  private var status: Int32?

  /// `descriptors` maps numbers in the child to numbers here.
  init(_ program: String, _ arguments: [String], descriptors: [Int32: Int32] = [:], errors: Int32 = -1) throws {
    // Over a socket that was left open a session could ask the driver to do something.
    _ = cl_inherit_nothing()
    output = unsafe cl_memfd("output")
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe _ = posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, errors >= 0 ? errors : output, 2)
    for (number, own) in descriptors { unsafe posix_spawn_file_actions_adddup2(&actions, own, number) }
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe _ = posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var vector = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
    defer { unsafe vector.forEach { unsafe free($0) } }
    var child: Int32 = 0
    let error = unsafe posix_spawn(&child, program, &actions, &attributes, &vector, environ)
    guard error == 0 else { throw Trouble("\(program): \(unsafe String(cString: strerror(error)))") }
    pid = child
  }

  deinit {
    if status == nil {
      kill(pid, SIGKILL)
      _ = wait()
    }
    close(output)
  }

  func signal(_ number: Int32) {
    if status == nil { kill(pid, number) }
  }

  /// The exit status, or 1000 plus the signal.
  @discardableResult
  func wait() -> Int32 {
    if let status { return status }
    var word: Int32 = 0
    while unsafe waitpid(pid, &word, 0) < 0 && errno == EINTR {}
    let result = word & 0x7f == 0 ? word >> 8 & 0xff : 1000 + word & 0x7f
    status = result
    return result
  }

  /// Whether it has ended.
  func hasEnded() -> Bool {
    guard status == nil else { return true }
    var word: Int32 = 0
    guard unsafe waitpid(pid, &word, WNOHANG) != 0 else { return false }
    status = word & 0x7f == 0 ? word >> 8 & 0xff : 1000 + word & 0x7f
    return true
  }

  /// Everything it printed; only after it has ended.
  func text() -> [UInt8] {
    let size = Int(lseek(output, 0, SEEK_END))
    guard size > 0 else { return [] }
    var bytes = [UInt8](repeating: 0, count: size)
    let count = unsafe pread(output, &bytes, size, 0)
    return Array(bytes.prefix(max(0, count)))
  }

  @discardableResult
  static func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: [UInt8]) {
    let child = try Child(program, arguments)
    let status = child.wait()
    return (status, child.text())
  }
}
