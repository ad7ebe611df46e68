internal import Decode
internal import Journal
internal import LinuxKernel

/// The marks: which file systems are watched, in the mount namespaces of this host and of session processes.
final class MountWatch {
  /// A mount namespace that somebody of a session lives in.
  private struct Namespace {
    var pids: Set<Int32>
    /// CLOCK_MONOTONIC: before this no process of a session is known to have lived in it.
    var since: UInt64
    /// Whether the kernel tells of its mounts.
    var hasEvents: Bool
  }

  private struct Watched {
    var entry: FileSystemEntry
    /// Where this process reaches it.
    var path: [UInt8]
    /// The ids of the mounts it was seen at; when all are gone, so is the mark.
    var mounts: Set<UInt32>
  }

  let identity: FanotifyGroup
  let descriptors: FanotifyGroup?
  let memory: FanotifyGroup?
  /// Tells of mounts where the kernel can (Linux 6.14).
  let events: FanotifyGroup?
  /// Told of mounts by poll(2) where it cannot.
  let table: OwnedDescriptor
  private var watched: [UInt64: Watched] = [:]
  private var namespaces: [[UInt8]: Namespace] = [:]
  /// Devices that another process had marked, until the first look.
  private var markedBefore: Set<UInt64> = []
  private let ownNamespace: [UInt8]
  /// Whether changes of the host's mounts are told of.
  private var hasOwnEvents = true
  /// What the journal must hold of the tables.
  var looks: MountLooks
  /// CLOCK_MONOTONIC: no change of mounts waited to be looked at then.
  private(set) var quiet: UInt64
  /// CLOCK_MONOTONIC of the look before.
  private var looked: UInt64
  /// The host's own mounts at the last look.
  private var ownTable: [UInt8] = []
  /// Beneath where names may be others than at the look before; for the caller to take.
  var moved: Set<[UInt8]> = []
  /// CLOCK_MONOTONIC when every mark was last seen in place.
  private var proven = Clock.monotonic.now

  /// - Parameters:
  ///   - isResumed: whether the groups may have marks that another process set.
  ///   - quiet: CLOCK_MONOTONIC when that process last knew that no change of mounts waited.
  ///   - capacity: the journal's.
  init(_ sources: CaptureSources, isResumed: Bool, quiet: UInt64, capacity: Int) throws(Errno) {
    looks = MountLooks(capacity: capacity)
    self.quiet = isResumed ? quiet : Clock.monotonic.now
    looked = self.quiet
    identity = sources.identity
    descriptors = sources.descriptors
    memory = sources.memory
    events = sources.mounts
    table = try OwnedDescriptor.open("/proc/self/mountinfo", .readOnly)
    ownNamespace = try readLink("/proc/self/ns/mnt")
    if isResumed { markedBefore = marked }
    if events != nil {
      let namespace = try OwnedDescriptor.open("/proc/self/ns/mnt", .readOnly)
      hasOwnEvents =
        (try? events?.mark(.mountNamespace, mask: FanotifyMask.mounts.rawValue, object: namespace)) != nil
    }
  }

