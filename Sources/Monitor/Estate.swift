internal import Evidence
internal import Journal
internal import Lineage
internal import LinuxKernel
internal import Records
internal import Rules

/// The memory that outlives recorders, and what a new one makes of it.
final class Estate: Sendable {
  let journal: JournalRing
  let snapshots: SnapshotArea
  private let memory: [LockedMemory]

  init(ring: LockedMemory, snapshots: LockedMemory) {
    journal = unsafe JournalRing(memory: ring.bytes)
    self.snapshots = unsafe SnapshotArea(memory: snapshots.bytes)
    memory = [ring, snapshots]
  }

  /// Where a recorder begins.
  struct Start {
    var writer: StoreWriter
    var engine: Engine
    /// How far the journal was gone through.
    var at: UInt64
    /// Whether it continues a run.
    var isResumed = false
    /// The store vouches for the run up to here; at first, no record of the run is of an earlier time.
    var committedTo: Timestamp
    /// From when on records were given up that the store does not have.
    var givenUpSince: Timestamp?
    /// Sessions whose executable has no digest yet.
    var undigested: Set<Int64> = []
  }

  /// Opens the store and continues the run that the journal holds, or begins one.
  ///
  /// A run that cannot be continued, because the recorder before this one was of another version or knew more than its
  /// memory holds, ends: the time from its last commit to the new run is a gap.
  func open(directory: String, run: StoreWriter.Run, rules: AgentRules) throws(StoreError) -> Start {
    if journal[.isOpen] == 1, journal[.run] != 0,
      let start = try resume(directory, Int64(journal[.run]), rules)
    {
      return start
    }
    journal[.isOpen] = 0
    let writer = try StoreWriter(directory: directory, run: run)
    journal[.run] = UInt64(writer.run)
    return try begin(writer, run.bootID, run.started, rules)
  }

  private func begin(
    _ writer: StoreWriter, _ bootID: String, _ started: Timestamp, _ rules: AgentRules
  ) throws(StoreError) -> Start {
    let inherited = try writer.inheritance(bootID: bootID)
    let watchedBefore = inherited.watchedBefore.map { last -> UInt64 in
      let (now, wall) = (Clock.monotonic.now, Int64(Clock.wall.now))
      // A clock that was set says nothing; what /proc tells is not exact, and the youngest have no record.
      let age = wall >= last.nanoseconds ? UInt64(wall - last.nanoseconds) : .max
      let margin: UInt64 = 1_000_000_000
      return age < now && now - age > margin ? now - age - margin : 0
    }
    var engine = Engine(
      rules: rules, firstSession: inherited.firstSession, firstProcess: inherited.firstProcess,
      survivors: inherited.survivors, watchedBefore: watchedBefore)
    try remember(writer, bootID, &engine)
    return Start(writer: writer, engine: engine, at: 0, committedTo: started)
  }

  private func remember(_ writer: StoreWriter, _ bootID: String, _ engine: inout Engine) throws(StoreError) {
    engine.remember(
      written: try writer.writtenFiles(),
      deputies: try writer.deputies(bootID: bootID).map { FormerDeputy(key: $0.key, deputy: $0.deputy) })
  }

  private func resume(
    _ directory: String, _ run: Int64, _ rules: AgentRules
  ) throws(StoreError) -> Start? {
    let writer = try StoreWriter(directory: directory, continuing: run)
    let progress = try writer.progress()
    guard let committed = progress.journalOffset else {
      // Nothing was committed: the journal holds the run from its beginning.
      guard journal.tail == 0 else { return nil }
      var start = try begin(writer, progress.bootID, progress.started, rules)
      start.isResumed = true
      return start
    }
    // What was given up is not in the store, and not in the journal any more.
    let usable = snapshots.snapshots().filter { $0.offset >= journal.tail }
    guard
      let snapshot = usable.first(where: { $0.offset == committed }) ?? usable.first(where: { $0.givenUpSince != 0 }),
      var engine = try? Engine(snapshot: snapshot.bytes, rules: rules)
    else { return nil }
    try remember(writer, progress.bootID, &engine)
    return Start(
      writer: writer, engine: engine, at: snapshot.offset, isResumed: true,
      committedTo: progress.coveredTo ?? progress.started,
      givenUpSince: snapshot.givenUpSince == 0 ? nil : Timestamp(nanoseconds: snapshot.givenUpSince),
      undigested: progress.undigested)
  }
}
