import Journal
import Records
import Testing

@testable import Lineage

@Suite("Whether audit is asked for what it shall tell")
struct AuditStandingTests {
  private static let second: UInt64 = 1_000_000_000

  private func auditGaps(_ scene: Scene) -> [Gap] { scene.gaps.filter { $0.source == "audit" } }

  private func details(_ scene: Scene) -> [String] {
    scene.findings.compactMap {
      if case .incident(let incident) = $0, incident.kind == "audit-altered" { incident.detail } else { nil }
    }
  }

  @Test(
    "rules that are gone at a look: a gap from the last look that found them to the next that does, and one incident")
  func removed() throws {
    var scene = try Scene()
    scene.check()
    let whole = scene.now
    try scene.batch()
    scene.wait(seconds: 1)
    scene.check("2 of 48 rules are not there")
    try scene.batch()
    for _ in 0..<3 {
      scene.wait(seconds: 1)
      scene.check("2 of 48 rules are not there")
      try scene.batch()
    }
    scene.check()
    let end = scene.now
    try scene.batch()
    scene.wait(seconds: 1)
    scene.check()
    try scene.batch()
    let gaps = auditGaps(scene)
    #expect(gaps.first?.time.from == Timestamp(nanoseconds: Int64(whole)))
    #expect(gaps.last?.time.to == Timestamp(nanoseconds: Int64(end)))
    #expect(zip(gaps, gaps.dropFirst()).allSatisfy { $0.time.to == $1.time.from }, "without a hole")
    #expect(gaps.count == 5 && details(scene) == ["2 of 48 rules are not there"])
  }

  @Test("what stays so is told seldom, but whenever somebody asks, and at the end")
  func lasting() throws {
    var scene = try Scene()
    scene.check()
    try scene.batch(flush: false)
    for _ in 0..<300 {
      scene.wait(seconds: 1)
      scene.check("audit is switched off")
      try scene.batch(flush: false)
    }
    let seldom = auditGaps(scene).count
    #expect(seldom < 15)
    scene.wait(seconds: 1)
    scene.check("audit is switched off")
    try scene.batch(flush: true)
    #expect(auditGaps(scene).last?.time.to == Timestamp(nanoseconds: Int64(scene.lastCheck)))
    scene.wait(seconds: 1)
    scene.check("audit is switched off", isLast: true)
    try scene.batch(flush: false)
    #expect(auditGaps(scene).last?.time.to == Timestamp(nanoseconds: Int64(scene.lastCheck)))
    #expect(auditGaps(scene).count == seldom + 2 && details(scene).count == 1)
  }

  @Test(
    "what came and went between two looks is told by records",
    arguments: [
      ("auid=1000 ses=1 op=remove_rule key=\"alibi-exec\" list=4 res=1", "a rule was removed: alibi-exec"),
      ("op=remove_rule dir=\"/srv\" key=\"alibi-place\" list=4 res=1", "a rule was removed: alibi-place"),
      ("op=set audit_enabled=0 old=1 auid=1000 ses=1 res=1", "audit_enabled was set from 1 to 0"),
      ("op=set lost=0 old=5 auid=1000 ses=1 res=1", "lost was set from 5 to 0"),
    ])
  func told(record: String, words: String) throws {
    var scene = try Scene()
    scene.check()
    try scene.batch()
    scene.wait(seconds: 1)
    scene.audit([(1305, record)])
    let when = scene.now / 1_000_000 * 1_000_000
    scene.check()
    let end = scene.now
    try scene.batch()
    #expect(
      auditGaps(scene).map(\.time) == [
        Interval(from: Timestamp(nanoseconds: Int64(when)), to: Timestamp(nanoseconds: Int64(end)))
      ])
    #expect(details(scene).count == 1 && details(scene)[0].hasPrefix(words), "\(details(scene))")
  }

  @Test(
    "somebody's rule that was there too shortly to be looked at may have hidden something; one that stays is looked at")
  func foreign() throws {
    for (milliseconds, isDoubted) in [(500, true), (5000, false)] as [(UInt64, Bool)] {
      var scene = try Scene()
      scene.check()
      scene.audit([(1305, "auid=0 op=add_rule key=(null) list=4 res=1")])
      let added = scene.now / 1_000_000
      try scene.batch()
      scene.wait(seconds: 6)
      scene.audit([(1305, "auid=0 op=remove_rule key=(null) list=4 res=1")], milliseconds: added + milliseconds)
      scene.check()
      try scene.batch()
      #expect(auditGaps(scene).isEmpty != isDoubted)
      #expect(details(scene).isEmpty != isDoubted)
    }
  }

  @Test("what hides nothing is an incident alone; what changes nothing, or was done at the start, is none")
  func harmless() throws {
    var scene = try Scene()
    scene.audit([(1305, "op=remove_rule key=\"alibi-exec\" list=4 res=1")], milliseconds: 1)
    scene.audit([(1305, "op=set audit_enabled=1 old=1 auid=0 ses=1 res=1")])
    scene.audit([(1305, "op=set audit_pid=9 old=7 auid=0 ses=1 res=1")])
    scene.audit([(1305, "op=add_rule key=\"alibi-exec\" list=4 res=1")])
    scene.audit([(1305, "op=remove_rule key=\"alibi-exec\" list=4 res=0")])
    scene.check()
    try scene.batch()
    #expect(details(scene).isEmpty && auditGaps(scene).isEmpty)
    scene.audit([(1305, "op=set audit_backlog_limit=64 old=16384 auid=0 ses=1 res=1")])
    scene.check(change: "backlog_limit was set from 16384 to 64")
    try scene.batch()
    #expect(details(scene) == ["audit_backlog_limit was set from 16384 to 64, login uid 0"])
    scene.check(change: "failure was set from 1 to 0")
    try scene.batch()
    #expect(details(scene).last == "failure was set from 1 to 0")
    #expect(auditGaps(scene).isEmpty)
  }

  @Test("a count of lost records that is another than at the last look is a gap, though another recorder looked then")
  func lost() throws {
    var scene = try Scene()
    scene.check(lost: 3)
    try scene.batch()
    let before = scene.lastCheck
    for lost in [5, 5, 2] as [UInt32] {
      scene.wait(seconds: 1)
      scene.check(lost: lost)
      try scene.batch()
    }
    #expect(auditGaps(scene).count == 2)
    #expect(auditGaps(scene).first?.time.from == Timestamp(nanoseconds: Int64(before)))
    #expect(auditGaps(scene).last?.reason == "the kernel's count of lost records went from 5 to 2")
  }
}
