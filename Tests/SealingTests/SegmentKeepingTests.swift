import Certificates
import Evidence
import Foundation
import GRDB
import MerkleLog
import Records
import TestSupport
import Testing

@testable import Sealing

/// Segments when their time is over, when something in them is erased, and when they are taken elsewhere.
struct SegmentKeepingTests {
  private func vault() throws -> Vault {
    let vault = try SegmentTests.vault()
    _ = try Keeper.makeSegments(vault.writer, periods: .days)
    try vault.sealer.sign(vault.writer, vault.keys)
    return vault
  }

  private func files(_ directory: String) -> [String] {
    let names = try? FileManager.default.contentsOfDirectory(atPath: KeptSegment.directory(directory))
    return names?.sorted() ?? []
  }

  private func prove(_ vault: Vault, _ path: String, _ from: Int64, _ to: Int64) throws -> Evidence.Verdict {
    var question = ProofQuestion(target: .file(RawPath(path)), time: Interval(from: at(from), to: at(to)))
    question.fileSystems = [Vault.system]
    return try StoreReader(directory: vault.directory).prove(question)
  }

  // MARK: - Retention

  @Test("a segment whose time is over goes as a file, after the record that tells of it")
  func pruned() throws {
    let vault = try vault()
    let before = try prove(vault, "/data/held0", 3 * day, 3 * day + 10)
    // The first ends with the second day's first minutes.
    #expect(try Keeper.prune(vault.writer, days: 1, now: at(397 * day)).epochs == 0)
    #expect(try Keeper.prune(vault.writer, days: 1, now: at(398 * day + 200)).epochs == 2)
    try vault.sealer.sign(vault.writer, vault.keys)
    #expect(files(vault.directory).count == 3)
    #expect(try vault.records("prune").map { $0.number("last") } == [1])
    let found = try SegmentTests.flaws(vault)
    #expect(found.isEmpty, "\(found)")
    let verdict = try prove(vault, "/data/day0", 10, day)
    #expect(verdict.outcome == .notProven)
    #expect(verdict.gaps.contains { $0.source == "retention" })
    #expect(try prove(vault, "/data/day3", 3 * day, 4 * day).outcome == .accessed)
    #expect(try prove(vault, "/data/none", 2 * day + 200, 4 * day).outcome == .notAccessed)
    let after = try prove(vault, "/data/held0", 3 * day, 3 * day + 10)
    #expect(after.outcome == before.outcome && after.accesses == before.accesses)
    #expect(throws: CertifierError.self) { try vault.certify(.file, "/data/none", from: 200, to: 2 * day) }
    // To the end, epoch by epoch.
    _ = try Keeper.prune(vault.writer, days: 1, now: at(500 * day))
    try vault.sealer.sign(vault.writer, vault.keys)
    #expect(files(vault.directory).isEmpty)
    #expect(try SegmentTests.flaws(vault).isEmpty)
  }

  @Test("epochs of one segment wait for the last of them")
  func waiting() throws {
    let vault = try SegmentTests.vault()
    let whole = Periods { ("all", $0 < at(3 * day) ? at(3 * day) : at(1000 * day)) }
    #expect(try Keeper.makeSegments(vault.writer, periods: whole) == 1)
    #expect(try StoreReader(directory: vault.directory).segments().map(\.epochs) == [0...2])
    #expect(try Keeper.prune(vault.writer, days: 1, now: at(398 * day + 200)).epochs == 0)
    #expect(try prove(vault, "/data/day0", 10, day).outcome == .accessed)
    #expect(try Keeper.prune(vault.writer, days: 1, now: at(399 * day + 200)).epochs == 3)
    #expect(files(vault.directory).isEmpty)
    try vault.sealer.sign(vault.writer, vault.keys)
    #expect(try SegmentTests.flaws(vault).isEmpty)
  }

  @Test("a file that outlived its record is removed by whoever comes next")
  func stray() throws {
    let vault = try vault()
    let segment = try #require(try vault.writer.segments().first)
    let values: [LogRecord.Value] = [.number(0), .number(0), .number(at(500 * day).unsigned)]
    try vault.writer.prune(0...0, try Sealer.line(LogRecord(.prune, values)))
    try vault.sealer.sign(vault.writer, vault.keys)
    #expect(files(vault.directory).contains(segment.file))
    #expect(try SegmentTests.flaws(vault).isEmpty)
    #expect(try prove(vault, "/data/day0", 10, day).outcome == .notProven)
    _ = try Keeper.prune(vault.writer, days: 1, now: at(day))
    #expect(!files(vault.directory).contains(segment.file))
  }

