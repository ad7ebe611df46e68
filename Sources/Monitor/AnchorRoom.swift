internal import Anchoring
internal import Evidence
internal import LinuxKernel
internal import Logging
internal import MerkleLog
internal import Records
internal import Sealing
internal import Synchronization

/// Shows the log's heads to others, and keeps what they say of them. Nothing waits for it but who asks to.
///
/// What is sent is decided here, and what comes back is verified here; only the sender talks to anybody.
final class AnchorRoom: @unchecked Sendable {
  // Sendable because what is not in `shared` belongs to the thread that runs `run`.

  /// How somebody outside stands to the log.
  struct Standing: Sendable {
    var kind: String
    var by: String
    var size: UInt64?
    var time: UInt64?
    var problem: String?
  }

  private struct Shared: Sendable {
    var isStopping = false
    var standings: [Standing] = []
    var sender: Int32?
    var problem: String?
    var requests: [Request] = []
  }

  private struct Request: Sendable {
    /// The head that must be seen; nil until the room has looked.
    var size: UInt64?
    var deadline: UInt64
    var done: @Sendable (_ anchored: Int, _ of: Int) -> Void
  }

  private let plan: AnchorPlan
  private let state: String
  private let writer: StoreWriter
  private let seals: SealRoom
  private let report: @Sendable (Incident) -> Void
  private let logger: Logger
  private let wakeUp: WakeUp
  private let shared = Mutex(Shared())

  private var store: StoreReader?
  private let courier: Courier
  private var desks: [AnchorDesk] = []
  /// How large the log was with the newest record that is to be seen.
  private var news: UInt64 = 0
  private var letters = Clock.monotonic.now
  private var lastGiven: UInt64 = 0
  private var unsaved: [KeptAnchor] = []
  private var logged: UInt64?
  private var syslogProblem: String?
  /// The line that is on its way, and the size of its head.
  private var line: (letter: UInt64, size: UInt64)?
  /// Whose clock is known to differ from ours.
  private var strangeClocks: Set<String> = []
  private var random = SystemRandomNumberGenerator()

  /// Longer than the sender waits for anybody.
  private static let patience: UInt64 = 30_000_000_000
  /// How long somebody waits for a head to be seen.
  private static let requestTime: UInt64 = 10_000_000_000
  private static let tick: UInt64 = 5_000_000_000
  /// How far two clocks may differ that somebody looks after.
  private static let clockTolerance: UInt64 = 300_000_000_000

  init(
    _ plan: AnchorPlan, state: String, writer: StoreWriter, seals: SealRoom, logger: Logger,
    report: @escaping @Sendable (Incident) -> Void
  ) throws(Errno) {
    self.plan = plan
    self.state = state
    self.writer = writer
    self.seals = seals
    self.logger = logger
    self.report = report
    courier = Courier(user: plan.user, group: plan.group)
    wakeUp = try WakeUp()
  }

  /// How everybody outside stands to the log, who the sender is, and what is wrong with it.
  var standings: (all: [Standing], sender: Int32?, problem: String?) {
    shared.withLock { ($0.standings, $0.sender, $0.problem) }
  }

  /// Has the newest head seen by all, and tells by how many it was within ten seconds; on another thread.
  func request(_ done: @escaping @Sendable (_ anchored: Int, _ of: Int) -> Void) {
    let deadline = Clock.monotonic.now + Self.requestTime
    let isLate = shared.withLock { shared in
      if !shared.isStopping { shared.requests.append(Request(deadline: deadline, done: done)) }
      return shared.isStopping
    }
    if isLate { done(0, plan.targets.count) }
    wakeUp.signal()
  }

  func stop() {
    shared.withLock { $0.isStopping = true }
    wakeUp.signal()
  }

