internal import Capture
internal import Glibc
internal import Journal
internal import LinuxKernel
public import Logging

/// The process that stays: it opens the kernel's sources and the memory of the journal, starts the recorder with them,
/// and starts it again when it dies. It does nothing else, so it has no reason to die.
///
/// What the kernel queues while no recorder reads stays in the sources, and what the last one knew is in the memory:
/// a killed recorder loses nothing. On SIGHUP the guardian executes its program anew, as an upgrade needs it, without
/// closing any of them. The recorder outlives that: perf's rings last only as long as somebody maps them.
public final class Guardian {
  private let settings: Settings
  private let logger: Logger
  private let arguments: [String]
  /// The program's path at the start: an upgrade puts another file there.
  private let program: String
  private let signals: SignalWatch
  private let poller: Poller
  private let holdings: Holdings
  private var child: Child?
  private var isStopping = false
  /// The recorder of the program before this one.
  private var predecessor: ChildProcess?
  private var predecessorLife: OwnedDescriptor?
  /// Deaths in a row, each soon after its start.
  private var failures = 0
  private var wasReady = false

  /// What outlives a recorder.
  fileprivate struct Holdings {
    var lock: LockFile
    var sources: CaptureSources
    var journal: LockedMemory
    var snapshots: LockedMemory

    var handover: Handover {
      var handover = Handover()
      sources.describe(in: &handover)
      handover.give("lock", lock.descriptor.raw)
      handover.give("journal", journal.descriptor.raw)
      handover.give("snapshots", snapshots.descriptor.raw)
      return handover
    }
  }

  private final class Child {
    let process: ChildProcess
    /// The recorder writes a byte once it captures.
    let ready: Pipe
    /// The recorder ends in order when this ends with the guardian.
    let life: Pipe
    let started = Clock.monotonic.now

    init(_ process: ChildProcess, ready: consuming Pipe, life: consuming Pipe) {
      self.process = process
      self.ready = ready
      self.life = life
    }
  }

  private enum Tag {
    static let signals: UInt64 = 1
    static let ready: UInt64 = 2
  }

  /// The most memory that what a recorder knows may take, twice.
  fileprivate static let snapshotBytes = 8 << 20

  /// Opens everything, or takes over what the program before this one had opened.
  ///
  /// - Parameter arguments: the command line, for the recorder.
  /// - Throws: `StartFailure`
  public init(settings: Settings, logger: Logger, arguments: [String]) throws(StartFailure) {
    self.settings = settings
    self.logger = logger
    self.arguments = arguments
    guard Procfs.effectiveUser == 0 else {
      throw StartFailure(
        description: "capture needs root", hint: "run it with sudo, or as a system service", exitStatus: 77)
    }
    // Records name people and places.
    OwnFiles.keepFromOthers()
    // Whoever eats the memory, it shall not be this that is ended for it.
    try? Procfs.write("/proc/self/oom_score_adj", "-1000")
    do throws(Errno) {
      program = String(decoding: try readLink("/proc/self/exe"), as: UTF8.self)
      signals = try SignalWatch([SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1])
      poller = try Poller()
      try poller.add(signals.descriptor.raw, tag: Tag.signals)
    } catch {
      throw StartFailure(description: "\(error)", hint: "please report this", exitStatus: 70)
    }
    if var inherited = Handover.ofThisProcess, inherited["guardian"] != nil {
      do throws(Errno) { holdings = try Holdings(&inherited) } catch {
        throw StartFailure(description: "cannot take over: \(error)", hint: "start it anew", exitStatus: 71)
      }
      predecessor = inherited["recorder"].map { ChildProcess(started: Int32(truncatingIfNeeded: $0)) }
      // It would end in order when this one's end is closed; it is to end at once, and loses nothing by that.
      predecessorLife = inherited.take("life-input")
      // What the one before had begun goes on: a recorder that refuses now is tried again, and the sources hold what
      // comes meanwhile.
      wasReady = true
    } else {
      let lock = try Self.lock(settings)
      // What one that crashed had altered, also where audit is not asked for any more.
      AuditWitness.restore(settings.auditNote)
      do throws(Errno) { holdings = try Holdings(lock, settings, logger) } catch {
        AuditWitness.restore(settings.auditNote)
        throw StartFailure(
          description: "the kernel refuses to watch: \(error)",
          hint: "`alibi doctor` says which feature is missing", exitStatus: 71)
      }
      warnOfWhatIsMissing()
    }
  }

