import Foundation
import TestSupport
import Testing

extension ServiceTests {
  @Suite(.serialized)
  struct TreeTests {
    private func expectSeen(
      _ script: (String, String) -> String, _ comment: Comment, asRoot: Bool = false,
      location: SourceLocation = #_sourceLocation
    ) throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("a.txt")
      let other = try agent.file("other.txt")
      let from = service.moment()
      let outcome = try agent.run(script(agent.actor, file), asRoot: asRoot)
      #expect(outcome.status == 0, "\(outcome.errors)", sourceLocation: location)
      try eventually("the access is recorded") { service.prove(file, from: from).status == 1 }
      let sessions = Set(try service.accesses(file).compactMap(\.session))
      #expect(sessions.count == 1, comment, sourceLocation: location)
      let accepted = asRoot ? ["--accept-hazard", "privilege"] : []
      let untouched = service.alibi(["prove", other, "--from", from] + accepted)
      #expect(untouched.status == 0, comment, sourceLocation: location)
    }

    @Test("a double-forked child in a session of its own, its parent dead")
    func doubleFork() throws { try expectSeen({ "\($0) double-fork \($1)" }, "double fork") }

    @Test("a child made with CLONE_PARENT, which appears as its grandparent's")
    func cloneParent() throws { try expectSeen({ "\($0) clone-parent \($1)" }, "CLONE_PARENT") }

    @Test("a process whose main thread has ended")
    func leaderExit() throws { try expectSeen({ "\($0) leader-exit \($1)" }, "leader exit") }

    @Test("an exec by another thread than the leader")
    func threadExec() throws { try expectSeen({ "\($0) thread-exec \($1)" }, "exec by thread") }

    @Test("a program that exists in memory only")
    func memfdExec() throws { try expectSeen({ "\($0) memfd-exec \($1)" }, "memfd") }

    @Test("a daemon that reads after the agent has exited")
    func afterExit() throws {
      try expectSeen({ "setsid sh -c 'sleep 0.7; \($0) read \($1)' >/dev/null 2>&1 </dev/null &" }, "daemon")
    }

    @Test("pid and user namespaces of their own")
    func namespaces() throws {
      try expectSeen({ "unshare --user --map-root-user --pid --fork --mount \($0) read \($1)" }, "namespaces")
    }

    @Test("another user, through setpriv as sudo does it")
    func otherUser() throws {
      try expectSeen(
        {
          "chmod 755 $(dirname \($1)) $(dirname $(dirname \($1))); setpriv --reuid 65534 --clear-groups cat \($1) >/dev/null; : \($0)"
        },
        "setuid", asRoot: true)
    }

    @Test("a mapping of a descriptor that somebody outside opened")
    func inheritedMapping() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let mapped = try agent.file("mapped.txt")
      let closed = try agent.file("closed.txt")
      let from = service.moment()
      let start = "exec 8< \(closed); exec \(agent.launch) -c '\(agent.actor) map-stdin; :' < \(mapped)"
      let outcome = try Subprocess.run("/bin/sh", ["-c", start])
      #expect(outcome.status == 0, "\(outcome.errors)")
      service.expect(1, mapped, from: from)
      #expect(try service.accesses(mapped).contains { $0.op.contains("read") && $0.attribution == "witnessed" })
    }

    @Test("an O_TMPFILE that gets its name later")
    func tmpfile() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let work = agent.home("work")
      let from = service.moment()
      #expect(try agent.run("\(agent.actor) tmpfile-link \(work) \(work)/named.txt").status == 0)
      service.expect(1, work + "/named.txt", from: from)
    }

    @Test("an agent inside a private tmpfs is a session of an unknown executable, and blocks a no where it reads")
    func privateProgram() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("a.txt")
      let from = service.moment()
      // From outside any session.
      let outcome = try Subprocess.run(Place.actor, ["memfd-exec", file])
      #expect(outcome.status == 0, "\(outcome.errors)")
      let verdict = service.prove(file, from: from)
      #expect(verdict.status == 2)
      #expect(verdict.output.contains("unknown-executable"))
    }

    @Test("20,000 short double-forked processes each reading a file of its own: 20,000 of 20,000")
    func storm() throws {
      let count = 20_000
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let place = try ScratchDirectory()
      _ = try Subprocess.run(
        "/bin/sh", ["-c", "cd \(place.path) && i=0; while [ $i -lt \(count) ]; do echo x > $i; i=$((i+1)); done"])
      Thread.sleep(forTimeInterval: 0.3)
      let from = service.moment()
      #expect(try agent.run("\(agent.actor) storm \(place.path) \(count)").status == 0)
      service.expect(1, place.path + "/", from: from)
      let outcome = service.alibi("accesses", "--json", "--path", place("*"))
      let records = try JSONDecoder().decode([ServiceUnderTest.Record].self, from: Data(outcome.output.utf8))
      let read = Set(records.filter { $0.op.contains("read") && $0.session != nil }.compactMap(\.path))
      #expect(read.count == count)
      // Each process takes a pid; where a person's process gave one back within the same few milliseconds, the access
      // may be either's, and says so. On a busy machine batches are longer.
      let unsure = records.filter { $0.attribution != "witnessed" }
      #expect(unsure.count < count / 100, "\(unsure.prefix(3))")
      #expect(unsure.allSatisfy { $0.attribution == "ambiguous" })
      #expect(Set(records.map(\.session)).count == 1)
      let status = try #require(try service.json("status") as? [String: Any])
      #expect((status["gaps"] as? [Any])?.isEmpty == true, "\(status["gaps"] ?? "")")
    }
  }
}
