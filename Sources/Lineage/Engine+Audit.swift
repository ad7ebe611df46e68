internal import Decode
internal import Journal
internal import Records

/// What is known of audit's records between two batches.
struct AuditTrail {
  /// Whether it has told anything in this run.
  var isHeard = false
  var assembler = AuditAssembler()
  /// Events that ended in the batch at hand.
  var events: [AuditEvent] = []
  /// Those of them that a later batch may make sense of, with the time of the batch that had them first.
  var retries: [(event: AuditEvent, since: UInt64)] = []
  /// For whom somebody may have worked since when, who cannot be told any more.
  var gone: [(deputy: Deputy, since: UInt64)] = []
  /// Marks that were told to audit and have not come back, with CLOCK_MONOTONIC of when that was.
  var marks: [Mark] = []
  /// CLOCK_MONOTONIC: everything that happened before has been told; nil without audit.
  var toldTo: UInt64?
  /// Whether it is asked for what it shall tell.
  var standing = AuditStanding()

  struct Mark {
    var number: UInt64
    var time: UInt64
  }
  /// Processes that were asked and of which nothing was known yet.
  var strangers: [Stranger] = []

  struct Stranger {
    var pid: Int32
    var deputy: Deputy
    /// CLOCK_MONOTONIC, as `seen`.
    var since: UInt64
    var seen: UInt64
  }
  /// Connections to nobody who could be found.
  var unanswered: [Unanswered] = []

  struct Unanswered {
    var deputy: Deputy
    /// CLOCK_MONOTONIC, as `seen`.
    var since: UInt64
    var seen: UInt64
    var isAnswered: Bool
  }
  /// Who accepted a connection lately, with the end of the batch that told of it.
  var accepts: [(pid: Int32, told: UInt64)] = []
  /// What those asked of others who were nobody's then, and what of it is to be looked at again.
  var others: [(pid: Int32, event: AuditEvent, told: UInt64)] = []
  var requeued: [AuditEvent] = []
  /// Who was asked lately, with the end of the batch that told of it.
  var asked: [Int32: UInt64] = [:]
  /// Looks at who was connected with whom, from which some may have ended in time.
  var departures: [Departure] = []

  struct Departure {
    var deputy: Deputy
    /// CLOCK_MONOTONIC, as `looked`.
    var since: UInt64
    var looked: UInt64
  }
  /// The arguments of launchers that sessions run, by pid.
  var launchers: [Int32: [[UInt8]]] = [:]
  /// What those have asked for.
  var requests: [LaunchRequest] = []
}

// The second witness: what was denied, with which arguments something was run, and whom a session asked.
extension Engine {
  mutating func gather(audit bytes: RawSpan) {
    audit.isHeard = true
    var ended: [AuditEvent] = []
    var offset = 0
    while true {
      let start = offset
      let record: AuditRecord?
      do { record = try AuditRecord.next(in: bytes, at: &offset) } catch {
        malformed("audit", error)
        break
      }
      guard let record else { break }
      // Not by its event: what is altered outside a system call has no end.
      if record.type == .configChange { gather(change: record, in: bytes) }
      audit.assembler.add(record, at: start..<offset, in: bytes) { ended.append($0) }
    }
    audit.events += ended
  }

  /// After lineage, before whoever works for sessions is told: what the events of the batch say of sessions.
  mutating func settleAudit(_ source: some BatchSource, _ oracle: inout some Oracle) {
    checkMarks()
    if audit.isHeard, reconciliation.begun == nil { reconciliation.begun = batch.upper }
    settleStrangers(source, &oracle)
    settleDepartures(&oracle)
    let events = audit.retries + audit.events.map { ($0, batch.upper) }
    audit.events.removeAll(keepingCapacity: true)
    audit.retries.removeAll(keepingCapacity: true)
    for (event, since) in events where !settle(event, source, &oracle) {
      if since.later(by: Self.retryTime) > batch.upper {
        if audit.retries.count < 4096 { audit.retries.append((event, since)) }
      } else if let told = AuditTold(event), told.key == .exec {
        missExecution(told, at: monotonic(event))
      }
    }
    settleUnanswered(source, &oracle)
    while let event = audit.requeued.popLast() { _ = settle(event, source, &oracle) }
  }

