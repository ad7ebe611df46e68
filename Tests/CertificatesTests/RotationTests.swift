internal import MerkleLog
internal import Testing

@testable internal import Certificates

/// Keys that were replaced, and what a verifier makes of those who pinned one or the other.
struct RotationTests {
  /// Two days under the first keys, a rotation, another day, and so on.
  private func scene(rotations: Int = 1) throws -> Scene {
    var scene = try Scene(days: Array(Scene.quietDays()[..<2]))
    for number in 0..<rotations { try scene.rotate(UInt8(20 + 10 * number)) }
    try scene.seal(Scene.quietDays()[2], number: 2)
    try scene.anchor(after: 90)
    return scene
  }

  private func policy(_ scene: Scene, _ keys: SigningKey...) -> VerificationPolicy {
    var policy = scene.policy
    policy.logKeys = keys.map(\.verifier)
    return policy
  }

  private func step(
    _ scene: Scene, _ bundle: CertificateBundle, _ edit: (inout EvidenceFile) throws -> Void
  ) throws -> Int? {
    try scene.verdict(of: bundle) { file, _ in try edit(&file) }.step
  }

  @Test(
    "whoever pinned a key before or after it was replaced accepts, and who pinned another does not", arguments: 1...3)
  func pinned(rotations: Int) throws {
    let scene = try scene(rotations: rotations)
    let bundle = try scene.build(Scene.request())
    #expect(bundle.verdict.isAccept)
    for (key, _) in scene.headKeys {
      #expect(scene.check(bundle.certificate, bundle.evidence, policy(scene, key)).isAccept)
    }
    #expect(scene.check(bundle.certificate, bundle.evidence, policy(scene, try Scene.key(99))).step == 4)
    // Both at once, and one that never was.
    let both = policy(scene, scene.logKey, scene.head, try Scene.key(99))
    #expect(scene.check(bundle.certificate, bundle.evidence, both).isAccept)
  }

  @Test("a certificate from before is for those who pinned the key of then")
  func before() throws {
    var scene = try Scene()
    let bundle = try scene.build(Scene.request())
    try scene.rotate(20)
    #expect(scene.check(bundle.certificate, bundle.evidence, policy(scene, scene.logKey)).isAccept)
    #expect(scene.check(bundle.certificate, bundle.evidence, policy(scene, scene.head)).step == 4)
  }

  @Test("the final head by a key that was replaced, or that is not there yet")
  func head() throws {
    let scene = try scene(rotations: 2)
    let bundle = try scene.build(Scene.request())
    let text = try scene.head().text
    for (key, _) in scene.headKeys.dropLast() {
      let note = try SignedNote.sign(text, with: [key]) + scene.witness.line(signing: text, at: 5)
      #expect(try step(scene, bundle) { $0.checkpoint = note } == 4)
    }
    // Two signatures are no worse than one: the other key is a stranger here.
    let both = try SignedNote.sign(text, with: [scene.logKey, scene.head]) + scene.witness.line(signing: text, at: 5)
    #expect(try step(scene, bundle) { $0.checkpoint = both } == nil)
  }

