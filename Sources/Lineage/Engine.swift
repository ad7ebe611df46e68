internal import Decode
public import Journal
public import Records
public import Rules

/// Turns the journal into findings: a pure function of the journal and of the answers recorded with it.
///
/// A batch is a set, not a sequence (`DESIGN.md` §2): the kernel merges an event into an older one of the same
/// process and file. So the engine first replays what happened to processes, in order of time, up to the moment
/// of the batch's last read, and then gives each file event to every life, membership and path that overlaps
/// the batch. Where they differ, the access is ambiguous and counts for each.
public struct Engine {
  var rules: AgentRules
  /// How long an episode may go on before it is written: in nanoseconds of CLOCK_MONOTONIC.
  static let episodeIdle: UInt64 = 1_000_000_000
  static let episodeAge: UInt64 = 5_000_000_000

  var run: RunEntry?
  var processes = ProcessTable()
  var directories = DirectoryNames()
  var fileSystems = FileSystemTable()
  var pulse = Pulse()
  /// How often each source lost something since the last seal.
  var losses: [String: Int] = [:]
  /// CLOCK_REALTIME minus CLOCK_BOOTTIME at the end of the batch before.
  var clockOffset: Int64?
  /// Sessions that have not ended.
  var sessions: [Int64: SessionState] = [:]
  var episodes: [EpisodeKey: Episode] = [:]
  /// Under which path a process has a file in an episode: a mapping names only the file.
  var openPaths: [ProcessFile: RawPath] = [:]
  /// Openings for execution that no committed exec has used up.
  var execs: [Int32: [ExecCandidate]] = [:]
  /// Committed execs that wait for their opening, with what they mapped first.
  var undecided: [Int32: FileMapping?] = [:]
  /// Who was born of those, by way of others or not, while that was so.
  var undecidedBirths: [Int32: [Int32]] = [:]
  /// CLOCK_MONOTONIC up to which an opening may have been lost.
  var lossUntil: UInt64 = 0
  /// Lineage drained with an earlier batch, but later than its last read; and execs whose program was not mapped yet.
  var early: [LineageEvent] = []
  /// Processes of sessions that have no record yet, with the time of their birth.
  var unrecorded: [Int32: UInt64] = [:]
  /// Mappings by bystanders that were drained with an earlier batch, but may be of the time of the next.
  var lateMappings: [LineageEvent] = []
  /// Births that only one witness has told of so far.
  var halfSeen: [HalfSeenBirth] = []
  /// The last number each CPU gave to a message of the connector's.
  var sequences: [UInt32: UInt32] = [:]
  /// CLOCK_MONOTONIC of the last message of each CPU.
  var heard: [UInt32: UInt64] = [:]
  var acknowledgements = 0
  /// Execs that perf told and the connector has not, by pid.
  var unconfirmed: [Int32: UInt64] = [:]
  /// What the batch, and the end of the one before, told of files' names.
  var nameEvents = NameEvents()
  /// What was created and nobody needs to know the names of.
  var newborns = Newborns()
  /// Ends of names whose directory may still be told.
  var unplaced: [UnplacedEnding] = []
  static let mostUnplaced = 65_536
  /// How many processes share an address space, by the record that stands for it.
  var spaces: [Int64: Int] = [:]
  /// Address spaces of an earlier run, some of whose processes may not be known.
  var uncountedSpaces: Set<Int64> = []
  /// Files that sessions opened and have not closed, as far as it was written so.
  var leftOpen: Set<SessionFile> = []
  /// Those of them that are remembered after their close: others may hold them still.
  var opened: Set<SessionFile> = []
  static let mostOpened = 2000
  /// Looks at what processes held when their sessions began, until what they had opened themselves by then is known.
  var looks: [DescriptorLook] = []
  /// Sessions reached the memory of processes that went at once: whose that was is not clear yet.
  var memoryOfGone: [MemoryEvent] = []
  /// What device nodes are.
  var nodes: [FileIdentity: NodeKind] = [:]
  /// What sessions, and who works for them, wrote.
  var written = WrittenFiles()
  /// What audit tells.
  var audit = AuditTrail()
  /// Jobs that sessions have left to be started by others.
  var jobs: [FileIdentity: LaunchRequest.Origin] = [:]
  /// What audit and the others both tell of.
  var reconciliation = Reconciliation()
  var placeWatch = PlaceWatch()
  /// What bystanders did lately.
  var recent = RecentEvents()
  /// Deputies that have not lived long enough to be worth a record, with the time at which they became such.
  var unrecordedDeputies: [Int32: UInt64] = [:]
  /// Deputies that the store knows.
  var recordedDeputies: Set<Int32> = []
  /// What deputies mapped and was told of, with what was done.
  var mappedByDeputies: [EpisodeKey: Operations] = [:]
  static let mostMappedByDeputies = 4096
  /// Deputies of an earlier run of the service, by pid.
  var formerDeputies: [Int32: FormerDeputy] = [:]
  var nextSession: Int64
  var nextProcess: Int64
  /// Processes of sessions of an earlier run of the service in this boot, by pid.
  var survivors: [Int32: Survivor]
  /// CLOCK_MONOTONIC up to which an earlier run watched while sessions were open; nil when none was.
  var watchedBefore: UInt64?
  var lastSweep: UInt64 = 0
  /// CLOCK_MONOTONIC: the queue was last seen empty then, before it overflowed; nil when all is well.
  var overflowSince: UInt64?
  /// CLOCK_MONOTONIC up to which coverage was reported.
  var vouchedTo: UInt64?
  var batchNumber: UInt64 = 0

