import Journal
import Records
import Testing

@testable import Lineage

@Suite("Whom a session asks, and whom those ask in turn")
struct ContactTests {
  /// An agent (200), a server (400), what is behind it (500, 600), and a shell (300) that has nothing to do with them.
  private func scene() throws -> Scene {
    var scene = try Scene()
    for (pid, directory, name, inode) in [
      (200, 11, "2.1.329", 900), (300, 10, "bash", 901), (400, 10, "server", 902), (500, 10, "database", 903),
      (600, 10, "resolver", 904), (700, 10, "manager", 905), (800, 10, "backup", 906),
    ] as [(Int32, UInt64, String, UInt64)] {
      scene.fork(100, pid)
      scene.exec(pid, directory, name, inode: inode)
    }
    scene.listeners[.local(Array("/run/door".utf8))] = [400]
    scene.listeners[.local(Array("/run/data".utf8))] = [500]
    scene.audit([(1305, "op=add_rule key=\"alibi-exec\" list=4 res=1")])
    try scene.batch()
    return scene
  }

  private func isKept(_ scene: Scene, _ name: String) -> Bool {
    scene.accesses("/home/u/proj/" + name).contains { $0.operations.contains(.contacted) && $0.session == 1 }
  }

  private func connect(_ scene: inout Scene, _ pid: Int32, _ name: String) {
    scene.audit([AuditText.call(42, pid, "alibi-connect", a0: "3"), AuditText.address("/run/\(name)")])
  }

  private func accept(_ scene: inout Scene, _ pid: Int32) {
    scene.audit([AuditText.call(288, pid, "alibi-accept", exit: 4, a0: "3")])
  }

  @Test("what a server was connected with before is asked, too, but not through one that answers for itself")
  func behind() throws {
    var scene = try scene()
    scene.connections = [(400, 500), (400, 600), (600, 800)]
    connect(&scene, 200, "door")
    for (pid, name) in [(500, "behind"), (600, "resolver"), (800, "beyond"), (300, "other")] as [(Int32, String)] {
      scene.read(pid, name, UInt64(pid))
    }
    try scene.batch()
    #expect(isKept(scene, "behind") && isKept(scene, "resolver"))
    #expect(!isKept(scene, "beyond") && !isKept(scene, "other"))
  }

  @Test("what a server has open or mapped when it is asked it may answer out of; what it has closed, is another matter")
  func held() throws {
    var scene = try scene()
    let file = FileIdentity(fileSystem: Scene.fileSystem, inode: 60, generation: 7)
    let held = HeldFile(identity: file, path: Array("/home/u/proj/data".utf8), isRaw: false)
    let device = HeldFile(
      identity: FileIdentity(fileSystem: 9, inode: 5, generation: 0), path: Array("/dev/sdx".utf8), isRaw: true)
    scene.held = [400: [held, held, device], 300: [HeldFile(identity: file, path: Array("/x".utf8), isRaw: false)]]
    scene.read(400, "closed", 61)
    try scene.batch()
    scene.wait(seconds: 1)
    try scene.batch()
    connect(&scene, 200, "door")
    try scene.batch()
    let found = scene.accesses("/home/u/proj/data")
    #expect(found.map(\.operations) == [[.contacted, .inherited]] && found.first?.session == 1)
    #expect(found.first?.operations.isInheritedStill == true && !isKept(scene, "closed"))
    #expect(scene.accesses("/dev/sdx").map(\.operations) == [[.contacted, .inherited, .rawDevice]])
    #expect(scene.accesses("/x").isEmpty)
    connect(&scene, 200, "door")
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/data").count == 1, "it is known already")
  }

  @Test("what a server closes before anybody looks it had open when it was asked")
  func heldAndClosed() throws {
    var scene = try scene()
    scene.wait(seconds: 1)
    try scene.batch()
    connect(&scene, 200, "door")
    scene.event(0x10, 400, 12, "data", 60)
    scene.event(0x10, 300, 12, "other", 61)
    scene.event(0x10, 400, 99, "nowhere", 62)
    try scene.batch()
    let found = scene.accesses("/home/u/proj/data")
    let gone = try #require(scene.accesses.first { $0.identity.inode == 62 })
    #expect(gone.path == nil && gone.name == RawPath("nowhere"), "it can be no file of another name")
    #expect(found.map(\.operations) == [[.contacted, .inherited, .closedUnwritten]])
    #expect(scene.accesses("/home/u/proj/other").isEmpty)
  }

  @Test("what a server had open or mapped that is gone at once may have been anything, but not what was born for that")
  func heldByGone() throws {
    for isOld in [true, false] {
      var scene = try scene()
      scene.wait(seconds: 1)
      try scene.batch()
      if !isOld { scene.listeners[.local(Array("/run/door".utf8))] = [410] }
      connect(&scene, 200, "door")
      if !isOld { scene.fork(400, 410) }
      scene.exit(isOld ? 400 : 410)
      try scene.batch()
      let found = scene.accesses.filter { $0.operations.contains(.rawDevice) }
      #expect(found.map(\.operations) == (isOld ? [[.contacted, .rawDevice]] : []))
    }
  }

