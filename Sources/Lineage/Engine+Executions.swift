internal import Decode
internal import Journal
internal import Records

/// What two witnesses told of the same, and what one of them alone.
struct Reconciliation {
  /// Executions that perf, or the connector, told of, and that are not settled: by pid, oldest first.
  var sightings: [Int32: [Sighting]] = [:]
  /// What processes opened for execution, as fanotify told, by pid, oldest first.
  var openings: [Int32: [Opening]] = [:]
  /// Of whom there are openings of the batch at hand.
  var openers: [Int32] = []
  /// CLOCK_MONOTONIC from which on both are compared; nil before audit tells anything.
  var begun: UInt64?
  /// CLOCK_MONOTONIC of the last time that a signal ended a process of this pid.
  var killed: [Int32: UInt64] = [:]
  /// CLOCK_REALTIME minus CLOCK_MONOTONIC at the end of the batch before: audit's stamps are of the wall clock.
  var clock: Int64?
  /// Figures that were not written yet.
  var figures: [Agreement] = []
  /// CLOCK_MONOTONIC when figures were written last.
  var wroteAt: UInt64 = 0
  /// What was told by one alone, in the batch at hand: who missed it, and what.
  var missed: [(by: String, what: String)] = []

  /// An execution.
  struct Sighting {
    /// CLOCK_MONOTONIC when it committed.
    var time: UInt64
    /// Whether audit must tell of it: the process was born while audit watched.
    var isOwed: Bool
    /// The record of the program, where it is within a session.
    var record: Int64?
    /// CLOCK_MONOTONIC of something that the process did when it had returned from the call.
    var returned: UInt64?
    /// Whether that was its end, which may have come within the call.
    var hasDied = false
    /// What audit told of it.
    var told: Told?
  }

  /// Which file audit says was executed.
  struct Told {
    /// CLOCK_MONOTONIC of the call's beginning.
    var stamp: UInt64
    var path: RawPath?
    var name: RawPath?
    var file: FileIdentity?
  }

  /// A file opened for execution.
  struct Opening {
    var fileSystem: UInt64
    var inode: UInt64
    /// CLOCK_MONOTONIC of the batch's end; the latest there is as long as it has not ended.
    var upper = UInt64.max
  }
}

// Executions as audit told them and as the others did (`DESIGN.md` §4): what one alone saw is an incident. Of what the
// others missed nobody can be named, and the file is not answered for.
extension Engine {
  /// How far apart a stamp and a moment may be that are the same: a stamp is as coarse as the kernel's tick.
  private static let slack: UInt64 = 20_000_000
  /// How long an execution may take from its beginning to its commit.
  private static let longestExecution: UInt64 = 10_000_000_000
  private static let mostSightings = 64

  /// The leading witness tells of an execution.
  mutating func sight(_ pid: Int32, at time: UInt64) {
    guard audit.isHeard, let life = processes[pid] else { return }
    noteReturn(of: pid, at: time)
    reconciliation.sightings[pid, default: []].append(Reconciliation.Sighting(time: time, isOwed: isWatched(life)))
    if let count = reconciliation.sightings[pid]?.count, count > Self.mostSightings {
      reconciliation.sightings[pid]?.removeFirst(count - Self.mostSightings)
    }
  }

  /// Whether audit sees what the process calls: it was born while audit watched.
  func isWatched(_ life: Life) -> Bool {
    life.key.provenance == .witnessed && life.key.startedAt >= run?.monotonic ?? 0 && !life.isKernel
  }

  /// The process did something: whatever it called before has returned, and audit has made its record.
  mutating func noteReturn(of pid: Int32, at time: UInt64, hasDied: Bool = false) {
    guard var waiting = reconciliation.sightings[pid] else { return }
    for index in waiting.indices where waiting[index].returned == nil && waiting[index].time <= time {
      waiting[index].returned = time
      waiting[index].hasDied = hasDied
    }
    reconciliation.sightings[pid] = waiting
  }

