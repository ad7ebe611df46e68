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
      #expect(service.prove(target, from: from, "--accept-hazard", "contacted").status == 0)
      #expect(service.prove(other, from: from).status == 0)
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
