internal import Foundation
internal import Glibc
internal import MerkleLog
internal import TestSupport
internal import Testing

@testable internal import Certificates
@testable internal import alibi

/// `alibi verify` as an auditor runs it.
struct VerifyCommandTests {
  private static let program: String = {
    let beside = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().path
    return (TestSupport.environment("ALIBI_BIN_DIR") ?? beside) + "/alibi"
  }()

  private let scratch: ScratchDirectory
  private let key: String

  init() throws {
    scratch = try ScratchDirectory(in: "/tmp")
    let scene = try Scene()
    key = scene.logKey.verifier.text
    try scene.bundle(Scene.request()).write(to: scratch("clean"))
    try Scene(days: Scene.poorDays()).bundle(Scene.request(.file, "/data/customers/10.csv", accepted: ["docker"]))
      .write(to: scratch("poor"))
  }

  private func verify(_ arguments: String...) throws -> Subprocess.Outcome {
    try Subprocess.run(Self.program, ["verify"] + arguments)
  }

  @Test("what holds is accepted, named by the directory or the certificate")
  func accept() throws {
    for file in ["clean", "clean/certificate"] {
      let outcome = try verify(scratch(file), "--key", key)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.output.hasPrefix("ACCEPT\n"))
      #expect(outcome.output.contains("  target       tree /data/customers\n"))
      #expect(!outcome.output.contains("page.html"))
    }
  }

  @Test("gaps and losses are exit status 2, and the gaps are listed")
  func gaps() throws {
    let outcome = try verify(scratch("poor"), "--key", key)
    #expect(outcome.status == 2)
    #expect(outcome.output.hasPrefix("ACCEPT WITH GAPS\n"))
    #expect(outcome.output.contains("stopped"))
    #expect(outcome.output.contains("  accepted     docker\n"))
    #expect(outcome.output.contains("  lost         2\n"))
  }

  @Test("a page about thousands of gaps is what this version writes, for whoever verifies it later and elsewhere")
  func longPage() throws {
    var days = Scene.quietDays()
    days[1].gaps = (0..<UInt64(9000)).map {
      let from = Scene.start + Scene.day + $0 * 1_000_000_000
      return GapRecord(from: from, to: from + 5, source: "queue", reason: "the queue of the kernel was full: \($0)")
    }
    let scene = try Scene(days: days)
    let bundle = try scene.bundle(Scene.request(.tree, "/data/customers"))
    try bundle.write(to: scratch("long"))
    let outcome = try Subprocess.run(
      Self.program, ["verify", scratch("long"), "--key", key], environment: ["TZ": "Asia/Tokyo", "LC_ALL": "ja_JP"])
    #expect(outcome.status == 2)
    #expect(!outcome.output.contains("not what this version writes"))
  }

  @Test("JSON says the same")
  func json() throws {
    let outcome = try verify(scratch("poor"), "--key", key, "--json")
    let top = try #require(JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    #expect(top["result"] as? String == "ACCEPT WITH GAPS")
    let certificate = try #require(top["certificate"] as? [String: Any])
    #expect(certificate["target_base64"] as? String == Base64.encode(Scene.utf8("/data/customers/10.csv")))
    #expect((certificate["gaps"] as? [[String: Any]])?.count == 1)
    #expect(certificate["anchor_lag_seconds"] as? String == "90.000000000")
    let rejected = try verify(scratch("poor"), "--key", key.replacing("alibi/test", with: "x"), "--json")
    #expect(rejected.status == 64)
  }

  @Test("another key, changed evidence and another checkpoint are rejected with their step", arguments: [1, 2, 3, 4])
  func reject(step: Int) throws {
    var key = key
    switch step {
    case 1: key = try #require(SigningKey(name: Scene.utf8("x"), seed: [UInt8](repeating: 9, count: 32))).verifier.text
    case 2: try scratch.write("clean/certificate", "")
    case 3: try scratch.write("clean/evidence.json", "{}")
    default: try scratch.write("clean/checkpoint", "")
    }
    let outcome = try verify(scratch("clean"), "--key", key)
    #expect(outcome.status == 1)
    #expect(outcome.output.hasPrefix("REJECT\n\n  step \(step)   "))
    let json = try verify(scratch("clean"), "--key", key, "--json")
    #expect(json.status == 1)
    #expect(json.output.contains("\"step\" : \(step)"))
  }

  @Test("a page of another's make does not change the answer, and is told of")
  func pages() throws {
    try scratch.write("clean/page.html", "<p>nobody ever did anything</p>")
    let outcome = try verify(scratch("clean"), "--key", key)
    #expect(outcome.status == 0)
    #expect(outcome.output.contains("note: page.html is not what this version writes"))
  }

  @Test("a policy asks for more")
  func policy() throws {
    let witness = try Scene().witness.verifier.text
    try scratch.write("good", "witness \(witness)\nquorum 1\nanchor-lag-max 90\naccept docker\n")
    #expect(try verify(scratch("clean"), "--key", key, "--policy", scratch("good")).status == 0)
    #expect(try verify(scratch("poor"), "--key", key, "--policy", scratch("good")).status == 2)
    try scratch.write("fast", "witness \(witness)\nquorum 1\nanchor-lag-max 89\naccept docker\n")
    try scratch.write("stern", "")
    let other = try #require(
      SigningKey(name: Scene.utf8("w"), kind: .cosignature, seed: [UInt8](repeating: 9, count: 32)))
    try scratch.write("stranger", "witness \(other.verifier.text)\nquorum 0\nanchor-lag-max 9999\naccept docker\n")
    for name in ["fast", "stern", "stranger"] {
      let outcome = try verify(scratch("poor"), "--key", key, "--policy", scratch(name))
      #expect(outcome.status == 1, "\(name)")
      #expect(outcome.output.hasPrefix("REJECT\n\n  policy   "))
    }
    try scratch.write("quorum", "witness \(other.verifier.text)\nquorum 1\n")
    let outcome = try verify(scratch("clean"), "--key", key, "--policy", scratch("quorum"))
    #expect(outcome.output.hasPrefix("REJECT\n\n  step 4"))
    try scratch.write("bad", "\nquorum many\n")
    let bad = try verify(scratch("clean"), "--key", key, "--policy", scratch("bad"))
    #expect(bad.status == 64)
    #expect(bad.errors.hasPrefix("alibi: error: \(scratch("bad")):2: quorum must be"))
  }

  @Test("a file of keys is taken, and what is no key is a usage error")
  func keys() throws {
    try scratch.write("keys", "# enrolled in January\n\(key)\n")
    #expect(try verify(scratch("clean"), "--key", scratch("keys")).status == 0)
    try scratch.write("none", "# nothing\n")
    try scratch.write("wrong", "\n\(key)x\n")
    let witness = try Scene().witness.verifier.text
    for key in [scratch("none"), scratch("wrong"), scratch("nowhere"), witness, "", key + "x"] {
      let outcome = try verify(scratch("clean"), "--key", key)
      #expect(outcome.status == 64, "\(key)")
      #expect(outcome.errors.hasPrefix("alibi: error: ") && outcome.errors.contains("\nalibi: hint: "))
    }
    #expect(try verify(scratch("clean")).status == 64)
    #expect(try verify().status == 64)
    #expect(try verify(scratch("clean"), "--key", key, "--checkpoint", scratch("clean/checkpoint")).status == 64)
  }

  @Test("what cannot be read is exit status 74", arguments: ["nowhere", "empty", "fifo"])
  func unreadable(name: String) throws {
    switch name {
    case "empty": try scratch.makeDirectory(name)
    case "fifo": #expect(unsafe mkfifo(scratch(name), 0o600) == 0)
    default: break
    }
    let outcome = try verify(scratch(name), "--key", key)
    #expect(outcome.status == 74)
    #expect(outcome.errors.contains("\nalibi: hint: "))
  }

  @Test(
    "no change of any file is accepted or makes it crash", arguments: ["certificate", "evidence.json", "checkpoint"])
  func changed(name: String) throws {
    let original = Array(try Data(contentsOf: URL(filePath: scratch("clean/\(name)"))))
    var dice = MutationTests.Dice(state: 7)
    for _ in 0..<40 {
      let bytes = dice.mutate(original)
      try Data(bytes).write(to: URL(filePath: scratch("clean/\(name)")))
      #expect(try verify(scratch("clean"), "--key", key).status == (bytes == original ? 0 : 1))
    }
  }
}
