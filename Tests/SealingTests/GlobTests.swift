import Certificates
import Evidence
import Foundation
import GRDB
import MerkleLog
import Records
import Testing

@testable import Sealing

/// Certificates about patterns.
struct GlobTests {
  private static let keys = "/**/*.key"

  /// A clean epoch from 0 to 160, with these findings, in which some patterns were registered.
  private func vault(_ patterns: [String] = [keys], _ findings: Finding...) throws -> Vault {
    let vault = try Vault(patterns: patterns)
    try vault.writer.commit(
      [look(0, 100, canaries: 3), .session(session(1))] + findings, covered: Interval(from: at(0), to: at(160)),
      sealing: vault.sealer)
    return vault
  }

  private func flaws(_ vault: Vault) throws -> [Flaw] {
    try FullVerification(StoreReader(directory: vault.directory), pinned: vault.keys.log.verifier).flaws
  }

  @Test("a registered pattern that nothing matched gets a certificate that a verifier accepts")
  func certificate() throws {
    let vault = try vault([Self.keys, "/data/?"], access("/data/x.csv"))
    try vault.close()
    for pattern in [Self.keys, "/data/?"] {
      let made = try vault.certify(.glob, pattern)
      #expect(!made.hasGaps)
      let verdict = Verifier.verify(
        certificate: made.certificate, evidence: made.evidence,
        policy: VerificationPolicy(logKeys: [vault.keys.log.verifier], now: at(2000).unsigned))
      guard case .accept(let findings) = verdict else {
        Issue.record("\(verdict)")
        return
      }
      #expect(findings.certificate.target.data == Array(pattern.utf8))
    }
    #expect(try flaws(vault).isEmpty)
    // What stands in the log is a hash: the text can name somebody.
    #expect(try !vault.texts().contains { $0.contains(".key") })
    #expect(try vault.records("config").allSatisfy { $0.patterns.count == 2 })
  }

  @Test(
    "what matched, or may have, gets none",
    arguments: [
      [access("/data/x.key")], [access("/data/x.csv"), renamed("/data/x.csv", "/old/x.key")],
      // A hard link, from before and from within.
      [access("/data/x.csv"), renamed(nil, "/else/x.key", at: 5)], [access("/data/x.csv"), renamed("/x.key", nil)],
      // Held since before, under a name that is there no more.
      [access("/held.key", [.open], from: 2, to: 2), renamed("/held.key", "/held", at: 120)],
      // Nobody's, a session's that was handed it, one that cannot be told, and of a directory.
      [access("/x.key", session: nil)], [access("/x.key", [.inherited])], [untold("x.key")], [untold(nil)],
      [access("/dir.key", [.open, .read, .closedUnwritten], inode: 90)],
      // By a name in a directory that nobody knows.
      [access("/data/x.csv"), renamed("gone.key", nil)], [access("/data/x.csv"), renamed(nil, "come.key", at: 1)],
      // The directory was another then, or went where nobody can tell.
      [access("/a/x.key/y"), renamed("/a/x.key", "/b", inode: 90, kind: .directory), access("/b", inode: 90)],
      [access("/b", inode: 90), renamed("/a/x.key", "/b", inode: 90, kind: .directory)],
      [access("/b", inode: 90), renamed("gone.key", "/b", inode: 90, kind: .directory)],
    ] as [[Finding]])
  func matched(findings: [Finding]) throws {
    let vault = try Vault(patterns: [Self.keys, "/**/*.csv2"])
    try vault.writer.commit(
      [look(0, 100, canaries: 3), .session(session(1))] + findings, covered: Interval(from: at(0), to: at(160)),
      sealing: vault.sealer)
    try vault.close()
    #expect(throws: CertifierError.self) { try vault.certify(.glob, Self.keys) }
    // Of what may be anything nothing can be said; of the rest all the same.
    if findings.count > 1 { _ = try vault.certify(.glob, "/**/*.csv2") }
    #expect(try flaws(vault).isEmpty)
  }

  @Test("what lies beneath a directory that was moved is matched as it was before, as well")
  func moved() throws {
    let vault = try vault(
      ["/secret/*", "/public/*", "/other/*"], access("/public/x"),
      renamed("/secret", "/public", inode: 90, kind: .directory))
    try vault.close()
    #expect(throws: CertifierError.self) { try vault.certify(.glob, "/secret/*") }
    #expect(throws: CertifierError.self) { try vault.certify(.glob, "/public/*") }
    _ = try vault.certify(.glob, "/other/*")
  }

