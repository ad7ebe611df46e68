import LinuxKernel
import TestSupport
import Testing

/// Rule files are auditctl's, and what is not understood is an error.
struct AuditRuleTests {
  private func rule(_ text: String) throws -> AuditRule {
    let rules = try AuditRule.file(Array(text.utf8))
    try #require(rules.count == 1)
    return rules[0]
  }

  @Test("every shipped file is rules of ours, each below a comment", arguments: ShippedRules.files)
  func shipped(name: String) throws {
    let text = try ShippedRules.text(name)
    let rules = try AuditRule.file(Array(text.utf8))
    #expect(!rules.isEmpty && rules.allSatisfy { $0.isOurs && $0.isAlways && !$0.isSilencing })
    #expect(text.hasPrefix("#"))
  }

  @Test("the list of shipped files is complete")
  func complete() throws {
    let listing = try Subprocess.run("/bin/ls", [ShippedRules.directory]).output.split(separator: "\n")
    #expect(listing.filter { $0.hasSuffix(".rules") }.map { String($0.dropLast(6)) } == ShippedRules.files)
  }

  @Test("comments and empty lines are no rules; tabs and line ends of other systems are spaces")
  func layout() throws {
    let text = "# -a nonsense\n\n   \n\t# x\n-a\talways,exit  -F arch=b64 -S read -k alibi-x\r\n"
    #expect(try AuditRule.file(Array(text.utf8)).count == 1)
    #expect(try rule("-a exit,always -F arch=b64 -S read -k alibi-x") == rule(text))
  }

  @Test("a watch on a directory is about all beneath it, one on anything else about that name")
  func watch() throws {
    let text = Array("-w /a/b/ -p wa -k alibi-x".utf8)
    let directory = try #require(AuditRule.file(text) { $0 == Array("/a/b".utf8) }.first)
    let file = try #require(AuditRule.file(text) { _ in false }.first)
    #expect(directory.fields[0].id == 107 && file.fields[0].id == 105)
    #expect(directory.fields[0].text == Array("/a/b".utf8) && directory.fields[1].value == 10)
  }

  @Test(
    "a line that is no rule says why",
    arguments: [
      ("-D", "not an option of a rule: -D"),
      ("-e 2", "not an option of a rule: -e"),
      ("--backlog_wait_time 0", "not an option of a rule: --backlog_wait_time"),
      ("-a always,exit -S", "-S without a value"),
      ("-a always", "neither list,action nor action,list: always"),
      ("-a always,never", "neither list,action nor action,list: always,never"),
      ("-a sometimes,exit", "neither list,action nor action,list: sometimes,exit"),
      ("-k alibi-x", "a rule begins with -a or -w"),
      ("-a always,exit -S read -k alibi-x", "-S needs -F arch= before it: numbers differ between machines"),
      ("-a always,exit -F arch=b65 -S read -k alibi-x", "arch cannot be b65"),
      ("-a always,exit -F arch=b64 -S opem -k alibi-x", "no such system call: opem"),
      ("-a always,exit -F arch=b64 -S open, -k alibi-x", "no such system call: "),
      ("-a always,exit -F arch=b64 -S 2032 -k alibi-x", "no such system call: 2032"),
      ("-a always,exit -F arch=b64 -S open -F exit=-EFOO -k alibi-x", "exit cannot be -EFOO"),
      ("-a always,exit -F arch=b64 -S open -F colour=1 -k alibi-x", "no such field: colour"),
      ("-a always,exit -F arch=b64 -S open -F uid -k alibi-x", "not a comparison: uid"),
      ("-a always,exit -F arch=b64 -S open -F uid= -k alibi-x", "uid is compared with nothing"),
      ("-a always,exit -F arch=b64 -S open -F uid=4294967296 -k alibi-x", "uid cannot be 4294967296"),
      ("-a always,exit -F arch=b64 -S open -F filetype=door -k alibi-x", "filetype cannot be door"),
      ("-a always,exit -F arch=b64 -S open", "a rule of Alibi's has -k alibi-…"),
      ("-a always,exit -F arch=b64 -S open -k other", "a rule of Alibi's has -k alibi-…"),
      ("-a always,exit -F arch=b64 -S open -k alibi-x -k alibi-y", "two keys"),
      ("-a always,exit -F arch=b64 -k alibi-x", "no system call: -S names them"),
      ("-a always,exit -F arch=b64 -U openat -k alibi-x", "-U does not go with always,exit"),
      ("-a always,io_uring -U opem -k alibi-x", "no such operation: opem"),
      ("-w etc -p r -k alibi-x", "a watch needs an absolute path: etc"),
      ("-w /etc -k alibi-x", "a watch needs -p"),
      ("-w /etc -p rz -k alibi-x", "permissions are of r, w, x and a: rz"),
      ("-w /etc -p r -S open -k alibi-x", "-S does not go with /etc"),
      ("-w /etc -p r -a always,exit -k alibi-x", "-a twice, or not first"),
    ])
  func malformed(line: String, problem: String) {
    #expect(throws: AuditRuleError(line: 3, problem: problem)) {
      try AuditRule.file(Array("# one\n\n\(line)\n".utf8))
    }
  }
}

extension KernelFacts {
  /// Rule files as auditctl reads them.
  struct AuditRuleFiles {
    @Test(
      "auditctl makes the same rules of each file", .enabled(if: AuditDaemon.isInstalled, "needs auditctl"),
      arguments: ShippedRules.files)
    func auditctl(name: String) throws {
      // Before 3.1 it does not know io_uring's list, as the file says.
      let tool = try Subprocess.run("/usr/bin/env", ["auditctl", "-v"]).output.firstMatch(of: #/(\d+)\.(\d+)/#)
      let version = tool.flatMap { Int($0.1) }.map { ($0, tool.flatMap { Int($0.2) } ?? 0) } ?? (0, 0)
      if name.contains("io-uring"), version < (3, 1) { try Test.cancel("auditctl \(version) does not know io_uring") }
      let control = try AuditControl()
      let before = try control.rules()
      guard try !control.status().isLocked, !before.contains(where: \.isOurs) else {
        try Test.cancel("audit is in use")
      }
      defer { try? AuditState.removeRules(control) }
      let path = "\(ShippedRules.directory)/\(name).rules"
      let outcome = try Subprocess.run("/usr/bin/env", ["auditctl", "-R", path])
      #expect(outcome.status == 0, "\(outcome.errors)")
      let theirs = try control.rules()
      try AuditState.removeRules(control)
      #expect(try control.rules() == before)
      let ours = try AuditRule.file(Array(ShippedRules.text(name).utf8))
      #expect(try control.missing(of: ours) == ours)
      #expect(control.load(ours).isEmpty && control.load(ours).isEmpty)
      #expect(try control.rules() == theirs)
      #expect(try control.missing(of: ours).isEmpty)
      // Last but one in, first out.
      if let gone = ours.dropLast().last {
        try control.delete(gone)
        #expect(try control.missing(of: ours) == [gone])
      }
    }
  }
}
