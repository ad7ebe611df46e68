internal import Foundation
internal import MerkleLog
internal import Testing

@testable internal import Certificates

/// The Python verifier, which was written from the same pages, says the same.
struct SecondVerifierTests {
  private static let repository = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// Answers a line per case: `accept`, `gaps`, or the number of the step that does not hold.
  private static let driver = """
    import json, sys
    sys.dont_write_bytecode = True
    sys.path.insert(0, sys.argv[1])
    import alibi_verify as v
    for line in sys.stdin:
      case = json.loads(line)
      try:
        found, gaps = v.verify(bytes.fromhex(case["certificate"]), bytes.fromhex(case["evidence"]), case["keys"],
                               case["witnesses"], case["quorum"], case["now"])
        print("gaps" if gaps or found["lost"] or found["degraded"] else "accept")
      except v.Reject as error:
        print(error.args[0])
    """

  private static let isThere: Bool = {
    (try? python(["-c", "import cryptography"], input: Data())) != nil
  }()

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

  /// Expects the same of both for each pair of files.
  private func compare(_ scene: Scene, _ pairs: [(certificate: [UInt8], evidence: [UInt8])]) throws {
    var input = Data()
    for pair in pairs {
      let each = Case(
        certificate: Hex.encode(pair.certificate), evidence: Hex.encode(pair.evidence),
        keys: scene.policy.logKeys.map(\.text), witnesses: scene.policy.witnesses.map(\.text),
        quorum: scene.policy.quorum, now: scene.policy.now)
      input += try JSONEncoder().encode(each) + [0x0A]
    }
    let folder = Self.repository.appending(path: "packaging/verify").path
    let answers = try Self.python(["-c", Self.driver, folder], input: input).split(separator: "\n")
    try #require(answers.count == pairs.count)
    for (pair, answer) in zip(pairs, answers) {
      let verdict = Verifier.verify(certificate: pair.certificate, evidence: pair.evidence, policy: scene.policy)
      let ours = verdict.step.map(String.init) ?? (verdict.isAccept ? "accept" : "gaps")
      #expect(ours == answer, "\(verdict): \(String(decoding: pair.certificate, as: UTF8.self))")
    }
  }

  private func signed(_ scene: Scene, _ bundle: CertificateBundle, _ evidence: [UInt8]) throws -> [UInt8] {
    var text = try #require(SignedNote(bundle.certificate).flatMap { CertificateText($0.text) })
    text.evidence = Hash(of: evidence)
    return try SignedNote.sign(text.text, with: [scene.signer])
  }

  @Test("both accept what is true, whatever kind of target, claim and scope", .enabled(if: isThere))
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
      try compare(
        scene,
        requests.map {
          let bundle = try scene.build($0); return (bundle.certificate, bundle.evidence)
        })
    }
  }

  @Test("both name the same step for random changes, signed again and not", .enabled(if: isThere))
  func mutations() throws {
    var days = Scene.quietDays()
    days[1].gaps = [GapRecord(from: Scene.start, to: Scene.start + Scene.day + 9, source: "run", reason: "stopped")]
    days[2].hazards = ["docker"]
    let scene = try Scene(days: days)
    let bundle = try scene.build(Scene.request(scope: .session(Scene.session)))
    let note = try #require(SignedNote(bundle.certificate))
    var dice = MutationTests.Dice(state: 5)
    var pairs: [(certificate: [UInt8], evidence: [UInt8])] = [(bundle.certificate, bundle.evidence)]
    for _ in 0..<700 {
      pairs.append((dice.mutate(bundle.certificate), bundle.evidence))
      pairs.append((try SignedNote.sign(dice.mutate(note.text), with: [scene.signer]), bundle.evidence))
      let evidence = dice.mutate(bundle.evidence)
      pairs.append((try signed(scene, bundle, evidence), evidence))
    }
    try compare(scene, pairs)
  }
}
