import Records
import Testing

@testable import Lineage

struct HeldTests {
  /// A person's shell (100) and an agent (200) with its first file mapped.
  private func scene() throws -> Scene {
    var scene = try Scene()
    scene.fork(100, 200)
    scene.exec(200, 11, "2.1.329", inode: 900)
    try scene.batch()
    return scene
  }

  private func processes(_ scene: Scene) -> [ProcessRecord] {
    scene.findings.compactMap { if case .process(let record) = $0 { record } else { nil } }
  }

  private func released(_ scene: Scene) -> [Int64] {
    scene.findings.compactMap { if case .released(let space, _) = $0 { space } else { nil } }
  }

  private func closed(_ scene: Scene) -> [UInt64] {
    scene.findings.compactMap { if case .closed(_, let file, _) = $0 { file.inode } else { nil } }
  }

  @Test("an address space lives until everybody forked from it without an exec has exited or executed something")
  func family() throws {
    var scene = try scene()
    let root = try #require(processes(scene).last)
    #expect(root.space == root.id)
    scene.fork(200, 201)
    scene.fork(201, 202)
    scene.fork(200, 203)
    try scene.batch()
    scene.exit(200)
    scene.exit(201)
    try scene.batch()
    #expect(released(scene).isEmpty)
    scene.exec(203, 10, "cat", inode: 901)
    try scene.batch()
    #expect(released(scene).isEmpty)
    scene.exit(202)
    try scene.batch()
    #expect(released(scene) == [root.space])
    scene.exit(203)
    try scene.batch()
    #expect(released(scene).count == 2)
    #expect(scene.engine.spaces.isEmpty)
  }

  @Test("a child's own mapping is held by the family, and its record says which")
  func child() throws {
    var scene = try scene()
    let root = try #require(processes(scene).last)
    scene.fork(200, 201)
    scene.map(201, 70, "/home/u/proj/data")
    try scene.batch()
    let record = try #require(processes(scene).first { $0.key.pid == 201 })
    #expect(record.space == root.space)
    let access = try #require(scene.accesses("/home/u/proj/data").first)
    #expect(access.process == record.id && access.operations.contains(.mapped))
  }

  @Test("what two programs of one process map is held for each one's time")
  func programs() throws {
    var scene = try scene()
    scene.map(200, 70, "/home/u/proj/data")
    scene.exec(200, 11, "2.1.330", inode: 902)
    scene.map(200, 70, "/home/u/proj/data")
    try scene.batch()
    let holders = scene.accesses("/home/u/proj/data").compactMap(\.process)
    #expect(holders.count == 2 && Set(holders).count == 2)
    #expect(released(scene) == holders.dropLast())
  }

  @Test("bystanders have no address spaces")
  func bystander() throws {
    var scene = try Scene()
    scene.fork(100, 300)
    scene.exec(300, 10, "cat", inode: 901)
    scene.map(300, 70, "/home/u/proj/data")
    scene.exit(300)
    try scene.batch()
    #expect(scene.engine.spaces.isEmpty && released(scene).isEmpty)
  }

  @Test("a close by any process of the session ends what was left open, and its own open's close does not")
  func descriptors() throws {
    var scene = try scene()
    scene.event(0x20, 200, 12, "a.txt", 50)
    try scene.batch()
    scene.fork(200, 201)
    scene.event(0x20, 201, 12, "a.txt", 50)
    try scene.batch(flush: false)
    scene.event(0x10, 201, 12, "a.txt", 50)
    try scene.batch()
    #expect(closed(scene).isEmpty)
    scene.event(0x10, 201, 12, "a.txt", 50)
    try scene.batch()
    #expect(closed(scene) == [50])
    scene.event(0x10, 201, 12, "a.txt", 50)
    try scene.batch()
    #expect(closed(scene) == [50])
    #expect(!scene.engine.leftOpen.contains { $0.identity.inode == 50 })
  }

  @Test("the end of a session ends what it left open")
  func sessionEnd() throws {
    var scene = try scene()
    scene.event(0x20, 200, 12, "a.txt", 50)
    try scene.batch()
    #expect(scene.engine.leftOpen.contains { $0.identity.inode == 50 })
    scene.exit(200)
    try scene.batch()
    try scene.batch()
    #expect(scene.ended == [1])
    #expect(scene.engine.leftOpen.isEmpty)
  }

  private func survivor(_ pid: Int32, _ record: Int64, space: Int64? = nil) throws -> Survivor {
    let session = try #require(try self.scene().sessions.first)
    return Survivor(
      key: ProcessKey(pid: pid, startedAt: 500, provenance: .observed), session: session, record: record, space: space)
  }

  @Test("after a restart the spaces of those who are gone are released, and those of the living when they go")
  func restart() throws {
    var scene = try Scene(
      survivors: [survivor(200, 40), survivor(201, 41, space: 40), survivor(202, 42)],
      processes: [Scene.process(1, parent: 0, "/sbin/init"), Scene.process(201, parent: 1, "/bin/sh")])
    #expect(released(scene) == [42])
    scene.exit(201)
    try scene.batch()
    #expect(released(scene) == [42, 40])
  }

  @Test("where somebody was born that nobody can tell, no inherited space is ever known to be free")
  func orphans() throws {
    var scene = try Scene(
      survivors: [survivor(200, 40), survivor(202, 42)],
      processes: [
        Scene.process(1, parent: 0, "/sbin/init"), Scene.process(200, parent: 1, "/bin/sh"),
        Scene.process(777, parent: 1, "/bin/sh", startedAt: 900_000_000),
      ], watchedBefore: 800_000_000)
    #expect(released(scene).isEmpty)
    scene.exit(200)
    try scene.batch()
    #expect(released(scene).isEmpty)
  }
}