  func run() {
    guard let poller = try? Poller() else { return }
    try? poller.add(wakeUp.descriptor.raw, tag: 1)
    try? poller.add(seals.heads.descriptor.raw, tag: 2)
    while !shared.withLock({ $0.isStopping }) {
      wakeUp.clear()
      seals.heads.clear()
      let now = Clock.monotonic.now
      do {
        let store = try open()
        try save()
        if let (size, note) = try store.checkpoint() {
          try startSender(poller, now)
          try send(SignedHead(size: size, note: note), store, now)
        }
        takeReplies(store, now)
        shared.withLock { $0.problem = nil }
      } catch {
        // A store that is held or full, a program that is missing: the next look comes soon enough.
        let isNew = shared.withLock { shared in
          defer { shared.problem = "\(error)" }
          return shared.problem != "\(error)"
        }
        if isNew { logger.error("heads are not anchored: \(error)") }
      }
      publish()
      _ = try? poller.wait(milliseconds: Int32(wait(now) / 1_000_000))
    }
    for request in shared.withLock({ $0.requests }) { request.done(0, plan.targets.count) }
    _ = courier.end(at: Clock.monotonic.now)
  }

  private func open() throws -> StoreReader {
    if let store { return store }
    let store = try StoreReader(directory: state)
    let known = try store.newestAnchors()
    desks = plan.targets.map { target, interval in
      let fresh = AnchorDesk(target, interval: interval, seen: nil)
      let seen = known.first { $0.by == fresh.by && $0.kind == fresh.kind.rawValue }
      return AnchorDesk(target, interval: interval, seen: seen.map { ($0.size, $0.time) })
    }
    self.store = store
    return store
  }

  // MARK: - Sending

  private func startSender(_ poller: Poller, _ now: UInt64) throws {
    guard try courier.start(at: now), let raw = courier.descriptor else { return }
    logger.info("a sender has been started", metadata: ["pid": "\(courier.pid ?? 0)", "user": "\(plan.user)"])
    try poller.add(raw, tag: 3)
  }

  private func send(_ head: SignedHead, _ store: StoreReader, _ now: UInt64) throws {
    if courier.pid == nil { return }
    try sendLines(store, head)
    // An anchor makes a record, which alone is nothing to anchor.
    news = min(try store.sizeWithNews(), head.size)
    let news = news
    let isUrgent = shared.withLock { shared in
      for index in shared.requests.indices where shared.requests[index].size == nil {
        shared.requests[index].size = news
      }
      return !shared.requests.isEmpty
    }
    for index in desks.indices where desks[index].isDue(news, at: now, isUrgent: isUrgent) {
      letters += 1
      let letter = try desks[index].ask(head, id: letters, nonce: random.next(), at: now) { old, new in
        try store.consistencyProof(old: old, new: new)
      }
      give(letter, now)
    }
  }

  private func give(_ letter: Letter, _ now: UInt64) {
    do throws(Errno) {
      try courier.give(letter)
      lastGiven = now
    } catch {
      endSender(now)
    }
  }

  /// A line for each head since the last one that was told.
  private func sendLines(_ store: StoreReader, _ newest: SignedHead) throws {
    guard let destination = plan.syslog, line == nil else { return }
    // What an earlier process told is not told again; what could not be told is, once it can.
    let heads = try store.checkpoints(beyond: logged ?? newest.size - 1)
    guard let first = heads.first, let head = SignedNote(first.note).flatMap({ Checkpoint($0.text) }) else { return }
    let seal = try store.newestRecord("seal", within: first.size).map { Hash.leaf($0.text) }
    let text = SyslogLine(head: head, seal: seal)
    letters += 1
    var body = text.local(pid: Procfs.parentPid)
    if case .udp = destination {
      let time = Timestamp(nanoseconds: Int64(Clock.wall.now) / 1000 * 1000)
      body = text.remote(pid: Procfs.parentPid, host: Procfs.hostName, time: time.description)
    }
    line = (letters, first.size)
    give(Letter(id: letters, to: destination, body: body), Clock.monotonic.now)
  }

  // MARK: - Receiving

  private func takeReplies(_ store: StoreReader, _ now: UInt64) {
    do throws(Errno) {
      while let reply = try courier.take() { take(reply, store) }
    } catch {
      return endSender(now)
    }
    // A sender that was stopped, say: it will not come back by itself.
    if desks.contains(where: \.isWaiting) || line != nil, now > lastGiven + Self.patience { endSender(now) }
  }

