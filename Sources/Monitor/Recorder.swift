internal import Capture
internal import Evidence
internal import Journal
internal import Lineage
internal import LinuxKernel
internal import Logging
internal import Records
internal import Rules
internal import Synchronization

/// Reads the journal, attributes, and commits. One thread's alone.
final class Recorder: @unchecked Sendable {
  // Sendable because after init only the recorder's thread calls it, but for the members marked as shared.

  private let estate: Estate
  private let mailbox: CaptureMailbox
  private let heart: Heart
  private let writer: StoreWriter
  private let logger: Logger
  private let seals: SealRoom
  private var engine: Engine
  private var oracle: SystemOracle
  private var at: UInt64
  /// The snapshot that a successor would begin with if this recorder died now.
  private var kept: UInt64?
  private var backlog = Backlog()
  private var covered: Interval?
  private var lastCommit: UInt64 = 0
  /// CLOCK_MONOTONIC before which a store that refused is not tried again.
  private var nextAttempt: UInt64 = 0
  private var lastForgotten: UInt64 = 0
  private var reached: [UInt64] = []
  private var failures = 0
  private var isSnapshotTooLarge = false
  /// Whether the next transaction is to be sealed.
  private var isSealDue = false
  /// Whether a session has gained rights that could be used against the evidence: it is sealed before anything else.
  private var isPrivilegeNew = false
  /// Whether one soon is to be: where losses follow each other, sealing each must not make the next.
  private var isSealWanted = false
  private var lastSeal: UInt64 = 0
  /// Accesses that were found since the last seal.
  private var unsealed = 0
  private var recording: JournalFile?

  /// Shared: what others may ask at any time.
  let shared = Mutex(Shared())
  /// Shared: signalled after each batch that capture has written.
  let wakeUp: WakeUp
  /// Shared: digests that another thread computed.
  private let digester: Digester

  struct Shared: Sendable {
    var isStopping = false
    var committedTo: Timestamp?
    var openSessions = 0
    var failure: String?
    /// From when on records were given up because the store takes none; nil while none is missing.
    var lostSince: Timestamp?
    var waiting: [Waiting] = []
    /// Never a number that a recorder before this one gave.
    var nextBarrier = Clock.monotonic.now
    var rules: AgentRules?
    var incidents: [Incident] = []
  }

  /// Somebody who waits for everything up to a moment to be committed.
  struct Waiting: Sendable {
    var number: UInt64
    var isSealing: Bool
    /// The moment.
    var moment: Timestamp
    /// CLOCK_MONOTONIC from which on less is answered: canaries may be held up, or not be seen at all.
    var patience: UInt64
    var done: @Sendable (Timestamp?) -> Void

    func isServed(by committed: Timestamp?) -> Bool {
      committed ?? .distantPast >= moment || Clock.monotonic.now >= patience
    }
  }

  private static let barrierPatience: UInt64 = 1_000_000_000
  private static let commitInterval: UInt64 = 250_000_000
  private static let idleCommitInterval: UInt64 = 10_000_000_000
  /// Doubled with each failure, to eight times.
  private static let retryInterval: UInt64 = 1_000_000_000
  /// As many accesses as a seal holds, more or less.
  private static let sealBound = 65_536
  private static let sealSpacing: UInt64 = 2_000_000_000

  init(
    _ start: Estate.Start, estate: Estate, mailbox: CaptureMailbox, heart: Heart, seals: SealRoom, logger: Logger,
    recordTo path: String?
  ) throws(Errno) {
    self.estate = estate
    self.mailbox = mailbox
    self.heart = heart
    self.seals = seals
    self.logger = logger
    writer = start.writer
    engine = start.engine
    at = start.at
    wakeUp = try WakeUp()
    oracle = SystemOracle()
    digester = Digester()
    shared.withLock { $0.committedTo = start.committedTo }
    if let path {
      let file = try JournalFile(path)
      recording = file
      oracle.keep = { file.append($0) }
    }
    guard start.isResumed else { return }
    kept = start.at
    logger.notice("continuing where the recorder before ended", metadata: ["journal": "\(start.at)"])
    if let since = start.givenUpSince {
      backlog.giveUp(Interval(from: since, to: max(since, Timestamp(nanoseconds: Int64(Clock.wall.now)))))
      shared.withLock { $0.lostSince = since }
      backlog.append(contentsOf: engine.standing)
    }
    for pid in engine.sessionProcesses { mailbox.follow(pid) }
    for case .session(let session) in engine.standing where start.undigested.contains(session.id) {
      digester.digest(session)
    }
  }

