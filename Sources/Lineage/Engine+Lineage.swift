internal import Journal
internal import Records
internal import Rules

// Second pass: what happened to processes, in order of time.
extension Engine {
  mutating func replayLineage(_ source: some BatchSource, _ oracle: inout some Oracle) {
    // Stable, so that records of one CPU with equal times keep their order.
    timeline.sort { $0.time < $1.time }
    decideWaiting(source, &oracle)
    for (index, event) in timeline.enumerated() {
      guard event.time <= batch.upper else {
        // Its file events come with a later batch: so does it.
        early.append(event.kept(from: source))
        continue
      }
      switch event.what {
      case .fork(let child, let thread, let parent):
        fork(child: child, thread: thread, parent: parent, at: event.time, by: event.witness)
      case .exec(let pid):
        if event.witness == .connector { unconfirmed[pid] = nil }
        guard event.witness == leadingWitness else { continue }
        let program = program(of: pid, after: index)
        guard program.isTold || event.time <= lossUntil else {
          // It does nothing before it has mapped its program, which the next batch tells: so does it of this.
          early.append(event.kept(from: source))
          continue
        }
        exec(pid, at: event.time, program.mapping, source, &oracle)
      case .exit(let pid, let thread):
        if event.witness == .connector { unconfirmed[pid] = nil }
        if event.witness == leadingWitness { exit(pid, thread: thread, at: event.time) }
      case .map(let pid, let mapping): map(pid, mapping, at: event.time, source, &oracle)
      case .credentials(let pid, let isRoot): credentials(of: pid, areRoots: isRoot, at: event.time)
      }
    }
  }

  /// The witness whose execs and exits count: perf, which tells them in order with the mappings; else the connector.
  private var leadingWitness: Witness { run?.hasPerf == false ? .connector : .perf }

  // MARK: - Fork

  private mutating func fork(child: Int32, thread: Int32, parent: Int32, at time: UInt64, by witness: Witness) {
    if thread != child {
      guard witness == leadingWitness else { return }
      _ = processes.update(child) { life in
        guard time >= life.countedAt else { return }
        if life.threads < .max { life.threads += 1 }
        life.died = nil
      }
      return
    }
    // Both tell within a moment; much later it is another life of the pid, whose former end was missed.
    if let life = processes[child], life.died == nil, !life.was(seenBy: witness),
      life.key.provenance == .witnessed, time.apart(from: life.key.startedAt) < 1_000_000_000
    {
      return secondSight(child, parent: parent, at: time, by: witness)
    }
    var life = Life(key: ProcessKey(pid: child, startedAt: time, provenance: .witnessed))
    life.note(witness)
    life.parent = parent
    life.reportedAt = batch.upper
    inherit(&life, from: parent, at: time)
    noteReturn(of: parent, at: time)
    if let old = processes[child], old.died == nil { died(child, at: time) }
    // Another process has the number now.
    pulse.retire(child)
    noteBirth(child, of: life.undecidedAncestor)
    if life.session == Self.canarySession { pulse.pids.insert(child) }
    processes.begin(life, at: time, lower: batch.lower)
    // Its parent may be gone by the time that another run looks for whose it is.
    if life.deputy != nil { unrecordedDeputies[child] = time }
    if let session = life.session { enrol(child, in: session) }
    if run?.hasPerf == true, run?.hasConnector == true {
      halfSeen.append(HalfSeenBirth(key: life.key, reported: batch.upper))
    }
  }

