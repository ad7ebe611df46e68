public import Journal
internal import Records
public import Rules

// What the attribution knows between two batches, for the recorder that continues after this one has died.
extension Engine {
  /// Bumped with every change of what is written: another version's snapshot is not read.
  private static let snapshotVersion: UInt32 = 5

  /// The state between two batches, as bytes.
  public func snapshot() -> [UInt8] {
    var copy = self
    var archive = Archive()
    // Writing cannot fail.
    try? copy.exchange(&archive)
    return archive.bytes
  }

  /// Continues from a snapshot; the rules are those in force now.
  ///
  /// - Throws: `JournalError` where the bytes are another version's or damaged.
  public init(snapshot: [UInt8], rules: AgentRules) throws(JournalError) {
    self.init(rules: rules, firstSession: 0, firstProcess: 0)
    var archive = Archive(snapshot)
    try exchange(&archive)
    guard archive.isAtEnd else { throw .truncated(offset: snapshot.count) }
  }

  private mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    var version = Self.snapshotVersion
    try archive(&version)
    guard version == Self.snapshotVersion else { throw .notAJournal }
    let agents = try exchangeAgents(&archive)
    try exchangeRun(&archive)
    try exchangeLineage(&archive)
    try exchangeAccesses(&archive)
    if archive.isReading { renumber(agents) }
  }

  /// Agents are places in the rules, and the rules may have changed meanwhile: their names are kept with them.
  private func exchangeAgents(_ archive: inout Archive) throws(JournalError) -> [String] {
    var names = rules.agents.map(\.name)
    try archive.list(&names, "") { (archive, name) throws(JournalError) in try archive(&name) }
    return names
  }

  private mutating func renumber(_ names: [String]) {
    func place(_ agent: Int?) -> Int? {
      agent.flatMap { old in rules.agents.firstIndex { names.indices.contains(old) && $0.name == names[old] } }
    }
    sessions = sessions.mapValues { state in
      var state = state
      state.agent = place(state.agent)
      return state
    }
    for pid in processes.agentProcesses { _ = processes.update(pid) { $0.agent = place($0.agent) } }
  }

  private mutating func exchangeRun(_ archive: inout Archive) throws(JournalError) {
    try archive.optional(&run)
    try archive(&fileSystems)
    try archive(&pulse)
    try archive.table(&losses, "", 0) { (archive, source, count) throws(JournalError) in
      try archive(&source)
      try archive(&count)
    }
    try archive.optional(&clockOffset)
    try archive(&nextSession)
    try archive(&nextProcess)
    try archive(&lastSweep)
    try archive.optional(&overflowSince)
    try archive.optional(&vouchedTo)
    try archive(&batchNumber)
    try archive(&lossUntil)
    try archive.optional(&watchedBefore)
    try archive.table(&sequences, 0, 0) { (archive, cpu, number) throws(JournalError) in
      try archive(&cpu)
      try archive(&number)
    }
    try archive.table(&heard, 0, 0) { (archive, cpu, time) throws(JournalError) in
      try archive(&cpu)
      try archive(&time)
    }
    try archive(&acknowledgements)
  }

  private mutating func exchangeLineage(_ archive: inout Archive) throws(JournalError) {
    try archive(&processes)
    if archive.isReading { restoreBirths() }
    try archive.table(&sessions, 0, SessionState(session: .blank, agent: nil)) {
      (archive, id, state) throws(JournalError) in
      try archive(&id)
      try archive(&state)
    }
    try archive.table(&execs, 0, []) { (archive, pid, candidates) throws(JournalError) in
      try archive(&pid)
      try archive.list(&candidates)
    }
    try archive.table(&undecided, 0, nil) { (archive, pid, mapping) throws(JournalError) in
      try archive(&pid)
      try archive.optional(&mapping)
    }
    try archive.table(&unrecorded, 0, 0) { (archive, pid, born) throws(JournalError) in
      try archive(&pid)
      try archive(&born)
    }
    try archive.table(&unconfirmed, 0, 0) { (archive, pid, time) throws(JournalError) in
      try archive(&pid)
      try archive(&time)
    }
    try archive.list(&early)
    try archive.list(&lateMappings)
    try archive.list(&halfSeen, HalfSeenBirth(key: .blank, reported: 0)) { (archive, birth) throws(JournalError) in
      try archive(&birth.key)
      try archive(&birth.reported)
    }
  }

  private mutating func exchangeAccesses(_ archive: inout Archive) throws(JournalError) {
    try archive(&directories)
    try archive.table(&episodes, .blank, .blank) { (archive, key, episode) throws(JournalError) in
      try archive(&key)
      try archive(&episode)
    }
    try archive.table(&openPaths, .blank, .blank) { (archive, key, path) throws(JournalError) in
      try archive(&key)
      try archive(&path)
    }
    try exchangeNames(&archive)
    try archive.table(&spaces, 0, 0) { (archive, space, count) throws(JournalError) in
      try archive(&space)
      try archive(&count)
    }
    try archive.set(&uncountedSpaces, 0) { (archive, space) throws(JournalError) in try archive(&space) }
    try archive.set(&leftOpen, .blank) { (archive, file) throws(JournalError) in try archive(&file) }
    try archive.set(&opened, .blank) { (archive, file) throws(JournalError) in try archive(&file) }
    try archive.list(&looks)
    try archive.table(&nodes, .blank, .other) { (archive, node, kind) throws(JournalError) in
      try archive(&node)
      try archive(&kind)
    }
    try exchangeAudit(&archive)
    // What sessions wrote is in the store: it may be much.
    try archive.table(&unrecordedDeputies, 0, 0) { (archive, pid, since) throws(JournalError) in
      try archive(&pid)
      try archive(&since)
    }
    try archive.table(&mappedByDeputies, .blank, []) { (archive, key, operations) throws(JournalError) in
      try archive(&key)
      try archive(&operations)
    }
    try archive.set(&recordedDeputies, 0) { (archive, pid) throws(JournalError) in try archive(&pid) }
  }

  private mutating func exchangeNames(_ archive: inout Archive) throws(JournalError) {
    try archive(&nameEvents)
    try archive(&newborns)
    try archive.list(&unplaced, .blank) { (archive, ending) throws(JournalError) in
      try archive(&ending.file)
      try archive(&ending.kind)
      try archive(&ending.directory)
      try archive(&ending.name)
      try archive(&ending.isSure)
      try archive(&ending.time)
      try archive(&ending.batchesLeft)
    }
  }
}

