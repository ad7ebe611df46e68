import Journal
import Records
import Testing

@testable import Lineage

@Suite("As whom sessions act")
struct LoginTests {
  /// An agent (200) of somebody who has logged in, and a shell (300) that is nobody's.
  private func scene() throws -> Scene {
    var scene = try Scene()
    var facts = SessionFacts(
      uid: 1000, loginUid: 1000, userName: "ada", terminal: "pts/3", workingDirectory: nil, project: nil)
    facts.auditSession = 7
    scene.facts[200] = facts
    for (pid, directory, name, inode) in [(200, 11, "2.1.329", 900), (300, 10, "bash", 901)]
      as [(Int32, UInt64, String, UInt64)]
    {
      scene.fork(100, pid)
      scene.exec(pid, directory, name, inode: inode)
    }
    try scene.batch()
    return scene
  }

  private func message(_ pid: Int32, _ text: String) -> String { "pid=\(pid) uid=1000 auid=1000 ses=7 msg='\(text)'" }

  private func logins(_ scene: Scene) -> [Login] {
    scene.findings.compactMap { if case .login(let login) = $0 { login } else { nil } }
  }

  @Test("a session's own login is told at its beginning, without audit too")
  func beginning() throws {
    let scene = try scene()
    let login = try #require(logins(scene).first)
    #expect(logins(scene).count == 1 && login.session == 1 && login.what == Login.beginning)
    #expect(login.time == scene.sessions.first?.started && login.account == Array("ada".utf8))
    #expect(login.loginUid == 1000 && login.auditSession == 7 && login.terminal == Array("pts/3".utf8))
    #expect(login.isSuccess == nil)
  }

  @Test("what su tells in a session is the session's, with who told it; a person's is nobody's")
  func authentication() throws {
    var scene = try scene()
    scene.fork(200, 201)
    scene.exec(201, 10, "su", inode: 60)
    try scene.batch()
    let text = "op=PAM:authentication grantors=? acct=\"bob\" exe=\"/usr/bin/su\" hostname=? addr=? terminal=pts/3 res="
    scene.audit([(1100, message(201, text + "failed"))])
    scene.audit([(1100, message(300, text + "success"))])
    scene.audit([(1100, message(201, text + "success"))])
    try scene.batch()
    let told = logins(scene).dropFirst()
    #expect(told.map(\.isSuccess) == [false, true])
    #expect(told.allSatisfy { $0.what == "USER_AUTH" && $0.account == Array("bob".utf8) && $0.session == 1 })
    let record = scene.findings.compactMap { finding -> Int64? in
      if case .process(let record) = finding, record.key.pid == 201 { record.id } else { nil }
    }
    #expect(told.allSatisfy { $0.process == record.last } && told.first?.loginUid == 1000)
  }

  @Test("a secret in a command for somebody else is masked")
  func command() throws {
    var scene = try scene()
    // sh -c echo --token abc
    let command = "7368202D63206563686F202D2D746F6B656E20616263"
    scene.audit([(1123, message(200, "cwd=\"/\" cmd=\(command) exe=\"/usr/bin/sudo\" terminal=pts/3 res=success"))])
    scene.audit([(1123, message(200, "cwd=\"/\" cmd=\"id\" exe=\"/usr/bin/sudo\" terminal=pts/3 res=success"))])
    try scene.batch()
    let told = logins(scene).dropFirst()
    #expect(told.map(\.command) == ["sh -c echo --token ***", "id"].map { Array($0.utf8) })
    #expect(told.map(\.isMasked) == [true, false] && told.first?.directory == RawPath("/"))
  }

  @Test("a login uid that is set within a session is told, beside the call that set it")
  func login() throws {
    var scene = try scene()
    let call =
      "arch=c000003e syscall=1 success=yes exit=4 a0=1 a1=0 a2=4 a3=0 items=0 ppid=1 pid=200 auid=1001 uid=0 gid=0 "
      + "euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts3 ses=8 comm=\"sh\" exe=\"/bin/sh\" key=(null)"
    scene.audit([(1006, "pid=200 uid=0 old-auid=1000 auid=1001 tty=pts3 old-ses=7 ses=8 res=1"), (1300, call)])
    try scene.batch()
    let told = try #require(logins(scene).last)
    #expect(logins(scene).count == 2 && told.what == "LOGIN" && told.loginUid == 1001 && told.auditSession == 8)
  }
}
