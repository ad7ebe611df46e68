import Evidence
import Foundation
import MerkleLog
import Records
import Testing

@testable import Sealing

struct CrashTests {
  private static let page = 4096
  private static let header = 32
  private static let frame = 24 + page

  /// What a power cut leaves: the file as it was last checkpointed, and the first so many pages of the log of writes.
  private func cut(_ vault: Vault, after frames: Int, into directory: String) throws {
    let files = FileManager.default
    try? files.removeItem(atPath: directory)
    try files.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try files.copyItem(atPath: vault.directory + "/keys", toPath: directory + "/keys")
    try files.copyItem(atPath: vault.directory + "/alibi.sqlite", toPath: directory + "/alibi.sqlite")
    let log = try Data(contentsOf: URL(fileURLWithPath: vault.directory + "/alibi.sqlite-wal"))
    try log.prefix(Self.header + frames * Self.frame).write(
      to: URL(fileURLWithPath: directory + "/alibi.sqlite-wal"))
  }

  @Test("whenever the power is cut, the next start finds records, seals and log in agreement, and goes on with them")
  func everyWrite() throws {
    let vault = try Vault()
    try vault.commit(look(0, 100, canaries: 3), .session(session(1)), access("/data/a"), to: 160)
    try vault.sealer.sign(vault.writer, vault.keys)
    try vault.commit(access("/data/b", from: 170, to: 170, inode: 6), .sessionEnded(1, at(200)), to: 220)
    try vault.sealer.sign(vault.writer, vault.keys)
    try vault.close()
    let whole = try vault.texts()
    let size = try #require(
      try FileManager.default.attributesOfItem(atPath: vault.directory + "/alibi.sqlite-wal")[.size] as? Int)
    let frames = (size - Self.header) / Self.frame
    #expect(frames > 50)
    let directory = vault.directory + "-cut"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    var lengths: Set<Int> = []
    for count in 0...frames {
      try cut(vault, after: count, into: directory)
      let writer = try StoreWriter(directory: directory, run: Vault.run(300))
      let sealer = Vault.sealer()
      lengths.insert(Int(try writer.head().size))
      try sealer.begin(writer, keys: vault.keys, reason: "the service has started")
      try writer.commit(
        [look(300, 360, canaries: 3)], covered: Interval(from: at(300), to: at(360)), sealing: sealer)
      try sealer.sign(writer, vault.keys)
      try writer.close(at: at(361))
      let reader = try StoreReader(directory: directory)
      let found = try FullVerification(reader, pinned: vault.keys.log.verifier)
      #expect(found.flaws.isEmpty, "after \(count) of \(frames): \(found.flaws)")
      // The log goes on from what was there: nothing in it is another.
      let texts = try reader.records().map { String(decoding: $0.text, as: UTF8.self) }
      let common = zip(texts, whole).prefix { $0 == $1 }.count
      #expect(texts[common...].first?.hasPrefix("alibi.v1/run") == true, "after \(count) of \(frames)")
    }
    // The beginning, two seals with a configuration, an epoch.
    #expect(lengths.count >= 4, "\(lengths)")
  }

  @Test("a store that takes nothing when another recorder goes on gets the RUN record with the next seal")
  func patient() throws {
    let vault = try Vault()
    try vault.commit(look(0, 100, canaries: 3), to: 160)
    let stranger = try vault.database()
    try stranger.writeWithoutTransaction { db in
      try db.execute(sql: "BEGIN IMMEDIATE")
      defer { try? db.execute(sql: "ROLLBACK") }
      #expect(throws: StoreError.self) { try vault.sealer.begin(vault.writer, keys: vault.keys, reason: "again") }
      try vault.sealer.begin(vault.writer, keys: vault.keys, reason: "again", isPatient: true)
      #expect(throws: StoreError.self) { try vault.commit(to: 220) }
    }
    #expect(try vault.records("run").count == 1)
    try vault.commit(to: 220)
    vault.sealer.committed()
    try vault.commit(to: 280)
    #expect(try vault.kinds().suffix(4) == ["seal", "run", "seal", "seal"])
  }

  @Test("a head that was never signed, or an epoch that was never closed, is made up for")
  func between() throws {
    let vault = try Vault()
    try vault.commit(look(0, 100, canaries: 3), access("/data/a", session: nil), to: 160)
    try vault.writer.close(at: at(161))
    let before = try #require(try vault.notes().last.flatMap { SignedNote($0) }.flatMap { Checkpoint($0.text) })
    let writer = try StoreWriter(directory: vault.directory, run: Vault.run(300))
    try vault.sealer.begin(writer, keys: vault.keys, reason: "the service has started")
    let after = try #require(try vault.notes().last.flatMap { SignedNote($0) }.flatMap { Checkpoint($0.text) })
    #expect(before.size < after.size)
    #expect(after.size == (try writer.head().size))
    #expect(try writer.epochsReach() == at(0))
    #expect(try EpochCloser.close(state: vault.directory, writer: writer).number == 0)
  }
}