extension RunEntry: Archived {
  static var blank: RunEntry {
    RunEntry(bootID: [], host: [], ownPid: 0, monotonic: 0, wall: 0, boot: 0, hasPerf: false, hasConnector: false)
  }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&bootID)
    try archive(&host)
    try archive(&ownPid)
    try archive(&monotonic)
    try archive(&wall)
    try archive(&boot)
    try archive(&hasPerf)
    try archive(&hasConnector)
  }
}

extension Life: Archived {
  static var blank: Life { Life(key: .blank) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&key)
    try archive(&parent)
    try archive.optional(&died)
    try archive(&threads)
    try archive(&countedAt)
    try archive(&seenByPerf)
    try archive(&seenByConnector)
    try archive(&reportedAt)
    try archive(&privilege)
    try archive.optional(&session)
    try archive.list(&formerSessions, Former(session: nil, until: 0)) { (archive, former) throws(JournalError) in
      try archive.optional(&former.session)
      try archive(&former.until)
    }
    try archive(&certainty)
    try archive(&isUnknown)
    try archive.optional(&deputy)
    try archive(&isKernel)
    try archive(&isPlainReader)
    try archive.optional(&carried)
    try archive(&executable)
    try archive(&isInterpreter)
    try archive.optional(&agent)
    try archive(&isRoot)
    try archive.optional(&undecidedSince)
    try archive.optional(&undecidedAncestor)
    try archive(&isChildOfRoot)
    try archive(&isAgentOnly)
    try archive(&processClass)
    try archive.optional(&record)
    try archive.optional(&parentRecord)
    try archive.optional(&space)
    try archive(&epochStarted)
  }
}

