import Certificates
import Evidence
import Foundation
import MerkleLog
import Records
import Testing

@testable import Sealing

struct EpochTests {
  /// A clean epoch from 0 to 160, with these findings.
  private func vault(_ findings: Finding...) throws -> Vault {
    let vault = try Vault()
    try vault.writer.commit(
      [look(0, 100, canaries: 3), .session(session(1)), .session(session(2, parent: 1, relation: .nested))] + findings,
      covered: Interval(from: at(0), to: at(160)), sealing: vault.sealer)
    return vault
  }

  @Test("what was not accessed gets a certificate that a verifier accepts")
  func certificate() throws {
    let vault = try vault(access("/data/other/x.csv"))
    try vault.close()
    let made = try vault.certify(.tree, "/data/customers")
    #expect(!made.hasGaps)
    let verdict = Verifier.verify(
      certificate: made.certificate, evidence: made.evidence,
      policy: VerificationPolicy(logKeys: [vault.keys.log.verifier], now: at(2000).unsigned))
    guard case .accept(let findings) = verdict else {
      Issue.record("\(verdict)")
      return
    }
    #expect(findings.certificate.sessions == 2)
    #expect(findings.certificate.names == nil)
  }

  @Test(
    "what was accessed gets none, by whichever name",
    arguments: [
      ("/data/x.csv", Target.Kind.file), ("/data", .tree), ("/", .tree), ("/data/linked", .file), ("/linked", .tree),
      ("/moved/data2/y", .file), ("/moved", .tree), ("/before/data2", .tree), ("/held", .file),
    ])
  func accessed(path: String, kind: Target.Kind) throws {
    let vault = try vault(
      access("/data/x.csv"),
      // A hard link of the file, under another directory too.
      renamed(nil, "/data/linked"), renamed(nil, "/linked/z"),
      // A directory that is moved in the epoch.
      access("/before/data2/y", inode: 6), renamed("/before", "/moved", inode: 90, kind: .directory),
      access("/held", [.open], inode: 7))
    try vault.close()
    // The next epoch: what is held is an access of it as well.
    try vault.commit(look(160, 200, canaries: 3), to: 220)
    try vault.close()
    #expect(throws: CertifierError.self) { try vault.certify(kind, path, from: 10, to: 150) }
    if path == "/held" || path == "/" {
      #expect(throws: CertifierError.self) { try vault.certify(kind, path, from: 170, to: 210) }
    } else {
      _ = try vault.certify(kind, path, from: 170, to: 210)
    }
    _ = try vault.certify(kind, "/nothing/of/it", from: 10, to: 210)
  }

  @Test("a session's accesses count for the session around it, and for no other")
  func scopes() throws {
    let vault = try vault(access("/data/x", session: 2))
    try vault.close()
    for key in ["session-1", "session-2"] {
      #expect(throws: CertifierError.self) { try vault.certify(.file, "/data/x", scope: .session(key)) }
    }
    #expect(throws: CertifierError.self) { try vault.certify(.file, "/data/x", scope: .session("session-3")) }
    _ = try vault.certify(.file, "/data/y", scope: .session("session-1"))
  }

  @Test("who read did not write, and who could have written may have")
  func claims() throws {
    let vault = try vault(access("/read"), access("/open", [.open, .closedWritable], inode: 6))
    try vault.close()
    #expect(throws: CertifierError.self) { try vault.certify(.file, "/read") }
    _ = try vault.certify(.file, "/read", claim: .noWrite)
    #expect(throws: CertifierError.self) { try vault.certify(.file, "/open", claim: .noWrite) }
    _ = try vault.certify(.file, "/open", claim: .noExec)
  }

  @Test("an access of nobody's stands in everybody's way")
  func unattributed() throws {
    let vault = try vault(access("/data/x", session: nil))
    try vault.close()
    #expect(throws: CertifierError.self) { try vault.certify(.file, "/data/x") }
    #expect(throws: CertifierError.self) { try vault.certify(.tree, "/data", scope: .session("session-1")) }
  }

  @Test("what concerns every target is a gap, and a certificate says so")
  func hazards() throws {
    for finding in [
      .privileged(session: 1, at(50), "setuid"), access(nil, inode: 8),
      .incident(Incident(time: at(50), kind: "agent-outside-sessions", detail: "x")),
      access("/dev/sda", [.open, .read, .rawDevice, .closedUnwritten], inode: 9),
    ] as [Finding] {
      let vault = try vault(finding)
      try vault.close()
      #expect(try vault.certify(.tree, "/data/customers").hasGaps, "\(finding)")
    }
  }