  private func take(_ reply: Reply, _ store: StoreReader) {
    if let line, reply.id == line.letter {
      self.line = nil
      if case .failed(let reason) = reply.outcome {
        syslogProblem = reason
      } else {
        syslogProblem = nil
        logged = line.size
        // Perhaps there is another.
        wakeUp.signal()
      }
      return
    }
    for index in desks.indices where desks[index].isWaiting {
      let problem = desks[index].problem
      let newest = (try? store.checkpoint())?.size ?? 0
      switch desks[index].take(reply, newest: newest, at: Clock.monotonic.now) {
      case .nothing: break
      case .again:
        desks[index].hurry()
        wakeUp.signal()
      case .anchored(let anchor):
        compareClocks(anchor)
        unsaved.append(
          KeptAnchor(
            kind: anchor.kind.rawValue, by: anchor.by, size: anchor.head.size, time: anchor.time,
            note: anchor.head.note, token: anchor.token))
        wakeUp.signal()
      case .fork(let detail):
        report(
          Incident(
            time: Timestamp(nanoseconds: Int64(Clock.wall.now)), kind: "anchor-fork",
            detail: "the witness \(desks[index].by) \(detail)"))
      }
      // Once for an outage, whose words may differ each time.
      if let now = desks[index].problem, problem == nil { logger.warning("\(desks[index].by): \(now)") }
      if problem != nil, desks[index].problem == nil { logger.notice("\(desks[index].by): has seen the log again") }
    }
  }

  /// Either clock was set, or is not looked after; told once, until they agree again.
  private func compareClocks(_ anchor: AnchoredHead) {
    let ours = Clock.wall.now
    let difference = max(ours, anchor.time) - min(ours, anchor.time)
    guard difference > Self.clockTolerance else {
      strangeClocks.remove(anchor.by)
      return
    }
    guard strangeClocks.insert(anchor.by).inserted else { return }
    let words = anchor.time < ours ? "behind" : "before"
    report(
      Incident(
        time: Timestamp(nanoseconds: Int64(ours)), kind: "clock-differs",
        detail: "the clock of \(anchor.by) is \(difference / 1_000_000_000) s \(words) this one"))
  }

  private func endSender(_ now: UInt64) {
    let how = courier.end(at: now)
    logger.error("\(how)")
    for index in desks.indices { desks[index].abandon(how, at: now) }
    line = nil
  }

  /// Writes what others said; what the store refuses is tried again, the newest of it.
  private func save() throws {
    if unsaved.count > 64 { unsaved.removeFirst(unsaved.count - 64) }
    while let anchor = unsaved.first {
      try seals.sealer.keep(anchor, writer)
      unsaved.removeFirst()
    }
  }

  // MARK: - Telling

  private func publish() {
    let now = Clock.monotonic.now
    var standings = desks.map {
      Standing(kind: $0.kind.rawValue, by: $0.by, size: $0.seen?.size, time: $0.seen?.time, problem: $0.problem)
    }
    if plan.syslog != nil {
      standings.append(Standing(kind: "syslog", by: syslogName, size: logged, time: nil, problem: syslogProblem))
    }
    let isSaved = unsaved.isEmpty
    let settled = shared.withLock { shared -> [(Request, Int)] in
      shared.standings = standings
      shared.sender = courier.pid
      var settled: [(Request, Int)] = []
      shared.requests.removeAll { request in
        let size = request.size ?? .max
        let isWaited = desks.contains { ($0.seen?.size ?? 0) < size && ($0.isWaiting || $0.problem == nil) }
        guard !isWaited && isSaved || now > request.deadline else { return false }
        settled.append((request, desks.count { ($0.seen?.size ?? 0) >= size }))
        return true
      }
      return settled
    }
    for (request, count) in settled { request.done(count, desks.count) }
  }

  private var syslogName: String {
    switch plan.syslog {
    case .socket(let path): path
    case .udp(let host, let port): "\(host):\(port)"
    default: ""
    }
  }

  /// How long there is nothing to do, in nanoseconds, unless something happens.
  private func wait(_ now: UInt64) -> UInt64 {
    let isRequested = shared.withLock { !$0.requests.isEmpty }
    if isRequested { return 100_000_000 }
    let due = desks.filter { !$0.isWaiting && news > $0.seen?.size ?? 0 }.map(\.due).min() ?? UInt64.max
    return min(Self.tick, max(due > now ? due - now : 0, 250_000_000))
  }
}