extension SessionState: Archived {
  static var blank: SessionState { SessionState(session: .blank, agent: nil) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&session)
    try archive.optional(&agent)
    try archive(&members)
    try archive(&lastLeft)
    try archive(&inner)
    try archive.optional(&conversation)
    try archive.optional(&privilege, Gain(since: .blank, reason: "")) { (archive, gain) throws(JournalError) in
      try archive(&gain.since)
      try archive(&gain.reason)
    }
  }
}

extension SessionFile: Archived {
  static var blank: SessionFile { SessionFile(session: 0, identity: .blank) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&session)
    try archive(&identity)
  }
}

extension EpisodeKey: Archived {
  static var blank: EpisodeKey { EpisodeKey(pid: 0, startedAt: 0, session: nil, identity: .blank, path: nil) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&pid)
    try archive(&startedAt)
    try archive.optional(&session)
    try archive(&identity)
    try archive.optional(&path)
    try archive(&channels)
  }
}

extension Deputy: Archived {
  static var blank: Deputy { Deputy(session: nil, channels: []) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive.optional(&session)
    try archive(&channels)
  }
}

extension Episode: Archived {
  static var blank: Episode { Episode(access: .blank, since: 0, began: 0, last: 0) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&access)
    try archive(&since)
    try archive(&began)
    try archive(&last)
    try archive(&isOver)
  }
}

extension ProcessFile: Archived {
  static var blank: ProcessFile { ProcessFile(pid: 0, identity: .blank) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&pid)
    try archive(&identity)
  }
}

extension DirectoryReference: Archived {
  static var blank: DirectoryReference { DirectoryReference(identity: .blank, type: 0, handle: []) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&identity)
    try archive(&type)
    try archive(&handle)
  }
}

extension ExecCandidate: Archived {
  static var blank: ExecCandidate { ExecCandidate(path: .blank) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive.optional(&identity)
    try archive.optional(&device)
    try archive.optional(&parent)
    try archive(&name)
    try archive.optional(&path)
    try archive.optional(&usedIn)
  }
}

extension FileMapping: Archived {
  static var blank: FileMapping {
    FileMapping(
      copied: [], device: 0, inode: 0, generation: 0, isShared: false, isWritable: false, isExecutable: false,
      position: 0,
      path: 0..<0)
  }

  /// Only between batches: its path was copied then.
  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    var path = copied ?? []
    try archive(&path)
    copied = path
    try archive(&device)
    try archive(&inode)
    try archive(&generation)
    try archive(&isShared)
    try archive(&isWritable)
    try archive(&isExecutable)
  }
}

extension LineageEvent: Archived {
  static var blank: LineageEvent { LineageEvent(time: 0, witness: .perf, what: .exec(pid: 0)) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&time)
    var isPerf = witness == .perf
    try archive(&isPerf)
    witness = isPerf ? .perf : .connector
    var (kind, first, second, third): (UInt8, Int32, Int32, Int32)
    var mapping = FileMapping.blank
    switch what {
    case .fork(let child, let childThread, let parent): (kind, first, second, third) = (1, child, childThread, parent)
    case .exec(let pid): (kind, first, second, third) = (2, pid, 0, 0)
    case .exit(let pid, let thread): (kind, first, second, third) = (3, pid, thread, 0)
    case .credentials(let pid, let isRoot): (kind, first, second, third) = (5, pid, isRoot ? 1 : 0, 0)
    case .map(let pid, let found):
      (kind, first, second, third) = (4, pid, 0, 0)
      mapping = found
    }
    try archive(&kind)
    try archive(&first)
    try archive(&second)
    try archive(&third)
    if kind == 4 { try archive(&mapping) }
    guard archive.isReading else { return }
    switch kind {
    case 1: what = .fork(child: first, childThread: second, parent: third)
    case 2: what = .exec(pid: first)
    case 3: what = .exit(pid: first, thread: second)
    case 4: what = .map(pid: first, mapping)
    case 5: what = .credentials(pid: first, isRoot: second == 1)
    default: throw .notAJournal
    }
  }
}
