import Journal
import Records
import Testing

@testable import Lineage

@Suite("Two witnesses of executions")
struct ReconciliationTests {
  /// An agent (200) with a child (201) that audit watches from its birth.
  private func scene(connector: Bool = false) throws -> Scene {
    var scene = try Scene(connector: connector)
    scene.audit([(1305, "op=add_rule key=\"alibi-exec\" list=4 res=1")])
    scene.check()
    try scene.batch()
    for (parent, child) in [(100, 200), (200, 201)] as [(Int32, Int32)] {
      scene.fork(parent, child)
      if connector { scene.connectorFork(parent, child) }
      if child == 200 { scene.exec(200, 11, "2.1.329", inode: 900) }
      if child == 200, connector { scene.connectorExec(200) }
    }
    told(&scene, 200, "/home/u/.local/share/claude/versions/2.1.329", inode: 900)
    try scene.batch()
    return scene
  }

  /// audit tells of an execution.
  private func told(
    _ scene: inout Scene, _ pid: Int32, _ path: String, inode: UInt64, device: String = "08:01",
    key: String = "alibi-exec", arguments: String = "x", milliseconds: UInt64? = nil
  ) {
    scene.audit(
      [
        AuditText.call(59, pid, key, a0: "1", a1: "1", a2: "1", items: 1, executable: path),
        (1309, "argc=1 a0=\"\(arguments)\""), (1307, "cwd=\"/home/u/proj\""),
        (
          1302,
          "item=0 name=\"\(path)\" inode=\(inode) dev=\(device) mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL "
            + "cap_fp=0"
        ),
      ], milliseconds: milliseconds)
  }

  /// Everything of before has been told, and nothing was lost.
  private func mark(_ scene: inout Scene, _ number: UInt64, fault: String = "") throws {
    scene.wait(seconds: 1)
    scene.mark(number)
    try scene.batch()
    scene.markReturns(number)
    scene.check(fault)
    try scene.batch()
  }

  private func figures(_ scene: Scene) -> [Agreement] {
    scene.findings.reduce(into: []) { sums, finding in
      guard case .agreement(let more) = finding else { return }
      if let index = sums.firstIndex(where: { $0.day == more.day && $0.matter == more.matter }) {
        sums[index].both += more.both
        sums[index].auditOnly += more.auditOnly
        sums[index].othersOnly += more.othersOnly
      } else {
        sums.append(more)
      }
    }
  }

  private func disagreements(_ scene: Scene) -> [String] {
    scene.findings.compactMap {
      if case .incident(let incident) = $0, incident.kind == "witnesses-disagree" { incident.detail } else { nil }
    }
  }

  private func unattributed(_ scene: Scene) -> [Access] { scene.accesses.filter { $0.attribution == .unattributed } }

  @Test(
    "what both told of is counted, whichever batch audit tells it in, and whoever's rule it was that matched",
    arguments: [false, true])
  func both(later: Bool) throws {
    var scene = try scene()
    scene.exec(201, 10, "curl", inode: 60)
    let when = scene.now / 1_000_000
    if later { try scene.batch() }
    told(&scene, 201, "/usr/bin/curl", inode: 60, key: later ? "alibi-exec" : "theirs", milliseconds: when)
    try scene.batch()
    scene.exit(201)
    try mark(&scene, 1)
    #expect(figures(scene) == [Agreement(day: 0, matter: .executions, both: 2)])
    #expect(disagreements(scene).isEmpty && unattributed(scene).isEmpty)
  }

  @Test("what audit did not tell of, though it must have by now, is an incident; the access is known all the same")
  func auditMissed() throws {
    var scene = try scene()
    scene.exec(201, 10, "curl", inode: 60)
    try scene.batch()
    try mark(&scene, 1)
    #expect(disagreements(scene).isEmpty, "it may not have returned yet")
    scene.exit(201)
    try scene.batch()
    #expect(disagreements(scene).isEmpty, "audit is later than the others")
    try mark(&scene, 2)
    #expect(disagreements(scene) == ["audit did not tell of an execution by process 201, /usr/bin/curl"])
    #expect(figures(scene) == [Agreement(day: 0, matter: .executions, both: 1, othersOnly: 1)])
    #expect(unattributed(scene).isEmpty && scene.accesses("/usr/bin/curl").count == 1)
  }

