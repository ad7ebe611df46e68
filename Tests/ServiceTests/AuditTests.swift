import Foundation
import LinuxKernel
import TestSupport
import Testing

extension ServiceTests {
  @Suite("a service with audit", .serialized)
  struct AuditTests {
    /// What of the machine's audit a service may alter.
    struct Machine: Equatable {
      var isEnabled: Bool
      var owner: Int32
      var backlog: UInt32
      var patience: UInt32
      var rules: Set<AuditRule>

      init() throws {
        let control = try AuditControl()
        let status = try control.status()
        isEnabled = status.isEnabled
        owner = status.pid
        backlog = status.backlogLimit
        patience = status.backlogWaitTime
        rules = Set(try control.rules())
      }
    }

    @Test("tells commands with their arguments, what was denied, and whom a session asked; secrets are masked")
    func tells() throws {
      let before = try Machine()
      let service = try ServiceUnderTest(audit: true)
      #expect(service.alibi("status").output.contains("audit        commands"))
      let agent = try StandInAgent()
      let hidden = try agent.file("hidden.txt")
      _ = try Subprocess.run("/bin/sh", ["-c", "chown 0:0 \(hidden) && chmod 600 \(hidden)"])
      let target = try agent.file("target.txt"), other = try agent.file("other.txt")
      let door = agent.home("work/door")
      let server = try Subprocess(
        "/usr/bin/socat",
        ["UNIX-LISTEN:\(door),fork,mode=777", "SYSTEM:cat \(target) >/dev/null; echo served"])
      try eventually("the server listens") { FileManager.default.fileExists(atPath: door) }
      let from = service.moment()
      let asked = try agent.run(
        "cat \(hidden); /usr/bin/env --token s3cr3t-word true; socat -u UNIX-CONNECT:\(door) - | grep -q served")
      #expect(asked.status == 0, "\(asked.errors)")
      let refused = service.prove(hidden, from: from)
      #expect(refused.status == 0, "\(refused.output)")
      #expect(refused.output.contains("open,denied EACCES"))
      let contacted = service.prove(target, from: from)
      #expect(contacted.status == 2, "\(contacted.output)")
      #expect(contacted.output.contains("contacted: record"))
      service.expect(0, target, from: from, "--accept-hazard", "contacted")
      service.expect(0, other, from: from)
      let session = try #require(try service.standIns().last?.session)
      let timeline = service.alibi("timeline", session).output
      #expect(timeline.contains("runs") && timeline.contains("cat \(hidden)"), "\(timeline)")
      #expect(timeline.contains("--token ***") && !timeline.contains("s3cr3t-word"), "\(timeline)")
      server.signal(SIGTERM)
      _ = try server.finish()
      #expect(service.alibi("verify", "--full", "--state", service.state).status == 0)
      _ = try service.stop()
      #expect(try Machine() == before)
    }

    @Test("both witnesses tell of every execution of a session, however it is done, and who is killed meanwhile")
    func agreement() throws {
      let service = try ServiceUnderTest(audit: true)
      let agent = try StandInAgent()
      let script = try agent.file("script", "#!/bin/sh\n:\n")
      let from = service.moment()
      let status = try agent.run(
        """
        chmod 755 \(script) 2>/dev/null; cp \(script) ./own && chmod 755 ./own
        for i in $(seq 60); do /bin/true; ./own; done
        for i in $(seq 40); do /bin/sleep 9 & kill -9 $!; done
        for i in $(seq 40); do timeout -s KILL 0.002 /bin/sh -c 'exec /usr/bin/env -i /bin/sleep 1'; done
        /bin/sh -c 'exec /usr/bin/env /bin/sh -c "exec /bin/true"'
        """.replacing("./own", with: agent.home("own")))
      #expect(status.errors.isEmpty || status.status == 0, "\(status.errors)")
      func figure() throws -> [String: Any] {
        service.alibi("accesses", "--limit", "1")
        let report = try #require(service.json("coverage", "--from", from) as? [String: Any])
        let days = try #require(report["agreement"] as? [[String: Any]])
        #expect(days.count <= 2)
        return days.last ?? [:]
      }
      // Judged once a mark has come back.
      try eventually("both have told") { (try figure()["told_by_both"] as? Int ?? 0) > 200 }
      Thread.sleep(forTimeInterval: 2.5)
      let found = try figure()
      #expect(found["audit_only"] as? Int == 0 && found["others_only"] as? Int == 0, "\(found)")
      let incidents = try #require((service.json("status") as? [String: Any])?["incidents"] as? [String])
      #expect(!incidents.contains { $0.contains("witnesses-disagree") }, "\(incidents)")
      #expect(service.alibi("coverage", "--from", from).output.contains(" executions told by both witnesses"))
      _ = try service.stop()
    }

