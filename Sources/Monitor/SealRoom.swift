internal import Crypto
internal import Evidence
internal import LinuxKernel
internal import Logging
internal import MerkleLog
internal import Records
internal import Sealing
internal import Synchronization

/// The keys of the log, and what is done with them: heads are signed after each seal, epochs closed once a day and
/// when somebody asks.
final class SealRoom: Sendable {
  let sealer: Sealer
  /// Signalled when a head has been signed.
  let heads: WakeUp
  /// The keys in force. Whoever signs holds them meanwhile: no head is signed by a key that has just been replaced.
  let keys: Mutex<KeyDirectory?>
  let writer: StoreWriter
  let state: String
  let logger: Logger
  let inner: Mutex<Inner>
  /// For how many days records are kept.
  let retentionDays: UInt64

  struct Inner {
    var problem: String?
    /// The UTC day in which the newest epoch ends, or the log begins.
    var day: Int64
    var waiting: [@Sendable (UInt64?) -> Void] = []
    var isClosing = false
    /// Those who wait for what is over to be let go.
    var pruning: [@Sendable (Keeper.Pruned?) -> Void] = []
    var isPruning = false
  }

  /// Begins the log or goes on with it; the keys are made where there is no log.
  init(
    _ writer: StoreWriter, state: String, bootID: String, isResumed: Bool, retentionDays: UInt64, patterns: [String],
    logger: Logger
  ) throws {
    self.writer = writer
    self.retentionDays = retentionDays
    self.state = state
    self.logger = logger
    heads = try WakeUp()
    sealer = Sealer(facts: Self.facts(bootID, retentionDays, patterns)) { (Clock.wall.now, Clock.monotonic.now) }
    let isEmpty = try writer.head().size == 0
    if isEmpty, !KeyDirectory.exists(state: state) {
      try KeyDirectory.create(state: state, origin: KeyDirectory.origin())
    }
    var problem: String?
    var known: KeyDirectory?
    do { known = try KeyDirectory(state: state, of: writer) } catch let error as KeyError {
      // A log that cannot begin is no log; one that cannot be signed any more goes on, because capture does.
      if isEmpty { throw error }
      problem = "heads are not signed: \(error)"
      logger.critical("heads are not signed: \(error)")
    }
    keys = Mutex(known)
    inner = Mutex(Inner(problem: problem, day: Self.day(try writer.epochsReach())))
    try sealer.begin(
      writer, keys: known, reason: isResumed ? "another recorder goes on" : "the service has started",
      isPatient: isResumed)
    if let known {
      do { try KeyRotation.settle(known, state: state, writer) } catch {
        note("a key that was replaced could not be destroyed: \(error)")
      }
    }
  }

  /// Why heads are not signed, or no epoch is closed; nil where all is well.
  var problem: String? { inner.withLock { $0.problem } }

  /// A seal is in the store: its head is signed, and the day's epoch closed where a day is over.
  func committed(_ writer: StoreWriter, to time: Timestamp?) {
    sealer.committed()
    do { guard try sign() else { return } } catch { note("a head could not be signed: \(error)") }
    guard let time, Self.day(time) > inner.withLock({ $0.day }) else { return }
    closeEpoch { [self] _ in prune { _ in } }
  }

  /// Closes the epoch up to the newest seal; `done` gets its number, on another thread.
  func closeEpoch(_ done: @escaping @Sendable (UInt64?) -> Void) {
    let start = inner.withLock { inner in
      inner.waiting.append(done)
      defer { inner.isClosing = true }
      return !inner.isClosing
    }
    // Not joined: it holds nothing but this object, and what it does not finish the next run does.
    guard start else { return }
    do { _ = try KernelThread(name: "epochs") { self.work() } } catch {
      note("an epoch could not be closed: \(error)")
      let waiting = inner.withLock { inner in
        defer { inner.waiting.removeAll() }
        inner.isClosing = false
        return inner.waiting
      }
      for done in waiting { done(nil) }
    }
  }

  private func work() {
    while true {
      let waiting = inner.withLock { inner in
        defer { inner.waiting.removeAll() }
        if inner.waiting.isEmpty { inner.isClosing = false }
        return inner.waiting
      }
      if waiting.isEmpty { return }
      var number: UInt64?
      do {
        let epoch = try EpochCloser.close(state: state, writer: writer)
        number = epoch.number
        inner.withLock { $0.day = Self.day(epoch.to) }
        try sign()
      } catch {
        note("an epoch could not be closed: \(error)")
      }
      for done in waiting { done(number) }
    }
  }

  /// A CERT record, so that cherry-picking shows.
  func noteCertificate(_ certificate: String, evidence: String) -> Bool {
    guard let certificate = Hash(base64: certificate.utf8), let evidence = Hash(base64: evidence.utf8) else {
      return false
    }
    do {
      guard keys.withLock({ $0 != nil }) else { return false }
      try sealer.note(certificate: certificate, evidence: evidence, writer)
      return try sign()
    } catch {
      note("a certificate could not be recorded: \(error)")
      return false
    }
  }

  /// Signs the head as it is; false where there is no key to do it with.
  @discardableResult
  func sign() throws -> Bool {
    let isDone = try keys.withLock { keys in
      guard let keys else { return false }
      try sealer.sign(writer, keys)
      return true
    }
    if isDone { heads.signal() }
    return isDone
  }

  func note(_ problem: String) {
    logger.error("\(problem)")
    inner.withLock { $0.problem = problem }
  }

  private static func day(_ time: Timestamp) -> Int64 { time.nanoseconds / 86_400_000_000_000 }

  private static func facts(_ bootID: String, _ retentionDays: UInt64, _ patterns: [String]) -> ProgramFacts {
    let text = (try? Procfs.file("/sys/kernel/security/lockdown", limit: 256)) ?? []
    let chosen = String(decoding: text, as: UTF8.self).split(separator: "[").last?.split(separator: "]").first
    return ProgramFacts(
      version: Settings.version, digest: digest(), kernel: Procfs.kernelRelease,
      lockdown: text.isEmpty ? "unknown" : chosen.map(String.init) ?? "unknown", bootID: bootID,
      retentionDays: retentionDays, patterns: patterns)
  }

  /// SHA-256 of the program that runs.
  private static func digest() -> Hash {
    var hash = SHA256()
    guard let file = try? OwnedDescriptor.open("/proc/self/exe", .readOnly) else { return Hash(of: []) }
    unsafe withUnsafeTemporaryAllocation(byteCount: 1 << 20, alignment: 16) { buffer in
      while let count = try? unsafe file.read(into: buffer), count > 0 {
        unsafe hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      }
    }
    return Hash(Array(hash.finalize())) ?? Hash(of: [])
  }
}
