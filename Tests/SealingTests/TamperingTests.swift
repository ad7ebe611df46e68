import Evidence
import Foundation
import GRDB
import MerkleLog
import Records
import Testing

@testable import Sealing

struct TamperingTests {
  /// A store with two epochs, closed in order.
  private func vault() throws -> Vault {
    let vault = try Vault()
    let process = ProcessRecord(
      id: 7, session: 1, key: ProcessKey(pid: 500, startedAt: 9, provenance: .witnessed), parent: nil,
      executable: RawPath("/bin/sh"), processClass: .toolShell, started: at(2))
    try vault.commit(
      look(0, 100, canaries: 3), .session(session(1)), .process(process), access("/data/a", process: 7),
      access("/data/b", inode: 6, process: 7), renamed("/old", "/new", inode: 6),
      .gap(Gap(time: Interval(from: at(50), to: at(60)), source: "perf", reason: "lost", fileSystem: nil)),
      .conversation(ConversationLabel(session: 1, conversation: "c", from: at(3))),
      .incident(Incident(time: at(5), kind: "canary", detail: "x")), to: 160)
    try vault.close()
    try vault.commit(access("/data/c", [.open], from: 170, to: 171, inode: 8, process: 7), to: 220)
    try vault.commit(.processEnded(7, at(230)), .sessionEnded(1, at(230)), to: 280)
    try vault.close()
    return vault
  }

  private func flaws(_ vault: Vault, pinned: VerifierKey? = nil) throws -> [Flaw] {
    try FullVerification(StoreReader(directory: vault.directory), pinned: pinned ?? vault.keys.log.verifier).flaws
  }

  @Test("an untouched store is sound, at rest and at work")
  func sound() throws {
    let vault = try vault()
    #expect(try flaws(vault).isEmpty)
    try vault.writer.commit([access("/later", from: 290, to: 290)], covered: Interval(from: at(0), to: at(291)))
    #expect(try flaws(vault).isEmpty, "what came since the last seal is no flaw")
    try vault.commit(to: 300)
    try vault.sealer.sign(vault.writer, vault.keys)
    try vault.writer.close(at: at(301))
    let full = try FullVerification(StoreReader(directory: vault.directory), pinned: vault.keys.log.verifier)
    #expect(full.flaws.isEmpty)
    #expect(full.unsealed == 0)
    #expect(full.seals == 4)
    #expect(full.epochs == 2)
    #expect(full.events == 4)
  }

