internal import Decode
internal import Journal
internal import Records

// Whom a session asked to do something (`DESIGN.md` §4; HAZARDS B9, B9b): what they do from then on, and did since.
extension Engine {
  /// Before accesses: what bystanders do is kept for a while. A session may have begun in the batch before.
  mutating func keepRecent() {
    if audit.isHeard { recent.begin(batch) }
  }

  /// Who asks somebody to do something: a session's process, or one that works for a session and hands on what it was
  /// asked; nil for anybody else.
  func asker(_ pid: Int32) -> Deputy? {
    if let session = session(of: pid) { return Deputy(session: session, channels: .contacted) }
    var deputy: Deputy?
    for life in processes.lives(pid) { deputy = deputy.joined(with: life.deputy) }
    deputy?.channels.insert(.contacted)
    return deputy
  }

  /// Whether somebody asks for what is to be adopted, or hands such a request on.
  func isLauncher(_ pid: Int32) -> Bool {
    audit.launchers[pid] != nil || audit.requests.contains { $0.servers.contains(pid) }
  }

  /// Processes outside were asked to do something; nobody was found where they are gone already.
  ///
  /// - Parameter isThorough: to look for whom they may ask also where they are known to work for the session.
  /// - Returns: everybody who may have been asked, but for those who were born since.
  @discardableResult
  mutating func contact(
    _ pids: [Int32], for deputy: Deputy, since time: UInt64, isThorough: Bool = false, _ source: some BatchSource,
    _ oracle: inout some Oracle
  ) -> Set<Int32> {
    // A stamp is of the kernel's last tick, when the session may not have begun.
    let began = deputy.session.flatMap { sessions[$0] }.map { monotonic($0.session.started) } ?? 0
    let time = max(time, began)
    let oldest = recent.oldest ?? batch.upper
    if oldest > time {
      findings.append(
        .gap(
          Gap(
            time: Interval(from: wall(time), to: wall(oldest)), source: "deputies",
            reason: "what a process had done that a session asked for something was not kept so long", fileSystem: nil))
      )
    }
    if pids.isEmpty {
      audit.unanswered.append(AuditTrail.Unanswered(deputy: deputy, since: time, seen: batch.upper, isAnswered: false))
    }
    // The look is of now, and lineage tells a batch later of who was born meanwhile.
    for pid in pids where processes[pid] == nil {
      audit.strangers.append(AuditTrail.Stranger(pid: pid, deputy: deputy, since: time, seen: batch.upper))
    }
    let pids = pids.filter { processes[$0] != nil }
    guard !pids.isEmpty else { return [] }
    // Who holds a socket for others to start them has nothing to do with it where another holds it, too.
    let servers = pids.filter { !rules.isManager(processes[$0]?.executable ?? RawPath([])) }
    let asked = Set(servers.isEmpty ? pids : servers)
    let isNew = recruit(asked, deputy, since: time, areAsked: true, &oracle)
    // Whom they had been connected with before; to whom they connect later, audit tells.
    guard isNew || isThorough,
      case .connected(let looked, let others) = oracle.answer(
        .connected(from: asked.sorted(), except: leaves, isSession: false))
    else { return asked }
    audit.departures.append(AuditTrail.Departure(deputy: deputy, since: time, looked: looked))
    _ = recruit(Set(others), deputy, since: time, &oracle)
    return asked.union(others.filter { processes[$0]?.session == nil })
  }

  /// Who was asked cannot be told: it may have been any, and have had anybody do it who was born since.
  private mutating func suspectAll(_ deputy: Deputy, since time: UInt64, _ oracle: inout some Oracle) {
    incident("contact-gone", "a session asked a process for something that was gone before it was looked for")
    // What they do in this batch has not been looked at yet.
    audit.gone.append((deputy, time))
    let born = processes.current.values.filter { $0.key.startedAt.later(by: Self.tick) >= time }
    _ = recruit(Set(born.map(\.key.pid)), deputy, since: time, &oracle)
  }

