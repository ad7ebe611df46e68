internal import Evidence
internal import Foundation
internal import Records

extension LoginRow {
  /// What it was, in one line.
  var text: String {
    func shown(_ bytes: [UInt8]?) -> String? { bytes.map { RawPath($0).description } }
    var parts: [String] = []
    if let operation = login.operation { parts.append(operation) }
    if let account = shown(login.account) { parts.append("account \(account)") }
    if let command = shown(login.command) { parts.append("command \(command)") }
    if let directory = login.directory { parts.append("in \(directory)") }
    if let program = login.program { parts.append("told by \(program)") }
    if let terminal = shown(login.terminal) { parts.append("on \(terminal)") }
    if let host = shown(login.host) { parts.append("from \(host)") }
    parts.append(login.loginUid.map { "login uid \($0)" } ?? "no login uid")
    if let session = login.auditSession { parts.append("audit session \(session)") }
    return parts.joined(separator: ", ")
  }

  /// A row of the table of accesses.
  var cells: [String] {
    let name = login.what == Login.beginning ? "begins" : login.what
    let result = login.isSuccess.map { $0 ? "" : " failed" } ?? ""
    let program = login.program.map { RawPath($0.lastComponent).description } ?? "?"
    return [
      "", login.time.short, session, developer ?? "-", "\(program)[\(pid.map(String.init) ?? "?")]", name + result, "",
      text,
    ]
  }
}

/// What was told of an account, among the accesses of a timeline.
struct JsonLogin: Encodable {
  struct Told: Encodable {
    var what: String
    var operation: String?
    var account: String?
    var accountBase64: String?
    var terminal: String?
    var host: String?
    var program: String?
    var command: String?
    var commandMasked: Bool?
    var directory: String?
    var loginUid: UInt32?
    var auditSession: UInt32?
    var success: Bool?
  }

  var time: [String]
  var session: String
  var agent: String
  var developer: String?
  var op: [String]
  var exe: String?
  var pid: Int32?
  var login: Told

  init(_ row: LoginRow) {
    let told = row.login
    func text(_ bytes: [UInt8]?) -> String? { bytes.map { JsonPath(RawPath($0)).text } }
    time = [told.time.description, told.time.description]
    session = row.session
    agent = row.agent
    developer = row.developer
    op = ["login"]
    exe = told.program.map { JsonPath($0).text }
    pid = row.pid
    login = Told(
      what: told.what, operation: told.operation, account: text(told.account),
      accountBase64: told.account.flatMap { JsonPath(RawPath($0)).base64 }, terminal: text(told.terminal),
      host: text(told.host), program: exe, command: text(told.command),
      commandMasked: told.command == nil ? nil : told.isMasked, directory: told.directory.map { JsonPath($0).text },
      loginUid: told.loginUid, auditSession: told.auditSession, success: told.isSuccess)
  }
}

/// One line of a timeline.
enum TimelineEntry: Encodable {
  case access(AccessRow)
  case login(LoginRow)

  var time: Timestamp {
    switch self {
    case .access(let row): row.access.time.from
    case .login(let row): row.login.time
    }
  }

  func encode(to encoder: any Encoder) throws {
    switch self {
    case .access(let row): try JsonAccess(row).encode(to: encoder)
    case .login(let row): try JsonLogin(row).encode(to: encoder)
    }
  }

  /// Both in order of time; of equal times what was told of accounts first.
  static func merged(_ accesses: [AccessRow], _ logins: [LoginRow], limit: Int?) -> [TimelineEntry] {
    var entries: [TimelineEntry] = []
    var rest = logins[...]
    for row in accesses {
      while let login = rest.first, login.login.time <= row.access.time.from {
        entries.append(.login(rest.removeFirst()))
      }
      entries.append(.access(row))
    }
    entries += rest.map(TimelineEntry.login)
    return limit.map { entries.suffix($0) } ?? entries
  }
}