  /// Marks what is not marked yet, notes what is gone, and proves every mark again. Returns what changed.
  func refresh() -> [FileSystemEntry] {
    defer { markedBefore = [] }
    let began = Clock.monotonic.now
    let told = drainEvents()
    // Another one, had somebody mounted that anew.
    try? memory?.mark(.fileSystem, mask: FanotifyMask.memory.rawValue, path: CaptureSources.processes)
    var changes = proveMarks()
    var present: [UInt64: Set<UInt32>] = [:]
    let own = look(through: "self", root: [], &present, &changes)
    looks.look(
      ownNamespace, isHost: true, text: own, since: hasOwnEvents ? quiet : looked, now: Clock.monotonic.now)
    for (name, namespace) in namespaces {
      let alive = namespace.pids.filter { (try? Procfs.link($0, "ns/mnt")) == name }
      guard let pid = alive.min() else {
        forget(name)
        continue
      }
      namespaces[name]?.pids = alive
      let text = look(through: "\(pid)", root: Array("/proc/\(pid)/root".utf8), &present, &changes)
      // Who ends during the look is found dead at the next one.
      guard let text, !text.isEmpty else { continue }
      let since = namespace.hasEvents ? quiet : looked
      looks.look(name, text: text, since: min(since, namespace.since), now: Clock.monotonic.now)
      namespaces[name]?.since = .max
    }
    if events != nil { looks.settle(attached: told, since: quiet, now: Clock.monotonic.now) }
    looked = began
    quiet = began
    for (device, known) in watched where present[device] == nil {
      watched[device] = nil
      var gone = known.entry
      gone.watching = .nothing
      gone.reason = Array("unmounted".utf8)
      gone.time = Clock.monotonic.now
      changes.append(gone)
    }
    return changes
  }

  /// Looks whether the kernel still has every mark: a file system unmounted and mounted again has lost it, with
  /// no event, and may come back under the same numbers.
  private func proveMarks() -> [FileSystemEntry] {
    let now = Clock.monotonic.now
    defer { proven = now }
    var changes: [FileSystemEntry] = []
    for mode in [Watching.identity, .descriptors] {
      let group = mode == .identity ? identity : descriptors
      guard let group, let marked = try? group.markedDevices() else { continue }
      for (device, known) in watched where known.entry.watching == mode && !marked.contains(device) {
        var lost = known.entry
        lost.watching = .nothing
        lost.reason = Array("the mark was lost: unmounted, or unmounted and mounted again".utf8)
        lost.time = proven
        changes.append(lost)
        // Looked at afresh below, if it is mounted.
        watched[device] = nil
      }
    }
    return changes
  }

  /// Watches the mount namespace of a session's process, if it is another one.
  func follow(_ pid: Int32) -> [FileSystemEntry] {
    guard let name = try? Procfs.link(pid, "ns/mnt"), name != ownNamespace else { return [] }
    if namespaces[name] != nil {
      namespaces[name]?.pids.insert(pid)
      return []
    }
    namespaces[name] = Namespace(pids: [pid], since: ProcessScan.start(of: pid) ?? looked, hasEvents: false)
    if let events, let namespace = try? OwnedDescriptor.open("/proc/\(pid)/ns/mnt", .readOnly) {
      namespaces[name]?.hasEvents =
        (try? events.mark(.mountNamespace, mask: FanotifyMask.mounts.rawValue, object: namespace)) != nil
    }
    return refresh()
  }

  /// Where canaries belong.
  var places: [CanaryPlace] {
    watched.values.filter { $0.entry.watching != .nothing }.map { known in
      CanaryPlace(
        device: known.entry.device, path: known.path, tellsOfDirectories: known.entry.watching == .identity)
    }.sorted { $0.device < $1.device }
  }

  /// The devices whose marks the kernel lists.
  var marked: Set<UInt64> {
    ((try? identity.markedDevices()) ?? []).union((try? descriptors?.markedDevices()) ?? [])
  }

  /// Whether a session lives in a namespace whose mounts must be looked at now and then.
  var hasForeignNamespaces: Bool { !namespaces.isEmpty }

  /// Notes that at this time no change of mounts waited.
  func note(quiet time: UInt64) { quiet = max(quiet, time) }