  private mutating func inherit(_ life: inout Life, from parent: Int32, at time: UInt64) {
    guard let origin = processes[parent] else {
      life.isUnknown = true
      return
    }
    life.isUnknown = origin.isUnknown
    life.undecidedAncestor = origin.undecidedOrigin
    life.session = pulse.nurseries.contains(parent) ? Self.canarySession : origin.session
    life.certainty = origin.certainty
    life.privilege = origin.privilege
    life.deputy = origin.deputy
    life.isKernel = origin.isKernel
    life.isPlainReader = origin.isPlainReader
    life.carried = origin.carried
    life.executable = origin.executable
    life.isInterpreter = origin.isInterpreter
    life.agent = nil
    life.isChildOfRoot = origin.isRoot
    life.isAgentOnly = origin.isAgentOnly
    life.processClass = origin.processClass
    life.parentRecord = origin.record
    life.epochStarted = time
    if origin.session != nil { enterSpace(&life, of: origin.space) }
  }

  /// The other witness tells of a birth. With CLONE_PARENT the connector names the caller's parent, perf the
  /// caller: the child belongs to both (`DESIGN.md` §2).
  private mutating func secondSight(_ child: Int32, parent: Int32, at time: UInt64, by witness: Witness) {
    let other = processes[parent]
    let before = processes[child]?.session
    let ancestor = processes[child]?.parent == parent ? nil : other?.undecidedOrigin
    noteBirth(child, of: ancestor)
    _ = processes.update(child) { life in
      life.note(witness)
      // It was born with the rights of who called.
      if witness == .perf, let other { life.privilege = other.privilege }
      life.deputy = life.deputy.joined(with: other?.deputy)
      guard life.parent != parent, let other else {
        // The parent the first witness named may have been unknown; this one is known.
        return
      }
      if life.isUnknown, !other.isUnknown { life.isUnknown = false }
      if let ancestor { life.undecidedAncestor = ancestor }
      guard let session = other.session, life.session != session else { return }
      if life.session == nil || witness == .perf {
        if let mine = life.session {
          life.formerSessions.append(Life.Former(session: mine, until: batch.upper))
        }
        life.session = session
        life.record = nil
        life.certainty = witness == .perf ? other.certainty : .ambiguous
        life.processClass = other.processClass
        life.parentRecord = other.record
        life.isChildOfRoot = other.isRoot
        life.isAgentOnly = other.isAgentOnly
      }
    }
    if other?.deputy != nil { unrecordedDeputies[child] = time }
    let after = processes[child]?.session
    if let other, other.space != nil, processes[child]?.space == nil || before != after, after == other.session {
      leaveSpace(child, at: time)
      if var life = processes[child], life.died == nil {
        enterSpace(&life, of: other.space)
        _ = processes.update(child) { $0.space = life.space }
      }
    }
    if before != after {
      if let after {
        enrol(child, in: after)
        checkPrivilege(child, at: time)
      }
      if let before { leave(before, at: time) }
    }
  }

  /// Births that only one of two witnesses has told of, a batch later.
  mutating func checkHalfSeen() {
    guard !halfSeen.isEmpty else { return }
    var waiting: [HalfSeenBirth] = []
    var told: (byPerf: Int, byConnector: Int, example: Int32) = (0, 0, 0)
    for birth in halfSeen {
      guard let life = processes.lives(birth.key.pid).first(where: { $0.key == birth.key }) else { continue }
      if life.seenByPerf && life.seenByConnector { continue }
      if birth.reported >= batch.lower {
        waiting.append(birth)
        continue
      }
      if life.seenByPerf { told.byPerf += 1 } else { told.byConnector += 1 }
      told.example = birth.key.pid
      if life.session == nil, !life.seenByPerf {
        // The connector alone may name a grandparent: nobody can be named for what it does.
        _ = processes.update(birth.key.pid) { $0.isUnknown = true }
      }
    }
    halfSeen = waiting
    // One incident, however many: a witness that is silenced misses every birth.
    guard told.byPerf + told.byConnector > 0 else { return }
    incident(
      "fork-seen-by-one-witness",
      "births told by perf only: \(told.byPerf), by the connector only: \(told.byConnector); process \(told.example) "
        + "is one of them")
  }

  // MARK: - Exit

