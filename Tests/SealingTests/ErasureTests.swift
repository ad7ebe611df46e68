import Certificates
import Evidence
import Foundation
import GRDB
import MerkleLog
import Records
import Testing

@testable import Sealing

struct ErasureTests {
  /// Ada's session, ended, and one of somebody else's on a file of both.
  private func vault() throws -> Vault {
    let vault = try Vault()
    let process = ProcessRecord(
      id: 7, session: 1, key: ProcessKey(pid: 500, startedAt: 9, provenance: .witnessed), parent: nil,
      executable: RawPath("/home/ada/bin/tool"), processClass: .toolShell, started: at(2))
    var other = session(2)
    other.facts = SessionFacts(
      uid: 1001, loginUid: nil, userName: "grace", terminal: nil, workingDirectory: RawPath("/g"), project: nil)
    try vault.commit(
      look(0, 100, canaries: 3), .session(session(1)), .session(other), .process(process),
      access("/home/ada/secret-plan", process: 7), access("/data/shared", inode: 6, process: 7),
      access("/data/shared", session: 2, from: 30, to: 30, inode: 6),
      renamed("/home/ada/draft", "/home/ada/secret-plan", at: 10),
      .conversation(ConversationLabel(session: 1, conversation: "conversation-of-ada", from: at(3))),
      .gap(
        Gap(
          time: Interval(from: at(1), to: at(1)), source: "service", reason: "session session-1 joined late",
          fileSystem: nil)), .digest(session: 1, [UInt8](repeating: 0xab, count: 32)), .processEnded(7, at(70)),
      .command(
        Command(
          process: 7, arguments: ["tool", "--of=ada-alone"].map { Array($0.utf8) }, masked: 0,
          directory: RawPath("/home/ada/where"))),
      .login(Self.login(1, "ada-herself", "cat /home/ada/of-the-login")),
      // Somebody else's, about her.
      .login(Self.login(2, "ada", "true")),
      .sessionEnded(1, at(80)), to: 160)
    try vault.close()
    try vault.commit(
      look(160, 200, canaries: 3), access("/data/later", session: 2, from: 170, to: 170, inode: 8), to: 220)
    try vault.close()
    return vault
  }

  private static func login(_ session: Int64, _ account: String, _ command: String) -> Login {
    var login = Login(session: session, time: at(20), what: "USER_CMD")
    login.account = Array(account.utf8)
    login.command = Array(command.utf8)
    login.isSuccess = true
    return login
  }

  private func erase(_ vault: Vault, _ subject: ErasureSubject) throws -> Keeper.Erased {
    let erased = try Keeper.erase(subject, basis: .consent, vault.writer)
    try vault.sealer.sign(vault.writer, vault.keys)
    return erased
  }

  private func check(_ vault: Vault) throws -> FullVerification {
    try FullVerification(StoreReader(directory: vault.directory), pinned: vault.keys.log.verifier)
  }

  private func prove(
    _ vault: Vault, _ path: String, from: Int64 = 15, to: Int64 = 150,
    _ change: (inout ProofQuestion) -> Void = { _ in }
  ) throws -> Evidence.Verdict {
    var question = ProofQuestion(target: .file(RawPath(path)), time: Interval(from: at(from), to: at(to)))
    question.fileSystems = [Vault.system]
    question.acceptsAbsentName = true
    change(&question)
    return try StoreReader(directory: vault.directory).prove(question)
  }

