import Records
import Testing

@testable import Lineage

/// Coverage ends where the last canaries were seen.
struct HeartbeatTests {
  /// A scene in which process 300 makes canaries, of which one has been seen.
  private func sceneWithCanaries() throws -> Scene {
    var scene = try Scene(processes: [
      Scene.process(1, parent: 0, "/sbin/init"), Scene.process(100, parent: 1, "/usr/bin/bash"),
      Scene.process(300, parent: 1, "/usr/sbin/alibid"),
    ])
    scene.nursery(300)
    try scene.batch()
    beat(&scene, 301)
    try scene.batch()
    return scene
  }

  /// A canary, two forks below, opens a directory.
  private func beat(_ scene: inout Scene, _ pid: Int32, isSeen: Bool = true) {
    scene.fork(300, pid + 1000)
    scene.fork(pid + 1000, pid)
    scene.exit(pid + 1000)
    if isSeen { scene.event(0x4000_0020, pid, 12, ".", 12) }
    scene.exit(pid)
    scene.heartbeat([pid])
  }

  @Test("without canaries nothing more is vouched for; with them, up to the moment before they were made")
  func coverage() throws {
    var scene = try sceneWithCanaries()
    let first = try #require(scene.covered.last?.to)
    scene.read(100, "a.txt", 50)
    try scene.batch()
    #expect(scene.covered.last?.to == first, "a batch without a heartbeat adds nothing")
    beat(&scene, 302)
    try scene.batch()
    let second = try #require(scene.covered.last?.to)
    #expect(second > first)
    #expect(scene.covered.last?.from == first, "without a hole")
    #expect(scene.gaps.isEmpty)
    #expect(scene.incidents.isEmpty)
  }

  @Test("canaries are nobody's accesses and make no session")
  func nobody() throws {
    let scene = try sceneWithCanaries()
    #expect(scene.accesses.isEmpty)
    #expect(scene.sessions.isEmpty)
    #expect(scene.engine.openSessions == 0)
  }

  @Test("a canary that is missed leaves a gap of its file system, from the last that was seen to the next")
  func missed() throws {
    var scene = try sceneWithCanaries()
    let good = try #require(scene.covered.last?.to)
    beat(&scene, 302, isSeen: false)
    try scene.batch()
    #expect(scene.incidents == ["canary"])
    beat(&scene, 303, isSeen: false)
    try scene.batch()
    beat(&scene, 304)
    try scene.batch()
    let gaps = IntervalSet(scene.gaps.map(\.time))
    #expect(gaps.intervals.count == 1)
    #expect(gaps.intervals.first?.from == good)
    #expect(gaps.intervals.first?.to == scene.covered.last?.to)
    #expect(scene.gaps.allSatisfy { $0.source == "canary" && $0.fileSystem == Scene.fileSystem })
    #expect(scene.incidents == ["canary"], "told once")
    beat(&scene, 305)
    try scene.batch()
    #expect(IntervalSet(scene.gaps.map(\.time)).intervals == gaps.intervals)
  }

  @Test("as long as the queue was not seen empty, a canary may still be in it")
  func stillWaiting() throws {
    var scene = try sceneWithCanaries()
    beat(&scene, 302, isSeen: false)
    try scene.batch(empty: false)
    #expect(scene.gaps.isEmpty)
    scene.event(0x4000_0020, 302, 12, ".", 12)
    try scene.batch()
    #expect(scene.gaps.isEmpty)
    #expect(scene.incidents.isEmpty)
  }

  @Test("a mark that the kernel does not list, and a canary that could not be made, are gaps too")
  func otherTroubles() throws {
    var scene = try sceneWithCanaries()
    scene.fork(300, 302)
    scene.event(0x4000_0020, 302, 12, ".", 12)
    scene.heartbeat([302], isMarked: false)
    try scene.batch()
    #expect(scene.gaps.map(\.reason) == ["the kernel does not list the mark"])
    scene.heartbeat([303], error: 2)
    try scene.batch()
    #expect(scene.gaps.last?.reason == "no canary could be made there")
  }

  @Test("a session that got the number of a canary within one batch has its accesses told")
  func reusedNumber() throws {
    var scene = try sceneWithCanaries()
    beat(&scene, 302)
    scene.fork(100, 302)
    scene.exec(302, 11, "2.1.329", inode: 900)
    scene.read(302, "a.txt", 50)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/a.txt").map(\.session) == [1])
    #expect(scene.incidents.isEmpty)
  }

  @Test("where another process makes canaries from now on, those of the one before still count, until it ends")
  func anotherNursery() throws {
    var scene = try sceneWithCanaries()
    scene.fork(100, 400)
    beat(&scene, 302)
    scene.nursery(400)
    try scene.batch()
    scene.fork(400, 304)
    scene.event(0x4000_0020, 304, 12, ".", 12)
    scene.heartbeat([304])
    try scene.batch()
    #expect(scene.gaps.isEmpty)
    #expect(scene.incidents.isEmpty)
    scene.exit(300)
    // Somebody else gets its number, and is no maker of canaries.
    scene.fork(100, 300)
    scene.exec(300, 11, "2.1.329", inode: 900)
    scene.fork(300, 303)
    scene.read(303, "a.txt", 50)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/a.txt").map(\.session) == [1])
  }

  @Test("seals say how many canaries were seen, and both clocks")
  func seals() throws {
    var scene = try sceneWithCanaries()
    scene.wait(seconds: 61)
    beat(&scene, 302)
    try scene.batch()
    let seals = scene.findings.compactMap { if case .seal(let seal) = $0 { seal } else { nil } }
    #expect(seals.count == 2)
    let last = try #require(seals.last)
    #expect(last.canariesSent == 1 && last.canariesSeen == 1)
    #expect(last.fileSystems.map(\.hasCanary) == [true])
    #expect(last.bootTo - last.bootFrom >= 61_000_000_000)
    #expect(seals.first?.time.to == last.time.from)
  }

  @Test("a wall clock that is set leaves a gap over both times; slewing does not", arguments: [3600, -3600] as [Int64])
  func clockStep(seconds: Int64) throws {
    var scene = try sceneWithCanaries()
    scene.clock = 1_000_000
    beat(&scene, 302)
    try scene.batch()
    #expect(scene.gaps.isEmpty)
    scene.clock += seconds * 1_000_000_000
    beat(&scene, 303)
    try scene.batch()
    #expect(scene.incidents == ["clock-set"])
    let gap = try #require(scene.gaps.first)
    #expect(gap.source == "clock")
    #expect(abs(gap.time.seconds - 3600) < 1)
  }
}
