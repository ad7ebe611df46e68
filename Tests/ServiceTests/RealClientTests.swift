import Foundation
import TestSupport
import Testing

/// The real client, driven offline by a scripted model. Its program is not ours and not part of the project:
/// CLAUDE_BIN names it, ALIBI_CLAUDE_HARNESS the directory of the harness.
enum RealClient {
  static let program = environment("CLAUDE_BIN") ?? ""
  static let harness = environment("ALIBI_CLAUDE_HARNESS") ?? Place.repository + "/../shared/claude-harness"
  static var isThere: Bool {
    FileManager.default.isExecutableFile(atPath: program)
      && FileManager.default.fileExists(atPath: harness + "/run_session.sh")
  }

  struct Report: Decodable {
    struct Expected: Decodable {
      var path: String
      var op: String
      var session_id: String
      var child_session_id: String?
    }
    struct NotExpected: Decodable {
      var path: String
    }
    struct Session: Decodable {
      var t_start: Double
    }
    var ok: Bool
    var problems: [String]
    var sessions: [Session]
    var expected: [Expected]
    var not_expected: [NotExpected]
  }
}

extension ServiceTests {
  @Suite(
    .serialized,
    .enabled(if: RealClient.isThere, "SKIPPED: no real client (CLAUDE_BIN) or no harness (ALIBI_CLAUDE_HARNESS)"))
  struct RealClientTests {
    static let scenarios = [
      "files", "bash", "background", "bg_agent", "clear", "daemon", "hooks", "mcp", "nested", "resume", "sandbox",
      "subagent", "two_sessions",
    ]

    /// What a scenario's word for an operation may be in a record.
    private static let operations: [String: Set<String>] = [
      "read": ["read"], "write": ["write"], "replace": ["rename-to", "link"], "exec": ["exec"],
    ]

    @Test("every expected access is stored under its conversation, every other is not", arguments: scenarios)
    func scenario(name: String) throws {
      let service = try ServiceUnderTest()
      let scratch = try ScratchDirectory(in: "/tmp")
      var variables = ProcessInfo.processInfo.environment
      variables["CLAUDE_BIN"] = RealClient.program
      let outcome = try Subprocess.run(
        "/bin/sh", [RealClient.harness + "/run_session.sh", name, "--json", scratch("report.json")],
        environment: variables)
      if outcome.status == 77 {
        Issue.record("the harness skipped \(name): a tool that it needs is not installed")
        return
      }
      let report = try JSONDecoder().decode(
        RealClient.Report.self, from: Data(contentsOf: URL(fileURLWithPath: scratch("report.json"))))
      #expect(report.ok, "\(report.problems)")
      #expect(!report.expected.isEmpty)
      let start = try #require(report.sessions.map(\.t_start).min())
      let formatter = ISO8601DateFormatter()
      formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
      let from = formatter.string(from: Date(timeIntervalSince1970: start - 0.01))
      for expected in report.expected {
        let conversation = expected.child_session_id ?? expected.session_id
        let wanted = try #require(Self.operations[expected.op])
        let records = try service.accesses(expected.path)
        let found = records.contains {
          $0.conversation == conversation && !wanted.isDisjoint(with: $0.op) && $0.attribution == "witnessed"
        }
        #expect(found, "\(expected.op) \(expected.path) by \(conversation): \(records)")
        service.expect(1, expected.path, from: from)
        service.expect(1, expected.path, from: from, "--session", conversation)
      }
      for other in report.not_expected {
        // The harness reads what its sessions wrote, and makes its bystanders afterwards.
        let verdict = service.prove(other.path, from: from, "--absent-name", "--accept-hazard", "influenced")
        #expect(verdict.status == 0, "\(verdict.output)")
      }
      if name == "two_sessions" { try expectKeptApart(service, report) }
    }

    /// What one of two sessions at once read alone is not the other's.
    private func expectKeptApart(_ service: ServiceUnderTest, _ report: RealClient.Report) throws {
      let readers = Dictionary(grouping: report.expected, by: \.path).mapValues { Set($0.map(\.session_id)) }
      for (path, conversations) in readers {
        #expect(Set(try service.accesses(path).compactMap(\.conversation)) == conversations)
      }
    }
  }
}
