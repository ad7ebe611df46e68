/// An AUDIT_PATH: one name that a system call looked up, and what it led to.
public struct AuditPath: Hashable, Sendable {
  /// What part the name played.
  public enum Role: Hashable, Sendable {
    /// `NORMAL`: it was there.
    case normal
    /// `PARENT`: the directory of another item.
    case parent
    /// `DELETE`
    case deleted
    /// `CREATE`
    case created
    /// `UNKNOWN`, or one that this version does not know: the look-up failed.
    case unknown
  }

  /// Its place among the event's items, from 0.
  public var item: Int32 = -1
  /// As the program gave it: not from the root, and through symbolic links. Nil where it gave none.
  public var name: AuditText?
  /// The inode; nil where the look-up failed.
  public var inode: UInt64?
  /// `st_dev`, major in the upper and minor in the lower 32 bits; nil where the look-up failed.
  public var device: UInt64?
  /// `st_mode`; 0 where it is not told.
  public var mode: UInt32 = 0
  /// The owner.
  public var owner: UInt32 = .max
  /// What part it played.
  public var role = Role.unknown

  /// Reads the fields of the record; nil where it is of another kind.
  public init?(_ record: AuditRecord, in bytes: RawSpan) {
    guard record.type == .path else { return nil }
    var fields = record.fields
    while let field = fields.next(in: bytes) {
      guard let name = AuditName(field.name, in: bytes) else { continue }
      switch name {
      case .item: item = field.text.decimal(in: bytes) ?? -1
      case .name: self.name = field.text.untrusted(in: bytes)
      case .inode: inode = field.text.decimal(in: bytes)
      case .dev: device = Self.device(field.text.range, in: bytes)
      case .mode: mode = field.text.digits(base: 8, in: bytes).flatMap { UInt32(exactly: $0) } ?? 0
      case .ouid: owner = field.text.decimal(in: bytes) ?? .max
      case .nametype: role = Self.role(field.text.range, in: bytes)
      default: break
      }
    }
  }

  /// `fd:01`, both in hexadecimal.
  private static func device(_ range: Range<Int>, in bytes: RawSpan) -> UInt64? {
    guard let colon = bytes.first(UInt8(ascii: ":"), in: range),
      let major = AuditText(range: range.lowerBound..<colon, form: .plain).digits(base: 16, in: bytes),
      let minor = AuditText(range: (colon + 1)..<range.upperBound, form: .plain).digits(base: 16, in: bytes),
      major <= UInt64(UInt32.max), minor <= UInt64(UInt32.max)
    else { return nil }
    return major << 32 | minor
  }

  private static func role(_ range: Range<Int>, in bytes: RawSpan) -> Role {
    if bytes.equals("NORMAL", range) { return .normal }
    if bytes.equals("PARENT", range) { return .parent }
    if bytes.equals("DELETE", range) { return .deleted }
    return bytes.equals("CREATE", range) ? .created : .unknown
  }
}

/// The one text of an AUDIT_CWD or an AUDIT_PROCTITLE.
public enum AuditNote {
  /// The working directory.
  public static func workingDirectory(_ record: AuditRecord, in bytes: RawSpan) -> AuditText? {
    record.type == .workingDirectory ? find(.cwd, record, in: bytes) : nil
  }

  /// The command line as the process shows it, each argument ended by a NUL but for the last; the first 128 bytes of
  /// it, and the process can write there what it likes.
  public static func processTitle(_ record: AuditRecord, in bytes: RawSpan) -> AuditText? {
    record.type == .processTitle ? find(.proctitle, record, in: bytes) : nil
  }

  private static func find(_ wanted: AuditName, _ record: AuditRecord, in bytes: RawSpan) -> AuditText? {
    var fields = record.fields
    while let field = fields.next(in: bytes) {
      if AuditName(field.name, in: bytes) == wanted { return field.text.untrusted(in: bytes) }
    }
    return nil
  }
}

/// The address in an AUDIT_SOCKADDR.
public enum AuditAddress: Hashable, Sendable {
  /// AF_UNIX: a path, or, beginning behind its NUL, a name in the abstract namespace; empty where there is none.
  case unix(AuditText, isAbstract: Bool)
  /// AF_INET
  case ipv4(UInt32, port: UInt16)
  /// AF_INET6
  case ipv6(high: UInt64, low: UInt64, port: UInt16)
  /// Another family, or one cut short.
  case other(family: UInt16)

  /// Reads the record; nil where it is of another kind or has no address.
  public init?(_ record: AuditRecord, in bytes: RawSpan) {
    guard record.type == .socketAddress else { return nil }
    var fields = record.fields
    while let field = fields.next(in: bytes) {
      guard AuditName(field.name, in: bytes) == .saddr else { continue }
      guard let text = field.text.untrusted(in: bytes), text.form == .hexadecimal, text.count >= 2 else { return nil }
      self.init(text, in: bytes)
      return
    }
    return nil
  }

