internal import Foundation
internal import MerkleLog
internal import TestSupport
internal import Testing

@testable internal import Certificates

/// The Python verifier, which was written from the same pages, says the same.
@Suite(.tool("python3", "-c", "import cryptography"))
struct SecondVerifierTests {
  private static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  private static var folder: String { repository.appending(path: "packaging/verify").path }

  /// Answers a line per case: `accept`, `gaps`, or the number of the step that does not hold.
  private static let driver = """
    import json, sys
    sys.dont_write_bytecode = True
    sys.path.insert(0, sys.argv[1])
    import alibi_verify as v
    for line in sys.stdin:
      case = json.loads(line)
      try:
        for step in v.verify(bytes.fromhex(case["certificate"]), bytes.fromhex(case["evidence"]),
                             case["keys"] + case["witnesses"], case["quorum"], case["now"]): pass
        print({"ACCEPT": "accept", "ACCEPT WITH GAPS": "gaps"}[step[0]])
      except Exception:
        print(step)
    """

  private struct Failure: Error { var status: Int32 }

  private static func python(_ arguments: [String], input: Data) throws -> String {
    let place = FileManager.default.temporaryDirectory.appending(path: "alibi-cases-\(UUID().uuidString)")
    try input.write(to: place)
    defer { try? FileManager.default.removeItem(at: place) }
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3"] + arguments
    let output = Pipe()
    process.standardInput = try FileHandle(forReadingFrom: place)
    process.standardOutput = output
    try process.run()
    let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw Failure(status: process.terminationStatus) }
    return String(decoding: bytes, as: UTF8.self)
  }

  private struct Case: Encodable {
    var certificate: String
    var evidence: String
    var keys: [String]
    var witnesses: [String]
    var quorum: Int
    var now: UInt64
  }

  /// Expects the same of both for whatever the body has verified.
  private func compare(_ body: () throws -> Void) throws {
    let recorder = Recorder()
    try Recorder.$current.withValue(recorder, operation: body)
    let cases = recorder.cases.withLock { $0 }
    try #require(!cases.isEmpty)
    var input = Data()
    for each in cases {
      let line = Case(
        certificate: Hex.encode(each.certificate), evidence: Hex.encode(each.evidence),
        keys: each.policy.logKeys.map(\.text), witnesses: each.policy.witnesses.map(\.text),
        quorum: each.policy.quorum, now: each.policy.now)
      input += try JSONEncoder().encode(line) + [0x0A]
    }
    let answers = try Self.python(["-c", Self.driver, Self.folder], input: input).split(separator: "\n")
    try #require(answers.count == cases.count)
    for (each, answer) in zip(cases, answers) {
      let ours = each.verdict.step.map(String.init) ?? (each.verdict.isAccept ? "accept" : "gaps")
      #expect(ours == answer, "\(each.verdict): \(String(decoding: each.certificate, as: UTF8.self))")
    }
  }

  @Test("both accept what is true, whatever kind of target, claim and scope")
  func truths() throws {
    var days = Scene.quietDays()
    days[1].gaps = [GapRecord(from: Scene.start, to: Scene.start + Scene.day + 9, source: "run", reason: "stopped")]
    days[2].hazards = ["docker"]
    for scene in [try Scene(), try Scene(days: days)] {
      let requests = try [
        Scene.request(), Scene.request(.file, "/data/customers/10.csv"), Scene.request(.name, "passwd"),
        Scene.request(.ext, "pem"), Scene.request(.glob, "secrets"), Scene.request(scope: .session(Scene.session)),
        Scene.request(.tree, "/data/builds", claim: .noExec, accepted: ["docker", "unattributed"]),
      ]
      var inode = try Scene.request()
      inode.target = try #require(Target(.inode, Scene.identity(10)))
      try compare {
        for request in requests + [inode] {
          let bundle = try scene.build(request)
          #expect(scene.check(bundle.certificate, bundle.evidence).step == nil)
        }
      }
    }
  }

  @Test("the other has every known answer too")
  func knownAnswers() throws {
    let fixtures = Self.repository.appending(path: "Tests/Fixtures").path
    let said = try Self.python(
      [fixtures + "/known_answers.py", Self.folder, fixtures + "/known-answers"], input: Data())
    #expect(said == "every known answer\n")
  }

  @Test("an auditor's command line has its statuses, and names the step")
  func command() throws {
    let scratch = try ScratchDirectory(in: "/tmp")
    let poor = {
      var days = Scene.quietDays()
      days[1].lost = 1
      return try Scene(days: days)
    }
    for (scene, status) in [(try Scene(), 0), (try poor(), 2)] {
      let bundle = try scene.build(Scene.request())
      try scratch.write("certificate", String(decoding: bundle.certificate, as: UTF8.self))
      try scratch.write("evidence", String(decoding: bundle.evidence, as: UTF8.self))
      // What the scene tells of lies before now.
      func run(_ quorum: String, _ keys: String...) throws -> Subprocess.Outcome {
        try Subprocess.run(
          "/usr/bin/env",
          ["python3", "-B", "\(Self.folder)/alibi_verify.py", scratch("certificate"), scratch("evidence"), quorum]
            + keys)
      }
      let key = scene.logKey.verifier.text
      #expect(try run("0", key).status == status)
      #expect(try run("1", key, scene.witness.verifier.text).status == status)
      let rejected = try run("1", key)
      #expect(rejected.status == 1 && rejected.errors.hasSuffix("REJECT: step 4\n"))
      #expect(try run("0").status == 1)
      #expect(try run("0", scene.witness.verifier.text).errors.hasSuffix("REJECT: step 1\n"))
    }
    #expect(
      try Subprocess.run("/usr/bin/env", ["python3", "-O", "\(Self.folder)/alibi_verify.py"]).errors.contains("-O"))
  }

  @Test("both reject at the same step what must be rejected")
  func rejections() throws {
    let tests = try RejectionTests()
    try compare {
      try tests.control()
      for number in 0..<3 { try tests.editedRecord(number: number) }
      try tests.swappedSalt()
      try tests.classSet()
      try tests.otherQuestion()
      try tests.presented()
      try tests.otherIdentity()
      try PatternTests().unregistered()
      try PatternTests().partlyRegistered()
      try tests.flippedSibling()
      try tests.malformedProofs()
      try tests.epochs()
      try tests.strippedWitness()
      try tests.typeOneWitness()
      try tests.checkpoints()
      try tests.pinned()
      try tests.anchors()
      try tests.future()
      try tests.timestamps()
      try tests.signer()
      try tests.names()
      try tests.sums()
      for path in ["data", "", "/data//x", "/data/", "/data/../etc", "/./x", "/a\0b"] { try tests.paths(path: path) }
    }
  }

  @Test("both follow the keys of a log in the same way")
  func rotations() throws {
    let tests = RotationTests()
    try compare {
      for rotations in 1...3 { try tests.pinned(rotations: rotations) }
      try tests.before()
      try tests.head()
      try tests.anchors()
      try tests.chain()
      try tests.forged()
      try tests.signer()
      try tests.mutations()
    }
  }

  @Test("both name the same step for random changes, signed again and not")
  func mutations() throws {
    var days = Scene.quietDays()
    days[1].gaps = [GapRecord(from: Scene.start, to: Scene.start + Scene.day + 9, source: "run", reason: "stopped")]
    days[2].hazards = ["docker"]
    let scene = try Scene(days: days)
    var inode = try Scene.request(claim: .noWrite, accepted: ["docker"])
    inode.target = try #require(Target(.inode, Scene.identity(10)))
    var dice = MutationTests.Dice(state: 5)
    for request in [try Scene.request(scope: .session(Scene.session)), inode] {
      let bundle = try scene.stamped(scene.build(request))
      let note = try #require(SignedNote(bundle.certificate))
      try compare {
        for _ in 0..<600 {
          _ = scene.check(dice.mutate(bundle.certificate), bundle.evidence)
          _ = scene.check(try SignedNote.sign(dice.mutate(note.text), with: [scene.signer]), bundle.evidence)
          _ = try scene.verdict(of: bundle, bytes: dice.mutate(bundle.evidence))
        }
      }
    }
  }
}