  private mutating func exit(_ pid: Int32, thread: Int32, at time: UInt64) {
    let isOver = processes.update(pid) { life -> Bool in
      guard life.died == nil, time >= life.countedAt else { return false }
      life.threads -= 1
      return life.threads <= 0
    }
    if isOver == true { died(pid, at: time) }
  }

  mutating func died(_ pid: Int32, at time: UInt64) {
    guard let life = processes[pid], life.died == nil else { return }
    _ = processes.update(pid) { $0.died = time }
    noteReturn(of: pid, at: time, hasDied: true)
    pulse.retire(pid)
    leaveSpace(pid, at: time)
    if let record = life.record { findings.append(.processEnded(record, wall(time))) }
    if let session = life.session { leave(session, at: time) }
    endDeputy(life)
  }

  // MARK: - Exec

  private mutating func exec(
    _ pid: Int32, at time: UInt64, _ program: FileMapping?, _ source: some BatchSource, _ oracle: inout some Oracle
  ) {
    if processes[pid] == nil {
      var life = Life(key: ProcessKey(pid: pid, startedAt: time, provenance: .unknown))
      life.isUnknown = true
      processes.begin(life, at: time, lower: batch.lower)
    }
    if leadingWitness == .perf, run?.hasConnector == true { awaitConfirmation(pid, of: time) }
    sight(pid, at: time)
    let main = program.map { mapping in
      var kept = mapping
      kept.copied = mapping.path(in: source)
      return kept
    }
    let choice = explanation(of: pid, main, at: time)
    for index in (execs[pid] ?? []).indices where execs[pid]?[index].usedIn == nil {
      execs[pid]?[index].usedIn = batchNumber
    }
    let before = processes[pid]
    if before?.undecidedSince != nil { settleBorn(of: pid, isDecided: false) }
    if let record = before?.record { findings.append(.processEnded(record, wall(time))) }
    leaveSpace(pid, at: time)
    _ = processes.update(pid) { life in
      // Every other thread is gone, the leader's exit included.
      life.threads = 1
      life.died = nil
      life.record = nil
      life.epochStarted = time
      life.undecidedSince = nil
      life.isPlainReader = false
      life.carried = nil
      // The kernel starts programs of ours, too.
      life.isKernel = false
    }
    if before?.died != nil, let session = before?.session {
      // The leader's exit was counted as the end; another thread has executed and lives on as the process.
      sessions[session]?.members += 1
    }
    if before?.session == nil, !isSure(choice, main), !isConclusive(time) {
      // Its opening may still be in the queue. A file event read before it may be the new program's.
      undecided[pid] = main
      _ = processes.update(pid) { $0.undecidedSince = time }
      return
    }
    decide(pid, choice, main, at: time, &oracle)
  }

  /// Whether an explanation stays what it is, whatever openings are still to be read. Without a mapping any of them may
  /// be the one.
  func isSure(_ choice: (executable: ExecCandidate?, agent: AgentMatch?), _ main: FileMapping?) -> Bool {
    main == nil ? choice.agent != nil : choice.executable != nil
  }

  /// Whether every opening before `time` has been read.
  func isConclusive(_ time: UInt64) -> Bool { time <= batch.emptied && overflowSince == nil }

