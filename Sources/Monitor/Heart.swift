internal import Capture
internal import Journal
internal import LinuxKernel
internal import Logging
internal import Synchronization

/// Has canaries made, now and then and whenever somebody asks for a barrier, and tells capture of them. Coverage ends
/// where the last ones were seen.
final class Heart: @unchecked Sendable {
  // Sendable because `nursery` and `random` belong to the heart's own thread once it runs.

  private struct State {
    var barriers: [UInt64] = []
    var isStopping = false
    var problem: String?
  }

  private let mailbox: CaptureMailbox
  private let logger: Logger
  private let wakeUp: WakeUp
  private let state = Mutex(State())
  private var nursery: CanaryNursery?
  private var random = SystemRandomNumberGenerator()
  private var beats = 0

  /// How long canaries may take.
  private static let patience: Int32 = 2000

  init(mailbox: CaptureMailbox, logger: Logger) throws(Errno) {
    self.mailbox = mailbox
    self.logger = logger
    wakeUp = try WakeUp()
    nursery = Self.makeNursery(logger)
  }

  /// The process whose descendants are canaries; 0 where there is none.
  var nurseryPid: Int32 { nursery?.process.pid ?? 0 }

  /// Why no canaries are made; nil where they are.
  var problem: String? { state.withLock { $0.problem } }

  /// Asks for canaries and then for a barrier of this number.
  func barrier(_ number: UInt64) {
    state.withLock { $0.barriers.append(number) }
    wakeUp.signal()
  }

  func stop() {
    state.withLock { $0.isStopping = true }
    wakeUp.signal()
  }

  func run() {
    guard let poller = try? Poller() else { return }
    try? poller.add(wakeUp.descriptor.raw, tag: 1)
    while !state.withLock({ $0.isStopping }) {
      beat()
      // At no moment that anybody could foresee.
      _ = try? poller.wait(milliseconds: Int32.random(in: 3000...6000, using: &random))
      wakeUp.clear()
    }
    // A last one, for what happened since.
    beat()
  }

  private func beat() {
    if nursery?.isGone() == true { nursery = nil }
    let barriers = state.withLock { state in
      defer { state.barriers.removeAll() }
      return state.barriers
    }
    let heartbeat = makeCanaries()
    mailbox.beat(heartbeat, barriers: barriers)
  }

  private func makeCanaries() -> Heartbeat? {
    if nursery == nil {
      nursery = Self.makeNursery(logger)
      guard let nursery else { return nil }
      mailbox.announce(nursery: nursery.process.pid)
      // Capture must have written down whose descendants they are before it reads of the first one.
      sleepThread(nanoseconds: 500_000_000)
    }
    let orders = orders()
    let started = Clock.monotonic.now
    let answers: [CanaryNursery.Answer]
    do throws(Errno) { answers = try nursery?.carryOut(orders, milliseconds: Self.patience) ?? [] } catch {
      // That says nothing of the witnesses: coverage waits for the next ones.
      state.withLock { $0.problem = "the process that makes canaries does not: \(error)" }
      logger.error("no canaries, another process will make them: \(error)")
      nursery = nil
      return nil
    }
    state.withLock { $0.problem = nil }
    var canaries = answers.map {
      Heartbeat.Canary(device: $0.device, pid: $0.pid, error: $0.error?.rawValue ?? 0)
    }
    // An order that nobody answered is a canary that nobody saw.
    let answered = Set(answers.map(\.device))
    for order in orders where !answered.contains(order.device) {
      canaries.append(Heartbeat.Canary(device: order.device, pid: 0, error: Errno.timedOut.rawValue))
    }
    return Heartbeat(started: started, ended: Clock.monotonic.now, canaries: canaries, marked: [])
  }

  /// One canary for each file system, and one on each CPU.
  private func orders() -> [CanaryNursery.Order] {
    let places = mailbox.places
    let cpus = (try? Procfs.onlineCPUs()) ?? [0]
    guard !places.isEmpty else { return [] }
    beats += 1
    let first = Int.random(in: 0..<cpus.count, using: &random)
    return (0..<max(places.count, cpus.count)).map { index in
      let place = places[index % places.count]
      var way: CanaryNursery.Order.Way = Bool.random(using: &random) ? .open : .list
      // Rarely where it costs a disk something.
      if beats % 32 == index % 32 { way = .write }
      if !place.tellsOfDirectories { way = .writeOnly }
      return CanaryNursery.Order(
        device: place.device, path: place.path, cpu: cpus[(first + index) % cpus.count],
        depth: UInt32.random(in: 1...3, using: &random), way: way, isApart: Int.random(in: 0..<8, using: &random) == 0)
    }
  }

  private static func makeNursery(_ logger: Logger) -> CanaryNursery? {
    do throws(Errno) {
      return try CanaryNursery(program: String(decoding: try readLink("/proc/self/exe"), as: UTF8.self)) {
        orders, answers in
        var handover = Handover()
        handover.give("orders", orders)
        handover.give("answers", answers)
        return (Handover.variable, handover.text)
      }
    } catch {
      logger.error("no canaries: \(error)")
      return nil
    }
  }
}