  @Test("whom a server connects to after it was asked is asked, too; whom it had nothing to do with is not")
  func onward() throws {
    var scene = try scene()
    connect(&scene, 400, "data")
    scene.read(500, "early", 50)
    try scene.batch()
    #expect(!isKept(scene, "early"))
    connect(&scene, 200, "door")
    connect(&scene, 400, "data")
    scene.read(500, "late", 51)
    scene.read(300, "other", 52)
    try scene.batch()
    #expect(isKept(scene, "late") && !isKept(scene, "other"))
  }

  @Test(
    "a server that was gone before it was looked for is whoever accepted a connection then; the session's own is not")
  func accepted() throws {
    var scene = try scene()
    scene.listeners[.local(Array("/run/door".utf8))] = []
    scene.wait(seconds: 1)
    try scene.batch()
    connect(&scene, 200, "door")
    accept(&scene, 200)
    scene.read(300, "own", 50)
    try scene.batch()
    scene.wait(seconds: 1)
    try scene.batch()
    #expect(!isKept(scene, "own") && !scene.incidents.contains("contact-gone"))
    scene.wait(seconds: 3)
    try scene.batch()
    connect(&scene, 200, "door")
    // It asks another one before anybody knows that it was asked.
    connect(&scene, 400, "data")
    scene.read(500, "behind", 51)
    try scene.batch()
    accept(&scene, 400)
    scene.read(300, "other", 52)
    try scene.batch()
    scene.read(400, "later", 53)
    scene.wait(seconds: 1)
    try scene.batch()
    #expect(isKept(scene, "behind") && isKept(scene, "later") && !isKept(scene, "other"))
    #expect(scene.incidents.contains("contact-gone"))
  }

  @Test("whoever reads a terminal into which a session puts keys; whoever has the other end of a socket it began with")
  func inherited() throws {
    var scene = try scene()
    scene.readers["pts0"] = [300, 200]
    scene.audit([AuditText.call(16, 200, "alibi-terminal", a0: "0", a1: "5412")])
    scene.read(300, "typed", 50)
    scene.read(800, "other", 51)
    try scene.batch()
    #expect(isKept(scene, "typed") && !isKept(scene, "other"))
    scene.connections = [(900, 500)]
    scene.fork(100, 900)
    scene.exec(900, 11, "2.1.329", inode: 900)
    scene.read(500, "editor", 52)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/editor").contains { $0.operations.contains(.contacted) && $0.session == 2 })
  }

  @Test("with whom a server was connected who had ended before anybody looked: it may have been any that ended then")
  func departed() throws {
    var scene = try scene()
    scene.wait(seconds: 1)
    try scene.batch()
    connect(&scene, 200, "door")
    scene.read(500, "gone", 50)
    scene.read(800, "living", 51)
    scene.exit(500)
    try scene.batch()
    scene.wait(seconds: 1)
    scene.fork(300, 301)
    scene.read(301, "later", 52)
    scene.exit(301)
    try scene.batch()
    try scene.batch()
    #expect(isKept(scene, "gone") && !isKept(scene, "living") && !isKept(scene, "later"))
  }

  @Test("who was born of a server before lineage told of it, and whom nobody ever tells of")
  func newborn() throws {
    var scene = try scene()
    scene.listeners[.local(Array("/run/door".utf8))] = [400, 401]
    connect(&scene, 200, "door")
    try scene.batch()
    scene.fork(400, 401)
    scene.read(401, "child", 50)
    scene.read(300, "other", 51)
    try scene.batch()
    #expect(isKept(scene, "child") && !isKept(scene, "other"))
    #expect(!scene.incidents.contains("contact-gone"))
    scene.listeners[.local(Array("/run/door".utf8))] = [999]
    connect(&scene, 200, "door")
    scene.fork(300, 301)
    scene.read(300, "suspect", 52)
    try scene.batch()
    scene.wait(seconds: 1)
    try scene.batch()
    scene.read(301, "later", 53)
    try scene.batch()
    #expect(scene.incidents.contains("contact-gone"))
    #expect(isKept(scene, "suspect") && isKept(scene, "later"))
  }

  @Test("who holds a server's socket only to start it is asked where the server does not hold it")
  func manager() throws {
    var scene = try scene()
    scene.listeners[.local(Array("/run/door".utf8))] = [400, 700]
    connect(&scene, 200, "door")
    scene.read(700, "first", 50)
    try scene.batch()
    #expect(!isKept(scene, "first"))
    scene.listeners[.local(Array("/run/door".utf8))] = [700]
    connect(&scene, 200, "door")
    scene.read(700, "second", 51)
    try scene.batch()
    #expect(isKept(scene, "second"))
  }
}
