internal import Records
internal import Rules

/// A session that has not ended.
struct SessionState {
  var session: Session
  /// The agent, as an index into the rules; nil for an executable nobody could explain.
  var agent: Int?
  /// Processes that belong to it and not to a session within it.
  var members = 1
  /// CLOCK_MONOTONIC when a process of it last exited.
  var lastLeft: UInt64 = 0
  /// Sessions within it that have not ended.
  var inner = 0
  var conversation: String?
  /// Since when a process of it had, or may have had, root's rights, and why that is said.
  var privilege: Gain?

  struct Gain {
    var since: Timestamp
    var reason: String
  }
}

extension Engine {
  /// Begins a session with `pid` as its root. `agent` is nil for an executable nobody could explain.
  mutating func beginSession(
    _ pid: Int32, agent: Int?, version: String?, executable: ExecCandidate?, at time: UInt64, joinedLate: Bool,
    within parent: Int64? = nil, as relation: Session.Relation? = nil, facts known: SessionFacts? = nil,
    _ oracle: inout some Oracle
  ) {
    guard let life = processes[pid], let run else { return }
    var facts = known
    if facts == nil, case .facts(let found) = oracle.answer(.facts(pid: pid)) { facts = found }
    let started = joinedLate ? wall(max(life.key.startedAt, 1)) : wall(time)
    let session = Session(
      id: nextSession, key: Session.key(started: started, pid: pid),
      agent: agent.map { rules.agents[$0].name } ?? Session.unknownExecutable, started: started, root: life.key,
      bootID: String(decoding: run.bootID, as: UTF8.self), host: String(decoding: run.host, as: UTF8.self),
      executable: executable?.path ?? life.executable, executableIdentity: executable?.identity,
      version: version, joinedLate: joinedLate, parent: parent, relation: relation, facts: facts)
    nextSession += 1
    sessions[session.id] = SessionState(session: session, agent: agent)
    if let died = life.died { leave(session.id, at: died) }
    if let parent, relation == .nested { sessions[parent]?.inner += 1 }
    findings.append(.session(session))
    begun.append(session)
    executed.append(pid)
    if joinedLate {
      findings.append(
        .gap(
          Gap(
            time: Interval(from: started, to: wall(time)), source: "service",
            reason: "session \(session.key) joined late", fileSystem: nil)))
    }
    _ = processes.update(pid) { life in
      // Of one that is adopted it is known that it did nothing else before.
      let isDirect = life.session == nil && (joinedLate || relation == .adopted)
      if isDirect { life.session = session.id } else { life.join(session.id, at: time) }
      // How its ancestors outside became known does not matter.
      life.certainty = life.key.provenance == .witnessed ? .witnessed : .observed
      life.isRoot = relation != .adopted
      life.isAgentOnly = life.isRoot
      life.isChildOfRoot = false
      life.processClass = life.isRoot ? .inProcess : .unknown
      life.record = nil
    }
    if let former = life.session, life.died == nil { leave(former, at: time) }
    let record = openRecord(pid)
    if let record, !joinedLate { expectCommand(pid, record, at: time) }
    noteLogin(session, record)
    askPrivilege(pid, at: joinedLate ? monotonic(started) : time, &oracle)
    if !joinedLate { checkProgram(pid, life.executable, at: time, &oracle) }
    look(at: pid, in: session.id, since: time, &oracle)
  }

  /// Continues a session that an earlier run of the service knew.
  mutating func resume(_ life: inout Life, _ survivor: Survivor) {
    let id = survivor.session.id
    if sessions[id] == nil {
      let agent = rules.agents.firstIndex { $0.name == survivor.session.agent }
      sessions[id] = SessionState(session: survivor.session, agent: agent, members: 0)
    }
    sessions[id]?.members += 1
    life.session = id
    life.record = survivor.record
    enterSpace(&life, of: survivor.space)
    life.isRoot = survivor.session.root.pid == life.key.pid && survivor.session.relation != .adopted
    life.isAgentOnly = life.isRoot
    if life.isRoot { life.processClass = .inProcess }
  }

  /// One process more, which has no record yet.
  mutating func enrol(_ pid: Int32, in id: Int64) {
    sessions[id]?.members += 1
    if id != Self.canarySession, let life = processes[pid] { unrecorded[pid] = life.key.startedAt }
  }

  /// One process fewer; the session ends with its last.
  mutating func leave(_ id: Int64, at time: UInt64) {
    guard var state = sessions[id] else { return }
    state.members -= 1
    state.lastLeft = max(state.lastLeft, time)
    sessions[id] = state
  }