  /// CLOCK_MONOTONIC of the first thing that audit told and that another batch will make sense of: whoever was asked then
  /// is not known yet.
  var unsettledSince: UInt64? {
    let stamps = audit.retries.compactMap { event, _ -> UInt64? in
      guard let told = AuditTold(event), told.key != .exec || session(of: told.pid) != nil else { return nil }
      return monotonic(event)
    }
    return (stamps + audit.strangers.map(\.since) + audit.departures.map(\.since) + audit.unanswered.map(\.since)).min()
  }

  /// For how long an event that makes no sense yet is kept, in nanoseconds: what was executed may wait to be decided.
  private static let retryTime: UInt64 = 1_000_000_000

  /// Whether there is nothing more to be made of the event.
  private mutating func settle(
    _ event: AuditEvent, _ source: some BatchSource, _ oracle: inout some Oracle
  ) -> Bool {
    if let mark = Self.mark(in: event) {
      if let known = audit.marks.last(where: { $0.number == mark }) {
        audit.toldTo = max(audit.toldTo ?? 0, known.time)
        audit.marks.removeAll { $0.time <= known.time }
      }
      return true
    }
    if let isSettled = settleLogin(event) { return isSettled }
    guard let told = AuditTold(event) else { return true }
    if told.key == .accept {
      if told.hasSucceeded { audit.accepts.append((told.pid, batch.upper)) }
      return true
    }
    let time = monotonic(event)
    if told.key == .exec {
      guard told.hasSucceeded else { return true }
      if session(of: told.pid) == nil { adoptIfAsked(event, told.pid, at: time, &oracle) }
    }
    let session = session(of: told.pid)
    if let session, !told.capabilities.isEmpty { noteCapabilities(told, of: session, at: time, &oracle) }
    // Also of a process that is in no session yet: which execution it was matters.
    if told.key == .exec {
      guard noteExecution(event, told, at: time) else { return false }
      if session != nil, let life = processes[told.pid], rules.launcher(life.executable) != nil {
        audit.launchers[told.pid] = event.arguments()
      }
      return true
    }
    guard let asker = asker(told.pid) else {
      if isUndecided(told.pid) { return false }
      if [.connect, .memory, .terminal].contains(told.key), audit.others.count < 4096 {
        audit.others.append((told.pid, event, batch.upper))
      }
      return true
    }
    if let session { noteOpening(told, in: session, at: time) }
    switch told.key {
    case .denied: if let session { noteDenial(told, in: session, at: time) }
    case .connect:
      // A connection that is not blocked for is under way.
      guard told.hasSucceeded || told.exit == -Self.inProgress, let peer = told.peer,
        case .listeners(let found?) = oracle.answer(.listeners(pid: told.pid, peer))
      else { return true }
      let servers = contact(found, for: asker, since: time, isThorough: isLauncher(told.pid), source, &oracle)
      noteRequest(told.pid, to: servers, at: time)
    case .memory:
      guard told.hasSucceeded else { return true }
      if let object = told.object {
        reachMemory(of: object, by: told.pid, at: time)
        contact([object], for: asker, since: time, source, &oracle)
      } else if let session {
        // A descriptor that was taken from somebody: what is done with it is seen, but in some ways.
        look(at: told.pid, in: session, since: time, &oracle)
      }
    case .terminal:
      guard told.hasSucceeded,
        case .listeners(let found?) = oracle.answer(
          .readers(pid: told.pid, descriptor: told.descriptor, terminal: told.terminal ?? [])), !found.isEmpty
      else { return true }
      contact(found, for: asker, since: time, source, &oracle)
    case .exec, .accept, .place, .other: break
    }
    return true
  }

  // MARK: - How far audit has told

  /// A mark was told to audit: when it comes back, everything before it has come.
  mutating func note(mark: UInt64) {
    audit.marks.append(AuditTrail.Mark(number: mark, time: batch.upper))
    audit.toldTo = audit.toldTo ?? batch.lower
  }

  /// What only audit sees may be missing; files' own witnesses stand without it.
  private mutating func checkMarks() {
    guard let first = audit.marks.first, first.time.later(by: Self.markPatience) < batch.upper else { return }
    findings.append(
      .gap(
        Gap(
          time: Interval(from: wall(audit.toldTo ?? first.time), to: wall(batch.upper)), source: LossSource.audit.label,
          reason: "audit does not tell", fileSystem: nil)))
    losses[LossSource.audit.label, default: 0] += 1
    audit.toldTo = batch.upper
    audit.standing.unsureTo = batch.upper
    audit.marks.removeAll()
  }