  /// A session begins with what others gave it: an editor that talks to it over a socket, which it never connected to.
  mutating func contactHolders(of pid: Int32, for session: Int64, since time: UInt64, _ oracle: inout some Oracle) {
    guard
      case .connected(let looked, let others) = oracle.answer(
        .connected(from: [pid], except: leaves.filter { $0 != pid }, isSession: true)), !others.isEmpty
    else { return }
    let deputy = Deputy(session: session, channels: .contacted)
    audit.departures.append(AuditTrail.Departure(deputy: deputy, since: time, looked: looked))
    _ = recruit(Set(others), deputy, since: time, &oracle)
  }

  /// Nobody was found where a session connected to: whoever accepted a connection since then was asked. The server may
  /// have been the session's own.
  mutating func settleUnanswered(_ source: some BatchSource, _ oracle: inout some Oracle) {
    let waiting = audit.unanswered
    audit.unanswered.removeAll(keepingCapacity: true)
    for var request in waiting {
      let acceptors = Set(audit.accepts.filter { $0.told >= request.since }.map(\.pid))
      if !acceptors.isEmpty { request.isAnswered = true }
      for pid in acceptors.sorted() where session(of: pid) == nil && !isDeputy(pid, of: request.deputy) {
        incident("contact-gone", "process \(pid) answered a session, and was gone before it was looked for")
        contact([pid], for: request.deputy, since: request.since, source, &oracle)
      }
      if request.seen.later(by: Self.patience) > batch.upper {
        audit.unanswered.append(request)
      } else if !request.isAnswered {
        suspectAll(request.deputy, since: request.since, &oracle)
      }
    }
    audit.accepts.removeAll { $0.told.later(by: 4 * Self.patience) < batch.upper }
    audit.asked = audit.asked.filter { $0.value.later(by: 4 * Self.patience) >= batch.upper }
    audit.others.removeAll { $0.told.later(by: 4 * Self.patience) < batch.upper }
  }

  private func isDeputy(_ pid: Int32, of deputy: Deputy) -> Bool {
    processes[pid].map { $0.deputy.joined(with: deputy) == $0.deputy } ?? false
  }

  /// Who ended before anybody looked with whom a server was connected may have been that.
  mutating func settleDepartures(_ oracle: inout some Oracle) {
    // Lineage has told of every end until then.
    for look in audit.departures where look.looked <= batch.upper {
      let gone = processes.current.values.filter { life in
        life.session == nil && life.died.map { $0.later(by: Self.tick) >= look.since && $0 <= look.looked } ?? false
      }
      _ = recruit(Set(gone.map(\.key.pid)), look.deputy, since: look.since, &oracle)
    }
    audit.departures.removeAll { $0.looked <= batch.upper }
  }

  /// Those who were asked and of whom nothing was known then.
  mutating func settleStrangers(_ source: some BatchSource, _ oracle: inout some Oracle) {
    let strangers = audit.strangers
    audit.strangers.removeAll(keepingCapacity: true)
    for stranger in strangers {
      if processes[stranger.pid] != nil {
        contact([stranger.pid], for: stranger.deputy, since: stranger.since, source, &oracle)
      } else if stranger.seen.later(by: Self.patience) > batch.upper {
        audit.strangers.append(stranger)
      } else {
        // A thread's number, or a birth that nobody told.
        suspectAll(stranger.deputy, since: stranger.since, &oracle)
      }
    }
  }

  /// How much later lineage may tell of a birth than /proc shows it, in nanoseconds.
  private static let patience: UInt64 = 500_000_000

  /// Those through whom nothing is handed on.
  private var leaves: [Int32] {
    processes.current.values.filter {
      $0.session != nil || $0.key.pid == run?.ownPid || rules.isLeafServer($0.executable)
        || rules.isManager($0.executable)
    }.map(\.key.pid).sorted()
  }

  /// Makes deputies of processes outside, and of those who were born of them since: they may have been born for that.
  ///
  /// - Parameter areAsked: whether it is sure that they were asked.
  /// - Returns: whether any of them was none before.
  private mutating func recruit(
    _ pids: Set<Int32>, _ deputy: Deputy, since time: UInt64, areAsked: Bool = false, _ oracle: inout some Oracle
  ) -> Bool {
    var asked = pids.filter { processes[$0]?.session == nil }
    asked.formUnion(descendants(of: asked, since: time))
    asked = asked.filter { processes.makeDeputy($0, deputy) }
    for pid in asked.sorted() {
      unrecordedDeputies[pid] = batch.upper
      audit.asked[pid] = batch.upper
      recall([pid], for: deputy, since: time, &oracle)
      noteHeld(by: pid, for: deputy, since: time, isAsked: areAsked && pids.contains(pid), &oracle)
    }
    // Whom those asked when they were nobody's.
    audit.requeued += audit.others.filter { asked.contains($0.pid) && monotonic($0.event) >= time }.map(\.event)
    return !asked.isEmpty
  }

