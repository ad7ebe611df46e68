internal import MerkleLog
internal import Testing

@testable internal import Certificates

/// What can be certified, and what cannot.
struct CertificateTests {
  @Test("a directory nobody touched is certified, and what the certificate says is what was sealed")
  func accept() throws {
    let scene = try Scene()
    let bundle = try scene.build(Scene.request())
    #expect(bundle.verdict.isAccept)
    let text = try #require(bundle.verdict.findings?.certificate)
    #expect((text.firstEpoch, text.lastEpoch) == (0, 2))
    // Two ran on the first day, one began on each of the others.
    #expect(text.sessions == 4)
    #expect(text.names == 3)
    #expect(text.covered == 3 * Scene.day)
    #expect(text.anchorLag == 90_000_000_000)
    #expect(bundle.verdict.findings?.cosignatures == 1)
    #expect(bundle.verdict.findings?.pinnedLag == 90_000_000_000)
    #expect(bundle.verdict.findings?.fileSystems == ["00000000000000ab"])
    let printed = String(decoding: bundle.certificate, as: UTF8.self)
    #expect(printed.contains("\ntarget tree \(Base64.encode(Scene.utf8("/data/customers")))\n"))
    #expect(printed.contains("\ncovered 259200.000000000  gaps 0  lost 0  degraded 0.000000000  anchor-lag-max 90."))
  }

  @Test(
    "every kind of target that nobody touched is certified",
    arguments: [
      (Target.Kind.file, "/data/customers/10.csv"), (.tree, "/data/customers"), (.file, "/data/customers"),
      (.name, "passwd"), (.ext, "pem"), (.glob, "secrets"), (.tree, "/never/there"), (.file, "/zzz"),
    ])
  func targets(kind: Target.Kind, path: String) throws {
    #expect(try Scene().build(Scene.request(kind, path)).verdict.isAccept)
  }

  @Test(
    "what was accessed is not certified, under any of its names",
    arguments: [
      (Target.Kind.file, "/data/builds/out-1.tar.gz"), (.tree, "/data/builds"), (.tree, "/data"), (.tree, "/"),
      (.name, "x.csv"), (.ext, "csv"), (.ext, "gz"), (.file, "/tmp/x"),
    ])
  func accessed(kind: Target.Kind, path: String) throws {
    let scene = try Scene()
    let error = #expect(throws: CertificateError.self) { try scene.build(Scene.request(kind, path)) }
    guard case .notAbsent = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("a witness's time that nanoseconds cannot hold is refused, not computed with")
  func farFuture() throws {
    var scene = try Scene()
    try scene.anchor(after: 1 << 62)
    #expect(throws: CertificateError.badMaterial("anchor")) { try scene.build(Scene.request()) }
  }

  @Test("an identity is certified by itself, and not when a session had it")
  func identities() throws {
    let scene = try Scene()
    var request = try Scene.request()
    request.target = try #require(Target(.inode, Scene.identity(10)))
    #expect(try scene.build(request).verdict.isAccept)
    for touched in [1, 110] as [UInt64] {
      request.target = try #require(Target(.inode, Scene.identity(touched)))
      #expect(throws: CertificateError.self) { try scene.build(request) }
    }
    // A witness who could not tell the generation may have meant the target.
    var untold = Scene.identity(10)
    untold.replaceSubrange(16..<20, with: [0, 0, 0, 0])
    #expect(Target(.inode, untold) == nil)
    var days = Scene.quietDays()
    days[1].facts.append(("agent", IndexFact(.identity, untold)))
    request.target = try #require(Target(.inode, Scene.identity(10)))
    #expect(
      throws: CertificateError.notAbsent(epoch: 1, scope: "agent", fact: IndexFact(.identity, untold))
    ) { try Scene(days: days).build(request) }
  }

