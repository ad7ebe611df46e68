internal import Decode
internal import Journal
internal import Records
internal import Rules

/// A launcher of a session's has asked a server to start something.
struct LaunchRequest {
  var client: ProcessKey
  var program: RawPath
  var arguments: [[UInt8]]
  var origin: Origin
  /// CLOCK_MONOTONIC when it asked first.
  var since: UInt64
  /// Whom it asked, and whom those may have asked.
  var servers: Set<Int32>

  /// The session that something is done for, which may have ended by then.
  struct Origin: Hashable {
    var session: Int64
    /// As an index into the rules.
    var agent: Int?
    var version: String?
    /// The developer's, whoever's the server is.
    var facts: SessionFacts?
  }
}

extension LaunchRequest: Archived {
  static var blank: LaunchRequest {
    LaunchRequest(client: .blank, program: RawPath([]), arguments: [], origin: .blank, since: 0, servers: [])
  }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&client)
    try archive(&program)
    try archive.list(&arguments, []) { (archive, word) throws(JournalError) in try archive(&word) }
    try archive(&origin)
    try archive(&since)
    try archive.set(&servers, 0) { (archive, pid) throws(JournalError) in try archive(&pid) }
  }
}

extension LaunchRequest.Origin: Archived {
  static var blank: LaunchRequest.Origin { LaunchRequest.Origin(session: 0) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&session)
    try archive.optional(&agent, 0) { (archive, value) throws(JournalError) in try archive(&value) }
    try archive.optional(&version)
    try archive.optional(&facts)
  }
}

// Work that another process does for a session in a tree of its own (`DESIGN.md` §4; HAZARDS B9): where that tree can be
// tied to what the session asked for, it is the session's, and its accesses count. The tie is the command itself, as the
// session gave it to a launcher, executed by a child of whom the launcher asked, while it runs; or the job, a file that
// the session alone wrote, which a shell reads. Whatever cannot be tied stays contacted, or influenced.
extension Engine {
  /// A launcher connected to somebody.
  mutating func noteRequest(_ pid: Int32, to servers: Set<Int32>, at time: UInt64) {
    // The look is later than the request: who was born since is what was asked for, and asks nobody.
    let servers = servers.filter { processes[$0].map { $0.key.startedAt < time } ?? false }
    guard !servers.isEmpty, let life = processes[pid] else { return }
    if let session = life.session, let state = sessions[session], let arguments = audit.launchers[pid],
      rules.launcher(life.executable) != nil
    {
      if let index = audit.requests.firstIndex(where: { $0.client == life.key }) {
        audit.requests[index].servers.formUnion(servers)
      } else if audit.requests.count < 256 {
        audit.requests.append(
          LaunchRequest(
            client: life.key, program: life.executable, arguments: arguments,
            origin: origin(state), since: time, servers: servers))
      }
    }
    // A server that was asked asks others in turn.
    for index in audit.requests.indices where audit.requests[index].servers.contains(pid) {
      audit.requests[index].servers.formUnion(servers)
    }
  }

  private func origin(_ state: SessionState) -> LaunchRequest.Origin {
    LaunchRequest.Origin(
      session: state.session.id, agent: state.agent, version: state.session.version, facts: state.session.facts)
  }

  /// A process outside has executed something: perhaps what a launcher asked for.
  mutating func adoptIfAsked(_ event: AuditEvent, _ pid: Int32, at time: UInt64, _ oracle: inout some Oracle) {
    guard !audit.requests.isEmpty, let life = processes[pid], life.session == nil, let executed = event.arguments()
    else { return }
    var found: [Launcher.Match: Set<LaunchRequest.Origin>] = [:]
    for request in audit.requests where isBorn(life, of: request) {
      guard let match = rules.launcher(request.program)?.match(executed, askedWith: request.arguments),
        covers(request, match, time), !hasRival(request, match)
      else { continue }
      found[match, default: []].insert(request.origin)
    }
    // Of two sessions that may have asked for the same neither is told of.
    guard let origins = found[.arguments] ?? found[.shell], origins.count == 1, let origin = origins.first
    else { return }
    adopt(pid, for: origin, since: time, &oracle)
  }