  // What belongs to the batch at hand.
  var batch = BatchEnd(lower: 0, upper: 0, wall: 0, boot: 0, emptied: 0)
  var timeline: [LineageEvent] = []
  var observed: [ObservedProcess] = []
  /// What was found wrong with the journal's bytes: who, and what.
  var troubles: [(source: String, reason: String)] = []
  var hasForeignAcknowledgement = false
  /// CLOCK_MONOTONIC since which the connector lost something that was noticed in the batch.
  var unheardSince: UInt64?
  /// Whether the queue reported an overflow.
  var hasOverflowed = false
  /// Whether `observed` is the scan at the start of a run, before which nothing was seen.
  var isFirstScan = false
  /// Whether another recorder continues with this batch, and which devices it has found marked.
  var isResumed = false
  var restated: Set<UInt64> = []
  /// How many events of the queue have been looked at for the first time.
  var eventsGathered = 0
  /// Which of them was a process's last opening for execution.
  var openings: [Int32: Int] = [:]
  var directoryEvents: [DirectoryEvent] = []
  /// Files that sessions, or who may be of one, touched in the batch.
  var touched: Set<FileIdentity> = []
  /// Files that lost, in the batch, the only name they ever had.
  var singles: Set<FileIdentity> = []
  /// Files that may have lost their names to renames of the batch.
  var replacedFiles: [NameEvents.Replaced] = []
  var findings: [Finding] = []

  /// What a batch brought.
  public struct Outcome {
    /// What the store must write.
    public var findings: [Finding]
    /// The time that capture now vouches for and all records of which are written, in wall-clock time; nil where
    /// there is none to add.
    public var covered: Interval?
    /// Barriers that this batch reached.
    public var barriers: [UInt64]
    /// Processes of sessions that executed something: their mount namespaces need watching.
    public var executed: [Int32]
    /// Sessions that began: their executables need digesting.
    public var begun: [Session]
  }

  /// An engine that has seen nothing.
  ///
  /// - Parameters:
  ///   - rules: which programs are agents.
  ///   - firstSession: the first number no session in the store has.
  ///   - firstProcess: the first number no process record in the store has.
  ///   - survivors: processes of unfinished sessions of this boot, as the store knows them.
  ///   - watchedBefore: CLOCK_MONOTONIC up to which an earlier run vouches for lineage.
  public init(
    rules: AgentRules, firstSession: Int64, firstProcess: Int64, survivors: [Survivor] = [],
    watchedBefore: UInt64? = nil
  ) {
    self.rules = rules
    self.watchedBefore = survivors.isEmpty ? nil : watchedBefore
    nextSession = firstSession
    nextProcess = firstProcess
    self.survivors = Dictionary(survivors.map { ($0.key.pid, $0) }, uniquingKeysWith: { $1 })
  }

