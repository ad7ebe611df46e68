/// One record of the kernel's audit system: a netlink message whose payload is text, `audit(SEC.MSEC:SERIAL): …`.
///
/// No bytes are copied: what the record says are places in the buffer. Its fields are read by the types named after
/// kinds of records.
public struct AuditRecord: Hashable, Sendable {
  /// What kind.
  public var type: AuditType
  /// When, and which event it belongs to; nil where the payload is no text.
  public var stamp: AuditStamp?
  /// The fields: what stands behind the stamp.
  public var body: Range<Int>

  /// `sizeof(struct nlmsghdr)`
  public static let headerSize = 16

  /// Decodes the record at `offset` and moves past it, to the next multiple of four; nil at the end of the buffer.
  public static func next(in bytes: RawSpan, at offset: inout Int) throws(DecodeError) -> AuditRecord? {
    let have = bytes.byteCount - offset
    guard have > 0 else { return nil }
    guard have >= headerSize else { throw .truncated(needed: headerSize, have: have) }
    let length = Int(bytes.integer(UInt32.self, at: offset))
    guard length >= headerSize else { throw .inconsistent }
    let padded = (length + 3) & ~3
    guard padded <= have else { throw .truncated(needed: padded, have: have) }
    let type = AuditType(rawValue: bytes.integer(UInt16.self, at: offset + 4))
    var end = offset + length
    // What programs send may end with a NUL or a newline.
    if type.isText {
      while end > offset + headerSize, bytes.isIgnored(at: end - 1) { end -= 1 }
    }
    var start = offset + headerSize
    var stamp: AuditStamp?
    if type.isText {
      stamp = AuditStamp(in: bytes, at: &start, before: end)
      if stamp == nil { throw .inconsistent }
    }
    offset += padded
    return AuditRecord(type: type, stamp: stamp, body: start..<end)
  }

  /// Of an AUDIT_REPLACE: the process that asked for the place of the audit daemon.
  public func replacer(in bytes: RawSpan) -> Int32? {
    type == .replace && body.count >= 4 ? bytes.integer(Int32.self, at: body.lowerBound) : nil
  }

  /// The fields, one after the other.
  public var fields: AuditFields { AuditFields(body) }
}

/// When an event began and its number; equal for all records of one event.
public struct AuditStamp: Hashable, Sendable {
  /// The wall clock, in milliseconds since 1970, as coarse as the kernel's tick.
  public var milliseconds: UInt64
  /// Unique together with the time; it begins anew with each boot.
  public var serial: UInt64

  /// A stamp of these numbers.
  public init(milliseconds: UInt64, serial: UInt64) {
    self.milliseconds = milliseconds
    self.serial = serial
  }

  /// Reads `audit(SEC.MSEC:SERIAL): ` at `offset` and moves past it, but not past `end`.
  init?(in bytes: RawSpan, at offset: inout Int, before end: Int) {
    var at = offset
    guard bytes.skip("audit(", at: &at, before: end),
      let seconds = bytes.decimal(at: &at, before: end), seconds < 1 << 50,
      bytes.skip(".", at: &at, before: end),
      let milliseconds = bytes.decimal(at: &at, before: end), milliseconds < 1000,
      bytes.skip(":", at: &at, before: end),
      let serial = bytes.decimal(at: &at, before: end), bytes.skip("):", at: &at, before: end)
    else { return nil }
    // A record without fields may lack the space.
    _ = bytes.skip(" ", at: &at, before: end)
    self.milliseconds = seconds * 1000 + milliseconds
    self.serial = serial
    offset = at
  }
}

/// What kind of record, `AUDIT_*` of linux/audit.h.
public struct AuditType: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
  /// As in linux/audit.h.
  public let rawValue: UInt16

  /// The type of this number.
  public init(rawValue: UInt16) { self.rawValue = rawValue }

  /// AUDIT_SYSCALL
  public static let systemCall = AuditType(rawValue: 1300)
  /// AUDIT_PATH
  public static let path = AuditType(rawValue: 1302)
  /// AUDIT_CONFIG_CHANGE
  public static let configChange = AuditType(rawValue: 1305)
  /// AUDIT_SOCKADDR
  public static let socketAddress = AuditType(rawValue: 1306)
  /// AUDIT_CWD
  public static let workingDirectory = AuditType(rawValue: 1307)
  /// AUDIT_EXECVE
  public static let execve = AuditType(rawValue: 1309)
  /// AUDIT_OBJ_PID: the process that a signal or ptrace was meant for
  public static let objectProcess = AuditType(rawValue: 1318)
  /// AUDIT_EOE: the end of an event
  public static let endOfEvent = AuditType(rawValue: 1320)
  /// AUDIT_BPRM_FCAPS: an execution gave effective capabilities
  public static let executionCapabilities = AuditType(rawValue: 1321)
  /// AUDIT_CAPSET
  public static let capset = AuditType(rawValue: 1322)
  /// AUDIT_PROCTITLE
  public static let processTitle = AuditType(rawValue: 1327)
  /// AUDIT_REPLACE: somebody asked for the place of the audit daemon
  public static let replace = AuditType(rawValue: 1329)
  /// AUDIT_URINGOP
  public static let ringOperation = AuditType(rawValue: 1336)
  /// AUDIT_OPENAT2: the flags of an openat2
  public static let openat2 = AuditType(rawValue: 1337)
  /// AUDIT_TRUSTED_APP: what a program says that may
  public static let trustedProgram = AuditType(rawValue: 1121)
  /// AUDIT_LOGIN: a login uid was set
  public static let login = AuditType(rawValue: 1006)

  /// Whether a program sent it: AUDIT_USER and the ranges set apart for programs.
  public var isFromProgram: Bool {
    rawValue == 1005 || (1100..<1200).contains(rawValue) || (2100..<3000).contains(rawValue)
  }

  /// Whether the payload begins with a stamp; answers to requests do not.
  var isText: Bool { self == .login || rawValue == 1005 || (rawValue >= 1100 && self != .replace) }
}
