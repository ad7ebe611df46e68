import Foundation
import LinuxKernel
import TestSupport
import Testing

extension ServiceTests {
  @Suite(.serialized)
  struct GuardianTests {
    private func gaps(_ service: ServiceUnderTest) throws -> [[String: Any]] {
      let status = try #require(service.json("status") as? [String: Any])
      return try #require(status["gaps"] as? [[String: Any]]).filter {
        // Another test's agent may still be running.
        !"\($0["reason"] ?? "")".contains("joined late")
      }
    }

    @Test("a recorder killed fifty times under load loses nothing and leaves no gap")
    func fiftyKills() throws {
      try underLoad(times: 50) { service, recorder in _ = Foundation.kill(recorder, SIGKILL) }
    }

    @Test("fifteen upgrades under load lose nothing and leave no gap")
    func fifteenUpgrades() throws {
      try underLoad(times: 15) { service, recorder in
        service.process.signal(SIGHUP)
        try eventually("another recorder captures") { try service.recorder() != recorder }
      }
    }

    /// Does something to a recorder again and again while a session forks and reads as fast as it can.
    private func underLoad(times: Int, _ harm: (ServiceUnderTest, Int32) throws -> Void) throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let untouched = try agent.file("untouched.txt")
      try agent.home.makeDirectory("work/many")
      for name in 0..<4000 { try agent.home.write("work/many/\(name)", "x") }
      let from = service.moment()
      var random = SystemRandomNumberGenerator()
      let session = try agent.start("\(agent.actor) storm \(agent.home("work/many")) 4000\n:")
      var last: Int32 = 0
      for _ in 0..<times {
        let recorder = try service.recorder()
        #expect(recorder != last)
        last = recorder
        Thread.sleep(forTimeInterval: Double.random(in: 0...0.15, using: &random))
        try harm(service, recorder)
      }
      #expect(try session.finish().status == 0)
      _ = try service.recorder()
      let verdict = service.prove(untouched, from: from)
      #expect(verdict.status == 0, "\(verdict.output)\(verdict.errors)")
      #expect(try gaps(service).isEmpty)
      let all = service.alibi("accesses", "--json", "--path", agent.home("work/many") + "/*", "--from", from)
      let records = try JSONDecoder().decode([ServiceUnderTest.Record].self, from: Data(all.output.utf8))
      let read = records.filter { $0.session != nil && $0.attribution == "witnessed" && $0.op.contains("read") }
      #expect(Set(read.compactMap(\.path)).count == 4000)
      #expect(try service.standIns().count == 1)
    }

    @Test("a recorder that is told to end is replaced; all told at once, as a service manager does, end in order")
    func toldToEnd() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let untouched = try agent.file("untouched.txt")
      let from = service.moment()
      let recorder = try service.recorder()
      _ = Foundation.kill(recorder, SIGTERM)
      try eventually("another recorder captures") { try service.recorder() != recorder }
      service.expect(0, untouched, from: from)
      for pid in [try service.recorder(), service.process.pid] { _ = Foundation.kill(pid, SIGTERM) }
      #expect(try service.process.finish().status == 0)
      #expect(service.alibi("status").status == 69)
    }

    @Test("a killed guardian leaves a gap up to the next start, and its recorder ends in order")
    func guardianKilled() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("a.txt")
      let from = service.moment()
      try agent.run("read l < \(file)")
      let recorder = try service.recorder()
      try service.kill()
      try eventually("the recorder has ended") { !Procfs.exists(recorder) }
      #expect(service.alibi("status").status == 69)
      let between = now()
      try service.restart()
      #expect(try service.accesses(file).count == 1)
      let verdict = service.prove(file, from: between)
      #expect(verdict.status == 2)
      #expect(verdict.output.contains("not capturing"))
      service.expect(1, file, from: from)
    }

    @Test("an upgrade by executing the program anew keeps the pid and leaves no gap")
    func upgrade() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let untouched = try agent.file("untouched.txt")
      let first = try agent.file("first.txt")
      let second = try agent.file("second.txt")
      let from = service.moment()
      let session = try agent.start(
        "for i in 1 2 3 4 5 6 7 8; do read l < \(first); sleep 0.1; done; read l < \(second)")
      Thread.sleep(forTimeInterval: 0.3)
      for _ in 0..<3 {
        let recorder = try service.recorder()
        service.process.signal(SIGHUP)
        try eventually("another recorder captures") { try service.recorder() != recorder }
      }
      #expect(!service.process.hasEnded())
      _ = try session.finish()
      service.expect(0, untouched, from: from)
      service.expect(1, second, from: from)
      #expect(try gaps(service).isEmpty)
      #expect(try service.standIns().count == 1)
      #expect(try service.stop().status == 0)
    }

    @Test("an upgrade that finds malformed rules goes on once they are mended, and nothing is lost")
    func upgradeWithMalformedRules() throws {
      let scratch = try ScratchDirectory(in: "/tmp")
      try scratch.makeDirectory("agents")
      let good = "agent: a\ntitle: A\nexecutables: [\"**/claude/versions/{version}\"]\n"
      try scratch.write("agents/a.yaml", good)
      let service = try ServiceUnderTest(rules: scratch.path)
      let agent = try StandInAgent()
      let untouched = try agent.file("untouched.txt")
      let file = try agent.file("meanwhile.txt")
      let from = service.moment()
      try scratch.write("agents/a.yaml", "agent: a\ntitle: A\nexecutables: 7\n")
      service.process.signal(SIGHUP)
      try eventually("no recorder answers") {
        try #require(service.json("status") as? [String: Any])["recorder_pid"] == nil
      }
      try agent.run("read l < \(file)")
      #expect(!service.process.hasEnded())
      try scratch.write("agents/a.yaml", good)
      _ = try service.recorder()
      service.expect(1, file, from: from)
      service.expect(0, untouched, from: from)
      #expect(try gaps(service).isEmpty)
    }

    @Test("a recorder killed while the disk is full: what was given up stays a gap, sessions go on")
    func killedWhileFull() throws {
      let directory = try ScratchDirectory(in: "/tmp")
      try directory.makeDirectory("disk")
      let mount = try ScratchMount("tmpfs", on: directory("disk"), options: "size=48m")
      let service = try ServiceUnderTest(capture: "{journal-megabytes: 16}", state: mount.path + "/state")
      let agent = try StandInAgent()
      let untouched = try agent.file("untouched.txt")
      let file = try agent.file("after.txt")
      try agent.home.makeDirectory("work/many")
      for name in 0..<2000 { try agent.home.write("work/many/\(name)", "x") }
      let from = service.moment()
      _ = try Subprocess.run("/bin/sh", ["-c", "cat /dev/zero > \(mount.path)/full 2>/dev/null; true"])
      let marker = agent.home("go")
      let session = try agent.start(
        "while [ ! -e \(marker) ]; do \(agent.actor) storm \(agent.home("work/many")) 2000; done; read l < \(file)")
      try eventually("the service gives up") {
        let status = try? service.json("status") as? [String: Any]
        return status?["lost_since"] is String
      }
      // Killed in the middle of it, it would have lost nothing yet.
      Thread.sleep(forTimeInterval: 0.5)
      _ = Foundation.kill(try service.recorder(), SIGKILL)
      _ = try service.recorder()
      _ = try Subprocess.run("/bin/rm", [mount.path + "/full"])
      try agent.home.write("go")
      _ = try session.finish()
      // It waits a while before it tries again, and then has very much to seal.
      try eventually("the store takes records again") {
        guard let status = try? service.json("status") as? [String: Any] else { return false }
        return !(status["lost_since"] is String) && !(status["store_problem"] is String)
      }
      try eventually("the session's access is in the store") {
        try service.accesses(file).contains { $0.session != nil }
      }
      let verdict = service.prove(untouched, from: from)
      #expect(verdict.status == 2)
      #expect(verdict.output.contains("refused records"), "\(verdict.output)")
      #expect(try service.standIns().count == 1)
      _ = try service.stop()
    }
  }
}
