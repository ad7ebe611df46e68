import Foundation
import LinuxKernel
import TestSupport
import Testing

extension ServiceTests {
  @Suite(.serialized)
  struct CoverageTests {
    private func coverage(_ service: ServiceUnderTest, from: String) throws -> [String: Any] {
      let outcome = service.alibi("coverage", "--from", from, "--json")
      #expect(outcome.status == 0, "\(outcome.errors)")
      return try #require(JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    }

    private func place(_ report: [String: Any], _ path: String) throws -> [String: Any] {
      let all = try #require(report["file_systems"] as? [[String: Any]])
      return try #require(all.first { $0["mount_point"] as? String == path })
    }

    @Test("a quiet machine is covered without a gap, with seals whose canaries were seen; a stop ends it")
    func quiet() throws {
      let beginning = now()
      let service = try ServiceUnderTest()
      let from = now()
      Thread.sleep(forTimeInterval: 0.3)
      service.alibi("accesses", "--limit", "1")
      let report = try coverage(service, from: from)
      let root = try place(report, "/")
      #expect((root["gaps"] as? [Any])?.count == 0, "\(root)")
      #expect((root["covered_seconds"] as? Double ?? 0) > 0.3)
      // The first heartbeat of a run is sealed, then once a minute.
      let whole = try coverage(service, from: beginning)
      #expect((whole["seals"] as? Int ?? 0) > 0)
      #expect(whole["canaries_seen"] as? Int == whole["canaries_sent"] as? Int)
      #expect((whole["canaries_seen"] as? Int ?? 0) > 1)
      _ = try service.stop()
      Thread.sleep(forTimeInterval: 0.2)
      let later = try place(coverage(service, from: from), "/")
      let gaps = try #require(later["gaps"] as? [[String: Any]])
      #expect(gaps.contains { $0["source"] as? String == "service" })
      let text = service.alibi("coverage", "--from", from).output
      #expect(text.contains("not capturing"))
      #expect(text.contains("never watched:"))
    }

    @Test("without the process that makes canaries there is no coverage, and another one is started")
    func noCanaries() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("a.txt")
      let recorder = try service.recorder()
      let children = try Subprocess.run("/usr/bin/pgrep", ["-P", "\(recorder)"]).output.split(separator: "\n")
      let nursery = try #require(children.first.flatMap { Int32($0) })
      let from = service.moment()
      // Stopped, it answers nobody; then coverage ends, and is no gap once somebody answers again.
      _ = Foundation.kill(nursery, SIGSTOP)
      let first = service.prove(file, from: from)
      #expect(first.status == 2 || first.status == 0 && !Procfs.exists(nursery), "\(first.output)")
      try eventually("another process makes canaries") { service.prove(file, from: from).status == 0 }
      #expect(!Procfs.exists(nursery))
    }
  }
}