  @Test("who only read did not write; each claim has keys of its own")
  func claims() throws {
    let vault = try vault([Self.keys], access("/data/x.key"))
    try vault.close()
    #expect(throws: CertifierError.self) { try vault.certify(.glob, Self.keys) }
    _ = try vault.certify(.glob, Self.keys, claim: .noWrite)
    _ = try vault.certify(.glob, Self.keys, claim: .noExec)
    #expect(throws: CertifierError.self) { try vault.certify(.glob, Self.keys, scope: .session("session-1")) }
  }

  @Test("a pattern counts in epochs from whose beginning to whose end it was registered, spelt as it was")
  func registered() throws {
    let vault = try vault([Self.keys], access("/data/x.csv"))
    try vault.close()
    for other in ["/**/*.pem", "/**/**/*.key", "/**/*.key/", "/**/*.ke?"] {
      #expect(throws: CertifierError.self) { try vault.certify(.glob, other) }
    }
    // Another run with other patterns: what it registers counts from the epoch after the one in which it did.
    func run(_ number: Int64, _ patterns: [String], closing: Bool = true) throws {
      let start = 200 * number
      let writer = try StoreWriter(directory: vault.directory, run: Vault.run(start))
      let sealer = Vault.sealer(patterns)
      try sealer.begin(writer, keys: vault.keys, reason: "start")
      for step in 1...2 as ClosedRange<Int64> {
        let watched = WatchedFileSystem(
          fileSystem: Vault.system, device: 1, type: "ext4", mountPoint: RawPath("/"), mode: "identity", reason: "",
          since: at(start))
        try writer.commit(
          [look(start, start + 60 * step, canaries: 3)] + (step == 1 ? [.fileSystem(watched)] : []),
          covered: Interval(from: at(start), to: at(start + 60 * step)), sealing: sealer)
        if closing || step == 2 { _ = try EpochCloser.close(state: vault.directory, writer: writer) }
      }
      try sealer.sign(writer, vault.keys)
      try writer.close(at: at(start + 121))
    }
    try vault.writer.close(at: at(161))
    try run(1, [Self.keys, "/**/*.pem"])
    try run(2, ["/**/*.pem"])
    try run(3, [Self.keys, "/**/*.pem"], closing: false)
    try run(4, [Self.keys])
    let times: [(from: Int64, to: Int64)] = [
      (10, 150), (210, 250), (270, 315), (410, 450), (470, 515), (610, 700), (810, 850), (870, 915),
    ]
    func answers(_ pattern: String) -> [Bool] {
      times.map { time in (try? vault.certify(.glob, pattern, from: time.from, to: time.to)) != nil }
    }
    #expect(answers(Self.keys) == [true, true, true, false, false, false, true, true])
    #expect(answers("/**/*.pem") == [false, false, true, true, true, true, false, false])
    #expect((try? vault.certify(.glob, Self.keys, from: 10, to: 315)) != nil)
    #expect((try? vault.certify(.glob, Self.keys, from: 10, to: 450)) == nil)
    #expect(try flaws(vault).isEmpty)
  }

  @Test("a pattern whose text is lost, or another, is a flaw, and closes no epoch")
  func lost() throws {
    let vault = try vault([Self.keys], access("/data/x.key"))
    try vault.close()
    for statement in ["UPDATE patterns SET text = CAST('/**/*.pem' AS BLOB)", "DELETE FROM patterns"] {
      try vault.database().write { try $0.execute(sql: statement) }
      #expect(try !flaws(vault).isEmpty)
      try vault.writer.commit([access("/data/y.key", from: 170, to: 170)], covered: Interval(from: at(0), to: at(180)))
    }
    // Sealed without its text: the records do not change, so nobody writes it again but the seal.
    try vault.commit(to: 220)
    try vault.close()
    #expect(throws: CertifierError.self) { try vault.certify(.glob, Self.keys, from: 165, to: 215) }
    try vault.database().write { db in
      try db.execute(sql: "CREATE TRIGGER gone AFTER INSERT ON patterns BEGIN DELETE FROM patterns; END")
      try db.execute(sql: "DELETE FROM patterns")
    }
    try vault.commit(to: 280)
    #expect(throws: StoreError.self) { try vault.close() }
  }
}

private func untold(_ name: String?) -> Finding {
  .access(
    Access(
      session: 1, process: nil, path: nil, name: name.map { RawPath($0) }, identity: file(8),
      operations: [.open, .read, .closedUnwritten], result: 0, time: Interval(from: at(20), to: at(20)), count: 1,
      attribution: .witnessed))
}
