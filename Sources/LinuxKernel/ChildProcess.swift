internal import CLinux
internal import Glibc

/// A program that this process started, and its end.
public struct ChildProcess: Sendable {
  /// How a program ended.
  public enum Ending: Equatable, Sendable, CustomStringConvertible {
    /// With an exit status.
    case exited(Int32)
    /// By a signal.
    case killed(Int32)

    init(status word: Int32) {
      self = word & 0x7f == 0 ? .exited(word >> 8 & 0xff) : .killed(word & 0x7f)
    }

    /// In words.
    public var description: String {
      switch self {
      case .exited(let status): "exit status \(status)"
      case .killed(let signal): "signal \(signal)"
      }
    }
  }

  /// Its pid.
  public let pid: Int32

  /// Starts `program` with these arguments, the first of which is its name, with this environment variable added, and
  /// with these descriptors inherited besides the standard ones. No signal is blocked in it.
  ///
  /// - Throws: errors of posix_spawn(3).
  public init(
    _ program: String, _ arguments: [String], variable: (name: String, value: String), inheriting: [Int32]
  ) throws(Errno) {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe _ = posix_spawn_file_actions_destroy(&actions) }
    // Onto itself: that clears FD_CLOEXEC in the child alone.
    for raw in inheriting { unsafe posix_spawn_file_actions_adddup2(&actions, raw, raw) }
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe _ = posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var vector = unsafe arguments.map { unsafe strdup($0) } + [nil]
    var environment = unsafe Self.environment(variable)
    defer { unsafe (vector + environment).forEach { unsafe free($0) } }
    var pid: Int32 = 0
    let code = unsafe posix_spawn(&pid, program, &actions, &attributes, &vector, &environment)
    guard code == 0 else { throw Errno(rawValue: code) }
    self.pid = pid
  }

  /// A child that this process started before it executed another program.
  public init(started pid: Int32) {
    self.pid = pid
  }

  /// Sends it a signal.
  public func signal(_ number: Int32) { _ = kill(pid, number) }

  /// How it ended, if it has; it must not be asked again then.
  public func ending() -> Ending? {
    var word: Int32 = 0
    guard unsafe waitpid(pid, &word, WNOHANG) == pid else { return nil }
    return Ending(status: word)
  }

  /// Stops every thread of it, SIGSTOP, and waits until they have; SIGCONT makes it go on.
  ///
  /// - Returns: whether it lives; it must not be asked for its end else.
  public func halt() -> Bool {
    signal(SIGSTOP)
    var word: Int32 = 0
    while unsafe waitpid(pid, &word, WUNTRACED) < 0 && cl_errno() == EINTR {}
    return word & 0xff == 0x7f
  }

  /// Waits for its end.
  public func awaitEnding() -> Ending {
    var word: Int32 = 0
    while unsafe waitpid(pid, &word, 0) < 0 && cl_errno() == EINTR {}
    return Ending(status: word)
  }

  /// Replaces this process by `program`; these descriptors stay open. Returns only when that fails.
  public static func replace(
    by program: String, _ arguments: [String], variable: (name: String, value: String), inheriting: [Int32]
  ) -> Errno {
    for raw in inheriting { _ = cl_keep_on_exec(raw) }
    var vector = unsafe arguments.map { unsafe strdup($0) } + [nil]
    var environment = unsafe Self.environment(variable)
    defer { unsafe (vector + environment).forEach { unsafe free($0) } }
    unsafe execve(program, &vector, &environment)
    let error = Errno(rawValue: cl_errno())
    for raw in inheriting { _ = cl_close_on_exec(raw) }
    return error
  }

  private static func environment(_ variable: (name: String, value: String)) -> [UnsafeMutablePointer<CChar>?] {
    var all: [UnsafeMutablePointer<CChar>?] = unsafe []
    var next = unsafe environ
    while let word = unsafe next.pointee {
      if unsafe strncmp(word, variable.name + "=", variable.name.utf8.count + 1) != 0 {
        unsafe all.append(strdup(word))
      }
      unsafe next += 1
    }
    return unsafe all + [strdup("\(variable.name)=\(variable.value)"), nil]
  }
}

/// Signals that arrive by reading a descriptor, signalfd(2).
public final class SignalWatch: Sendable {
  /// Readable when one has arrived.
  public let descriptor: OwnedDescriptor

  /// Blocks these signals for the calling thread, and those it makes, and takes them here.
  public init(_ numbers: [Int32]) throws(Errno) {
    var set = sigset_t()
    unsafe sigemptyset(&set)
    for number in numbers { unsafe sigaddset(&set, number) }
    unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
    descriptor = OwnedDescriptor(adopting: try call { unsafe signalfd(-1, &set, Int32(0o2000000 | 0o4000)) })
  }

  /// The numbers of those that have arrived.
  public func take() -> [Int32] {
    var found: [Int32] = []
    var info = signalfd_siginfo()
    let size = MemoryLayout<signalfd_siginfo>.size
    while unsafe Glibc.read(descriptor.raw, &info, size) == size { found.append(Int32(info.ssi_signo)) }
    return found
  }
}

/// A pipe whose ends two processes hold, pipe(2).
public struct Pipe: ~Copyable, Sendable {
  /// Where bytes come out; at its end when nobody holds the other.
  public let output: OwnedDescriptor
  /// Where they go in.
  public let input: OwnedDescriptor

  /// An empty pipe whose reader does not wait.
  public init() throws(Errno) {
    var ends: (Int32, Int32) = (0, 0)
    _ = try call { unsafe cl_pipe(&ends.0, &ends.1) }
    output = OwnedDescriptor(adopting: ends.0)
    input = OwnedDescriptor(adopting: ends.1)
  }
}
