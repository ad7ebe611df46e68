internal import Decode
public import Journal
public import LinuxKernel

/// Reads every kernel source into the journal, batch by batch, in the order that makes attribution possible:
/// fanotify first, then lineage (`DESIGN.md` §2).
public final class Collector: @unchecked Sendable {
  // Sendable because after init one thread alone, the one that calls run(), touches it.

  let ring: JournalRing
  let options: CaptureOptions
  let mailbox: CaptureMailbox
  let delivered: @Sendable () -> Void
  let poller: Poller
  let mounts: MountWatch
  var perf: [CPUTasks]
  let perfBytes: Int
  let connector: ProcessConnector?
  private(set) var memory: MemoryWatch?
  let audit: AuditWitness?
  let auditControl: AuditControl?
  /// Who has audit's place and can give it up.
  let guardian = Procfs.parentPid
  /// CLOCK_MONOTONIC of the last time that audit's records were read.
  var auditDrained = Clock.monotonic.now
  var auditLook = AuditLook()
  private var lastRefresh: UInt64 = 0

  /// The task records of one CPU.
  struct CPUTasks {
    let ring: PerfTaskRing
    /// What the kernel had lost of them at the last look.
    var lost: UInt64
  }

  private enum Tag {
    static let mailbox: UInt64 = 1
    static let fanotify: UInt64 = 2
    static let descriptors: UInt64 = 3
    static let connector: UInt64 = 4
    static let mounts: UInt64 = 5
    static let audit: UInt64 = 6
    static let perf: UInt64 = 16
  }

  /// Marks every file system, looks at /proc, and writes the first batch; or, where the journal holds a run
  /// already, continues it where the recorder before this one died.
  ///
  /// Lineage was opened before the look, so that a process is found by one of the two; the marks are set before
  /// it, so that from the end of this call on nothing is missed.
  ///
  /// - Parameters:
  ///   - nursery: the process whose descendants are canaries; 0 where there is none, and then no coverage.
  ///   - delivered: called after each batch that was written.
  /// - Throws: errors of epoll(7) and of reading /proc.
  public init(
    ring: JournalRing, sources: CaptureSources, options: CaptureOptions, mailbox: CaptureMailbox, nursery: Int32,
    bootID: String, host: String, delivered: @escaping @Sendable () -> Void
  ) throws(Errno) {
    self.ring = ring
    self.options = options
    self.mailbox = mailbox
    self.delivered = delivered
    poller = try Poller()
    perf = sources.perf.map { CPUTasks(ring: $0, lost: 0) }
    perfBytes = sources.perfBytes
    connector = sources.connector
    audit = sources.audit
    auditControl = audit == nil ? nil : try? AuditControl()
    mounts = try MountWatch(
      sources, isResumed: ring[.isOpen] == 1, quiet: ring[.mountsQuiet], capacity: ring.capacity)

    try poller.add(mailbox.wakeUp.descriptor.raw, tag: Tag.mailbox)
    try poller.add(mounts.identity.descriptor.raw, tag: Tag.fanotify)
    if let raw = mounts.descriptors?.descriptor.raw { try poller.add(raw, tag: Tag.descriptors) }
    if let raw = connector?.descriptor.raw { try poller.add(raw, tag: Tag.connector) }
    if let raw = audit?.source.descriptor.raw { try poller.add(raw, tag: Tag.audit) }
    if let raw = mounts.events?.descriptor.raw {
      try poller.add(raw, tag: Tag.mounts)
    } else {
      try poller.add(mounts.table.raw, tag: Tag.mounts, priority: true)
    }
    for (index, each) in perf.enumerated() {
      try poller.add(each.ring.descriptor.raw, tag: Tag.perf + UInt64(index))
    }
    if ring[.isOpen] == 1 {
      try resume(sources, entry(sources, bootID, host), nursery)
    } else {
      try begin(sources, bootID, host, nursery)
    }
  }

