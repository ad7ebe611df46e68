import Journal
import Records
import Testing

@testable import Lineage

struct PrivilegeTests {
  /// A person's shell (100) and an agent (200), with a connector that tells of both.
  private func scene(_ processes: [ObservedProcess]? = nil) throws -> Scene {
    var scene = try Scene(processes: processes, connector: true)
    scene.connectorFork(100, 200)
    scene.fork(100, 200)
    scene.exec(200, 11, "2.1.329", inode: 900)
    scene.connectorExec(200)
    return scene
  }

  @Test("an ordinary user's session has no root's rights, whatever users it has in a namespace of its own")
  func ordinary() throws {
    var scene = try scene()
    scene.credentials(200, 1000, 1000)
    try scene.batch()
    #expect(scene.privileged.isEmpty)
  }

  @Test(
    "a process of a session that becomes root makes the session root's from that moment on, once",
    arguments: [
      (0, 0), (1000, 0), (0, 1000),
    ])
  func gained(real: Int32, effective: Int32) throws {
    var scene = try scene()
    try scene.batch()
    let before = scene.now
    scene.fork(200, 201)
    scene.connectorFork(200, 201)
    scene.credentials(201, real, effective)
    scene.credentials(201, 1000, 1000)
    scene.credentials(201, 0, 0)
    try scene.batch()
    #expect(scene.privileged.map(\.session) == [1])
    #expect(try #require(scene.privileged.first).since > Timestamp(nanoseconds: Int64(before)))
    #expect(try #require(scene.privileged.first).since < Timestamp(nanoseconds: Int64(scene.now)))
  }

  @Test("a session whose first process is root already is root's from its beginning")
  func root() throws {
    let processes = [
      Scene.process(1, parent: 0, "/sbin/init", privilege: .root),
      Scene.process(100, parent: 1, "/usr/bin/bash", privilege: .root),
    ]
    var scene = try scene(processes)
    try scene.batch()
    #expect(scene.privileged.map(\.session) == [1])
    #expect(scene.privileged.first?.since == scene.sessions.first?.started)
  }

  @Test("who gave root's rights up before executing the agent is nobody special")
  func givenUp() throws {
    var scene = try Scene(
      processes: [
        Scene.process(1, parent: 0, "/sbin/init", privilege: .root),
        Scene.process(100, parent: 1, "/usr/bin/bash", privilege: .root),
      ], connector: true)
    scene.connectorFork(100, 200)
    scene.fork(100, 200)
    scene.credentials(200, 1000, 1000)
    scene.exec(200, 11, "2.1.329", inode: 900)
    scene.connectorExec(200)
    try scene.batch()
    #expect(scene.sessions.count == 1)
    #expect(scene.privileged.isEmpty)
  }

  @Test("a child made with CLONE_PARENT has the rights of who called, not those of the parent it appears with")
  func cloned() throws {
    var scene = try Scene(
      processes: [
        Scene.process(1, parent: 0, "/sbin/init", privilege: .root),
        Scene.process(100, parent: 1, "/usr/bin/bash", privilege: .root),
      ], connector: true)
    scene.connectorFork(100, 200)
    scene.fork(100, 200)
    scene.credentials(200, 1000, 1000)
    scene.exec(200, 11, "2.1.329", inode: 900)
    scene.connectorExec(200)
    scene.connectorFork(100, 201)
    scene.fork(200, 201)
    scene.read(201, "a.txt", 50)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/a.txt").map(\.session) == [1])
    #expect(scene.privileged.isEmpty)
  }

  @Test("what /proc says of the first process counts, also where no event did")
  func asked() throws {
    var scene = try Scene(connector: true)
    scene.privileges[200] = .root
    scene.connectorFork(100, 200)
    scene.fork(100, 200)
    scene.exec(200, 11, "2.1.329", inode: 900)
    scene.connectorExec(200)
    try scene.batch()
    #expect(scene.privileged.map(\.session) == [1])
  }

  @Test("an agent that already runs as root when the service starts is root's")
  func joinedLate() throws {
    let scene = try Scene(
      processes: [
        Scene.process(1, parent: 0, "/sbin/init"),
        Scene.process(
          300, parent: 1, "/home/u/.local/share/claude/versions/2.1.1", startedAt: 600, privilege: .root),
      ], connector: true)
    #expect(scene.privileged.map(\.session) == [1])
  }

  @Test("what a session within another gains counts for both")
  func nested() throws {
    var scene = try scene()
    scene.paths[20] = "/home/u/.claude/sessions"
    scene.fork(200, 201)
    scene.connectorFork(200, 201)
    scene.exec(201, 10, "bash", inode: 60)
    scene.connectorExec(201)
    scene.fork(201, 202)
    scene.connectorFork(201, 202)
    scene.exec(202, 11, "2.1.329", inode: 900)
    scene.connectorExec(202)
    scene.event(0x2a, 202, 20, "202.json", 70)
    try scene.batch()
    #expect(scene.privileged.isEmpty)
    scene.credentials(202, 0, 0)
    try scene.batch()
    #expect(Set(scene.privileged.map(\.session)) == [1, 2])
  }

  @Test(
    "an exec of which the connector never tells leaves the rights unknown, and until then nothing later is covered",
    arguments: [true, false])
  func silenced(exits: Bool) throws {
    var scene = try scene()
    try scene.batch()
    scene.fork(200, 201)
    scene.exec(201, 10, "sudo", inode: 60)
    let executed = scene.now
    try scene.batch()
    #expect(scene.privileged.isEmpty)
    #expect(try #require(scene.covered.last).to < Timestamp(nanoseconds: Int64(executed)))
    if exits { scene.exit(201) } else { scene.wait(seconds: 3) }
    try scene.batch()
    try scene.batch()
    #expect(scene.privileged.map(\.session) == [1])
    #expect(try #require(scene.privileged.first).since < Timestamp(nanoseconds: Int64(executed)))
  }

