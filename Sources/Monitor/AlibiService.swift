internal import Capture
internal import Evidence
internal import Journal
internal import Lineage
internal import LinuxKernel
public import Logging
internal import Records
internal import Sealing
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

/// The recorder's process: takes over what the guardian opened, runs its threads until it is told to stop, and leaves
/// nothing behind.
///
/// | thread | owns |
/// |---|---|
/// | heart | the process that makes canaries |
/// | capture | the kernel sources and the writing end of the journal |
/// | recorder | the attribution, the reading end, and the store |
/// | control | the socket and the watch on the rules |
/// | epochs | nothing: closes an epoch when there is one to close, and ends |
/// | retention, erasure, rotation | nothing: work through the store's writer, and end |
/// | anchors | the sender's process, where heads are shown to others |
public struct AlibiService: Service {
  private let settings: Settings
  private let logger: Logger

  /// A service with these settings; `run()` starts it.
  public init(settings: Settings, logger: Logger) {
    self.settings = settings
    self.logger = logger
  }

  /// Whether this process was started by a guardian to be its recorder.
  public static var isRecorder: Bool { Handover.ofThisProcess.map { $0["guardian"] == nil } ?? false }

  /// Makes canaries, if this process was started by a recorder for that, until the recorder is gone; false where not.
  public static func serveCanaries() -> Bool {
    guard var handover = Handover.ofThisProcess, let orders = handover.take("orders"),
      let answers = handover.take("answers")
    else { return false }
    CanaryNursery.serve(orders: orders, answers: answers)
    return true
  }

  /// Runs until a graceful shutdown is asked for, or the guardian is gone.
  ///
  /// - Throws: `StartFailure`
  public func run() async throws {
    let guardian = Procfs.parentPid
    let parts = try start()
    try? await gracefulShutdown()
    parts.stop()
    // Else the guardian does so.
    if Procfs.parentPid != guardian { AuditWitness.restore(settings.auditNote) }
  }

  private func start() throws(StartFailure) -> Parts {
    OwnFiles.keepFromOthers()
    Procfs.ignoreBrokenPipes()
    guard let handover = Handover.ofThisProcess else {
      throw StartFailure(description: "a recorder needs a guardian", hint: "run alibid", exitStatus: 70)
    }
    let rules: RulesWatch
    do {
      rules = try RulesWatch(directory: settings.rulesDirectory, logger: logger)
    } catch {
      throw StartFailure(
        description: "\(error)", hint: "mend the file, or name another directory with --rules", exitStatus: 78)
    }
    do {
      return try assemble(handover, rules: rules)
    } catch let error as Errno {
      throw StartFailure(
        description: "the kernel refuses to watch: \(error)",
        hint: "`alibi doctor` says which feature is missing", exitStatus: 71)
    } catch let error as KeyError {
      throw StartFailure(
        description: "\(error)", hint: "put the keys back from where they are kept, or begin another state directory",
        exitStatus: 74)
    } catch let error as StoreError {
      throw StartFailure(
        description: "\(error)", hint: "look at \(settings.stateDirectory)/alibi.sqlite and the disk it is on",
        exitStatus: 74)
    } catch {
      throw StartFailure(description: "\(error)", hint: "please report this", exitStatus: 70)
    }
  }