  private func begin(
    _ sources: CaptureSources, _ bootID: String, _ host: String, _ nursery: Int32
  ) throws(Errno) {
    // A predecessor that died before its first batch was complete left nothing that counts.
    ring.reset()
    emptied = sources.opened
    lineageDrained = sources.opened
    try watchMemory(sources)
    let marked = mounts.refresh()
    mailbox.places = mounts.places
    lastRefresh = Clock.monotonic.now
    write(entry(sources, bootID, host), as: .run)
    if let audit { write(audit.places) }
    write(Nursery(pid: nursery))
    for entry in marked { write(entry) }
    writeMountTables()
    for process in try ProcessScan.all() { write(process) }
    batch()
    ring[.isOpen] = 1
  }

  /// What the recorder before this one had read and not told of is in the journal or still in the kernel.
  private func resume(_ sources: CaptureSources, _ entry: RunEntry, _ nursery: Int32) throws(Errno) {
    ring.recover()
    for each in perf {
      each.ring.release(upTo: ring.lastMark(of: .perf, aux: UInt16(truncatingIfNeeded: each.ring.cpu)))
    }
    if ring[.descriptorsSince] != 0 {
      lose(.descriptors, from: ring[.descriptorsSince], reason: "the recorder died with events in hand")
      ring[.descriptorsSince] = 0
    }
    if ring[.memorySince] != 0 {
      lose(.memory, from: ring[.memorySince], reason: "the recorder died with events in hand")
      ring[.memorySince] = 0
    }
    let inHand = MemoryWatch.inHand(ring, since: emptied)
    try watchMemory(sources)
    // Before the first new fanotify read: what was read is from before this moment.
    drainLineage()
    write(entry, as: .resumed)
    for event in inHand { write(event) }
    if let audit { write(audit.places) }
    write(Nursery(pid: nursery))
    for entry in mounts.refresh() { write(entry) }
    writeMountTables()
    mailbox.places = mounts.places
    lastRefresh = Clock.monotonic.now
    endBatch(lower: emptied, upper: Clock.monotonic.now, emptied: 0)
    batch()
  }

  /// From when the queue was last seen empty, or was made.
  private func watchMemory(_ sources: CaptureSources) throws(Errno) {
    guard let group = sources.memory else { return }
    memory = try MemoryWatch(group, ring: ring, emptied: emptied, wakeUp: mailbox.wakeUp)
  }

  private func entry(_ sources: CaptureSources, _ bootID: String, _ host: String) -> RunEntry {
    RunEntry(
      bootID: Array(bootID.utf8), host: Array(host.utf8), ownPid: Procfs.ownPid,
      monotonic: Clock.monotonic.now, wall: Clock.wall.now, boot: Clock.boot.now,
      hasPerf: sources.witnesses.perfMissing == nil, hasConnector: sources.witnesses.connectorMissing == nil)
  }

  /// CLOCK_MONOTONIC: the fanotify queue was empty no later than this.
  private var emptied: UInt64 {
    get { ring[.emptied] }
    set { ring[.emptied] = newValue }
  }

  /// CLOCK_MONOTONIC: all lineage before it is in the journal.
  var lineageDrained: UInt64 {
    get { ring[.lineageDrained] }
    set { ring[.lineageDrained] = newValue }
  }

  /// Runs until the mailbox says stop; then reads what is there and returns.
  public func run() {
    var isStopping = false
    while !isStopping {
      let before = Clock.monotonic.now
      let ready = (try? poller.wait(milliseconds: options.idleInterval)) ?? []
      let (requests, stop) = mailbox.take()
      isStopping = stop
      // At once: what was mounted may soon be gone.
      if ready.contains(Tag.mounts) || isRefreshDue || requests.contains(where: \.isBarrier) {
        refreshMounts()
      } else if ready.count < Poller.most {
        mounts.note(quiet: before)
      }
      ring[.mountsQuiet] = mounts.quiet
      // Left alone for a few milliseconds, the kernel merges open, read and close of a file into one event.
      if !ready.isEmpty, requests.isEmpty, !stop { sleepThread(nanoseconds: options.batchInterval) }
      for request in requests {
        switch request {
        case .follow(let pid):
          let found = mounts.follow(pid)
          for entry in found { write(entry) }
          writeMountTables()
          if !found.isEmpty { mailbox.places = mounts.places }
        case .nursery(let pid): write(Nursery(pid: pid))
        case .heartbeat, .barrier: break
        }
      }
      if isStopping { memory?.stop() }
      batch(requests, isLast: isStopping)
    }
  }