  @Test("a process that went on to do something has returned")
  func returned() throws {
    for isFork in [true, false] {
      var scene = try scene()
      scene.exec(201, 10, "curl", inode: 60)
      if isFork {
        scene.fork(201, 202)
      } else {
        scene.wait(seconds: 1)
        scene.exec(201, 10, "cat", inode: 61)
        told(&scene, 201, "/usr/bin/cat", inode: 61)
      }
      try scene.batch()
      try mark(&scene, 1)
      #expect(
        disagreements(scene) == [
          "audit did not tell of an execution by process 201, /usr/bin/c\(isFork ? "url" : "at")"
        ])
    }
  }

  @Test("who was killed, who was born before audit watched, and times in which audit missed something are not judged")
  func notJudged() throws {
    var killed = try scene(connector: true)
    killed.exec(201, 10, "curl", inode: 60)
    killed.connectorExec(201)
    killed.exit(201)
    killed.connectorKill(201)
    try killed.batch()
    try mark(&killed, 1)
    #expect(disagreements(killed).isEmpty && figures(killed).map(\.all) == [1])

    var old = try Scene(processes: [Scene.process(1, parent: 0, "/sbin/init"), Scene.process(100, parent: 1, "/b")])
    old.audit([(1305, "op=add_rule key=\"alibi-exec\" list=4 res=1")])
    old.check()
    try old.batch()
    old.exec(100, 11, "2.1.329", inode: 900)
    old.fork(100, 101)
    try old.batch()
    try mark(&old, 1)
    #expect(disagreements(old).isEmpty)

    var altered = try scene()
    altered.exec(201, 10, "curl", inode: 60)
    altered.exit(201)
    try altered.batch()
    try mark(&altered, 1, fault: "rules are not there")
    try mark(&altered, 2)
    #expect(disagreements(altered).isEmpty && figures(altered).map(\.all) == [1])

    var lost = try scene()
    lost.exec(201, 10, "curl", inode: 60)
    lost.exit(201)
    try lost.batch()
    lost.check(lost: 1)
    try mark(&lost, 1)
    #expect(disagreements(lost).isEmpty && figures(lost).map(\.all) == [1])
  }

  @Test("what perf did not tell of is nobody's, blocks its file, and is in the store before its time is covered")
  func perfMissed() throws {
    var scene = try scene()
    try mark(&scene, 1)
    told(&scene, 201, "/usr/bin/curl", inode: 60)
    let stamp = Timestamp(nanoseconds: Int64(scene.now / 1_000_000 * 1_000_000))
    try scene.batch()
    for second in 2...4 as ClosedRange<UInt64> {
      #expect(unattributed(scene).isEmpty == (second == 2 || (scene.covered.last?.to ?? stamp) <= stamp))
      try mark(&scene, second)
    }
    let access = try #require(unattributed(scene).first)
    #expect(unattributed(scene).count == 1 && access.session == nil && access.process == nil)
    #expect(access.path == RawPath("/usr/bin/curl") && access.operations.contains(.exec))
    #expect(access.identity == FileIdentity(fileSystem: Scene.fileSystem, inode: 60, generation: 0))
    #expect(access.time.from == stamp)
    #expect(disagreements(scene) == ["perf did not tell of an execution by process 201, /usr/bin/curl"])
    #expect(figures(scene) == [Agreement(day: 0, matter: .executions, both: 1, auditOnly: 1)])
  }

  @Test("a file that fanotify did not see opened for the execution is nobody's")
  func fanotifyMissed() throws {
    var scene = try scene()
    scene.commit(201, maps: 60, as: "/usr/bin/curl")
    told(&scene, 201, "/usr/bin/curl", inode: 60)
    try scene.batch()
    #expect(disagreements(scene) == ["fanotify did not tell of an execution by process 201, /usr/bin/curl"])
    #expect(unattributed(scene).map(\.path) == [RawPath("/usr/bin/curl")])
    #expect(figures(scene) == [Agreement(day: 0, matter: .executions, both: 1, auditOnly: 1)])
  }

  @Test("where fanotify cannot tell, or lost something, nothing is said")
  func fanotifyCannot() throws {
    var elsewhere = try scene()
    elsewhere.commit(201, maps: 60, as: "/memfd:x")
    told(&elsewhere, 201, "", inode: 60, device: "00:01")
    try elsewhere.batch()
    #expect(disagreements(elsewhere).isEmpty && unattributed(elsewhere).isEmpty)
    var lost = try scene()
    lost.overflow()
    lost.commit(201, maps: 60, as: "/usr/bin/curl")
    told(&lost, 201, "/usr/bin/curl", inode: 60)
    try lost.batch()
    #expect(disagreements(lost).isEmpty && unattributed(lost).isEmpty)
  }

  @Test("a bystander's execution before it becomes an agent is another one, with arguments of its own")
  func before() throws {
    var scene = try scene()
    scene.fork(100, 300)
    scene.exec(300, 10, "setpriv", inode: 61)
    scene.exec(300, 11, "2.1.330", inode: 901)
    told(&scene, 300, "/usr/bin/setpriv", inode: 61, arguments: "private")
    told(&scene, 300, "/home/u/.local/share/claude/versions/2.1.330", inode: 901, arguments: "agent")
    try scene.batch()
    scene.exit(300)
    try mark(&scene, 1)
    let commands = scene.findings.compactMap { if case .command(let command) = $0 { command.arguments } else { nil } }
    #expect(commands == [["x"], ["agent"]].map { $0.map { Array($0.utf8) } })
    #expect(figures(scene) == [Agreement(day: 0, matter: .executions, both: 2)])
    #expect(disagreements(scene).isEmpty)
  }

  @Test("the wall clock is set: what was told before is not compared with what comes after")
  func clockSet() throws {
    var scene = try scene()
    scene.exec(201, 10, "curl", inode: 60)
    try scene.batch()
    scene.clock = 3_600_000_000_000
    told(&scene, 201, "/usr/bin/curl", inode: 60)
    scene.exit(201)
    try scene.batch()
    for number in 1...3 as ClosedRange<UInt64> { try mark(&scene, number) }
    #expect(disagreements(scene).isEmpty && unattributed(scene).isEmpty)
  }
}
