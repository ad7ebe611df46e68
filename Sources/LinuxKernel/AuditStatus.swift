internal import CLinux

/// The state of the kernel's audit system, `struct audit_status`.
public struct AuditStatus: Hashable, Sendable {
  /// Whether records are made.
  public var isEnabled: Bool
  /// Whether nobody can alter rules and settings until the next boot (`-e 2`).
  public var isLocked: Bool
  /// What the kernel does about a lost record: 0 nothing, 1 a line in its log, 2 panic.
  public var failure: UInt32
  /// The process that records are sent to; 0 where there is none.
  public var pid: Int32
  /// How many records a second there may be; 0 for any number. What is above is lost.
  public var rateLimit: UInt32
  /// How many records may wait to be sent.
  public var backlogLimit: UInt32
  /// How many records were lost since boot, or since somebody reset the count: a fall is as bad as a rise.
  public var lost: UInt32
  /// How many records wait to be sent.
  public var backlog: UInt32
  /// How long a process that makes a record is held up where too many wait, in ticks of the kernel's.
  public var backlogWaitTime: UInt32

  init?(_ bytes: [UInt8]) {
    guard bytes.count >= 40 else { return nil }
    func word(_ offset: Int) -> UInt32 { unsafe bytes.integer(UInt32.self, at: offset) }
    isEnabled = word(4) != 0
    isLocked = word(4) == 2
    failure = word(8)
    pid = Int32(bitPattern: word(12))
    rateLimit = word(16)
    backlogLimit = word(20)
    lost = word(24)
    backlog = word(28)
    backlogWaitTime = word(36)
  }

  /// The payload of an AUDIT_SET of one number.
  static func request(_ mask: Int32, at offset: Int, _ value: UInt32) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: MemoryLayout<audit_status>.size)
    bytes.store(UInt32(bitPattern: mask), at: 0)
    bytes.store(value, at: offset)
    return bytes
  }
}

/// Why this machine's audit cannot be a witness, or not a whole one.
public enum AuditHindrance: Hashable, Sendable, CustomStringConvertible {
  /// The kernel has no audit, or was started with `audit=0`.
  case unsupported
  /// A capability is missing: CAP_AUDIT_CONTROL, or CAP_AUDIT_READ.
  case notPermitted
  /// Only the initial user and pid namespaces have audit.
  case namespaced
  /// Another process receives the records: they can only be listened to.
  case occupied(pid: Int32)
  /// Rules and settings are locked until the next boot.
  case locked(isEnabled: Bool)
  /// This many records a second and no more are made.
  case limited(perSecond: UInt32)
  /// Somebody's rule takes records away, or keeps them from being made.
  case silenced(by: AuditRule)
  /// A system call failed.
  case failed(Errno)

  /// What stands in the way of `init` of a socket or of a request.
  public init(_ error: Errno) {
    switch error.rawValue {
    case EPROTONOSUPPORT, EAFNOSUPPORT: self = .unsupported
    case EPERM: self = .notPermitted
    case ECONNREFUSED: self = .namespaced
    default: self = .failed(error)
    }
  }

  /// Everything that is in the way on this machine, for a process that wants to be owner; empty where nothing is.
  public static func all(owner pid: Int32 = 0) -> [AuditHindrance] {
    do throws(Errno) {
      let control = try AuditControl()
      return all(status: try control.status(), rules: try control.rules(), owner: pid)
    } catch {
      return [AuditHindrance(error)]
    }
  }

  /// What is in the way according to this state and these rules.
  public static func all(status: AuditStatus, rules: [AuditRule], owner pid: Int32) -> [AuditHindrance] {
    var found: [AuditHindrance] = []
    if status.pid != 0, status.pid != pid { found.append(.occupied(pid: status.pid)) }
    if status.isLocked { found.append(.locked(isEnabled: status.isEnabled)) }
    if status.rateLimit > 0 { found.append(.limited(perSecond: status.rateLimit)) }
    return found + rules.filter(\.isSilencing).map { .silenced(by: $0) }
  }

  /// Whether audit tells nothing at all because of it.
  public var isTotal: Bool {
    switch self {
    case .unsupported, .notPermitted, .namespaced, .failed, .locked(isEnabled: false): true
    case .occupied, .locked(isEnabled: true), .limited, .silenced: false
    }
  }

  /// The feature of the kernel's that it is about.
  public var feature: String {
    switch self {
    case .unsupported: "CONFIG_AUDITSYSCALL, and no audit=0 on the kernel's command line"
    case .notPermitted: "CAP_AUDIT_CONTROL and CAP_AUDIT_READ"
    case .namespaced: "audit in the initial user and pid namespaces"
    case .occupied: "the audit daemon's place (AUDIT_STATUS_PID)"
    case .locked: "audit rules that can be changed (enabled 1)"
    case .limited: "audit without a rate limit"
    case .silenced: "audit rules that hide nothing"
    case .failed: "NETLINK_AUDIT"
    }
  }

  /// What is not seen because of it.
  public var lost: String {
    switch self {
    case .unsupported, .notPermitted, .namespaced, .failed:
      "arguments of executions, denied attempts, changes of privilege, connections, tracing of processes"
    case .occupied: "nothing while reading keeps up; records that the kernel sends again to the other daemon alone"
    case .locked(true): "what the rules in place do not cover"
    case .locked(false): "everything that audit sees, until the next boot"
    case .limited: "records above the limit; the count of lost records tells of them"
    case .silenced: "what that rule matches"
    }
  }

  /// One line for people.
  public var description: String {
    switch self {
    case .unsupported: "the kernel has no audit"
    case .notPermitted: "no permission to use audit"
    case .namespaced: "audit is not to be had in a namespace"
    case .occupied(let pid): "process \(pid) receives audit's records"
    case .locked(let isEnabled): "audit is locked \(isEnabled ? "on" : "off") until the next boot"
    case .limited(let limit): "audit makes \(limit) records a second at most"
    case .silenced(let rule): "a rule hides records: \(rule)"
    case .failed(let error): "audit failed: \(error)"
    }
  }
}
