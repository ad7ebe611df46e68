import Records
import Testing

@testable import Lineage

struct AttributionTests {
  /// A person's shell, 100, and an agent, 200, that it started.
  private func sceneWithAgent() throws -> Scene {
    var scene = try Scene()
    scene.fork(100, 200)
    scene.exec(200, 11, "2.1.329", inode: 900)
    try scene.batch()
    return scene
  }

  @Test("an agent's exec begins a session, with the version that the path names")
  func beginning() throws {
    let scene = try sceneWithAgent()
    let session = try #require(scene.sessions.first)
    #expect(session.agent == "claude-code")
    #expect(session.version == "2.1.329")
    #expect(session.executable == RawPath("/home/u/.local/share/claude/versions/2.1.329"))
    #expect(session.root.pid == 200)
    #expect(!session.joinedLate)
  }

  @Test("an opening for execution that no exec follows begins nothing")
  func failedExec() throws {
    var scene = try Scene()
    scene.fork(100, 200)
    scene.event(0x1020, 200, 11, "2.1.329", 900)
    try scene.batch()
    #expect(scene.sessions.isEmpty)
  }

  @Test("an exec that commits batches after its opening is still explained by it")
  func slowExec() throws {
    var scene = try Scene()
    scene.fork(100, 200)
    scene.event(0x1020, 200, 11, "2.1.329", 900)
    try scene.batch()
    try scene.batch()
    scene.commit(200, maps: 900)
    try scene.batch()
    #expect(scene.sessions.map(\.agent) == ["claude-code"])
  }

  @Test("a person's accesses are not stored")
  func bystander() throws {
    var scene = try sceneWithAgent()
    scene.fork(100, 101)
    scene.read(101, "a.txt", 50)
    scene.read(100, "b.txt", 51)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/a.txt").isEmpty)
    #expect(scene.accesses("/home/u/proj/b.txt").isEmpty)
  }

  @Test("a double-forked grandchild whose parents are gone still belongs to the session")
  func doubleFork() throws {
    var scene = try sceneWithAgent()
    scene.fork(200, 201)
    scene.fork(201, 202)
    scene.exit(201)
    scene.read(202, "a.txt", 50)
    scene.exit(202)
    scene.exit(200)
    try scene.batch()
    let access = try #require(scene.accesses("/home/u/proj/a.txt").first)
    #expect(access.session == scene.sessions.first?.id)
    #expect(access.attribution == .witnessed)
  }

  @Test("a session ends with the last process of its tree, not with its root")
  func end() throws {
    var scene = try sceneWithAgent()
    scene.fork(200, 201)
    scene.exit(200)
    try scene.batch()
    try scene.batch()
    #expect(scene.ended.isEmpty)
    scene.exit(201)
    try scene.batch()
    try scene.batch()
    #expect(scene.ended == [1])
  }

  @Test("the main thread's exit is not the end of a process")
  func leaderExit() throws {
    var scene = try sceneWithAgent()
    scene.fork(200, 200, thread: 250)
    scene.exit(200, thread: 200)
    try scene.batch()
    scene.read(200, "a.txt", 50)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/a.txt").first?.attribution == .witnessed)
    #expect(scene.ended.isEmpty)
  }

  @Test("an exec by another thread looks like exit then exec, and the process lives on in its session")
  func execByThread() throws {
    var scene = try sceneWithAgent()
    scene.fork(200, 201)
    scene.fork(201, 201, thread: 251)
    scene.exit(201, thread: 201)
    scene.exit(201, thread: 251)
    scene.exec(201, 10, "cat", inode: 60)
    try scene.batch()
    scene.exit(200)
    try scene.batch()
    scene.read(201, "a.txt", 50)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/a.txt").first?.session == 1)
    #expect(scene.ended.isEmpty)
    scene.exit(201)
    try scene.batch()
    try scene.batch()
    #expect(scene.ended == [1])
  }

  @Test("a pid's two lives within one batch make an access ambiguous")
  func pidReuse() throws {
    var scene = try sceneWithAgent()
    scene.fork(200, 300)
    scene.exit(300)
    scene.fork(100, 300)
    scene.read(300, "a.txt", 50)
    try scene.batch()
    let access = try #require(scene.accesses("/home/u/proj/a.txt").first)
    #expect(access.session == 1)
    #expect(access.attribution == .ambiguous)
    scene.read(300, "later.txt", 51)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/later.txt").isEmpty, "two batches later the pid is the bystander's alone")
  }

  @Test("an access in the batch in which its process became an agent is ambiguous")
  func acrossExec() throws {
    var scene = try Scene()
    scene.fork(100, 200)
    scene.read(200, "before-or-after.txt", 50)
    scene.exec(200, 11, "2.1.329", inode: 900)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/before-or-after.txt").first?.attribution == .ambiguous)
  }

  @Test("with CLONE_PARENT perf names the caller and the connector the grandparent: the child is the caller's")
  func cloneParent() throws {
    var scene = try Scene(connector: true)
    scene.connectorFork(100, 200)
    scene.fork(100, 200)
    scene.exec(200, 11, "2.1.329", inode: 900)
    try scene.batch()
    scene.connectorFork(100, 201)
    scene.fork(200, 201)
    scene.read(201, "a.txt", 50)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/a.txt").first?.session == 1)
    #expect(scene.incidents.isEmpty)
  }

