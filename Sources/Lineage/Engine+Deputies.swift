internal import Decode
internal import Journal
public import Records

/// A process outside every session that worked for one, as an earlier run of the service knew it.
public struct FormerDeputy: Hashable, Sendable {
  /// Which process.
  public var key: ProcessKey
  /// What made it one.
  public var deputy: Deputy

  /// A deputy of these facts.
  public init(key: ProcessKey, deputy: Deputy) {
    self.key = key
    self.deputy = deputy
  }
}

// Work leaves the tree also through processes outside it (`DESIGN.md` §4; HAZARDS B9, B9c, A12b). Who runs what a session
// wrote, or reads it and may act on it, works for the session from then on, and so does who is born of it; and what it
// writes is the session's work in turn: a compiler that reads its source makes a program of it. Who serves a file system
// may open any file because a session asked it to, and so may the kernel's own threads.
//
// Their accesses are kept, without the person, and stand in the way of "no" for exactly what they touched.
extension Engine {
  /// kthreadd, the parent of all of the kernel's threads.
  static let kernelParent: Int32 = 2

  /// Has an earlier run's knowledge taken in: what sessions wrote, by session or nil for several, and who works for them.
  public mutating func remember(written: [(file: FileIdentity, session: Int64?)], deputies: [FormerDeputy]) {
    for (file, session) in written { _ = self.written.insert(file, by: session) }
    for (key, episode) in episodes where episode.access.operations.mayPlace {
      _ = self.written.insert(key.identity, by: key.session)
    }
    formerDeputies = Dictionary(deputies.map { ($0.key.pid, $0) }, uniquingKeysWith: { $1 })
  }

  /// Records were given up: what would not be told again is told again.
  public mutating func forgetTold() { mappedByDeputies.removeAll() }

  /// What an earlier run knew of a process that a look at /proc found.
  func formerDeputy(_ process: ObservedProcess) -> Deputy? {
    guard let known = formerDeputies[process.pid], process.startedAt.isStart(of: known.key) else { return nil }
    return known.deputy
  }

  /// Between lineage and accesses: who of the batch works for a session. A batch is a set, so what was written and who
  /// read it have no order, nor has who was born of whom meanwhile; each may make the other, until nothing is new.
  mutating func settleDeputies(_ source: some BatchSource, _ oracle: inout some Oracle) throws(JournalError) {
    guard !sessions.isEmpty || !written.isEmpty else { return }
    // Whom audit told of is one already.
    var recruits = Set(unrecordedDeputies.filter { $0.value == batch.upper }.keys)
    var isNew = true
    while isNew {
      isNew = false
      var number = 0
      try source.forEach { (entry, _) throws(JournalError) in
        switch entry.kind {
        case .fanotify: if follow(entry.payload, from: &number, &recruits, &oracle) { isNew = true }
        case .descriptorEvent: if follow(try DescriptorEvent(payload: entry.bytes), &recruits) { isNew = true }
        default: break
        }
      }
      if followMappings(&recruits) || passOn(&recruits) { isNew = true }
    }
    if written.isOverfull {
      findings.append(
        .gap(
          Gap(
            time: span, source: "deputies", reason: "sessions wrote more files than can be followed", fileSystem: nil)))
    }
    guard !recruits.isEmpty else { return }
    // What they mapped in this batch counts as well.
    for event in timeline where event.time <= batch.upper {
      if case .map(let pid, let mapping) = event.what, recruits.contains(pid) {
        map(pid, mapping, at: event.time, source, &oracle)
      }
    }
    for pid in recruits { unrecordedDeputies[pid] = batch.upper }
  }

  private mutating func follow(
    _ bytes: RawSpan, from number: inout Int, _ recruits: inout Set<Int32>, _ oracle: inout some Oracle
  ) -> Bool {
    var isNew = false
    var offset = 0
    while let record = try? FanotifyRecord.next(in: bytes, at: &offset) {
      number += 1
      if record.pid == run?.ownPid || !record.mask.isDisjoint(with: [.overflow, .onDirectory]) { continue }
      if let place = record.directory?.fileSystem, fileSystems.ofNodes.contains(place) {
        if servesFiles(record, bytes, &oracle), processes.makeDeputy(record.pid, contact) {
          recruits.insert(record.pid)
          isNew = true
        }
        continue
      }
      if !jobs.isEmpty, followJob(record, bytes, &oracle) { isNew = true }
      guard matters(record.mask, by: record.pid), let file = record.target.flatMap({ identity($0, in: bytes) }) else {
        continue
      }
      // The queue keeps the order of what came first: after an opening for execution only the new program reads.
      let isByReading = openings[record.pid].map { $0 < number } ?? true
      if note(record.mask, by: record.pid, file, isByReading: isByReading, &recruits) { isNew = true }
    }
    return isNew
  }

