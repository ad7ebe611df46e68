internal import Journal
internal import Records

// An exec is told by perf, what was executed by fanotify, which is read earlier: so the opening of the last execs of a
// batch is often still in the queue. Until it is read, they and whoever is born of them may be anybody's.
extension Engine {
  /// Execs whose opening had not been read when they committed.
  mutating func decideWaiting(_ source: some BatchSource, _ oracle: inout some Oracle) {
    for pid in undecided.keys.sorted() {
      let main = undecided[pid] ?? nil
      guard let life = processes[pid], let since = life.undecidedSince else {
        undecided[pid] = nil
        settleBorn(of: pid, isDecided: false)
        continue
      }
      let choice = explanation(of: pid, main, at: since)
      guard isSure(choice, main) || isConclusive(since) else { continue }
      undecided[pid] = nil
      for index in (execs[pid] ?? []).indices where execs[pid]?[index].usedIn == nil {
        execs[pid]?[index].usedIn = batchNumber
      }
      _ = processes.update(pid) { $0.undecidedSince = nil }
      decide(pid, choice, main, at: since, &oracle)
      settleBorn(of: pid, isDecided: true)
    }
  }

  /// It is known what a process executed, or never will be: so it is of those who were born of it meanwhile.
  mutating func settleBorn(of pid: Int32, isDecided: Bool) {
    guard let born = undecidedBirths.removeValue(forKey: pid) else { return }
    // In the order of their births: a parent comes before its child.
    for child in born.compactMap({ processes[$0] }) where child.undecidedAncestor == pid {
      _ = processes.update(child.key.pid) { life in
        life.undecidedAncestor = nil
        if !isDecided { life.isUnknown = true }
      }
      if isDecided, child.session == nil, let session = processes[pid]?.session { move(child, into: session) }
    }
  }

  /// A process is born while nobody knows yet what its parent, or one further up, executed.
  mutating func noteBirth(_ child: Int32, of ancestor: Int32?) {
    if let ancestor { undecidedBirths[ancestor, default: []].append(child) }
  }

  /// Finds them again after their lives were read from a snapshot.
  mutating func restoreBirths() {
    let born = processes.current.values.filter { $0.undecidedAncestor != nil }.sorted {
      ($0.key.startedAt, $0.key.pid) < ($1.key.startedAt, $1.key.pid)
    }
    for child in born { noteBirth(child.key.pid, of: child.undecidedAncestor) }
  }

  /// Makes a process, which was born of one in a session and is in none, one of that session's.
  mutating func move(_ child: Life, into session: Int64) {
    let pid = child.key.pid
    let parent = processes[child.parent]
    let hasExecuted = child.epochStarted > child.key.startedAt
    _ = processes.update(pid) { life in
      life.session = session
      life.certainty = parent?.certainty ?? .observed
      life.isChildOfRoot = parent?.isRoot ?? false
      life.isAgentOnly = !hasExecuted && parent?.isAgentOnly ?? false
      life.parentRecord = parent?.record
      life.record = nil
    }
    if child.died == nil {
      enrol(pid, in: session)
      if !hasExecuted, var life = processes[pid] {
        enterSpace(&life, of: parent?.space)
        _ = processes.update(pid) { $0.space = life.space }
      }
    }
    if let record = openRecord(pid) { expectCommand(pid, record, at: child.epochStarted) }
    checkPrivilege(pid, at: child.key.startedAt)
  }
}
