internal import CLinux

/// Accesses of known time and process, made for knowing that the witnesses see them.
///
/// A small process of its own carries out orders by descendants that vary: how deep below, on which CPU, in which way,
/// in which mount namespace.
public final class CanaryNursery {
  /// One access to be made.
  public struct Order: Sendable {
    /// How it is made.
    public enum Way: UInt32, CaseIterable, Sendable {
      /// Opens the directory.
      case open = 0
      /// Opens and lists it.
      case list = 1
      /// Opens a file without a name in it (O_TMPFILE) and writes to it; where that is refused, opens the directory.
      case write = 2
      /// Opens a file without a name and writes to it, or fails.
      case writeOnly = 3
    }

    /// `st_dev` of the file system, major in the upper and minor in the lower 32 bits.
    public var device: UInt64
    /// A directory of it.
    public var path: [UInt8]
    /// Where it runs.
    public var cpu: Int32
    /// How many forks below, at least one.
    public var depth: UInt32
    /// How it is made.
    public var way: Way
    /// Whether in a mount namespace of its own.
    public var isApart: Bool

    /// An order of these parts.
    public init(device: UInt64, path: [UInt8], cpu: Int32, depth: UInt32, way: Way, isApart: Bool) {
      self.device = device
      self.path = path
      self.cpu = cpu
      self.depth = depth
      self.way = way
      self.isApart = isApart
    }
  }

  /// What became of an order.
  public struct Answer: Sendable {
    /// As ordered.
    public var device: UInt64
    /// Who did it.
    public var pid: Int32
    /// Why it was not done; nil where it was. ESTALE: another file system is there now.
    public var error: Errno?
    /// CLOCK_MONOTONIC before and after it.
    public var time: ClosedRange<UInt64>
  }

  /// The process whose descendants carry the orders out.
  public let process: ChildProcess
  private let orders: OwnedDescriptor
  private let answers: OwnedDescriptor

  /// Starts the process: `program` with a handover that names the two pipes, for `serve`.
  ///
  /// - Throws: errors of pipe(2) and posix_spawn(3).
  public init(
    program: String, variable: (_ orders: Int32, _ answers: Int32) -> (name: String, value: String)
  ) throws(Errno) {
    let orders = try Pipe()
    let answers = try Pipe()
    process = try ChildProcess(
      program, [program], variable: variable(orders.output.raw, answers.input.raw),
      inheriting: [orders.output.raw, answers.input.raw])
    // Only the process holds the other ends, so that its end shows.
    self.orders = orders.input
    self.answers = answers.output
    self.orders.setNonBlocking()
  }

  deinit {
    // A process that has been waited for may have left its number to another.
    if hasEnded { return }
    process.signal(9)
    _ = process.awaitEnding()
  }

  private var hasEnded = false

  /// Whether the process has ended.
  public func isGone() -> Bool {
    if !hasEnded { hasEnded = process.ending() != nil }
    return hasEnded
  }

  /// The process's part: carries out orders until nobody gives any more.
  public static func serve(orders: borrowing OwnedDescriptor, answers: borrowing OwnedDescriptor) {
    cl_canary_serve(orders.raw, answers.raw)
  }

  /// Has the orders carried out and waits for the answers, at most so long. Orders without an answer were perhaps not
  /// carried out.
  ///
  /// - Throws: EPIPE where the process is gone (SIGPIPE must be ignored), ETIMEDOUT where it does not answer.
  public func carryOut(_ all: [Order], milliseconds: Int32) throws(Errno) -> [Answer] {
    drop()
    let deadline = Clock.monotonic.now + UInt64(milliseconds) * 1_000_000
    for order in all {
      var raw = cl_canary_order()
      raw.device = order.device
      raw.cpu = order.cpu
      raw.depth = max(1, order.depth)
      raw.way = order.way.rawValue
      raw.namespace_ = order.isApart ? 1 : 0
      guard order.path.count < MemoryLayout.size(ofValue: raw.path) else { continue }
      unsafe withUnsafeMutableBytes(of: &raw.path) { unsafe $0.copyBytes(from: order.path) }
      try give(unsafe withUnsafeBytes(of: &raw) { unsafe Array($0) }, before: deadline)
    }
    let poller = try Poller()
    try poller.add(answers.raw, tag: 1)
    var found: [Answer] = []
    while found.count < all.count, Clock.monotonic.now < deadline {
      _ = try poller.wait(milliseconds: 50)
      while let answer = next() { found.append(answer) }
    }
    if found.isEmpty, !all.isEmpty { throw .timedOut }
    return found
  }

  private func give(_ order: [UInt8], before deadline: UInt64) throws(Errno) {
    // An order fits the pipe's own unit of atomic writing: it goes in whole or not at all.
    while true {
      do throws(Errno) { return try orders.write(order) } catch {
        guard error == .wouldBlock else { throw error }
        guard Clock.monotonic.now < deadline else { throw .timedOut }
        sleepThread(nanoseconds: 1_000_000)
      }
    }
  }

  /// Answers that came too late for whoever asked.
  private func drop() { while next() != nil {} }

  private func next() -> Answer? {
    var raw = cl_canary_answer()
    let count = unsafe withUnsafeMutableBytes(of: &raw) { buffer in
      (try? unsafe answers.read(into: buffer)) ?? 0
    }
    guard count == MemoryLayout<cl_canary_answer>.size else { return nil }
    return Answer(
      device: raw.device, pid: raw.pid, error: raw.error == 0 ? nil : Errno(rawValue: raw.error),
      time: raw.before...max(raw.before, raw.after))
  }
}
