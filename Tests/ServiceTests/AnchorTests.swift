import Foundation
import TestSupport
import Testing

extension ServiceTests {
  /// Heads shown to others, who are nobody of ours.
  @Suite(
    .serialized, .tool("go", "version"), .tool("test", "-d", "/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog"),
    .tool("openssl", "version"))
  struct AnchorTests {
    private struct Anchor {
      var size: Int?
      var problem: String?
    }

    /// A service whose log a witness knows.
    private func witnessed(_ more: (OutsideWitness) -> String = { _ in "" }) throws -> (
      ServiceUnderTest, OutsideWitness, key: String
    ) {
      let service = try ServiceUnderTest()
      let key = service.alibi("key", "show").output.trimmingCharacters(in: .whitespacesAndNewlines)
      _ = try service.stop()
      let witness = try OutsideWitness(of: key)
      try service.configure(
        "anchors:\n  interval: 1\n  witnesses:\n    - url: \(witness.url)\n      key: \(witness.key)\n"
          + more(witness))
      try service.restart()
      return (service, witness, key)
    }

    private func status(_ service: ServiceUnderTest) throws -> [String: Any] {
      try #require(service.json("status") as? [String: Any])
    }

    private func anchors(_ service: ServiceUnderTest) throws -> [String: Anchor] {
      let all = try #require(try status(service)["anchors"] as? [[String: Any]])
      return Dictionary(
        uniqueKeysWithValues: all.map { each in
          (each["kind"] as? String ?? "", Anchor(size: each["size"] as? Int, problem: each["problem"] as? String))
        })
    }

    /// Those that anchors make: another test's service may disturb the connector meanwhile.
    private func incidents(_ service: ServiceUnderTest) throws -> [String] {
      try #require(try status(service)["incidents"] as? [String])
        .filter { $0.contains("anchor-fork") || $0.contains("clock-differs") }
    }

    private func sender(_ service: ServiceUnderTest) throws -> Int32 {
      var found: Int32?
      try eventually("a sender runs") {
        found = (try status(service)["sender_pid"] as? Int).map(Int32.init)
        return found != nil
      }
      return try #require(found)
    }

    /// Has something new sealed, so that there is a head nobody has seen.
    private func seal(_ service: ServiceUnderTest) throws -> Int {
      let out = try ScratchDirectory(in: "/tmp")
      _ = service.prove(out("quiet"), from: service.moment(), "--out", out("bundle"), "--allow-gaps", "--absent-name")
      let head = try #require(service.json("key", "head") as? [String: Any])
      return try #require(head["size"] as? Int)
    }

    private func sql(_ service: ServiceUnderTest, _ statement: String) throws -> String {
      let script = """
        import sqlite3, sys
        db = sqlite3.connect(sys.argv[1], timeout=10)
        for row in db.execute(sys.argv[2]): print(row[0].decode() if isinstance(row[0], bytes) else row[0])
        db.commit()
        """
      let done = try Subprocess.run(
        "/usr/bin/env", ["python3", "-c", script, service.state + "/alibi.sqlite", statement])
      #expect(done.status == 0, "\(done.errors)")
      return done.output
    }

