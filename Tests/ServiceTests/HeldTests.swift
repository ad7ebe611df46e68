import Foundation
import TestSupport
import Testing

extension ServiceTests {
  @Suite(.serialized)
  struct HeldTests {
    @Test("a mapping is held by a forked child after the close, the exit of its parent and that of the agent")
    func mapping() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("held.txt")
      let start = service.moment()
      #expect(try agent.run("\(agent.actor) hold-map \(file) 3").status == 0)
      Thread.sleep(forTimeInterval: 0.5)
      let during = service.moment()
      let held = service.prove(file, from: during)
      #expect(held.status == 1, "\(held.output)")
      #expect(held.output.contains(" held"))
      service.expect(1, file, from: during, "--op", "read")
      #expect(service.prove(file, from: during, "--op", "write").status != 1)
      service.expect(0, file, from: during, "--op", "exec")
      let json = try #require(try service.json("prove", file, "--from", during) as? [String: Any])
      let accesses = try #require(json["accesses"] as? [[String: Any]])
      #expect(accesses.contains { $0["held"] as? Bool == true })
      Thread.sleep(forTimeInterval: 3)
      let after = service.moment()
      let over = service.prove(file, from: after)
      #expect(over.status == 0, "\(over.output)")
      service.expect(1, file, from: start)
    }

    @Test("an open file is held until it is closed")
    func descriptor() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("open.txt")
      let session = try agent.start("exec 7< \(file); sleep 1.5; exec 7<&-; sleep 3; :")
      Thread.sleep(forTimeInterval: 0.5)
      let during = service.moment()
      service.expect(1, file, from: during)
      #expect(service.prove(file, from: during, "--op", "read").status == 2, "it could have been read")
      Thread.sleep(forTimeInterval: 2)
      let after = service.moment()
      let closed = service.prove(file, from: after)
      #expect(closed.status == 0, "\(closed.output)")
      _ = try session.finish()
    }

    @Test("a restart of the service does not lose what is held")
    func restart() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("held.txt")
      let session = try agent.start("\(agent.actor) hold-map \(file) 9; sleep 9; :")
      // An episode is written a second after its last event.
      Thread.sleep(forTimeInterval: 1.5)
      _ = try service.stop()
      try service.restart()
      Thread.sleep(forTimeInterval: 0.3)
      let during = service.moment()
      service.expect(1, file, from: during)
      session.signal(SIGKILL)
      _ = try session.finish()
    }
  }
}