  private mutating func follow(_ event: DescriptorEvent, _ recruits: inout Set<Int32>) -> Bool {
    let mask = FanotifyMask(rawValue: event.mask)
    guard event.pid != run?.ownPid, matters(mask, by: event.pid),
      let fileSystem = fileSystems.fileSystem(device: event.device), !fileSystems.ofNodes.contains(fileSystem)
    else { return false }
    let file = FileIdentity(fileSystem: fileSystem, inode: event.inode, generation: 0)
    // Another queue than that of most openings: of their order nothing is known.
    return note(mask, by: event.pid, file, isByReading: openings[event.pid] == nil, &recruits)
  }

  private static let placing: FanotifyMask = [.modify, .create, .rename, .closeWrite]
  private static let taking: FanotifyMask = [.access, .openExec]

  /// Whether an event may have put something somewhere, or taken what is known to have been put. Asked for everybody's.
  private func matters(_ mask: FanotifyMask, by pid: Int32) -> Bool {
    if !written.isEmpty, !mask.isDisjoint(with: Self.taking) { return true }
    return processes.standing(pid) != .bystander && !mask.isDisjoint(with: Self.placing)
  }

  /// Takes in one event: what it may have put into the file, and who may have taken what of it.
  private mutating func note(
    _ mask: FanotifyMask, by pid: Int32, _ file: FileIdentity, isByReading: Bool, _ recruits: inout Set<Int32>
  ) -> Bool {
    var isNew = false
    if processes.standing(pid) != .bystander, !mask.isDisjoint(with: Self.placing), let author = author(pid) {
      isNew = noteWritten(file, by: author.session)
    }
    if !mask.isDisjoint(with: Self.taking), let writer = written.writer(of: file),
      recruit(pid, writer, isByReading: isByReading && !mask.contains(.openExec), &recruits)
    {
      isNew = true
    }
    return isNew
  }

  /// A file's content, or name, may be a session's work; whether that is new.
  mutating func noteWritten(_ file: FileIdentity, by session: Int64?) -> Bool {
    let isNew = written.insert(file, by: session)
    // The store takes in what does not fit here: another run must not think that it does.
    if isNew || written.isOverfull {
      findings.append(.written(file, by: written.writer(of: file).map(\.session) ?? session))
    }
    return isNew
  }

  /// Whose work it is what a process writes: its session's, or of the session that it works for; nil for nobody's.
  func author(_ pid: Int32) -> Deputy? {
    let lives = processes.lives(pid)
    // Of whom nothing is known may be of any session.
    guard !lives.isEmpty else { return Deputy(session: nil, channels: []) }
    var author: Deputy?
    for life in lives where life.session != Self.canarySession {
      if let session = life.session {
        author = author.joined(with: Deputy(session: session, channels: []))
      } else if life.mayBeAnybodys {
        author = author.joined(with: Deputy(session: nil, channels: []))
      }
      author = author.joined(with: life.deputy).joined(with: life.carried)
      for former in life.formerSessions where former.until >= batch.lower && former.session != Self.canarySession {
        author = author.joined(with: former.session.map { Deputy(session: $0, channels: []) })
      }
    }
    return author
  }

  /// What bystanders mapped of what sessions wrote: no read tells of it.
  private mutating func followMappings(_ recruits: inout Set<Int32>) -> Bool {
    guard !written.isEmpty else { return false }
    var isNew = false
    for event in lateMappings where follow(mapping: event, &recruits) { isNew = true }
    for event in timeline where follow(mapping: event, &recruits) { isNew = true }
    return isNew
  }

  private mutating func follow(mapping event: LineageEvent, _ recruits: inout Set<Int32>) -> Bool {
    guard case .map(let pid, let mapping) = event.what, mapping.inode != 0, processes[pid]?.session == nil,
      let fileSystem = fileSystems.fileSystem(device: mapping.device)
    else { return false }
    var file = FileIdentity(fileSystem: fileSystem, inode: mapping.inode, generation: mapping.generation)
    var writer = written.writer(of: file)
    // Where events come with a descriptor, nobody tells the generation.
    file.generation = 0
    writer = writer ?? written.writer(of: file)
    guard let writer else { return false }
    let isByReading = !mapping.isExecutable && processes[pid].map { $0.epochStarted <= event.time } ?? false
    return recruit(pid, writer, isByReading: isByReading, &recruits)
  }