  /// Where in the files of the state directory the bytes still lie.
  private func found(_ text: [UInt8], in vault: Vault) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: vault.directory).filter { name in
      guard let data = FileManager.default.contents(atPath: vault.directory + "/" + name) else { return false }
      return data.range(of: Data(text)) != nil
    }
  }

  @Test("nothing of what is erased is left in any file of the store, and the store is sound")
  func gone() throws {
    let vault = try vault()
    let texts =
      [
        "secret-plan", "session-1", "conversation-of-ada", "/home/ada/bin/tool", "/home/ada/draft", "ada-alone",
        "/home/ada/where", "ada-herself", "of-the-login",
      ].map { Array($0.utf8) } + [[UInt8](repeating: 0xab, count: 32)]
    for text in texts { #expect(try !found(text, in: vault).isEmpty) }
    let openings = try vault.database().read { db in
      try Data.fetchAll(
        db, sql: "SELECT opening FROM entries WHERE (kind = 4 AND id = 1) OR (kind IN (1, 2) AND id = 1)")
    }
    #expect(openings.count == 3)
    let secrets = try vault.database().read { db in
      try Row.fetchAll(db, sql: "SELECT salt, hiding FROM epochs WHERE id = 0").flatMap {
        [$0[0] as Data, $0[1] as Data]
      }
    }
    let erased = try erase(vault, .person("ada"))
    #expect(erased.isLogEmpty)
    #expect(erased.draft.count == 11)
    #expect(
      erased.draft.kinds == [
        "change", "command", "conversation", "file", "gap", "login", "name", "person", "process", "session",
      ])
    for text in texts + openings.map({ Array($0) }) + secrets.map({ Array($0) }) {
      #expect(try found(text, in: vault).isEmpty, "\(String(decoding: text, as: UTF8.self))")
    }
    #expect(try found(Array("grace".utf8), in: vault) == ["alibi.sqlite"])
    let full = try check(vault)
    #expect(full.flaws.isEmpty, "\(full.flaws)")
    #expect(full.erased == 11)
    let record = try #require(try vault.records("erasure").first)
    #expect(!String(decoding: record.text, as: UTF8.self).contains("ada"))
    #expect((record.number("first"), record.number("last")) == (0, 0))
  }

  @Test("whatever the target, an access of something erased keeps the answer from being no")
  func targets() throws {
    let vault = try vault()
    #expect(try prove(vault, "/somewhere/else").outcome == .notAccessed)
    #expect(try prove(vault, "/home/ada/secret-plan").outcome == .accessed)
    _ = try erase(vault, .person("ada"))
    for path in ["/somewhere/else", "/home/ada/secret-plan", "/home/ada/draft"] {
      let verdict = try prove(vault, path)
      #expect(verdict.outcome == .notProven)
      #expect(verdict.hazards.contains { $0.kind == "erased" })
    }
    let identity = try prove(vault, "/x") { $0.target = .identity(file(77)) }
    #expect(identity.outcome == .notProven)
    // What was not erased, and times without it, are as they were.
    #expect(try prove(vault, "/data/shared").outcome == .accessed)
    #expect(try prove(vault, "/somewhere/else", from: 100).outcome == .notAccessed)
    #expect(try prove(vault, "/data/later", from: 165, to: 210).outcome == .accessed)
  }

  @Test("whose access it was may have been anybody's of those erased")
  func scopes() throws {
    let vault = try vault()
    // One conversation, borne by two sessions.
    try vault.commit(
      .conversation(ConversationLabel(session: 2, conversation: "conversation-of-ada", from: at(165))), to: 230)
    let asked = { (question: inout ProofQuestion) in question.scope = .session("conversation-of-ada") }
    #expect(try prove(vault, "/data/shared", to: 25, asked).outcome == .accessed)
    _ = try erase(vault, .session("session-1"))
    let verdict = try prove(vault, "/data/shared", to: 25, asked)
    #expect(verdict.outcome == .notProven)
    #expect(verdict.hazards.contains { $0.kind == "erased" })
    // Everybody's: the access stays one of an agent's.
    #expect(try prove(vault, "/data/shared", to: 25).outcome == .accessed)
    #expect(try prove(vault, "/data/shared", to: 25) { $0.scope = .agent("claude-code") }.outcome == .accessed)
  }

  @Test("certificates that were issued stay valid, and none is issued of an epoch that has lost something")
  func certificates() throws {
    let vault = try vault()
    let made = try vault.certify(.file, "/data/none")
    _ = try vault.certify(.file, "/data/none", from: 165, to: 210)
    _ = try erase(vault, .record(1))
    #expect(throws: CertifierError.self) { try vault.certify(.file, "/data/none") }
    let later = try vault.certify(.file, "/data/none", from: 165, to: 210)
    for certificate in [made, later] {
      let verdict = Verifier.verify(
        certificate: certificate.certificate, evidence: certificate.evidence,
        policy: VerificationPolicy(logKeys: [vault.keys.log.verifier], now: at(2000).unsigned))
      guard case .accept = verdict else {
        Issue.record("\(verdict)")
        continue
      }
    }
  }

  @Test("what is erased before its epoch is closed is a gap of it")
  func open() throws {
    let vault = try vault()
    try vault.commit(access("/data/third", session: 2, from: 230, to: 230, inode: 30), to: 240)
    let record = try #require(
      try vault.database().read { try Int64.fetchOne($0, sql: "SELECT max(id) FROM accesses") })
    _ = try erase(vault, .record(record))
    try vault.close()
    #expect(try check(vault).flaws.isEmpty)
    #expect(try vault.certify(.file, "/data/none", from: 225, to: 235).hasGaps)
    #expect(try vault.records("gap").contains { $0.word("source") == "erased" })
  }

  @Test("what comes after an erasure is recorded under a new number")
  func again() throws {
    let vault = try vault()
    _ = try erase(vault, .record(1))
    try vault.commit(access("/home/ada/secret-plan", session: 2, from: 300, to: 300), to: 310)
    try vault.sealer.sign(vault.writer, vault.keys)
    #expect(try prove(vault, "/home/ada/secret-plan", from: 250, to: 305).outcome == .accessed)
    let full = try check(vault)
    #expect(full.flaws.isEmpty, "\(full.flaws)")
    #expect(full.erased == 2, "the file, and the change of its name")
    #expect(try prove(vault, "/x").hazards.contains { $0.kind == "erased" })
  }

  @Test("a file goes with all its names, and with whatever else bore them")
  func names() throws {
    let vault = try vault()
    try vault.commit(
      access("/home/ada/copy", session: 2, from: 225, to: 225),
      access("/home/ada/copy", session: 2, from: 226, to: 226, inode: 40),
      to: 230)
    _ = try erase(vault, .record(1))
    let left = try vault.database().read {
      try Data.fetchAll($0, sql: "SELECT path FROM files WHERE NOT erased ORDER BY id")
    }
    #expect(left.map { String(decoding: $0, as: UTF8.self) } == ["/data/shared", "/data/later"])
  }

  @Test("a session that runs is not erased, and nothing is nothing")
  func refused() throws {
    let vault = try vault()
    #expect(throws: ErasureRefusal.self) { try erase(vault, .person("grace")) }
    #expect(throws: ErasureRefusal.self) { try erase(vault, .person("nobody")) }
    #expect(throws: ErasureRefusal.self) { try erase(vault, .record(99)) }
    _ = try erase(vault, .session("session-1"))
    #expect(throws: ErasureRefusal.self) { try erase(vault, .session("session-1")) }
    #expect(try vault.records("erasure").count == 1)
    #expect(try check(vault).flaws.isEmpty)
  }

  @Test("what was erased and is then over goes with its epoch, and the store stays sound")
  func both() throws {
    let vault = try vault()
    _ = try erase(vault, .person("ada"))
    let pruned = try Keeper.prune(vault.writer, days: 1, now: at(397 * day))
    try vault.sealer.sign(vault.writer, vault.keys)
    #expect(pruned.epochs == 2)
    let full = try check(vault)
    #expect(full.flaws.isEmpty, "\(full.flaws)")
    #expect(full.erased == 11)
    #expect(full.pruned == 2)
    #expect(try vault.database().read { try Int.fetchOne($0, sql: "SELECT count(*) FROM files WHERE erased") } == 0)
  }

  @Test(
    "whoever erases more, or other things, than the record tells is found out",
    arguments: [
      "UPDATE entries SET opening = NULL WHERE kind = 4 AND id = 2",
      "UPDATE entries SET opening = NULL, erased = (SELECT max(erased) FROM entries) WHERE kind = 4 AND id = 2",
      "UPDATE entries SET erased = NULL WHERE kind = 4 AND id = 1",
      "DELETE FROM entries WHERE kind = 4 AND id = 1", "UPDATE epochs SET salt = NULL WHERE id = 1",
    ])
  func tampered(sql: String) throws {
    let vault = try vault()
    _ = try erase(vault, .record(1))
    #expect(try check(vault).flaws.isEmpty)
    try vault.database().write { try $0.execute(sql: sql) }
    #expect(try !check(vault).flaws.isEmpty)
  }
}
