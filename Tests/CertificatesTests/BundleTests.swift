internal import Foundation
internal import Glibc
internal import MerkleLog
internal import TestSupport
internal import Testing

@testable internal import Certificates
@testable internal import alibi

extension Scene {
  /// A bundle as `prove` would write it.
  func bundle(_ request: CertificateRequest) throws -> alibi.Bundle {
    let built = try build(request)
    let checkpoint = try #require(EvidenceFile(built.evidence)).checkpoint
    return alibi.Bundle(certificate: built.certificate, evidence: built.evidence, checkpoint: checkpoint)
  }

  /// Three days of which the first and a bit of the second are a gap, and the third had a loss and a hazard.
  static func poorDays() -> [Day] {
    var days = quietDays()
    days[1].gaps = [GapRecord(from: start, to: start + day + 9, source: "run", reason: "stopped")]
    days[2].hazards = ["docker"]
    days[2].lost = 2
    return days
  }
}

/// A bundle on disk.
struct BundleTests {
  private let scratch: ScratchDirectory
  private let bundle: alibi.Bundle

  init() throws {
    scratch = try ScratchDirectory(in: "/tmp")
    bundle = try Scene().bundle(Scene.request())
  }

  private func entries(_ path: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }

  @Test("what is written is what is read, and nothing else is left behind")
  func roundTrip() throws {
    try bundle.write(to: scratch("one/"))
    #expect(try entries(scratch.path) == ["one"])
    let names = ["certificate", "checkpoint", "evidence.json", "not-claimed.txt", "page.html"]
    #expect(try entries(scratch("one")) == names)
    for read in [try alibi.Bundle(directory: scratch("one")), try alibi.Bundle(at: scratch("one/certificate"))] {
      #expect(read.certificate == bundle.certificate)
      #expect(read.evidence == bundle.evidence)
      #expect(read.checkpoint == bundle.checkpoint)
    }
    // The evidence has the salts: only its owner may read it.
    let mode = try FileManager.default.attributesOfItem(atPath: scratch("one"))[.posixPermissions] as? Int
    #expect(mode == 0o700)
  }

  @Test(
    "what is there stays, be it a file, an empty directory or a bundle", arguments: ["file", "directory", "bundle"])
  func neverOverwritten(kind: String) throws {
    let place = scratch("there")
    switch kind {
    case "file": try scratch.write("there", "mine")
    case "directory": try scratch.makeDirectory("there")
    default: try bundle.write(to: place)
    }
    let before = kind == "file" ? [] : try entries(place)
    let failure = #expect(throws: Failure.self) { try bundle.write(to: place) }
    #expect(failure?.status == 64)
    #expect(try entries(scratch.path) == ["there"])
    if kind == "file" {
      #expect(try String(contentsOfFile: place, encoding: .utf8) == "mine")
    } else {
      #expect(try entries(place) == before)
    }
  }

  @Test("where it cannot be written, nothing is")
  func unwritable() throws {
    #expect(#expect(throws: Failure.self) { try bundle.write(to: scratch("no/such")) }?.status == 74)
    var broken = bundle
    broken.evidence = [1, 2, 3]
    #expect(#expect(throws: Failure.self) { try broken.write(to: scratch("broken")) }?.status == 70)
    #expect(try entries(scratch.path) == [])
  }

  @Test("what is no regular file is not waited for")
  func pipe() throws {
    try bundle.write(to: scratch("one"))
    let evidence = scratch("one/evidence.json")
    #expect(unsafe unlink(evidence) == 0 && mkfifo(evidence, 0o600) == 0)
    #expect(#expect(throws: Failure.self) { try alibi.Bundle(directory: scratch("one")) }?.status == 74)
  }
}

/// What a policy file may say.
struct PolicyFileTests {
  @Test("a policy says what it says")
  func reads() throws {
    let witness = try Scene().witness.verifier
    let text = "# ours\n\n  witness \(witness.text)\r\nquorum 1\nanchor-lag-max\t90\naccept unattributed\naccept docker"
    let policy = try PolicyFile(Scene.utf8(text))
    #expect(policy.witnesses == [witness])
    #expect(policy.quorum == 1)
    #expect(policy.longestLag == 90_000_000_000)
    #expect(policy.accepted == ["unattributed", "docker"])
    #expect(try PolicyFile([]).witnesses.isEmpty)
  }

  @Test(
    "what it cannot mean is refused, with the line",
    arguments: [
      ("witness x", 1), ("\nquorum", 2), ("quorum 1", 1), ("quorum -1", 1), ("quorum 0\nquorum 0", 2),
      ("colour red", 1), ("anchor-lag-max 60", 1), ("anchor-lag-max soon", 1), ("accept a b", 1),
      ("accept a\naccept a", 2),
      ("#\n#\n\u{0}", 3), ("WITNESS\nWITNESS\nquorum 1", 2), ("quorum 2\nWITNESS", 1), ("WITNESS", 1),
    ])
  func refused(text: String, line: Int) throws {
    let witness = try Scene().witness.verifier.text
    let fault = #expect(throws: PolicyFile.Fault.self) {
      try PolicyFile(Scene.utf8(text.replacing("WITNESS", with: "witness \(witness)")))
    }
    #expect(fault?.line == line)
    #expect(fault?.reason.isEmpty == false)
  }

  @Test("a policy is no reason to believe a log's key, and bytes that are no text are refused")
  func bytes() throws {
    #expect(throws: PolicyFile.Fault.self) { try PolicyFile([0x61, 0xFF, 0x0A]) }
    let key = try Scene().logKey.verifier.text
    #expect(throws: PolicyFile.Fault.self) { try PolicyFile(Scene.utf8("witness \(key)\nquorum 0")) }
    #expect(throws: PolicyFile.Fault.self) { try PolicyFile([UInt8](repeating: 0x0A, count: 1 << 17)) }
  }
}