  @Test("an identity on a file system that was not watched is absent from everything, and not certified")
  func unwatchedIdentity() throws {
    var request = try Scene.request()
    var identity = Scene.identity(10)
    identity[7] ^= 1
    request.target = try #require(Target(.inode, identity))
    #expect(
      throws: CertificateError.refused(step: 7, reason: "the target lay on a file system that was not watched")
    ) { try Scene().build(request) }
  }

  @Test("a file reached under another name is not certified: its identity was there")
  func otherName() throws {
    var days = Scene.quietDays()
    days[1].facts += Scene.access("/elsewhere/link", inode: 11, above: [77])
    let scene = try Scene(days: days)
    #expect(
      throws: CertificateError.notAbsent(
        epoch: 1, scope: "agent", fact: IndexFact(.identity, Scene.identity(11)))
    ) { try scene.build(Scene.request(.file, "/data/customers/11.csv")) }
  }

  @Test("a directory reached by another way is not certified: its identity was above")
  func otherWay() throws {
    var days = Scene.quietDays()
    days[2].facts += Scene.access("/mnt/bound/12.csv", inode: 12, above: [77, 9])
    let scene = try Scene(days: days)
    #expect(
      throws: CertificateError.notAbsent(
        epoch: 2, scope: "agent", fact: IndexFact(.directoryIdentity, Scene.identity(9)))
    ) { try scene.build(Scene.request()) }
  }

  @Test("a hazard that touched the target needs to be accepted by name; another hazard's name does not help")
  func hazards() throws {
    var days = Scene.quietDays()
    days[1].hazards = ["docker", "tmux"]
    days[1].facts.append(("hazard:docker", IndexFact(.directory, Scene.utf8("/data/customers"))))
    let scene = try Scene(days: days)
    #expect(throws: CertificateError.self) { try scene.build(Scene.request()) }
    #expect(throws: CertificateError.self) { try scene.build(Scene.request(accepted: ["tmux"])) }
    let bundle = try scene.build(Scene.request(accepted: ["docker"]))
    #expect(bundle.verdict.isAccept)
    #expect(String(decoding: bundle.certificate, as: UTF8.self).contains("\naccepted docker\n"))
    // The hazards are sealed: leaving the question out does not pass.
    let verdict = try scene.verdict(of: bundle) { file, text in text.accepted = [] }
    #expect(verdict.step == 6)
  }

  @Test("an access nobody can be named for blocks its target, unless accepted")
  func unattributed() throws {
    let scene = try Scene()
    #expect(throws: CertificateError.self) { try scene.build(Scene.request(.file, "/tmp/x")) }
    #expect(try scene.build(Scene.request(.file, "/tmp/x", accepted: ["unattributed"])).verdict.isAccept)
  }

  @Test("a session is certified where the epochs know it, and for what it did not do")
  func sessions() throws {
    let scene = try Scene()
    let known = Scope.session(Scene.session)
    #expect(try scene.build(Scene.request(scope: known)).verdict.isAccept)
    #expect(throws: CertificateError.self) { try scene.build(Scene.request(.tree, "/data/builds", scope: known)) }
    let other = Scope.session("20260101T000001.000Z-8")
    #expect(try scene.build(Scene.request(.tree, "/data/builds", scope: other)).verdict.isAccept)
    #expect(throws: CertificateError.refused(step: 6, reason: "no epoch knows the session")) {
      try scene.build(Scene.request(scope: .session("nobody")))
    }
  }

  @Test("what was read but not written is certified as not written")
  func narrower() throws {
    let scene = try Scene()
    #expect(try scene.build(Scene.request(.tree, "/data/customers2", claim: .noWrite)).verdict.isAccept)
    #expect(try scene.build(Scene.request(.tree, "/data/builds", claim: .noExec)).verdict.isAccept)
    #expect(throws: CertificateError.self) { try scene.build(Scene.request(.tree, "/data/builds", claim: .noWrite)) }
  }

  @Test("gaps and losses are accepted as such, and listed when they touch the interval")
  func gaps() throws {
    var days = Scene.quietDays()
    let from = Scene.start + Scene.day + 5
    days[1].gaps = [
      GapRecord(from: from, to: from + 1000, source: "fanotify", reason: "overflow"),
      GapRecord(from: from + 500, to: from + 2000, source: "perf", reason: "lost records"),
    ]
    let scene = try Scene(days: days)
    let bundle = try scene.build(Scene.request())
    #expect(bundle.verdict.isAcceptWithGaps)
    #expect(bundle.verdict.findings?.gaps.count == 2)
    // They overlap, and a moment is missing only once.
    #expect(bundle.verdict.findings?.certificate.covered == 3 * Scene.day - 2000)
    var request = try Scene.request()
    request.to = Scene.start + 2000
    #expect(try scene.build(request, days: 0..<1).verdict.isAccept)

    var lossy = Scene.quietDays()
    lossy[2].lost = 1
    #expect(try Scene(days: lossy).build(Scene.request()).verdict.isAcceptWithGaps)
  }

  @Test("where names were not followed the certificate says so")
  func underThisName() throws {
    var days = Scene.quietDays()
    days[1].isNamesComplete = false
    let bundle = try Scene(days: days).build(Scene.request())
    #expect(bundle.verdict.isAccept)
    #expect(String(decoding: bundle.certificate, as: UTF8.self).contains("\nnames under-this-name\n"))
  }

  @Test("a certificate without any anchor says none; one that nobody saw after its last epoch too")
  func noAnchor() throws {
    let scene = try Scene()
    let bundle = try scene.build(Scene.request())
    let verdict = try scene.verdict(of: bundle) { file, text in
      file.anchors = []
      text.anchorLag = nil
    }
    #expect(verdict.isAccept)
    let last = try scene.verdict(of: bundle) { file, text in
      file.anchors.removeLast()
      text.anchorLag = nil
    }
    #expect(last.isAccept)
  }

  @Test("a certificate is read in its one spelling only")
  func spelling() throws {
    let bundle = try Scene().build(Scene.request())
    let text = try #require(SignedNote(bundle.certificate)).text
    #expect(CertificateText(text)?.text == text)
    let printed = String(decoding: text, as: UTF8.self)
    for (from, to) in [
      ("\nclaim no-access", "\nclaim no-read"), ("scope agent", "scope agents"), ("from 1", "from 01"),
      ("  gaps", " gaps"), ("gaps 0", "gaps +0"), ("\nnames 3", "\nnames three"), ("\nsessions", "\nnote x\nsessions"),
      ("covered 259200.000000000", "covered 259200.0"), ("epochs 0 2", "epochs 2 0"), ("evidence ", "evidence  "),
      ("\nlog ", "\naccepted b a\nlog "),
    ] {
      let changed = printed.replacing(from, with: to)
      #expect(changed != printed)
      #expect(CertificateText(Scene.utf8(changed)) == nil, "\(to)")
    }
    for length in 0..<text.count { #expect(CertificateText(Array(text[..<length])) == nil) }
  }
}
