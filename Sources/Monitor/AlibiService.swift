internal import Capture
internal import Evidence
internal import Journal
internal import Lineage
internal import LinuxKernel
public import Logging
internal import Records
public import ServiceLifecycle

/// Why the service cannot start: what is wrong, what to do, and the exit status.
public struct StartFailure: Error, Sendable, CustomStringConvertible {
  /// What is wrong.
  public var description: String
  /// What to do about it.
  public var hint: String
  /// As in sysexits.h.
  public var exitStatus: Int32
}

/// The service: opens everything, runs its threads until it is told to stop, and leaves nothing behind.
///
/// | thread | owns |
/// |---|---|
/// | capture | the kernel sources and the writing end of the journal |
/// | recorder | the attribution, the reading end, and the store |
/// | control | the socket and the watch on the rules |
public struct AlibiService: Service {
  private let settings: Settings
  private let logger: Logger

  /// A service with these settings; `run()` starts it.
  public init(settings: Settings, logger: Logger) {
    self.settings = settings
    self.logger = logger
  }

  /// Runs until a graceful shutdown is asked for.
  ///
  /// - Throws: `StartFailure`
  public func run() async throws {
    let parts = try start()
    logger.notice("capturing", metadata: ["state": "\(settings.stateDirectory)", "run": "\(settings.runDirectory)"])
    do { try LocalSocket.notifyManager("READY=1") } catch { logger.warning("NOTIFY_SOCKET: \(error)") }
    try? await gracefulShutdown()
    logger.notice("stopping")
    try? LocalSocket.notifyManager("STOPPING=1")
    parts.stop()
    logger.notice("stopped")
  }

  private func start() throws(StartFailure) -> Parts {
    guard Procfs.effectiveUser == 0 else {
      throw StartFailure(
        description: "capture needs root", hint: "run it with sudo, or as a system service", exitStatus: 77)
    }
    // Records name people and places.
    OwnFiles.keepFromOthers()
    do throws(Errno) {
      try OwnFiles.makeDirectory(settings.stateDirectory, mode: 0o750)
      try OwnFiles.makeDirectory(settings.runDirectory, mode: 0o755)
      // Compliance staff read without root; where the group does not exist, only root reads.
      if let group = UserNames.group("alibi") { try OwnFiles.setGroup(settings.stateDirectory, group) }
    } catch {
      throw StartFailure(
        description: "cannot make \(settings.stateDirectory) or \(settings.runDirectory): \(error)",
        hint: "choose others with --state and --run", exitStatus: 74)
    }
    let lock = try lockState()
    let rules: RulesWatch
    do {
      rules = try RulesWatch(directory: settings.rulesDirectory + "/agents", logger: logger)
    } catch {
      throw StartFailure(
        description: "\(error)", hint: "mend the file, or name another directory with --rules", exitStatus: 78)
    }
    do {
      return try assemble(lock: lock, rules: rules)
    } catch let error as Errno {
      throw StartFailure(
        description: "the kernel refuses to watch: \(error)",
        hint: "`alibi doctor` says which feature is missing", exitStatus: 71)
    } catch let error as StoreError {
      throw StartFailure(
        description: "\(error)", hint: "look at \(settings.stateDirectory)/alibi.sqlite and the disk it is on",
        exitStatus: 74)
    } catch {
      throw StartFailure(description: "\(error)", hint: "please report this", exitStatus: 70)
    }
  }

  private func lockState() throws(StartFailure) -> LockFile {
    do throws(Errno) {
      if let lock = try OwnFiles.lock(settings.stateDirectory + "/lock") { return lock }
    } catch {
      throw StartFailure(
        description: "cannot lock \(settings.stateDirectory): \(error)", hint: "is the disk full or read-only?",
        exitStatus: 74)
    }
    throw StartFailure(
      description: "another service already uses \(settings.stateDirectory)",
      hint: "`alibi status --state \(settings.stateDirectory)` tells its pid", exitStatus: 75)
  }

