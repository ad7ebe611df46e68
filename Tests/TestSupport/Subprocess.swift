internal import CLinux
internal import Glibc
internal import LinuxKernel

/// A program that a test runs, without a shell. What the value started ends with it.
public final class Subprocess {
  /// What a program left.
  public struct Outcome: Sendable {
    /// The exit code, or 1000 plus the signal that ended it.
    public var status: Int32
    /// What it wrote to standard output.
    public var output: String
    /// What it wrote to standard error.
    public var errors: String

    /// An outcome of these parts.
    public init(status: Int32, output: String, errors: String) {
      self.status = status
      self.output = output
      self.errors = errors
    }
  }

  /// The process.
  public let pid: Int32
  private let output: OwnedDescriptor
  private let errors: OwnedDescriptor
  private var status: Int32?

  /// Starts `program`, an absolute path, with standard input empty.
  public init(_ program: String, _ arguments: [String] = [], environment: [String: String]? = nil) throws {
    // Whoever started the tests may have left sockets open, over which a session could ask him to do something.
    _ = cl_inherit_nothing()
    output = OwnedDescriptor(adopting: try Self.made(unsafe cl_memfd("output")))
    errors = OwnedDescriptor(adopting: try Self.made(unsafe cl_memfd("errors")))
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe _ = posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_adddup2(&actions, output.raw, 1)
    unsafe posix_spawn_file_actions_adddup2(&actions, errors.raw, 2)
    // A thread of Swift's concurrency blocks signals, which the program would inherit.
    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe _ = posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    unsafe sigemptyset(&none)
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var vector = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
    var settings = unsafe (environment ?? [:]).map { unsafe strdup("\($0.key)=\($0.value)") } + [nil]
    defer { unsafe (vector + settings).forEach { unsafe free($0) } }
    var pid: Int32 = 0
    let error =
      unsafe environment == nil
      ? posix_spawn(&pid, program, &actions, &attributes, &vector, environ)
      : posix_spawn(&pid, program, &actions, &attributes, &vector, &settings)
    guard error == 0 else { throw Errno(rawValue: error) }
    self.pid = pid
  }

  deinit {
    guard status == nil else { return }
    kill(pid, SIGKILL)
    _ = wait()
  }

  /// Sends a signal, unless it has been waited for already.
  public func signal(_ number: Int32) {
    if status == nil { kill(pid, number) }
  }

  /// Whether it has ended.
  public func hasEnded() -> Bool {
    guard status == nil else { return true }
    var word: Int32 = 0
    if unsafe waitpid(pid, &word, WNOHANG) == pid { status = Self.outcome(word) }
    return status != nil
  }

  /// Waits for its end.
  public func finish() throws -> Outcome {
    let status = wait()
    return Outcome(status: status, output: try Self.text(output), errors: try Self.text(errors))
  }

  /// Starts a program and waits for its end.
  public static func run(
    _ program: String, _ arguments: [String] = [], environment: [String: String]? = nil
  ) throws -> Outcome {
    try Subprocess(program, arguments, environment: environment).finish()
  }

  private func wait() -> Int32 {
    if let status { return status }
    var word: Int32 = 0
    while unsafe waitpid(pid, &word, 0) < 0 && errno == EINTR {}
    let result = Self.outcome(word)
    status = result
    return result
  }

  private static func outcome(_ word: Int32) -> Int32 {
    word & 0x7f == 0 ? word >> 8 & 0xff : 1000 + word & 0x7f
  }

  private static func made(_ descriptor: Int32) throws -> Int32 {
    guard descriptor >= 0 else { throw Errno(rawValue: errno) }
    return descriptor
  }

  private static func text(_ file: borrowing OwnedDescriptor) throws -> String {
    let size = Int(try FileStatus(descriptor: file).size)
    var bytes = [UInt8](repeating: 0, count: size)
    let count = unsafe pread(file.raw, &bytes, size, 0)
    return String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self)
  }
}