  /// Replaces the rules. Running sessions keep the agent they were recognised as, if the rules still know it.
  public mutating func adopt(_ rules: AgentRules) {
    let known = self.rules.agents.map(\.name)
    func renumbered(_ agent: Int?) -> Int? {
      agent.flatMap { old in rules.agents.firstIndex { $0.name == known[old] } }
    }
    self.rules = rules
    sessions = sessions.mapValues { state in
      var state = state
      state.agent = renumbered(state.agent)
      return state
    }
    for pid in processes.agentProcesses { _ = processes.update(pid) { $0.agent = renumbered($0.agent) } }
  }

  /// The number of sessions that have not ended.
  public var openSessions: Int { sessions.count }

  /// Processes of sessions that live.
  public var sessionProcesses: [Int32] {
    processes.current.values.filter { sessions[$0.session ?? Self.canarySession] != nil && $0.died == nil }.map(
      \.key.pid
    ).sorted()
  }

  /// The sessions that have not ended and their processes, as they would be found: for a store that refused them
  /// when they were.
  public var standing: [Finding] {
    let known = sessions.values.map(\.session).sorted { $0.id < $1.id }
    let gains = known.compactMap { session in
      sessions[session.id]?.privilege.map { Finding.privileged(session: session.id, $0.since, $0.reason) }
    }
    let records = processes.current.values.compactMap(record).filter { sessions[$0.session] != nil }
      .sorted { $0.id < $1.id }
    return known.map(Finding.session) + gains + records.map(Finding.process)
  }

  // What a batch has produced besides findings.
  var executed: [Int32] = []
  var begun: [Session] = []

  /// Works through one batch.
  ///
  /// - Parameter flush: whether to write every episode now, because somebody waits for the answer.
  /// - Throws: `JournalError` where the entries are no journal; the batch is then lost as a whole.
  public mutating func process(
    _ source: some BatchSource, oracle: inout some Oracle, flush: Bool = false
  ) throws(JournalError) -> Outcome {
    batchNumber += 1
    var barriers: [UInt64] = []
    var losses: [LossEntry] = []
    var moved: [RawPath] = []
    var watched: [FileSystemEntry] = []
    var mountTables: [MountTableEntry] = []
    var marks: [UInt64] = []
    timeline.append(contentsOf: early)
    early.removeAll(keepingCapacity: true)
    try source.forEach { (entry, position) throws(JournalError) in
      switch entry.kind {
      case .batchEnd: batch = try BatchEnd(payload: entry.bytes)
      case .perf: gather(perf: entry.payload, at: position)
      case .connector: gather(connector: entry.payload)
      case .audit: gather(audit: entry.payload)
      case .auditMark:
        var reader = ByteReader(entry.bytes)
        marks.append(try reader.integer(UInt64.self))
      case .auditPlaces: note(try AuditPlaces(payload: entry.bytes))
      case .auditCheck: audit.standing.checks.append(try AuditCheck(payload: entry.bytes))
      case .fanotify: gather(fanotify: entry.payload)
      case .descriptorEvent: gather(try DescriptorEvent(payload: entry.bytes))
      case .observed:
        let process = try ObservedProcess(payload: entry.bytes)
        observed.append(process)
      case .fileSystem: watched.append(try FileSystemEntry(payload: entry.bytes))
      case .loss: losses.append(try LossEntry(payload: entry.bytes))
      case .run:
        run = try RunEntry(payload: entry.bytes)
        isFirstScan = true
        // It vouches for nothing before the marks were set.
        vouchedTo = run?.monotonic
      case .barrier:
        var reader = ByteReader(entry.bytes)
        barriers.append(try reader.integer(UInt64.self))
      case .nursery:
        pulse.isNeeded = true
        // The one before may still have children to tell of in this batch; with its death it is none any more.
        pulse.announce(try Nursery(payload: entry.bytes).pid)
      case .heartbeat: pulse.waiting.append(try Heartbeat(payload: entry.bytes))
      case .mountsChanged:
        // An earlier version did not tell where.
        let places = entry.bytes.isEmpty ? [[UInt8(ascii: "/")]] : try MovedMounts(payload: entry.bytes).places
        moved += places.map { RawPath($0) }
      case .mountTable: mountTables.append(try MountTableEntry(payload: entry.bytes))
      case .resumed:
        let resumed = try RunEntry(payload: entry.bytes)
        run?.ownPid = resumed.ownPid
        isResumed = true
      case .answer, .padding, .memory: break
      }
    }
    directories.forget(beneath: moved)
    for entry in watched { note(entry) }
    for entry in mountTables { note(entry) }
    if isResumed { forgetUnmounted() }
    for loss in losses { note(loss) }
    for mark in marks { note(mark: mark) }
    settleStanding(flush: flush || !barriers.isEmpty)
    noteOverflow()
    noteTroubles()
    adoptObserved(&oracle)
    replacedFiles = nameEvents.replaced()
    learnDirectories(&oracle)
    nameExecutables(&oracle)
    replayLineage(source, &oracle)
    settlePrivileges()
    keepRecent()
    settleAudit(source, &oracle)
    try settleDeputies(source, &oracle)
    try source.forEach { (entry, position) throws(JournalError) in
      switch entry.kind {
      case .fanotify: attribute(entry.payload, &oracle)
      case .descriptorEvent: attribute(try DescriptorEvent(payload: entry.bytes))
      case .memory: attribute(try MemoryEvent(payload: entry.bytes))
      default: break
      }
    }
    settleMemoryOfGone()
    recallGone(&oracle)
    settleNames(flush: flush || !barriers.isEmpty, &oracle)
    return finish(barriers: barriers, flush: flush || !barriers.isEmpty)
  }

