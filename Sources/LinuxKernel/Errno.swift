internal import CLinux

/// What a system call left in `errno`.
public struct Errno: Error, Hashable, Sendable, CustomStringConvertible {
  /// The number, as in errno(3).
  public var rawValue: Int32

  /// The error of this number.
  public init(rawValue: Int32) {
    self.rawValue = rawValue
  }

  /// EPERM
  public static let notPermitted = Errno(rawValue: EPERM)
  /// EBADF
  public static let badDescriptor = Errno(rawValue: EBADF)
  /// ENOENT
  public static let noSuchFile = Errno(rawValue: ENOENT)
  /// ESRCH
  public static let noSuchProcess = Errno(rawValue: ESRCH)
  /// ENXIO
  public static let noSuchDevice = Errno(rawValue: ENXIO)
  /// EAGAIN
  public static let wouldBlock = Errno(rawValue: EAGAIN)
  /// EACCES
  public static let accessDenied = Errno(rawValue: EACCES)
  /// EINVAL
  public static let invalidArgument = Errno(rawValue: EINVAL)
  /// ENOBUFS: a netlink socket dropped messages
  public static let noBufferSpace = Errno(rawValue: ENOBUFS)
  /// EMSGSIZE: longer than there is room for
  public static let messageTooLong = Errno(rawValue: EMSGSIZE)
  /// EEXIST
  public static let fileExists = Errno(rawValue: EEXIST)
  /// ESTALE: a file handle's file is gone
  public static let staleHandle = Errno(rawValue: ESTALE)
  /// ETIMEDOUT
  public static let timedOut = Errno(rawValue: ETIMEDOUT)
  /// EOPNOTSUPP
  public static let notSupported = Errno(rawValue: EOPNOTSUPP)
  /// ECONNREFUSED
  public static let connectionRefused = Errno(rawValue: ECONNREFUSED)
  /// ECONNRESET: the other side ended without reading
  public static let connectionReset = Errno(rawValue: ECONNRESET)
  /// EPIPE: the other side has ended
  public static let brokenPipe = Errno(rawValue: EPIPE)

  /// The C library's words for it.
  public var description: String {
    guard let text = unsafe strerror(rawValue) else { return "error \(rawValue)" }
    return unsafe String(cString: text)
  }
}

/// Runs a system call, repeats it when a signal interrupts, and throws what it left in errno.
@inline(__always)
func call<R: FixedWidthInteger>(_ body: () -> R) throws(Errno) -> R {
  while true {
    let result = body()
    if result != -1 { return result }
    let code = cl_errno()  // first thing after the call: anything in between may overwrite it
    if code != EINTR { throw Errno(rawValue: code) }
  }
}