  /// fanotify tells that a process opened a file for execution.
  mutating func noteOpening(of file: FileIdentity, by pid: Int32) {
    guard audit.isHeard else { return }
    let opening = Reconciliation.Opening(fileSystem: file.fileSystem, inode: file.inode)
    reconciliation.openings[pid, default: []].append(opening)
    reconciliation.openers.append(pid)
    if let count = reconciliation.openings[pid]?.count, count > Self.mostSightings {
      reconciliation.openings[pid]?.removeFirst(count - Self.mostSightings)
    }
  }

  /// A process of a session runs another program, of which there is a record.
  mutating func expectCommand(_ pid: Int32, _ record: Int64, at time: UInt64) {
    // Without audit nobody ever tells.
    guard var waiting = reconciliation.sightings[pid] else { return }
    // What an interpreter runs is known later.
    let index = waiting.firstIndex { $0.time == time } ?? (waiting.count - 1)
    guard waiting.indices.contains(index) else { return }
    waiting[index].record = record
    reconciliation.sightings[pid] = waiting
  }

  /// Executions of one process are told by both witnesses in the same order; a call's stamp is of its beginning.
  ///
  /// - Returns: whether it was told by the others, and is known to be somebody's.
  mutating func noteExecution(_ event: AuditEvent, _ told: AuditTold, at stamp: UInt64) -> Bool {
    guard var waiting = reconciliation.sightings[told.pid],
      !isUndecided(told.pid),
      let index = waiting.firstIndex(where: {
        $0.told == nil && $0.time.later(by: Self.slack) >= stamp && stamp.later(by: Self.longestExecution) >= $0.time
      })
    else { return false }
    waiting[index].told = Reconciliation.Told(
      stamp: stamp, path: told.path, name: told.name, file: file(of: told, at: waiting[index].time))
    reconciliation.sightings[told.pid] = waiting
    guard let record = waiting[index].record, let arguments = event.arguments() else { return true }
    if let life = processes[told.pid], rules.launcher(life.executable) != nil { audit.launchers[told.pid] = arguments }
    let masked = rules.masked(arguments)
    findings.append(
      .command(
        Command(process: record, arguments: masked.arguments, masked: masked.count, directory: told.directory)))
    return true
  }

  /// Which file audit names, where fanotify must have told of it: watched by identity then, and of a kind whose handles
  /// bear the numbers that audit knows.
  func file(of told: AuditTold, at time: UInt64) -> FileIdentity? {
    guard let device = told.device, let inode = told.inode, let place = fileSystems[device], place.time < time,
      isComparable(place)
    else { return nil }
    return FileIdentity(fileSystem: place.fileSystem, inode: inode, generation: 0)
  }

  func isComparable(_ place: FileSystemEntry) -> Bool {
    place.watching == .identity && Self.comparable.contains { place.type.elementsEqual($0.utf8) }
  }

  private static let comparable = ["ext2", "ext3", "ext4", "xfs", "tmpfs", "f2fs"]

  /// Nobody but audit told of an execution, and nobody will.
  mutating func missExecution(_ told: AuditTold, at stamp: UInt64) {
    guard let run, let begun = reconciliation.begun, stamp > begun, stamp > lossUntil, told.hasSucceeded,
      processes.lives(told.pid).contains(where: { life in
        life.session != nil && life.session != Self.canarySession && life.key.startedAt <= stamp.later(by: Self.slack)
          && (life.died ?? .max) >= stamp
      })
    else { return }
    miss(
      run.hasPerf ? "perf" : "the connector",
      Reconciliation.Told(stamp: stamp, path: told.path, name: told.name, file: file(of: told, at: stamp)),
      by: told.pid, to: stamp, device: told.device, inode: told.inode)
  }

  // MARK: - Settling