    @Test("heads are cosigned, stamped and logged by others; the certificate tells how soon, and every word verifies")
    func everybody() throws {
      let authority = try OutsideAuthority()
      let logger = try OutsideLogger("socket")
      let (service, witness, key) = try witnessed { _ in
        "  timestamps:\n    - url: \(authority.url)\n  syslog: \(logger.place)\n"
      }
      try eventually("all have seen the log") {
        let all = try anchors(service)
        return all.count == 3 && all.values.allSatisfy { ($0.size ?? 0) > 0 && $0.problem == nil }
      }
      let agent = try StandInAgent()
      let quiet = try agent.file("quiet.txt")
      let start = service.moment()
      try agent.run("true")
      let out = try ScratchDirectory(in: "/tmp")
      let proven = service.prove(quiet, from: start, "--out", out("bundle"), "--allow-gaps")
      #expect(proven.status == 0, "\(proven.output) \(proven.errors)")
      #expect(!proven.errors.contains("anchors were reached"), "\(proven.errors)")
      let second = try Subprocess.run(
        "/usr/bin/env",
        [
          "python3", Place.repository + "/packaging/verify/alibi_verify.py", out("bundle/certificate"),
          out("bundle/evidence.json"), "1", key, witness.key,
        ])
      #expect([0, 2].contains(second.status) && second.output.contains("ACCEPT"), "\(second.output) \(second.errors)")
      try out.write("policy", "witness \(witness.key)\nquorum 1\nanchor-lag-max 60\n")
      let arguments = ["verify", out("bundle"), "--key", key, "--json"]
      let verified = try Subprocess.run(Place.programs + "/alibi", arguments + ["--policy", out("policy")])
      #expect([0, 2].contains(verified.status), "\(verified.output)")
      let answer = try #require(try JSONSerialization.jsonObject(with: Data(verified.output.utf8)) as? [String: Any])
      let found = try #require(answer["certificate"] as? [String: Any])
      #expect(found["cosignatures"] as? Int == 1)
      #expect(Double(found["anchor_lag_seconds"] as? String ?? "") ?? 99 < 30)
      #expect(found["unchecked_time_stamps"] as? Int ?? 0 > 0)

      // Each token by openssl's own word.
      let evidence = try Data(contentsOf: URL(filePath: out("bundle/evidence.json")))
      let file = try #require(try JSONSerialization.jsonObject(with: evidence) as? [String: Any])
      let stamps = try #require(file["anchors"] as? [[String: Any]]).filter { $0["kind"] as? String == "rfc3161" }
      #expect(!stamps.isEmpty)
      for stamp in stamps {
        let note = try #require(stamp["checkpoint"] as? String)
        let text = note.components(separatedBy: "\n\n")[0] + "\n"
        let token = try #require(Data(base64Encoded: stamp["by"] as? String ?? ""))
        #expect(try authority.verifies(token, over: text))
        #expect(try !authority.verifies(token, over: text + "x"))
      }
      // The head that was logged last is one that was signed.
      let line = try #require(logger.lines.last)
      #expect(line.hasPrefix("<86>alibid["))
      let words = line.split(separator: " ").map(String.init)
      let full = service.alibi("verify", "--full", "--key", key)
      #expect(full.status == 0, "\(full.output)")
      // A head that anybody may keep; of the newest the witness hears a moment later.
      try eventually("the newest head is cosigned") {
        service.alibi("key", "head").output.contains("\u{2014} witness.example ")
      }
      let head = service.alibi("key", "head")
      try out.write("kept", head.output)
      #expect(head.output.contains("\u{2014} witness.example "), "\(head.output)")
      #expect(service.alibi("verify", "--full", "--key", key, "--checkpoint", out("kept")).status == 0)
      #expect(service.alibi("verify", "--full", "--checkpoint", out("policy")).status == 1, "no head is no comfort")
      #expect(service.alibi("verify", "--full", "--checkpoint", out("none")).status == 74)
      let origin = "origin=" + key.prefix { $0 != "+" }
      #expect(words.contains(origin) && words.contains { $0.hasPrefix("seal=") && $0 != "seal=none" })
      _ = try service.stop()
      #expect(service.alibi("verify", "--full", "--key", key).status == 0)
      #expect(try anchors(service)["witness"]?.size ?? 0 > 0, "what is known stays known")
    }

