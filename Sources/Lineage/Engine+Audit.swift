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

  struct Mark {
    var number: UInt64
    var time: UInt64
  }
  /// The records of programs that processes of sessions began to run, of which audit has not told yet: by pid, oldest
  /// first.
  var commands: [Int32: [Command]] = [:]

  struct Command {
    var record: Int64
    /// CLOCK_MONOTONIC
    var since: UInt64
  }
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
      audit.assembler.add(record, at: start..<offset, in: bytes) { ended.append($0) }
    }
    audit.events += ended
  }

  /// After lineage, before whoever works for sessions is told: what the events of the batch say of sessions.
  mutating func settleAudit(_ source: some BatchSource, _ oracle: inout some Oracle) {
    checkMarks()
    guard !audit.events.isEmpty || !audit.retries.isEmpty else { return }
    let events = audit.retries + audit.events.map { ($0, batch.upper) }
    audit.events.removeAll(keepingCapacity: true)
    audit.retries.removeAll(keepingCapacity: true)
    for (event, since) in events where !settle(event, source, &oracle) {
      if since.later(by: Self.retryTime) > batch.upper, audit.retries.count < 4096 {
        audit.retries.append((event, since))
      }
    }
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
    guard let told = Told(event) else { return true }
    guard let session = session(of: told.pid) else {
      return !processes.lives(told.pid).contains { $0.undecidedSince != nil }
    }
    let time = monotonic(Timestamp(nanoseconds: Int64(clamping: event.stamp.milliseconds) &* 1_000_000))
    switch told.key {
    case .exec: return !told.hasSucceeded || noteCommand(event, told, at: time)
    case .denied: noteDenial(told, in: session, at: time)
    case .connect:
      // A connection that is not blocked for is under way.
      guard told.hasSucceeded || told.exit == -Self.inProgress, let peer = told.peer,
        case .listeners(let found?) = oracle.answer(.listeners(pid: told.pid, peer))
      else { return true }
      contact(found, by: session, since: time, source, &oracle)
    case .memory:
      guard told.hasSucceeded else { return true }
      if let object = told.object {
        contact([object], by: session, since: time, source, &oracle)
      } else {
        // A descriptor that was taken from somebody: what is done with it is seen, but in some ways.
        look(at: told.pid, in: session, since: time, &oracle)
      }
    case .other: break
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

  /// The innermost session that a process is of, or was of when it was told of last.
  private func session(of pid: Int32) -> Int64? {
    for life in processes.lives(pid).reversed() {
      for session in [life.session] + life.formerSessions.reversed().map(\.session) {
        if let session, session != Self.canarySession { return session }
      }
    }
    return nil
  }

  // MARK: - Commands

  /// A process of a session runs another program, of which there is a record.
  mutating func expectCommand(_ pid: Int32, _ record: Int64, at time: UInt64) {
    // Without audit nobody ever tells.
    guard audit.isHeard else { return }
    audit.commands[pid, default: []].append(AuditTrail.Command(record: record, since: time))
    if let count = audit.commands[pid]?.count, count > 64 { audit.commands[pid]?.removeFirst(count - 64) }
  }

  /// Executions of one process are told by both witnesses in the same order; the stamp is a few milliseconds off.
  ///
  /// - Returns: whether its record is known.
  private mutating func noteCommand(_ event: AuditEvent, _ told: Told, at time: UInt64) -> Bool {
    guard let arguments = event.arguments() else { return true }
    guard var waiting = audit.commands[told.pid] else { return false }
    waiting.removeAll { $0.since.later(by: Self.stampTolerance) < time }
    defer { audit.commands[told.pid] = waiting.isEmpty ? nil : waiting }
    guard let first = waiting.first, first.since < time.later(by: Self.stampTolerance) else { return false }
    waiting.removeFirst()
    let masked = rules.masked(arguments)
    findings.append(
      .command(
        Command(process: first.record, arguments: masked.arguments, masked: masked.count, directory: told.directory)))
    return true
  }

  /// How far a stamp may be from the moment that perf tells: a call's stamp is of its beginning, in ticks.
  private static let stampTolerance: UInt64 = 500_000_000

  // MARK: - Denied attempts

  /// Somebody of a session was refused something: never an access, and told.
  private mutating func noteDenial(_ told: Told, in session: Int64, at time: UInt64) {
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
  private static let tick: UInt64 = 10_000_000

  // MARK: - Contacts

  /// Before accesses: what bystanders do from now on is kept for a while, as long as there are sessions.
  mutating func keepRecent() {
    if sessions.isEmpty || !audit.isHeard { recent.clear() } else { recent.begin(batch) }
  }

  /// A session asked processes outside to do something; nobody was found where they are gone already.
  private mutating func contact(
    _ pids: [Int32], by session: Int64, since time: UInt64, _ source: some BatchSource, _ oracle: inout some Oracle
  ) {
    let deputy = Deputy(session: session, channels: .contacted)
    let oldest = recent.oldest ?? batch.upper
    if oldest > time {
      findings.append(
        .gap(
          Gap(
            time: Interval(from: wall(time), to: wall(oldest)), source: "deputies",
            reason: "what a process had done that a session asked for something was not kept so long", fileSystem: nil))
      )
    }
    // Of whom nothing is known, a thread's number among them, may be any.
    guard !pids.isEmpty, pids.allSatisfy({ processes[$0] != nil }) else {
      incident("contact-gone", "a session asked a process for something that was gone before it was looked for")
      // What they do in this batch has not been looked at yet.
      return audit.gone.append((deputy, time))
    }
    var asked = Set(pids).filter { processes[$0]?.session == nil }
    // Who was born of them since may have been born for that.
    var isNew = true
    while isNew {
      isNew = false
      for life in processes.current.values
      where asked.contains(life.parent) && life.key.startedAt >= time && life.session == nil {
        if asked.insert(life.key.pid).inserted { isNew = true }
      }
    }
    for pid in asked.sorted() where processes.makeDeputy(pid, deputy) {
      unrecordedDeputies[pid] = batch.upper
      recall(pid, deputy, since: time, &oracle)
    }
  }

  /// After accesses: what any of those may have done who were gone before they were looked for.
  mutating func recallGone(_ oracle: inout some Oracle) {
    for (deputy, time) in audit.gone { recall(nil, deputy, since: time, &oracle) }
    audit.gone.removeAll(keepingCapacity: true)
  }

  /// Keeps as a deputy's what a bystander did since, though it was nobody's when it was read; of everybody where nobody
  /// can be named.
  private mutating func recall(_ pid: Int32?, _ deputy: Deputy, since time: UInt64, _ oracle: inout some Oracle) {
    let now = batch
    defer { batch = now }
    for (end, bytes) in recent.events(since: time) {
      batch = end
      unsafe recall(pid, deputy, bytes.span.bytes, &oracle)
    }
  }

  private mutating func recall(_ pid: Int32?, _ deputy: Deputy, _ bytes: RawSpan, _ oracle: inout some Oracle) {
    var offset = 0
    while let record = try? FanotifyRecord.next(in: bytes, at: &offset) {
      guard pid == nil || record.pid == pid, let file = record.target.flatMap({ identity($0, in: bytes) }) else {
        continue
      }
      let name = bytes.copy(record.name)
      let directory = record.directory.flatMap { reference($0, in: bytes) }
      let places = directory.map { paths(of: name, in: $0, &oracle) } ?? []
      enter(
        record.pid, file, for: deputy, places: places, name: name, operations: Operations(record.mask, isLink: false))
    }
  }
}

/// What an event of audit says, as far as it matters.
private struct Told {
  enum Key { case exec, denied, connect, memory, other }
  enum Attempt { case open, change, execute }

  var pid: Int32 = 0
  var key = Key.other
  var hasSucceeded = false
  var exit: Int64?
  var attempt = Attempt.open
  var directory: RawPath?
  /// The name as it was given.
  var name: RawPath?
  var inode: UInt64?
  var device: UInt64?
  var peer: Peer?
  /// The process that it was done to.
  var object: Int32?
  /// Whether a relative name is one of the working directory.
  private var isOfDirectory = true

  init?(_ event: AuditEvent) {
    var call: AuditSyscall?
    var told = Self.blank
    event.forEach { record, bytes in
      if call == nil, let found = AuditSyscall(record, in: bytes) {
        call = found
        told.take(found, in: bytes)
      } else if let path = AuditPath(record, in: bytes), path.role != .parent, told.name == nil {
        told.name = path.name.map { RawPath($0.bytes(in: bytes)) }
        told.inode = path.inode
        told.device = path.device
      } else if let directory = AuditNote.workingDirectory(record, in: bytes) {
        told.directory = RawPath(directory.bytes(in: bytes))
      } else if let address = AuditAddress(record, in: bytes) {
        told.peer = Peer(address, in: bytes)
      } else if let object = AuditObject(record, in: bytes) {
        told.object = object.pid
      }
    }
    guard call != nil else { return nil }
    if told.key == .memory, told.object == nil { told.object = told.processOfName }
    self = told
  }

  private init() {}
  private static var blank: Told { Told() }

  private mutating func take(_ call: AuditSyscall, in bytes: RawSpan) {
    pid = call.caller.pid
    exit = call.exit
    hasSucceeded = call.isSuccess == true
    let words = (call.key?.bytes(in: bytes) ?? []).split(separator: 1).map { String(decoding: $0, as: UTF8.self) }
    for word in words {
      switch word {
      case "alibi-exec": key = .exec
      case "alibi-denied": key = .denied
      case "alibi-connect": key = .connect
      case "alibi-memory": key = .memory
      default: continue
      }
    }
    // AT_FDCWD
    let kind = call.call
    isOfDirectory = kind != .other && (!kind.isRelative || UInt32(truncatingIfNeeded: call.a0) == 0xffff_ff9c)
    switch kind {
    case .execute, .executeAt: attempt = .execute
    case .change, .changeAt: attempt = .change
    case .process: object = Int32(truncatingIfNeeded: call.a0)
    // PTRACE_TRACEME: the parent, which is of the session, traces.
    case .trace: if call.a0 == 0 { key = .other }
    case .open, .openAt, .other: break
    }
  }

  /// The process in a name below /proc.
  private var processOfName: Int32? {
    guard let path, path.bytes.starts(with: "/proc/".utf8) else { return nil }
    return Int32(String(decoding: path.bytes.dropFirst(6).prefix { $0 != 0x2f }, as: UTF8.self))
  }

  /// Where the name was looked up; nil where that cannot be told.
  var path: RawPath? {
    guard let name, !name.bytes.isEmpty else { return nil }
    if name.isAbsolute { return name.lexicallyNormal }
    guard isOfDirectory, let directory, directory.isAbsolute else { return nil }
    return RawPath(directory.bytes + [0x2f] + name.bytes).lexicallyNormal
  }
}

extension Peer {
  /// Nil for what leads to no process: netlink and others, an address without a name.
  fileprivate init?(_ address: AuditAddress, in bytes: RawSpan) {
    func big(_ value: some FixedWidthInteger) -> [UInt8] {
      unsafe withUnsafeBytes(of: value.bigEndian) { unsafe Array($0) }
    }
    switch address {
    case .unix(let name, let isAbstract):
      let text = name.bytes(in: bytes)
      if text.isEmpty { return nil }
      self = .local(isAbstract ? [0] + text : text)
    case .ipv4(let address, let port): self = .network(big(address), port: port)
    case .ipv6(let high, let low, let port): self = .network(big(high) + big(low), port: port)
    case .other: return nil
    }
  }
}
