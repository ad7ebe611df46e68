internal import CLinux
internal import Synchronization

/// A socket for requests to the kernel's audit system (NETLINK_AUDIT): state and rules. No records arrive on it.
///
/// One request at a time; answers are matched to theirs by number.
public final class AuditControl: Sendable {
  private let descriptor: OwnedDescriptor
  /// The number of the last request.
  private let number = Mutex<UInt32>(0)

  /// Opens the socket.
  ///
  /// - Throws: EPROTONOSUPPORT on a kernel without audit, or one that was started with `audit=0`.
  public init() throws(Errno) {
    descriptor = OwnedDescriptor(adopting: try call { cl_audit_open(0, 0) })
  }

  /// AUDIT_GET
  ///
  /// - Throws: EPERM without CAP_AUDIT_CONTROL, ECONNREFUSED in a user namespace.
  public func status() throws(Errno) -> AuditStatus {
    let answers = try ask(UInt16(AUDIT_GET), [])
    guard let answer = answers.first, let status = AuditStatus(answer) else { throw .invalidArgument }
    return status
  }

  /// AUDIT_SET of what may be altered; what is nil stays.
  ///
  /// - Throws: EPERM where the settings are locked until the next boot, or without CAP_AUDIT_CONTROL.
  public func set(
    isEnabled: Bool? = nil, backlogLimit: UInt32? = nil, backlogWaitTime: UInt32? = nil
  ) throws(Errno) {
    // One at a time: the kernel stops at the first that it refuses.
    if let backlogLimit { try set(AUDIT_STATUS_BACKLOG_LIMIT, at: 20, backlogLimit) }
    if let backlogWaitTime { try set(AUDIT_STATUS_BACKLOG_WAIT_TIME, at: 36, backlogWaitTime) }
    if let isEnabled { try set(AUDIT_STATUS_ENABLED, at: 4, isEnabled ? 1 : 0) }
  }

  /// Sends a message of a program's, AUDIT_TRUSTED_APP. Its record comes behind all that were made before this call: who
  /// sees it has seen them.
  ///
  /// - Throws: EPERM without CAP_AUDIT_WRITE. Where audit is off, nothing comes, and nothing is thrown.
  public func tell(_ message: String) throws(Errno) {
    _ = try ask(1121, Array(message.utf8) + [0])
  }

  private func ask(_ type: UInt16, _ payload: [UInt8]) throws(Errno) -> [[UInt8]] {
    try number.withLock { number throws(Errno) in
      number &+= 1
      return try descriptor.converse(type, number, payload)
    }
  }

  private func set(_ mask: Int32, at offset: Int, _ value: UInt32) throws(Errno) {
    _ = try ask(UInt16(AUDIT_SET), AuditStatus.request(mask, at: offset, value))
  }

  /// AUDIT_LIST_RULES: every rule, whoever added it, in the order in which each list is gone through.
  public func rules() throws(Errno) -> [AuditRule] {
    try ruleBytes().compactMap { AuditRule(bytes: $0) }
  }

  /// The same as the kernel writes them, `struct audit_rule_data` each: for who only wants to know whether they changed.
  public func ruleBytes() throws(Errno) -> [[UInt8]] { try ask(UInt16(AUDIT_LIST_RULES), []) }

  /// Those of the rules that the kernel does not have, any more or yet.
  public func missing(of rules: [AuditRule]) throws(Errno) -> [AuditRule] {
    let there = Set(try self.rules())
    return rules.filter { !there.contains($0) }
  }

  /// AUDIT_ADD_RULE, behind the others of its list or, AUDIT_FILTER_PREPEND, in front of them.
  ///
  /// - Throws: EEXIST where it is there already, EINVAL where this kernel does not know a field, EPERM where the
  ///   settings are locked, ENOENT where a watched directory is not there.
  public func add(_ rule: AuditRule, inFront: Bool = false) throws(Errno) {
    var bytes = rule.bytes
    if inFront { bytes.store(rule.list.rawValue | UInt32(AUDIT_FILTER_PREPEND), at: 0) }
    _ = try ask(UInt16(AUDIT_ADD_RULE), bytes)
  }

  /// Adds rules; those that are there already stay.
  ///
  /// - Returns: those that the kernel refused, and why. What they would show is not seen.
  public func load(_ rules: [AuditRule]) -> [(rule: AuditRule, error: Errno)] {
    var refused: [(AuditRule, Errno)] = []
    for rule in rules {
      do throws(Errno) { try add(rule) } catch { if error != .fileExists { refused.append((rule, error)) } }
    }
    return refused
  }

  /// AUDIT_DEL_RULE
  ///
  /// - Throws: ENOENT where there is none such.
  public func delete(_ rule: AuditRule) throws(Errno) {
    _ = try ask(UInt16(AUDIT_DEL_RULE), rule.bytes)
  }
}

extension OwnedDescriptor {
  /// Sends a request and returns the payloads of its answers; ETIMEDOUT where the kernel says nothing for 2 s.
  borrowing func converse(_ type: UInt16, _ number: UInt32, _ payload: [UInt8]) throws(Errno) -> [[UInt8]] {
    let raw = self.raw
    _ = try call { unsafe cl_audit_send(raw, type, number, payload, UInt32(payload.count)) }
    var answers: [[UInt8]] = []
    var isAcknowledged = false
    var isComplete = type != UInt16(AUDIT_GET) && type != UInt16(AUDIT_LIST_RULES)
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while !isAcknowledged || !isComplete {
      guard try call({ cl_wait_readable(raw, 2000) }) > 0 else { throw .timedOut }
      let count = try call { unsafe cl_audit_receive(raw, &buffer, buffer.count) }
      guard count >= 16, unsafe buffer.integer(UInt32.self, at: 8) == number else { continue }
      switch unsafe Int32(buffer.integer(UInt16.self, at: 4)) {
      case NLMSG_ERROR:
        let error = unsafe buffer.integer(Int32.self, at: 16)
        guard error == 0 else { throw Errno(rawValue: -error) }
        isAcknowledged = true
      case NLMSG_DONE: isComplete = true
      case Int32(type):
        answers.append(Array(buffer[16..<count]))
        if type == UInt16(AUDIT_GET) { isComplete = true }
      default: break
      }
    }
    return answers
  }
}

extension [UInt8] {
  /// The integer at `offset` in the machine's byte order; zero past the end.
  @unsafe
  func integer<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, at offset: Int) -> T {
    guard offset + MemoryLayout<T>.size <= count else { return 0 }
    return unsafe withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: offset, as: type) }
  }
}