  private var ring: JournalRing { estate.journal }

  /// Asks for everything up to now to be committed, and sealed where that is wanted; `done` gets the moment up to
  /// which it is.
  func barrier(sealing: Bool = false, _ done: @escaping @Sendable (Timestamp?) -> Void) {
    let number = shared.withLock { shared in
      let number = shared.nextBarrier
      shared.nextBarrier += 1
      shared.waiting.append(
        Waiting(
          number: number, isSealing: sealing, moment: Timestamp(nanoseconds: Int64(Clock.wall.now)),
          patience: Clock.monotonic.now + Self.barrierPatience, done: done))
      return number
    }
    heart.barrier(number)
  }

  /// Has an incident recorded, and sealed at once.
  func report(_ incident: Incident) {
    shared.withLock { $0.incidents.append(incident) }
    wakeUp.signal()
  }

  func stop() {
    shared.withLock { $0.isStopping = true }
    wakeUp.signal()
  }

  func run() {
    guard let poller = try? Poller() else { return }
    try? poller.add(wakeUp.descriptor.raw, tag: 1)
    while true {
      let isStopping = shared.withLock { $0.isStopping }
      if let rules = shared.withLock({ $0.rules.take() }) {
        engine.adopt(rules)
        isSealDue = true
      }
      takeReports()
      drain()
      forgetMounts()
      collectDigests()
      if isStopping {
        nextAttempt = 0
        isSealDue = true
      }
      commitIfDue(now: isStopping)
      if isStopping { break }
      _ = try? poller.wait(milliseconds: 250)
      wakeUp.clear()
    }
    digester.stop()
    do { try writer.close(at: Timestamp(nanoseconds: Int64(Clock.wall.now))) } catch {
      logger.error("closing the store: \(error)")
    }
    // Nobody waits for ever.
    for waiting in shared.withLock({ $0.waiting }) { waiting.done(nil) }
  }

  private func drain() {
    while let end = ring.endOfBatch(from: at) {
      let batch = RingBatch(ring: ring, from: at, to: end)
      recording?.append(batch)
      do {
        let outcome = try engine.process(batch, oracle: &oracle)
        take(outcome)
      } catch {
        // Our own journal does not parse: a bug, and a gap until the next batch.
        logger.critical("the journal is damaged: \(error)")
        let now = Timestamp(nanoseconds: Int64(Clock.wall.now))
        backlog.append(
          .gap(
            Gap(
              time: Interval(from: covered?.to ?? now, to: now), source: "journal", reason: "\(error)",
              fileSystem: nil)))
        isSealDue = true
      }
      at = end
      let isPressing = backlog.findings.count > 20_000 || at - ring.tail > UInt64(ring.capacity / 8)
      if !reached.isEmpty || isPressing || isPrivilegeNew { commitIfDue(now: true) }
      if backlog.isFull || at - ring.tail > UInt64(ring.capacity / 8 * 3) { giveUp() }
    }
  }

  private func take(_ outcome: Engine.Outcome) {
    backlog.append(contentsOf: outcome.findings)
    noteSealing(outcome.findings)
    if let more = outcome.covered {
      covered = Interval(from: covered?.from ?? more.from, to: more.to)
    }
    reached.append(contentsOf: outcome.barriers)
    for pid in outcome.executed { mailbox.follow(pid) }
    for session in outcome.begun {
      logger.info(
        "session began",
        metadata: ["session": "\(session.key)", "agent": "\(session.agent)", "pid": "\(session.root.pid)"])
      digester.digest(session)
    }
    for case .incident(let incident) in outcome.findings {
      logger.warning("\(incident.detail)", metadata: ["incident": "\(incident.kind)"])
    }
    for case .gap(let gap) in outcome.findings {
      logger.warning("gap: \(gap.reason)", metadata: ["source": "\(gap.source)"])
    }
    for case .fileSystem(let watched) in outcome.findings {
      logger.debug(
        "file system",
        metadata: ["at": "\(watched.mountPoint)", "mode": "\(watched.mode ?? "none")", "why": "\(watched.reason)"])
    }
  }

  private func takeReports() {
    let incidents = shared.withLock { shared in
      defer { shared.incidents.removeAll() }
      return shared.incidents
    }
    for incident in incidents {
      logger.critical("\(incident.detail)", metadata: ["incident": "\(incident.kind)"])
      backlog.append(.incident(incident))
      isSealDue = true
    }
  }

