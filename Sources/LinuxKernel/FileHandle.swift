internal import CLinux

/// A file handle of exportfs, `struct file_handle` of name_to_handle_at(2).
public struct FileHandle: Hashable, Sendable {
  /// The file system's own encoding of the bytes.
  public var type: Int32
  /// At most 128 bytes.
  public var bytes: [UInt8]

  /// A handle of this type and these bytes.
  public init(type: Int32, bytes: [UInt8]) {
    self.type = type
    self.bytes = bytes
  }

  /// The handle of the file at `path`, symbolic links not followed unless `following`.
  ///
  /// Asks first for a handle that only identifies (AT_HANDLE_FID, Linux 6.5), as fanotify does.
  public init(path: [UInt8], following: Bool = false) throws(Errno) {
    let flags: Int32 = following ? 0x400 : 0
    let terminated = (path + [0]).map { CChar(bitPattern: $0) }
    var raw = cl_file_handle()
    var mount: Int32 = 0
    do {
      _ = try call { unsafe cl_name_to_handle(-100, terminated, &raw, &mount, 0x200 | flags) }
    } catch .invalidArgument {
      _ = try call { unsafe cl_name_to_handle(-100, terminated, &raw, &mount, flags) }
    }
    type = raw.handle_type
    bytes = unsafe withUnsafeBytes(of: &raw.bytes) { unsafe Array($0.prefix(Int(raw.handle_bytes))) }
  }

  /// Opens the file as O_PATH, which raises no event and needs no permission on the file.
  ///
  /// - Parameter mount: any directory on the same file system, opened for reading and not as O_PATH.
  /// - Throws: ESTALE when the file is gone.
  public func open(mount: borrowing OwnedDescriptor) throws(Errno) -> OwnedDescriptor {
    let raw = mount.raw
    return OwnedDescriptor(
      adopting: try call {
        unsafe cl_open_by_handle(raw, type, bytes, UInt32(bytes.count), 0o10000000 | O_CLOEXEC)
      })
  }
}

/// What `readlink(2)` says, as bytes.
public func readLink(_ path: String) throws(Errno) -> [UInt8] {
  var buffer = [UInt8](repeating: 0, count: 4096)
  while true {
    let room = buffer.count
    let count = try call { unsafe cl_readlink(path, &buffer, room) }
    if count < room { return Array(buffer[..<count]) }
    buffer = [UInt8](repeating: 0, count: room * 4)
  }
}

/// The path behind a descriptor of ours, as d_path gives it; ends in ` (deleted)` when it has none any more.
public func path(of descriptor: borrowing OwnedDescriptor) throws(Errno) -> [UInt8] {
  try readLink("/proc/self/fd/\(descriptor.raw)")
}