    @Test("a witness refuses a log whose key was replaced until it is told, and then goes on from what it had seen")
    func rotated() throws {
      let (service, witness, key) = try witnessed()
      try eventually("the witness has seen the log") { witness.seen > 0 }
      let rotated = try #require(service.json("key", "rotate") as? [String: Any])
      #expect(rotated["old"] as? String == key)
      let new = try #require(rotated["log"] as? String)
      let size = try seal(service)
      try eventually("it refuses") { try anchors(service)["witness"]?.problem?.isEmpty == false }
      #expect(try incidents(service).isEmpty, "and that is no fork")
      #expect(witness.seen < size)
      try witness.enrol(new)
      try eventually("it goes on") { witness.seen >= size }
      try eventually("and says so") { try anchors(service)["witness"]?.problem == nil }
      let agent = try StandInAgent()
      let quiet = try agent.file("quiet.txt")
      let start = service.moment()
      let out = try ScratchDirectory(in: "/tmp")
      let proven = service.prove(quiet, from: start, "--out", out("bundle"), "--allow-gaps")
      #expect(proven.status == 0, "\(proven.output) \(proven.errors)")
      for pinned in [key, new] {
        let second = try Subprocess.run(
          "/usr/bin/env",
          [
            "python3", "-B", Place.repository + "/packaging/verify/alibi_verify.py", out("bundle/certificate"),
            out("bundle/evidence.json"), "1", pinned, witness.key,
          ])
        #expect([0, 2].contains(second.status), "\(second.output) \(second.errors)")
      }
      _ = try service.stop()
      #expect(service.alibi("verify", "--full", "--key", key).status == 0)
    }

    @Test("the sender is nobody: no root, no group, no capability, no file of the store's, and no session's process")
    func unprivileged() throws {
      let (service, _, _) = try witnessed()
      let pid = try sender(service)
      let status = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
      func field(_ name: String) -> String {
        let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") } ?? ""
        return line.dropFirst(name.count + 1).split(separator: "\t").joined(separator: " ")
          .trimmingCharacters(in: .whitespaces)
      }
      #expect(field("Name") == "alibi-sender")
      #expect(field("Uid") == "65534 65534 65534 65534" && field("Gid") == "65534 65534 65534 65534")
      #expect(field("Groups").isEmpty && field("NoNewPrivs") == "1")
      for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] { #expect(field(set) == "0000000000000000") }
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/cwd") == "/")
      for descriptor in try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd") {
        let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/fd/\(descriptor)")
        #expect(target?.hasPrefix(service.state) != true && target?.contains("journal") != true)
        #expect(target?.contains("fanotify") != true && target?.contains("perf") != true)
      }
      let environment = try String(contentsOfFile: "/proc/\(pid)/environ", encoding: .utf8)
      #expect(!environment.contains("journal="))
      #expect(try service.sessions().isEmpty)
    }

    @Test("a killed sender is followed by another, and its service loses nothing")
    func killed() throws {
      let (service, witness, _) = try witnessed()
      let agent = try StandInAgent()
      let untouched = try agent.file("untouched.txt")
      let from = service.moment()
      let first = try sender(service)
      let recorder = try service.recorder()
      kill(first, SIGKILL)
      try agent.run("true")
      try eventually("another sender") {
        let now = try status(service)["sender_pid"] as? Int
        return now != nil && now != Int(first)
      }
      let size = try seal(service)
      try eventually("the witness goes on") { witness.seen >= size }
      #expect(try service.recorder() == recorder)
      let proven = service.prove(untouched, from: from)
      #expect(proven.status == 0, "\(proven.output)")
      // Killed with its service it leaves nobody behind.
      let second = try sender(service)
      kill(recorder, SIGKILL)
      try eventually("the sender ends with its recorder") { kill(second, 0) != 0 }
      _ = try service.recorder()
      let later = try seal(service)
      try eventually("the successor's sender goes on") { witness.seen >= later }
    }

    @Test("without the witness capture and sealing go on and status tells; with it again, it catches up")
    func outage() throws {
      let (service, witness, key) = try witnessed()
      try eventually("the witness has seen the log") { try anchors(service)["witness"]?.size ?? 0 > 0 }
      try witness.stop()
      let agent = try StandInAgent()
      let untouched = try agent.file("untouched.txt")
      let from = service.moment()
      try agent.run("true")
      let size = try seal(service)
      let proven = service.prove(untouched, from: from)
      #expect(proven.status == 0, "\(proven.output)")
      try eventually("status tells") { try anchors(service)["witness"]?.problem != nil }
      #expect(service.alibi("status").status == 0)
      #expect(try status(service)["seal_problem"] is NSNull || status(service)["seal_problem"] == nil)
      #expect(try incidents(service).isEmpty)
      #expect(witness.seen < size)
      try witness.start()
      try eventually("the witness catches up") { witness.seen >= size }
      try eventually("all is well") { try anchors(service)["witness"]?.problem == nil }
      #expect(service.alibi("verify", "--full", "--key", key).status == 0)
    }

