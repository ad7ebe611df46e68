import Journal
import Records
import Testing

@testable import Lineage

@Suite("Other processes' memory")
struct MemoryTests {
  /// An agent (200) with a child (201), and somebody else (300) with another (301).
  private func scene() throws -> Scene {
    var scene = try Scene()
    scene.fork(100, 200)
    scene.exec(200, 11, "2.1.329", inode: 900)
    scene.fork(200, 201)
    scene.fork(100, 300)
    scene.fork(100, 301)
    try scene.batch()
    return scene
  }

  private func reached(_ scene: Scene) -> [Access] { scene.accesses.filter { $0.operations.contains(.rawDevice) } }

  private func touch(_ scene: inout Scene, _ pid: Int32, _ path: String, mask: UInt64 = 1) {
    let now = scene.now
    scene.add(
      MemoryEvent(mask: mask, pid: pid, inode: path.isEmpty ? 0 : 70, path: Array(path.utf8), since: now, until: now))
  }

  @Test("a session that reads somebody's memory or environment may have reached any file's content")
  func others() throws {
    for place in ["/proc/300/mem", "/proc/300/environ", "/proc/300/task/302/environ", "/proc/kcore", "/p/300/mem"] {
      var scene = try scene()
      touch(&scene, 201, place)
      try scene.batch()
      let found = try #require(reached(scene).first, "\(place)")
      #expect(found.operations == [.read, .rawDevice] && found.session == 1 && found.path == RawPath(place.utf8))
    }
    var scene = try scene()
    touch(&scene, 201, "/proc/300/mem", mask: 2)
    try scene.batch()
    #expect(reached(scene).first?.operations == [.write, .rawDevice])
  }

  @Test("a session's own processes, and what others read of others, are nothing")
  func own() throws {
    var scene = try scene()
    for place in ["/proc/201/environ", "/proc/200/mem", "/proc/200/task/200/mem"] { touch(&scene, 201, place) }
    touch(&scene, 300, "/proc/301/mem")
    touch(&scene, 300, "/proc/200/mem")
    try scene.batch()
    #expect(reached(scene).isEmpty)
  }

  @Test("of a process that was gone before anybody looked it counts where somebody outside ended then")
  func gone() throws {
    var scene = try scene()
    touch(&scene, 201, "")
    scene.exit(201)
    try scene.batch()
    #expect(reached(scene).isEmpty, "the reader's own")
    scene = try self.scene()
    touch(&scene, 201, "")
    scene.exit(300)
    try scene.batch()
    #expect(reached(scene).count == 1 && reached(scene).first?.path == nil)
    scene = try self.scene()
    let asked = scene.now
    touch(&scene, 201, "")
    scene.exit(201)
    try scene.batch()
    #expect(try #require(scene.engine.vouchedTo) <= asked, "it is not clear yet")
    scene.exit(300)
    try scene.batch()
    #expect(reached(scene).count == 1, "whose end was told later than that of its memory")
    scene = try self.scene()
    touch(&scene, 201, "")
    try scene.batch()
    scene.wait(seconds: 1)
    try scene.batch()
    #expect(reached(scene).count == 1, "nobody of the session ended")
  }

  @Test("who works for a session reaches memory for it")
  func deputies() throws {
    var scene = try scene()
    scene.event(0x2, 201, 12, "script", 50)
    try scene.batch()
    scene.read(300, "script", 50)
    try scene.batch()
    touch(&scene, 300, "/proc/301/mem")
    try scene.batch()
    let found = try #require(reached(scene).first)
    #expect(found.operations == [.read, .rawDevice, .influenced])
    touch(&scene, 300, "/proc/301/environ")
    touch(&scene, 300, "")
    scene.exit(300)
    try scene.batch()
    #expect(reached(scene).count == 1, "but no environment, and its own as it ends")
  }
}
