import Decode
import Testing

/// What su and sudo of Debian 12 told, as an audit daemon wrote it; only the names are others.
struct AuditAccountTests {
  private static let caller = "pid=31456 uid=64001 auid=64001 ses=4"

  private struct Told {
    var account: AuditAccount
    var bytes: [UInt8]

    func text(_ text: AuditText?) -> String? {
      text.map { unsafe String(decoding: $0.bytes(in: bytes.span.bytes), as: UTF8.self) }
    }
  }

  private func told(_ type: UInt16, _ text: String) throws -> Told? {
    let payload = Array("audit(1795294156.877:5309046): \(text)".utf8)
    let length = UInt32(16 + payload.count)
    var bytes = (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
    bytes += [UInt8(truncatingIfNeeded: type), UInt8(truncatingIfNeeded: type >> 8)] + [UInt8](repeating: 0, count: 10)
    bytes += payload
    bytes += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
    var offset = 0
    let record = try #require(try unsafe AuditRecord.next(in: bytes.span.bytes, at: &offset))
    return unsafe AuditAccount(record, in: bytes.span.bytes).map { Told(account: $0, bytes: bytes) }
  }

  @Test("a failed authentication names account, program and terminal, and the login that the kernel knows")
  func failed() throws {
    let message =
      "op=PAM:authentication grantors=? acct=\"bob\" exe=\"/usr/bin/su\" hostname=vm addr=? terminal=pts/0 res=failed"
    let told = try #require(try told(1100, "\(Self.caller) msg='\(message)'"))
    #expect(told.account.what == "USER_AUTH" && told.account.isSuccess == false)
    #expect(told.account.caller.pid == 31456 && told.account.caller.loginUser == 64001)
    #expect(told.account.caller.session == 4)
    #expect(told.text(told.account.operation) == "PAM:authentication" && told.text(told.account.account) == "bob")
    #expect(told.text(told.account.program) == "/usr/bin/su" && told.text(told.account.terminal) == "pts/0")
    #expect(told.text(told.account.host) == "vm")
  }

  @Test("sudo's command comes in digits where it has spaces, with its directory")
  func command() throws {
    let hex = "7368202D63206563686F202D2D746F6B656E207333637233743B206964202D75"
    let message = "cwd=\"/tmp\" cmd=\(hex) exe=\"/usr/bin/sudo\" terminal=pts/0 res=success"
    let told = try #require(try told(1123, "\(Self.caller) msg='\(message)'"))
    #expect(told.account.what == "USER_CMD" && told.account.isSuccess == true)
    #expect(told.text(told.account.command) == "sh -c echo --token s3cr3t; id -u")
    #expect(told.text(told.account.directory) == "/tmp" && told.account.account == nil)
  }

  @Test("a user id stands for the account where that has no name, and an address for a host")
  func number() throws {
    let message = "op=login id=1000 exe=\"/usr/sbin/sshd\" hostname=? addr=::1 terminal=ssh res=1"
    let told = try #require(try told(1112, "\(Self.caller) msg='\(message)'"))
    #expect(told.account.what == "USER_LOGIN" && told.account.isSuccess == true)
    #expect(told.text(told.account.account) == "1000" && told.text(told.account.host) == "::1")
  }

  @Test("the kernel tells of a login uid that was set")
  func login() throws {
    let told = try #require(
      try told(1006, "pid=31441 uid=0 old-auid=4294967295 auid=64001 tty=(none) old-ses=4294967295 ses=4 res=1"))
    #expect(told.account.what == "LOGIN" && told.account.isSuccess == true && told.account.terminal == nil)
    #expect(told.account.caller.pid == 31441 && told.account.caller.loginUser == 64001)
  }

  @Test("what is about no account is none, and so is what was typed", arguments: [1107, 1121, 1124, 1300] as [UInt16])
  func others(type: UInt16) throws {
    #expect(try told(type, "\(Self.caller) msg='op=x acct=\"bob\" data=706173730D res=success'")?.account == nil)
  }
}
