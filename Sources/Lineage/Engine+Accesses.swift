internal import Decode
internal import Journal
internal import Records

/// What makes two events parts of one episode: the process, the file, and the name used.
struct EpisodeKey: Hashable {
  var pid: Int32
  var startedAt: UInt64
  var session: Int64?
  var identity: FileIdentity
  var path: RawPath?
  /// Bits of `Operations.deputies`: a deputy's doing is never its session's.
  var channels: Operations = []

  /// An order of keys that the times do not tell apart.
  func precedes(_ other: EpisodeKey) -> Bool {
    if channels != other.channels { return channels.rawValue < other.channels.rawValue }
    if identity != other.identity { return identity.description < other.identity.description }
    return (path?.bytes ?? []).lexicographicallyPrecedes(other.path?.bytes ?? [])
  }
}

/// An access record in the making.
struct Episode {
  var access: Access
  /// CLOCK_MONOTONIC: its first event is not older.
  var since: UInt64
  var began: UInt64
  var last: UInt64
  var isOver = false
}

/// A session an event may belong to.
struct Owner {
  var session: Int64
  var record: Int64?
  var attribution: Attribution
}

/// Whose an event may be.
struct Claim {
  var owners: [Owner] = []
  /// Whether nobody can be named for it.
  var isUnattributed = false
  /// What makes a process outside, whose it may be, work for a session.
  var deputy: Deputy?

  /// Whether it is nobody's whose accesses are kept.
  var isNobodys: Bool { owners.isEmpty && !isUnattributed && deputy == nil }
}

// Third pass: the accesses.
extension Engine {
  mutating func attribute(_ bytes: RawSpan, _ oracle: inout some Oracle) {
    var offset = 0
    var start = 0
    // A malformed event was reported by the first pass; what precedes it counts.
    while let record = try? FanotifyRecord.next(in: bytes, at: &offset) {
      defer { start = offset }
      if record.mask.contains(.overflow) || record.pid == run?.ownPid { continue }
      var isOutside = true
      if processes.standing(record.pid) == .bystander {
        bystander(record, bytes, &oracle)
      } else {
        isOutside = attribute(record, bytes, &oracle)
      }
      if isOutside, audit.isHeard, !record.mask.isDisjoint(with: Self.memorable),
        !record.mask.contains(.onDirectory)
      {
        recent.append(bytes.extracting(start..<offset))
      }
    }
  }

  /// What may turn out to be a deputy's, or a session's.
  private static let memorable: FanotifyMask = [
    .open, .access, .modify, .create, .delete, .rename, .openExec, .closeWrite, .closeNoWrite,
  ]

  /// Nobody's access is kept; only what shows that the rules have rotted.
  private mutating func bystander(_ record: FanotifyRecord, _ bytes: RawSpan, _ oracle: inout some Oracle) {
    let mask = record.mask
    if mask.contains(.onDirectory) { return }
    if !mask.isDisjoint(with: [.modify, .create]), let directory = record.directory, !record.name.isEmpty,
      rules.mayBeSessionFile(name: Span(_bytes: bytes.extracting(record.name)), pid: record.pid)
    {
      reportStranger(record, directory, bytes, &oracle)
    }
  }

