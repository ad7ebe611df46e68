internal import MerkleLog
internal import Testing

@testable internal import Certificates

/// Random changes, the same in every run.
struct MutationTests {
  struct Dice: RandomNumberGenerator {
    var state: UInt64

    /// SplitMix64.
    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var word = state
      word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
      word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
      return word ^ word >> 31
    }

    /// Flips, replaces, inserts, removes, doubles or moves a few bytes.
    mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
      var out = bytes
      for _ in 0...Int.random(in: 0..<3, using: &self) where !out.isEmpty {
        let at = Int.random(in: out.indices, using: &self)
        let run = min(out.count - at, Int.random(in: 1...50, using: &self))
        switch Int.random(in: 0..<7, using: &self) {
        case 0: out[at] ^= 1 << UInt8.random(in: 0..<8, using: &self)
        case 1: out[at] = UInt8.random(in: 0...255, using: &self)
        case 2: out.insert(UInt8.random(in: 0x20...0x7E, using: &self), at: at)
        case 3: out.removeSubrange(at..<(at + run))
        case 4: out.insert(contentsOf: out[at..<(at + run)], at: at)
        case 5: out[at] = Array("0123456789[]{},:\"\\\n-".utf8).randomElement(using: &self) ?? 0
        default: out.swapAt(at, Int.random(in: out.indices, using: &self))
        }
      }
      return out
    }
  }

  private let scene: Scene
  private let bundle: CertificateBundle

  init() throws {
    var days = Scene.quietDays()
    days[1].gaps = [GapRecord(from: Scene.start, to: Scene.start + Scene.day + 9, source: "run", reason: "stopped")]
    days[2].hazards = ["docker"]
    scene = try Scene(days: days)
    bundle = try scene.build(Scene.request(scope: .session(Scene.session)))
    try #require(bundle.verdict.isAcceptWithGaps)
  }

  @Test("no change of the certificate is accepted")
  func certificate() {
    var dice = Dice(state: 1)
    for _ in 0..<3000 {
      let bytes = dice.mutate(bundle.certificate)
      let verdict = Verifier.verify(certificate: bytes, evidence: bundle.evidence, policy: scene.policy)
      #expect(verdict.step != nil || bytes == bundle.certificate)
    }
  }

  @Test("no change of the evidence is accepted")
  func evidence() {
    var dice = Dice(state: 2)
    for _ in 0..<1000 {
      let bytes = dice.mutate(bundle.evidence)
      let verdict = Verifier.verify(certificate: bundle.certificate, evidence: bytes, policy: scene.policy)
      #expect(verdict.step == 3 || bytes == bundle.evidence)
    }
  }

  @Test("a change of the evidence that the issuer signs again is accepted only where it changes nothing that counts")
  func resigned() throws {
    var dice = Dice(state: 3)
    let original = try #require(EvidenceFile(bundle.evidence))
    var deep = 0
    for _ in 0..<4000 {
      let bytes = dice.mutate(bundle.evidence)
      let verdict = try scene.verdict(of: bundle, bytes: bytes)
      if let step = verdict.step {
        if step != 3 { deep += 1 }
        continue
      }
      let changed = try #require(EvidenceFile(bytes))
      #expect(changed.epochs == original.epochs)
      #expect(changed.configs == original.configs)
      #expect(changed.authority == original.authority)
    }
    // Most break a hash or the syntax; enough must come past the reader for this to mean something.
    #expect(deep > 300)
  }

  @Test("a change of the claim that the issuer signs again is not accepted, unless the same evidence shows it")
  func otherClaims() throws {
    var dice = Dice(state: 4)
    let note = try #require(SignedNote(bundle.certificate))
    let stated = try #require(CertificateText(note.text))
    for _ in 0..<2000 {
      let text = dice.mutate(note.text)
      guard let certificate = try? SignedNote.sign(text, with: [scene.signer]) else { continue }
      let verdict = Verifier.verify(certificate: certificate, evidence: bundle.evidence, policy: scene.policy)
      guard let found = verdict.findings?.certificate, found != stated else { continue }
      // Another moment of the same days is as true; everything else is another question.
      #expect(found.from >= Scene.start && found.to <= Scene.start + 3 * Scene.day && found.from < found.to)
      var same = found
      same.from = stated.from
      same.to = stated.to
      #expect(same == stated)
    }
  }
}