  /// A process that was asked can answer out of what it has open or mapped, and no event tells. What one had that is gone
  /// before anybody could look may have been any file's content.
  private mutating func noteHeld(
    by pid: Int32, for deputy: Deputy, since time: UInt64, isAsked: Bool, _ oracle: inout some Oracle
  ) {
    guard let life = processes[pid], !life.isKernel,
      case .descriptors(let looked, let files) = oracle.answer(.held(pid: pid))
    else { return }
    let moment = Interval(from: wall(time), to: wall(time))
    if isAsked, looked == 0 || life.died != nil, life.epochStarted < time {
      hold(.blank, at: nil, [], for: deputy, .rawDevice, moment)
    }
    var seen: Set<HeldFile> = []
    for file in files where seen.insert(file).inserted {
      let path = file.path.map { RawPath($0) }
      hold(
        file.identity, at: path, path.map { Array($0.lastComponent) } ?? [], for: deputy,
        file.isRaw ? [.inherited, .rawDevice] : .inherited, moment)
    }
  }

  /// Who was asked closes what it may have had open then, perhaps before anybody looked.
  mutating func noteClose(
    _ identity: FileIdentity, at place: RawPath?, _ name: [UInt8], for deputy: Deputy, _ operations: Operations
  ) {
    guard deputy.channels.contains(.contacted), !operations.isEmpty, operations.isSubset(of: .qualifiers) else {
      return
    }
    hold(identity, at: place, name, for: deputy, operations.union(.inherited), span)
  }

  private mutating func hold(
    _ identity: FileIdentity, at path: RawPath?, _ name: [UInt8], for deputy: Deputy, _ operations: Operations,
    _ time: Interval
  ) {
    touch(identity)
    findings.append(
      .access(
        Access(
          session: deputy.session, process: nil, path: path, name: name.isEmpty ? nil : RawPath(name),
          identity: identity, operations: operations.union(deputy.channels), result: 0, time: time, count: 1,
          attribution: deputy.session == nil ? .unattributed : .observed)))
  }

  /// Who was born of processes since a moment, by way of others or not, and is in no session; parents before children.
  func descendants(of pids: Set<Int32>, since time: UInt64) -> [Int32] {
    guard !pids.isEmpty else { return [] }
    var family = pids
    return processes.births(since: time).compactMap { birth in
      guard family.contains(birth.parent), processes[birth.child]?.session == nil, family.insert(birth.child).inserted
      else { return nil }
      return birth.child
    }
  }

  /// After accesses: what any of those may have done who were gone before they were looked for.
  mutating func recallGone(_ oracle: inout some Oracle) {
    for (deputy, time) in audit.gone { recall(nil, for: deputy, since: time, &oracle) }
    audit.gone.removeAll(keepingCapacity: true)
  }

  /// Keeps what bystanders did since, though it was nobody's when it was read.
  ///
  /// - Parameters:
  ///   - pids: whose; nil for everybody's, where nobody can be named.
  ///   - deputy: as what they did it; nil for what they are now.
  mutating func recall(_ pids: Set<Int32>?, for deputy: Deputy?, since time: UInt64, _ oracle: inout some Oracle) {
    let now = batch
    defer { batch = now }
    for (end, bytes) in recent.events(since: time) {
      batch = end
      unsafe recall(pids, for: deputy, bytes.span.bytes, &oracle)
    }
  }

  private mutating func recall(
    _ pids: Set<Int32>?, for deputy: Deputy?, _ bytes: RawSpan, _ oracle: inout some Oracle
  ) {
    var offset = 0
    while let record = try? FanotifyRecord.next(in: bytes, at: &offset) {
      guard pids?.contains(record.pid) ?? true, let file = record.target.flatMap({ identity($0, in: bytes) }) else {
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
