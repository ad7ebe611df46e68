internal import Decode
internal import Lineage
internal import LinuxKernel
internal import Records

/// A look at what a process holds, in /proc.
enum HeldFiles {
  /// The regular files and the block devices behind a process's descriptors, one for each descriptor. A directory is
  /// not among them: what is opened through it is told.
  private static func open(by pid: Int32) -> [HeldFile] {
    ((try? Procfs.descriptors(pid)) ?? []).compactMap { number in
      isPathOnly(pid, number) ? nil : file(pid, "fd/\(number)")
    }
  }

  /// What a process has open, and the moment after the look.
  static func answer(_ pid: Int32) -> Answer {
    let files = open(by: pid)
    return .descriptors(Clock.monotonic.now, files)
  }

  /// What a process has open or mapped. Its mappings go first when it ends, and who lives has mapped its program: where
  /// there are some, its descriptors were all there.
  static func all(of pid: Int32) -> Answer {
    let open = open(by: pid), mapped = mapped(by: pid)
    return .descriptors(mapped.isEmpty ? 0 : Clock.monotonic.now, open + mapped)
  }

  private static func mapped(by pid: Int32) -> [HeldFile] {
    ((try? Procfs.mappings(pid)) ?? []).compactMap { file(pid, "map_files/\($0)") }
  }

  private static func file(_ pid: Int32, _ name: String) -> HeldFile? {
    let link = Array("/proc/\(pid)/\(name)".utf8)
    guard let status = try? FileStatus(path: link, following: true), var path = try? Procfs.link(pid, name) else {
      return nil
    }
    // What never had a name is nothing that anybody asks about.
    if status.links == 0, status.device == MemoryFile.device { return nil }
    let raw = isRaw(status, path)
    guard status.isRegular || raw, let identity = identity(link, status) else { return nil }
    // Where it lost that name its content was known by it; what other names it had then, events tell as of any file.
    if status.links == 0 { path = RawPath(path).withoutDeletedMark.bytes }
    return HeldFile(identity: identity, path: path, isRaw: raw)
  }

  /// A descriptor of O_PATH gives no content.
  private static func isPathOnly(_ pid: Int32, _ number: Int32) -> Bool {
    guard let text = try? Procfs.file(pid, "fdinfo/\(number)") else { return false }
    for line in text.split(separator: 0x0a) where line.starts(with: Array("flags:".utf8)) {
      let digits = line.drop { $0 < 48 || $0 > 57 }
      return (UInt64(String(decoding: digits, as: UTF8.self), radix: 8) ?? 0) & 0o10000000 != 0
    }
    return false
  }

  private static func identity(_ link: [UInt8], _ status: FileStatus) -> FileIdentity? {
    guard let fileSystem = try? fileSystemID(path: link) else { return nil }
    guard let handle = try? FileHandle(path: link, following: true),
      let decoded = unsafe DecodedHandle(
        type: handle.type, in: handle.bytes.span.bytes, at: 0, count: handle.bytes.count)
    else { return FileIdentity(fileSystem: fileSystem, inode: status.inode, generation: 0) }
    return FileIdentity(
      fileSystem: fileSystem, inode: decoded.inode, generation: decoded.generation, subvolume: decoded.subvolume)
  }

  /// What a node is; /dev/fuse is the character device 10:229.
  static func kind(of status: FileStatus, _ path: [UInt8]) -> NodeKind {
    if isRaw(status, path) { return .raw }
    return status.isCharacterDevice && status.node == 10 << 32 | 229 ? .fileSystemRequests : .other
  }

  /// Whether a node gives content of file systems, or of memory, past them: block devices, and the character devices
  /// mem, kmem and port (major 1), SCSI generic (21), raw (162), and the generic ones of NVMe and bsg, whose numbers
  /// are given out as they come.
  static func isRaw(_ status: FileStatus, _ path: [UInt8]) -> Bool {
    if status.isBlockDevice { return true }
    guard status.isCharacterDevice else { return false }
    switch (status.node >> 32, status.node & 0xffff_ffff) {
    case (1, 1), (1, 2), (1, 4), (21, _), (162, _): return true
    default: return ["/dev/nvme", "/dev/ng", "/dev/bsg/"].contains { path.starts(with: Array($0.utf8)) }
    }
  }
}
