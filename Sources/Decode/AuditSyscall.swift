/// An AUDIT_SYSCALL or an AUDIT_URINGOP: what was called, how it ended, and by whom.
public struct AuditSyscall: Hashable, Sendable {
  /// AUDIT_ARCH_*; 0 for an operation of io_uring.
  public var arch: UInt32 = 0
  /// The system call's number, or the operation's (`IORING_OP_*`).
  public var number: Int32 = -1
  /// Whether it was an operation of io_uring.
  public var isRingOperation = false
  /// `success=yes`; nil where the call had not ended.
  public var isSuccess: Bool?
  /// What it returned: a negative errno where it failed.
  public var exit: Int64?
  /// The first four arguments.
  public var a0: UInt64 = 0
  /// The second.
  public var a1: UInt64 = 0
  /// The third.
  public var a2: UInt64 = 0
  /// The fourth.
  public var a3: UInt64 = 0
  /// How many AUDIT_PATH records belong to the event.
  public var items: Int32 = 0
  /// Who called.
  public var caller = AuditCaller()
  /// The key of the rule that matched; several are separated by a byte 1. Nil where none did.
  public var key: AuditText?

  /// Reads the fields of the record; nil where it is of another kind or tells no number.
  public init?(_ record: AuditRecord, in bytes: RawSpan) {
    guard record.type == .systemCall || record.type == .ringOperation else { return nil }
    isRingOperation = record.type == .ringOperation
    var fields = record.fields
    while let field = fields.next(in: bytes) {
      guard let name = AuditName(field.name, in: bytes) else { continue }
      read(name, field.text, in: bytes)
    }
    guard number >= 0 else { return nil }
  }

  private mutating func read(_ name: AuditName, _ text: AuditText, in bytes: RawSpan) {
    switch name {
    case .arch: arch = text.digits(base: 16, in: bytes).flatMap { UInt32(exactly: $0) } ?? 0
    case .syscall, .uringOperation: number = text.decimal(in: bytes) ?? -1
    case .success: isSuccess = bytes.equals("yes", text.range)
    case .exit: exit = text.decimal(in: bytes)
    case .a0: a0 = text.digits(base: 16, in: bytes) ?? 0
    case .a1: a1 = text.digits(base: 16, in: bytes) ?? 0
    case .a2: a2 = text.digits(base: 16, in: bytes) ?? 0
    case .a3: a3 = text.digits(base: 16, in: bytes) ?? 0
    case .items: items = text.decimal(in: bytes) ?? 0
    case .key: key = text.untrusted(in: bytes)
    default: caller.read(name, text, in: bytes)
    }
  }
}

/// Who made a record: the credentials at that time. `UInt32.max` where a number is missing or was never set.
public struct AuditCaller: Hashable, Sendable {
  /// The parent's process id; 0 where it is not told.
  public var parent: Int32 = 0
  /// The process id, of whichever thread; 0 where it is not told.
  public var pid: Int32 = 0
  /// The login uid, which stays through su and sudo.
  public var loginUser: UInt32 = .max
  /// The real uid.
  public var user: UInt32 = .max
  /// The effective uid.
  public var effectiveUser: UInt32 = .max
  /// The saved uid.
  public var savedUser: UInt32 = .max
  /// The uid for file systems.
  public var fileUser: UInt32 = .max
  /// The real gid.
  public var group: UInt32 = .max
  /// The effective gid.
  public var effectiveGroup: UInt32 = .max
  /// The saved gid.
  public var savedGroup: UInt32 = .max
  /// The gid for file systems.
  public var fileGroup: UInt32 = .max
  /// The audit session, given at login.
  public var session: UInt32 = .max
  /// The terminal's name, as `pts0`.
  public var terminal: AuditText?
  /// The thread's name.
  public var name: AuditText?
  /// The executable's path, as the kernel resolves it.
  public var executable: AuditText?

  mutating func read(_ name: AuditName, _ text: AuditText, in bytes: RawSpan) {
    switch name {
    case .ppid: parent = text.decimal(in: bytes) ?? 0
    case .pid: pid = text.decimal(in: bytes) ?? 0
    case .auid: loginUser = text.decimal(in: bytes) ?? .max
    case .uid: user = text.decimal(in: bytes) ?? .max
    case .gid: group = text.decimal(in: bytes) ?? .max
    case .euid: effectiveUser = text.decimal(in: bytes) ?? .max
    case .suid: savedUser = text.decimal(in: bytes) ?? .max
    case .fsuid: fileUser = text.decimal(in: bytes) ?? .max
    case .egid: effectiveGroup = text.decimal(in: bytes) ?? .max
    case .sgid: savedGroup = text.decimal(in: bytes) ?? .max
    case .fsgid: fileGroup = text.decimal(in: bytes) ?? .max
    case .ses: session = text.decimal(in: bytes) ?? .max
    case .tty: terminal = text.named(in: bytes)
    case .comm: self.name = text.untrusted(in: bytes)
    case .exe: executable = text.untrusted(in: bytes)
    default: break
    }
  }
}

extension AuditText {
  /// A name that is never written in digits, such as a terminal's; nil for `(none)`.
  func named(in bytes: RawSpan) -> AuditText? {
    bytes.equals("(none)", range) || bytes.equals("?", range) || range.isEmpty ? nil : self
  }
}

extension AuditName {
  static let arch = AuditName("arch")
  static let syscall = AuditName("syscall")
  static let uringOperation = AuditName("uring_op")
  static let success = AuditName("success")
  static let exit = AuditName("exit")
  static let a0 = AuditName("a0")
  static let a1 = AuditName("a1")
  static let a2 = AuditName("a2")
  static let a3 = AuditName("a3")
  static let items = AuditName("items")
  static let key = AuditName("key")
  static let ppid = AuditName("ppid")
  static let pid = AuditName("pid")
  static let auid = AuditName("auid")
  static let uid = AuditName("uid")
  static let gid = AuditName("gid")
  static let euid = AuditName("euid")
  static let suid = AuditName("suid")
  static let fsuid = AuditName("fsuid")
  static let egid = AuditName("egid")
  static let sgid = AuditName("sgid")
  static let fsgid = AuditName("fsgid")
  static let ses = AuditName("ses")
  static let tty = AuditName("tty")
  static let comm = AuditName("comm")
  static let exe = AuditName("exe")
}
