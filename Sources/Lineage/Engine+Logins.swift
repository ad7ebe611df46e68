internal import Decode
internal import Journal
internal import Records

// As whom a session acts. Programs tell audit of it only because they may, and what they tell is their word; who told it,
// and in which login, is the kernel's.
extension Engine {
  /// The login in which a session began.
  mutating func noteLogin(_ session: Session, _ process: Int64?) {
    guard let facts = session.facts else { return }
    var login = Login(session: session.id, time: session.started, what: Login.beginning)
    login.process = process
    login.account = facts.userName.map { Array($0.utf8) }
    login.terminal = facts.terminal.map { Array($0.utf8) }
    login.loginUid = facts.loginUid
    login.auditSession = facts.auditSession
    findings.append(.login(login))
  }

  /// What an event tells of accounts; nil where it is about something else, else whether no more is to be made of it.
  mutating func settleLogin(_ event: AuditEvent) -> Bool? {
    var told: Login?
    var pid: Int32 = 0
    event.forEach { record, bytes in
      guard told == nil, let account = AuditAccount(record, in: bytes) else { return }
      pid = account.caller.pid
      told = login(account, in: bytes)
    }
    guard var told else { return nil }
    guard let session = session(of: pid) else { return !isUndecided(pid) }
    told.session = session
    told.time = wall(monotonic(event))
    if processes[pid]?.session == session { told.process = openRecord(pid) }
    findings.append(.login(told))
    return true
  }

  private func login(_ account: AuditAccount, in bytes: RawSpan) -> Login {
    var login = Login(session: 0, time: .distantPast, what: account.what)
    login.operation = account.operation.map { String(decoding: $0.bytes(in: bytes), as: UTF8.self) }
    login.account = account.account?.bytes(in: bytes)
    login.terminal = account.terminal?.bytes(in: bytes)
    login.host = account.host?.bytes(in: bytes)
    login.program = account.program.map { RawPath($0.bytes(in: bytes)) }
    login.directory = account.directory.map { RawPath($0.bytes(in: bytes)) }
    login.loginUid = account.caller.loginUser == .max ? nil : account.caller.loginUser
    login.auditSession = account.caller.session == .max ? nil : account.caller.session
    login.isSuccess = account.isSuccess
    if let command = account.command {
      // Its words are one text: what separated them from each other is gone.
      let masked = rules.masked([command.bytes(in: bytes)])
      login.command = masked.arguments.first
      login.isMasked = masked.count > 0
    }
    return login
  }
}