  /// At the end of a batch: what both have had their say about.
  mutating func reconcile(flush: Bool) {
    forgetTimes()
    for pid in reconciliation.openers {
      guard var openings = reconciliation.openings[pid] else { continue }
      for index in openings.indices { openings[index].upper = min(openings[index].upper, batch.upper) }
      reconciliation.openings[pid] = openings
    }
    reconciliation.openers.removeAll(keepingCapacity: true)
    for pid in reconciliation.sightings.keys.sorted() {
      let kept = (reconciliation.sightings[pid] ?? []).filter { !settle($0, of: pid) }
      reconciliation.sightings[pid] = kept.isEmpty ? nil : kept
    }
    reconcilePlaces()
    for (by, all) in Dictionary(grouping: reconciliation.missed, by: \.by).sorted(by: { $0.key < $1.key }) {
      let more = all.count > 1 ? ", and \(all.count - 1) more" : ""
      incident("witnesses-disagree", "\(by) did not tell of \(all[0].what)\(more)")
    }
    reconciliation.missed.removeAll(keepingCapacity: true)
    guard flush || batch.upper > reconciliation.wroteAt.later(by: Self.figureInterval) else { return }
    findings += reconciliation.figures.map(Finding.agreement)
    reconciliation.figures.removeAll(keepingCapacity: true)
    reconciliation.wroteAt = batch.upper
  }

  private static let figureInterval: UInt64 = 10_000_000_000

  /// Whether there is nothing more to be said of it.
  private mutating func settle(_ sighting: Reconciliation.Sighting, of pid: Int32) -> Bool {
    if let told = sighting.told {
      if isUndecided(pid) { return false }
      guard sighting.record != nil else { return true }
      // Its opening came before it.
      guard sighting.time <= batch.emptied, overflowSince == nil else { return false }
      if let file = told.file, sighting.time > lossUntil, !wasOpened(file, by: pid, since: told.stamp) {
        miss("fanotify", told, by: pid, to: sighting.time, device: nil, inode: nil)
      } else {
        count(sighting.time, .executions, \.both)
      }
      return true
    }
    guard let returned = sighting.returned, returned.later(by: Self.slack) < audit.toldTo ?? 0,
      returned < audit.standing.wholeAt ?? 0
    else { return batch.upper > sighting.time.later(by: Self.longestWait) }
    guard sighting.record != nil, sighting.isOwed, audit.standing.unsureTo < sighting.time,
      audit.standing.toldTo == nil, !isKilled(pid, sighting)
    else { return true }
    count(sighting.time, .executions, \.othersOnly)
    let program = processes.lives(pid).last { $0.key.startedAt <= sighting.time }?.executable
    reconciliation.missed.append(("audit", "an execution by process \(pid)\(program.map { ", \($0)" } ?? "")"))
    return true
  }

  /// Whoever never does anything that shows that it has returned is not judged.
  private static let longestWait: UInt64 = 600_000_000_000

  /// Who was ended by a signal may have been so before the call returned, and of that audit does not tell.
  private func isKilled(_ pid: Int32, _ sighting: Reconciliation.Sighting) -> Bool {
    guard sighting.hasDied, let died = sighting.returned else { return false }
    if run?.hasConnector == false { return died < sighting.time.later(by: 1_000_000_000) }
    return reconciliation.killed[pid].map { $0 >= sighting.time } ?? false
  }

  private func wasOpened(_ file: FileIdentity, by pid: Int32, since stamp: UInt64) -> Bool {
    (reconciliation.openings[pid] ?? []).contains {
      $0.fileSystem == file.fileSystem && $0.inode == file.inode && $0.upper.later(by: Self.slack) >= stamp
    }
  }

