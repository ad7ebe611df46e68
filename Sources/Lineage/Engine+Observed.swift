internal import Journal
internal import Records

// What a look at /proc found.
extension Engine {
  /// /proc tells a start in ticks of ten milliseconds.
  static let startTolerance: UInt64 = 30_000_000

  /// Takes in what a look at /proc found: before the lineage of the batch, so that a fork finds its parent.
  mutating func adoptObserved(_ oracle: inout some Oracle) {
    guard !observed.isEmpty else { return }
    var born: Set<Int32> = []
    for event in timeline {
      if case .fork(let child, let thread, _) = event.what, child == thread { born.insert(child) }
    }
    let inherited = Set(survivors.values.map(\.space))
    // Parents before children, whatever their pids.
    for process in observed.sorted(by: { ($0.startedAt, $0.pid) < ($1.startedAt, $1.pid) })
    where !born.contains(process.pid) {
      adopt(process)
    }
    settleSpaces(inherited)
    // Who is not there any more ended while nobody watched, and so did sessions of which nobody is.
    for survivor in survivors.values.sorted(by: { $0.record < $1.record }) {
      findings.append(.processEnded(survivor.record, wall(batch.upper)))
    }
    for id in Set(survivors.values.map(\.session.id)).sorted() where sessions[id] == nil {
      findings.append(.sessionEnded(id, wall(batch.upper)))
    }
    survivors = [:]
    for process in observed.sorted(by: { $0.pid < $1.pid }) {
      // What was opened before anybody watched raises nothing when it is used in some ways.
      guard let session = processes[process.pid]?.session, session != Self.canarySession,
        isFirstScan || begun.contains(where: { $0.id == session })
      else { continue }
      look(at: process.pid, in: session, since: batch.lower, &oracle)
    }
  }

  private mutating func adopt(_ process: ObservedProcess) {
    if let known = processes[process.pid], known.died == nil {
      let same = known.isSame(as: process)
      if same || known.key.provenance == .unknown && !known.isUnknown { return }
      died(process.pid, at: process.time)
    }
    var life = Life(key: ProcessKey(pid: process.pid, startedAt: process.startedAt, provenance: .observed))
    life.parent = process.parent
    life.threads = max(1, process.threads)
    life.countedAt = process.time
    life.executable = RawPath(process.executable)
    life.privilege = process.privilege
    life.certainty = .observed
    life.epochStarted = process.startedAt
    let match =
      rules.agent(executable: life.executable)
      ?? (process.script.isEmpty
        ? nil : rules.agent(interpreter: life.executable, opening: RawPath(process.script)))
    life.isInterpreter = rules.isInterpreter(life.executable)
    life.isPlainReader = rules.isPlainReader(life.executable)
    life.isKernel = process.executable.isEmpty && [process.pid, process.parent].contains(Self.kernelParent)
    let former = formerDeputy(process)
    life.deputy = former.joined(with: processes[process.parent]?.deputy)
    if life.deputy != former { unrecordedDeputies[process.pid] = process.time }
    life.agent = match?.agent
    if let survivor = survivors[process.pid],
      process.startedAt.isStart(of: survivor.key)
    {
      survivors[process.pid] = nil
      resume(&life, survivor)
    } else if let parent = processes[process.parent], let session = parent.session {
      life.session = session
      life.isChildOfRoot = parent.isRoot
      life.isAgentOnly = parent.isAgentOnly && match != nil
      life.processClass = parent.processClass
      life.parentRecord = parent.record
      // It may have executed something since; then it holds less than it is said to.
      enterSpace(&life, of: parent.space)
      sessions[session]?.members += 1
    } else if let match {
      processes.begin(life, at: process.time, lower: batch.lower)
      var silent = NoOracle()
      let script = process.script.isEmpty ? process.executable : process.script
      beginSession(
        process.pid, agent: match.agent, version: match.version, executable: ExecCandidate(path: RawPath(script)),
        at: process.time, joinedLate: true, &silent)
      return
    } else if isFirstScan ? process.startedAt > watchedBefore ?? .max : !sessions.isEmpty {
      // Born while lineage was lost or nobody watched, its parent gone or nobody's: it may be any session's.
      life.isUnknown = true
    }
    processes.begin(life, at: process.time, lower: batch.lower)
    if life.session != nil {
      openRecord(process.pid)
      checkPrivilege(process.pid, at: process.time)
    }
    if process.threads < 1 { died(process.pid, at: process.time) }
  }
}

extension Life {
  /// Whether what was found in /proc is this life of the pid.
  func isSame(as process: ObservedProcess) -> Bool {
    let isNear = key.startedAt.apart(from: process.startedAt) < Engine.startTolerance
    return isNear || key.provenance != .unknown && process.startedAt.isStart(of: key)
  }
}

extension UInt64 {
  /// Whether it is the start of that very process, as /proc tells it now: what was slept since is taken off it, and who
  /// has the number later began later.
  func isStart(of key: ProcessKey) -> Bool { self < key.startedAt.later(by: Engine.startTolerance) }
}

/// Answers nothing; for what is asked again later.
private struct NoOracle: Oracle {
  mutating func answer(_ question: Question) -> Answer {
    switch question {
    case .directory: .directory(nil)
    case .facts: .facts(nil)
    case .environment: .environment([])
    case .privilege, .gain: .privilege(.untold)
    case .node: .node(nil)
    case .descriptors, .held: .descriptors(0, [])
    case .listeners, .readers: .listeners(nil)
    case .connected: .connected(0, [])
    }
  }
}