  @Test("an anchored head by a key that was not in force at its size")
  func anchors() throws {
    let scene = try scene()
    let bundle = try scene.build(Scene.request())
    let file = try #require(EvidenceFile(bundle.evidence))
    for (index, anchor) in file.anchors.enumerated() {
      let text = try #require(SignedNote(anchor.checkpoint)).text
      let size = try #require(Checkpoint(text)).size
      let isOld = size <= scene.headKeys[1].record
      let other = try SignedNote.sign(text, with: [isOld ? scene.head : scene.logKey])
      let cosigned = try other + scene.witness.line(signing: text, at: scene.now / 1_000_000_000)
      #expect(try step(scene, bundle) { $0.anchors[index].checkpoint = cosigned } == 8)
    }
    #expect(file.anchors.count == 3)
    // The head that ends before the rotation's first record, and the one that ends with it.
    let place = scene.headKeys[1].record
    for (size, key, step) in [
      (place, scene.logKey, nil), (place, scene.head, 8), (place + 1, scene.logKey, 8), (place + 1, scene.head, nil),
    ] as [(UInt64, SigningKey, Int?)] {
      let text = try scene.head(size).text
      let note = try SignedNote.sign(text, with: [key]) + scene.witness.line(signing: text, at: scene.anchors[2].time)
      let anchor = EvidenceFile.Anchor(
        kind: .witness, checkpoint: note, consistency: try scene.log.consistencyProof(old: size, new: scene.log.size),
        by: Scene.utf8(scene.witness.verifier.text))
      #expect(try self.step(scene, bundle) { $0.anchors.append(anchor) } == step, "\(size)")
    }
  }

  @Test("a rotation left out, doubled, alone, out of order, of another role, or not in the log")
  func chain() throws {
    let scene = try scene(rotations: 2)
    let bundle = try scene.build(Scene.request())
    func step(_ edit: (inout [EvidenceFile.Leaf]) -> Void) throws -> Int? {
      try self.step(scene, bundle) { edit(&$0.authority) }
    }
    #expect(try step { _ in } == nil)
    #expect(try step { $0.removeLast() } == 2)
    #expect(try step { $0.removeSubrange(3...4) } == 2)
    #expect(try step { $0.removeSubrange(1...2) } == 2)
    #expect(try step { $0.remove(at: 1) } == 2)
    #expect(try step { $0.remove(at: 2) } == 2)
    #expect(try step { $0.swapAt(1, 2) } == 2)
    #expect(try step { $0 = [$0[0], $0[3], $0[4], $0[1], $0[2]] } == 2)
    #expect(try step { $0 += $0[3...4] } == 2)
    #expect(try step { $0[1].index += 1 } == 2)
    #expect(try step { $0[1].proof[0] = Hash(of: [1]) } == 2)
    #expect(try step { $0[1].record[30] ^= 1 } == 2)
    #expect(try step { $0.append($0[0]) } == 2)
  }

