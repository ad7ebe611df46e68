internal import Foundation
internal import MerkleLog
internal import TestSupport
internal import Testing

@testable internal import Certificates
@testable internal import alibi

/// Tools that nobody here wrote, as their makers deliver them.
struct ThirdOpinionTests {
  private let scratch: ScratchDirectory
  private let key: String

  init() throws {
    scratch = try ScratchDirectory(in: "/tmp")
    var scene = try Scene()
    // Rotated keys, so that there is another kind of record as well, and another key of the head.
    try scene.rotate(7)
    key = scene.head.verifier.text
    try scene.bundle(Scene.request()).write(to: scratch("bundle"))
  }

  private func edit(_ name: String, _ old: String, _ new: String) throws {
    let path = scratch("bundle/\(name)")
    let text = try String(contentsOfFile: path, encoding: .utf8)
    try #require(text.contains(old))
    try text.replacing(old, with: new, maxReplacements: 1).write(toFile: path, atomically: false, encoding: .utf8)
  }

  // MARK: openssl

  private func shell(_ commands: String) throws -> Subprocess.Outcome {
    try Subprocess.run("/bin/sh", ["-euc", "cd \(scratch("bundle"))\nKEY='\(key)'\n\(commands)"])
  }

  @Test("the commands that the page shows check the head's signature with openssl", .tool("openssl", "version"))
  func openssl() throws {
    let page = try String(contentsOfFile: scratch("bundle/page.html"), encoding: .utf8)
    let commands = String(try #require(page.matches(of: #/<pre>([^<]*pkeyutl[^<]*)<\/pre>/#).first).1)
      .replacing("&#39;", with: "'").replacing("&gt;", with: ">").replacing("&quot;", with: "\"")
      .replacing("&amp;", with: "&")
    #expect(commands == Page.checkpointCommands)
    #expect(try shell(commands).status == 0)
    try edit("checkpoint", "alibi/test\n7\n", "alibi/test\n8\n")
    #expect(try shell(commands).status != 0)
  }

  @Test("the commands that the page shows find the evidence's hash in the certificate", .tool("openssl", "version"))
  func digest() throws {
    let lines = try shell(Page.evidenceCommands).output.split(separator: "\n")
    #expect(lines.count == 2 && lines.first == lines.last)
    try edit("evidence.json", "\"index\":0", "\"index\":1")
    #expect(Set(try shell(Page.evidenceCommands).output.split(separator: "\n")).count == 2)
  }

  // MARK: Go

  private static let source = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/third-opinion/main.go").path

  private func go() throws -> Subprocess.Outcome {
    let program = scratch("third-opinion")
    if !FileManager.default.fileExists(atPath: program) {
      let built = try Subprocess.run(
        "/usr/bin/env", ["go", "build", "-o", program, Self.source],
        environment: [
          "PATH": TestSupport.environment("PATH") ?? "/usr/bin", "GO111MODULE": "off", "GOPATH": "/usr/share/gocode",
          "GOCACHE": scratch("cache"), "GOFLAGS": "",
        ])
      try #require(built.status == 0, "\(built.errors)")
    }
    return try Subprocess.run(program, [key, scratch("bundle")])
  }

  @Test(
    "Go's note and tlog find every record in the signed log, and miss a changed one", .tool("go", "version"),
    .tool("test", "-d", "/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog"))
  func note() throws {
    let outcome = try go()
    #expect(outcome.status == 0, "\(outcome.errors)")
    // GENESIS, two of KEY and three epochs, of a log with a configuration besides.
    #expect(outcome.output == "alibi/test: 6 records of 7\n")
    try edit("evidence.json", "degraded 0", "degraded 1")
    #expect(try go().status == 1)
    try edit("evidence.json", "degraded 1", "degraded 0")
    #expect(try go().status == 0)
    try edit("checkpoint", "alibi/test\n7\n", "alibi/test\n6\n")
    #expect(try go().errors.contains("invalid signature"))
  }
}