  // MARK: - Erasure

  /// Whether bytes are in any file of the directory.
  private func isFound(_ text: String, _ vault: Vault) throws -> [String] {
    let all = try #require(FileManager.default.enumerator(atPath: vault.directory))
    return all.compactMap { $0 as? String }.filter { name in
      // A directory has no contents.
      FileManager.default.contents(atPath: vault.directory + "/" + name)?.range(of: Data(text.utf8)) != nil
    }
  }

  @Test("what is erased goes from segments too, byte for byte, and what was sealed stays sealed")
  func erased() throws {
    let vault = try vault()
    #expect(try !isFound("session-3", vault).isEmpty && !isFound("/data/day2", vault).isEmpty)
    let old = try vault.writer.segments().map(\.file)
    let erased = try Keeper.erase(.session("session-3"), basis: .policy, vault.writer)
    #expect(erased.isLogEmpty)
    try vault.sealer.sign(vault.writer, vault.keys)
    for word in ["session-3", "/data/day2", "secret-3"] {
      #expect(try isFound(word, vault).isEmpty, "\(word)")
    }
    // Only those files that had something of it.
    let new = try vault.writer.segments().map(\.file)
    #expect(new.count == old.count && new.first == old.first && new[2] != old[2])
    #expect(files(vault.directory) == new.sorted())
    let found = try SegmentTests.flaws(vault)
    #expect(found.isEmpty, "\(found)")
    let full = try FullVerification(StoreReader(directory: vault.directory), pinned: vault.keys.log.verifier)
    #expect(full.erased == Int(erased.draft.count))
    #expect(try prove(vault, "/data/day2", 2 * day, 3 * day).outcome == .notProven)
    #expect(try prove(vault, "/data/day1", day, 2 * day).outcome == .accessed)
    #expect(throws: CertifierError.self) { try vault.certify(.file, "/data/x", from: 2 * day + 200, to: 3 * day) }
    // The commitments outlive the segments: the log tells of them for good.
    _ = try Keeper.prune(vault.writer, days: 1, now: at(500 * day))
    try vault.sealer.sign(vault.writer, vault.keys)
    let later = try SegmentTests.flaws(vault)
    #expect(later.isEmpty, "\(later)")
  }

  @Test("a file that others accessed in another segment stays, and a person's go wherever they are")
  func others() throws {
    let vault = try vault()
    // Session 1's first file was accessed by it alone; `held` under five names by all five.
    _ = try Keeper.erase(.session("session-2"), basis: .policy, vault.writer)
    #expect(try isFound("/data/day1", vault).isEmpty)
    #expect(try !isFound("/data/day0", vault).isEmpty)
    #expect(throws: ErasureRefusal.self) { try Keeper.erase(.person("ada"), basis: .policy, vault.writer) }
    try vault.commit(.processEnded(10, at(5 * day)), .sessionEnded(1, at(5 * day)), to: 5 * day + 200)
    _ = try Keeper.erase(.person("ada"), basis: .policy, vault.writer)
    try vault.sealer.sign(vault.writer, vault.keys)
    for word in ["session-1", "session-5", "/data/day0", "/data/held3", "secret-4", "ada"] {
      let places = try isFound(word, vault).filter { !$0.hasPrefix("keys/") }
      #expect(places.isEmpty, "\(word): \(places)")
    }
    let found = try SegmentTests.flaws(vault)
    #expect(found.isEmpty, "\(found)")
  }

  private struct Stop: Error {}

