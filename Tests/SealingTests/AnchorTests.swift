import Certificates
import Evidence
import Foundation
import GRDB
import MerkleLog
import Records
import Testing

@testable import Sealing

/// Heads that others have seen: in the log, in certificates, against an older copy.
struct AnchorTests {
  private static func witness(_ seed: UInt8) throws -> SigningKey {
    try #require(
      SigningKey(name: Array("witness-\(seed)".utf8), kind: .cosignature, seed: [UInt8](repeating: seed, count: 32)))
  }

  private let first: SigningKey
  private let second: SigningKey

  init() throws {
    first = try Self.witness(1)
    second = try Self.witness(2)
  }

  /// An epoch from 0 to 160, closed and signed.
  private func vault() throws -> Vault {
    let vault = try Vault()
    try vault.writer.commit(
      [look(0, 100, canaries: 3), .session(session(1)), access("/data/other/x.csv")],
      covered: Interval(from: at(0), to: at(160)), sealing: vault.sealer)
    try vault.close()
    return vault
  }

  /// Has a witness see the newest head, so many seconds after midnight.
  private func anchor(_ vault: Vault, _ witness: SigningKey, at seconds: Int64) throws {
    let (size, note) = try #require(try StoreReader(directory: vault.directory).checkpoint())
    let text = try #require(SignedNote(note)).text
    let time = at(seconds).unsigned
    try vault.sealer.keep(
      KeptAnchor(
        kind: "witness", by: witness.verifier.text, size: size, time: time, note: note,
        token: try witness.line(signing: text, at: time / 1_000_000_000)), vault.writer)
  }

  private func flaws(_ vault: Vault, heads: [(name: String, note: [UInt8])] = []) throws -> [Flaw] {
    try FullVerification(
      StoreReader(directory: vault.directory), pinned: vault.keys.log.verifier, heads: heads
    ).flaws
  }

  private func findings(_ vault: Vault, to: Int64 = 150, quorum: Int) throws -> Findings? {
    let made = try vault.certify(.tree, "/data/customers", to: to)
    let policy = VerificationPolicy(
      logKeys: [vault.keys.log.verifier], witnesses: [first.verifier, second.verifier], quorum: quorum,
      now: at(2000).unsigned)
    switch Verifier.verify(certificate: made.certificate, evidence: made.evidence, policy: policy) {
    case .accept(let findings), .acceptWithGaps(let findings): return findings
    case .reject: return nil
    }
  }

  @Test("an anchor is a record that commits to what was said, and the next epoch names the newest")
  func record() throws {
    let vault = try vault()
    try anchor(vault, first, at: 170)
    let kept = try #require(try StoreReader(directory: vault.directory).anchors().first)
    let record = try #require(try vault.records("anchor").first)
    #expect(record.word("kind") == "witness" && record.number("size") == kept.size)
    #expect(record.number("time") == at(170).unsigned && record.hash("token") == Hash(of: kept.token))
    try vault.commit(look(160, 200, canaries: 3), to: 220)
    try vault.close()
    #expect(try vault.records("epoch").compactMap(EpochRecord.init).map(\.anchor) == [nil, Hash(of: kept.token)])
    #expect(try flaws(vault).isEmpty)
  }

  @Test("a certificate tells how long it took until each epoch had been seen, by the first who saw it")
  func lag() throws {
    let vault = try vault()
    #expect(try findings(vault, quorum: 0)?.certificate.anchorLag == nil, "nobody has")
    try anchor(vault, first, at: 170)
    try anchor(vault, second, at: 165)
    try vault.sealer.sign(vault.writer, vault.keys)
    try anchor(vault, first, at: 400)
    #expect(try findings(vault, quorum: 0)?.certificate.anchorLag == 5_000_000_000)
    try vault.commit(look(160, 200, canaries: 3), to: 220)
    try vault.close()
    #expect(try findings(vault, to: 210, quorum: 0)?.certificate.anchorLag == nil, "nobody has seen the second epoch")
    try anchor(vault, first, at: 520)
    #expect(try findings(vault, to: 210, quorum: 0)?.certificate.anchorLag == 300_000_000_000)
    #expect(try findings(vault, to: 210, quorum: 0)?.pinnedLag == 300_000_000_000)
  }

  @Test("the final head is one that most witnesses have cosigned")
  func quorum() throws {
    let vault = try vault()
    try anchor(vault, first, at: 170)
    #expect(try findings(vault, quorum: 1)?.cosignatures == 1)
    #expect(try findings(vault, quorum: 2) == nil)
    // The same head; what the first one said made a record that no head has yet.
    try anchor(vault, second, at: 171)
    #expect(try findings(vault, quorum: 2)?.cosignatures == 2)
    // Newer heads that fewer have seen do not take it away.
    try vault.sealer.sign(vault.writer, vault.keys)
    try anchor(vault, first, at: 180)
    try vault.sealer.sign(vault.writer, vault.keys)
    #expect(try findings(vault, quorum: 2)?.cosignatures == 2)
  }

  @Test("what claims to be of a time that has not come is left out, and keeps no certificate from being made")
  func future() throws {
    let vault = try vault()
    try anchor(vault, first, at: 2001)
    let found = try #require(try findings(vault, quorum: 0))
    #expect(found.certificate.anchorLag == nil && found.cosignatures == 0)
  }

  @Test(
    "whoever changes an anchor is found out",
    arguments: [
      "UPDATE anchors SET time = time - 1000000000", "UPDATE anchors SET size = size - 1",
      "UPDATE anchors SET token = CAST('x' AS BLOB)", "UPDATE anchors SET by = 'nobody'",
      "UPDATE anchors SET kind = 'rfc3161'", "DELETE FROM anchors WHERE id = 1",
      "UPDATE anchors SET note = (SELECT note FROM checkpoints ORDER BY size LIMIT 1)",
      "INSERT INTO anchors SELECT 9, kind, by, size, time, note, token, 0 FROM anchors LIMIT 1",
    ])
  func tampered(sql: String) throws {
    let vault = try vault()
    try anchor(vault, first, at: 170)
    #expect(try flaws(vault).isEmpty)
    try vault.writer.close(at: at(161))
    try vault.database().write { try $0.execute(sql: sql) }
    let found = try flaws(vault)
    #expect(found.contains { $0.place.hasPrefix("anchor") }, "\(found)")
  }

  @Test("an older copy of the whole store is sound by itself, and told by a head that somebody kept")
  func rolledBack() throws {
    let vault = try vault()
    let copy = vault.directory + "-copy"
    defer { try? FileManager.default.removeItem(atPath: copy) }
    try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: true)
    try vault.database().backup(to: DatabaseQueue(path: copy + "/alibi.sqlite"))
    try vault.commit(access("/data/customers/secret", from: 170, to: 171, inode: 9), to: 220)
    try vault.sealer.sign(vault.writer, vault.keys)
    let (size, kept) = try #require(try StoreReader(directory: vault.directory).checkpoint())
    let heads = [(name: "kept", note: kept)]
    #expect(try flaws(vault, heads: heads).isEmpty, "the true store goes on from it")
    let old = try StoreReader(directory: copy)
    let pinned = vault.keys.log.verifier
    #expect(try FullVerification(old, pinned: pinned).flaws.isEmpty, "nothing in the copy itself tells")
    let found = try FullVerification(old, pinned: pinned, heads: heads).flaws
    #expect(found.map(\.place) == ["kept head kept"])
    #expect(found.first?.what.contains("an older copy") == true)

    // It goes on without the access, beyond what was kept.
    let writer = try StoreWriter(directory: copy, run: Vault.run(500))
    try vault.sealer.begin(writer, keys: vault.keys, reason: "start")
    while try writer.head().size <= size {
      try writer.commit([], covered: Interval(from: at(0), to: at(600)), sealing: vault.sealer)
    }
    try vault.sealer.sign(writer, vault.keys)
    #expect(try FullVerification(StoreReader(directory: copy), pinned: pinned).flaws.isEmpty)
    let forked = try FullVerification(StoreReader(directory: copy), pinned: pinned, heads: heads).flaws
    #expect(forked.first?.what.contains("rewritten") == true, "\(forked)")
  }

  @Test("what is no head, another log's, or signed by nobody the log knows is no comfort")
  func otherHeads() throws {
    let vault = try vault()
    let other = try Vault()
    let foreign = try #require(try StoreReader(directory: other.directory).checkpoint()).note
    let own = try #require(try StoreReader(directory: vault.directory).checkpoint()).note
    #expect(try flaws(vault, heads: [("a", own)]).isEmpty)
    var bent = own
    bent[bent.count - 5] ^= 1
    for (name, note) in [("other", foreign), ("none", Array("x".utf8)), ("bent", bent)] {
      #expect(try flaws(vault, heads: [("a", own), (name, note)]).map(\.place) == ["kept head \(name)"])
    }
  }
}