  /// What the log says when its records of a rotation are these.
  private func verdict(_ records: [LogRecord?], between: Int = 0, head: SigningKey, signer: SigningKey) throws
    -> Verdict
  {
    var scene = try Scene()
    let bundle = try scene.build(Scene.request())
    for (number, record) in records.enumerated() {
      if number == 1 { for _ in 0..<between { try scene.log.append(record: scene.config.text) } }
      try scene.add(authority: try #require(record))
    }
    scene.signer = signer
    // The same epochs under the new head.
    var file = try #require(EvidenceFile(bundle.evidence))
    let material = try scene.material()
    let text = try scene.head().text
    file.checkpoint = try SignedNote.sign(text, with: [head]) + scene.witness.line(signing: text, at: 5)
    file.authority = material.authority
    for at in file.epochs.indices { file.epochs[at].leaf = try scene.epoch(at, Scene.request()).leaf }
    for at in file.anchors.indices { file.anchors[at].consistency = material.anchors[at].consistency }
    return try scene.verdict(of: bundle) { changed, _ in changed = file }
  }

  @Test(
    "what is in the log all the same: one signature of two, another key's place, another name, a witness's key, a hole")
  func forged() throws {
    let (log, certificate) = (try Scene.key(1), try Scene.key(2, "cert"))
    let (newLog, newCertificate) = (try Scene.key(20), try Scene.key(21, "cert"))
    let thief = try Scene.key(30)
    func rotation(_ role: String, _ old: SigningKey, _ new: SigningKey) throws -> KeyRecord {
      try KeyRecord(role: role, old: old, new: new)
    }
    let one = try rotation("log", log, newLog)
    let other = try rotation("cert", certificate, newCertificate)
    func step(_ records: KeyRecord..., between: Int = 0, head: SigningKey? = nil) throws -> Int? {
      try verdict(records.map(\.record), between: between, head: head ?? newLog, signer: newCertificate).step
    }
    #expect(try step(one, other) == nil)
    // A record in between: the pair was not written at once.
    #expect(try step(one, other, between: 1) == 2)
    #expect(try step(other, one) == 2)
    #expect(try step(one, try rotation("log", newLog, thief)) == 2)
    #expect(try step(try rotation("cert", log, newLog), try rotation("log", certificate, newCertificate)) == 2)
    // Signed by the thief's key in the old one's place, or by nobody in the new one's.
    var forged = one
    forged.oldSignature = try rotation("log", thief, newLog).newSignature
    #expect(try step(forged, other) == 2)
    forged = one
    forged.newSignature[0] ^= 1
    #expect(try step(forged, other) == 2)
    forged = one
    forged.newSignature = forged.oldSignature
    #expect(try step(forged, other) == 2)
    forged = one
    forged.oldSignature.removeLast()
    #expect(try step(forged, other) == 2)
    // Signatures of another role's record.
    forged = one
    forged.oldSignature = try rotation("cert", log, newLog).oldSignature
    forged.newSignature = try rotation("cert", log, newLog).newSignature
    #expect(try step(forged, other) == 2)
    // A key that was never the log's.
    #expect(try step(try rotation("log", thief, newLog), other) == 2)
    #expect(try step(one, try rotation("cert", newCertificate, newCertificate)) == 2)
    let foreign = try #require(SigningKey(name: Scene.utf8("alibi/other"), seed: [UInt8](repeating: 5, count: 32)))
    #expect(try step(try rotation("log", log, foreign), other, head: foreign) == 2)
    let seer = try #require(
      SigningKey(name: Scene.utf8("alibi/test"), kind: .cosignature, seed: [UInt8](repeating: 5, count: 32)))
    #expect(try step(try rotation("log", log, seer), other, head: seer) == 2)
    // Twice in a row, and the first pair's keys for the head.
    let again = [
      try rotation("log", newLog, thief), try rotation("cert", newCertificate, certificate),
    ]
    #expect(try step(one, other, again[0], again[1]) == 2)
    #expect(
      try verdict([one, other, again[0], again[1]].map(\.record), head: newLog, signer: certificate).step == 4)
    #expect(
      try verdict([one, other, again[0], again[1]].map(\.record), head: thief, signer: certificate).isAccept)
  }

  @Test("a certificate by the key that was replaced, or by the next one before it is in force")
  func signer() throws {
    let scene = try scene()
    let bundle = try scene.build(Scene.request())
    let note = try #require(SignedNote(bundle.certificate))
    for key in [scene.certificateKey, scene.head, scene.logKey, try Scene.key(77, "cert")] {
      let certificate = try SignedNote.sign(note.text, with: [key])
      #expect(scene.check(certificate, bundle.evidence).step == 2)
    }
  }

  @Test("no change of the records of the keys is accepted, signed again or not")
  func mutations() throws {
    let scene = try scene(rotations: 2)
    let bundle = try scene.build(Scene.request())
    let file = try #require(EvidenceFile(bundle.evidence))
    var dice = MutationTests.Dice(state: 6)
    for _ in 0..<600 {
      let at = Int.random(in: file.authority.indices, using: &dice)
      let text = dice.mutate(file.authority[at].record)
      // What no reader takes is refused before anybody looks at keys.
      guard String(validating: text, as: UTF8.self) != nil, text != file.authority[at].record else { continue }
      let step = try step(scene, bundle) { $0.authority[at].record = text }
      #expect(step == 2 || step == 3)
    }
    for _ in 0..<300 {
      let verdict = try scene.verdict(of: bundle, bytes: dice.mutate(bundle.evidence))
      guard verdict.step == nil, let seen = verdict.findings else { continue }
      #expect(seen.checkpoint.size == scene.log.size)
    }
  }
}