  private func assemble(lock: LockFile, rules: RulesWatch) throws -> Parts {
    let started = Timestamp(nanoseconds: Int64(Clock.wall.now))
    let bootID = try Procfs.bootID()
    let memory = try LockedMemory(
      count: JournalRing.headerSize + settings.capture.journalBytes, name: "alibi-journal")
    if !memory.isLocked {
      logger.warning(
        "the journal cannot be locked in memory: raise RLIMIT_MEMLOCK; under memory pressure events may be lost")
    }
    let ring = unsafe JournalRing(memory: memory.bytes)
    let mailbox = try CaptureMailbox()
    let delivery = Delivery()
    let collector = try Collector(
      ring: ring, options: settings.capture, mailbox: mailbox, bootID: bootID, host: Procfs.hostName,
      delivered: { delivery.signal() })
    for (name, missing) in [
      ("perf task records", collector.witnesses.perfMissing),
      ("the process connector", collector.witnesses.connectorMissing),
    ] {
      if let missing { logger.warning("\(name) cannot be opened: \(missing)") }
    }
    let writer = try StoreWriter(
      directory: settings.stateDirectory,
      run: StoreWriter.Run(
        bootID: bootID, host: Procfs.hostName, kernel: Procfs.kernelRelease, version: Settings.version,
        rulesDigest: rules.first.digest, pid: Procfs.ownPid, runDirectory: settings.runDirectory,
        started: started, perfMissing: collector.witnesses.perfMissing?.description,
        connectorMissing: collector.witnesses.connectorMissing?.description))
    if let group = UserNames.group("alibi") {
      for suffix in ["", "-wal", "-shm"] {
        try OwnFiles.setGroup(settings.stateDirectory + "/alibi.sqlite" + suffix, group)
      }
    }
    let inherited = try writer.inheritance(bootID: bootID)
    let watchedBefore = inherited.watchedBefore.map { last in
      Clock.monotonic.now &- UInt64(max(0, Int64(Clock.wall.now) - last.nanoseconds))
    }
    let engine = Engine(
      rules: rules.first, firstSession: inherited.firstSession, firstProcess: inherited.firstProcess,
      survivors: inherited.survivors,
      watchedBefore: watchedBefore)
    let recorder = try Recorder(
      ring: ring, mailbox: mailbox, writer: writer, engine: engine, started: started, logger: logger,
      recordTo: settings.recordJournal)
    delivery.connect(recorder.wakeUp)
    let control = try ControlSocket(
      path: settings.runDirectory + "/alibid.sock", recorder: recorder, rules: rules,
      status: { [ring] in Self.status(recorder, rules, ring) })
    if let group = UserNames.group("alibi") { try OwnFiles.setGroup(settings.runDirectory + "/alibid.sock", group) }
    return Parts(
      lock: lock, memory: memory, mailbox: mailbox, recorder: recorder, control: control,
      captureThread: try KernelThread(name: "capture") { collector.run() },
      recorderThread: try KernelThread(name: "recorder") { recorder.run() },
      controlThread: try KernelThread(name: "control") { control.run() })
  }

  private static func status(_ recorder: Recorder, _ rules: RulesWatch, _ ring: JournalRing) -> String {
    let (committed, sessions, failure, lost) = recorder.shared.withLock {
      ($0.committedTo, $0.openSessions, $0.failure, $0.lostSince)
    }
    func text(_ value: String?) -> String {
      guard let value else { return "null" }
      let escaped = RawPath(value).description.replacing("\"", with: "'").replacing("\\", with: "\\\\")
      return "\"\(escaped)\""
    }
    return "{\"pid\":\(Procfs.ownPid),\"committed_to\":\(committed.map { "\($0.nanoseconds)" } ?? "null"),"
      + "\"open_sessions\":\(sessions),\"journal_used\":\(ring.head - ring.tail),"
      + "\"journal_capacity\":\(ring.capacity),\"rules_problem\":\(text(rules.problem)),"
      + "\"store_problem\":\(text(failure)),\"lost_since\":\(lost.map { "\($0.nanoseconds)" } ?? "null")}"
  }
}

/// What runs, in the order in which it stops: capture first, then what it fed.
private final class Parts: Sendable {
  private let lock: LockFile
  private let memory: LockedMemory
  private let mailbox: CaptureMailbox
  private let recorder: Recorder
  private let control: ControlSocket
  private let threads: ThreadBox

  private final class ThreadBox: @unchecked Sendable {
    // Sendable because `stop()` alone takes the threads, once.
    var capture: KernelThread?
    var recorder: KernelThread?
    var control: KernelThread?

    init(_ capture: consuming KernelThread, _ recorder: consuming KernelThread, _ control: consuming KernelThread) {
      self.capture = consume capture
      self.recorder = consume recorder
      self.control = consume control
    }
  }

  init(
    lock: LockFile, memory: LockedMemory, mailbox: CaptureMailbox, recorder: Recorder, control: ControlSocket,
    captureThread: consuming KernelThread, recorderThread: consuming KernelThread,
    controlThread: consuming KernelThread
  ) {
    self.lock = lock
    self.memory = memory
    self.mailbox = mailbox
    self.recorder = recorder
    self.control = control
    threads = ThreadBox(captureThread, recorderThread, controlThread)
  }

  func stop() {
    mailbox.stop()
    if let thread = threads.capture.take() { thread.join() }
    recorder.stop()
    if let thread = threads.recorder.take() { thread.join() }
    control.stop()
    if let thread = threads.control.take() { thread.join() }
  }
}

/// Carries "a batch is there" from capture to a recorder that is made later.
private final class Delivery: @unchecked Sendable {
  // Sendable because `connect` happens before the capture thread starts.
  private var target: WakeUp?

  func connect(_ target: WakeUp) {
    self.target = target
  }

  func signal() {
    target?.signal()
  }
}
