internal import Decode
internal import Journal
internal import Records

// First pass over a batch: everything but the accesses themselves.
extension Engine {
  mutating func gather(perf bytes: RawSpan, at position: UInt64) {
    var offset = 0
    while true {
      let record: PerfRecord?
      do { record = try PerfRecord.next(in: bytes, at: &offset) } catch {
        return malformed("perf", error)
      }
      guard let record else { return }
      let what: LineageEvent.What
      switch record.body {
      case .fork(let child, let childThread, let parent, _):
        what = .fork(child: child, childThread: childThread, parent: parent)
      case .exec(let pid, _): what = .exec(pid: pid)
      case .exit(let pid, let thread): what = .exit(pid: pid, thread: thread)
      case .map(let map):
        what = .map(
          pid: map.pid,
          FileMapping(
            copied: nil, device: map.device, inode: map.inode, generation: map.generation,
            isShared: map.flags & 0x1 != 0, isWritable: map.protection & 0x2 != 0,
            isExecutable: map.protection & 0x4 != 0, position: position, path: map.path))
      case .lost, .other: continue  // capture has made a loss entry of it
      }
      timeline.append(LineageEvent(time: record.time, witness: .perf, what: what))
    }
  }

  mutating func gather(connector bytes: RawSpan) {
    var offset = 0
    while true {
      let record: ConnectorRecord?
      do { record = try ConnectorRecord.next(in: bytes, at: &offset) } catch {
        return malformed("connector", error)
      }
      guard let record else { return }
      checkSequence(record)
      let what: LineageEvent.What
      switch record.body {
      case .fork(let child, let childThread, let parent, _):
        what = .fork(child: child, childThread: childThread, parent: parent)
      case .exec(let pid): what = .exec(pid: pid)
      case .exit(let pid, let thread, let isKilled):
        if isKilled, pid == thread, audit.isHeard { reconciliation.killed[pid] = record.time }
        what = .exit(pid: pid, thread: thread)
      case .credentials(let pid, true, let real, let effective):
        what = .credentials(pid: pid, isRoot: real == 0 || effective == 0)
      case .acknowledgement, .credentials, .trace, .other: continue
      }
      timeline.append(LineageEvent(time: record.time, witness: .connector, what: what))
    }
  }

  /// The kernel numbers the messages of each CPU: a hole is a loss, and going back is somebody's doing.
  private mutating func checkSequence(_ record: ConnectorRecord) {
    // One answer is to our own request; the others are somebody's who may have switched the connector off and on
    // again, which leaves no hole. Any other listener that starts causes one too.
    if case .acknowledgement = record.body {
      acknowledgements += 1
      if acknowledgements > 1 { hasForeignAcknowledgement = true }
    }
    defer {
      sequences[record.cpu] = record.sequence
      heard[record.cpu] = record.time
    }
    guard let last = sequences[record.cpu], record.sequence != last &+ 1 else { return }
    unheardSince = min(unheardSince ?? .max, heard[record.cpu] ?? batch.lower)
    troubles.append(
      (LossSource.connector.label, "hole in the numbers of CPU \(record.cpu): \(last) to \(record.sequence)"))
  }

  mutating func gather(fanotify bytes: RawSpan) {
    var offset = 0
    while true {
      let record: FanotifyRecord?
      do { record = try FanotifyRecord.next(in: bytes, at: &offset) } catch {
        return malformed("fanotify", error)
      }
      guard let record else { return }
      eventsGathered += 1
      let mask = record.mask
      if mask.contains(.overflow) { hasOverflowed = true }
      if mask.contains(.openExec), !mask.contains(.onDirectory) {
        noteOpening(
          ExecCandidate(
            identity: record.target.flatMap { identity($0, in: bytes) }, device: nil,
            parent: record.directory.flatMap { reference($0, in: bytes) }, name: bytes.copy(record.name),
            path: nil, usedIn: nil), by: record.pid)
        openings[record.pid] = eventsGathered
        if let file = record.target.flatMap({ identity($0, in: bytes) }) { noteOpening(of: file, by: record.pid) }
      }
      gatherName(record, in: bytes)
    }
  }

