import TestSupport
import Testing

@testable import LinuxKernel

/// Whether the kernel's rules are still what was asked for.
struct AuditOrderTests {
  private func rules(_ text: String...) throws -> [AuditRule] {
    try text.flatMap { try AuditRule.file(Array($0.utf8)) }
  }

  /// Somebody else's, as the kernel lists it.
  private func theirs(_ text: String) throws -> AuditRule {
    var rule = try #require(try rules(text + " -k alibi-x").first)
    rule.fields.removeAll { $0.text == Array("alibi-x".utf8) }
    return rule
  }

  private func status(enabled: UInt32 = 1, pid: UInt32 = 7, rate: UInt32 = 0) throws -> AuditStatus {
    var bytes = [UInt8](repeating: 0, count: 40)
    bytes.store(enabled, at: 4)
    bytes.store(pid, at: 12)
    bytes.store(rate, at: 16)
    return try #require(AuditStatus(bytes))
  }

  private let ours = [
    "-a never,exit -F arch=b64 -S mount -k alibi-self", "-a always,exit -F arch=b64 -S execve -k alibi-exec",
    "-a always,exit -F arch=b64 -S connect -k alibi-connect",
  ]

  private func order() throws -> AuditOrder { AuditOrder(rules: try ours.flatMap { try rules($0) }, owner: 7) }

  @Test("nothing is wrong where all is as it was asked for, and others' rules stand behind or are about other things")
  func whole() throws {
    let order = try order()
    #expect(order.faults(status: try status(), rules: order.rules).isEmpty)
    let more = [
      try theirs("-a always,exit -F arch=b64 -S execve"), try theirs("-a never,exit -F arch=b64 -S read"),
      try theirs("-a always,exclude -F msgtype=PROCTITLE"),
      try theirs("-a never,filesystem -F fstype=0x74726163"),
    ]
    let last = try theirs("-a never,exit -F arch=b64 -S execve")
    #expect(order.faults(status: try status(), rules: more + order.rules + [last]).isEmpty)
    // What spares the service is no loss of sight.
    #expect(order.faults(status: try status(), rules: Array(order.rules.dropFirst())).isEmpty)
  }

  @Test("a rule that is gone, or one that hides what a rule of ours behind it would tell")
  func altered() throws {
    let order = try order()
    let gone = order.faults(status: try status(), rules: Array(order.rules.dropLast()))
    #expect(gone == [.removed(count: 1, of: 2, first: order.rules[2])])
    for hiding in [
      "-a never,exit -F arch=b64 -S execve", "-a never,task", "-a always,exclude -F msgtype=EXECVE",
      "-a never,user", "-a never,filesystem -F fstype=0xef53",
    ] {
      let rule = try theirs(hiding)
      #expect(order.faults(status: try status(), rules: [rule] + order.rules) == [.hidden(by: rule)], "\(hiding)")
    }
  }

  @Test("audit off, somebody else in its daemon's place, a rate limit")
  func state() throws {
    let order = try order()
    #expect(order.faults(status: try status(enabled: 0), rules: order.rules) == [.off])
    #expect(order.faults(status: try status(pid: 8), rules: order.rules) == [.replaced(by: 8)])
    #expect(order.faults(status: try status(rate: 5), rules: order.rules) == [.limited(perSecond: 5)])
    let beside = AuditOrder(rules: order.rules, owner: 0)
    #expect(beside.faults(status: try status(pid: 8), rules: order.rules).isEmpty)
  }

  @Test("another process reads the order that one kept")
  func kept() throws {
    let order = try order()
    #expect(try AuditOrder(order.kept(), owner: 7) == order)
  }
}

extension KernelFacts {
  /// What the kernel does when rules are put back.
  struct AuditOrderFacts {
    @Test("what was removed is put back, and what spares the service comes in front")
    func reload() throws {
      let control = try AuditControl()
      let before = try control.rules()
      guard try !control.status().isLocked, !before.contains(where: \.isOurs) else {
        try Test.cancel("audit is in use")
      }
      defer { try? AuditState.removeRules(control) }
      let text = """
        -a never,exit -F arch=b64 -S mount -k alibi-self
        -a always,exit -F arch=b64 -S mount -k alibi-mount
        -a always,exit -F arch=b64 -S setns -k alibi-mount
        """
      let rules = try AuditRule.file(Array(text.utf8))
      let order = AuditOrder(rules: rules, owner: 0)
      #expect(control.load(rules).isEmpty)
      try control.delete(rules[0])
      try control.delete(rules[2])
      #expect(try control.missing(of: rules) == [rules[0], rules[2]])
      #expect(try control.reload(order))
      #expect(try control.rules() == [rules[0]] + before + Array(rules[1...]))
      try AuditState.removeRules(control)
      #expect(try control.rules() == before)
    }
  }
}