  /// Who was born of a deputy within the batch may have been born after it became one. Lineage may have told of the birth
  /// in the batch before, for it is read later than files' events are: so it is the time that counts.
  private mutating func passOn(_ recruits: inout Set<Int32>) -> Bool {
    guard !recruits.isEmpty else { return false }
    var isNew = false
    for birth in processes.births(since: batch.lower) {
      guard recruits.contains(birth.parent), let origin = processes[birth.parent] else { continue }
      var isHeir = false
      if let deputy = origin.deputy, processes.makeDeputy(birth.child, deputy) { isHeir = true }
      if let carried = origin.carried, processes[birth.child]?.isPlainReader == true,
        processes.makeDeputy(birth.child, carried, isByReading: true)
      {
        isHeir = true
      }
      guard isHeir else { continue }
      recruits.insert(birth.child)
      isNew = true
    }
    return isNew
  }

  /// Somebody has run what a session wrote; or has read or mapped it, and has executed nothing since.
  private mutating func recruit(
    _ pid: Int32, _ deputy: Deputy, isByReading: Bool, _ recruits: inout Set<Int32>
  ) -> Bool {
    guard processes.makeDeputy(pid, deputy, isByReading: isByReading) else { return false }
    recruits.insert(pid)
    return true
  }

  /// What was mapped after the queue was last seen empty: the next batch may tell who had written it.
  mutating func keepMappings(since lower: UInt64) {
    lateMappings.removeAll(keepingCapacity: true)
    guard !sessions.isEmpty else { return }
    for event in timeline where event.time >= lower && event.time <= batch.upper {
      guard case .map(let pid, var mapping) = event.what, mapping.inode != 0, processes[pid]?.session == nil else {
        continue
      }
      mapping.copied = []
      lateMappings.append(LineageEvent(time: event.time, witness: event.witness, what: .map(pid: pid, mapping)))
    }
  }

  // MARK: - Who serves files

  /// Whether an event shows that its process answers for a file system in user space: it reads requests from /dev/fuse.
  private mutating func servesFiles(
    _ record: FanotifyRecord, _ bytes: RawSpan, _ oracle: inout some Oracle
  ) -> Bool {
    guard !sessions.isEmpty, !record.mask.isDisjoint(with: [.access, .modify]),
      let file = record.target.flatMap({ identity($0, in: bytes) }),
      let directory = record.directory.flatMap({ reference($0, in: bytes) })
    else { return false }
    if let known = nodes[file] { return known == .fileSystemRequests }
    let place = paths(of: bytes.copy(record.name), in: directory, &oracle).first
    return node(file, at: place, &oracle) == .fileSystemRequests
  }

  /// Somebody of a session may be asking; of which, is known where there is one.
  private var contact: Deputy {
    Deputy(session: sessions.count == 1 ? sessions.keys.first : nil, channels: .contacted)
  }

  /// The session that a process outside works for: none, or one, or several.
  func deputy(of life: Life) -> Deputy? {
    guard life.session == nil else { return nil }
    // On whose behalf the kernel reads a file cannot be told: its file servers do it for their clients.
    if life.isKernel, !sessions.isEmpty { return contact.joined(with: life.deputy ?? contact) }
    return life.deputy
  }

  // MARK: - For the next run of the service

  /// Keeps in mind, for the next run, who lives a while.
  mutating func recordDeputies() {
    guard !unrecordedDeputies.isEmpty else { return }
    for (pid, since) in unrecordedDeputies.sorted(by: { $0.key < $1.key })
    where batch.upper > since.later(by: Self.survivalTime) {
      unrecordedDeputies[pid] = nil
      guard let life = processes[pid], life.died == nil, let deputy = life.deputy else { continue }
      recordedDeputies.insert(pid)
      findings.append(.deputy(life.key, deputy))
    }
  }

  /// A process has exited.
  mutating func endDeputy(_ life: Life) {
    unrecordedDeputies[life.key.pid] = nil
    if recordedDeputies.remove(life.key.pid) != nil { findings.append(.deputyEnded(life.key)) }
  }

  /// What has neither a name nor a holder any more need not be known.
  mutating func forgetWritten() {
    let dead = nameEvents.died.filter { written.writer(of: $0) != nil }
    for file in dead.sorted(by: { $0.description < $1.description }) where written.remove(file) {
      findings.append(.unwritten(file))
    }
  }
}
