internal import MerkleLog
internal import Testing

@testable internal import Certificates

/// What a verifier must reject, even where the issuer's key signed it.
struct RejectionTests {
  private let scene: Scene
  private let bundle: CertificateBundle

  init() throws {
    scene = try Scene()
    bundle = try scene.build(Scene.request())
  }

  private func step(
    policy: VerificationPolicy? = nil, _ edit: (inout EvidenceFile, inout CertificateText) throws -> Void
  ) throws -> Int? {
    try scene.verdict(of: bundle, policy: policy, edit).step
  }

  @Test("signed again unchanged it is accepted: what follows is rejected for its change alone")
  func control() throws {
    #expect(try scene.verdict(of: bundle) { _, _ in }.isAccept)
    #expect(try scene.verdict(of: bundle, bytes: bundle.evidence).isAccept)
  }

  @Test("an edited record", arguments: 0..<3)
  func editedRecord(number: Int) throws {
    #expect(try step { file, _ in file.epochs[number].leaf.record[30] ^= 1 } == 5)
    #expect(
      try step { file, _ in
        var record = try #require(LogRecord(file.epochs[number].leaf.record).flatMap(EpochRecord.init))
        record.lost = 7
        file.epochs[number].leaf.record = try #require(record.record).text
      } == 5)
  }

  @Test("a swapped salt, with everything absent under it")
  func swappedSalt() throws {
    #expect(
      try step { file, _ in
        file.epochs[1].salt[0] ^= 1
      } == 6)
    #expect(try step { file, _ in file.epochs[1].salt.removeLast() } == 6)
  }

  @Test("a missing directory proof, a doubled file proof, one too many, another order")
  func classSet() throws {
    #expect(try step { file, _ in file.epochs[0].absences.remove(at: 1) } == 6)
    #expect(try step { file, _ in file.epochs[0].absences[1] = file.epochs[0].absences[0] } == 6)
    #expect(try step { file, _ in file.epochs[0].absences.append(file.epochs[0].absences[0]) } == 6)
    #expect(try step { file, _ in file.epochs[0].absences.swapAt(0, 1) } == 6)
    #expect(try step { file, _ in file.epochs[2].absences = [] } == 6)
  }

  @Test("another target, claim or scope than was proven")
  func otherQuestion() throws {
    for path in ["/data/customers3", "/data", "/data/builds"] {
      #expect(try step { _, text in text.target = try #require(Target(.tree, Scene.utf8(path))) } != nil)
    }
    #expect(try step { _, text in text.target = try #require(Target(.file, Scene.utf8("/data/customers"))) } == 6)
    #expect(try step { _, text in text.claim = .noWrite } == 6)
    #expect(try step { _, text in text.scope = .session(Scene.session) } == 6)
    #expect(try step { _, text in text.scope = .session("unknown") } == 6)
    #expect(try step { _, text in text.accepted = ["unattributed"] } == 6)
  }

  @Test("the proofs of an accessed directory under a claim about it")
  func presented() throws {
    let other = try #require(Target(.tree, Scene.utf8("/data/builds")))
    let verdict = try scene.verdict(of: bundle) { file, text in
      text.target = other
      text.names = nil
      for at in file.epochs.indices {
        file.epochs[at].names = nil
        let salt = try #require(IndexKeys(salt: file.epochs[at].salt))
        file.epochs[at].absences = ["agent", "unattributed"].flatMap { scope in
          other.facts(identities: []).map { fact in
            EvidenceFile.Absence(scene.sealed[at].tree.proof(of: salt.key(fact, scope: Scene.utf8(scope))))
          }
        }
      }
    }
    #expect(verdict.step == 6)
  }

  @Test("an identity without a generation, or on a file system that was not watched")
  func otherIdentity() throws {
    var request = try Scene.request()
    request.target = try #require(Target(.inode, Scene.identity(10)))
    let bundle = try scene.build(request)
    let text = String(decoding: try #require(SignedNote(bundle.certificate)).text, as: UTF8.self)
    for (place, step) in [(7, 7), (15, 6), (19, 2)] {
      var identity = Scene.identity(10)
      identity[place] ^= 1
      let changed = text.replacing(Base64.encode(Scene.identity(10)), with: Base64.encode(identity))
      let certificate = try SignedNote.sign(Scene.utf8(changed), with: [scene.signer])
      #expect(scene.check(certificate, bundle.evidence).step == step)
    }
  }

  @Test("a flipped sibling")
  func flippedSibling() throws {
    #expect(
      try step { file, _ in
        var bytes = file.epochs[0].absences[0].siblings[0].bytes
        bytes[5] ^= 4
        file.epochs[0].absences[0].siblings[0] = try #require(Hash(bytes))
      } == 6)
  }

  @Test("a bitmap with a bit too many, of another length, a sibling too many, a zero sibling")
  func malformedProofs() throws {
    let text = String(decoding: bundle.evidence, as: UTF8.self)
    let begin = try #require(text.firstRange(of: "\"bitmap\":\""))
    let bitmap = String(text[begin.upperBound...].prefix(44))
    let bytes = try #require(Base64.decode(bitmap.utf8))
    var more = bytes
    more[31] ^= 1
    for changed in [more, bytes + [0], Array(bytes.dropLast())] {
      let edited = text.replacing(bitmap, with: Base64.encode(changed), maxReplacements: 1)
      #expect(try scene.verdict(of: bundle, bytes: Scene.utf8(edited)).step == 6)
    }
    let siblings = try #require(text.firstRange(of: "\"siblings\":[\""))
    let first = String(text[siblings.upperBound...].prefix(44))
    let zero = text.replacing(first, with: Hash.zero.base64)
    #expect(try scene.verdict(of: bundle, bytes: Scene.utf8(zero)).step == 6)
    let doubled = text.replacing("\"siblings\":[\"", with: "\"siblings\":[\"\(first)\",\"", maxReplacements: 1)
    #expect(try scene.verdict(of: bundle, bytes: Scene.utf8(doubled)).step == 6)
  }

  @Test("no epochs, a hole, an overlap, an order, a beginning or an end that is missing")
  func epochs() throws {
    #expect(try step { file, _ in file.epochs = [] } == 5)
    #expect(try step { file, _ in file.epochs.remove(at: 1) } == 5)
    #expect(try step { file, _ in file.epochs.insert(file.epochs[1], at: 1) } == 5)
    #expect(try step { file, _ in file.epochs.swapAt(0, 1) } == 5)
    #expect(
      try step { file, text in
        file.epochs.removeFirst()
        text.firstEpoch = 1
      } == 5)
    #expect(
      try step { file, text in
        file.epochs.removeLast()
        text.lastEpoch = 1
      } == 5)
    #expect(try step { _, text in text.from -= 1001 } == 5)
    #expect(try step { _, text in text.to += 1001 } == 5)
    // An epoch that the interval does not touch would add its coverage to the sums.
    #expect(try step { _, text in text.to = Scene.start + Scene.day } == 5)
  }

  @Test("an epoch of an unknown version")
  func version() throws {
    var days = Scene.quietDays()
    days[1].version = 2
    let scene = try Scene(days: days)
    #expect(throws: CertificateError.refused(step: 5, reason: "an epoch is of an unknown version")) {
      try scene.build(Scene.request())
    }
  }

  @Test("a stripped witness line, when a witness is demanded")
  func strippedWitness() throws {
    let bare = try scene.checkpoint()
    #expect(try step { file, _ in file.checkpoint = bare } == 4)
    var lenient = scene.policy
    lenient.quorum = 0
    #expect(try step(policy: lenient) { file, _ in file.checkpoint = bare } == nil)
  }

  @Test("a cosignature under the id of a type-1 key")
  func typeOneWitness() throws {
    let plain = try #require(
      SigningKey(name: Scene.utf8("witness"), kind: .note, seed: [UInt8](repeating: 3, count: 32)))
    let text = try scene.head().text
    let payload = try #require(
      Base64.decode(try scene.witness.line(signing: text, at: 5).dropLast().split(separator: 0x20)[2]))
    let id = try #require(
      Base64.decode(try plain.line(signing: text).dropLast().split(separator: 0x20)[2])?.prefix(4))
    let line = Scene.utf8("— witness \(Base64.encode(Array(id) + Array(payload.dropFirst(4))))\n")
    let checkpoint = try scene.checkpoint() + line
    #expect(try step { file, _ in file.checkpoint = checkpoint } == 4)
    #expect(try step { file, _ in file.anchors[2].checkpoint = checkpoint } == 8)
    #expect(try step { file, _ in file.anchors[2].by = Scene.utf8(plain.verifier.text) } == 8)
  }

  @Test("a checkpoint of another origin, of another key, of four lines, with a wrong signature")
  func checkpoints() throws {
    let other = try #require(SigningKey(name: Scene.utf8("alibi/other"), seed: [UInt8](repeating: 1, count: 32)))
    let head = try scene.head()
    let foreign = try #require(Checkpoint(origin: other.verifier.name, size: head.size, root: head.root))
    let note = try SignedNote.sign(foreign.text, with: [other])
    #expect(try step { file, _ in file.checkpoint = note } == 4)
    #expect(try step { _, text in text.origin = "alibi/other" } == 1)
    let impostor = try #require(SigningKey(name: head.origin, seed: [UInt8](repeating: 8, count: 32)))
    let signed = try SignedNote.sign(head.text, with: [impostor])
    #expect(try step { file, _ in file.checkpoint = signed } == 4)
    let four = try SignedNote.sign(head.text + Scene.utf8("more\n"), with: [scene.logKey])
    #expect(try step { file, _ in file.checkpoint = four } == 4)
    var wrong = try scene.checkpoint(witnessed: 5)
    let at = try #require(wrong.lastIndex(of: UInt8(ascii: " "))) + 20
    wrong[at] = wrong[at] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
    #expect(try step { file, _ in file.checkpoint = wrong } == 4)
  }

  @Test("no pinned key, and keys that come with the bundle")
  func pinned() throws {
    let none = VerificationPolicy(logKeys: [], now: scene.now)
    #expect(try step(policy: none) { _, _ in } == 1)
    let impostor = try #require(
      SigningKey(name: scene.logKey.verifier.name, seed: [UInt8](repeating: 8, count: 32)))
    #expect(try step(policy: VerificationPolicy(logKeys: [impostor.verifier], now: scene.now)) { _, _ in } == 4)
  }

  @Test("an anchor of size 0, of a head that is no prefix, of another witness, doctored")
  func anchors() throws {
    let empty = try scene.checkpoint(0, witnessed: 5)
    #expect(
      try step { file, _ in
        file.anchors[0].checkpoint = empty
        file.anchors[0].consistency = []
      } == 8)
    let forked = try #require(Checkpoint(origin: scene.logKey.verifier.name, size: 3, root: Hash(of: [9])))
    let text = forked.text
    let note = try SignedNote.sign(text, with: [scene.logKey]) + scene.witness.line(signing: text, at: 5)
    #expect(try step { file, _ in file.anchors[0].checkpoint = note } == 8)
    #expect(try step { file, _ in file.anchors[0].consistency = [] } == 8)
    #expect(try step { file, _ in file.anchors[0].by = [] } == 8)
    #expect(try step { file, _ in file.anchors.removeFirst() } == 8)
    #expect(try step { _, text in text.anchorLag = 1 } == 8)
    #expect(try step { _, text in text.anchorLag = nil } == 8)
  }

  @Test("times from the future: an epoch, an anchor, a cosignature")
  func future() throws {
    var early = scene.policy
    early.now = Scene.start + 3 * Scene.day - 1
    early.quorum = 0
    early.witnesses = []
    #expect(try step(policy: early) { _, _ in } == 5)
    early.now += 2
    #expect(try step(policy: early) { _, _ in } == 8)
    early.witnesses = scene.policy.witnesses
    #expect(try step(policy: early) { _, _ in } == 4)
  }

  @Test("a time stamp over another digest, with garbage around, or from the future")
  func timestamps() throws {
    let head = try scene.head()
    let digest = Hash(of: head.text).bytes
    func anchor(_ token: [UInt8]) throws -> EvidenceFile.Anchor {
      EvidenceFile.Anchor(
        kind: .rfc3161, checkpoint: try scene.checkpoint(), consistency: [], by: token)
    }
    let good = try scene.verdict(of: bundle) { file, _ in
      file.anchors.append(try anchor(Token.of(digest, "20260103000000.5Z")))
    }
    #expect(good.findings?.uncheckedTokens == 1)
    for bad in [
      Token.of(Hash(of: [1]).bytes, "20260104000000Z"), Token.of(digest, "20270104000000Z"),
      Token.of(digest, "20261304000000Z"), Token.of(digest, "20260104000000"), Token.of(digest, "x"),
      Token.of(digest, "20260229000000Z"), Token.of(digest, "20260104000060Z"), Token.of(digest, "19691231235959Z"),
      Token.of(digest, "20260104000000Z") + [0], Array(Token.of(digest, "20260104000000Z").dropLast()), [],
    ] {
      #expect(try step { file, _ in file.anchors.append(try anchor(bad)) } == 8)
    }
  }

  @Test("a certificate by another key, by the log's key, or one that GENESIS does not name")
  func signer() throws {
    let note = try #require(SignedNote(bundle.certificate))
    for key in [scene.logKey, scene.witness] {
      let certificate = try SignedNote.sign(note.text, with: [key])
      let verdict = scene.check(certificate, bundle.evidence)
      #expect(verdict.step == 2)
    }
    #expect(try step { file, _ in file.authority = [] } == 2)
    #expect(try step { file, _ in file.authority[0].record[30] ^= 1 } == 2)
    #expect(try step { file, _ in file.authority[0] = file.epochs[0].leaf } == 2)
    #expect(try step { file, _ in file.authority.append(file.authority[0]) } == 2)
  }

  @Test("names left out, put in, of another epoch, or of a file system that was not watched")
  func names() throws {
    #expect(try step { file, _ in file.epochs[0].names = nil } == 7)
    #expect(
      try step { file, _ in
        file.epochs[0].names?.bindings = []
        // For each of two scopes the two keys of the path come first.
        let kept = file.epochs[0].absences
        file.epochs[0].absences = Array(kept[..<2] + kept[(kept.count / 2)..<(kept.count / 2 + 2)])
      } == 7)
    #expect(try step { file, _ in file.epochs[0].names?.before = [] } == 7)
    #expect(try step { file, _ in file.epochs[0].names?.after = [] } == 7)
    #expect(try step { file, _ in file.epochs[0].names?.first += 1 } == 7)
    #expect(try step { file, _ in file.epochs[0].names?.first = Decimal.limit - 1 } == 7)
    #expect(try step { file, _ in file.epochs[0].names?.bindings[0].to -= 1 } == 7)
    #expect(try step { file, _ in file.epochs[0].names = file.epochs[1].names } == 7)
    #expect(try step { _, text in text.names = nil } == 7)
    #expect(try step { _, text in text.names = 2 } == 7)
    // A path's neighbour does not vouch for a path that stands before or behind it.
    #expect(
      try step { file, _ in
        let after = try #require(file.epochs[0].names?.after.first)
        file.epochs[0].names?.before = [after]
      } == 7)
    var days = Scene.quietDays()
    for at in days[1].names.indices { days[1].names[at].identity[7] ^= 1 }
    let elsewhere = try Scene(days: days)
    #expect(throws: CertificateError.self) { try elsewhere.build(Scene.request()) }
  }

  @Test("sums that are not the epochs', gaps left out, a configuration left out or another")
  func sums() throws {
    #expect(try step { _, text in text.covered += 1 } == 7)
    #expect(try step { _, text in text.lost = 1 } == 7)
    #expect(try step { _, text in text.degraded = 1 } == 7)
    #expect(try step { _, text in text.gaps = 1 } == 7)
    #expect(try step { _, text in text.sessions = 3 } == 7)
    #expect(try step { file, _ in file.configs = [] } == 7)
    #expect(try step { file, _ in file.configs.append(file.configs[0]) } == 7)
    #expect(try step { file, _ in file.configs[0][60] ^= 1 } == 7)
    var days = Scene.quietDays()
    days[1].gaps = [GapRecord(from: Scene.start, to: Scene.start + 2 * Scene.day, source: "run", reason: "stopped")]
    let scene = try Scene(days: days)
    let bundle = try scene.build(Scene.request())
    #expect(bundle.verdict.isAcceptWithGaps)
    #expect(try scene.verdict(of: bundle) { file, _ in file.epochs[1].gaps = [] }.step == 7)
    #expect(try scene.verdict(of: bundle) { file, _ in file.epochs[0].gaps = file.epochs[1].gaps }.step == 7)
  }

  @Test(
    "a path in any but its one spelling",
    arguments: ["data", "", "/data//x", "/data/", "/data/../etc", "/./x", "/data/.", "/a\0b", "//"])
  func paths(path: String) throws {
    #expect(Target(.tree, Scene.utf8(path)) == nil)
    #expect(Target(.file, Scene.utf8(path)) == nil)
    let text = try #require(SignedNote(bundle.certificate)).text
    let target = Base64.encode(Scene.utf8("/data/customers"))
    let changed = String(decoding: text, as: UTF8.self)
      .replacing(target, with: Base64.encode(Scene.utf8(path)))
    let certificate = try SignedNote.sign(Scene.utf8(changed), with: [scene.signer])
    let verdict = scene.check(certificate, bundle.evidence)
    #expect(verdict.step == 2)
  }
}

/// A time-stamp token without its signatures, which the verifier does not look at.
enum Token {
  private static func value(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
    content.count < 128
      ? [tag, UInt8(content.count)] + content
      : [tag, 0x82, UInt8(content.count >> 8), UInt8(content.count & 255)] + content
  }

  static func of(_ digest: [UInt8], _ time: String) -> [UInt8] {
    let sha256 = value(0x30, value(0x06, [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01]) + [5, 0])
    let imprint = value(0x30, sha256 + value(0x04, digest))
    let stamp = value(
      0x30, [2, 1, 1] + value(0x06, [0x2A, 3, 4]) + imprint + [2, 1, 7] + value(0x18, Array(time.utf8)))
    let kind = value(0x06, [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x10, 0x01, 0x04])
    let content = value(0x30, kind + value(0xA0, value(0x04, stamp)))
    let signed = value(0x30, [2, 1, 3] + value(0x31, sha256) + content)
    let signedData = value(0x06, [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02])
    return value(0x30, signedData + value(0xA0, signed))
  }
}