  @Test("a fork that only one of two witnesses tells of is an incident")
  func oneWitness() throws {
    var scene = try Scene(connector: true)
    scene.fork(100, 200)
    try scene.batch()
    try scene.batch()
    #expect(scene.incidents.isEmpty, "the other may come with the next batch")
    try scene.batch()
    #expect(scene.incidents == ["fork-seen-by-one-witness"])
  }

  @Test("a hole in the connector's numbers is a gap of the connector's")
  func connectorHole() throws {
    var scene = try Scene(connector: true)
    scene.connectorFork(100, 200)
    scene.fork(100, 200)
    try scene.batch()
    scene.connectorFork(100, 201, skipping: 3)
    scene.fork(100, 201)
    try scene.batch()
    #expect(scene.gaps.map(\.source) == ["connector"])
  }

  @Test("a process whose birth nobody saw is nobody's, and so is what it does")
  func unknownPid() throws {
    var scene = try sceneWithAgent()
    scene.read(777, "a.txt", 50)
    try scene.batch()
    let access = try #require(scene.accesses("/home/u/proj/a.txt").first)
    #expect(access.session == nil)
    #expect(access.attribution == .unattributed)
  }

  @Test("what a look at /proc finds after a loss, with an agent running, may be anybody's")
  func afterLoss() throws {
    var scene = try sceneWithAgent()
    scene.lostPerf()
    scene.observe(Scene.process(400, parent: 1, "/usr/bin/cat", startedAt: 1_000_000_000))
    scene.observe(Scene.process(401, parent: 200, "/usr/bin/cat", startedAt: 1_000_000_000))
    try scene.batch()
    scene.read(400, "orphan.txt", 50)
    scene.read(401, "child.txt", 51)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/orphan.txt").first?.attribution == .unattributed)
    #expect(scene.accesses("/home/u/proj/child.txt").first?.attribution == .observed)
  }

  @Test("an exec that no opening explains makes a session of an unknown executable")
  func unexplained() throws {
    var scene = try Scene()
    scene.wait(seconds: 2)
    scene.fork(100, 200)
    scene.commit(200, maps: 4242)
    scene.read(200, "a.txt", 50)
    try scene.batch()
    #expect(scene.sessions.map(\.agent) == [Session.unknownExecutable])
    #expect(scene.accesses("/home/u/proj/a.txt").count == 1)
  }

  @Test("what was executed while the marks were being set is explained by what it maps, an agent too")
  func executedAtTheStart() throws {
    var scene = try Scene()
    scene.fork(100, 200)
    scene.commit(200, maps: 4242, as: "/usr/bin/something")
    scene.fork(100, 201)
    scene.commit(201, maps: 4243, as: "/home/u/.local/share/claude/versions/2.1.329")
    try scene.batch()
    #expect(scene.sessions.map(\.agent) == ["claude-code"])
    #expect(scene.sessions.map(\.root.pid) == [201])
  }

  @Test("the service's own accesses are nobody's")
  func ownAccesses() throws {
    var scene = try sceneWithAgent()
    scene.read(Scene.ownPid, "a.txt", 50)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/a.txt").isEmpty)
  }

  @Test("a loss runs from last seen empty to next seen empty, not to where its report stands")
  func overflowGap() throws {
    var scene = try sceneWithAgent()
    scene.overflow()
    try scene.batch(empty: false)
    #expect(scene.gaps.isEmpty, "the loss lasts until the queue is seen empty")
    try scene.batch()
    let gap = try #require(scene.gaps.first)
    #expect(gap.source == "fanotify")
    #expect(gap.time.seconds > 0)
  }

  @Test("a child that the launcher forked before it became the agent is nobody's")
  func launcherChild() throws {
    var scene = try Scene()
    scene.fork(100, 200)
    scene.exec(200, 10, "sh", inode: 60)
    scene.fork(200, 201)
    scene.exec(200, 11, "2.1.329", inode: 900)
    try scene.batch()
    scene.read(201, "a.txt", 50)
    try scene.batch()
    #expect(scene.sessions.map(\.root.pid) == [200])
    #expect(scene.accesses("/home/u/proj/a.txt").isEmpty)
  }

  @Test("an exec of the agent that failed makes nothing of the process's next exec")
  func failedThenOther() throws {
    var scene = try Scene()
    scene.fork(100, 200)
    scene.event(0x1020, 200, 11, "2.1.329", 900)
    try scene.batch()
    scene.exec(200, 10, "cat", inode: 60)
    scene.read(200, "a.txt", 50)
    try scene.batch()
    #expect(scene.sessions.isEmpty)
  }

  @Test("a pid whose former life ended before the batch is its present life's alone")
  func pidReusedLater() throws {
    var scene = try sceneWithAgent()
    scene.fork(200, 300)
    scene.exit(300)
    try scene.batch()
    try scene.batch()
    scene.fork(100, 300)
    scene.read(300, "a.txt", 50)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/a.txt").isEmpty)
  }

  @Test("an agent whose directory is gone when its name is asked for is known by what the kernel told at the exec")
  func installationRemoved() throws {
    var scene = try Scene()
    scene.fork(100, 200)
    scene.event(0x1020, 200, 77, "2.1.329", 900)
    scene.commit(200, maps: 900, as: "/home/u/.local/share/claude/versions/2.1.329")
    scene.read(200, "a.txt", 50)
    try scene.batch()
    #expect(scene.sessions.map(\.agent) == ["claude-code"])
  }
}
