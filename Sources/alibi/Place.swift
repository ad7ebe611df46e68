internal import Decode
internal import Glibc
internal import LinuxKernel
internal import Records

/// A place as the running system knows it: through symbolic links, bind mounts and overlays.
struct Place {
  /// Every name that records may use for it.
  private(set) var names: [RawPath]
  /// As it was typed, and through the symbolic links of now.
  let asked: [RawPath]
  private let table: [MountEntry]

  init(_ typed: RawPath) {
    table = MountEntry.table((try? Procfs.file("/proc/self/mountinfo", limit: 16 << 20)) ?? [])
    names = [typed]
    let real = Self.realPath(typed) ?? typed
    asked = real == typed ? [typed] : [typed, real]
    add(real)
    // Records tell paths through the file system's own mount, not through a bind mount of a part of it.
    if let canonical = MountEntry.canonical(real.bytes, table) { add(RawPath(canonical)) }
    // What is opened through an overlay is seen on the layer that holds it, and may be opened there too.
    for layer in overlayLayers(of: real) {
      add(layer)
      if let canonical = MountEntry.canonical(layer.bytes, table) { add(RawPath(canonical)) }
    }
  }

  mutating func add(_ name: RawPath) {
    if !names.contains(name) { names.append(name) }
  }

  private func overlayLayers(of path: RawPath) -> [RawPath] {
    guard let mount = MountEntry.covering(path.bytes, table), mount.type == Array("overlay".utf8) else { return [] }
    let inside = path.bytes.dropFirst(mount.mountPoint == [0x2f] ? 0 : mount.mountPoint.count)
    return mount.layers.map { RawPath($0 + inside) }
  }

  /// The file systems it lies on: of each name the nearest ancestor's that exists and, for a tree, those mounted
  /// within. Nil where that cannot be told.
  func fileSystems(beneath: Bool) -> Set<UInt64>? {
    guard !table.isEmpty else { return nil }
    var found: Set<UInt64> = []
    for name in names {
      var candidate: RawPath? = name
      while let here = candidate {
        if let id = try? fileSystemID(path: here.bytes) {
          found.insert(id)
          break
        }
        candidate = here.parent
      }
      guard beneath else { continue }
      for mount in table where RawPath(mount.mountPoint).isAtOrBeneath(name) && !mount.isKernelInterface {
        if let id = try? fileSystemID(path: mount.mountPoint) { found.insert(id) }
      }
    }
    return found.isEmpty ? nil : found
  }

  /// File systems of the place's that are watched by descriptors, so that names on them are not followed. An overlay
  /// is not meant: names on its layers are.
  func obstacles(beneath: Bool) -> [String] {
    let mounts =
      names.compactMap { MountEntry.covering($0.bytes, table) }
      + (beneath ? table.filter { mount in names.contains { RawPath(mount.mountPoint).isAtOrBeneath($0) } } : [])
    for mount in mounts where !mount.isKernelInterface && mount.type != Array("overlay".utf8) {
      guard let status = try? FileStatus(path: mount.mountPoint), status.device == mount.device else { continue }
      if (try? FileHandle(path: mount.mountPoint)) == nil {
        return ["creations, deletions and renames are not seen on \(RawPath(mount.mountPoint))"]
      }
    }
    return []
  }

  /// realpath(3), of the nearest ancestor that exists.
  private static func realPath(_ path: RawPath) -> RawPath? {
    var head = path
    var tail: [[UInt8]] = []
    while true {
      let terminated = (head.bytes + [0]).map { CChar(bitPattern: $0) }
      if let resolved = unsafe realpath(terminated, nil) {
        defer { unsafe free(resolved) }
        let length = unsafe strlen(resolved)
        var real = RawPath((0..<length).map { unsafe UInt8(bitPattern: resolved[$0]) })
        for name in tail.reversed() { real = real.appending(name) }
        return real
      }
      guard let parent = head.parent else { return nil }
      tail.append(Array(head.lastComponent))
      head = parent
    }
  }
}
