import Foundation
import LinuxKernel
import TestSupport
import Testing

extension ServiceTests {
  @Suite("beside other monitors", .serialized)
  struct MonitorTests {
    /// Runs `body` with an audit daemon, and leaves the machine's audit as it was.
    private func withDaemon(laurel: Bool, _ body: (OutsideAuditDaemon) throws -> Void) throws {
      let before = try AuditTests.Machine()
      let daemon = try OutsideAuditDaemon(withLaurel: laurel)
      defer {
        do {
          try daemon.stop()
          try AuditControl().set(isEnabled: before.isEnabled)
          #expect(try AuditTests.Machine() == before)
        } catch { Issue.record("audit is not as it was: \(error)") }
      }
      try body(daemon)
    }

    @Test(
      "an audit daemon keeps its place and its settings, and both see the same; it goes on when the service ends",
      .enabled(if: OutsideAuditDaemon.isInstalled, "needs auditd"))
    func auditDaemon() throws {
      try withDaemon(laurel: false) { daemon in
        let alone = try AuditTests.Machine()
        #expect(alone.owner == daemon.pid && alone.isEnabled)
        let service = try ServiceUnderTest(audit: true)
        defer { _ = try? service.stop() }
        let beside = try AuditTests.Machine()
        #expect(beside.owner == daemon.pid && beside.backlog == alone.backlog && beside.patience == alone.patience)
        #expect(service.alibi("status").output.contains("beside process \(daemon.pid), which is the audit daemon"))
        #expect((try service.json("status") as? [String: Any])?["audit_owner"] as? Int32 == daemon.pid)
        let doctor = try Subprocess.run(Place.programs + "/alibi", ["doctor"]).output
        let line = try #require(doctor.split(separator: "\n").first { $0.hasPrefix("audit ") })
        #expect(line.contains("  ok  ") && line.contains("process \(daemon.pid) receives audit's records"), "\(line)")
        let agent = try StandInAgent()
        let hidden = try agent.file("hidden.txt")
        _ = try Subprocess.run("/bin/sh", ["-c", "chown 0:0 \(hidden) && chmod 600 \(hidden)"])
        let from = service.moment()
        #expect(try agent.run("cat \(hidden); cat --number \(agent.program) > /dev/null").status == 0)
        #expect(service.prove(hidden, from: from).output.contains("open,denied EACCES"))
        let session = try #require(try service.standIns().last?.session)
        let timeline = service.alibi("timeline", session).output
        #expect(timeline.contains("cat --number \(agent.program)") && timeline.contains("cat \(hidden)"), "\(timeline)")
        try eventually("the daemon has the command") { daemon.log.contains("a1=\"--number\"") }
        let denied = daemon.log.split(separator: "\n").filter { $0.contains("key=\"alibi-denied\"") }
        #expect(denied.contains { $0.contains("exit=-13") && $0.contains("comm=\"cat\"") })
        #expect(daemon.log.contains("name=\"\(hidden)\""))
        let gaps = try #require((try service.json("status") as? [String: Any])?["gaps"] as? [[String: Any]])
        #expect(!gaps.contains { $0["source"] as? String == "audit" }, "\(gaps)")
        _ = try service.stop()
        #expect(try AuditTests.Machine() == alone)
        try AuditControl().tell("after-the-service")
        try eventually("the daemon goes on") { daemon.log.contains("after-the-service") }
      }
    }

    @Test(
      "an audit daemon that starts later is refused once and gets the place then; the service goes on listening",
      .enabled(if: OutsideAuditDaemon.isInstalled, "needs auditd"))
    func laterDaemon() throws {
      let before = try AuditTests.Machine()
      let service = try ServiceUnderTest(audit: true)
      var daemon: OutsideAuditDaemon?
      defer {
        _ = try? service.stop()
        do {
          try daemon?.stop()
          try AuditControl().set(
            isEnabled: before.isEnabled, backlogLimit: before.backlog, backlogWaitTime: before.patience)
          #expect(try AuditTests.Machine() == before)
        } catch { Issue.record("audit is not as it was: \(error)") }
      }
      let guardian = try #require((service.json("status") as? [String: Any])?["pid"] as? Int32)
      #expect(try AuditControl().status().pid == guardian)
      #expect(try OutsideAuditDaemon.isRefused())
      try eventually("the place is free") { try AuditControl().status().pid == 0 }
      daemon = try OutsideAuditDaemon()
      let agent = try StandInAgent()
      #expect(try agent.run("cat --number \(agent.program) > /dev/null").status == 0)
      let session = try #require(try service.standIns().last?.session)
      #expect(service.alibi("timeline", session).output.contains("cat --number \(agent.program)"))
      try eventually("the daemon has the command") { daemon?.log.contains("a1=\"--number\"") == true }
      let gaps = try #require((try service.json("status") as? [String: Any])?["gaps"] as? [[String: Any]])
      #expect(!gaps.contains { $0["source"] as? String == "audit" }, "\(gaps)")
      _ = try service.stop()
      let after = try AuditTests.Machine()
      #expect(after.owner == daemon?.pid && after.isEnabled && after.rules == before.rules)
    }

    @Test(
      "laurel, an audit daemon's plug-in, is told of a session's commands as before",
      .enabled(if: OutsideAuditDaemon.hasLaurel, "needs auditd and laurel"))
    func laurel() throws {
      try withDaemon(laurel: true) { daemon in
        let service = try ServiceUnderTest(audit: true)
        defer { _ = try? service.stop() }
        let agent = try StandInAgent()
        #expect(try agent.run("cat --number \(agent.program) > /dev/null").status == 0)
        try eventually("laurel has the command") {
          daemon.plugInLog.split(separator: "\n").contains {
            $0.contains("\"cat\",\"--number\"") && $0.contains("alibi-exec")
          }
        }
        let session = try #require(try service.standIns().last?.session)
        #expect(service.alibi("timeline", session).output.contains("cat --number"))
      }
    }

    @Test("another fanotify listener on the same file system is told of everything, before, meanwhile and after")
    func listener() throws {
      let place = try ScratchDirectory()
      let names = { (phase: String) in (0..<50).map { "\(phase)-\($0)" } }
      for name in names("before") + names("during") + names("after") { try place.write(name) }
      let listener = try OutsideListener(place.path)
      let read = { (phase: String) in "for n in $(seq 0 49); do cat \(place.path)/\(phase)-$n; done > /dev/null" }
      func isTold(_ phase: String) throws {
        try eventually("the listener has what was done \(phase)") {
          // FAN_OPEN, FAN_ACCESS, FAN_CLOSE_NOWRITE
          let masks = listener.masks()
          return names(phase).allSatisfy { (masks[$0] ?? 0) & 0x31 == 0x31 }
        }
      }
      _ = try Subprocess.run("/bin/sh", ["-c", read("before")])
      try isTold("before")
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      #expect(try agent.run(read("during")).status == 0)
      try isTold("during")
      let seen = try JSONDecoder().decode(
        [ServiceUnderTest.Record].self,
        from: Data(service.alibi("accesses", "--json", "--path", place.path + "/*").output.utf8))
      #expect(Set(seen.filter { $0.session != nil }.compactMap(\.path)) == Set(names("during").map { place($0) }))
      _ = try service.stop()
      _ = try Subprocess.run("/bin/sh", ["-c", read("after")])
      try isTold("after")
      #expect(listener.isRunning)
    }
  }
}
