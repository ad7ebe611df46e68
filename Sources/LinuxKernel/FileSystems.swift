internal import CLinux

/// Facts about the file system and the file behind a path.
public struct FileStatus: Sendable, Hashable {
  /// `st_dev`, major in the upper and minor in the lower 32 bits.
  public var device: UInt64
  /// `st_ino`
  public var inode: UInt64
  /// `st_mode`
  public var mode: UInt32
  /// `st_rdev` of a device node, like `device`
  public var node: UInt64
  /// `st_size` in bytes
  public var size: Int64
  /// `st_nlink`
  public var links: UInt64
  /// `st_ctim` in nanoseconds since 1970: when the inode last changed, the number of its links and its name included.
  public var changed: Int64

  /// Whether it is a directory.
  public var isDirectory: Bool { mode & 0o170000 == 0o040000 }

  /// Whether it is a regular file.
  public var isRegular: Bool { mode & 0o170000 == 0o100000 }

  /// Whether it is the node of a block device.
  public var isBlockDevice: Bool { mode & 0o170000 == 0o060000 }

  /// Whether it is the node of a character device.
  public var isCharacterDevice: Bool { mode & 0o170000 == 0o020000 }

  /// `lstat(2)` or, when `following`, `stat(2)`.
  public init(path: [UInt8], following: Bool = false) throws(Errno) {
    let terminated = (path + [0]).map { CChar(bitPattern: $0) }
    var info = stat()
    _ = try call { unsafe following ? stat(terminated, &info) : lstat(terminated, &info) }
    self.init(info)
  }

  /// `fstat(2)`
  public init(descriptor: borrowing OwnedDescriptor) throws(Errno) {
    let raw = descriptor.raw
    var info = stat()
    _ = try call { unsafe fstat(raw, &info) }
    self.init(info)
  }

  init(_ info: stat) {
    device = UInt64(Self.major(info.st_dev)) << 32 | UInt64(Self.minor(info.st_dev))
    inode = UInt64(info.st_ino)
    mode = info.st_mode
    node = UInt64(Self.major(info.st_rdev)) << 32 | UInt64(Self.minor(info.st_rdev))
    size = Int64(info.st_size)
    links = UInt64(info.st_nlink)
    changed = Int64(info.st_ctim.tv_sec) * 1_000_000_000 + Int64(info.st_ctim.tv_nsec)
  }

  // glibc's gnu_dev_major and gnu_dev_minor are inline functions of a macro.
  static func major(_ device: dev_t) -> UInt32 {
    UInt32((device >> 8) & 0xfff) | UInt32((device >> 32) & ~0xfff)
  }

  static func minor(_ device: dev_t) -> UInt32 {
    UInt32(device & 0xff) | UInt32((device >> 12) & 0xffff_ff00)
  }
}

/// `f_fsid` of `statfs(2)` at `path`: the number by which fanotify names a file system.
public func fileSystemID(path: [UInt8]) throws(Errno) -> UInt64 {
  let terminated = (path + [0]).map { CChar(bitPattern: $0) }
  var info = statfs()
  _ = try call { unsafe statfs(terminated, &info) }
  return unsafe cl_fsid(&info)
}

/// Whether `path` lies on an overlay, by `f_type` of `statfs(2)`.
public func isOnOverlay(path: [UInt8]) throws(Errno) -> Bool {
  let terminated = (path + [0]).map { CChar(bitPattern: $0) }
  var info = statfs()
  _ = try call { unsafe statfs(terminated, &info) }
  return info.f_type == 0x794c_7630
}
