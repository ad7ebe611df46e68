import Rules
import Testing

/// The service's own file.
struct ServiceOptionsTests {
  private func options(_ text: String) throws(RuleError) -> ServiceOptions {
    try ServiceOptions(RuleDocument("alibid.yaml", text))
  }

  @Test("every key is read, and each may be left out")
  func everything() throws {
    let all = try options(
      """
      state: /srv/evidence
      run: /run/other
      rules: /etc/alibi/rules
      log-level: debug
      retention-days: 30
      capture:
        batch-milliseconds: 7
        queue-length: 4096
        perf-kilobytes: 64
        connector-kilobytes: 100
        journal-megabytes: 32
      """)
    #expect(all.state == "/srv/evidence")
    #expect(all.run == "/run/other")
    #expect(all.rules == "/etc/alibi/rules")
    #expect(all.logLevel == "debug")
    #expect(all.retentionDays == 30)
    #expect(all.batchMilliseconds == 7)
    #expect(all.queueLength == 4096)
    #expect(all.perfKilobytes == 64)
    #expect(all.connectorKilobytes == 100)
    #expect(all.journalMegabytes == 32)
    let little = try options("capture: {queue-length: 16}\n")
    #expect(little.state == nil)
    #expect(little.queueLength == 16)
  }

  @Test(
    "what is unknown or out of range is refused, with its line",
    arguments: [
      ("state: /a\nstat: /b\n", 2), ("state: relative\n", 1), ("run: /run/../etc\n", 1), ("state: 7\n", 1),
      ("log-level: loud\n", 1), ("retention-days: 0\n", 1), ("retention-days: 1.5\n", 1), ("capture: 5\n", 1),
      ("capture:\n  queue-length: 15\n", 2),
      ("capture:\n  queue-length: many\n", 2), ("capture:\n  queue-length: \"64\"\n", 2),
      ("capture:\n  batch-milliseconds: 5\n  journal-megabytes: 48\n", 3), ("capture:\n  perf-kilobytes: 12\n", 2),
      ("state: /a\nstate: /b\n", 1),
    ])
  func refused(text: String, line: Int) throws {
    let error = try #require(throws: RuleError.self) { try options(text) }
    #expect(error.line == line, "\(error)")
    #expect(error.file == "alibid.yaml")
  }

  @Test("a file that is not there is refused by name")
  func missing() throws {
    let error = try #require(throws: RuleError.self) { try ServiceOptions(path: "/nonexistent/alibid.yaml") }
    #expect(error.description.hasPrefix("/nonexistent/alibid.yaml: cannot open"))
  }
}
