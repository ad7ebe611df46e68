internal import Journal
internal import Records

// A process with root's rights can blind the sensor: take away marks, ignore single files, hide from perf. So a session
// that has one is told at once, and nothing is vouched for from there on (`DESIGN.md` §4).
//
// The connector tells each change of user ids, by the host's own numbers, so that who is root in a user namespace of
// their own is not root here. Everybody's are followed, because a session's process begins as somebody else's. For who
// was there before, and where the connector lost something, /proc is looked at.
//
// Capabilities that are as good change no user id. A process gets them from its program's file, which is looked at after
// each exec in a session; audit, where it is asked, tells what the process really got. capset(2) gives nothing that the
// process could not have taken before: what it tells counts where a look at /proc confirms it.
//
// Any user can switch the connector off for a while (`DESIGN.md` §2). But rights are gained by executing something, and
// perf tells that too: an exec of which the connector did not tell is one whose rights are not known.
extension Engine {
  /// The connector told of a change of user ids.
  mutating func credentials(of pid: Int32, areRoots: Bool, at time: UInt64) {
    _ = processes.update(pid) { $0.privilege = areRoots ? .root : .none }
    if areRoots { checkPrivilege(pid, at: time) }
  }

  /// The first process of a session: what was told of it before, and what /proc says now.
  mutating func askPrivilege(_ pid: Int32, at time: UInt64, _ oracle: inout some Oracle) {
    if case .privilege(let found) = oracle.answer(.privilege(pid: pid)), found != .untold {
      // It may have been root, and have given that up since.
      _ = processes.update(pid) { if $0.privilege != .root { $0.privilege = found } }
    }
    checkPrivilege(pid, at: time)
    if run?.hasConnector == false, let session = processes[pid]?.session {
      gain(session, at: time, "without the process connector nobody tells who gains root's rights")
    }
  }

  /// A process that belongs to a session now, or has other rights.
  mutating func checkPrivilege(_ pid: Int32, at time: UInt64) {
    guard let life = processes[pid], let session = life.session, session != Self.canarySession else { return }
    switch life.privilege {
    case .none: return
    case .root: gain(session, at: time, "process \(pid) has root's rights")
    case .untold: gain(session, at: time, "the rights of process \(pid) are not known")
    }
  }

  /// A process of a session has executed a program: its file may give what counts as root's rights.
  mutating func checkProgram(_ pid: Int32, _ program: RawPath, at time: UInt64, _ oracle: inout some Oracle) {
    guard let session = processes[pid]?.session, session != Self.canarySession, sessions[session]?.privilege == nil,
      case .privilege(let found) = oracle.answer(.gain(pid: pid, program: program.bytes)), found != .none
    else { return }
    gain(session, at: time, "process \(pid) was given capabilities by the file of its program\(Self.doubt(found))")
  }

  /// Audit tells of capabilities of a process of a session.
  mutating func noteCapabilities(_ told: AuditTold, of session: Int64, at time: UInt64, _ oracle: inout some Oracle) {
    guard sessions[session]?.privilege == nil else { return }
    if told.gained.countAsRoot {
      guard case .privilege(let found) = oracle.answer(.gain(pid: told.pid, program: nil)), found != .none else {
        return
      }
      gain(session, at: time, "audit: process \(told.pid) was given capabilities by an execution\(Self.doubt(found))")
    } else if told.capabilities.countAsRoot, oracle.answer(.privilege(pid: told.pid)) == .privilege(.root) {
      gain(session, at: time, "audit: process \(told.pid) has capabilities")
    }
  }

  private static func doubt(_ found: Privilege) -> String {
    found == .untold ? ", of the host or of a namespace that nobody could look at any more" : ""
  }

  /// The session, and those around it, count as root's from now on.
  private mutating func gain(_ id: Int64, at time: UInt64, _ reason: String) {
    var next: Int64? = id
    while let each = next, let state = sessions[each] {
      if state.privilege == nil {
        let since = wall(time)
        sessions[each]?.privilege = SessionState.Gain(since: since, reason: reason)
        findings.append(.privileged(session: each, since, reason))
      }
      next = state.session.relation == .nested ? state.session.parent : nil
    }
  }

  /// CLOCK_MONOTONIC of the first exec in a session that the connector may still tell of.
  var unconfirmedSince: UInt64? {
    unconfirmed.filter { pid, _ in
      processes[pid]?.session.map { $0 != Self.canarySession && sessions[$0]?.privilege == nil } ?? false
    }.values.min()
  }

  /// perf told of an exec; the connector does so at its end, which a slow disk may delay.
  mutating func awaitConfirmation(_ pid: Int32, of time: UInt64) {
    // Whoever executes the next thing has come to the end of the one before.
    if let before = unconfirmed[pid] { giveUpConfirmation(pid, of: before) }
    unconfirmed[pid] = time
  }

  private mutating func giveUpConfirmation(_ pid: Int32, of time: UInt64) {
    unconfirmed[pid] = nil
    guard let life = processes[pid] else { return }
    _ = processes.update(pid) { $0.privilege = .untold }
    if let session = life.session, session != Self.canarySession {
      gain(session, at: time, "the process connector did not tell of an execution by process \(pid)")
    }
  }

  /// How long an exec may take, in nanoseconds, before the connector is said to be silent.
  private static let longestExec: UInt64 = 2_000_000_000

  /// After the lineage of a batch: what /proc showed, and what the connector should have told and did not.
  mutating func settlePrivileges() {
    for process in observed.sorted(by: { $0.pid < $1.pid }) {
      guard let life = processes[process.pid], life.died == nil, life.isSame(as: process) else { continue }
      if process.privilege == .root || life.privilege == .untold, process.privilege != life.privilege {
        _ = processes.update(process.pid) { $0.privilege = process.privilege }
        checkPrivilege(process.pid, at: process.time)
      }
    }
    for (pid, time) in unconfirmed.sorted(by: { $0.key < $1.key }) where time < batch.lower {
      if processes[pid]?.died != nil || time.later(by: Self.longestExec) < batch.lower {
        giveUpConfirmation(pid, of: time)
      }
    }
    if let since = unheardSince { doubtSessions(since) }
    unheardSince = nil
  }

  /// The connector lost something: whichever session was at work meanwhile may have gained root's rights.
  private mutating func doubtSessions(_ since: UInt64) {
    // Those that ended are forgotten after a while.
    let isLongAgo = since.later(by: 5_000_000_000) < batch.upper
    var busy: Set<Int64> = []
    for life in processes.current.values {
      if let session = life.session, isLongAgo || life.epochStarted >= since { busy.insert(session) }
    }
    for session in busy.sorted() where session != Self.canarySession {
      gain(session, at: since, "the process connector lost messages while the session was at work")
    }
  }
}