  mutating func gather(_ event: DescriptorEvent) {
    guard FanotifyMask(rawValue: event.mask).contains(.openExec) else { return }
    noteOpening(
      ExecCandidate(
        identity: FileIdentity(
          fileSystem: fileSystems.fileSystem(device: event.device) ?? 0, inode: event.inode, generation: 0),
        device: event.device, parent: nil, name: Array(RawPath(event.path).lastComponent),
        path: RawPath(event.path), usedIn: nil), by: event.pid)
    openings[event.pid] = .max
  }

  /// A process that tries and fails to execute for ever must not fill the memory; the latest openings are those
  /// that can still be used.
  private mutating func noteOpening(_ candidate: ExecCandidate, by pid: Int32) {
    execs[pid, default: []].append(candidate)
    if let count = execs[pid]?.count, count > 64 { execs[pid]?.removeFirst(count - 64) }
  }

  mutating func malformed(_ source: String, _ error: DecodeError) {
    troubles.append((source, "not understood: \(error)"))
  }

  func identity(_ view: HandleView, in bytes: RawSpan) -> FileIdentity? {
    view.decoded(in: bytes).map {
      FileIdentity(
        fileSystem: view.fileSystem, inode: $0.inode, generation: $0.generation, subvolume: $0.subvolume)
    }
  }

  func reference(_ view: HandleView, in bytes: RawSpan) -> DirectoryReference? {
    identity(view, in: bytes).map {
      DirectoryReference(identity: $0, type: view.type, handle: view.bytes(in: bytes))
    }
  }

  /// The path of a directory: known, or asked for once.
  mutating func path(of directory: DirectoryReference, _ oracle: inout some Oracle) -> RawPath? {
    if let known = directories.path(directory.identity) { return known }
    // The handle of a removed directory is stale: asking would tell nothing.
    if let place = directories.removal(of: directory.identity) { return path(of: place, &oracle) }
    let question = Question.directory(
      fileSystem: directory.identity.fileSystem, type: directory.type, handle: directory.handle)
    if directories.gone.contains(directory.identity) { return nil }
    guard case .directory(let answer?) = oracle.answer(question) else {
      directories.noteGone(directory.identity)
      return nil
    }
    let path = RawPath(answer)
    directories.learn(directory.identity, path)
    return path
  }

  /// The path of a directory that is removed in this batch, by where it was removed from.
  private mutating func path(
    of removal: DirectoryNames.Removal, _ oracle: inout some Oracle
  ) -> RawPath? {
    var names = [removal.name]
    var parent = removal.parent
    while directories.path(parent.identity) == nil, let above = directories.removal(of: parent.identity) {
      // A tree is no deeper than this; what goes round in circles is no tree.
      guard names.count < 10_000 else { return nil }
      names.append(above.name)
      parent = above.parent
    }
    guard var path = path(of: parent, &oracle) else { return nil }
    for name in names.reversed() { path = path.appending(name) }
    return path
  }

  /// Every path the entry `name` of a directory had within the batch; empty where the directory is gone.
  mutating func paths(
    of name: [UInt8], in directory: DirectoryReference, _ oracle: inout some Oracle
  ) -> [RawPath] {
    guard let parent = path(of: directory, &oracle) else { return [] }
    return directories.alternatives(parent.appending(name))
  }

  mutating func nameExecutables(_ oracle: inout some Oracle) {
    // In order of pids: the same journal must ask the same questions in the same order.
    for pid in execs.keys.sorted() {
      var named = execs[pid] ?? []
      for index in named.indices where named[index].path == nil {
        guard let parent = named[index].parent else { continue }
        named[index].path = paths(of: named[index].name, in: parent, &oracle).first
      }
      execs[pid] = named
    }
  }
}

extension RawSpan {
  /// The bytes of a range, copied.
  func copy(_ range: Range<Int>) -> [UInt8] {
    guard !range.isEmpty else { return [] }
    return unsafe extracting(range).withUnsafeBytes { unsafe Array($0) }
  }
}