  /// Whether it is of no session, as far as is known.
  private mutating func attribute(
    _ record: FanotifyRecord, _ bytes: RawSpan, _ oracle: inout some Oracle
  ) -> Bool {
    let mask = record.mask
    if isCanary(record.pid, on: (record.target ?? record.directory)?.fileSystem) { return false }
    // Listing and naming directories is metadata (HAZARDS A18); their names were learned before.
    if mask.contains(.onDirectory) { return false }
    if mask.contains(.open), mask.isDisjoint(with: [.modify, .create]) { interpret(record, bytes, &oracle) }
    let claim = claim(of: record.pid)
    if claim.owners.isEmpty, !claim.isUnattributed { bystander(record, bytes, &oracle) }
    if claim.isNobodys { return true }
    guard let target = record.target.flatMap({ identity($0, in: bytes) }) else {
      // Of which file cannot be told, so it may be any.
      findings.append(
        .gap(Gap(time: span, source: "fanotify", reason: "an event of a session names no file", fileSystem: nil)))
      return false
    }
    let name = bytes.copy(record.name)
    let directory = record.directory.flatMap { reference($0, in: bytes) }
    if record.directory == nil, mask.contains(.attribute), mask.isDisjoint(with: [.open, .modify, .access]) {
      // A link count changed, which the event that changed it tells better; but for a file that a rename
      // replaced this is the only event.
      overwrite(ProcessFile(pid: record.pid, identity: target), &oracle)
      return false
    }
    let places = directory.map { paths(of: name, in: $0, &oracle) } ?? []
    noteOpening(mask, of: target, at: places, by: record.pid)
    if !mask.isDisjoint(with: [.modify, .create]) {
      for place in places { noteSessionFile(place, by: record.pid, &oracle) }
    }
    var operations = Operations(mask, isLink: isLink(record, target))
    if isRawDevice(target, at: places.first, &oracle) { operations.insert(.rawDevice) }
    if mask.contains(.rename) {
      operations.insert(.renameFrom)
      if let to = record.newDirectory.flatMap({ reference($0, in: bytes) }) {
        let newName = bytes.copy(record.newName)
        enter(
          record.pid, target, places: paths(of: newName, in: to, &oracle), name: newName, operations: [.renameTo])
      }
    }
    if !mask.isDisjoint(with: [.create, .modify]) { noteJob(target, at: places, by: claim.owners) }
    enter(record.pid, target, places: places, name: name, operations: operations)
    return claim.owners.isEmpty && !claim.isUnattributed
  }

  /// A rename of the same process took this file's name away: to which name it had, the rename's target tells.
  private mutating func overwrite(_ file: ProcessFile, _ oracle: inout some Oracle) {
    guard !nameEvents.isNamed(file), let replaced = replacedFiles.first(where: { $0.file == file }) else { return }
    let places = replaced.targets.flatMap { paths(of: $0.name, in: $0.directory, &oracle) }
    enter(file.pid, file.identity, places: places, name: replaced.targets[0].name, operations: [.delete])
  }

  private func isLink(_ record: FanotifyRecord, _ target: FileIdentity) -> Bool {
    record.mask.contains(.create) && !record.mask.contains(.open)
      && nameEvents.hasCount(ProcessFile(pid: record.pid, identity: target))
  }

  mutating func attribute(_ event: DescriptorEvent) {
    guard event.pid != run?.ownPid, processes.standing(event.pid) != .bystander, !isCanary(event.pid, on: nil) else {
      return
    }
    let mask = FanotifyMask(rawValue: event.mask)
    let identity = FileIdentity(
      fileSystem: fileSystems.fileSystem(device: event.device) ?? 0, inode: event.inode, generation: 0)
    let path = RawPath(event.path)
    enter(
      event.pid, identity, places: event.path.isEmpty ? [] : [path], name: Array(path.lastComponent),
      operations: Operations(mask, isLink: false))
  }

  // MARK: - Who

  /// The sessions that an event of `pid` within the batch may belong to, and whether it may be somebody else's.
  private mutating func claim(of pid: Int32) -> Claim {
    if processes[pid]?.session != nil { openRecord(pid) }
    let lives = processes.lives(pid)
    var claim = Claim()
    guard !lives.isEmpty else {
      claim.isUnattributed = true
      return claim
    }
    var owners: [Owner] = []
    var outside = false
    var unknown = false
    func add(_ session: Int64?, _ life: Life, current: Bool) {
      guard let session else {
        if life.mayBeAnybodys { unknown = true } else { outside = true }
        return
      }
      guard session != Self.canarySession, !owners.contains(where: { $0.session == session }) else { return }
      owners.append(
        Owner(session: session, record: current ? life.record : nil, attribution: life.certainty))
    }
    for life in lives {
      add(life.session, life, current: true)
      claim.deputy = claim.deputy.joined(with: deputy(of: life))
      for former in life.formerSessions where former.until >= batch.lower {
        add(former.session, life, current: false)
      }
    }
    if owners.count > 1 || outside || unknown {
      for index in owners.indices { owners[index].attribution = .ambiguous }
    }
    claim.owners = owners
    claim.isUnattributed = unknown && owners.isEmpty
    return claim
  }