  /// In nanoseconds.
  private static let markPatience: UInt64 = 2_000_000_000

  /// The number in a mark's record.
  private static func mark(in event: AuditEvent) -> UInt64? {
    event.first { record, bytes in
      guard record.type == .trustedProgram else { return nil }
      let text = bytes.copy(record.body)
      guard let place = text.firstRange(of: AuditMark.prefix) else { return nil }
      return UInt64(String(decoding: text[place.upperBound...].prefix { (48...57).contains($0) }, as: UTF8.self))
    }
  }

  /// EINPROGRESS
  private static let inProgress: Int64 = 115

  /// CLOCK_MONOTONIC of an event's stamp.
  func monotonic(_ event: AuditEvent) -> UInt64 { monotonic(milliseconds: event.stamp.milliseconds) }

  /// Whether a later batch may tell whose process it is.
  func isUndecided(_ pid: Int32) -> Bool {
    processes.lives(pid).contains { $0.undecidedSince != nil || $0.undecidedAncestor != nil }
  }

  /// The innermost session that a process is of, or was of when it was told of last.
  func session(of pid: Int32) -> Int64? {
    for life in processes.lives(pid).reversed() {
      for session in [life.session] + life.formerSessions.reversed().map(\.session) {
        if let session, session != Self.canarySession { return session }
      }
    }
    return nil
  }

  // MARK: - Denied attempts

  /// Somebody of a session was refused something: never an access, and told.
  private mutating func noteDenial(_ told: AuditTold, in session: Int64, at time: UInt64) {
    guard let exit = told.exit, exit < 0, let error = Int32(exactly: -exit) else { return }
    var operations = Operations.denied
    switch told.attempt {
    case .execute: operations.insert(.exec)
    case .change: operations.insert(.write)
    case .open: operations.insert(.open)
    }
    if processes[told.pid]?.session == session { openRecord(told.pid) }
    let identity = FileIdentity(
      fileSystem: told.device.flatMap { fileSystems.fileSystem(device: $0) } ?? 0, inode: told.inode ?? 0, generation: 0
    )
    let path = told.path
    findings.append(
      .access(
        Access(
          session: session, process: processes[told.pid].flatMap { $0.session == session ? $0.record : nil },
          path: path,
          name: path == nil ? told.name.map { RawPath($0.lastComponent) } : RawPath(path?.lastComponent ?? []),
          identity: identity, operations: operations, result: error,
          time: Interval(from: wall(time), to: wall(time.later(by: Self.tick))), count: 1, attribution: .witnessed)))
  }

  /// Stamps are as coarse as the kernel's tick, which is never longer.
  static let tick: UInt64 = 10_000_000
}

extension AuditEvent {
  /// The event that these records are; nil where they are none, or not all of one.
  init?(whole bytes: [UInt8]) {
    var assembler = AuditAssembler()
    var found: AuditEvent?
    let span = unsafe bytes.span.bytes
    var offset = 0
    while true {
      let start = offset
      guard let record = try? AuditRecord.next(in: span, at: &offset) else { break }
      assembler.add(record, at: start..<offset, in: span) { found = $0 }
    }
    assembler.finish { found = $0 }
    guard let found else { return nil }
    self = found
  }
}

// Events that wait: for their end, or for somebody to make sense of them.
extension Engine {
  mutating func exchangeEvents(_ archive: inout Archive) throws(JournalError) {
    var retries = audit.retries.map { ($0.event.bytes, $0.since) }
    try archive.list(&retries, ([], 0)) { (archive, retry) throws(JournalError) in
      try archive(&retry.0)
      try archive(&retry.1)
    }
    var waiting = audit.assembler.waiting
    try archive(&waiting)
    guard archive.isReading else { return }
    audit.retries = retries.compactMap { bytes, since in AuditEvent(whole: bytes).map { ($0, since) } }
    if !waiting.isEmpty { unsafe gather(audit: waiting.span.bytes) }
    // What their records tell was taken in when they came.
    audit.standing.changes.removeAll()
  }
}