  /// What only audit told of: nobody can be named for it, and the file is not answered for.
  mutating func miss(
    _ witness: String, _ told: Reconciliation.Told, by pid: Int32, to time: UInt64, device: UInt64?, inode: UInt64?,
    matter: Agreement.Matter = .executions
  ) {
    count(time, matter, \.auditOnly)
    let what = matter == .executions ? "an execution by process \(pid)" : "an opening by process \(pid)"
    reconciliation.missed.append((witness, what + ((told.path ?? told.name).map { ", \($0)" } ?? "")))
    let identity =
      told.file
      ?? FileIdentity(
        fileSystem: device.flatMap { fileSystems.fileSystem(device: $0) } ?? 0, inode: inode ?? 0, generation: 0)
    findings.append(
      .access(
        Access(
          session: nil, process: nil, path: told.path, name: told.name.map { RawPath($0.lastComponent) },
          identity: identity,
          operations: matter == .executions ? [.open, .exec, .closedUnwritten] : [.open, .closedWritable], result: 0,
          time: Interval(from: wall(told.stamp), to: wall(max(time, told.stamp.later(by: Self.slack)))), count: 1,
          attribution: .unattributed)))
  }

  mutating func count(_ time: UInt64, _ matter: Agreement.Matter, _ figure: WritableKeyPath<Agreement, Int>) {
    let day = Agreement.day(of: wall(time))
    if let index = reconciliation.figures.firstIndex(where: { $0.day == day && $0.matter == matter }) {
      reconciliation.figures[index][keyPath: figure] += 1
    } else {
      var new = Agreement(day: day, matter: matter)
      new[keyPath: figure] = 1
      reconciliation.figures.append(new)
    }
  }

  /// Where the wall clock was set, or nothing ran for a while, stamps cannot be compared with what was told before.
  private mutating func forgetTimes() {
    let clock = Int64(bitPattern: batch.wall &- batch.upper)
    defer { reconciliation.clock = clock }
    guard let before = reconciliation.clock,
      clock.subtractingReportingOverflow(before).partialValue.magnitude > Self.slack
    else { return }
    reconciliation.sightings.removeAll()
    audit.standing.unsureTo = batch.upper
    lossUntil = max(lossUntil, batch.upper)
  }

  /// Now and then: what belongs to nobody any more.
  mutating func sweepReconciliation() {
    sweepPlaces()
    let waiting = reconciliation.sightings
    reconciliation.openings = reconciliation.openings.filter { pid, openings in
      waiting[pid] != nil || openings.contains { $0.upper.later(by: Self.longestExecution) > batch.upper }
    }
    reconciliation.killed = reconciliation.killed.filter { pid, time in
      waiting[pid] != nil || time.later(by: Self.longestExecution) > batch.upper
    }
  }
}

extension Reconciliation: Archived {
  static var blank: Reconciliation { Reconciliation() }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive.table(&sightings, 0, []) { (archive, pid, all) throws(JournalError) in
      try archive(&pid)
      try archive.list(&all)
    }
    try archive.table(&openings, 0, []) { (archive, pid, all) throws(JournalError) in
      try archive(&pid)
      try archive.list(&all, Opening(fileSystem: 0, inode: 0)) { (archive, opening) throws(JournalError) in
        try archive(&opening.fileSystem)
        try archive(&opening.inode)
        try archive(&opening.upper)
      }
    }
    try archive.table(&killed, 0, 0) { (archive, pid, time) throws(JournalError) in
      try archive(&pid)
      try archive(&time)
    }
    try archive.optional(&begun)
    try archive.optional(&clock)
    try archive(&wroteAt)
    try archive.list(&figures, Agreement(day: 0, matter: .executions)) { (archive, figure) throws(JournalError) in
      try archive(&figure.day)
      try archive(&figure.matter)
      try archive(&figure.both)
      try archive(&figure.auditOnly)
      try archive(&figure.othersOnly)
    }
  }
}

extension Reconciliation.Sighting: Archived {
  static var blank: Self { Self(time: 0, isOwed: false) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&time)
    try archive(&isOwed)
    try archive.optional(&record)
    try archive.optional(&returned)
    try archive(&hasDied)
    try archive.optional(&told)
  }
}

extension Reconciliation.Told: Archived {
  static var blank: Self { Self(stamp: 0) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&stamp)
    try archive.optional(&path)
    try archive.optional(&name)
    try archive.optional(&file)
  }
}