  @Test("a bystander's exec that was not told of concerns nobody, unless a session comes of it")
  func silencedOutside() throws {
    var scene = try Scene(connector: true)
    scene.fork(100, 150)
    scene.exec(150, 10, "sudo", inode: 60)
    try scene.batch()
    try scene.batch()
    #expect(scene.privileged.isEmpty)
    scene.exec(150, 11, "2.1.329", inode: 900)
    scene.connectorExec(150)
    try scene.batch()
    #expect(scene.privileged.map(\.session) == [1])
  }

  @Test("a hole in the connector's numbers leaves the rights of whoever was at work unknown")
  func hole() throws {
    var scene = try scene()
    try scene.batch()
    scene.connectorFork(100, 150)
    scene.fork(100, 150)
    try scene.batch()
    scene.connectorFork(200, 201, skipping: 3)
    scene.fork(200, 201)
    try scene.batch()
    #expect(scene.privileged.map(\.session) == [1])
  }

  @Test("without a connector every session's rights are unknown")
  func noConnector() throws {
    var scene = try Scene()
    scene.fork(100, 200)
    scene.exec(200, 11, "2.1.329", inode: 900)
    try scene.batch()
    #expect(scene.privileged.map(\.session) == [1])
  }

  // MARK: - Capabilities

  /// The scene with a child (201) of the agent that has executed something, and whether its exec was told of by now.
  private func execution(_ gain: Privilege?) throws -> (scene: Scene, executed: UInt64) {
    var scene = try scene()
    try scene.batch()
    scene.fork(200, 201)
    scene.connectorFork(200, 201)
    scene.gains[201] = gain
    let executed = scene.now
    scene.exec(201, 10, "dumpcap", inode: 60)
    scene.connectorExec(201)
    try scene.batch()
    return (scene, executed)
  }

  /// What audit tells of an execution: old and new permitted capabilities, and those of the file.
  private func told(_ pid: Int32, permitted: String, ofFile: String) -> [(type: UInt16, text: String)] {
    [
      AuditText.call(59, pid, "alibi-exec", a0: "1"),
      (
        1321,
        "fver=2 fp=\(ofFile) fi=0 fe=1 old_pp=0 old_pi=0 old_pe=0 old_pa=0 pp=\(permitted) pi=0 pe=\(permitted) pa=0"
      ),
    ]
  }

  @Test(
    "a program whose file gives capabilities that count makes the session root's from its execution on",
    arguments: [Privilege.root, .untold])
  func file(gain: Privilege) throws {
    let (scene, executed) = try execution(gain)
    #expect(scene.privileged.map(\.session) == [1])
    #expect(try #require(scene.privileged.first).since >= Timestamp(nanoseconds: Int64(executed)))
    #expect(scene.reasons.first?.contains("nobody could look") == (gain == .untold))
  }

  @Test("a program without them, or in a user namespace of its own, gives nothing")
  func noFile() throws {
    #expect(try execution(nil).scene.privileged.isEmpty)
  }

  @Test("an agent whose own file has capabilities is root's from its beginning")
  func agentFile() throws {
    var scene = try Scene(connector: true)
    scene.connectorFork(100, 200)
    scene.fork(100, 200)
    scene.gains[200] = .root
    scene.exec(200, 11, "2.1.329", inode: 900)
    scene.connectorExec(200)
    try scene.batch()
    #expect(scene.privileged.map(\.session) == [1])
    #expect(scene.privileged.first?.since == scene.sessions.first?.started)
  }

  @Test(
    "what audit tells an execution to have given counts in the host's user namespace, and where nobody can look",
    arguments: [Privilege.root, .untold, .none])
  func audited(place: Privilege) throws {
    var scene = try execution(nil).scene
    scene.gains[201] = place
    // CAP_SYS_PTRACE
    scene.audit(told(201, permitted: "80000", ofFile: "80000"))
    try scene.batch()
    #expect(scene.privileged.map(\.session) == (place == .none ? [] : [1]))
  }

  @Test("a ping's capability does not count, nor does what root in a namespace has beside what the file gives")
  func harmless() throws {
    var scene = try execution(nil).scene
    scene.gains[201] = .untold
    // CAP_NET_RAW; everything, of which the file gives that alone; everything without a file.
    scene.audit(told(201, permitted: "2000", ofFile: "2000"))
    scene.audit(told(201, permitted: "1ffffffffff", ofFile: "2000"))
    scene.audit(told(201, permitted: "1ffffffffff", ofFile: "0"))
    try scene.batch()
    #expect(scene.privileged.isEmpty)
  }

  @Test("what capset tells counts where a look at the process confirms it: sandboxes call it in their namespaces")
  func capset() throws {
    for (seen, count) in [(Privilege.none, 0), (.untold, 0), (.root, 1)] {
      var scene = try execution(nil).scene
      scene.privileges[201] = seen
      var records = told(201, permitted: "0", ofFile: "0")
      records[1] = (1322, "pid=201 cap_pi=0 cap_pp=80000 cap_pe=80000 cap_pa=0")
      scene.audit(records)
      try scene.batch()
      #expect(scene.privileged.count == count, "\(seen)")
    }
  }

  @Test("a bystander's capabilities concern nobody")
  func bystander() throws {
    var scene = try scene()
    scene.fork(100, 150)
    scene.connectorFork(100, 150)
    scene.gains[150] = .root
    scene.exec(150, 10, "dumpcap", inode: 60)
    scene.connectorExec(150)
    scene.audit(told(150, permitted: "80000", ofFile: "80000"))
    try scene.batch()
    #expect(scene.privileged.isEmpty)
  }
}
