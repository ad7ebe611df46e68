/// Which file this is, whatever it is called: file system, inode and generation.
///
/// The kernel says it in a file handle (`struct file_handle`, exportfs). A name can move to another file and a
/// file to another name; this stays.
public struct FileIdentity: Hashable, Sendable {
  /// `f_fsid` of `statfs(2)`, as fanotify reports it; 0 where the file system was never marked.
  public var fileSystem: UInt64
  /// The inode number.
  public var inode: UInt64
  /// The inode's generation, so that a reused inode number is another file.
  public var generation: UInt32
  /// The subvolume's root id on btrfs, where inode numbers repeat between subvolumes; else 0.
  public var subvolume: UInt64

  /// An identity of these parts.
  public init(fileSystem: UInt64, inode: UInt64, generation: UInt32, subvolume: UInt64 = 0) {
    self.fileSystem = fileSystem
    self.inode = inode
    self.generation = generation
    self.subvolume = subvolume
  }
}

extension FileIdentity: CustomStringConvertible {
  /// `inode:FSID:INODE:GENERATION`, the form in which commands take and print it; hexadecimal file system.
  public var description: String {
    let base = "inode:\(String(fileSystem, radix: 16)):\(inode):\(generation)"
    return subvolume == 0 ? base : base + ":\(subvolume)"
  }

  /// Reads `inode:FSID:INODE:GENERATION[:SUBVOLUME]`.
  public init?(_ text: String) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 4 || parts.count == 5, parts[0] == "inode", !text.contains("+"),
      let fileSystem = UInt64(parts[1], radix: 16), let inode = UInt64(parts[2]),
      let generation = UInt32(parts[3]), let subvolume = parts.count == 5 ? UInt64(parts[4]) : 0
    else { return nil }
    self.init(fileSystem: fileSystem, inode: inode, generation: generation, subvolume: subvolume)
  }
}
