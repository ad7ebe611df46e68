internal import CLinux

/// A fanotify group, fanotify_init(2).
public final class FanotifyGroup: Sendable {
  /// How a group says what an event is about.
  public enum Mode: Sendable {
    /// File handles: directory, name and target (FAN_REPORT_DFID_NAME_TARGET). Nothing can be lost to reopening.
    case identity
    /// An open descriptor an event, or the errno where none could be opened (FAN_REPORT_FD_ERROR).
    case descriptor
    /// Mounts attached to and detached from namespaces (FAN_REPORT_MNT, Linux 6.14).
    case mounts
  }

  /// What a mark is put on.
  public enum MarkKind: UInt32, Sendable {
    /// FAN_MARK_FILESYSTEM: every path into the superblock, in every namespace
    case fileSystem = 0x100
    /// FAN_MARK_MNTNS: a mount namespace, given by its /proc/PID/ns/mnt
    case mountNamespace = 0x110
  }

  /// The descriptor to wait on and read from.
  public let descriptor: OwnedDescriptor

  /// Opens a group. Its queue is as long as `fs.fanotify.max_queued_events` is at this moment.
  ///
  /// - Throws: EPERM without CAP_SYS_ADMIN, EINVAL where the kernel lacks the mode.
  public init(_ mode: Mode) throws(Errno) {
    let flags: UInt32 =
      switch mode {
      case .identity: Self.reportIdentity
      case .descriptor: Self.reportDescriptorError
      case .mounts: Self.reportMounts
      }
    let openFlags = UInt32(O_RDONLY | O_CLOEXEC | 0o100000 | 0o1000000)  // O_LARGEFILE, O_NOATIME
    descriptor = OwnedDescriptor(
      adopting: try call {
        cl_fanotify_init(Self.closeOnExec | Self.nonBlocking | flags, mode == .descriptor ? openFlags : 0)
      })
  }

  /// Takes over a group that another process opened: its marks and its queue stay.
  public init(adopting descriptor: consuming OwnedDescriptor) {
    self.descriptor = descriptor
  }

  /// Adds `mask` to the mark on the object at `path`.
  public func mark(_ kind: MarkKind, mask: UInt64, path: [UInt8]) throws(Errno) {
    let terminated = (path + [0]).map { CChar(bitPattern: $0) }
    _ = try call { unsafe cl_fanotify_mark(descriptor.raw, 1 | kind.rawValue, mask, -100, terminated) }
  }

  /// Adds `mask` to the mark on the object that `object` refers to.
  public func mark(_ kind: MarkKind, mask: UInt64, object: borrowing OwnedDescriptor) throws(Errno) {
    let raw = object.raw
    _ = try call { cl_fanotify_mark(descriptor.raw, 1 | kind.rawValue, mask, raw, nil) }
  }

  /// The file systems that have a mark of this group, by `s_dev`, major in the upper and minor in the lower 32
  /// bits, as /proc/self/fdinfo tells (`fanotify sdev:… mask:…`).
  public func markedDevices() throws(Errno) -> Set<UInt64> {
    let text = String(decoding: try Procfs.file("/proc/self/fdinfo/\(descriptor.raw)"), as: UTF8.self)
    var devices: Set<UInt64> = []
    for line in text.split(separator: "\n") where line.hasPrefix("fanotify sdev:") {
      // The kernel's own dev_t: twelve bits of major above twenty of minor.
      if let device = UInt32(line.dropFirst(14).prefix { $0 != " " }, radix: 16) {
        devices.insert(UInt64(device >> 20) << 32 | UInt64(device & 0xfffff))
      }
    }
    return devices
  }

  private static let closeOnExec: UInt32 = 0x1
  private static let nonBlocking: UInt32 = 0x2
  private static let reportIdentity: UInt32 = 0x200 | 0x400 | 0x800 | 0x1000
  private static let reportDescriptorError: UInt32 = 0x2000
  private static let reportMounts: UInt32 = 0x4000
}
