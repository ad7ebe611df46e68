import Certificates
import Evidence
import Foundation
import GRDB
import MerkleLog
import Records
import Testing

@testable import Sealing

struct RetentionTests {
  /// Three days: of the first, what matters later and what does not.
  private func vault(_ findings: Finding...) throws -> Vault {
    let vault = try Vault()
    let process = ProcessRecord(
      id: 7, session: 1, key: ProcessKey(pid: 500, startedAt: 9, provenance: .witnessed), parent: nil,
      executable: RawPath("/bin/sh"), processClass: .toolShell, started: at(2))
    try vault.writer.commit(
      [
        look(0, 100, canaries: 3), .session(session(1)), .session(session(2)), .process(process),
        access("/data/old", process: 7), access("/data/held", session: 2, [.open], inode: 6),
        .conversation(ConversationLabel(session: 1, conversation: "c", from: at(3))),
        .gap(Gap(time: Interval(from: at(50), to: at(60)), source: "perf", reason: "lost", fileSystem: nil)),
        .incident(Incident(time: at(5), kind: "canary", detail: "x")), .processEnded(7, at(70)),
        .sessionEnded(1, at(80)),
      ] + findings, covered: Interval(from: at(0), to: at(160)), sealing: vault.sealer)
    try vault.commit(access("/data/late", session: 2, from: 150, to: 150, inode: 8), to: 170)
    try vault.close()
    try vault.commit(
      look(170, 200, canaries: 3), access("/data/new", session: 2, from: day, to: day, inode: 9), to: 2 * day)
    try vault.close()
    try vault.commit(look(2 * day, 2 * day + 9, canaries: 3), to: 2 * day + 10)
    return vault
  }

  private func prune(_ vault: Vault, at seconds: Int64 = 400 * day) throws -> Keeper.Pruned {
    let pruned = try Keeper.prune(vault.writer, days: 1, now: at(seconds))
    try vault.sealer.sign(vault.writer, vault.keys)
    return pruned
  }

  private func check(_ vault: Vault) throws -> FullVerification {
    try FullVerification(StoreReader(directory: vault.directory), pinned: vault.keys.log.verifier)
  }

  private func prove(_ vault: Vault, _ path: String, _ from: Int64, _ to: Int64) throws -> Evidence.Verdict {
    var question = ProofQuestion(target: .file(RawPath(path)), time: Interval(from: at(from), to: at(to)))
    question.fileSystems = [Vault.system]
    return try StoreReader(directory: vault.directory).prove(question)
  }

  private func count(_ vault: Vault, _ table: String, _ condition: String = "1") throws -> Int {
    try vault.database().read { try Int.fetchOne($0, sql: "SELECT count(*) FROM \(table) WHERE \(condition)") ?? -1 }
  }

  @Test("an epoch whose time is over loses its values, and a record tells of it")
  func pruned() throws {
    let vault = try vault()
    #expect(try prune(vault, at: 396 * day + 100).epochs == 0)
    #expect(try check(vault).flaws.isEmpty)
    // The first epoch ended at 170, the second with the second day.
    #expect(try prune(vault, at: 397 * day).epochs == 1)
    let full = try check(vault)
    #expect(full.flaws.isEmpty, "\(full.flaws)")
    #expect(full.pruned == 1)
    #expect(try vault.records("prune").map { $0.number("last") } == [0])
    #expect(try count(vault, "files", "path = CAST('/data/old' AS BLOB)") == 0)
    for table in ["conversations", "processes", "incidents", "gaps"] {
      #expect(try count(vault, table) == 0, "\(table)")
    }
    #expect(try count(vault, "sessions") == 1)
    #expect(try count(vault, "epochs", "salt IS NULL AND hiding IS NULL AND keys IS NULL AND sessions = ''") == 1)
    #expect(try prune(vault, at: 397 * day) == Keeper.Pruned())
    #expect(try check(vault).flaws.isEmpty)
  }

