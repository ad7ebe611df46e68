import Foundation
import TestSupport
import Testing

extension ServiceTests {
  @Suite(.serialized)
  struct KeepingTests {
    /// A session that has read a file and ended; its key.
    private func session(_ service: ServiceUnderTest, _ agent: StandInAgent, reading file: String) throws -> String {
      #expect(try agent.run("cat \(file) > /dev/null").status == 0)
      var key: String?
      try eventually("the session has ended") {
        service.alibi("accesses", "--limit", "1")
        let all = try #require(try service.json("sessions") as? [[String: Any]])
        let last = all.last { $0["ended"] != nil }
        key = last?["session"] as? String
        return key != nil
      }
      return try #require(key)
    }

    private func verify(_ state: String, _ key: String) throws -> Subprocess.Outcome {
      try Subprocess.run(Place.programs + "/alibi", ["verify", "--full", "--state", state, "--key", key])
    }

    @Test("a session is erased while the service runs; what is left is sound, and no question about that time is no")
    func erase() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("erased-file.txt")
      let quiet = try agent.file("quiet.txt")
      let verifier = service.alibi("key", "show").output.trimmingCharacters(in: .whitespacesAndNewlines)
      let start = service.moment()
      let key = try session(service, agent, reading: file)
      let end = service.moment()
      service.expect(1, file, from: start)
      #expect(service.alibi("erase", "--session", key, "--basis", "whim").status == 64)
      #expect(service.alibi("erase", "--session", "nobody", "--basis", "policy").status == 66)
      let erased = service.alibi("erase", "--session", key, "--basis", "gdpr-17-1-b", "--json")
      #expect(erased.status == 0, "\(erased.output) \(erased.errors)")
      #expect(erased.output.contains("\"is_log_empty\" : true"))
      for path in [file, quiet] {
        let verdict = service.prove(path, from: start, "--to", end, "--accept-hazard", "privilege")
        #expect(verdict.status == 2)
        #expect(verdict.output.contains("erased: record"), "\(verdict.output)")
      }
      // The same file again: recorded anew, under another number.
      #expect(try agent.run("cat \(file) > /dev/null").status == 0)
      service.expect(1, file, from: end)
      let full = service.alibi("verify", "--full", "--key", verifier)
      #expect(full.status == 0, "\(full.output)")
      #expect(full.output.contains("values were erased"))
      _ = try service.stop()
      #expect(service.alibi("verify", "--full", "--key", verifier).status == 0)
      // At rest it is done by the command itself.
      let second = try #require((try service.json("sessions") as? [[String: Any]])?.last?["session"] as? String)
      #expect(service.alibi("erase", "--session", second, "--basis", "policy").status == 0)
      let again = service.alibi("verify", "--full", "--key", verifier)
      #expect(again.status == 0, "\(again.output)")
      for name in try FileManager.default.contentsOfDirectory(atPath: service.state) {
        let data = FileManager.default.contents(atPath: service.state + "/" + name) ?? Data()
        #expect(data.range(of: Data("erased-file.txt".utf8)) == nil, "\(name)")
        #expect(data.range(of: Data(key.utf8)) == nil, "\(name)")
      }
      try service.restart()
      let third = try session(service, agent, reading: file)
      #expect(third != second)
      _ = try service.stop()
      #expect(service.alibi("verify", "--full", "--key", verifier).status == 0)
    }

    @Test("what is over goes when somebody asks, and the command tells what is kept")
    func retention() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("x.txt")
      _ = try session(service, agent, reading: file)
      let told = try #require(try service.json("retention", "--apply") as? [String: Any])
      #expect(told["days"] as? Int == 396)
      #expect(told["pruned_epochs"] as? Int == 0)
      #expect((told["pruned"] as? [String: Any])?["epochs"] as? Int == 0)
      _ = try service.stop()
      #expect(service.alibi("retention", "--apply").status == 0)
      #expect(service.alibi("retention").output.contains("396 days"))
      #expect(service.alibi("verify", "--full").status == 0)
    }

    @Test("an export is checked by itself: the store and the log, or the log alone")
    func export() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("x.txt")
      let key = service.alibi("key", "show").output.trimmingCharacters(in: .whitespacesAndNewlines)
      _ = try session(service, agent, reading: file)
      let out = try ScratchDirectory(in: "/tmp")
      #expect(service.alibi("export-evidence", out("all")).status == 0)
      #expect(service.alibi("export-evidence", out("log"), "--log-only").status == 0)
      #expect(service.alibi("export-evidence", out("all")).status == 73)
      _ = try service.stop()
      for name in ["all", "log"] {
        let verified = try verify(out(name), key)
        #expect(verified.status == 0, "\(verified.output) \(verified.errors)")
      }
      let page = try verify(out("all"), key).output
      #expect(page.contains("epochs   1"))
      let other = try Subprocess.run(
        Place.programs + "/alibi", ["verify", "--full", "--state", out("log")])
      #expect(other.status == 64)
      for name in ["all", "log"] {
        try FileManager.default.removeItem(atPath: out(name) + "/tile/0")
        #expect(try verify(out(name), key).status == 1)
      }
    }
  }
}
