import Certificates
import Evidence
import Foundation
import MerkleLog
import Records
import TestSupport
import Testing

@testable import Sealing

struct RotationTests {
  private struct Stop: Error {}

  private func vault() throws -> Vault {
    let vault = try Vault()
    try vault.commit(look(0, 100, canaries: 3), .session(session(1)), access("/data/a"), to: 160)
    try vault.close()
    return vault
  }

  private func flaws(_ vault: Vault, _ pinned: VerifierKey? = nil) throws -> [Flaw] {
    try FullVerification(StoreReader(directory: vault.directory), pinned: pinned ?? vault.keys.log.verifier).flaws
  }

  private func files(_ vault: Vault) throws -> [String: String] {
    var found: [String: String] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: vault.directory + "/keys") {
      found[name] = try String(contentsOfFile: vault.directory + "/keys/" + name, encoding: .utf8)
    }
    return found
  }

  private func certify(_ vault: Vault, _ keys: KeyDirectory, to: Int64 = 150) throws -> Certifier.Made {
    let target = try #require(Target(.file, Array("/elsewhere".utf8)))
    return try Certifier.certify(
      CertificateRequest(
        claim: .noAccess, scope: .agent, target: target, from: at(10).unsigned, to: at(to).unsigned),
      fileSystems: [Vault.system], store: StoreReader(directory: vault.directory), keys: keys, now: at(2000).unsigned)
  }

  private func verdict(_ made: Certifier.Made, _ pinned: VerifierKey) -> Certificates.Verdict {
    Verifier.verify(
      certificate: made.certificate, evidence: made.evidence,
      policy: VerificationPolicy(logKeys: [pinned], now: at(2000).unsigned))
  }

  private func isAccepted(_ made: Certifier.Made, _ pinned: VerifierKey) -> Bool {
    if case .reject = verdict(made, pinned) { false } else { true }
  }

  @Test("after a rotation the new key signs, both are in the log, and certificates hold for whoever pinned either")
  func rotation() throws {
    let vault = try vault()
    let before = try certify(vault, vault.keys)
    let old = try files(vault)
    let made = try KeyRotation.run(state: vault.directory, vault.writer)
    #expect(made.old == vault.keys.log.verifier)
    #expect(made.keys.log.verifier != vault.keys.log.verifier)
    #expect(try vault.kinds().suffix(2) == ["key", "key"])
    #expect(try vault.kinds().count == Int(made.record) + 2)
    #expect(try vault.records("key").map { $0.word("role") } == ["log", "cert"])
    let now = try files(vault)
    #expect(now.keys.sorted() == ["cert.key", "log.key"])
    #expect(Set(old.values).isDisjoint(with: now.values))
    // The old keys are of no use any more, and whoever has them is told.
    #expect(throws: KeyError.self) { try Sealer.sign(vault.writer, vault.keys) }
    #expect(throws: (any Error).self) { try certify(vault, vault.keys) }
    let newest = try #require(vault.notes().last.flatMap { SignedNote($0) })
    #expect(newest.signers(among: [made.keys.log.verifier]) != nil)
    #expect(newest.signers(among: [vault.keys.log.verifier]) == nil)

    try vault.commit(access("/data/b", from: 170, to: 170, inode: 6), to: 220)
    _ = try EpochCloser.close(state: vault.directory, writer: vault.writer)
    try Sealer.sign(vault.writer, made.keys)
    let after = try certify(vault, made.keys, to: 210)
    for key in [vault.keys.log.verifier, made.keys.log.verifier] {
      #expect(isAccepted(after, key))
      #expect(try flaws(vault, key).isEmpty)
    }
    #expect(isAccepted(before, vault.keys.log.verifier) && !isAccepted(before, made.keys.log.verifier))
    let stranger = try #require(SigningKey(name: made.old.name, seed: [UInt8](repeating: 3, count: 32))).verifier
    #expect(!isAccepted(after, stranger))
    #expect(try !flaws(vault, stranger).isEmpty)
  }

  @Test("stopped between any two steps, the next start goes on with the keys that the log names, and no other is left")
  func everyStep() throws {
    var steps = 0
    var outcomes: Set<Bool> = []
    while true {
      let vault = try vault()
      var count = 0
      do {
        _ = try KeyRotation.run(state: vault.directory, vault.writer) {
          if count == steps { throw Stop() }
          count += 1
        }
        break
      } catch is Stop {}
      // Nothing in between is unsound, and nothing is signed by a key that is not in force.
      #expect(try flaws(vault).isEmpty, "step \(steps)")
      try vault.writer.close(at: at(161))

      let writer = try StoreWriter(directory: vault.directory, run: Vault.run(300))
      let keys = try KeyDirectory(state: vault.directory, of: writer)
      let sealer = Vault.sealer()
      try sealer.begin(writer, keys: keys, reason: "start")
      try KeyRotation.settle(keys, state: vault.directory, writer)
      let isReplaced = keys.log.verifier != vault.keys.log.verifier
      outcomes.insert(isReplaced)
      #expect(isReplaced == !(try vault.records("key").isEmpty), "step \(steps)")
      #expect(try files(vault).keys.sorted() == ["cert.key", "log.key"], "step \(steps)")
      #expect(try KeyDirectory(state: vault.directory).log.verifier == keys.log.verifier)
      #expect(try KeyDirectory(state: vault.directory).certificate.verifier == keys.certificate.verifier)
      #expect(try flaws(vault).isEmpty, "step \(steps)")
      #expect(isAccepted(try certify(vault, keys), vault.keys.log.verifier))
      // Another attempt is not in the way of the first.
      let again = try KeyRotation.run(state: vault.directory, writer)
      #expect(try vault.records("key").count == (isReplaced ? 4 : 2))
      #expect(isAccepted(try certify(vault, again.keys), vault.keys.log.verifier))
      #expect(isAccepted(try certify(vault, again.keys), again.keys.log.verifier))
      #expect(try flaws(vault).isEmpty, "step \(steps)")
      steps += 1
    }
    // Two keys made, records, public keys, head, and each key overwritten and replaced.
    #expect(steps == 9)
    #expect(outcomes == [true, false])
  }

  @Test("stopped between any two steps and tried again at once, without a start in between")
  func again() throws {
    for steps in 0..<9 {
      let vault = try vault()
      var count = 0
      #expect(throws: Stop.self) {
        try KeyRotation.run(state: vault.directory, vault.writer) {
          if count == steps { throw Stop() }
          count += 1
        }
      }
      let made = try KeyRotation.run(state: vault.directory, vault.writer)
      #expect(try files(vault).keys.sorted() == ["cert.key", "log.key"])
      #expect(isAccepted(try certify(vault, made.keys), vault.keys.log.verifier))
      #expect(try flaws(vault).isEmpty, "step \(steps)")
    }
  }

  @Test("a key that was cut short in being written is destroyed, too")
  func torn() throws {
    let vault = try vault()
    for name in ["log.key.new", "cert.key.next.new"] {
      #expect(FileManager.default.createFile(atPath: vault.directory + "/keys/" + name, contents: Data("PRIV".utf8)))
    }
    let made = try KeyRotation.run(state: vault.directory, vault.writer)
    #expect(try files(vault).keys.sorted() == ["cert.key", "log.key"])
    #expect(isAccepted(try certify(vault, made.keys), made.keys.log.verifier))
  }

  @Test("keys of another log, and none, are no reason to sign with what is there")
  func foreign() throws {
    let (vault, other) = (try vault(), try vault())
    try FileManager.default.removeItem(atPath: vault.directory + "/keys")
    try FileManager.default.copyItem(atPath: other.directory + "/keys", toPath: vault.directory + "/keys")
    #expect(throws: KeyError.self) { try KeyDirectory(state: vault.directory, of: vault.writer) }
    #expect(throws: KeyError.self) { try KeyRotation.run(state: vault.directory, vault.writer) }
    #expect(throws: KeyError.self) { try Sealer.sign(vault.writer, other.keys) }
    try FileManager.default.removeItem(atPath: vault.directory + "/keys")
    #expect(throws: KeyError.self) { try KeyRotation.run(state: vault.directory, vault.writer) }
    #expect(try vault.records("key").isEmpty)
  }

  @Test("a rotation that is not in order is found in a store, and so is a head by the wrong key", arguments: 0..<4)
  func tampered(way: Int) throws {
    let vault = try vault()
    let made = try KeyRotation.run(state: vault.directory, vault.writer)
    let thief = try #require(SigningKey(name: made.old.name, seed: [UInt8](repeating: 3, count: 32)))
    switch way {
    case 0: try vault.writer.append([Sealer.line(KeyRecord(role: "log", old: made.keys.log, new: thief).record)])
    case 1: try vault.writer.append([Sealer.line(KeyRecord(role: "log", old: vault.keys.log, new: thief).record)])
    case 2:
      let head = try vault.writer.head()
      let text = try #require(Checkpoint(origin: thief.verifier.name, size: head.size, root: head.root)).text
      try vault.writer.append([LogLine(kind: "run", text: [])])
      try vault.writer.keep(checkpoint: SignedNote.sign(text, with: [vault.keys.log]), size: head.size + 1)
    default: try vault.database().write { try $0.execute(sql: "DELETE FROM log_records WHERE kind = 'key'") }
    }
    #expect(try !flaws(vault).isEmpty)
  }

  @Test("a head that somebody kept from before is one that the log goes on from")
  func keptHead() throws {
    let vault = try vault()
    let before = try #require(vault.notes().last)
    let made = try KeyRotation.run(state: vault.directory, vault.writer)
    let after = try #require(vault.notes().last)
    let text = try #require(SignedNote(after)).text
    let forged = try SignedNote.sign(text, with: [vault.keys.log])
    for (head, isSound) in [(before, true), (after, true), (forged, false)] {
      for key in [vault.keys.log.verifier, made.keys.log.verifier] {
        let full = try FullVerification(
          StoreReader(directory: vault.directory), pinned: key, heads: [(name: "kept", note: head)])
        #expect(full.flaws.isEmpty == isSound)
      }
    }
  }

  @Test("an exported log is its own proof of its keys")
  func exported() throws {
    let vault = try vault()
    let made = try KeyRotation.run(state: vault.directory, vault.writer)
    let directory = vault.directory + "/export"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    _ = try LogFiles.write(StoreReader(directory: vault.directory), to: directory)
    for key in [vault.keys.log.verifier, made.keys.log.verifier] {
      #expect(try LogFiles.flaws(in: directory, store: nil, pinned: key).flaws.isEmpty)
    }
    let stranger = try #require(SigningKey(name: made.old.name, seed: [UInt8](repeating: 3, count: 32))).verifier
    #expect(try !LogFiles.flaws(in: directory, store: nil, pinned: stranger).flaws.isEmpty)
    let text = try #require(vault.notes().last.flatMap { SignedNote($0) }).text
    for (signer, isSound) in [(vault.keys.log, false), (made.keys.log, true)] {
      let path = URL(filePath: directory + "/checkpoint")
      try FileManager.default.removeItem(at: path)
      try Data(SignedNote.sign(text, with: [signer])).write(to: path)
      #expect(try LogFiles.flaws(in: directory, store: nil, pinned: made.old).flaws.isEmpty == isSound)
    }
    // A head of any size that nobody signed is no reason to count that far.
    let huge = "\(String(decoding: made.old.name, as: UTF8.self))\n8999999999999999999\n\(Hash(of: []).base64)\n"
    try Data(SignedNote.sign(Array(huge.utf8), with: [vault.keys.log]))
      .write(to: URL(filePath: directory + "/checkpoint"))
    #expect(try LogFiles.flaws(in: directory, store: nil, pinned: made.old).flaws.count == 1)
  }
}
