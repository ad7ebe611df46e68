internal import Decode
public import Journal
public import LinuxKernel
internal import Synchronization

/// What other threads ask of the collector.
public final class CaptureMailbox: Sendable {
  enum Request: Sendable {
    case barrier(UInt64)
    case follow(Int32)
  }

  private struct State {
    var requests: [Request] = []
    var isStopping = false
  }

  private let state = Mutex(State())
  let wakeUp: WakeUp

  /// An empty mailbox.
  public init() throws(Errno) {
    wakeUp = try WakeUp()
  }

  /// Asks for a batch that ends after this moment, with `number` in it.
  public func barrier(_ number: UInt64) { post(.barrier(number)) }

  /// Asks to watch the mount namespace of a session's process.
  public func follow(_ pid: Int32) { post(.follow(pid)) }

  /// Asks the collector to end after one more batch.
  public func stop() {
    state.withLock { $0.isStopping = true }
    wakeUp.signal()
  }

  private func post(_ request: Request) {
    state.withLock { $0.requests.append(request) }
    wakeUp.signal()
  }

  func take() -> (requests: [Request], isStopping: Bool) {
    wakeUp.clear()
    return state.withLock { state in
      defer { state.requests.removeAll() }
      return (state.requests, state.isStopping)
    }
  }
}

/// Which witnesses could be opened, and why not.
public struct Witnesses: Sendable {
  /// Why there are no perf task records; nil where there are.
  public var perfMissing: Errno?
  /// Why there is no process connector; nil where there is.
  public var connectorMissing: Errno?
}

/// Reads every kernel source into the journal, batch by batch, in the order that makes attribution possible:
/// fanotify first, then lineage (`DESIGN.md` §2).
public final class Collector: @unchecked Sendable {
  // Sendable because after init one thread alone, the one that calls run(), touches it.

  private let ring: JournalRing
  private let options: CaptureOptions
  private let mailbox: CaptureMailbox
  private let delivered: @Sendable () -> Void
  private let poller: Poller
  private let mounts: MountWatch
  private var perf: [PerfTaskRing]
  private var perfBytes = 0
  private let connector: ProcessConnector?
  /// What could not be opened.
  public let witnesses: Witnesses
  /// CLOCK_MONOTONIC: the fanotify queue was empty no later than this.
  private var emptied: UInt64
  private var lineageDrained: UInt64
  private var lastRefresh: UInt64 = 0

  private enum Tag {
    static let mailbox: UInt64 = 1
    static let fanotify: UInt64 = 2
    static let descriptors: UInt64 = 3
    static let connector: UInt64 = 4
    static let mounts: UInt64 = 5
    static let perf: UInt64 = 16
  }

  /// Opens every source, marks every file system, looks at /proc, and writes the first batch.
  ///
  /// Lineage is opened before the look, so that a process is found by one of the two; the marks are set before
  /// it, so that from the end of this call on nothing is missed.
  ///
  /// - Parameter delivered: called after each batch that was written.
  /// - Throws: EPERM without root; EINVAL where the kernel lacks fanotify's FAN_REPORT_TARGET_FID (Linux 5.17).
  public init(
    ring: JournalRing, options: CaptureOptions, mailbox: CaptureMailbox, bootID: String, host: String,
    delivered: @escaping @Sendable () -> Void
  ) throws(Errno) {
    self.ring = ring
    self.options = options
    self.mailbox = mailbox
    self.delivered = delivered
    let began = Clock.monotonic.now
    emptied = began
    lineageDrained = began
    poller = try Poller()
    var missing = Witnesses()
    var rings: [PerfTaskRing] = []
    do {
      let cpus = try Procfs.onlineCPUs()
      perfBytes = Self.perfBytes(options, cpus: cpus.count)
      for cpu in cpus { rings.append(try PerfTaskRing(cpu: cpu, bytes: perfBytes)) }
    } catch {
      rings.removeAll()
      missing.perfMissing = error
    }
    perf = rings
    do {
      connector = try ProcessConnector(receiveBuffer: options.connectorBytes)
    } catch {
      connector = nil
      missing.connectorMissing = error
    }
    witnesses = missing
    mounts = try Self.withQueueLength(options.queueLength) { () throws(Errno) in try MountWatch() }
    let marked = mounts.refresh()
    lastRefresh = Clock.monotonic.now

    try poller.add(mailbox.wakeUp.descriptor.raw, tag: Tag.mailbox)
    try poller.add(mounts.identity.descriptor.raw, tag: Tag.fanotify)
    if let raw = mounts.descriptors?.descriptor.raw { try poller.add(raw, tag: Tag.descriptors) }
    if let raw = connector?.descriptor.raw { try poller.add(raw, tag: Tag.connector) }
    if let raw = mounts.events?.descriptor.raw {
      try poller.add(raw, tag: Tag.mounts)
    } else {
      try poller.add(mounts.table.raw, tag: Tag.mounts, priority: true)
    }
    for (index, each) in perf.enumerated() {
      try poller.add(each.descriptor.raw, tag: Tag.perf + UInt64(index))
    }

    write(
      RunEntry(
        bootID: Array(bootID.utf8), host: Array(host.utf8), ownPid: Procfs.ownPid,
        monotonic: Clock.monotonic.now, wall: Clock.wall.now, boot: Clock.boot.now,
        hasPerf: missing.perfMissing == nil, hasConnector: missing.connectorMissing == nil))
    for entry in marked { write(entry) }
    for process in try ProcessScan.all() { write(process) }
    batch()
  }