  // MARK: - Episodes

  /// - Parameter known: for a deputy of whom that was not known when the event was read.
  mutating func enter(
    _ pid: Int32, _ identity: FileIdentity, for known: Deputy? = nil, places: [RawPath], name: [UInt8],
    operations: Operations, time: UInt64? = nil
  ) {
    let claim = known.map { Claim(deputy: $0) } ?? claim(of: pid)
    if claim.isNobodys { return }
    touch(identity)
    // Where two lives of the pid overlap the batch, the earlier one bounds the time.
    let key = processes.lives(pid).first?.key ?? ProcessKey(pid: pid, startedAt: 0, provenance: .unknown)
    // Several paths within one batch: it counts under each.
    for place in places.isEmpty ? [nil] : places.map(Optional.some) {
      for owner in claim.owners {
        note(
          EpisodeKey(
            pid: pid, startedAt: key.startedAt, session: owner.session, identity: identity, path: place),
          name, operations, owner.record, places.count > 1 ? .ambiguous : owner.attribution, time)
      }
      if claim.isUnattributed {
        note(
          EpisodeKey(pid: pid, startedAt: key.startedAt, session: nil, identity: identity, path: place), name,
          operations, nil, .unattributed, time)
      }
      if let deputy = claim.deputy {
        if known != nil || audit.asked[pid] != nil {
          noteClose(identity, at: place, name, for: deputy, operations)
        }
        // Whose process it is does not matter, and is not told: all of one session's deputies are one.
        note(
          EpisodeKey(
            pid: 0, startedAt: 0, session: deputy.session, identity: identity, path: place, channels: deputy.channels),
          name, operations, nil, deputy.session == nil ? .unattributed : .observed, time)
      }
    }
  }

  private mutating func note(
    _ key: EpisodeKey, _ name: [UInt8], _ operations: Operations, _ record: Int64?, _ attribution: Attribution,
    _ time: UInt64?
  ) {
    // Within the batch, but not before the process was.
    let since = time ?? min(max(batch.lower, key.startedAt), batch.upper)
    let time = time.map { Interval(from: wall($0), to: wall($0)) } ?? Interval(from: wall(since), to: span.to)
    let isClose = operations.isSubset(of: Operations.qualifiers.union(.rawDevice))
    if let other = episodes[key], operations.contains(.mapped), let record, other.access.process != record {
      // Another program of the same process: what it maps is held for another time.
      write(key, other)
    }
    guard var episode = episodes[key] else {
      // A CLOSE alone is no access (HAZARDS A19).
      if isClose {
        if !operations.isEmpty { noteClose(key, name, operations, record) }
        return
      }
      let access = Access(
        session: key.session, process: record, path: key.path, name: name.isEmpty ? nil : RawPath(name),
        identity: key.identity, operations: operations.union(key.channels), result: 0, time: time, count: 1,
        attribution: attribution)
      if let path = key.path { openPaths[ProcessFile(pid: key.pid, identity: key.identity)] = path }
      episodes[key] = Episode(
        access: access, since: since, began: batch.upper, last: batch.upper,
        isOver: !operations.isDisjoint(with: Operations.qualifiers))
      return
    }
    if isClose, !operations.isEmpty, !episode.access.operations.contains(.open) {
      noteClose(key, name, operations, record)
    }
    episode.access.operations.formUnion(operations)
    episode.access.attribution = max(episode.access.attribution, attribution)
    if !isClose {
      episode.access.time.from = min(episode.access.time.from, time.from)
      episode.access.time.to = max(episode.access.time.to, time.to)
      episode.access.count += 1
      episode.since = min(episode.since, since)
    }
    episode.last = batch.upper
    episode.isOver = !operations.isDisjoint(with: Operations.qualifiers)
    episodes[key] = episode
  }

