/// As whom somebody of a session acts: the login in which the session began, and what was told of authentications,
/// accounts and commands for other users within it.
public struct Login: Hashable, Sendable {
  /// The session.
  public var session: Int64
  /// The process record; nil where there is none.
  public var process: Int64?
  /// When.
  public var time: Timestamp
  /// What it was, as `USER_AUTH`; `SESSION` for the login in which the session began.
  public var what: String
  /// What was done, as `PAM:authentication`; nil where that was not told.
  public var operation: String?
  /// The account that it was about.
  public var account: [UInt8]?
  /// The terminal.
  public var terminal: [UInt8]?
  /// Where the request came from, as a program says.
  public var host: [UInt8]?
  /// The program that told it.
  public var program: RawPath?
  /// The command that was to be run as somebody else; secrets are masked.
  public var command: [UInt8]?
  /// Whether something in the command was masked.
  public var isMasked: Bool
  /// Where it was to be run.
  public var directory: RawPath?
  /// The login uid, which sudo and su leave alone; nil where none was ever set.
  public var loginUid: UInt32?
  /// The audit session, which the kernel numbers with each login.
  public var auditSession: UInt32?
  /// Whether it was done; nil where that was not told.
  public var isSuccess: Bool?

  /// One of the least that must be known.
  public init(session: Int64, time: Timestamp, what: String) {
    self.session = session
    self.time = time
    self.what = what
    isMasked = false
  }

  /// `what` of the login in which a session began.
  public static let beginning = "SESSION"
}
