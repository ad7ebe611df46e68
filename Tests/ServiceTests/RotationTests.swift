import Foundation
import TestSupport
import Testing

extension ServiceTests {
  @Suite(.serialized)
  struct RotationTests {
    private func key(_ service: ServiceUnderTest) throws -> String {
      try #require((try service.json("key", "show") as? [String: Any])?["log"] as? String)
    }

    private func verify(_ bundle: String, _ key: String) throws -> Int32 {
      try Subprocess.run(Place.programs + "/alibi", ["verify", bundle, "--key", key]).status
    }

    private func rotate(_ service: ServiceUnderTest) throws -> String {
      let old = try key(service)
      let rotated = service.alibi("key", "rotate", "--json")
      #expect(rotated.status == 0, "\(rotated.errors)")
      let told = try JSONSerialization.jsonObject(with: Data(rotated.output.utf8)) as? [String: Any]
      #expect(told?["old"] as? String == old)
      let new = try key(service)
      #expect(new != old && told?["log"] as? String == new)
      return new
    }

    @Test("keys are replaced at work and at rest; certificates from then on hold for whoever has any of them")
    func rotate() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let quiet = try agent.file("quiet.txt")
      let start = service.moment()
      try agent.run("true")
      let out = try ScratchDirectory(in: "/tmp")
      let first = try key(service)
      #expect(service.alibi("key", "show").output == first + "\n")
      func certify(_ name: String) throws {
        let proven = service.prove(quiet, from: start, "--out", out(name), "--allow-gaps")
        // A stop is a gap.
        #expect([0, 2].contains(proven.status), "\(proven.output) \(proven.errors)")
      }
      try certify("one")
      let secret = try String(contentsOfFile: service.state + "/keys/log.key", encoding: .utf8)
      let second = try rotate(service)
      try certify("two")
      let recorder = try service.recorder()
      kill(recorder, SIGKILL)
      try eventually("another recorder answers") { try service.recorder() != recorder }
      try certify("three")
      // At rest it is done by the command itself.
      _ = try service.stop()
      let third = try rotate(service)
      #expect(service.alibi("verify", "--full", "--key", first).status == 0)
      try service.restart()
      try certify("four")
      for (bundle, keys) in [
        ("one", [first]), ("two", [first, second]), ("three", [first, second]), ("four", [first, second, third]),
      ] {
        for key in [first, second, third] {
          #expect((try verify(out(bundle), key) != 1) == keys.contains(key), "\(bundle) \(key)")
        }
      }
      // What is printed is a file of keys: the old ones are in comments.
      try out.write("keys", service.alibi("key", "show").output)
      #expect(try verify(out("four"), out("keys")) != 1)
      #expect(try verify(out("one"), out("keys")) == 1)
      let past = try #require((try service.json("key", "show") as? [String: Any])?["past"] as? [[String: Any]])
      #expect(past.map { $0["log"] as? String } == [first, second])
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: service.state + "/keys").sorted() == [
          "cert.key", "log.key",
        ])
      for name in ["log.key", "cert.key"] {
        let text = try String(contentsOfFile: service.state + "/keys/" + name, encoding: .utf8)
        #expect(!text.contains(secret.split(separator: "+").last ?? ""))
      }
      #expect(service.alibi("export-evidence", out("log"), "--log-only").status == 0)
      _ = try service.stop()
      for key in [first, second, third] {
        #expect(service.alibi("verify", "--full", "--key", key).status == 0)
        #expect(
          try Subprocess.run(
            Place.programs + "/alibi", ["verify", "--full", "--state", out("log"), "--key", key]
          ).status == 0)
      }
    }

    @Test("keys are replaced while epochs are closed and certificates made, and nothing of it contradicts itself")
    func busy() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let quiet = try agent.file("quiet.txt")
      let start = service.moment()
      let out = try ScratchDirectory(in: "/tmp")
      let first = try key(service)
      let script = """
        for n in 1 2 3 4 5 6; do
          "$1" prove "$2" --from "$3" --out "$4/$n" --allow-gaps --state "$5" > /dev/null || exit 1
        done
        """
      let certifier = try Subprocess(
        "/bin/sh", ["-c", script, "sh", Place.programs + "/alibi", quiet, start, out.path, service.state])
      for _ in 0..<12 { _ = try rotate(service) }
      let done = try certifier.finish()
      #expect(done.status == 0, "\(done.errors)")
      for number in 1...6 { #expect(try verify(out("\(number)"), first) != 1, "\(number)") }
      _ = try service.stop()
      let full = service.alibi("verify", "--full", "--key", first)
      #expect(full.status == 0, "\(full.output)")
      #expect((try service.json("key", "show") as? [String: Any])?["past"].map { ($0 as? [Any])?.count } == 12)
    }

    @Test("a recorder that is killed amid a rotation leaves a log that its successor can sign")
    func killed() throws {
      let service = try ServiceUnderTest()
      let first = try key(service)
      var replaced = 0
      for round in 0..<10 {
        let recorder = try service.recorder()
        let before = try key(service)
        let rotation = try Subprocess(Place.programs + "/alibi", ["key", "rotate", "--state", service.state])
        Thread.sleep(forTimeInterval: 0.012 + 0.008 * Double(round))
        kill(recorder, SIGKILL)
        _ = try rotation.finish()
        try eventually("another recorder answers") { try service.recorder() != recorder }
        if try key(service) != before { replaced += 1 }
        let status = try #require(try service.json("status") as? [String: Any])
        #expect(status["seal_problem"] == nil, "\(status["seal_problem"] ?? "")")
        // Answering comes before the last of what the one before had left is put in its place.
        try eventually("the keys are those in force and no others") {
          try FileManager.default.contentsOfDirectory(atPath: service.state + "/keys").sorted() == [
            "cert.key", "log.key",
          ]
        }
      }
      // Once more, undisturbed.
      _ = try rotate(service)
      _ = try service.stop()
      let full = service.alibi("verify", "--full", "--key", first)
      #expect(full.status == 0, "\(full.output)")
      #expect(
        (try service.json("key", "show") as? [String: Any])?["past"].map { ($0 as? [Any])?.count } == replaced + 1)
    }

    @Test("who is not root replaces nothing")
    func ordinary() throws {
      let service = try ServiceUnderTest()
      let first = try key(service)
      let tried = try Subprocess.run(
        "/usr/bin/setpriv",
        StandInAgent.setpriv + [Place.programs + "/alibi", "key", "rotate", "--state", service.state])
      #expect(tried.status == 77, "\(tried.errors)")
      #expect(try key(service) == first)
    }
  }
}
