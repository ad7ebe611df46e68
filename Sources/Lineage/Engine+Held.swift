internal import Journal
internal import Records

// What is accessed for as long as it is held: a mapping raises nothing when it is used, nor does an open file always.
extension Engine {
  /// A file mapping of a process in a session is an access, also of a descriptor that was opened elsewhere.
  mutating func map(
    _ pid: Int32, _ mapping: FileMapping, at time: UInt64, _ source: some BatchSource, _ oracle: inout some Oracle
  ) {
    guard processes.standing(pid) == .special, mapping.inode != 0, processes[pid]?.session != Self.canarySession
    else { return }
    let path = mapping.path(in: source)
    // `//anon`, `[heap]`, `/memfd:…`, `/dev/zero (deleted)`: no file of a file system.
    guard path.first == UInt8(ascii: "/"), let fileSystem = fileSystems.fileSystem(device: mapping.device) else {
      return
    }
    let identity = FileIdentity(fileSystem: fileSystem, inode: mapping.inode, generation: mapping.generation)
    var operations: Operations = [.read, .mapped]
    if mapping.isExecutable { operations.insert(.exec) }
    if mapping.isShared { operations.insert(mapping.isWritable ? .mapWritable : .mapShared) }
    if operations.contains(.mapWritable), let author = author(pid) { _ = noteWritten(identity, by: author.session) }
    if isRawDevice(identity, at: RawPath(path), &oracle) { operations.insert(.rawDevice) }
    let place = openPaths[ProcessFile(pid: pid, identity: identity)] ?? RawPath(path)
    enter(
      pid, identity, places: [place], name: Array(place.lastComponent), operations: operations, time: time)
  }

  // MARK: - Address spaces

  /// A process was born with what its parent had mapped, or with the parent's memory itself.
  mutating func enterSpace(_ life: inout Life, of space: Int64?) {
    guard let space else { return }
    life.space = space
    spaces[space, default: 0] += 1
  }

  /// A process has exited, or executes something else: its mappings are gone.
  mutating func leaveSpace(_ pid: Int32, at time: UInt64) {
    guard let space = processes[pid]?.space else { return }
    _ = processes.update(pid) { $0.space = nil }
    guard let count = spaces[space] else { return }
    spaces[space] = count > 1 ? count - 1 : nil
    if count <= 1, uncountedSpaces.remove(space) == nil { findings.append(.released(space: space, wall(time))) }
  }

  /// After a look at /proc: of address spaces known from before, those that nobody has any more are released. But
  /// whoever cannot be told may share any.
  mutating func settleSpaces(_ inherited: Set<Int64>) {
    if observed.contains(where: { processes[$0.pid]?.isUnknown == true }) {
      uncountedSpaces.formUnion(inherited)
      uncountedSpaces.formUnion(spaces.keys)
    } else {
      for space in inherited.sorted() where spaces[space] == nil {
        findings.append(.released(space: space, wall(batch.upper)))
      }
    }
  }

  // MARK: - Open files

  /// Keeps in mind what a written episode left open.
  mutating func noteLeftOpen(_ access: Access) {
    guard let session = access.session, access.operations.isLeftOpen else { return }
    leftOpen.insert(SessionFile(session: session, identity: access.identity))
    if opened.count >= Self.mostOpened { opened.removeAll() }
    opened.insert(SessionFile(session: session, identity: access.identity))
  }

  /// A close that belongs to no open of its own episode ends what the session had been holding; or it shows what the
  /// session held without having opened it.
  mutating func noteClose(_ key: EpisodeKey, _ name: [UInt8], _ operations: Operations, _ record: Int64?) {
    guard let session = key.session, key.channels.isEmpty else { return }
    let file = SessionFile(session: session, identity: key.identity)
    if leftOpen.remove(file) != nil {
      findings.append(.closed(session: session, key.identity, wall(batch.upper)))
    } else if !opened.contains(file), !hasOpened(file), let began = sessions[session]?.session.started {
      inherit(
        file, path: key.path, name: name, operations: operations, record,
        time: Interval(from: min(began, span.to), to: span.to))
    }
  }
}