  /// Runs until the mailbox says stop; then reads what is there and returns.
  public func run() {
    var isStopping = false
    while !isStopping {
      let ready = (try? poller.wait(milliseconds: options.idleInterval)) ?? []
      let (requests, stop) = mailbox.take()
      isStopping = stop
      // Left alone for a few milliseconds, the kernel merges open, read and close of a file into one event.
      if !ready.isEmpty, requests.isEmpty, !stop { sleepThread(nanoseconds: options.batchInterval) }
      if ready.contains(Tag.mounts) || isRefreshDue {
        mounts.drainEvents()
        refreshMounts()
      }
      for request in requests {
        switch request {
        case .follow(let pid): for entry in mounts.follow(pid) { write(entry) }
        case .barrier: break
        }
      }
      batch(requests)
    }
  }

  /// Mounts in namespaces of sessions are looked at now and then, should an event have been missed.
  private var isRefreshDue: Bool {
    let age = Clock.monotonic.now - lastRefresh
    return age > (mounts.hasForeignNamespaces ? 200_000_000 : 5_000_000_000)
  }

  private func refreshMounts() {
    for entry in mounts.refresh() { write(entry) }
    if mounts.hasMoved {
      mounts.hasMoved = false
      write(.mountsChanged, [])
    }
    followCPUs()
    lastRefresh = Clock.monotonic.now
  }

  private static func perfBytes(_ options: CaptureOptions, cpus: Int) -> Int {
    var bytes = options.perfBytes
    while bytes > 128 << 10, bytes * cpus > options.perfBudget { bytes /= 2 }
    return bytes
  }

  /// A CPU that came online has no ring yet: what was born on it since the last look was not seen.
  private func followCPUs() {
    guard !perf.isEmpty, let online = try? Procfs.onlineCPUs() else { return }
    for cpu in online where !perf.contains(where: { $0.cpu == cpu }) {
      if let ring = try? PerfTaskRing(cpu: cpu, bytes: perfBytes) {
        try? poller.add(ring.descriptor.raw, tag: Tag.perf + UInt64(perf.count))
        perf.append(ring)
      }
      lose(.perf, from: lastRefresh, reason: "CPU \(cpu) came online")
      if let found = try? ProcessScan.all() { for process in found { write(process) } }
    }
  }

  // MARK: - One batch

  private func batch(_ requests: [CaptureMailbox.Request] = []) {
    let lower = emptied
    var seenEmpty: UInt64 = 0
    // Bounded, so that a flood cannot keep lineage waiting.
    for _ in 0..<64 {
      let before = Clock.monotonic.now
      var isEmpty = false
      var failure: Errno?
      let hadRoom = unsafe ring.append(.fanotify, room: 65_536) { target in
        do throws(Errno) { return unsafe try mounts.identity.descriptor.read(into: target) } catch {
          if error == .wouldBlock { isEmpty = true } else { failure = error }
          return -1
        }
      }
      if let failure {
        lose(.fanotify, from: lower, reason: "read failed: \(failure)")
        break
      }
      if isEmpty {
        seenEmpty = before
        break
      }
      if !hadRoom { break }
    }
    readDescriptorEvents(from: lower)
    let upper = Clock.monotonic.now
    let wall = Clock.wall.now
    let boot = Clock.boot.now
    drainLineage()
    for case .barrier(let number) in requests {
      var writer = ByteWriter()
      writer.write(number)
      write(.barrier, writer.bytes)
    }
    write(BatchEnd(lower: lower, upper: upper, wall: wall, boot: boot, emptied: seenEmpty))
    if seenEmpty != 0 { emptied = seenEmpty }
    delivered()
  }

