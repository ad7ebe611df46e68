internal import CLinux

/// A descriptor this process must close exactly once.
public struct OwnedDescriptor: ~Copyable, Sendable {
  /// The number; valid while this value lives.
  public let raw: Int32

  /// Takes over a descriptor that somebody else opened.
  public init(adopting raw: Int32) {
    self.raw = raw
  }

  /// Takes over an inherited descriptor, which programs executed from here on shall not inherit in turn.
  public init(adopting raw: Int32, closingOnExec: Bool) {
    if closingOnExec { _ = cl_close_on_exec(raw) }
    self.raw = raw
  }

  deinit { _ = close(raw) }

  /// Gives up ownership; from here on the caller closes.
  public consuming func release() -> Int32 {
    let raw = raw
    discard self
    return raw
  }

  /// `open(2)`, always with O_CLOEXEC.
  public static func open(_ path: String, _ flags: OpenFlags) throws(Errno) -> OwnedDescriptor {
    OwnedDescriptor(adopting: try call { unsafe cl_open(path, flags.rawValue | O_CLOEXEC, 0o600) })
  }

  /// `open(2)` of a path of any bytes, always with O_CLOEXEC.
  public static func open(bytes path: [UInt8], _ flags: OpenFlags) throws(Errno) -> OwnedDescriptor {
    let terminated = (path + [0]).map { CChar(bitPattern: $0) }
    return OwnedDescriptor(adopting: try call { unsafe cl_open(terminated, flags.rawValue | O_CLOEXEC, 0o600) })
  }

  /// From here on it does not wait, O_NONBLOCK.
  public func setNonBlocking() { _ = cl_set_nonblocking(raw) }

  /// How many bytes can be read now, FIONREAD: of a fanotify group, those of its queued events.
  public var available: Int { Int(cl_available(raw)) }

  /// `read(2)` into `buffer`; 0 at the end of the file.
  public func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
    try call { unsafe Glibc_read(raw, buffer) }
  }

  /// `write(2)` of all the bytes.
  public func write(_ bytes: [UInt8]) throws(Errno) {
    var rest = bytes[...]
    let own = raw
    while !rest.isEmpty {
      let chunk = Array(rest)
      let count = try call { unsafe cl_write(own, chunk, chunk.count) }
      rest = rest.dropFirst(count)
    }
  }

  /// Everything up to the end of the file, at most `limit` bytes.
  public func readAll(limit: Int) throws(Errno) -> [UInt8] {
    var out: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: min(limit, 65_536))
    while out.count < limit {
      let room = min(chunk.count, limit - out.count)
      let own = raw
      let count = try call { unsafe cl_read(own, &chunk, room) }
      if count == 0 { break }
      out.append(contentsOf: chunk[..<count])
    }
    return out
  }
}

@inline(__always)
private func Glibc_read(_ fd: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
  unsafe read(fd, buffer.baseAddress, buffer.count)
}

/// Flags of `open(2)`.
public struct OpenFlags: OptionSet, Sendable {
  /// As in fcntl.h.
  public let rawValue: Int32

  /// The flags with these bits.
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }

  /// O_RDONLY
  public static let readOnly = OpenFlags([])
  /// O_RDWR
  public static let readWrite = OpenFlags(rawValue: O_RDWR)
  /// O_WRONLY
  public static let writeOnly = OpenFlags(rawValue: O_WRONLY)
  /// O_PATH: names the file without opening it; raises no fanotify event
  public static let pathOnly = OpenFlags(rawValue: 0o10000000)
  /// O_DIRECTORY
  public static let directory = OpenFlags(rawValue: O_DIRECTORY)
  /// O_NONBLOCK
  public static let nonBlocking = OpenFlags(rawValue: O_NONBLOCK)
  /// O_CREAT
  public static let create = OpenFlags(rawValue: O_CREAT)
  /// O_TRUNC
  public static let truncate = OpenFlags(rawValue: O_TRUNC)
  /// O_APPEND
  public static let append = OpenFlags(rawValue: O_APPEND)
}