  @Test("an erasure that was cut off between the log and a segment is gone through with by whoever comes next")
  func cutOff() throws {
    for stop in 0..<3 {
      let vault = try vault()
      _ = try vault.writer.erase(.session("session-3")) { draft in
        try Sealer.line(
          LogRecord(
            .erasure,
            [
              .number(draft.count), .words(draft.kinds), .number(draft.first), .number(draft.last), .word("policy"),
              .hash(draft.root),
            ]))
      }
      var left = stop
      #expect(throws: Stop.self) {
        try Keeper.follow(vault.writer) { _ in
          left -= 1
          if left < 0 { throw Stop() }
        }
      }
      try vault.sealer.sign(vault.writer, vault.keys)
      let between = try SegmentTests.flaws(vault)
      #expect(between.isEmpty, "\(stop): \(between)")
      #expect(try prove(vault, "/data/day2", 2 * day, 3 * day).outcome != .notAccessed)
      _ = try Keeper.makeSegments(vault.writer, periods: .days)
      _ = try vault.writer.emptyLog()
      try vault.sealer.sign(vault.writer, vault.keys)
      #expect(try isFound("/data/day2", vault).isEmpty, "\(stop)")
      let found = try SegmentTests.flaws(vault)
      #expect(found.isEmpty, "\(stop): \(found)")
    }
  }

  @Test("of a segment that is missing or altered nothing is erased, and nothing else is then")
  func harmed() throws {
    let vault = try vault()
    let path = KeptSegment.directory(vault.directory) + "/2027-01-16.sqlite"
    var bytes = try #require(FileManager.default.contents(atPath: path))
    bytes[bytes.count / 2] ^= 1
    try FileManager.default.removeItem(atPath: path)
    try bytes.write(to: URL(filePath: path))
    #expect(throws: StoreError.self) { try Keeper.erase(.session("session-3"), basis: .policy, vault.writer) }
    #expect(try vault.records("erasure").isEmpty)
  }

  // MARK: - Elsewhere

  private func export(_ vault: Vault) throws -> String {
    let directory = vault.directory + "/export"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try StoreReader(directory: vault.directory).copy(to: directory + "/alibi.sqlite")
    let copy = try StoreReader(directory: directory)
    #expect(try LogFiles.copySegments(of: copy, from: vault.directory) == 5)
    _ = try LogFiles.write(copy, to: directory)
    return directory
  }

  @Test("a copy with its segments is sound by itself; without one of them it is not, and says which")
  func exported() throws {
    let vault = try vault()
    let directory = try export(vault)
    #expect(try SegmentTests.flaws(vault, in: directory).isEmpty)
    let original = KeptSegment.directory(vault.directory) + "/2027-01-17.sqlite"
    let copy = KeptSegment.directory(directory) + "/2027-01-17.sqlite"
    #expect(FileManager.default.contentsEqual(atPath: original, andPath: copy))
    try FileManager.default.removeItem(atPath: copy)
    let found = try SegmentTests.flaws(vault, in: directory)
    #expect(found.count == 1 && found[0].place == "segment 2027-01-17" && found[0].what.contains("missing"))
  }

  private static let program = """
    import sys
    sys.dont_write_bytecode = True
    sys.path.insert(0, sys.argv[1])
    import alibi_verify as v
    files = [open(name, "rb").read() for name in sys.argv[2:4]]
    for step in v.verify(*files, [sys.argv[4]], 0, int(sys.argv[5])): pass
    print(step[0])
    """

  private func certify(_ vault: Vault, _ path: String, to: Int64) throws -> Certifier.Made {
    let target = try #require(Target(.tree, Array(path.utf8)))
    return try Certifier.certify(
      CertificateRequest(
        claim: .noAccess, scope: .agent, target: target, from: at(300).unsigned, to: at(to).unsigned),
      fileSystems: [Vault.system], store: StoreReader(directory: vault.directory), keys: vault.keys,
      now: at(10 * day).unsigned)
  }

  @Test(
    "a certificate over several segments and what came after them is accepted by both verifiers",
    .tool("python3", "-c", "import cryptography"))
  func certified() throws {
    let vault = try vault()
    try vault.commit(
      access("/data/new", session: 1, from: 4 * day + 90_000, to: 4 * day + 90_000, inode: 77),
      look(4 * day + 86_500, 5 * day + 20_000, canaries: 3), to: 5 * day + 20_000)
    try vault.close()
    #expect(try StoreReader(directory: vault.directory).epochs().count { $0.segment == nil } == 1)
    let made = try certify(vault, "/other", to: 5 * day + 10_000)
    let now = at(10 * day).unsigned
    let policy = VerificationPolicy(logKeys: [vault.keys.log.verifier], now: now)
    switch Verifier.verify(certificate: made.certificate, evidence: made.evidence, policy: policy) {
    case .accept, .acceptWithGaps: break
    case .reject(let step, let reason): Issue.record("\(step): \(reason)")
    }
    let (certificate, evidence) = (vault.directory + "/certificate", vault.directory + "/evidence.json")
    try Data(made.certificate).write(to: URL(filePath: certificate))
    try Data(made.evidence).write(to: URL(filePath: evidence))
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "packaging/verify").path
    let python = try Subprocess.run(
      "/usr/bin/env",
      ["python3", "-c", Self.program, folder, certificate, evidence, vault.keys.log.verifier.text, "\(now)"])
    #expect(python.output.hasPrefix("ACCEPT"), "\(python.errors)")
    #expect(throws: CertifierError.self) { try certify(vault, "/data", to: 5 * day + 10_000) }
  }
}
