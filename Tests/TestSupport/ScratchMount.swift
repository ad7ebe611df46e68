internal import Glibc
internal import LinuxKernel

/// One mount of ours, taken away when the value goes.
public final class ScratchMount {
  /// Where it is.
  public let path: String
  private var mounted = true

  /// `mount(2)` on an existing directory.
  public init(_ type: String, on path: String, options: String = "") throws {
    guard unsafe mount("alibi-test", path, type, 0, options) == 0 else { throw Errno(rawValue: errno) }
    self.path = path
  }

  /// A bind mount of the directory `source`.
  public init(binding source: String, on path: String) throws {
    guard unsafe mount(source, path, "none", UInt(MS_BIND), nil) == 0 else { throw Errno(rawValue: errno) }
    self.path = path
  }

  /// Takes it away now.
  public func unmount() throws {
    guard unsafe umount2(path, 0) == 0 else { throw Errno(rawValue: errno) }
    mounted = false
  }

  deinit {
    if mounted { _ = unsafe umount2(path, Int32(MNT_DETACH)) }
  }
}