  private func warnOfWhatIsMissing() {
    if !holdings.journal.isLocked {
      logger.warning(
        "the journal cannot be locked in memory: raise RLIMIT_MEMLOCK; under memory pressure events may be lost")
    }
    for (name, missing) in [
      ("perf task records", holdings.sources.witnesses.perfMissing),
      ("the process connector", holdings.sources.witnesses.connectorMissing),
      ("the watch on other processes' memory", holdings.sources.witnesses.memoryMissing),
    ] {
      if let missing { logger.warning("\(name) cannot be opened: \(missing)") }
    }
    if !settings.usesAudit, !settings.classified.isEmpty {
      logger.warning("classified places are not watched: `audit: false` forbids it")
    }
    if settings.usesAudit, let missing = holdings.sources.witnesses.auditMissing {
      logger.warning("audit is no witness: \(missing)")
    }
  }

  /// Runs until it is told to stop; the exit status.
  public func run() -> Int32 {
    if let predecessor {
      if halt(predecessor) {
        predecessor.signal(SIGKILL)
        _ = predecessor.awaitEnding()
      }
      self.predecessor = nil
      predecessorLife = nil
    }
    startChild()
    while true {
      let ready = (try? poller.wait(milliseconds: child == nil ? restartDelay : -1)) ?? []
      if ready.contains(Tag.ready) { noteReady() }
      for signal in signals.take() { take(signal) }
      if let status = reap() {
        giveBack()
        return status
      }
      if child == nil {
        if isStopping {
          giveBack()
          return 0
        }
        startChild()
      }
    }
  }

  /// Stops a recorder at a moment at which it holds no descriptors of the kernel's: with it they are gone, and what was
  /// done by them could be anything. Whether it lives.
  private func halt(_ recorder: ChildProcess) -> Bool {
    let ring = unsafe JournalRing(memory: holdings.journal.bytes)
    for _ in 0..<200 {
      guard recorder.halt() else { return false }
      if !ring.isInHand { return true }
      recorder.signal(SIGCONT)
      sleepThread(nanoseconds: 1_000_000)
    }
    return recorder.halt()
  }

  /// What was altered of the machine's audit settings.
  private func giveBack() {
    AuditWitness.restore(settings.auditNote)
    holdings.sources.audit?.resign()
  }

  private func take(_ signal: Int32) {
    switch signal {
    case SIGTERM, SIGINT:
      if !isStopping {
        logger.notice("stopping")
        try? LocalSocket.notifyManager("STOPPING=1")
      }
      isStopping = true
      child?.process.signal(SIGTERM)
    case SIGHUP: if !isStopping { upgrade() }
    // The recorder was told that another audit daemon has been refused.
    case SIGUSR1:
      if holdings.sources.audit?.yield(settings.auditNote) == true {
        logger.notice("another audit daemon may take its place; audit is listened to from now on")
      }
    default: break
    }
  }

  private func noteReady() {
    guard let child else { return }
    poller.remove(child.ready.output.raw)
    wasReady = true
    logger.notice(
      "capturing",
      metadata: [
        "state": "\(settings.stateDirectory)", "run": "\(settings.runDirectory)", "recorder": "\(child.process.pid)",
      ])
    do { try LocalSocket.notifyManager("READY=1") } catch { logger.warning("NOTIFY_SOCKET: \(error)") }
  }

  /// Looks whether the recorder has ended; an exit status where the guardian must end too.
  private func reap() -> Int32? {
    guard let child, let ending = child.process.ending() else { return nil }
    poller.remove(child.ready.output.raw)
    self.child = nil
    if isStopping {
      guard case .exited(let status) = ending else { return 70 }
      logger.notice("stopped")
      return status
    }
    // It refuses to begin, and has said why.
    if !wasReady, case .exited(let status) = ending, status != 0 { return status }
    let livedShortly = Clock.monotonic.now - child.started < 10_000_000_000
    failures = livedShortly ? failures + 1 : 0
    logger.error("the recorder ended; another one continues", metadata: ["by": "\(ending)"])
    return nil
  }