  @Test(
    "whoever changes the store is found out, with what and where",
    arguments: [
      // Edited.
      ("UPDATE files SET path = '/data/z' WHERE path = CAST('/data/a' AS BLOB)", "file 1"),
      ("UPDATE accesses SET t0 = t0 + 1 WHERE id = 1", "seal 1"),
      ("UPDATE accesses SET attribution = 3 WHERE id = 1", "seal 1"),
      ("UPDATE accesses SET session = NULL WHERE id = 1", "bearer 1"),
      ("UPDATE sessions SET user_name = 'eve'", "person 1"),
      ("UPDATE sessions SET agent = 'other'", "session 1"),
      ("UPDATE processes SET executable = x'2f'", "process 7"),
      ("UPDATE conversations SET conversation = 'd'", "conversation 1"),
      ("UPDATE gaps SET t1 = t1 - 1", "gap 1"),
      ("UPDATE names SET to_path = x'2f'", "name 1"),
      ("UPDATE file_systems SET mode = NULL", "fileSystem 1"),
      ("UPDATE seals SET canaries_seen = 9", "sensor 1"),
      // What was set after its row was written.
      ("UPDATE sessions SET ended = ended - 1", "sessions 1"),
      ("UPDATE processes SET ended = NULL", "processes 7"),
      ("UPDATE accesses SET closed = 1 WHERE id = 3", "accesses 3"),
      ("UPDATE changes SET value = value - 1", "change 1"),
      ("UPDATE runs SET covered_to = covered_to + 1000000000", "runs 1"),
      // Deleted, inserted, reordered.
      ("DELETE FROM accesses WHERE id = 2", "seal 1"),
      ("DELETE FROM accesses WHERE id = 3", "seal 2"),
      ("DELETE FROM gaps", "gap 1"),
      ("DELETE FROM incidents", "incident 1"),
      ("DELETE FROM entries WHERE kind = 8", "seal 1"),
      (
        "INSERT INTO accesses (file, t0, t1, operations, result, count, attribution) VALUES (1, 1, 1, 1, 0, 1, 3)",
        "accesses"
      ),
      ("INSERT INTO incidents (time, kind, detail) VALUES (1, 'x', 'y')", "incident 2"),
      (
        "UPDATE accesses SET id = 9 WHERE id = 1; UPDATE accesses SET id = 1 WHERE id = 2; UPDATE accesses SET id = 2 WHERE id = 9",
        "seal 1"
      ),
      // The seals, the epochs and the log.
      ("UPDATE entries SET commitment = zeroblob(32) WHERE kind = 4 AND id = 1", "file 1"),
      ("UPDATE entries SET opening = NULL, commitment = zeroblob(32) WHERE kind = 4 AND id = 1", "seal 1"),
      ("UPDATE entries SET seal = 2 WHERE kind = 4 AND id = 1", "seal 1"),
      ("DELETE FROM log_seals WHERE id = 3", "seals"),
      ("UPDATE log_seals SET t1 = t1 + 1 WHERE id = 3", "seal 3"),
      ("DELETE FROM epochs WHERE id = 0", "epoch 0"),
      ("UPDATE epochs SET salt = (SELECT salt FROM epochs WHERE id = 1) WHERE id = 0", "epoch 0"),
      ("UPDATE epochs SET hiding = (SELECT hiding FROM epochs WHERE id = 1) WHERE id = 0", "epoch 0"),
      ("UPDATE epochs SET keys = (SELECT keys FROM epochs WHERE id = 1) WHERE id = 0", "epoch 0"),
      ("UPDATE epochs SET gaps = '' WHERE id = 0", "epoch 0"),
      ("UPDATE epochs SET sessions = '' WHERE id = 0", "epoch 0"),
      ("DELETE FROM log_records WHERE id = (SELECT max(id) FROM log_records)", "log hash"),
      (
        "UPDATE log_records SET text = replace(text, 'lost 0', 'lost 1') WHERE id = (SELECT record FROM log_seals WHERE id = 3)",
        "log hash"
      ),
      ("DELETE FROM log_hashes WHERE id = (SELECT max(id) FROM log_hashes)", "log hash"),
      ("UPDATE checkpoints SET note = replace(note, 'alibi', 'alibj')", "checkpoints"),
      ("DELETE FROM checkpoints", "checkpoints"),
    ])
  func found(sql: String, place: String) throws {
    let vault = try vault()
    try vault.writer.close(at: at(281))
    #expect(try flaws(vault).isEmpty)
    let database = try vault.database()
    try database.writeWithoutTransaction { db in
      try db.execute(sql: "PRAGMA foreign_keys = OFF; " + sql)
    }
    try database.close()
    let found = try flaws(vault)
    #expect(found.contains { $0.place.hasPrefix(place) }, "\(found)")
  }

  @Test("a log that is truncated with everything that hangs on it is shorter than a head that was signed")
  func truncated() throws {
    let vault = try vault()
    try vault.writer.close(at: at(281))
    let database = try vault.database()
    try database.writeWithoutTransaction { db in
      try db.execute(sql: "PRAGMA foreign_keys = OFF")
      let size = try #require(try Int64.fetchOne(db, sql: "SELECT max(id) FROM log_records"))
      try db.execute(sql: "DELETE FROM log_records WHERE id = ?", arguments: [size])
      try db.execute(sql: "DELETE FROM epochs WHERE record = ?", arguments: [size])
      try db.execute(
        sql: "DELETE FROM log_hashes WHERE id >= ?", arguments: [Int64(StoredHash.count(size: UInt64(size)))])
    }
    try database.close()
    #expect(try flaws(vault).map(\.what).contains("the log is shorter than it was: truncated"))
  }

  @Test("a store of another log is not the auditor's")
  func forked() throws {
    let (mine, other) = (try vault(), try vault())
    #expect(try !flaws(mine, pinned: other.keys.log.verifier).isEmpty)
  }
}
