internal import Decode
internal import LinuxKernel
internal import Records

/// Paths of files by their handles, as the best of the file system's mounts tells them.
struct HandlePaths {
  /// Where each file system is mounted. The places alone: a directory held open would keep it from being unmounted.
  private var mounts: [UInt64: [RawPath]] = [:]

  /// The path; nil where the file has none any more, or none beneath a mount.
  mutating func path(_ fileSystem: UInt64, _ handle: FileHandle) -> [UInt8]? {
    for point in mounts(of: fileSystem) {
      guard let mount = try? OwnedDescriptor.open(bytes: point.bytes, [.readOnly, .directory]),
        let file = try? handle.open(mount: mount),
        let status = try? FileStatus(descriptor: file), status.links > 0,
        let found = try? LinuxKernel.path(of: file)
      else { continue }
      // Through a bind mount of a part, what lies outside that part has a path that leads nowhere.
      if RawPath(found).isAtOrBeneath(point) { return found }
    }
    return nil
  }

  private mutating func mounts(of fileSystem: UInt64) -> [RawPath] {
    if let known = mounts[fileSystem] { return known }
    guard let text = try? Procfs.file("/proc/self/mountinfo", limit: 16 << 20) else { return [] }
    let found = MountEntry.canonicalOrder(MountEntry.table(text)).map(\.mountPoint)
      .filter { (try? fileSystemID(path: $0)) == fileSystem }
    mounts[fileSystem] = found.map { RawPath($0) }
    return mounts[fileSystem] ?? []
  }

  /// Forgets where file systems are mounted: tomorrow they may be elsewhere.
  mutating func forgetMounts() {
    mounts.removeAll()
  }
}