  /// Takes the waiting mount events: how many mounts came, at least; nil where some were not told.
  private func drainEvents() -> Int? {
    guard let events else { return 0 }
    var attached: Int? = 0
    unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
      while let count = try? unsafe events.descriptor.read(into: buffer), count > 0 {
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
        var offset = 0
        while let record = try? unsafe FanotifyRecord.next(in: bytes.bytes, at: &offset) {
          if record.mask.contains(.overflow) { attached = nil }
          if record.mask.contains(.mountAttach) { attached = attached.map { $0 + 1 } }
        }
      }
    }
    return attached
  }

  private func forget(_ namespace: [UInt8]) {
    namespaces[namespace] = nil
    looks.forget(namespace, now: Clock.monotonic.now)
    // The mark goes with the namespace; nothing of ours keeps it alive.
  }

  /// Returns the table, as it was before anything was done because of it; nil where there is none.
  private func look(
    through process: String, root: [UInt8], _ present: inout [UInt64: Set<UInt32>],
    _ changes: inout [FileSystemEntry]
  ) -> [UInt8]? {
    guard let text = try? Procfs.file("/proc/\(process)/mountinfo", limit: 16 << 20) else { return nil }
    let table = MountEntry.table(text)
    if root.isEmpty {
      if !ownTable.isEmpty, ownTable != text { moved.formUnion(MountEntry.moved(MountEntry.table(ownTable), table)) }
      ownTable = text
    }
    for mount in table { present[mount.device, default: []].insert(mount.id) }
    for mount in table {
      if let known = watched[mount.device] {
        // What could not be marked where it was may be reached at another place.
        if known.entry.watching != .nothing || !known.mounts.isDisjoint(with: present[mount.device] ?? []) { continue }
      }
      guard let entry = mark(mount, root: root, alternatives: table) else { continue }
      changes.append(entry)
      watched[mount.device] = Watched(
        entry: entry, path: root + entry.mountPoint, mounts: present[mount.device] ?? [])
    }
    for (device, mounts) in present { watched[device]?.mounts = mounts }
    return text
  }

  /// Marks one file system at whichever of its mount points can be reached.
  private func mark(_ mount: MountEntry, root: [UInt8], alternatives: [MountEntry]) -> FileSystemEntry? {
    var entry = FileSystemEntry(
      fileSystem: 0, device: mount.device, type: mount.type, mountPoint: mount.mountPoint, watching: .nothing,
      reason: "", time: 0)
    let reachable = alternatives.filter { other in
      guard other.device == mount.device, let status = try? FileStatus(path: root + other.mountPoint) else {
        return false
      }
      // btrfs gives each subvolume a device number of its own.
      return status.device == mount.device || mount.type == Array("btrfs".utf8)
    }
    guard let place = reachable.first else {
      entry.reason = Array("hidden beneath another mount".utf8)
      entry.time = Clock.monotonic.now
      return entry
    }
    entry.mountPoint = place.mountPoint
    let path = root + place.mountPoint
    entry.fileSystem = (try? fileSystemID(path: path)) ?? 0
    do {
      guard try handlesAreKnown(path) else { throw Errno.notSupported }
      try identity.mark(.fileSystem, mask: FanotifyMask.files.rawValue, path: path)
      entry.watching = .identity
    } catch {
      if mount.isKernelInterface {
        entry.reason = Array("an interface of the kernel's, with no stored files".utf8)
      } else if descriptors == nil {
        entry.reason = Array("refuses identity mode (\(error)), and the kernel has no descriptor mode".utf8)
      } else {
        do {
          try descriptors?.mark(.fileSystem, mask: FanotifyMask.descriptors.rawValue, path: path)
          entry.watching = .descriptors
          entry.reason = Array("refuses identity mode (\(error)): creations, deletions and renames are not seen".utf8)
        } catch {
          entry.reason = Array("cannot be marked: \(error)".utf8)
        }
      }
    }
    // Zero: since when, whoever marked it has told.
    entry.time = markedBefore.contains(mount.device) ? 0 : Clock.monotonic.now
    return entry
  }

  /// Whether the file system's handles say inode and generation in an encoding we read.
  private func handlesAreKnown(_ path: [UInt8]) throws(Errno) -> Bool {
    let handle = try FileHandle(path: path)
    return unsafe DecodedHandle(type: handle.type, in: handle.bytes.span.bytes, at: 0, count: handle.bytes.count) != nil
  }
}