    @Test("a witness that has seen more than the store remembers answers 409, and is asked again with what it knows")
    func conflict() throws {
      let (service, witness, _) = try witnessed()
      try eventually("the witness has seen the log") { try anchors(service)["witness"]?.size ?? 0 > 0 }
      _ = try service.stop()
      // The store forgets that the witness has seen anything.
      _ = try sql(service, "DELETE FROM anchors")
      let before = witness.seen
      try service.restart()
      try eventually("the witness goes on") { witness.seen > before }
      try eventually("the store knows") { try anchors(service)["witness"]?.size == witness.seen }
      #expect(try anchors(service)["witness"]?.problem == nil)
      #expect(try incidents(service).isEmpty)
    }

    @Test(
      "a witness whose clock is an hour off is an INCIDENT, told once; what it says of tomorrow is in no certificate",
      arguments: [-3600, 3600])
    func clocks(skew: Int) throws {
      let (service, witness, key) = try witnessed()
      try eventually("the witness has seen the log") { try anchors(service)["witness"]?.size ?? 0 > 0 }
      try witness.stop()
      try witness.start(skew: skew)
      for _ in 0..<3 {
        let size = try seal(service)
        try eventually("the witness goes on") { witness.seen >= size }
      }
      try eventually("an incident") { try !incidents(service).isEmpty }
      let told = try incidents(service)
      #expect(told.count == 1 && told[0].contains("clock-differs"), "\(told)")
      let out = try ScratchDirectory(in: "/tmp")
      let agent = try StandInAgent()
      let quiet = try agent.file("quiet.txt")
      let start = service.moment()
      try agent.run("true")
      let proven = service.prove(quiet, from: start, "--out", out("bundle"), "--allow-gaps")
      #expect(proven.status == 0, "\(proven.output)")
      let verified = try Subprocess.run(Place.programs + "/alibi", ["verify", out("bundle"), "--key", key, "--json"])
      let answer = try #require(try JSONSerialization.jsonObject(with: Data(verified.output.utf8)) as? [String: Any])
      let lag = (answer["certificate"] as? [String: Any])?["anchor_lag_seconds"] as? String
      // What says it is of tomorrow is left out; what says it is of yesterday bounds nothing that is not so.
      #expect(skew > 0 ? lag == nil : lag == "0.000000000", "\(verified.output)")
    }

    @Test("an older copy of the store put back: an INCIDENT, and REJECT for who kept the witness's head")
    func rolledBack() throws {
      let (service, witness, key) = try witnessed()
      try eventually("the witness has seen the log") { try anchors(service)["witness"]?.size ?? 0 > 0 }
      _ = try service.stop()
      let copy = try ScratchDirectory(in: "/tmp")
      #expect(try Subprocess.run("/bin/cp", ["-a", service.state, copy("old")]).status == 0)
      try service.restart()
      let agent = try StandInAgent()
      let secret = try agent.file("secret.txt")
      try agent.run("cat \(secret) > /dev/null")
      for _ in 0..<4 { _ = try seal(service) }
      let size = try seal(service)
      try eventually("the witness has seen it") { witness.seen >= size }
      _ = try service.stop()
      try copy.write("kept", try witness.head())
      let full = ["verify", "--full", "--key", key]
      #expect(service.alibi(full + ["--checkpoint", copy("kept")]).status == 0)

      _ = try Subprocess.run("/bin/rm", ["-r", service.state])
      #expect(try Subprocess.run("/bin/cp", ["-a", copy("old"), service.state]).status == 0)
      #expect(service.alibi(full).status == 0, "the copy by itself is sound")
      let rejected = service.alibi(full + ["--checkpoint", copy("kept")])
      #expect(rejected.status == 1)
      #expect(rejected.output.contains("an older copy"), "\(rejected.output)")

      try service.restart()
      try eventually("the witness contradicts it") {
        try anchors(service)["witness"]?.problem?.hasPrefix("FORK") == true
      }
      try eventually("that is an incident") {
        try incidents(service).contains { $0.contains("anchor-fork") }
      }
      #expect(service.alibi("status").output.contains("FORK"))
      try eventually("the incident is in the log") {
        try sql(service, "SELECT text FROM log_records WHERE kind = 'incident'").contains("kind anchor-fork\n")
      }
      _ = try service.stop()
      let later = service.alibi(full + ["--checkpoint", copy("kept"), "--json"])
      #expect(later.status == 1)
    }

