/// One fanotify event as the kernel wrote it: `fanotify_event_metadata` and its information records.
///
/// No bytes are copied: handles and names are places in the buffer.
public struct FanotifyRecord: Sendable {
  /// What happened.
  public var mask: FanotifyMask
  /// The process (thread-group id) in the listener's pid namespace; 0 where it has none there.
  public var pid: Int32
  /// In descriptor mode an open descriptor, or a negative errno.
  public var descriptor: Int32
  /// FAN_EVENT_INFO_TYPE_DFID_NAME, _DFID or, of a rename, _OLD_DFID_NAME: the directory.
  public var directory: HandleView?
  /// The name in `directory`, without its NUL; empty where there is none.
  public var name: Range<Int>
  /// FAN_EVENT_INFO_TYPE_FID: the file itself, or the child of a directory event.
  public var target: HandleView?
  /// FAN_EVENT_INFO_TYPE_NEW_DFID_NAME: where a rename went.
  public var newDirectory: HandleView?
  /// The name there.
  public var newName: Range<Int>
  /// FAN_EVENT_INFO_TYPE_MNT: the mount's unique id.
  public var mount: UInt64?

  /// `sizeof(struct fanotify_event_metadata)`
  public static let headerSize = 24

  /// Decodes the event at `offset` and moves past it; nil at the end of the buffer.
  public static func next(
    in bytes: RawSpan, at offset: inout Int
  ) throws(DecodeError) -> FanotifyRecord? {
    let have = bytes.byteCount - offset
    guard have > 0 else { return nil }
    guard have >= headerSize else { throw .truncated(needed: headerSize, have: have) }
    let version = bytes.integer(UInt8.self, at: offset + 4)
    guard version == 3 else { throw .unsupportedVersion(version) }
    let length = Int(bytes.integer(UInt32.self, at: offset))
    let headerLength = Int(bytes.integer(UInt16.self, at: offset + 6))
    guard headerLength >= headerSize, length >= headerLength else { throw .inconsistent }
    guard length <= have else { throw .truncated(needed: length, have: have) }
    var record = FanotifyRecord(
      mask: FanotifyMask(rawValue: bytes.integer(UInt64.self, at: offset + 8)),
      pid: bytes.integer(Int32.self, at: offset + 20),
      descriptor: bytes.integer(Int32.self, at: offset + 16),
      directory: nil, name: 0..<0, target: nil, newDirectory: nil, newName: 0..<0, mount: nil)
    var at = offset + headerLength
    let end = offset + length
    while at < end {
      guard at + 4 <= end else { throw .inconsistent }
      let size = Int(bytes.integer(UInt16.self, at: at + 2))
      guard size >= 4, at + size <= end else { throw .inconsistent }
      try record.read(info: bytes.integer(UInt8.self, at: at), in: bytes, at: at, size: size)
      at += size
    }
    offset += length
    return record
  }

  private mutating func read(info type: UInt8, in bytes: RawSpan, at: Int, size: Int) throws(DecodeError) {
    switch type {
    case 1: target = try Self.handle(in: bytes, at: at, size: size).view
    case 2, 3, 10:
      let found = try Self.handle(in: bytes, at: at, size: size)
      directory = found.view
      name = found.name
    case 12:
      let found = try Self.handle(in: bytes, at: at, size: size)
      newDirectory = found.view
      newName = found.name
    case 7:
      // fanotify_event_info_mnt: the id is aligned to eight.
      guard size >= 16 else { throw .inconsistent }
      mount = bytes.integer(UInt64.self, at: at + 8)
    default: break  // a kind this version does not know tells nothing that is needed here
    }
  }

  /// `fanotify_event_info_fid`: header, fsid, file_handle, and a NUL-terminated name where the type has one.
  private static func handle(
    in bytes: RawSpan, at: Int, size: Int
  ) throws(DecodeError) -> (view: HandleView, name: Range<Int>) {
    guard size >= 20 else { throw .inconsistent }
    let count = Int(bytes.integer(UInt32.self, at: at + 12))
    guard count <= 128, 20 + count <= size else { throw .inconsistent }
    let view = HandleView(
      fileSystem: bytes.integer(UInt64.self, at: at + 4), type: bytes.integer(Int32.self, at: at + 16),
      offset: at + 20, count: count)
    let start = at + 20 + count
    return (view, start..<bytes.terminator(in: start..<(at + size)))
  }
}

/// The `FAN_*` event bits.
public struct FanotifyMask: OptionSet, Hashable, Sendable, BitwiseCopyable {
  /// As in linux/fanotify.h.
  public let rawValue: UInt64

  /// The events with these bits.
  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  /// FAN_ACCESS: content read, or a directory listed
  public static let access = FanotifyMask(rawValue: 0x1)
  /// FAN_MODIFY
  public static let modify = FanotifyMask(rawValue: 0x2)
  /// FAN_ATTRIB
  public static let attribute = FanotifyMask(rawValue: 0x4)
  /// FAN_CLOSE_WRITE
  public static let closeWrite = FanotifyMask(rawValue: 0x8)
  /// FAN_CLOSE_NOWRITE
  public static let closeNoWrite = FanotifyMask(rawValue: 0x10)
  /// FAN_OPEN
  public static let open = FanotifyMask(rawValue: 0x20)
  /// FAN_CREATE
  public static let create = FanotifyMask(rawValue: 0x100)
  /// FAN_DELETE
  public static let delete = FanotifyMask(rawValue: 0x200)
  /// FAN_DELETE_SELF: the file is gone, its last name and its last holder with it
  public static let deleteSelf = FanotifyMask(rawValue: 0x400)
  /// FAN_OPEN_EXEC
  public static let openExec = FanotifyMask(rawValue: 0x1000)
  /// FAN_Q_OVERFLOW: the queue was full, events were dropped
  public static let overflow = FanotifyMask(rawValue: 0x4000)
  /// FAN_MNT_ATTACH
  public static let mountAttach = FanotifyMask(rawValue: 0x0100_0000)
  /// FAN_MNT_DETACH
  public static let mountDetach = FanotifyMask(rawValue: 0x0200_0000)
  /// FAN_RENAME: one event with both names
  public static let rename = FanotifyMask(rawValue: 0x1000_0000)
  /// FAN_ONDIR: the object is a directory
  public static let onDirectory = FanotifyMask(rawValue: 0x4000_0000)

  /// Everything that a whole-file-system mark is set for.
  public static let files: FanotifyMask = [
    .access, .modify, .attribute, .closeWrite, .closeNoWrite, .open, .create, .delete, .deleteSelf, .openExec,
    .rename, .onDirectory,
  ]
  /// What a descriptor-mode mark is set for: the kernel reports directory entries by identity only.
  public static let descriptors: FanotifyMask = [
    .access, .modify, .closeWrite, .closeNoWrite, .open, .openExec,
  ]
  /// What the mark on /proc is set for: an opening alone gives nothing.
  public static let memory: FanotifyMask = [.access, .modify]
  /// What a mount-namespace mark is set for.
  public static let mounts: FanotifyMask = [.mountAttach, .mountDetach]
}
