internal import Decode
public import LinuxKernel

/// Which witnesses could be opened, and why not.
public struct Witnesses: Sendable {
  /// Why there are no perf task records; nil where there are.
  public var perfMissing: Errno?
  /// Why there is no process connector; nil where there is.
  public var connectorMissing: Errno?
  /// Why nobody tells of other processes' memory; nil where somebody does.
  public var memoryMissing: Errno?
  /// Why audit is no witness; nil where it is.
  public var auditMissing: String?
}

/// The kernel's sources: opened once, and handed from one recorder to the next. What the kernel queues while nobody
/// reads stays in them.
public final class CaptureSources: Sendable {
  let identity: FanotifyGroup
  let descriptors: FanotifyGroup?
  /// Watches /proc, through which other processes' memory is reached.
  let memory: FanotifyGroup?
  /// Tells of mounts where the kernel can (Linux 6.14).
  let mounts: FanotifyGroup?
  let perf: [PerfTaskRing]
  /// Bytes of task records of each CPU.
  let perfBytes: Int
  let connector: ProcessConnector?
  /// The audit system; nil where it is not to be used, or cannot be.
  public let audit: AuditWitness?
  /// CLOCK_MONOTONIC before the first of them was opened.
  let opened: UInt64
  /// What could not be opened.
  public let witnesses: Witnesses

  /// Opens every source. Lineage comes first, so that whoever is missed by it is found in /proc.
  ///
  /// - Throws: EPERM without root; EINVAL where the kernel lacks fanotify's FAN_REPORT_TARGET_FID (Linux 5.17).
  ///
  /// - Parameter warn: told of what makes a witness tell less than it could.
  public init(_ options: CaptureOptions, warn: (String) -> Void) throws(Errno) {
    opened = Clock.monotonic.now
    var missing = Witnesses()
    var rings: [PerfTaskRing] = []
    var bytes = options.perfBytes
    do {
      let cpus = try Procfs.onlineCPUs()
      while bytes > 128 << 10, bytes * cpus.count > options.perfBudget { bytes /= 2 }
      for cpu in cpus { rings.append(try PerfTaskRing(cpu: cpu, bytes: bytes)) }
    } catch {
      rings.removeAll()
      missing.perfMissing = error
    }
    perf = rings
    perfBytes = bytes
    do {
      connector = try ProcessConnector(receiveBuffer: options.connectorBytes)
    } catch {
      connector = nil
      missing.connectorMissing = error
    }
    do throws(AuditProblem) {
      guard let plan = options.audit else { throw AuditProblem("not asked for") }
      audit = try AuditWitness(rules: plan.rules, places: plan.places, note: plan.note, warn: warn)
    } catch {
      audit = nil
      missing.auditMissing = error.description
    }
    let watch: FanotifyGroup?
    (identity, descriptors, watch) = try Self.withQueueLength(options.queueLength) { () throws(Errno) in
      (try FanotifyGroup(.identity), try? FanotifyGroup(.descriptor), try? FanotifyGroup(.descriptor))
    }
    do throws(Errno) {
      guard let watch else { throw .notSupported }
      try watch.mark(.fileSystem, mask: FanotifyMask.memory.rawValue, path: Self.processes)
      memory = watch
    } catch {
      memory = nil
      missing.memoryMissing = error
    }
    witnesses = missing
    mounts = try? FanotifyGroup(.mounts)
  }

  /// Takes over what another process opened.
  ///
  /// - Throws: EBADF where the handover does not name what it must; errors of mmap(2).
  public init(_ handover: inout Handover) throws(Errno) {
    guard let identity = handover.take("identity") else { throw .badDescriptor }
    self.identity = FanotifyGroup(adopting: identity)
    descriptors = Self.group(handover.take("descriptors"))
    memory = Self.group(handover.take("memory"))
    mounts = Self.group(handover.take("mounts"))
    if let raw = handover.take("connector") { connector = ProcessConnector(adopting: raw) } else { connector = nil }
    if let raw = handover.take("audit"), let order = handover.take("audit-order") {
      audit = try AuditWitness(
        adopting: raw, order: order, owner: Int32(truncatingIfNeeded: handover["audit-owner"] ?? 0))
    } else {
      audit = nil
    }
    perfBytes = Int(handover["perf-bytes"] ?? 0)
    opened = UInt64(handover["opened"] ?? 0)
    var rings: [PerfTaskRing] = []
    for cpu in handover.cpus {
      guard let raw = handover.take("perf.\(cpu)") else { continue }
      rings.append(try PerfTaskRing(adopting: raw, cpu: cpu, bytes: perfBytes))
    }
    perf = rings
    witnesses = Witnesses(
      perfMissing: handover["perf-missing"].map { Errno(rawValue: Int32(truncatingIfNeeded: $0)) },
      connectorMissing: handover["connector-missing"].map { Errno(rawValue: Int32(truncatingIfNeeded: $0)) },
      memoryMissing: memory == nil ? .notSupported : nil,
      auditMissing: audit == nil ? "not asked for, or refused when the service started" : nil)
  }