  private init(_ text: AuditText, in bytes: RawSpan) {
    func big(_ start: Int, _ count: Int) -> UInt64 {
      (start..<(start + count)).reduce(0) { $0 << 8 | UInt64(text.byte($1, in: bytes)) }
    }
    // The family is in the machine's order, as everything else that is not an address.
    let family = UInt16(text.byte(0, in: bytes)) | UInt16(text.byte(1, in: bytes)) << 8
    let native = UInt16(littleEndian: family)
    switch native {
    case 1:
      let start = 2 + (text.count > 2 && text.byte(2, in: bytes) == 0 ? 1 : 0)
      var end = text.count
      if start == 2, let terminator = (2..<end).first(where: { text.byte($0, in: bytes) == 0 }) { end = terminator }
      let place = (text.range.lowerBound + 2 * start)..<(text.range.lowerBound + 2 * max(end, start))
      self = .unix(AuditText(range: place, form: .hexadecimal), isAbstract: start == 3)
    case 2 where text.count >= 8:
      self = .ipv4(UInt32(big(4, 4)), port: UInt16(big(2, 2)))
    case 10 where text.count >= 24:
      self = .ipv6(high: big(8, 8), low: big(16, 8), port: UInt16(big(2, 2)))
    default: self = .other(family: native)
    }
  }

  /// Whether it is this machine's own: 127.0.0.0/8, ::1, or the same written as an IPv6 address.
  public var isLoopback: Bool {
    switch self {
    case .ipv4(let address, _): address >> 24 == 127
    case .ipv6(0, 1, _): true
    case .ipv6(0, let low, _): low >> 32 == 0xffff && low >> 24 & 0xff == 127
    default: false
    }
  }
}

/// An AUDIT_OBJ_PID: the process that the call was about.
public struct AuditObject: Hashable, Sendable {
  /// Its id.
  public var pid: Int32 = 0
  /// Its login uid.
  public var loginUser: UInt32 = .max
  /// Its uid.
  public var user: UInt32 = .max
  /// Its name.
  public var name: AuditText?

  /// Reads the fields of the record; nil where it is of another kind.
  public init?(_ record: AuditRecord, in bytes: RawSpan) {
    guard record.type == .objectProcess else { return nil }
    var fields = record.fields
    while let field = fields.next(in: bytes) {
      guard let name = AuditName(field.name, in: bytes) else { continue }
      switch name {
      case .opid: pid = field.text.decimal(in: bytes) ?? 0
      case .oauid: loginUser = field.text.decimal(in: bytes) ?? .max
      case .ouid: user = field.text.decimal(in: bytes) ?? .max
      case .ocomm: self.name = field.text.untrusted(in: bytes)
      default: break
      }
    }
  }
}

/// An AUDIT_BPRM_FCAPS or an AUDIT_CAPSET: the capabilities that a process has from here on. In which user namespace they hold is
/// not told.
public struct AuditCapabilities: Hashable, Sendable {
  /// What it may use.
  public var permitted: Capabilities = []
  /// What it uses.
  public var effective: Capabilities = []
  /// What it may use before an execution; nil for a capset.
  public var oldPermitted: Capabilities?
  /// What it used before an execution; nil for a capset.
  public var oldEffective: Capabilities?
  /// What the program's file may have given: root has more without it, and in a namespace of its own, too.
  public var ofFile: Capabilities = []

  /// What the file gave, of what the process has now.
  public var gained: Capabilities { permitted.union(effective).intersection(ofFile) }

  /// Reads the fields of the record; nil where it is of another kind.
  public init?(_ record: AuditRecord, in bytes: RawSpan) {
    guard record.type == .executionCapabilities || record.type == .capset else { return nil }
    var fields = record.fields
    while let field = fields.next(in: bytes) {
      guard let name = AuditName(field.name, in: bytes) else { continue }
      let value = field.text.digits(base: 16, in: bytes).map(Capabilities.init(rawValue:))
      switch name {
      case .pp, .capPp: permitted = value ?? []
      case .pe, .capPe: effective = value ?? []
      case .oldPp: oldPermitted = value
      case .oldPe: oldEffective = value
      case .fp, .fi: ofFile.formUnion(value ?? [])
      default: break
      }
    }
  }
}

extension AuditName {
  static let pp = AuditName("pp")
  static let capPp = AuditName("cap_pp")
  static let pe = AuditName("pe")
  static let capPe = AuditName("cap_pe")
  static let oldPp = AuditName("old_pp")
  static let oldPe = AuditName("old_pe")
  static let fp = AuditName("fp")
  static let fi = AuditName("fi")
  static let item = AuditName("item")
  static let name = AuditName("name")
  static let inode = AuditName("inode")
  static let dev = AuditName("dev")
  static let mode = AuditName("mode")
  static let ouid = AuditName("ouid")
  static let nametype = AuditName("nametype")
  static let cwd = AuditName("cwd")
  static let proctitle = AuditName("proctitle")
  static let saddr = AuditName("saddr")
  static let opid = AuditName("opid")
  static let oauid = AuditName("oauid")
  static let ocomm = AuditName("ocomm")
}