    @Test(
      "what a session does in a classified place is told by audit's watches, and by fanotify; the watches go at the end"
    )
    func classified() throws {
      let before = try Machine()
      let agent = try StandInAgent()
      try agent.home.makeDirectory("work/place")
      let inside = try agent.file("place/in.txt"), file = try agent.file("single.txt"),
        other = try agent.file("other.txt")
      let place = agent.home("work/place")
      let service = try ServiceUnderTest(
        audit: true, more: "classified: [\(place), \(file), \(place)/not-there/yet]\n")
      let watched = Set(try AuditControl().rules().compactMap(\.place).map { String(decoding: $0.path, as: UTF8.self) })
      #expect(watched == [place, file])
      let from = service.moment()
      let done = try agent.run(
        """
        for i in 1 2 3; do cat \(inside) \(file) \(other) >/dev/null; done; echo new >\(place)/new; rm \(place)/new
        mv \(file) \(place)/moved; mv \(place)/moved \(file); truncate -s 1 \(inside); ls -l \(place) >/dev/null
        cp /bin/true \(place)/tool; \(place)/tool; stat \(inside) >/dev/null; cat <\(place)/tool >/dev/null
        """)
      #expect(done.status == 0, "\(done.errors)")
      func figure() throws -> [String: Any] {
        service.alibi("accesses", "--limit", "1")
        let report = try #require(service.json("coverage", "--from", from) as? [String: Any])
        let days = try #require(report["agreement"] as? [[String: Any]])
        return days.last { $0["what"] as? String == "places" } ?? [:]
      }
      try eventually("both have told") { (try figure()["told_by_both"] as? Int ?? 0) >= 8 }
      // As long as audit may take.
      Thread.sleep(forTimeInterval: 8)
      let found = try figure()
      #expect(found["audit_only"] as? Int == 0 && found["others_only"] as? Int == 0, "\(found)")
      let status = try #require(service.json("status") as? [String: Any])
      let incidents = try #require(status["incidents"] as? [String])
      #expect(!incidents.contains { $0.contains("witnesses-disagree") }, "\(incidents)")
      service.expect(1, inside, from: from)
      service.expect(0, place + "/nobody", from: from, "--absent-name")
      #expect(service.alibi("coverage", "--from", from).output.contains(" openings in classified places told by both"))
      _ = try service.stop()
      #expect(try Machine() == before)
    }

    @Test("rules that somebody removes are loaded again, and the time until then is a gap of audit's alone")
    func removed() throws {
      let service = try ServiceUnderTest(audit: true)
      let agent = try StandInAgent()
      let file = try agent.file("file.txt")
      let control = try AuditControl()
      let asked = Set(try control.rules().filter(\.isOurs))
      try #require(asked.count > 40)
      let from = service.moment()
      func gaps(since from: String) throws -> [[String: Any]] {
        service.alibi("accesses", "--limit", "1")
        let report = try #require(service.json("coverage", "--from", from) as? [String: Any])
        return try #require(report["witness_gaps"] as? [[String: Any]]).filter { $0["source"] as? String == "audit" }
      }
      #expect(try gaps(since: from).isEmpty)
      try AuditState.removeRules(control)
      try eventually("they are there again") { Set(try control.rules().filter(\.isOurs)) == asked }
      #expect(try agent.run("true").status == 0)
      #expect(try gaps(since: from).contains { ($0["reason"] as? String)?.contains("rules are not there") == true })
      #expect(service.prove(file, from: from).status == 0, "files' own witnesses stand")
      #expect(service.alibi("coverage", "--from", from).output.contains("missed by a second witness alone"))
      // Whole again.
      let later = service.moment()
      #expect(try gaps(since: later).isEmpty)
      // What would go first hides what comes behind.
      var never = try #require(try AuditRule.file(Array("-a never,exit -F arch=b64 -S execve -k alibi-x".utf8)).first)
      never.fields.removeLast()
      try control.add(never, inFront: true)
      try eventually("it is noticed") {
        try gaps(since: later).contains { ($0["reason"] as? String)?.contains("a rule hides records") == true }
      }
      try control.delete(never)
      let status = try #require(try service.json("status") as? [String: Any])
      let incidents = try #require(status["incidents"] as? [String])
      // Rules that were removed one by one may have been put back in between.
      #expect(incidents.count(where: { $0.contains(" audit-altered: ") }) >= 2, "\(incidents)")
      _ = try service.stop()
    }

    @Test("leaves the machine's audit as it was, however it ends")
    func leavesNothing() throws {
      let before = try Machine()
      let service = try ServiceUnderTest(audit: true)
      #expect(try Machine() != before)
      // The recorder alone: the guardian has the socket and knows what to give back.
      Foundation.kill(try service.recorder(), SIGKILL)
      _ = try service.recorder()
      #expect(try Machine() != before)
      // The guardian: its recorder ends in order, and gives back what the guardian cannot any more.
      let recorder = try service.recorder()
      try service.kill()
      try eventually("the recorder ends") { Foundation.kill(recorder, 0) != 0 }
      var after = try Machine()
      after.owner = before.owner  // the kernel finds out with the next record
      #expect(after == before)
      // Both at once: nobody is left to do so before the next start.
      try service.restart()
      let next = try service.recorder()
      let guardian = try #require((service.json("status") as? [String: Any])?["pid"] as? Int)
      Foundation.kill(Int32(guardian), SIGSTOP)
      Foundation.kill(next, SIGKILL)
      try service.kill()
      #expect(try Machine() != before)
      try service.restart()
      _ = try service.stop()
      #expect(try Machine() == before)
    }
  }
}