  /// Where the mark for memory is.
  static let processes = Array("/proc".utf8)

  private static func group(_ descriptor: consuming OwnedDescriptor?) -> FanotifyGroup? {
    guard let descriptor = consume descriptor else { return nil }
    return FanotifyGroup(adopting: descriptor)
  }

  /// Names everything another process needs to take over.
  public func describe(in handover: inout Handover) {
    handover.give("identity", identity.descriptor.raw)
    if let raw = descriptors?.descriptor.raw { handover.give("descriptors", raw) }
    if let raw = memory?.descriptor.raw { handover.give("memory", raw) }
    if let raw = mounts?.descriptor.raw { handover.give("mounts", raw) }
    if let raw = connector?.descriptor.raw { handover.give("connector", raw) }
    if let audit {
      handover.give("audit", audit.source.descriptor.raw)
      handover["audit-owner"] = Int64(audit.owner)
      handover.give("audit-order", audit.kept.raw)
    }
    for ring in perf { handover.give("perf.\(ring.cpu)", ring.descriptor.raw) }
    handover["perf-bytes"] = Int64(perfBytes)
    handover["opened"] = Int64(opened)
    handover["perf-missing"] = witnesses.perfMissing.map { Int64($0.rawValue) }
    handover["connector-missing"] = witnesses.connectorMissing.map { Int64($0.rawValue) }
  }

  /// Opens something while `fs.fanotify.max_queued_events` is `length`, and puts the setting back.
  private static func withQueueLength<R>(
    _ length: Int, _ body: () throws(Errno) -> R
  ) throws(Errno) -> R {
    let setting = "/proc/sys/fs/fanotify/max_queued_events"
    let before = (try? Procfs.file(setting)).map { String(decoding: $0, as: UTF8.self) }
    try? Procfs.write(setting, "\(length)")
    defer { if let before { try? Procfs.write(setting, before) } }
    return try body()
  }
}

/// What one process of the service leaves to another: descriptors, which it inherits, and numbers, by name.
///
/// As text `identity=5 perf.0=6 +opened=123 …`: a `+` before what is a number and no descriptor.
public struct Handover: Sendable {
  /// The environment variable that holds the text.
  public static let variable = "ALIBI_HANDOVER"

  private var descriptors: [String: Int32] = [:]
  private var numbers: [String: Int64] = [:]

  /// Nothing yet.
  public init() {}

  /// What the text says; nil where it is none.
  public init?(_ text: String) {
    for word in text.split(separator: " ") {
      let parts = word.split(separator: "=", maxSplits: 1)
      guard parts.count == 2, let value = Int64(parts[1]) else { return nil }
      if parts[0].first == "+" {
        numbers[String(parts[0].dropFirst())] = value
      } else {
        guard let raw = Int32(exactly: value), raw > 2 else { return nil }
        descriptors[String(parts[0])] = raw
      }
    }
  }

  /// The text.
  public var text: String {
    let words = descriptors.map { "\($0.key)=\($0.value)" } + numbers.map { "+\($0.key)=\($0.value)" }
    return words.sorted().joined(separator: " ")
  }

  /// The descriptors that must be inherited.
  public var inherited: [Int32] { descriptors.values.sorted() }

  /// A number.
  public subscript(name: String) -> Int64? {
    get { numbers[name] }
    set { numbers[name] = newValue }
  }

  /// Names a descriptor, which stays the giver's.
  public mutating func give(_ name: String, _ raw: Int32) { descriptors[name] = raw }

  /// Takes a descriptor that was inherited; nil where none was given.
  public mutating func take(_ name: String) -> OwnedDescriptor? {
    guard let raw = descriptors.removeValue(forKey: name) else { return nil }
    return OwnedDescriptor(adopting: raw, closingOnExec: true)
  }

  /// The CPUs whose task records are given.
  var cpus: [Int32] {
    descriptors.keys.compactMap { $0.hasPrefix("perf.") ? Int32($0.dropFirst(5)) : nil }.sorted()
  }
}