  private func assemble(_ inherited: Handover, rules: RulesWatch) throws -> Parts {
    var handover = inherited
    let started = Timestamp(nanoseconds: Int64(Clock.wall.now))
    guard let lock = handover.take("lock"), let journal = handover.take("journal"),
      let snapshots = handover.take("snapshots"), let life = handover.take("life"), let ready = handover.take("ready")
    else { throw Errno.badDescriptor }
    let sources = try CaptureSources(&handover)
    let estate = Estate(
      ring: try LockedMemory(adopting: journal), snapshots: try LockedMemory(adopting: snapshots))
    let bootID = try Procfs.bootID()
    let start = try estate.open(
      directory: settings.stateDirectory,
      run: StoreWriter.Run(
        bootID: bootID, host: Procfs.hostName, kernel: Procfs.kernelRelease, version: Settings.version,
        rulesDigest: rules.first.digest, pid: Procfs.parentPid, runDirectory: settings.runDirectory,
        started: started, perfMissing: sources.witnesses.perfMissing?.description,
        connectorMissing: sources.witnesses.connectorMissing?.description,
        auditMissing: sources.witnesses.auditMissing),
      rules: rules.first)
    if let group = UserNames.group("alibi") {
      for suffix in ["", "-wal", "-shm"] {
        try OwnFiles.setGroup(settings.stateDirectory + "/alibi.sqlite" + suffix, group)
      }
    }
    let seals = try SealRoom(
      start.writer, state: settings.stateDirectory, bootID: bootID, isResumed: start.isResumed,
      retentionDays: settings.retentionDays, patterns: settings.patterns, logger: logger)
    let mailbox = try CaptureMailbox()
    let delivery = Delivery()
    let heart = try Heart(mailbox: mailbox, logger: logger)
    let recorder = try Recorder(
      start, estate: estate, mailbox: mailbox, heart: heart, seals: seals, logger: logger,
      recordTo: settings.recordJournal)
    delivery.connect(recorder.wakeUp)
    let collector = try Collector(
      ring: estate.journal, sources: sources, options: settings.capture, mailbox: mailbox,
      nursery: heart.nurseryPid, bootID: bootID, host: Procfs.hostName, delivered: { delivery.signal() })
    let anchors = try settings.anchors.map { plan in
      try AnchorRoom(plan, state: settings.stateDirectory, writer: start.writer, seals: seals, logger: logger) {
        recorder.report($0)
      }
    }
    let control = try ControlSocket(
      path: settings.runDirectory + "/alibid.sock", recorder: recorder, rules: rules, seals: seals, anchors: anchors,
      life: life, status: { ServiceStatus(recorder, heart, rules, seals, anchors, estate.journal).text })
    if let group = UserNames.group("alibi") { try OwnFiles.setGroup(settings.runDirectory + "/alibid.sock", group) }
    let parts = Parts(
      lock: LockFile(adopting: lock), sources: sources, mailbox: mailbox, heart: heart, recorder: recorder,
      control: control, anchors: anchors, heartThread: try KernelThread(name: "heart") { heart.run() },
      captureThread: try KernelThread(name: "capture") { collector.run() },
      recorderThread: try KernelThread(name: "recorder") { recorder.run() },
      controlThread: try KernelThread(name: "control") { control.run() },
      anchorsThread: try anchors.map { room in try KernelThread(name: "anchors") { room.run() } })
    try ready.write([1])
    return parts
  }
}

/// What runs, in the order in which it stops: capture first, then what it fed.
private final class Parts: Sendable {
  private let lock: LockFile
  private let sources: CaptureSources
  private let mailbox: CaptureMailbox
  private let heart: Heart
  private let recorder: Recorder
  private let control: ControlSocket
  private let anchors: AnchorRoom?
  private let threads: ThreadBox

  private final class ThreadBox: @unchecked Sendable {
    // Sendable because `stop()` alone takes the threads, once.
    var heart: KernelThread?
    var capture: KernelThread?
    var recorder: KernelThread?
    var control: KernelThread?
    var anchors: KernelThread?

    init(
      _ heart: consuming KernelThread, _ capture: consuming KernelThread, _ recorder: consuming KernelThread,
      _ control: consuming KernelThread, _ anchors: consuming KernelThread?
    ) {
      self.heart = consume heart
      self.capture = consume capture
      self.recorder = consume recorder
      self.control = consume control
      self.anchors = consume anchors
    }
  }

  init(
    lock: LockFile, sources: CaptureSources, mailbox: CaptureMailbox, heart: Heart, recorder: Recorder,
    control: ControlSocket, anchors: AnchorRoom?, heartThread: consuming KernelThread,
    captureThread: consuming KernelThread, recorderThread: consuming KernelThread,
    controlThread: consuming KernelThread, anchorsThread: consuming KernelThread?
  ) {
    self.lock = lock
    self.sources = sources
    self.mailbox = mailbox
    self.heart = heart
    self.recorder = recorder
    self.control = control
    self.anchors = anchors
    threads = ThreadBox(heartThread, captureThread, recorderThread, controlThread, anchorsThread)
  }

  func stop() {
    heart.stop()
    if let thread = threads.heart.take() { thread.join() }
    mailbox.stop()
    if let thread = threads.capture.take() { thread.join() }
    // It writes to the store that the recorder closes.
    anchors?.stop()
    if let thread = threads.anchors.take() { thread.join() }
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