  /// Writes the episodes that are over, that have gone on long enough, or all.
  mutating func writeEpisodes(all: Bool, of session: Int64? = nil) {
    guard !episodes.isEmpty else { return }
    var written: [(EpisodeKey, Episode)] = []
    for (key, episode) in episodes {
      if let session {
        if key.session == session { written.append((key, episode)) }
      } else if all || episode.isOver || batch.upper > episode.last.later(by: Self.episodeIdle)
        || batch.upper > episode.began.later(by: Self.episodeAge)
      {
        written.append((key, episode))
      }
    }
    // A dictionary's order is arbitrary; the same journal must give the same records.
    written.sort { left, right in
      let order = (left.1.access.time.from, left.0.pid, left.0.identity.inode, left.0.session ?? 0)
      let other = (right.1.access.time.from, right.0.pid, right.0.identity.inode, right.0.session ?? 0)
      return order == other ? left.0.precedes(right.0) : order < other
    }
    for (key, episode) in written { write(key, episode) }
  }

  private mutating func write(_ key: EpisodeKey, _ episode: Episode) {
    episodes[key] = nil
    openPaths[ProcessFile(pid: key.pid, identity: key.identity)] = nil
    if isToldAlready(key, episode.access.operations) { return }
    findings.append(.access(episode.access))
    noteLeftOpen(episode.access)
  }

  /// What a deputy mapped is held from then on, as far as anybody knows: what is like it has been said with that.
  private mutating func isToldAlready(_ key: EpisodeKey, _ operations: Operations) -> Bool {
    guard !key.channels.isEmpty else { return false }
    if let told = mappedByDeputies[key], operations.isSubset(of: told.union(Operations.qualifiers).union(.open)) {
      return true
    }
    guard operations.contains(.mapped) else { return false }
    // Forgotten, it is told once more.
    if mappedByDeputies.count >= Self.mostMappedByDeputies { mappedByDeputies.removeAll() }
    mappedByDeputies[key] = operations
    return false
  }

  // MARK: - Strangers

  /// A process outside every session writes an agent's own files: an agent that the rules do not know.
  private mutating func reportStranger(
    _ record: FanotifyRecord, _ directory: HandleView, _ bytes: RawSpan, _ oracle: inout some Oracle
  ) {
    guard let reference = reference(directory, in: bytes) else { return }
    for path in paths(of: bytes.copy(record.name), in: reference, &oracle) {
      for agent in rules.agents.indices where rules.sessionFile(agent: agent, path: path, pid: record.pid) != nil {
        incident(
          "agent-outside-sessions",
          "process \(record.pid), outside every session, wrote \(path), a file of \(rules.agents[agent].name): "
            + "its rules miss an executable")
      }
    }
  }

  // MARK: - Interpreters

  /// `node cli.js` and `ld.so ./agent`: the program is the file that the interpreter opens.
  private mutating func interpret(_ record: FanotifyRecord, _ bytes: RawSpan, _ oracle: inout some Oracle) {
    guard let life = processes[record.pid], life.isInterpreter, life.agent == nil,
      let directory = record.directory.flatMap({ reference($0, in: bytes) })
    else { return }
    for path in paths(of: bytes.copy(record.name), in: directory, &oracle) {
      guard let match = rules.agent(interpreter: life.executable, opening: path) else { continue }
      _ = processes.update(record.pid) { $0.agent = match.agent }
      if life.session == nil {
        var candidate = ExecCandidate(path: path)
        candidate.identity = record.target.flatMap { identity($0, in: bytes) }
        beginSession(
          record.pid, agent: match.agent, version: match.version, executable: candidate, at: batch.lower,
          joinedLate: false, &oracle)
        moveNewborn(of: record.pid, from: nil)
      }
      return
    }
  }
}

extension Operations {
  /// What an event's bits say was done.
  init(_ mask: FanotifyMask, isLink: Bool) {
    self = []
    if mask.contains(.open) { insert(.open) }
    if mask.contains(.access) { insert(.read) }
    if mask.contains(.modify) { insert(.write) }
    if mask.contains(.attribute) { insert(.attribute) }
    if mask.contains(.create) { insert(isLink ? .link : .create) }
    if mask.contains(.delete) { insert(.delete) }
    if mask.contains(.openExec) { insert(.exec) }
    if mask.contains(.closeWrite) { insert(.closedWritable) }
    if mask.contains(.closeNoWrite) { insert(.closedUnwritten) }
  }
}