  /// Ends the sessions of which nothing lives, once no event still to come can be theirs.
  mutating func endSessions(nextLower lower: UInt64) {
    // Innermost first: numbers grow inwards.
    for id in sessions.filter({ $0.value.members <= 0 }).keys.sorted(by: >) {
      guard let current = sessions[id], current.inner <= 0, current.lastLeft < lower else { continue }
      writeEpisodes(all: false, of: id)
      sessions[id] = nil
      leftOpen = leftOpen.filter { $0.session != id }
      findings.append(.sessionEnded(id, wall(current.lastLeft)))
      guard current.session.relation == .nested, let parent = current.session.parent,
        var outer = sessions[parent]
      else { continue }
      outer.inner -= 1
      outer.lastLeft = max(outer.lastLeft, current.lastLeft)
      sessions[parent] = outer
    }
  }

  /// A process that runs an agent's program wrote one of the agent's own files: the only thing that makes a
  /// session within a session, and what labels one (`DESIGN.md` §4).
  mutating func noteSessionFile(_ path: RawPath, by pid: Int32, _ oracle: inout some Oracle) {
    guard let life = processes[pid], let agent = life.agent, let outer = life.session,
      let mark = rules.sessionFile(agent: agent, path: path, pid: pid)
    else { return }
    if !life.isRoot {
      beginSession(
        pid, agent: agent, version: rules.agent(executable: life.executable)?.version,
        executable: ExecCandidate(path: life.executable), at: batch.lower, joinedLate: false, within: outer,
        as: life.isAgentOnly ? .hosted : .nested, &oracle)
      moveNewborn(of: pid, from: outer)
    }
    guard case .conversation(let id) = mark, let session = processes[pid]?.session,
      sessions[session]?.conversation != id
    else { return }
    sessions[session]?.conversation = id
    findings.append(.conversation(ConversationLabel(session: session, conversation: id, from: wall(batch.lower))))
  }

  /// Children born within this batch may have been born after the session began: they belong to both.
  mutating func moveNewborn(of pid: Int32, from outer: Int64?) {
    guard let parent = processes[pid], let inner = parent.session else { return }
    let children = processes.current.values.filter {
      $0.parent == pid && $0.key.startedAt >= batch.lower && $0.session == outer
    }.sorted { $0.key.pid < $1.key.pid }
    for child in children {
      _ = processes.update(child.key.pid) { life in
        life.join(inner, at: batch.upper)
        life.isChildOfRoot = parent.isRoot
        life.parentRecord = parent.record
        life.record = nil
      }
      if child.died == nil {
        enrol(child.key.pid, in: inner)
        if let outer { leave(outer, at: batch.lower) }
      }
      checkPrivilege(child.key.pid, at: batch.lower)
      moveNewborn(of: child.key.pid, from: outer)
    }
  }

  /// Says what a process is for its session, after an exec.
  mutating func classify(_ pid: Int32, _ oracle: inout some Oracle) {
    guard let life = processes[pid], let session = life.session else { return }
    let found: ProcessClass
    if life.isRoot {
      found = .inProcess
    } else if life.agent != nil {
      found = .helper
    } else if life.isChildOfRoot, let agent = sessions[session]?.agent {
      var environment: [[UInt8]] = []
      if case .environment(let variables) = oracle.answer(.environment(pid: pid)) { environment = variables }
      found = rules.processClass(agent: agent, program: life.executable, environment: environment)
    } else {
      return
    }
    _ = processes.update(pid) { $0.processClass = found }
  }

  /// Gives a process of a session a record for the program it runs.
  @discardableResult
  mutating func openRecord(_ pid: Int32) -> Int64? {
    guard let life = processes[pid], let session = life.session, session != Self.canarySession else { return nil }
    if let record = life.record { return record }
    let number = nextProcess
    nextProcess += 1
    _ = processes.update(pid) { $0.record = number }
    guard let record = processes[pid].flatMap(record) else { return nil }
    findings.append(.process(record))
    if let died = life.died { findings.append(.processEnded(number, wall(died))) }
    if life.space == nil, life.died == nil { spaces[record.space] = 1 }
    _ = processes.update(pid) { if life.died == nil { $0.space = record.space } }
    return number
  }

  /// Gives a record to those who live a while, even if they do nothing: it is by their records that another run of the
  /// service knows them again.
  mutating func recordSurvivors() {
    guard !unrecorded.isEmpty else { return }
    for (pid, born) in unrecorded.sorted(by: { $0.key < $1.key })
    where batch.upper > born.later(by: Self.survivalTime) {
      unrecorded[pid] = nil
      if let life = processes[pid], life.died == nil { openRecord(pid) }
    }
  }

  /// How long a process lives before it has a record for that alone, in nanoseconds.
  static let survivalTime: UInt64 = 200_000_000

  /// The record of the program a process runs, where it has one.
  func record(_ life: Life) -> ProcessRecord? {
    guard let session = life.session, let record = life.record else { return nil }
    return ProcessRecord(
      id: record, session: session, key: life.key, parent: life.parentRecord, executable: life.executable,
      processClass: life.processClass, started: wall(life.epochStarted), space: life.space)
  }
}
