internal import Decode
internal import Journal
internal import Records

// Other processes' memory (HAZARDS A14, B9b). What a process outside had read, and holds, nobody has recorded: whoever
// reaches into it may have reached any file's content, as by a block device.
extension Engine {
  mutating func attribute(_ event: MemoryEvent) {
    guard event.pid != run?.ownPid, processes.standing(event.pid) != .bystander, !isCanary(event.pid, on: nil) else {
      return
    }
    switch MemoryPlace(path: event.path) {
    case .process(let object): if isOwnMemory(object, of: event.pid) { return }
    // Who manages processes reads what environment they have, for whomever: that is no file's content, mostly.
    case .environment(let object):
      if session(of: event.pid) == nil || isOwnMemory(object, of: event.pid) { return }
    case .machine: break
    case nil:
      memoryOfGone.append(event)
      return
    }
    enterMemory(of: event)
  }

  /// Whose memory it was that went before anybody could look: the session's own, if of its processes one ended about then
  /// and nobody else's did. Who works for a session is taken to have looked at itself where it has ended: many programs do
  /// as they start.
  mutating func settleMemoryOfGone() {
    guard !memoryOfGone.isEmpty else { return }
    var waiting: [MemoryEvent] = []
    for event in memoryOfGone {
      let end = event.until.later(by: Self.longestDeath)
      let dead = processes.current.values.filter { life in
        life.died.map { $0 >= event.since && $0 <= end } ?? false && life.session != Self.canarySession
      }
      if session(of: event.pid) == nil, dead.contains(where: { $0.key.pid == event.pid }) { continue }
      if dead.contains(where: { $0.session == nil }) || batch.upper > end && dead.isEmpty {
        enterMemory(of: event)
      } else if batch.upper <= end {
        waiting.append(event)
      }
    }
    memoryOfGone = waiting
  }

  /// Memory is given up before its process's end is told, in nanoseconds.
  private static let longestDeath: UInt64 = 200_000_000

  /// Somebody attached to a process, or read or wrote its memory by a system call.
  mutating func reachMemory(of object: Int32, by pid: Int32, at time: UInt64) {
    if isOwnMemory(object, of: pid) { return }
    enterMemory(
      by: pid, inode: 0, at: RawPath("/proc/\(object)/mem".utf8), [.read, .write], since: time)
  }

  private mutating func enterMemory(of event: MemoryEvent) {
    enterMemory(
      by: event.pid, inode: event.inode, at: event.path.isEmpty ? nil : RawPath(event.path),
      Operations(FanotifyMask(rawValue: event.mask), isLink: false), since: event.until)
  }

  private mutating func enterMemory(
    by pid: Int32, inode: UInt64, at place: RawPath?, _ operations: Operations, since time: UInt64
  ) {
    enter(
      pid, FileIdentity(fileSystem: 0, inode: inode, generation: 0), places: place.map { [$0] } ?? [],
      name: place.map { Array($0.lastComponent) } ?? [], operations: operations.union(.rawDevice), time: time)
  }

  /// Whether all that a process may hold counts for the reader's session anyway: it is of that session, or within it.
  private func isOwnMemory(_ object: Int32, of reader: Int32) -> Bool {
    if object == reader { return true }
    let readers = processes.lives(reader), lives = processes.lives(object)
    return !lives.isEmpty
      && readers.allSatisfy { reader in
        guard let session = reader.session else { return false }
        return lives.allSatisfy { $0.session.map { isWithin($0, session) } ?? false }
      }
  }

  private func isWithin(_ session: Int64, _ outer: Int64) -> Bool {
    var next: Int64? = session
    while let session = next, session != outer {
      // What a daemon hosts is its own.
      next = sessions[session].flatMap { $0.session.relation == .hosted ? nil : $0.session.parent }
    }
    return next == outer
  }
}

extension MemoryEvent: Archived {
  static var blank: MemoryEvent { MemoryEvent(mask: 0, pid: 0, inode: 0, path: [], since: 0, until: 0) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&mask)
    try archive(&pid)
    try archive(&inode)
    try archive(&path)
    try archive(&since)
    try archive(&until)
  }
}
