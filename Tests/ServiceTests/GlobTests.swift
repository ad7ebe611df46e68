import Foundation
import TestSupport
import Testing

extension ServiceTests {
  @Suite(.serialized)
  struct GlobTests {
    private func verify(_ bundle: String, _ key: String) throws {
      let verified = try Subprocess.run(Place.programs + "/alibi", ["verify", bundle, "--key", key])
      #expect([0, 2].contains(verified.status), "\(verified.output)")
      let second = try Subprocess.run(
        "/usr/bin/env",
        [
          "python3", "-B", Place.repository + "/packaging/verify/alibi_verify.py", bundle + "/certificate",
          bundle + "/evidence.json", "0", key,
        ])
      #expect(second.status == verified.status, "\(second.output) \(second.errors)")
    }

    @Test("a pattern is certified once it was registered for a whole epoch, and only where nothing matched")
    func certificate() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let out = try ScratchDirectory(in: "/tmp")
      let touched = try agent.file("touched.key")
      let work = agent.home("work")
      _ = try agent.file("quiet.pem")
      let key = service.alibi("key", "show").output.trimmingCharacters(in: .whitespacesAndNewlines)
      let first = service.moment()
      func prove(_ pattern: String, _ from: String, _ name: String) -> Subprocess.Outcome {
        service.prove(pattern, from: from, "--glob", "--absent-name", "--out", out(name), "--allow-gaps")
      }
      let refused = prove("\(work)/*.pem", first, "none")
      #expect(refused.status == 2 && refused.errors.contains("not registered"), "\(refused.errors)")
      #expect(refused.errors.contains("`patterns`"))
      _ = try service.stop()
      try service.configure("patterns: ['\(work)/*.pem', '\(work)/*.key']\n")
      try service.restart()
      // The epoch in which it was registered began without it.
      let second = service.moment()
      let early = prove("\(work)/*.pem", second, "none")
      #expect(early.status == 2 && early.errors.contains("later time"), "\(early.errors)")
      let start = service.moment()
      #expect(try agent.run("cat \(touched) > /dev/null").status == 0)
      let made = prove("\(work)/*.pem", start, "pem")
      #expect(made.status == 0, "\(made.output) \(made.errors)")
      try verify(out("pem"), key)
      #expect(prove("\(work)/*.key", start, "none").status == 1)
      #expect(prove("\(work)/*.txt", start, "none").errors.contains("not registered"))
      #expect(!FileManager.default.fileExists(atPath: out("none")))
      // Spelt otherwise it is another.
      #expect(prove("\(work)//*.pem", start, "none").errors.contains("not registered"))
      // Through a symbolic link records tell other paths.
      try FileManager.default.createSymbolicLink(atPath: out("link"), withDestinationPath: work)
      let linked = prove(out("link") + "/*.pem", start, "none")
      #expect(linked.status == 64 && linked.errors.contains("\(work)/*.pem"), "\(linked.errors)")
      _ = try service.stop()
      let full = service.alibi("verify", "--full", "--key", key)
      #expect(full.status == 0, "\(full.output)")
    }

    @Test("a place whose name has a wildcard in it is followed through a link by a pattern as well")
    func escaped() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let out = try ScratchDirectory(in: "/tmp")
      try agent.home.makeDirectory("work/we*rd {x}")
      let file = try agent.file("we*rd {x}/a.key")
      try FileManager.default.createSymbolicLink(
        atPath: out("link"), withDestinationPath: agent.home("work/we*rd {x}"))
      let start = service.moment()
      #expect(try agent.run("cat '\(file)' > /dev/null; rm '\(file)'").status == 0)
      let verdict = service.prove(out("link") + "/*.key", from: start, "--glob")
      #expect(verdict.status == 1, "\(verdict.output) \(verdict.errors)")
    }
  }
}
