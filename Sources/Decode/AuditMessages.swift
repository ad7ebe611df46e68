/// An AUDIT_CONFIG_CHANGE: audit itself was altered.
public struct AuditConfigChange: Hashable, Sendable {
  /// What was done, as `add_rule`, `remove_rule` or `set`.
  public var operation: AuditText?
  /// The setting that was altered, as `audit_enabled`: the name of its field.
  public var setting: Range<Int>?
  /// What it was made.
  public var value: Int64?
  /// What it was.
  public var old: Int64?
  /// The rule's key.
  public var key: AuditText?
  /// The rule's filter.
  public var list: Int32?
  /// Whether it was done.
  public var isSuccess: Bool?
  /// Who did it: no more than login uid and session, unless the event has an AUDIT_SYSCALL too.
  public var caller = AuditCaller()

  /// Reads the fields of the record; nil where it is of another kind.
  public init?(_ record: AuditRecord, in bytes: RawSpan) {
    guard record.type == .configChange else { return nil }
    var fields = record.fields
    while let field = fields.next(in: bytes) {
      let name = AuditName(field.name, in: bytes)
      switch name {
      case .op: operation = field.text.untrusted(in: bytes)
      case .key: key = field.text.untrusted(in: bytes)
      case .list: list = field.text.decimal(in: bytes)
      case .old: old = field.text.decimal(in: bytes)
      case .res: isSuccess = bytes.equals("1", field.text.range)
      default:
        if setting == nil, bytes.begins("audit_", field.name) || bytes.begins("lost", field.name) {
          setting = field.name
          value = field.text.decimal(in: bytes)
        } else if let name {
          caller.read(name, field.text, in: bytes)
        }
      }
    }
  }
}

/// An AUDIT_LOGIN: a process was given a login uid.
public struct AuditLogin: Hashable, Sendable {
  /// The process, and what its login uid and session are now.
  public var caller = AuditCaller()
  /// What its login uid was.
  public var oldUser: UInt32 = .max
  /// What its session was.
  public var oldSession: UInt32 = .max
  /// Whether it was done.
  public var isSuccess = false

  /// Reads the fields of the record; nil where it is of another kind.
  public init?(_ record: AuditRecord, in bytes: RawSpan) {
    guard record.type == .login else { return nil }
    var fields = record.fields
    while let field = fields.next(in: bytes) {
      guard let name = AuditName(field.name, in: bytes) else { continue }
      switch name {
      case .oldAuid: oldUser = field.text.decimal(in: bytes) ?? .max
      case .oldSes: oldSession = field.text.decimal(in: bytes) ?? .max
      case .res: isSuccess = bytes.equals("1", field.text.range)
      default: caller.read(name, field.text, in: bytes)
      }
    }
  }
}

/// What a program with CAP_AUDIT_WRITE told, such as an AUDIT_USER_AUTH of PAM's.
public struct AuditProgramMessage: Hashable, Sendable {
  /// The process, as the kernel knows it.
  public var caller = AuditCaller()
  /// What the program says, between the apostrophes: its word, and nobody else's.
  public var message: AuditText?

  /// Reads the fields of the record; nil where the kernel made it.
  public init?(_ record: AuditRecord, in bytes: RawSpan) {
    guard record.type.isFromProgram else { return nil }
    var fields = record.fields
    while let field = fields.next(in: bytes) {
      guard let name = AuditName(field.name, in: bytes) else { continue }
      if name == .msg {
        message = field.text
      } else if message == nil {
        caller.read(name, field.text, in: bytes)
      }
    }
  }

  /// The pairs in the message.
  public var fields: AuditFields { AuditFields(message?.range ?? 0..<0) }
}

/// Walks the arguments in an AUDIT_EXECVE. What is too long for one record goes on in further ones of the same event.
public struct AuditArguments: Hashable, Sendable {
  private var fields: AuditFields

  /// One argument, or a part of one.
  public struct Argument: Hashable, Sendable {
    /// Which, from 0.
    public var index: Int
    /// Which part of it, from 0; nil where it is whole.
    public var part: Int?
    /// The bytes.
    public var text: AuditText
  }

  /// The arguments of the record; nil where it is of another kind.
  public init?(_ record: AuditRecord) {
    guard record.type == .execve else { return nil }
    fields = record.fields
  }

  /// The next; nil at the end.
  public mutating func next(in bytes: RawSpan) -> Argument? {
    while let field = fields.next(in: bytes) {
      var at = field.name.lowerBound
      let end = field.name.upperBound
      guard bytes.skip("a", at: &at, before: end), let index = bytes.decimal(at: &at, before: end),
        let index = Int(exactly: index)
      else { continue }
      // An argument without bytes is "", so nothing that is one says (null).
      let text = field.text.untrusted(in: bytes) ?? field.text
      if at == end { return Argument(index: index, part: nil, text: text) }
      if bytes.skip("[", at: &at, before: end), let part = bytes.decimal(at: &at, before: end),
        let part = Int(exactly: part), bytes.skip("]", at: &at, before: end), at == end
      {
        return Argument(index: index, part: part, text: text)
      }
    }
    return nil
  }

  /// How many arguments the program was given; told by the event's first AUDIT_EXECVE only.
  public static func count(_ record: AuditRecord, in bytes: RawSpan) -> Int? {
    var fields = record.fields
    guard record.type == .execve, let first = fields.next(in: bytes), bytes.equals("argc", first.name) else {
      return nil
    }
    return first.text.decimal(in: bytes)
  }
}

extension AuditName {
  static let op = AuditName("op")
  static let list = AuditName("list")
  static let old = AuditName("old")
  static let res = AuditName("res")
  static let msg = AuditName("msg")
  static let oldAuid = AuditName("old-auid")
  static let oldSes = AuditName("old-ses")
}

extension RawSpan {
  /// Whether `range` begins with this text.
  func begins(_ text: StaticString, _ range: Range<Int>) -> Bool {
    var at = range.lowerBound
    return skip(text, at: &at, before: range.upperBound)
  }
}