  /// Mounts in namespaces of sessions are looked at now and then, should an event have been missed.
  private var isRefreshDue: Bool {
    let age = Clock.monotonic.now - lastRefresh
    return age > (mounts.hasForeignNamespaces ? 200_000_000 : 5_000_000_000)
  }

  private func writeMountTables() {
    for entry in mounts.looks.take() { write(entry) }
  }

  private func refreshMounts() {
    for entry in mounts.refresh() { write(entry) }
    writeMountTables()
    mailbox.places = mounts.places
    if !mounts.moved.isEmpty {
      let bytes = mounts.moved.reduce(0) { $0 + $1.count }
      // Of very many it is enough to know that they may be anywhere.
      let places = bytes > 1 << 16 ? [[UInt8(ascii: "/")]] : mounts.moved.sorted { $0.lexicographicallyPrecedes($1) }
      write(MovedMounts(places: places))
      mounts.moved.removeAll()
    }
    followCPUs()
    lastRefresh = Clock.monotonic.now
  }

  /// A CPU that came online has no ring yet: what was born on it since the last look was not seen.
  private func followCPUs() {
    guard !perf.isEmpty, let online = try? Procfs.onlineCPUs() else { return }
    for cpu in online where !perf.contains(where: { $0.ring.cpu == cpu }) {
      if let opened = try? PerfTaskRing(cpu: cpu, bytes: perfBytes) {
        try? poller.add(opened.descriptor.raw, tag: Tag.perf + UInt64(perf.count))
        perf.append(CPUTasks(ring: opened, lost: 0))
      }
      lose(.perf, from: lastRefresh, reason: "CPU \(cpu) came online")
      if let found = try? ProcessScan.all() { for process in found { write(process) } }
    }
  }

  // MARK: - One batch

  private func batch(_ requests: [CaptureMailbox.Request] = [], isLast: Bool = false) {
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
    // What still waits in any queue is of this time, too.
    if !readDescriptorEvents(from: lower) { seenEmpty = 0 }
    if !drainMemory(from: lower) { seenEmpty = 0 }
    drainAudit(isLast: isLast)
    let upper = Clock.monotonic.now
    drainLineage()
    for request in requests { answer(request) }
    endBatch(lower: lower, upper: upper, emptied: seenEmpty)
    delivered()
  }

  /// Says what was asked for before this batch was read.
  private func answer(_ request: CaptureMailbox.Request) {
    switch request {
    case .barrier(let number):
      var writer = ByteWriter()
      writer.write(number)
      write(.barrier, writer.bytes)
    case .heartbeat(var heartbeat):
      heartbeat.marked = mounts.marked.sorted()
      write(heartbeat)
      markAudit()
    case .follow, .nursery: break
    }
  }

  private func endBatch(lower: UInt64, upper: UInt64, emptied seenEmpty: UInt64) {
    // All clocks at one moment, told for `upper`.
    let late = Clock.monotonic.now - upper
    write(
      BatchEnd(
        lower: lower, upper: upper, wall: Clock.wall.now - late, boot: Clock.boot.now - late, emptied: seenEmpty))
    if seenEmpty != 0 { emptied = seenEmpty }
  }

  // MARK: - Writing

  func lose(_ source: LossSource, from: UInt64, reason: String) {
    write(LossEntry(source: source, from: from, to: Clock.monotonic.now, count: 0, reason: reason))
  }

  func write<Value: JournalValue>(_ value: Value, as kind: EntryKind = Value.kind) {
    write(kind, value.payload)
  }

  func write(_ kind: EntryKind, _ payload: [UInt8]) {
    while !ring.append(kind, payload) { waitForRoom(payload.count) }
  }

  /// The reader is behind. Waiting loses nothing: the kernel's queues hold what comes, and tell when they cannot.
  func waitForRoom(_ count: Int) {
    while ring.free < 2 * EntryHeader.room(count) {
      delivered()
      sleepThread(nanoseconds: 1_000_000)
    }
  }
}