  private mutating func finish(barriers: [UInt64], flush: Bool) -> Outcome {
    checkHalfSeen()
    settleLooks(all: flush)
    recordSurvivors()
    recordDeputies()
    checkClock()
    takePulse()
    reconcile(flush: flush)
    if directories.isCut {
      findings.append(
        .gap(
          Gap(
            time: span, source: "names", reason: "more renames of directories at once than are followed",
            fileSystem: nil)))
    }
    writeEpisodes(all: flush)
    let lower = batch.emptied == 0 ? batch.lower : batch.emptied
    let awaited = early.filter { $0.time <= batch.upper }.map(\.what.pid)
    for (pid, candidates) in execs {
      // An opening explains the execs of its own batch and of the next.
      let kept = candidates.filter { $0.usedIn == nil || $0.usedIn == batchNumber || awaited.contains(pid) }
      execs[pid] = kept.isEmpty ? nil : kept
    }
    keepMappings(since: lower)
    endSessions(nextLower: lower)
    processes.endBatch(nextLower: lower)
    directories.endBatch()
    if batch.upper > lastSweep.later(by: 10_000_000_000) {
      processes.sweep(diedBefore: lastSweep)
      pulse.pids = pulse.pids.filter { processes[$0]?.session == Self.canarySession }
      execs = execs.filter { pid, _ in processes[pid].map { $0.died == nil } ?? false }
      sweepReconciliation()
      sweepRequests()
      lastSweep = batch.upper
    }
    timeline.removeAll(keepingCapacity: true)
    observed.removeAll(keepingCapacity: true)
    isFirstScan = false
    isResumed = false
    pulse.announced.removeAll(keepingCapacity: true)
    restated.removeAll(keepingCapacity: true)
    directoryEvents.removeAll(keepingCapacity: true)
    eventsGathered = 0
    openings.removeAll(keepingCapacity: true)
    let covered = extendCoverage()
    defer {
      findings.removeAll(keepingCapacity: true)
      executed.removeAll(keepingCapacity: true)
      begun.removeAll(keepingCapacity: true)
    }
    return Outcome(findings: findings, covered: covered, barriers: barriers, executed: executed, begun: begun)
  }

  /// A CLOCK_MONOTONIC moment as wall-clock time, by the clocks at the end of the batch.
  func wall(_ monotonic: UInt64) -> Timestamp {
    Timestamp(nanoseconds: Int64(bitPattern: batch.wall &- batch.upper &+ monotonic))
  }

  /// The other way round.
  func monotonic(_ wall: Timestamp) -> UInt64 {
    UInt64(bitPattern: wall.nanoseconds) &- batch.wall &+ batch.upper
  }

  /// The time in which the batch's events happened.
  var span: Interval { Interval(from: wall(batch.lower), to: wall(batch.upper)) }

  mutating func incident(_ kind: String, _ detail: String) {
    findings.append(.incident(Incident(time: wall(batch.upper), kind: kind, detail: detail)))
  }
}
