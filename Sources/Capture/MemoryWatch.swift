internal import Decode
internal import Journal
internal import LinuxKernel
internal import Synchronization

/// Reads who reaches other processes' memory by way of /proc, at once and in a thread of its own: whose memory that is
/// cannot be told any more once that process has ended.
final class MemoryWatch: Sendable {
  private struct State {
    var events: [MemoryEvent] = []
    var losses: [String] = []
    /// CLOCK_MONOTONIC: no event waited then.
    var emptied: UInt64
    var isStopped = false
  }

  private let group: FanotifyGroup
  /// Keeps what is in hand, and in mind that something has been read that is not written.
  private let ring: JournalRing
  private let wakeUp: WakeUp
  private let ended: WakeUp
  private let poller: Poller
  private let state: Mutex<State>

  /// - Parameters:
  ///   - emptied: CLOCK_MONOTONIC: nothing of before waits.
  ///   - wakeUp: signalled when there is something to take.
  /// - Throws: errors of epoll(7) and pthread_create(3).
  init(_ group: FanotifyGroup, ring: JournalRing, emptied: UInt64, wakeUp: WakeUp) throws(Errno) {
    self.group = group
    self.ring = ring
    self.wakeUp = wakeUp
    ended = try WakeUp()
    poller = try Poller()
    state = Mutex(State(emptied: emptied))
    try poller.add(group.descriptor.raw, tag: 1)
    try poller.add(ended.descriptor.raw, tag: 2)
    _ = try KernelThread(name: "memory") { [self] in run() }
  }

  private func run() {
    KernelThread.hurry()
    while true {
      _ = try? poller.wait(milliseconds: -1)
      let (isStopped, hasNews) = state.withLock { state in
        if !state.isStopped { _ = drain(&state) }
        return (state.isStopped, !state.events.isEmpty || !state.losses.isEmpty)
      }
      if isStopped { return }
      if hasNews { wakeUp.signal() }
    }
  }

  /// Reads what waits, and gives what happened before now; all of it, unless that was too much at once.
  func take() -> (events: [MemoryEvent], losses: [String], isAll: Bool) {
    state.withLock { state in
      let isAll = drain(&state)
      defer {
        state.events.removeAll()
        state.losses.removeAll()
      }
      return (state.events, state.losses, isAll)
    }
  }

  /// What was taken is in the journal.
  func settle() {
    state.withLock { state in if state.events.isEmpty, state.losses.isEmpty { ring[.memorySince] = 0 } }
  }

  /// From now on nothing is read but by `take`.
  func stop() {
    state.withLock { $0.isStopped = true }
    ended.signal()
  }

  /// Whether nothing waits any more.
  private func drain(_ state: inout State) -> Bool {
    let hand = unsafe ring.hand
    // Bounded, so that a flood cannot keep others waiting.
    for _ in 0..<64 {
      let before = Clock.monotonic.now
      let count: Int
      do throws(Errno) { count = unsafe try group.descriptor.read(into: hand) } catch {
        if error == .wouldBlock { state.emptied = before } else { state.losses.append("read failed: \(error)") }
        return true
      }
      guard count > 0 else { return true }
      var offset = 0
      let bytes = unsafe UnsafeRawBufferPointer(rebasing: hand[..<count])
      while let record = try? unsafe FanotifyRecord.next(in: bytes.bytes, at: &offset) { note(record, &state) }
      if !state.events.isEmpty, ring[.memorySince] == 0 { ring[.memorySince] = state.emptied }
      unsafe Self.clear(hand)
    }
    return false
  }

  private static func clear(_ hand: UnsafeMutableRawBufferPointer) {
    for at in hand.indices { unsafe hand[at] = 0 }
  }

  /// What a reader before this one had in hand when it died: of what it had read, the descriptors are gone with it.
  static func inHand(_ ring: JournalRing, since emptied: UInt64) -> [MemoryEvent] {
    let hand = unsafe ring.hand
    defer { unsafe clear(hand) }
    var events: [MemoryEvent] = []
    var offset = 0
    // Zeros are no event.
    while let record = try? unsafe FanotifyRecord.next(in: UnsafeRawBufferPointer(hand).bytes, at: &offset) {
      events.append(
        MemoryEvent(
          mask: record.mask.rawValue, pid: record.pid, inode: 0, path: [], since: emptied, until: Clock.monotonic.now))
    }
    return events
  }

  /// Most of what is read below /proc reaches nobody's memory, and is left out.
  private func note(_ record: FanotifyRecord, _ state: inout State) {
    func add(_ path: [UInt8], inode: UInt64) {
      state.events.append(
        MemoryEvent(
          mask: record.mask.rawValue, pid: record.pid, inode: inode, path: path, since: state.emptied,
          until: Clock.monotonic.now))
    }
    if record.mask.contains(.overflow) { return state.losses.append("queue overflow") }
    guard record.descriptor >= 0 else {
      switch Errno(rawValue: -record.descriptor) {
      // Memory whose process is gone; of mount tables and sockets it is told otherwise. What was only written gave
      // nothing, and was, mostly, a switch of a user namespace (setgroups).
      case .noSuchProcess where record.mask.contains(.access): return add([], inode: 0)
      case .noSuchProcess: return
      case .invalidArgument, .noSuchFile, .noSuchDevice: return
      case let error: return state.losses.append("a file of /proc cannot be opened: \(error)")
      }
    }
    let file = OwnedDescriptor(adopting: record.descriptor)
    guard record.pid != Procfs.ownPid else { return }
    do {
      let place = try path(of: file)
      guard MemoryPlace(path: place) != nil else { return }
      add(place, inode: try FileStatus(descriptor: file).inode)
    } catch {
      state.losses.append("a file of /proc cannot be told: \(error)")
    }
  }
}