  @Test("a question that reaches into a time that is over is not proven; one that does not is as it was")
  func questions() throws {
    let vault = try vault()
    let before = try prove(vault, "/data/x", 200, 2 * day)
    #expect(try prove(vault, "/data/old", 10, 100).outcome == .accessed)
    _ = try prune(vault, at: 397 * day)
    for path in ["/data/old", "/data/x"] {
      let verdict = try prove(vault, path, 10, day)
      #expect(verdict.outcome == .notProven)
      #expect(verdict.gaps.contains { $0.source == "retention" && $0.time == Interval(from: at(10), to: at(170)) })
    }
    let after = try prove(vault, "/data/x", 200, 2 * day)
    #expect(after.outcome == before.outcome)
    #expect(after.gaps == before.gaps)
    #expect(try prove(vault, "/data/new", 200, 2 * day).outcome == .accessed)
    #expect(try prove(vault, "/data/late", 200, 2 * day).outcome == before.outcome)
    #expect(throws: CertifierError.self) { try vault.certify(.file, "/data/x", from: 10, to: 150) }
  }

  @Test("what was opened in a time that is over and is still held counts for as long as it is")
  func held() throws {
    let vault = try vault()
    _ = try prune(vault, at: 397 * day)
    #expect(try prove(vault, "/data/held", 2 * day, 2 * day + 5).outcome != .notAccessed)
    #expect(throws: CertifierError.self) { try vault.certify(.file, "/data/held", from: 200, to: day) }
    // Its session ends, and what it held with it.
    try vault.commit(.sessionEnded(2, at(3 * day)), look(2 * day + 10, 3 * day, canaries: 3), to: 3 * day + 100)
    try vault.close()
    _ = try prune(vault, at: 500 * day)
    let full = try check(vault)
    #expect(full.flaws.isEmpty, "\(full.flaws)")
    for table in ["accesses", "files", "sessions"] { #expect(try count(vault, table) == 0, "\(table)") }
  }

  @Test("whoever bears a name got it at some time, however long ago")
  func names() throws {
    let vault = try vault(
      // Linked and not lost since; got and lost; a directory's.
      renamed(nil, "/data/linked", inode: 9), renamed(nil, "/data/gone", inode: 11, at: 30),
      renamed("/data/gone", nil, inode: 11, at: 40), renamed("/a", "/b", inode: 90, kind: .directory))
    _ = try prune(vault, at: 397 * day)
    #expect(try check(vault).flaws.isEmpty)
    #expect(try count(vault, "names") == 1)
    #expect(try prove(vault, "/data/linked", 200, 2 * day).outcome == .accessed)
    // Found again: then the old name matters no more.
    try vault.commit(
      renamed("/data/linked", nil, inode: 9, at: 3 * day), .sessionEnded(2, at(3 * day)),
      look(2 * day + 10, 3 * day, canaries: 3), to: 3 * day + 1)
    try vault.close()
    try vault.commit(look(3 * day + 1, 3 * day + 2, canaries: 3), to: 3 * day + 2)
    _ = try prune(vault, at: 500 * day)
    #expect(try check(vault).flaws.isEmpty)
    #expect(try count(vault, "names") == 0)
  }

  @Test("numbers of what was deleted are never used again")
  func numbers() throws {
    let vault = try vault()
    try vault.commit(.sessionEnded(2, at(3 * day)), look(2 * day + 10, 3 * day, canaries: 3), to: 3 * day + 1)
    try vault.close()
    _ = try prune(vault, at: 500 * day)
    #expect(try count(vault, "accesses") == 0)
    let inherited = try vault.writer.inheritance(bootID: "boot")
    #expect(inherited.firstSession == 3)
    #expect(inherited.firstProcess == 8)
    try vault.commit(
      .session(session(3)), access("/data/old", session: 3, from: 3 * day + 2, to: 3 * day + 2), to: 3 * day + 10)
    try vault.sealer.sign(vault.writer, vault.keys)
    #expect(try vault.database().read { try Int64.fetchAll($0, sql: "SELECT id FROM accesses") } == [5])
    #expect(try check(vault).flaws.isEmpty)
    #expect(try prove(vault, "/data/old", 3 * day + 1, 3 * day + 5).outcome == .accessed)
  }

  @Test("pruning that was cut off at any step is sound, and goes on")
  func cut() throws {
    let vault = try vault()
    let epochs = try #require(try vault.writer.expired(before: at(day)))
    let values: [LogRecord.Value] = [.number(0), .number(0), .number(at(400 * day).unsigned)]
    try vault.writer.prune(epochs, try Sealer.line(LogRecord(.prune, values)))
    var cursor: StoreWriter.PruneCursor?
    var rounds = 0, seals = 0
    repeat {
      // As if another process had to go on.
      rounds += 1
      if rounds % 3 == 0 { cursor = nil }
      if rounds > 100 { break }
      try vault.sealer.sign(vault.writer, vault.keys)
      let found = try check(vault).flaws
      #expect(found.isEmpty, "\(found)")
      #expect(try prove(vault, "/data/old", 10, day).gaps.contains { $0.source == "retention" })
    } while try vault.writer.pruneNext(&cursor, &seals, most: 2)
    #expect(rounds > 8)
    #expect(try check(vault).flaws.isEmpty)
    #expect(try prune(vault, at: 397 * day).epochs == 0)
    #expect(try count(vault, "files", "path = CAST('/data/old' AS BLOB)") == 0)
  }

  @Test(
    "what is deleted without a record, or before its time, is found out",
    arguments: [
      ("UPDATE log_seals SET pruned = 1 WHERE id = 3; DELETE FROM accesses WHERE id = 4", "seal 3"),
      ("UPDATE epochs SET salt = NULL WHERE id = 1", "epoch 1"),
      ("UPDATE epochs SET salt = NULL, hiding = NULL, keys = NULL, pruned = 3 WHERE id = 1", "epoch 1"),
      ("UPDATE epochs SET pruned = NULL WHERE id = 0", "epoch 0"),
      ("UPDATE accesses SET t0 = t0 - 1 WHERE id = 2", "seal 1"),
      ("UPDATE accesses SET t0 = t0 - 1 WHERE id = 4", "seal 3"),
      ("UPDATE files SET path = x'2f' WHERE id = (SELECT file FROM accesses WHERE id = 2)", "file 2"),
      ("DELETE FROM accesses WHERE id = 2", "seal 1"),
      ("DELETE FROM remains WHERE kind = 4", "seal 1"),
      ("UPDATE entries SET opening = NULL WHERE kind = 4 AND seal = 3", "file"),
      ("UPDATE entries SET opening = NULL, erased = 2 WHERE kind = 4 AND seal = 3", "log record 2"),
    ])
  func tampered(sql: String, place: String) throws {
    let vault = try vault()
    _ = try prune(vault, at: 397 * day)
    #expect(try check(vault).flaws.isEmpty)
    let database = try vault.database()
    try database.writeWithoutTransaction { db in try db.execute(sql: "PRAGMA foreign_keys = OFF; " + sql) }
    try database.close()
    let found = try check(vault).flaws
    #expect(found.contains { $0.place.hasPrefix(place) }, "\(found)")
  }

  @Test("a record that prunes what is younger than the configuration says is found out")
  func early() throws {
    let vault = try vault()
    let values: [LogRecord.Value] = [.number(0), .number(1), .number(at(30 * day).unsigned)]
    try vault.writer.prune(0...1, try Sealer.line(LogRecord(.prune, values)))
    var cursor: StoreWriter.PruneCursor?
    while try vault.writer.pruneNext(&cursor) {}
    try vault.sealer.sign(vault.writer, vault.keys)
    #expect(try check(vault).flaws.contains { $0.what.contains("before its time was over") })
  }
}

/// A day in seconds.
let day: Int64 = 86_400
