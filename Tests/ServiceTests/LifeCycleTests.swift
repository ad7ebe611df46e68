import Foundation
import LinuxKernel
import TestSupport
import Testing

extension ServiceTests {
  @Suite(.serialized)
  struct LifeCycleTests {
    @Test("a stop leaves the exit status 0, no socket, and the kernel's settings as they were")
    func cleanStop() throws {
      let setting = "/proc/sys/fs/fanotify/max_queued_events"
      let before = try Procfs.file(setting)
      let service = try ServiceUnderTest()
      #expect(try Procfs.file(setting) == before)
      let outcome = try service.stop()
      #expect(outcome.status == 0)
      #expect(outcome.errors.contains("stopped"))
      #expect(!FileManager.default.fileExists(atPath: service.run + "/alibid.sock"))
      #expect(!FileManager.default.fileExists(atPath: service.state + "/alibi.sqlite-wal"), "the store was closed")
      #expect(service.alibi("status").status == 69)
    }

    @Test("readiness is told to the service manager")
    func readiness() throws {
      let scratch = try ScratchDirectory(in: "/tmp")
      let listener = scratch("notify")
      let reader = try Subprocess(
        "/usr/bin/python3",
        [
          "-c",
          "import socket,sys; s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM); s.bind(sys.argv[1]); s.settimeout(20); print(s.recv(100).decode())",
          listener,
        ])
      try eventually("the listener is there") { FileManager.default.fileExists(atPath: listener) }
      let service = try Subprocess(
        Place.programs + "/alibid",
        ["--state", scratch("state"), "--run", scratch("run"), "--rules", Place.repository + "/rules"],
        environment: ["NOTIFY_SOCKET": listener, "PATH": "/usr/bin:/bin"])
      #expect(try reader.finish().output == "READY=1\n")
      service.signal(SIGTERM)
      #expect(try service.finish().status == 0)
    }

    @Test("a second service on the same state is refused, one on another state works beside the first")
    func twoServices() throws {
      let first = try ServiceUnderTest()
      let second = try ServiceUnderTest()
      let third = try Subprocess.run(
        Place.programs + "/alibid", ["--state", first.state, "--run", second.run + "2", "--rules", first.rules])
      #expect(third.status == 75)
      #expect(third.errors.contains("alibid: error: another service already uses"))
      let agent = try StandInAgent()
      let file = try agent.file("a.txt")
      let from = now()
      try agent.run("read l < \(file)")
      #expect(first.prove(file, from: from).status == 1)
      #expect(second.prove(file, from: from).status == 1)
    }

    @Test("a killed service leaves a gap, and its sessions go on with the processes that survived")
    func killed() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("late.txt")
      let untouched = try agent.file("untouched.txt")
      let from = service.moment()
      let marker = agent.home("go")
      let session = try agent.start(
        "(setsid sh -c 'while [ ! -e \(marker) ]; do sleep 0.1; done; cat \(file)' >/dev/null &); sleep 0.5")
      Thread.sleep(forTimeInterval: 0.4)
      let keys = try service.standIns().map(\.session)
      #expect(keys.count == 1)
      _ = try session.finish()
      service.alibi("accesses", "--limit", "1")
      try service.kill()
      Thread.sleep(forTimeInterval: 0.3)
      try service.restart()
      try agent.home.write("go")
      try eventually("the orphan's access is recorded under its old session") {
        try service.accesses(file).contains { $0.session == keys.first && $0.attribution == "observed" }
      }
      let verdict = service.prove(untouched, from: from)
      #expect(verdict.status == 2)
      #expect(verdict.output.contains("not capturing"))
      try eventually("the session ends with its last process") { try service.standIns().first?.ended != nil }
    }

    @Test("an orphan born while nobody watched may be any session's")
    func orphanOfTheGap() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("a.txt")
      let session = try agent.start(
        "sleep 1; (setsid sh -c 'while [ ! -e \(agent.home("go")) ]; do sleep 0.1; done; cat \(file)' >/dev/null &); sleep 5"
      )
      Thread.sleep(forTimeInterval: 0.4)
      #expect(try service.standIns().count == 1)
      try service.kill()
      Thread.sleep(forTimeInterval: 1.2)
      try service.restart()
      let from = now()
      try agent.home.write("go")
      Thread.sleep(forTimeInterval: 0.5)
      let verdict = service.prove(file, from: from)
      #expect(verdict.status == 2, "\(verdict.output)")
      #expect(verdict.output.contains("nobody can be named"))
      _ = try session.finish()
    }

    @Test("an agent that ran before the service joined late, and is followed from then on")
    func joinedLate() throws {
      let agent = try StandInAgent()
      let file = try agent.file("a.txt")
      let session = try agent.start("sleep 2; read l < \(file); sleep 0.2")
      let service = try ServiceUnderTest()
      let from = now()
      _ = try session.finish()
      service.expect(1, file, from: from)
      let found = try service.standIns().first
      #expect(found?.joined_late == true)
    }

    @Test("malformed rules are refused at the start with file, line and reason")
    func malformedAtStart() throws {
      let scratch = try ScratchDirectory(in: "/tmp")
      try scratch.makeDirectory("agents")
      try scratch.write("agents/x.yaml", "agent: x\ntitle: X\nexecutable:\n  - \"**/x\"\n")
      let outcome = try Subprocess.run(
        Place.programs + "/alibid", ["--state", scratch("state"), "--run", scratch("run"), "--rules", scratch.path])
      #expect(outcome.status == 78)
      #expect(outcome.errors.contains("agents/x.yaml:3: "))
      #expect(outcome.errors.contains("alibid: hint: "))
    }

    @Test("rules are read again when they change; the last good ones stay in force and status says so")
    func reload() throws {
      let scratch = try ScratchDirectory(in: "/tmp")
      try scratch.makeDirectory("agents")
      try scratch.write("agents/a.yaml", "agent: a\ntitle: A\nexecutables: [\"**/claude/versions/{version}\"]\n")
      let service = try ServiceUnderTest(rules: scratch.path)
      try scratch.write("agents/a.yaml", "agent: a\ntitle: A\nexecutables: 7\n")
      try eventually("status tells of the malformed file") {
        service.alibi("status").output.contains("the last good ones")
      }
      let agent = try StandInAgent()
      try agent.run("true")
      #expect(try service.standIns().map(\.agent) == ["a"])
      try scratch.write("agents/a.yaml", "agent: b\ntitle: B\nexecutables: [\"**/claude/versions/{version}\"]\n")
      try eventually("the new rules are in force") {
        try agent.run("true")
        return try service.sessions().contains { $0.agent == "b" }
      }
    }

    @Test("a session has its facts: directory, project, digest, version, class of its processes")
    func facts() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let work = agent.home("work")
      _ = try Subprocess.run("/bin/mkdir", ["-p", work + "/.git", work + "/deep/er"])
      _ = try Subprocess.run(
        "/bin/sh", ["-c", "cd \(work)/deep/er && \(agent.launch) -c 'sleep 0.3; cat /etc/hostname >/dev/null; :'"])
      let session = try #require(try service.standIns().first)
      #expect(session.version == "9.9.9")
      #expect(session.working_directory == work + "/deep/er")
      #expect(session.project == work)
      let digest = try Subprocess.run("/usr/bin/sha256sum", [agent.program]).output.prefix(64)
      try eventually("the digest is there") { try service.standIns().first?.sha256 == String(digest) }
    }
  }
}
