import Certificates
import Evidence
import Foundation
import GRDB
import MerkleLog
import Records
import Testing

@testable import Sealing

struct SealTests {
  @Test("a seal holds everything that is not sealed, and the next one only what came since")
  func seals() throws {
    let shelf = try Vault()
    try shelf.commit(.session(session(1)), access("/data/a"), access("/data/b"), to: 160)
    try shelf.commit(access("/data/a"), to: 220)
    try shelf.commit(to: 280)
    let seals = try shelf.records("seal")
    #expect(seals.map { $0.number("seq") } == [1, 2, 3])
    #expect(seals.map { $0.number("events") } == [2, 1, 0])
    #expect(try #require(seals[0].number("entries")) > 4)
    #expect(seals[2].number("entries") == 0, "a quiet minute is sealed all the same")
    #expect(seals[1].number("from") == seals[0].number("to"))
    #expect(seals[2].number("from") == seals[1].number("to"))
    #expect(seals[2].number("to") == at(280).unsigned)
  }

  @Test("the log begins with its keys, and every head is signed")
  func beginning() throws {
    let shelf = try Vault()
    try shelf.commit(to: 160)
    #expect(try shelf.kinds().prefix(4) == ["genesis", "run", "config", "seal"])
    try shelf.sealer.sign(shelf.writer, shelf.keys)
    let notes = try shelf.notes()
    let head = try #require(notes.last)
    let note = try #require(SignedNote(head))
    #expect(note.signers(among: [shelf.keys.log.verifier]) != nil)
    #expect(Checkpoint(note.text)?.size == 4)
  }

  @Test("a loss, and a time without canaries, is no clean seal")
  func degraded() throws {
    let shelf = try Vault()
    try shelf.commit(to: 160)
    try shelf.commit(look(160, 220, canaries: 3), to: 220)
    try shelf.commit(
      .gap(
        Gap(time: Interval(from: at(220), to: at(230)), source: "fanotify", reason: "queue overflow", fileSystem: nil)),
      look(220, 280, canaries: 3, losses: ["fanotify": 2]), to: 280)
    try shelf.commit(look(280, 340, canaries: 0), to: 340)
    let seals = try shelf.records("seal")
    #expect(seals.map { $0.word("state") } == ["degraded", "clean", "degraded", "degraded"])
    #expect(seals.map { $0.number("lost") } == [0, 0, 2, 0])
    #expect(seals.map { $0.number("canary") } == [0, 1, 1, 0])
    #expect(try shelf.records("gap").count == 1)
  }

  @Test("what ends after it was sealed is sealed again, as a change")
  func changes() throws {
    let shelf = try Vault()
    try shelf.commit(.session(session(1)), to: 160)
    try shelf.commit(to: 220)
    try shelf.commit(.sessionEnded(1, at(230)), to: 280)
    #expect(try shelf.records("seal").map { $0.number("entries") }.last == 1)
  }

  @Test("a transaction that fails leaves neither rows nor records")
  func atomic() throws {
    let shelf = try Vault()
    try shelf.commit(.session(session(1)), to: 160)
    let before = try shelf.writer.head()
    #expect(throws: StoreError.self) { try shelf.commit(access("/a", session: 99), to: 220) }
    #expect(try shelf.writer.head() == before)
    try shelf.commit(access("/a"), to: 220)
    #expect(try shelf.records("seal").map { $0.number("seq") } == [1, 2])
  }

  @Test("keys are root's alone, and one that others may read is refused")
  func keyFiles() throws {
    let shelf = try Vault()
    for name in ["keys/log.key", "keys/cert.key"] {
      let attributes = try FileManager.default.attributesOfItem(atPath: shelf.directory + "/" + name)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
    }
    let directory = try FileManager.default.attributesOfItem(atPath: shelf.directory + "/keys")
    #expect(directory[.posixPermissions] as? Int == 0o700)
    let again = try KeyDirectory(state: shelf.directory)
    #expect(again.log.verifier == shelf.keys.log.verifier)
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: shelf.directory + "/keys/log.key")
    #expect(throws: KeyError.self) { try KeyDirectory(state: shelf.directory) }
  }

  @Test("no record of the log names a person or a file")
  func impersonal() throws {
    let shelf = try Vault()
    try shelf.commit(
      .session(session(1)), access("/data/secret.csv"),
      .gap(
        Gap(
          time: Interval(from: at(5), to: at(6)), source: "session", reason: "session session-1 joined late",
          fileSystem: nil)),
      .incident(Incident(time: at(5), kind: "canary", detail: "/data/secret.csv")), to: 160)
    let all = try shelf.texts().joined(separator: "\n")
    for word in ["ada", "secret", "session-1", "1000"] { #expect(!all.contains(word), "\(word)") }
  }

  @Test("sealing sixty-five thousand events takes less than a canary may")
  func cost() throws {
    let shelf = try Vault()
    try shelf.commit(.session(session(1)), to: 160)
    let many = (0..<65_536).map { access("/data/f\($0 % 4096)", from: 170, to: 170, inode: UInt64($0 % 4096 + 1)) }
    try shelf.writer.commit(many, covered: Interval(from: at(0), to: at(170)))
    let clock = ContinuousClock()
    let took = try clock.measure { try shelf.writer.seal(with: shelf.sealer) }
    print("sealed 65536 events in \(took)")
    #expect(took < .seconds(20))
    #expect(try shelf.records("seal").last?.number("events") == 65_536)
  }
}
