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
      patterns: [/home/*/.ssh/id_*, "/**/*.key"]
      audit: true
      classified: [/srv/payroll, /etc/krb5.keytab]
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
    #expect(all.patterns == ["/home/*/.ssh/id_*", "/**/*.key"])
    #expect(all.audit == true && all.classified == ["/srv/payroll", "/etc/krb5.keytab"])
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
      ("state: /a\nstate: /b\n", 1), ("patterns: /a\n", 1), ("patterns:\n  - /a\n  - b/*\n", 3),
      ("patterns:\n  - /a\n  - /b\n  - /a\n", 4), ("patterns: [/a**]\n", 1), ("patterns: ['/a\\']\n", 1),
      ("patterns: [\"\"]\n", 1), ("classified: /a\n", 1), ("classified:\n  - /a\n  - b\n", 3),
      ("classified:\n  - /a\n  - /a\n", 3), ("classified: [/]\n", 1), ("classified: [/a/]\n", 1),
      ("classified: [/a/../b]\n", 1), ("classified: [/a//b]\n", 1), ("classified: [/a/.]\n", 1),
    ])
  func refused(text: String, line: Int) throws {
    let error = try #require(throws: RuleError.self) { try options(text) }
    #expect(error.line == line, "\(error)")
    #expect(error.file == "alibid.yaml")
  }

  @Test("as many patterns as a record of the log has room for, and no more")
  func patterns() throws {
    func text(_ count: Int) -> String { "patterns: [" + (0..<count).map { "/\($0)" }.joined(separator: ", ") + "]\n" }
    #expect(try options(text(256)).patterns?.count == 256)
    #expect(throws: RuleError.self) { try options(text(257)) }
    #expect(throws: RuleError.self) { try options("patterns: [/" + String(repeating: "x", count: 4096) + "]\n") }
  }

  @Test("as many classified places as are sensible, each as long as a path can be")
  func places() throws {
    func text(_ count: Int) -> String { "classified: [" + (0..<count).map { "/\($0)" }.joined(separator: ", ") + "]\n" }
    #expect(try options(text(64)).classified?.count == 64)
    #expect(throws: RuleError.self) { try options(text(65)) }
    func long(_ count: Int) -> String { "classified: [/" + String(repeating: "x", count: count - 1) + "]\n" }
    #expect(try options(long(4095)).classified?.count == 1)
    #expect(throws: RuleError.self) { try options(long(4096)) }
  }

  @Test("who is shown the log's heads")
  func anchors() throws {
    let all = try #require(
      try options(
        """
        anchors:
          user: alibi-sender
          interval: 30
          witnesses:
            - url: https://witness.example/prefix/
              key: witness.example+12345678+AAAA
            - {url: "http://[::1]:8080", key: other+12345678+AAAA, interval: 5}
          timestamps:
            - url: http://tsa.example:3161/tsr?policy=1
          syslog: {udp: "127.0.0.1:514"}
        """
      ).anchors)
    #expect(all.user == "alibi-sender")
    #expect(all.witnesses.map(\.url) == ["https://witness.example/prefix", "http://[::1]:8080"])
    #expect(all.witnesses.map(\.interval) == [30, 5])
    #expect(all.witnesses.map(\.line) == [6, 7])
    #expect(all.authorities.map(\.url) == ["http://tsa.example:3161/tsr?policy=1"])
    #expect(all.authorities.map(\.interval) == [30])
    #expect(all.syslog == .udp(host: "127.0.0.1", port: 514))
    let usual = try #require(
      try options(
        """
        anchors:
          witnesses: [{url: "http://a", key: a+1+b}]
          timestamps: [{url: "http://b/"}]
          syslog: {socket: /dev/log}
        """
      ).anchors)
    #expect(usual.user == nil && usual.syslog == .socket("/dev/log"))
    #expect(usual.witnesses[0].interval == 60 && usual.authorities[0].interval == 3600)
    #expect(try options("state: /a\n").anchors == nil)
  }

  @Test(
    "an anchor that could not be reached, or not be believed, is refused, with its line",
    arguments: [
      ("{}", 1), ("{interval: 60}", 1), ("{user: nobody}", 1), ("{witness: []}", 1),
      ("{interval: 0, syslog: {socket: /dev/log}}", 1), ("{interval: 60s, syslog: {socket: /dev/log}}", 1),
      ("{user: \"a b\", syslog: {socket: /dev/log}}", 1), ("\n  witnesses:\n    - url: http://a\n", 3),
      ("\n  witnesses:\n    - key: a+1+b\n", 3), ("\n  witnesses:\n    - url: ftp://a\n      key: a+1+b\n", 3),
      ("\n  witnesses:\n    - {url: \"http://a\", key: k}\n    - {url: \"http://b\", key: k}\n", 4),
      ("{timestamps: [{url: \"http://u:p@a/\"}]}", 1), ("{timestamps: [{url: \"http:///a\"}]}", 1),
      ("{timestamps: [{url: \"http://a:0/\"}]}", 1), ("{timestamps: [{url: \"http://a:66000/\"}]}", 1),
      ("{timestamps: [{url: \"http://a b/\"}]}", 1), ("{timestamps: [{url: \"http://a/#x\"}]}", 1),
      ("{timestamps: [{url: \"http://a\"}, {url: \"http://a\"}]}", 1), ("{timestamps: {url: \"http://a\"}}", 1),
      ("{syslog: /dev/log}", 1), ("{syslog: {}}", 1), ("{syslog: {socket: log}}", 1), ("{syslog: {udp: localhost}}", 1),
      ("{syslog: {socket: /dev/log, udp: \"a:1\"}}", 1),
    ])
  func badAnchors(text: String, line: Int) throws {
    let error = try #require(throws: RuleError.self) { try options("anchors: \(text)\n") }
    #expect(error.line == line, "\(error)")
  }

  @Test("a file that is not there is refused by name")
  func missing() throws {
    let error = try #require(throws: RuleError.self) { try ServiceOptions(path: "/nonexistent/alibid.yaml") }
    #expect(error.description.hasPrefix("/nonexistent/alibid.yaml: cannot open"))
  }
}
