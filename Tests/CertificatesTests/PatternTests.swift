internal import MerkleLog
internal import Testing

@testable internal import Certificates

/// Certificates about patterns, which are absent from every index that was not made with them.
struct PatternTests {
  @Test("a pattern that was not registered, and so is absent from everything")
  func unregistered() throws {
    let scene = try Scene()
    #expect(
      throws: CertificateError.refused(step: 7, reason: "the pattern was not registered all the time")
    ) { try scene.build(Scene.request(.glob, "*.key")) }
    let bundle = try scene.build(Scene.request(.glob, "secrets"))
    let other = try #require(Target(.glob, Scene.utf8("*.key")))
    let verdict = try scene.verdict(of: bundle) { file, text in
      text.target = other
      for at in file.epochs.indices {
        let keys = try #require(IndexKeys(salt: file.epochs[at].salt))
        file.epochs[at].absences = ["agent", "unattributed"].flatMap { scope in
          other.facts(identities: []).map { fact in
            EvidenceFile.Absence(scene.sealed[at].tree.proof(of: keys.key(fact, scope: Scene.utf8(scope))))
          }
        }
      }
    }
    #expect(verdict.step == 7)
  }

  @Test("a pattern that was registered for a part of the time, at either end or in between")
  func partlyRegistered() throws {
    let (pattern, other) = (Scene.utf8("secrets"), Scene.utf8("*.key"))
    for (changes, isThere) in [
      ([nil, nil, nil], [true, true, true]), ([nil, [other], nil], [true, false, false]),
      ([nil, [other], [pattern, other]], [true, false, false]),
      ([[other, pattern], nil, [pattern]], [true, true, true]),
    ] as [([[[UInt8]]?], [Bool])] {
      var days = Scene.quietDays()
      for at in days.indices { days[at].patterns = changes[at] }
      let scene = try Scene(days: days)
      for first in 0..<3 {
        for last in first..<3 {
          var request = try Scene.request(.glob, "secrets")
          request.from = Scene.start + UInt64(first) * Scene.day + 1000
          request.to = Scene.start + UInt64(last + 1) * Scene.day - 1000
          let isRegistered = isThere[first...last].allSatisfy(\.self)
          guard let bundle = try? scene.build(request, days: first..<(last + 1)) else {
            #expect(!isRegistered)
            continue
          }
          #expect(isRegistered)
          #expect(scene.check(bundle.certificate, bundle.evidence).isAccept)
          // None of the configurations can be left out.
          let count = try #require(EvidenceFile(bundle.evidence)).configs.count
          for at in 0..<count {
            #expect(try scene.verdict(of: bundle) { file, _ in file.configs.remove(at: at) }.step == 7)
          }
        }
      }
    }
    // The keys of the pattern are absent, because nobody looked for them in the second half of a day.
    var days = Scene.quietDays()
    days[1].patterns = [other]
    let scene = try Scene(days: days)
    var request = try Scene.request(.tree, "/nowhere")
    request.to = Scene.start + 2 * Scene.day - 1000
    let bundle = try scene.build(request, days: 0..<2)
    let target = try #require(Target(.glob, pattern))
    let verdict = try scene.verdict(of: bundle) { file, text in
      text.target = target
      text.names = nil
      for at in file.epochs.indices {
        file.epochs[at].names = nil
        let keys = try #require(IndexKeys(salt: file.epochs[at].salt))
        file.epochs[at].absences = ["agent", "unattributed"].flatMap { scope in
          target.facts(identities: []).map { fact in
            EvidenceFile.Absence(scene.sealed[at].tree.proof(of: keys.key(fact, scope: Scene.utf8(scope))))
          }
        }
      }
    }
    #expect(verdict.step == 7)
  }
}