  private func readDescriptorEvents(from lower: UInt64) {
    guard mounts.descriptors != nil else { return }
    unsafe withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 8) { buffer in
      for _ in 0..<256 {
        let count: Int
        do throws(Errno) { count = unsafe try mounts.descriptors?.descriptor.read(into: buffer) ?? 0 } catch {
          if error != .wouldBlock {
            lose(.descriptors, from: lower, reason: "read failed: \(error)")
          }
          return
        }
        guard count > 0 else { return }
        var offset = 0
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
        while let record = try? unsafe FanotifyRecord.next(in: bytes.bytes, at: &offset) {
          note(record, from: lower)
        }
      }
    }
  }

  private func note(_ record: FanotifyRecord, from lower: UInt64) {
    if record.mask.contains(.overflow) {
      return lose(.descriptors, from: lower, reason: "queue overflow")
    }
    guard record.descriptor >= 0 else {
      write(DescriptorEvent(mask: record.mask.rawValue, pid: record.pid, device: 0, inode: 0, path: []))
      return
    }
    let file = OwnedDescriptor(adopting: record.descriptor)
    guard record.pid != Procfs.ownPid else { return }
    let status = try? FileStatus(descriptor: file)
    write(
      DescriptorEvent(
        mask: record.mask.rawValue, pid: record.pid, device: status?.device ?? 0, inode: status?.inode ?? 0,
        path: (try? path(of: file)) ?? []))
  }

  private func drainLineage() {
    let began = Clock.monotonic.now
    var lost = false
    for each in perf {
      // No more than waits now: what comes meanwhile is later than the batch's last read.
      var waiting = each.pending
      while waiting > 0 {
        var taken = 0
        let hadRoom = unsafe ring.append(
          .perf, aux: UInt16(truncatingIfNeeded: each.cpu), room: min(max(waiting, 4096), 1 << 20)
        ) { target in
          let result = unsafe each.take(into: target)
          taken = result.count
          if result.lost { lost = true }
          return result.count > 0 ? result.count : -1
        }
        if !hadRoom { waitForRoom(1 << 20) } else if taken == 0 { break }
        waiting -= taken
      }
    }
    if connector != nil { drainConnector() }
    if lost {
      lose(.perf, from: lineageDrained, reason: "task records lost")
      // What was born in between is found in /proc, if it still lives.
      if let found = try? ProcessScan.all() {
        for process in found { write(process) }
      }
    }
    lineageDrained = began
  }

  private func drainConnector() {
    var more = true
    // Bounded, so that a batch always fits the journal; the rest comes with the next one.
    for _ in 0..<128 where more {
      var dropped = false
      let hadRoom = unsafe ring.append(.connector, room: 65_536) { target in
        var used = 0
        while used + 512 <= target.count {
          let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: target[used...])
          switch unsafe try? connector?.receive(into: rest) {
          case .datagram(let count): used += (count + 3) & ~3
          case .foreign: continue
          case .lost:
            dropped = true
            more = false
            return used > 0 ? used : -1
          default:
            more = false
            return used > 0 ? used : -1
          }
        }
        return used
      }
      if dropped {
        lose(.connector, from: lineageDrained, reason: "socket buffer overflow")
        more = true
      }
      if !hadRoom { waitForRoom(65_536) }
    }
  }

  // MARK: - Writing

  private func lose(_ source: LossSource, from: UInt64, reason: String) {
    write(LossEntry(source: source, from: from, to: Clock.monotonic.now, count: 0, reason: reason))
  }

  private func write(_ value: some JournalValue) {
    write(type(of: value).kind, value.payload)
  }

  private func write(_ kind: EntryKind, _ payload: [UInt8]) {
    while true {
      let hadRoom = unsafe ring.append(kind, room: payload.count) { target in
        unsafe target.copyBytes(from: payload)
        return payload.count
      }
      if hadRoom { return }
      waitForRoom(payload.count)
    }
  }

  /// The reader is behind. Waiting loses nothing: the kernel's queues hold what comes, and tell when they cannot.
  private func waitForRoom(_ count: Int) {
    while ring.free < 2 * EntryHeader.room(count) {
      delivered()
      sleepThread(nanoseconds: 1_000_000)
    }
  }

  /// Opens something while `fs.fanotify.max_queued_events` is `length`, and puts the setting back.
  private static func withQueueLength<R>(
    _ length: Int, _ body: () throws(Errno) -> R
  ) throws(Errno) -> R {
    let setting = "/proc/sys/fs/fanotify/max_queued_events"
    let before = (try? Procfs.file(setting)).map { String(decoding: $0, as: UTF8.self) }
    try? Procfs.write(setting, "\(length)")
    defer { if let before { try? Procfs.write(setting, before) } }
    return try body()
  }
}