  /// What became of a process by an exec.
  mutating func decide(
    _ pid: Int32, _ choice: (executable: ExecCandidate?, agent: AgentMatch?), _ main: FileMapping?, at time: UInt64,
    _ oracle: inout some Oracle
  ) {
    let match = choice.agent
    let executable = choice.executable
    let isInterpreter = executable?.path.map { rules.isInterpreter($0) } ?? false
    _ = processes.update(pid) { life in
      life.executable = executable?.path ?? RawPath(main?.copied ?? [])
      life.isInterpreter = isInterpreter
      life.isPlainReader = rules.isPlainReader(life.executable)
      life.agent = match?.agent
      if match == nil { life.isAgentOnly = false }
    }
    if processes[pid]?.session != nil {
      executed.append(pid)
      classify(pid, &oracle)
      if let record = openRecord(pid) { expectCommand(pid, record, at: time) }
      if let program = processes[pid]?.executable { checkProgram(pid, program, at: time, &oracle) }
    } else if let match {
      beginSession(
        pid, agent: match.agent, version: match.version, executable: executable, at: time, joinedLate: false,
        &oracle)
    } else if executable == nil, processes[pid]?.isUnknown == false, let run, time > run.monotonic {
      if lossUntil >= time {
        // The opening may be what was lost.
        _ = processes.update(pid) { $0.isUnknown = true }
      } else {
        beginSession(
          pid, agent: nil, version: nil, executable: ExecCandidate(path: RawPath(main?.copied ?? [])), at: time,
          joinedLate: false, &oracle)
      }
    }
  }

  /// The first file that the process mapped after its exec, the program itself, before its loader; and whether there is
  /// nothing to wait for: it is known, or there is none.
  ///
  /// What is later than the batch's last read may be there in part: each CPU's ring was drained at another moment.
  private func program(of pid: Int32, after index: Int) -> (mapping: FileMapping?, isTold: Bool) {
    guard leadingWitness == .perf else { return (nil, true) }
    for event in timeline[(index + 1)...].prefix(while: { $0.time <= batch.upper }) {
      switch event.what {
      // Anonymous memory has no inode.
      case .map(pid, let mapping) where mapping.inode != 0: return (mapping, true)
      case .exec(pid) where event.witness == .perf, .exit(pid, _) where event.witness == .perf: return (nil, true)
      default: continue
      }
    }
    return (nil, false)
  }

  /// What a committed exec executed. Openings for execution are program, script and loader, and those of other
  /// execs of the pid, also of failed ones; the first mapping tells them apart. A script is told later, by the
  /// interpreter that opens it.
  mutating func explanation(
    of pid: Int32, _ main: FileMapping?, at time: UInt64
  ) -> (executable: ExecCandidate?, agent: AgentMatch?) {
    let candidates = execs[pid] ?? []
    guard let main else {
      // Without perf any opening may be the one; an agent's counts.
      let agent = candidates.first { agentMatch($0) != nil }
      let chosen = agent ?? candidates.last { !$0.isLoader }
      return (chosen, chosen.flatMap { agentMatch($0) })
    }
    let mapped = candidates.first {
      $0.identity?.inode == main.inode
        && ($0.device == main.device || $0.identity?.generation == main.generation)
    }
    // Mapped from where no opening was seen: nobody can explain it.
    guard var chosen = mapped ?? openedBeforeTheMarks(main, at: time) else { return (nil, nil) }
    // The kernel told the mapping's path at the exec; the directory's may have changed before it was asked for.
    let told = RawPath(main.copied ?? [])
    let match = agentMatch(chosen) ?? rules.agent(executable: told)
    if chosen.path == nil {
      guard told.isAbsolute else { return (nil, nil) }
      chosen.path = told
    }
    return (chosen, match)
  }

  /// What was executed while the marks were being set had been opened before them.
  private func openedBeforeTheMarks(_ main: FileMapping, at time: UInt64) -> ExecCandidate? {
    guard let run, time < run.monotonic.later(by: Self.startUp),
      let fileSystem = fileSystems.fileSystem(device: main.device)
    else { return nil }
    var candidate = ExecCandidate(path: RawPath(main.copied ?? []))
    candidate.identity = FileIdentity(fileSystem: fileSystem, inode: main.inode, generation: main.generation)
    return candidate
  }

  /// The longest that an exec may take at a start of the service.
  private static let startUp: UInt64 = 1_000_000_000

  private mutating func agentMatch(_ candidate: ExecCandidate) -> AgentMatch? {
    guard let path = candidate.path else { return nil }
    for name in directories.alternatives(path) {
      if let match = rules.agent(executable: name) { return match }
    }
    return nil
  }
}
