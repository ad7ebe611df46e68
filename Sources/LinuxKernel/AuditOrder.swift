internal import CLinux

/// What was asked of the machine's audit: while it stands, audit tells all that was asked for.
///
/// Rules can be removed, or something put before them, by anybody who may; records of that may be suppressed in turn. So
/// the kernel's own list is compared with this one.
public struct AuditOrder: Hashable, Sendable {
  /// The rules, those that spare the service among them.
  public var rules: [AuditRule]
  /// The process in the audit daemon's place, if it is this service's; 0 where the service listens beside another.
  public var owner: Int32

  /// An order of these rules.
  public init(rules: [AuditRule], owner: Int32) {
    self.rules = rules
    self.owner = owner
  }

  /// Why audit does not tell all that was asked for, by its state and its rules; empty where it does.
  public func faults(status: AuditStatus, rules there: [AuditRule]) -> [AuditFault] {
    faults(status) + faults(there)
  }

  /// Those that the state tells.
  public func faults(_ status: AuditStatus) -> [AuditFault] {
    var found: [AuditFault] = []
    if !status.isEnabled { found.append(.off) }
    if owner != 0, status.pid != owner { found.append(.replaced(by: status.pid)) }
    if status.rateLimit > 0 { found.append(.limited(perSecond: status.rateLimit)) }
    return found
  }

  /// Those that the rules tell.
  public func faults(_ there: [AuditRule]) -> [AuditFault] {
    var found: [AuditFault] = []
    let known = Set(there)
    // What only spares the service hides nothing when it is gone.
    let missing = rules.filter { $0.isAlways && !known.contains($0) }
    if let first = missing.first {
      found.append(.removed(count: missing.count, of: rules.count(where: \.isAlways), first: first))
    }
    return found + there.indices.filter { Self.isHiding(there, at: $0) }.map { .hidden(by: there[$0]) }
  }

  /// Whether a rule of somebody else's keeps records of ours from being made: of its list, one that comes first.
  private static func isHiding(_ rules: [AuditRule], at index: Int) -> Bool {
    let rule = rules[index]
    guard rule.isSilencing, !rule.isHarmless else { return false }
    guard rule.list == .exit || rule.list == .ioUring else { return true }
    return rules[index...].contains { $0.isOurs && $0.isAlways && $0.list == rule.list && $0.overlaps(rule) }
  }

  // MARK: - For another process

  /// The order in memory that another process can be left.
  public func kept() throws(Errno) -> OwnedDescriptor {
    var bytes: [UInt8] = []
    for rule in rules {
      var length = [UInt8](repeating: 0, count: 4)
      length.store(UInt32(rule.bytes.count), at: 0)
      bytes += length + rule.bytes
    }
    let memory = OwnedDescriptor(adopting: try call { unsafe cl_memfd("alibi-audit-order") })
    try memory.write(bytes)
    return memory
  }

  /// Reads what `kept` gave.
  public init(_ memory: borrowing OwnedDescriptor, owner: Int32) throws(Errno) {
    let bytes = try Procfs.file("/proc/self/fd/\(memory.raw)", limit: 16 << 20)
    var rules: [AuditRule] = []
    var at = 0
    while at + 4 <= bytes.count {
      let end = at + 4 + Int(unsafe bytes.integer(UInt32.self, at: at))
      guard end <= bytes.count, let rule = AuditRule(bytes: Array(bytes[(at + 4)..<end])) else {
        throw .invalidArgument
      }
      rules.append(rule)
      at = end
    }
    self.init(rules: rules, owner: owner)
  }
}

/// Why audit does not tell all that was asked for.
public enum AuditFault: Hashable, Sendable, CustomStringConvertible {
  /// It is switched off.
  case off
  /// Another process, or none, is in the audit daemon's place.
  case replaced(by: Int32)
  /// This many records a second and no more are made.
  case limited(perSecond: UInt32)
  /// Rules are gone.
  case removed(count: Int, of: Int, first: AuditRule)
  /// Somebody's rule hides records.
  case hidden(by: AuditRule)

  /// Whether it is that another has the audit daemon's place.
  public var isReplacement: Bool { if case .replaced = self { true } else { false } }

  /// In words.
  public var description: String {
    switch self {
    case .off: "audit is switched off"
    case .replaced(let pid): "process \(pid) has the audit daemon's place"
    case .limited(let limit): "audit makes \(limit) records a second at most"
    case .removed(let count, let all, let first): "\(count) of \(all) rules are not there, the first: \(first)"
    case .hidden(let rule): "a rule hides records: \(rule)"
    }
  }
}

extension AuditRule {
  /// Whether both can be about the same call.
  func overlaps(_ other: AuditRule) -> Bool { zip(mask, other.mask).contains { $0 & $1 != 0 } }

  /// Whether what it keeps from being made is nothing that is read: kinds of records without meaning here, file systems
  /// without files.
  var isHarmless: Bool {
    fields.contains { field in
      guard field.comparison == .equal else { return false }
      switch Int32(truncatingIfNeeded: field.id) {
      case AUDIT_MSGTYPE: return !Self.neededTypes.contains(field.value)
      case AUDIT_FSTYPE: return Self.emptyFileSystems.contains(field.value)
      default: return false
      }
    }
  }

  /// SYSCALL, PATH, CONFIG_CHANGE, SOCKADDR, CWD, EXECVE, OBJ_PID, EOE, URINGOP, OPENAT2, and what a program says.
  private static let neededTypes: Set<UInt32> = [1300, 1302, 1305, 1306, 1307, 1309, 1318, 1320, 1336, 1337, 1121]
  /// tracefs and debugfs
  private static let emptyFileSystems: Set<UInt32> = [0x7472_6163, 0x6462_6720]
}

extension AuditControl {
  /// Loads what is missing of an order: those that spare the service in front of all others.
  ///
  /// - Returns: whether each is there now.
  public func reload(_ order: AuditOrder) throws(Errno) -> Bool {
    var isWhole = true
    for rule in try missing(of: order.rules) {
      do throws(Errno) { try add(rule, inFront: !rule.isAlways) } catch {
        if error != .fileExists { isWhole = false }
      }
    }
    return isWhole
  }
}