  /// The first of several deaths in a row is made good at once.
  private var restartDelay: Int32 {
    failures < 4 ? 0 : min(50 << Int32(min(failures - 4, 8)), 10_000)
  }

  private func startChild() {
    do throws(Errno) {
      let ready = try Pipe()
      let life = try Pipe()
      var handover = holdings.handover
      handover.give("ready", ready.input.raw)
      handover.give("life", life.output.raw)
      let process = try ChildProcess(
        program, arguments, variable: (Handover.variable, handover.text), inheriting: handover.inherited)
      let child = Child(process, ready: ready, life: life)
      try poller.add(child.ready.output.raw, tag: Tag.ready)
      self.child = child
    } catch {
      failures += 4
      logger.critical("cannot start a recorder: \(error)")
    }
  }

  private func upgrade() {
    logger.notice("executing \(program) anew")
    var handover = holdings.handover
    handover["guardian"] = 1
    if let child {
      handover["recorder"] = Int64(child.process.pid)
      handover.give("life-input", child.life.input.raw)
    }
    let error = ChildProcess.replace(
      by: program, arguments, variable: (Handover.variable, handover.text), inheriting: handover.inherited)
    logger.error("\(program) cannot be executed, this one goes on: \(error)")
  }

  // MARK: - What outlives a recorder

  /// Makes the directories and locks the state; another service that is about to end is waited for.
  private static func lock(_ settings: Settings) throws(StartFailure) -> LockFile {
    let state = settings.stateDirectory
    do throws(Errno) {
      try OwnFiles.makeDirectory(state, mode: 0o750)
      try OwnFiles.makeDirectory(settings.runDirectory, mode: 0o755)
      // Compliance staff read without root; where the group does not exist, only root reads.
      if let group = UserNames.group("alibi") { try OwnFiles.setGroup(state, group) }
    } catch {
      throw StartFailure(
        description: "cannot make \(state) or \(settings.runDirectory): \(error)",
        hint: "choose others with --state and --run", exitStatus: 74)
    }
    do throws(Errno) {
      for _ in 0..<100 {
        if let lock = try OwnFiles.lock(state + "/lock") { return lock }
        sleepThread(nanoseconds: 20_000_000)
      }
    } catch {
      throw StartFailure(
        description: "cannot lock \(state): \(error)", hint: "is the disk full or read-only?", exitStatus: 74)
    }
    throw StartFailure(
      description: "another service already uses \(state)",
      hint: "`alibi status --state \(state)` tells its pid", exitStatus: 75)
  }
}

extension Guardian.Holdings {
  fileprivate init(_ lock: LockFile, _ settings: Settings, _ logger: Logger) throws(Errno) {
    self.lock = lock
    var options = settings.capture
    if settings.usesAudit {
      options.audit = (settings.rulesDirectory + "/audit", settings.classified, settings.auditNote)
    }
    sources = try CaptureSources(options) { logger.warning("\($0)") }
    journal = try LockedMemory(count: JournalRing.headerSize + options.journalBytes, name: "alibi-journal")
    snapshots = try LockedMemory(count: 2 * Guardian.snapshotBytes, name: "alibi-snapshots")
  }

  fileprivate init(_ handover: inout Handover) throws(Errno) {
    guard let lock = handover.take("lock"), let journal = handover.take("journal"),
      let snapshots = handover.take("snapshots")
    else { throw .badDescriptor }
    self.lock = LockFile(adopting: lock)
    sources = try CaptureSources(&handover)
    self.journal = try LockedMemory(adopting: journal)
    self.snapshots = try LockedMemory(adopting: snapshots)
  }
}

extension Handover {
  /// What this process was left by the one that executed it; nil where it was started by somebody else.
  static var ofThisProcess: Handover? {
    guard let text = unsafe getenv(variable) else { return nil }
    return unsafe Handover(String(cString: text))
  }
}
