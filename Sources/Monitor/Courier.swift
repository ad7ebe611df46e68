internal import Anchoring
internal import Capture
internal import LinuxKernel

/// The sender's process: started when there is something to send, and again, less and less soon, when it dies.
///
/// It belongs to another user, and this holds nothing of it but its pid and an end of a pair of sockets. Not
/// thread-safe.
final class Courier {
  private struct Running {
    let process: ChildProcess
    let channel: MessageChannel
    let started: UInt64
  }

  private let user: UInt32
  private let group: UInt32
  private var running: Running?
  private var failures = 0
  private var notBefore: UInt64 = 0

  private static let program = "alibi-sender"
  /// Where a package puts it; beside this program it is looked for first.
  private static let usualPlace = "/usr/libexec/alibi/"

  init(user: UInt32, group: UInt32) {
    self.user = user
    self.group = group
  }

  deinit {
    guard let running else { return }
    running.process.signal(9)
    _ = running.process.awaitEnding()
  }

  /// The sender's pid; nil where none runs.
  var pid: Int32? { running?.process.pid }

  /// What becomes readable with a reply.
  var descriptor: Int32? { running?.channel.descriptor.raw }

  /// Starts one where none runs and it is time; whether one has been started.
  func start(at now: UInt64) throws(Errno) -> Bool {
    guard running == nil, now >= notBefore else { return false }
    do throws(Errno) {
      let pair = try MessageChannel.Pair()
      let own = String(decoding: try readLink("/proc/self/exe"), as: UTF8.self)
      let beside = own.prefix(through: own.lastIndex(of: "/") ?? own.startIndex) + Self.program
      let isBeside = (try? FileStatus(path: Array(beside.utf8), following: true))?.isRegular == true
      let program = isBeside ? String(beside) : Self.usualPlace + Self.program
      let process = try ChildProcess(
        program, [program, "\(pair.theirs.raw)", "\(user)", "\(group)"], variable: (Handover.variable, "sender"),
        inheriting: [pair.theirs.raw])
      running = Running(process: process, channel: pair.ours, started: now)
      return true
    } catch {
      delay(now)
      throw error
    }
  }

  /// Hands a letter over.
  func give(_ letter: Letter) throws(Errno) {
    guard running != nil else { throw .brokenPipe }
    try running?.channel.send(letter.bytes, waits: false)
  }

  /// The next reply; nil where none waits. A sender that is gone, or that says what it may not, throws.
  func take() throws(Errno) -> Reply? {
    while true {
      guard let received = try running?.channel.receive(limit: Reply.mostBytes + 1024, waits: false) else { return nil }
      switch received {
      case .none: return nil
      case .end: throw .brokenPipe
      case .tooLong: throw .invalidArgument
      case .message(let bytes):
        guard let reply = Reply(bytes) else { throw .invalidArgument }
        return reply
      }
    }
  }

  /// Ends the one that runs; how it had ended, in words.
  func end(at now: UInt64) -> String {
    guard let running = running.take() else { return "the sender does not run" }
    // It may have ended of itself; if not, it ends now.
    running.process.signal(9)
    let ending = running.process.awaitEnding()
    failures = now - running.started < 10_000_000_000 ? failures + 1 : 0
    delay(now)
    return "the sender ended: \(ending)"
  }

  private func delay(_ now: UInt64) {
    notBefore = now + 1_000_000_000 << UInt64(min(failures, 6))
  }
}