  /// Now and then, so that many questions share one look at the mounts.
  private func forgetMounts() {
    let time = Clock.monotonic.now
    guard time > lastForgotten + 300_000_000 else { return }
    oracle.handles.forgetMounts()
    lastForgotten = time
  }

  private func collectDigests() {
    for (session, digest) in digester.take() { backlog.append(.digest(session: session, digest)) }
  }

  private func commitIfDue(now isUrgent: Bool) {
    let time = Clock.monotonic.now
    let age = time - lastCommit
    guard
      isUrgent || (!backlog.isEmpty && age > Self.commitInterval) || (covered != nil && age > Self.idleCommitInterval),
      time >= nextAttempt
    else { return }
    lastCommit = time
    do {
      let reason = "the store refused records until they did not fit in memory any more"
      keepSnapshot()
      let served = served
      let isSealing =
        isSealDue || isSealWanted && time - lastSeal > Self.sealSpacing || unsealed >= Self.sealBound
        || backlog.lost != nil || served.contains(where: \.isSealing)
      try writer.commit(
        backlog.transaction(reason: reason), covered: covered, journalOffset: at,
        sealing: isSealing ? seals.sealer : nil)
      kept = at
      if isSealing {
        isSealDue = false
        isPrivilegeNew = false
        isSealWanted = false
        lastSeal = time
        unsealed = 0
        seals.committed(writer, to: covered?.to)
      }
      backlog.clear()
      ring.release(upTo: at)
      let to = covered?.to
      let sessions = engine.openSessions
      let here = Set(reached), numbers = Set(served.map(\.number))
      reached.removeAll()
      let early = shared.withLock { shared in
        shared.committedTo = to ?? shared.committedTo
        shared.openSessions = sessions
        shared.failure = nil
        shared.lostSince = nil
        shared.waiting.removeAll { numbers.contains($0.number) }
        // Nobody waits here for what a recorder before this one was asked.
        return here.intersection(shared.waiting.map(\.number))
      }
      for waiting in served { waiting.done(to) }
      // The canaries that vouch for the moment were read too late for this batch: others, and the barrier again.
      for number in early { heart.barrier(number) }
      if failures > 0 { logger.notice("the store takes records again") }
      failures = 0
    } catch {
      failed(error)
    }
  }

  /// What must be sealed at once: the sensor's minute is over, or it may not be what it was.
  private func noteSealing(_ findings: [Finding]) {
    for finding in findings {
      switch finding {
      case .seal: isSealDue = true
      case .privileged:
        isSealDue = true
        isPrivilegeNew = true
      case .gap: isSealWanted = true
      case .access: unsealed += 1
      default: continue
      }
    }
  }

  /// Those whose barrier has been reached, and who need not wait for more.
  private var served: [Waiting] {
    shared.withLock { shared in
      shared.waiting.filter { reached.contains($0.number) && $0.isServed(by: covered?.to) }
    }
  }

  /// Puts what is known now where a successor finds it.
  private func keepSnapshot() {
    guard kept != at else { return }
    let snapshot = SnapshotArea.Snapshot(
      offset: at, givenUpSince: backlog.lost?.from.nanoseconds ?? 0, bytes: engine.snapshot())
    if !estate.snapshots.write(snapshot, keeping: kept), !isSnapshotTooLarge {
      isSnapshotTooLarge = true
      logger.warning("what the recorder knows does not fit its memory: if it dies, there is a gap")
    }
  }

  /// The disk is full, or somebody holds the store: capture goes on in memory to its bound.
  private func failed(_ error: StoreError) {
    failures += 1
    if failures == 1 { logger.error("\(error)") }
    let wait = Self.retryInterval << UInt64(min(failures - 1, 3))
    nextAttempt = Clock.monotonic.now + wait
    shared.withLock { $0.failure = error.description }
  }

  /// The bound is reached: lineage and sessions go on, the records of the time since the last commit are a gap.
  private func giveUp() {
    if backlog.lost == nil { logger.critical("records are given up: the store takes none") }
    let from = shared.withLock { $0.committedTo } ?? .distantPast
    // Coverage may reach no further than before what is given up.
    let to = max(Timestamp(nanoseconds: Int64(Clock.wall.now)), covered?.to ?? from)
    backlog.giveUp(Interval(from: min(from, to), to: to))
    engine.forgetTold()
    shared.withLock { $0.lostSince = min(from, to) }
    keepSnapshot()
    kept = at
    ring.release(upTo: at)
  }
}
