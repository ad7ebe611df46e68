internal import Decode
internal import Lineage
internal import LinuxKernel
internal import Records

/// A look at what a process holds, in /proc, told by the names that records use.
struct HeldFiles {
  private let pid: Int32
  private lazy var mounts = view()
  private var handles = HandlePaths()

  private init(_ pid: Int32) {
    self.pid = pid
  }

  /// What a process has open, and the moment after the look.
  static func answer(_ pid: Int32) -> Answer {
    var look = HeldFiles(pid)
    let files = look.open()
    return .descriptors(Clock.monotonic.now, files)
  }

  /// What a process has open or mapped. Its mappings go first when it ends, and who lives has mapped its program: where
  /// there are some, its descriptors were all there.
  static func all(of pid: Int32) -> Answer {
    var look = HeldFiles(pid)
    let open = look.open(), mapped = look.mapped()
    return .descriptors(mapped.isEmpty ? 0 : Clock.monotonic.now, open + mapped)
  }

  /// The regular files and the block devices behind a process's descriptors. A directory is not among them: what is
  /// opened through it is told.
  private mutating func open() -> [HeldFile] {
    let numbers = (try? Procfs.descriptors(pid)) ?? []
    return numbers.flatMap { Self.isPathOnly(pid, $0) ? [] : held("fd/\($0)") }
  }

  private mutating func mapped() -> [HeldFile] {
    ((try? Procfs.mappings(pid)) ?? []).flatMap { held("map_files/\($0)") }
  }

  private mutating func held(_ name: String) -> [HeldFile] {
    let link = Array("/proc/\(pid)/\(name)".utf8)
    guard let status = try? FileStatus(path: link, following: true) else { return [] }
    // What never had a name is nothing that anybody asks about.
    if status.links == 0, status.device == MemoryFile.device { return [] }
    guard status.isRegular || status.isBlockDevice || status.isCharacterDevice,
      let file = try? OwnedDescriptor.open(bytes: link, .pathOnly)
    else { return [] }
    return told(file, depth: 0)
  }

  private mutating func told(_ file: borrowing OwnedDescriptor, depth: Int) -> [HeldFile] {
    guard let status = try? FileStatus(descriptor: file), var path = try? LinuxKernel.path(of: file) else { return [] }
    let isRaw = Self.isRaw(status, path)
    let link = Array("/proc/self/fd/\(file.raw)".utf8)
    guard status.isRegular || isRaw, let fileSystem = try? fileSystemID(path: link) else { return [] }
    let handle = try? FileHandle(path: link, following: true)
    var held = HeldFile(identity: Self.identity(fileSystem, handle, status), path: path, isRaw: isRaw)
    // Where it lost that name its content was known by it; what other names it had then, events tell as of any file.
    if status.links == 0 { path = RawPath(path).withoutDeletedMark.bytes }
    let mount = Self.mount(of: file)
    switch mounts.place(of: path, on: mount) {
    case .host(let name): held.path = name
    case .elsewhere: held.path = path
    case .unknown:
      held.path = status.links == 0 ? nil : handle.flatMap { handles.path(fileSystem, $0) }
      held.isRaw = isRaw || (try? isOnOverlay(path: link)) != false
    case .layers(let names):
      var found = status.links == 0 ? lost(names, held) : layers(names, of: status, depth: depth)
      if found.isEmpty, case .layers(let names) = mounts.place(of: RawPath(path).withoutDeletedMark.bytes, on: mount) {
        // What is removed from the overlay stays on a lower layer.
        found = layers(names, of: status, depth: depth)
      }
      if !found.isEmpty { return found }
      // It is a file of the layers, any of them.
      held.path = path
      held.isRaw = true
    }
    return [held]
  }

  /// What an overlay's file is on the layers; empty where it is on none that can be reached.
  private mutating func layers(_ names: [[UInt8]], of file: FileStatus, depth: Int) -> [HeldFile] {
    var found: [HeldFile] = []
    var isThere = false
    guard depth < 4 else { return [] }
    for place in reachable(names) {
      guard let layer = try? OwnedDescriptor.open(bytes: place, .pathOnly),
        let status = try? FileStatus(descriptor: layer)
      else { continue }
      // An overlay tells the inode's number where its layers are of one file system, and the time always.
      isThere = isThere || status.inode == file.inode || status.changed == file.changed
      for file in told(layer, depth: depth + 1) where !found.contains(file) { found.append(file) }
    }
    return isThere ? found : []
  }

  /// What an overlay's file was on the layers that has no name any more.
  private mutating func lost(_ names: [[UInt8]], _ file: HeldFile) -> [HeldFile] {
    var found: [HeldFile] = []
    for place in reachable(names) {
      var directory = RawPath(place)
      var beneath: [[UInt8]] = []
      while let parent = directory.parent {
        beneath.insert(Array(directory.lastComponent), at: 0)
        directory = parent
        guard let layer = try? OwnedDescriptor.open(bytes: directory.bytes, [.pathOnly, .directory]),
          let path = try? LinuxKernel.path(of: layer)
        else { continue }
        var name = RawPath(path)
        if case .host(let path) = mounts.place(of: path, on: Self.mount(of: layer)) { name = RawPath(path) }
        var held = file
        held.path = beneath.reduce(name) { $0.appending($1) }.bytes
        if !found.contains(held) { found.append(held) }
        break
      }
    }
    return found
  }

  /// Layers are named in the namespace of whoever mounted the overlay: the host's, or the process's.
  private func reachable(_ names: [[UInt8]]) -> [[UInt8]] {
    let absolute = names.filter { $0.first == 0x2f }
    return absolute + absolute.map { Array("/proc/\(pid)/root".utf8) + $0 }
  }

  private func view() -> MountView {
    func table(_ pid: Int32) -> [MountEntry] {
      MountEntry.table((try? Procfs.file(pid, "mountinfo", limit: 16 << 20)) ?? [])
    }
    return MountView(host: table(Procfs.ownPid), own: table(pid), root: (try? Procfs.link(pid, "root")) ?? [0x2f])
  }

  /// The id of the mount that a descriptor of ours leads to, as proc_pid_fdinfo(5) tells it; 0 is none's.
  private static func mount(of file: borrowing OwnedDescriptor) -> UInt32 {
    field("mnt_id:", ofDescriptor: file.raw, of: Procfs.ownPid, radix: 10).flatMap { UInt32(exactly: $0) } ?? 0
  }

  /// A descriptor of O_PATH gives no content.
  private static func isPathOnly(_ pid: Int32, _ number: Int32) -> Bool {
    field("flags:", ofDescriptor: number, of: pid, radix: 8).map { $0 & 0o10000000 != 0 } ?? false
  }

  private static func field(_ name: String, ofDescriptor number: Int32, of pid: Int32, radix: Int) -> UInt64? {
    guard let text = try? Procfs.file(pid, "fdinfo/\(number)") else { return nil }
    for line in text.split(separator: 0x0a) where line.starts(with: Array(name.utf8)) {
      let digits = line.drop { $0 < 48 || $0 > 57 }
      return UInt64(String(decoding: digits, as: UTF8.self), radix: radix)
    }
    return nil
  }

  private static func identity(_ fileSystem: UInt64, _ handle: FileHandle?, _ status: FileStatus) -> FileIdentity {
    guard let handle,
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