    @Test("who answers with too much, sends elsewhere, is no authority or is not there is told by name; nothing waits")
    func nonsense() throws {
      let server = try OutsideServer()
      let service = try ServiceUnderTest()
      _ = try service.stop()
      let places = ["redirect", "much", "plain", "hang"].map { server.url + $0 } + ["http://127.0.0.1:9/closed"]
      try service.configure(
        "anchors:\n  interval: 1\n  timestamps:\n" + places.map { "    - url: \($0)\n" }.joined())
      try service.restart()
      func problem(_ place: String) throws -> String {
        let all = try #require(try status(service)["anchors"] as? [[String: Any]])
        return all.first { ($0["by"] as? String ?? "").hasSuffix(place) }?["problem"] as? String ?? ""
      }
      try eventually("each is told") {
        try problem("redirect") == "HTTP status 302" && problem("much").contains("more than")
          && problem("plain").contains("no time-stamp response") && !problem("closed").isEmpty
      }
      #expect(!server.hasBeenSentElsewhere)
      // One that takes the question and never answers is waited for by nobody.
      #expect(try problem("hang").isEmpty)
      let agent = try StandInAgent()
      let untouched = try agent.file("untouched.txt")
      let from = service.moment()
      try agent.run("true")
      let proven = service.prove(untouched, from: from)
      #expect(proven.status == 0, "\(proven.output)")
      #expect(try incidents(service).isEmpty)
      #expect(try service.stop().status == 0)
    }

    @Test("a line for each head over UDP, too, as RFC 5424 has it")
    func network() throws {
      let logger = try OutsideLogger("udp")
      let service = try ServiceUnderTest()
      _ = try service.stop()
      try service.configure("anchors:\n  syslog: \(logger.place)\n")
      try service.restart()
      _ = try seal(service)
      try eventually("heads are told") { logger.lines.count > 1 }
      let head = #/<86>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z \S+ alibid \d+ head - head origin=alibi\/\S+/#
      let rest = #/ size=\d+ root=\S{44} seal=\S+/#
      for line in logger.lines {
        let match = try #require(line.prefixMatch(of: head), "\(line)")
        #expect(line[match.range.upperBound...].wholeMatch(of: rest) != nil, "\(line)")
      }
    }

    @Test(
      "what cannot be an anchor keeps the service from starting, with file and line",
      arguments: [
        "anchors:\n  witnesses:\n    - url: http://a\n      key: alibi/x+12345678+AAAA\n",
        "anchors:\n  user: root\n  syslog: {socket: /dev/log}\n",
        "anchors:\n  user: no-such-user\n  syslog: {socket: /dev/log}\n", "anchors: {}\n",
      ])
    func refused(text: String) throws {
      let scratch = try ScratchDirectory(in: "/tmp")
      try scratch.write("alibid.yaml", text)
      let outcome = try Subprocess.run(
        Place.programs + "/alibid",
        ["--config", scratch("alibid.yaml"), "--state", scratch("s"), "--run", scratch("r")])
      #expect(outcome.status == 78)
      #expect(outcome.errors.contains("alibid.yaml:"), "\(outcome.errors)")
    }
  }
}
