/// What a program told of an authentication, an account, or a command for another user, as libaudit writes it for PAM, su,
/// sudo and sshd; or the kernel, of a login uid that was set.
///
/// The process and its login are the kernel's word. All the rest is the program's, which needs CAP_AUDIT_WRITE to say it.
public struct AuditAccount: Hashable, Sendable {
  /// What it was, as `USER_AUTH`.
  public var what: String
  /// The process, and what its login uid and session are, by an AUDIT_LOGIN from then on.
  public var caller = AuditCaller()
  /// What was done, as `PAM:authentication`.
  public var operation: AuditText?
  /// The account that it was about, by name or by number.
  public var account: AuditText?
  /// The program's executable.
  public var program: AuditText?
  /// The terminal, as `pts/0`.
  public var terminal: AuditText?
  /// Where the request came from, as the program says.
  public var host: AuditText?
  /// The command that was to be run, its words with a space between.
  public var command: AuditText?
  /// Where that was to be run.
  public var directory: AuditText?
  /// Whether it was done; nil where that is not told.
  public var isSuccess: Bool?

  /// Reads the fields of the record; nil where it is of another kind.
  public init?(_ record: AuditRecord, in bytes: RawSpan) {
    guard let what = Self.names[record.type.rawValue] else { return nil }
    self.what = what
    if let login = AuditLogin(record, in: bytes) {
      caller = login.caller
      terminal = caller.terminal
      isSuccess = login.isSuccess
      return
    }
    guard let told = AuditProgramMessage(record, in: bytes) else { return nil }
    caller = told.caller
    var fields = told.fields
    while let field = fields.next(in: bytes) {
      guard let name = AuditName(field.name, in: bytes) else { continue }
      read(name, field.text, in: bytes)
    }
  }

  private mutating func read(_ name: AuditName, _ text: AuditText, in bytes: RawSpan) {
    switch name {
    case .op: operation = text.named(in: bytes)
    case .acct: account = text.untrusted(in: bytes)
    case .id: account = account ?? text.named(in: bytes)
    case .exe: program = text.untrusted(in: bytes)
    case .terminal: terminal = text.named(in: bytes)
    case .hostname, .addr: host = text.named(in: bytes) ?? host
    case .cmd: command = text.untrusted(in: bytes)
    case .cwd: directory = text.untrusted(in: bytes)
    case .res: isSuccess = bytes.equals("success", text.range) || bytes.equals("1", text.range)
    default: break
    }
  }

  /// The kinds that tell of accounts. USER_TTY is left out: it has what was typed.
  private static let names: [UInt16: String] = [
    1006: "LOGIN", 1100: "USER_AUTH", 1101: "USER_ACCT", 1102: "USER_MGMT", 1103: "CRED_ACQ", 1104: "CRED_DISP",
    1105: "USER_START", 1106: "USER_END", 1108: "USER_CHAUTHTOK", 1109: "USER_ERR", 1110: "CRED_REFR",
    1112: "USER_LOGIN", 1113: "USER_LOGOUT", 1114: "ADD_USER", 1115: "DEL_USER", 1116: "ADD_GROUP", 1117: "DEL_GROUP",
    1119: "CHGRP_ID", 1123: "USER_CMD", 1125: "CHUSER_ID", 1126: "GRP_AUTH", 1132: "GRP_MGMT", 1133: "GRP_CHAUTHTOK",
    1134: "ACCT_LOCK", 1135: "ACCT_UNLOCK",
  ]
}

extension AuditName {
  static let acct = AuditName("acct")
  static let id = AuditName("id")
  static let terminal = AuditName("terminal")
  static let hostname = AuditName("hostname")
  static let addr = AuditName("addr")
  static let cmd = AuditName("cmd")
}