  @Test("a target on a file system that was not watched gets none")
  func unwatched() throws {
    let vault = try vault()
    try vault.close()
    #expect(throws: CertifierError.self) { try vault.certify(.file, "/x", systems: [Vault.system, 1]) }
    #expect(throws: CertifierError.self) { try vault.certify(.file, "/x", systems: nil) }
  }

  @Test("a time that is in no epoch gets none")
  func unsealed() throws {
    let vault = try vault()
    try vault.close()
    #expect(throws: CertifierError.self) { try vault.certify(.file, "/x", from: 10, to: 161) }
    #expect(throws: CertifierError.self) { try vault.certify(.file, "/x", from: -5, to: 150) }
  }

  @Test("epochs follow each other without a hole, and closing nothing is no epoch")
  func contiguous() throws {
    let vault = try vault()
    #expect(try vault.close().number == 0)
    #expect(try vault.close().number == 0)
    try vault.commit(access("/data/y", from: 200, to: 201), to: 220)
    try vault.commit(to: 280)
    #expect(try vault.close().number == 1)
    let records = try vault.records("epoch").compactMap(EpochRecord.init)
    #expect(records.map(\.number) == [0, 1])
    #expect(records[1].from == records[0].to)
    #expect(records[1].firstSeal == records[0].lastSeal + 1)
    #expect(records[1].to == at(280).unsigned)
    #expect(records[1].events == 1)
    _ = try vault.certify(.file, "/data/z", from: 10, to: 270)
    #expect(throws: CertifierError.self) { try vault.certify(.file, "/data/y", from: 230, to: 270) }
  }

  @Test("what is told of late is in the epoch that was open then")
  func late() throws {
    let vault = try vault()
    try vault.close()
    try vault.commit(access("/data/y", from: 100, to: 101), to: 220)
    try vault.close()
    #expect(throws: CertifierError.self) { try vault.certify(.file, "/data/y", from: 90, to: 210) }
  }

  @Test("what is told of names after an epoch was closed is no flaw of it")
  func toldSince() throws {
    let vault = try vault(access("/data/x.csv"))
    try vault.close()
    // A link that was there before the service, and goes now; and another that comes at the epoch's last moment.
    try vault.commit(renamed("/elsewhere/link", nil, at: 200), renamed(nil, "/else", at: 160), to: 220)
    try vault.sealer.sign(vault.writer, vault.keys)
    let full = try FullVerification(StoreReader(directory: vault.directory), pinned: vault.keys.log.verifier)
    #expect(full.flaws.isEmpty, "\(full.flaws)")
  }

  @Test("the time between two runs is a gap of the epoch it lies in")
  func stopped() throws {
    let vault = try vault()
    try vault.writer.close(at: at(161))
    let writer = try StoreWriter(directory: vault.directory, run: Vault.run(500))
    try vault.sealer.begin(writer, keys: vault.keys, reason: "the service has started")
    try writer.commit(
      [
        look(500, 560, canaries: 3),
        .fileSystem(
          WatchedFileSystem(
            fileSystem: Vault.system, device: 1, type: "ext4", mountPoint: RawPath("/"), mode: "identity", reason: "",
            since: at(500))),
      ], covered: Interval(from: at(500), to: at(560)), sealing: vault.sealer)
    _ = try EpochCloser.close(state: vault.directory, writer: writer)
    try vault.sealer.sign(writer, vault.keys)
    #expect(try vault.certify(.file, "/x", from: 10, to: 550).hasGaps)
    let record = try #require(try vault.records("epoch").compactMap(EpochRecord.init).first)
    #expect(record.covered == UInt64(220) * 1_000_000_000)
    #expect(try vault.records("run").map { $0.number("last") } == [0, 1])
  }
}

extension Vault {
  @discardableResult
  func close() throws -> EpochCloser.Closed {
    let closed = try EpochCloser.close(state: directory, writer: writer)
    try sealer.sign(writer, keys)
    return closed
  }

  func certify(
    _ kind: Target.Kind, _ path: String, claim: Claim = .noAccess, scope: Scope = .agent, from: Int64 = 10,
    to: Int64 = 150, systems: Set<UInt64>? = [Vault.system]
  ) throws -> Certifier.Made {
    guard let target = Target(kind, Array(path.utf8)) else { throw CertifierError(description: "no target", hint: "") }
    return try Certifier.certify(
      CertificateRequest(claim: claim, scope: scope, target: target, from: at(from).unsigned, to: at(to).unsigned),
      fileSystems: systems, store: StoreReader(directory: directory), keys: keys, now: at(2000).unsigned)
  }
}