  /// For how long after its launcher's end a server may still start what it was asked for, in nanoseconds.
  private static let afterglow: UInt64 = 2_000_000_000
  /// The same for a shell, which looks like any other.
  private static let shortGlow: UInt64 = 100_000_000
  /// Stamps are as coarse as the kernel's tick, and told in milliseconds.
  private static let coarseness: UInt64 = 20_000_000

  private func covers(_ request: LaunchRequest, _ match: Launcher.Match, _ time: UInt64) -> Bool {
    guard time.later(by: Self.coarseness) >= request.since else { return false }
    guard let client = processes[request.client.pid], client.key == request.client, let died = client.died else {
      return true
    }
    return died.later(by: match == .shell ? Self.shortGlow : Self.afterglow) >= time
  }

  /// Whether a process was born, by way of others or not, of one that was asked, after it was asked.
  private func isBorn(_ life: Life, of request: LaunchRequest) -> Bool {
    var life = life
    for _ in 0..<32 {
      guard !request.servers.contains(life.key.pid), life.key.startedAt.later(by: Self.coarseness) >= request.since
      else { return false }
      if request.servers.contains(life.parent) { return true }
      guard let parent = processes[life.parent] else { return false }
      life = parent
    }
    return false
  }

  /// Whether anybody else ran the same launcher meanwhile: for a command, one that began then; for a shell, any.
  private func hasRival(_ request: LaunchRequest, _ match: Launcher.Match) -> Bool {
    processes.current.values.contains { life in
      guard life.executable == request.program, life.session != request.origin.session,
        !request.servers.contains(life.key.pid), (life.died ?? .max) >= request.since, !isBorn(life, of: request)
      else { return false }
      return match == .shell || life.epochStarted.later(by: Self.afterglow) >= request.since
    }
  }

  /// Makes a process, and whoever was born of it, a session of its own, which counts for the one that asked for it.
  private mutating func adopt(
    _ pid: Int32, for origin: LaunchRequest.Origin, since time: UInt64, _ oracle: inout some Oracle
  ) {
    beginSession(
      pid, agent: origin.agent, version: origin.version, executable: nil, at: time, joinedLate: false,
      within: origin.session, as: .adopted, facts: origin.facts, &oracle)
    guard let session = processes[pid]?.session else { return }
    let born = descendants(of: [pid], since: time > Self.coarseness ? time - Self.coarseness : 0)
    for child in born.compactMap({ processes[$0] }) { move(child, into: session) }
    // What they did before anybody knew is the session's, too.
    recall(Set(born + [pid]), for: nil, since: time, &oracle)
  }

  /// Forgets requests that nothing can come of any more.
  mutating func sweepRequests() {
    audit.requests.removeAll { request in
      guard let client = processes[request.client.pid], client.key == request.client else { return true }
      return client.died.map { $0.later(by: 2 * Self.afterglow) < batch.upper } ?? false
    }
    audit.launchers = audit.launchers.filter { pid, _ in processes[pid] != nil }
  }

  // MARK: - Jobs

  /// A process of a session wrote a file: perhaps a job.
  mutating func noteJob(_ file: FileIdentity, at places: [RawPath], by owners: [Owner]) {
    guard places.contains(where: { rules.isJob($0) }) else { return }
    guard owners.count == 1, owners[0].attribution < .ambiguous, let state = sessions[owners[0].session] else {
      jobs[file] = nil
      return
    }
    if jobs.count >= 1024 { jobs.removeAll() }
    jobs[file] = origin(state)
  }

  /// Somebody outside touched a file: whoever writes to a job makes it his own, and a shell that reads it works for its
  /// session.
  ///
  /// - Returns: whether it was adopted.
  mutating func followJob(_ record: FanotifyRecord, _ bytes: RawSpan, _ oracle: inout some Oracle) -> Bool {
    let pid = record.pid
    guard !record.mask.isDisjoint(with: [.modify, .access]),
      let file = record.target.flatMap({ identity($0, in: bytes) }),
      let origin = jobs[file], let life = processes[pid], life.session == nil
    else { return false }
    if record.mask.contains(.modify) {
      jobs[file] = nil
      return false
    }
    guard Launcher.isShell(Array(life.executable.lastComponent)) else { return false }
    adopt(pid, for: origin, since: max(life.epochStarted, batch.lower), &oracle)
    return true
  }
}
