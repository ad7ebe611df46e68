import Journal
import Records
import Testing

@testable import Lineage

struct InheritedTests {
  private static let file = FileIdentity(fileSystem: Scene.fileSystem, inode: 50, generation: 7)

  private func held(isRaw: Bool = false) -> HeldFile {
    HeldFile(identity: Self.file, path: Array("/home/u/proj/a.txt".utf8), isRaw: isRaw)
  }

  /// An agent (200) that holds these files when it is looked at.
  private func scene(_ files: [HeldFile], looked: UInt64 = 0, _ more: (inout Scene) -> Void = { _ in }) throws -> Scene
  {
    var scene = try Scene()
    scene.descriptors[200] = (looked, files)
    scene.fork(100, 200)
    scene.exec(200, 11, "2.1.329", inode: 900)
    more(&scene)
    return scene
  }

  private func inherited(_ scene: Scene) -> [Access] { scene.accesses.filter { $0.operations.contains(.inherited) } }

  @Test("what the first process holds when its session begins is held by the session, and no access")
  func atTheBeginning() throws {
    var scene = try scene([held()])
    try scene.batch()
    let found = try #require(inherited(scene).first)
    #expect(found.path == RawPath("/home/u/proj/a.txt"))
    #expect(found.operations == .inherited)
    #expect(found.session == 1)
    #expect(found.time.from == scene.sessions.first?.started)
    #expect(found.operations.answer(.any) == .didNot)
    try scene.batch()
    #expect(inherited(scene).count == 1)
  }

  @Test("a block device that it holds is one")
  func device() throws {
    var scene = try scene([held(isRaw: true)])
    try scene.batch()
    #expect(inherited(scene).map(\.operations) == [[.inherited, .rawDevice]])
  }

  @Test("what it has opened itself and not closed is not from outside, but for a second descriptor")
  func ownFile() throws {
    var scene = try scene([held()]) { $0.event(0x20, 200, 12, "a.txt", 50) }
    try scene.batch()
    #expect(inherited(scene).isEmpty)
    scene = try self.scene([held(), held()]) { $0.event(0x20, 200, 12, "a.txt", 50) }
    try scene.batch()
    #expect(inherited(scene).count == 1)
    scene = try self.scene([held()]) { $0.read(200, "a.txt", 50) }
    try scene.batch()
    #expect(inherited(scene).count == 1, "its own descriptor was closed")
  }

  @Test("a look waits for the events up to its time, and coverage waits for it")
  func later() throws {
    var scene = try scene([held()], looked: 1_000_020_500)
    try scene.batch(flush: false)
    #expect(inherited(scene).isEmpty)
    let began = try #require(scene.sessions.first).started
    #expect(scene.covered.allSatisfy { $0.to <= began })
    scene.event(0x20, 200, 12, "a.txt", 50)
    scene.wait(seconds: 1)
    try scene.batch(flush: false)
    try scene.batch(flush: true)
    #expect(inherited(scene).isEmpty, "it was opened by the session before the look")
    #expect(try #require(scene.covered.last).to > began)
  }

  @Test("a close of what the session never opened shows that it held it")
  func closedAlone() throws {
    var scene = try scene([])
    try scene.batch()
    scene.event(0x10, 200, 12, "a.txt", 50)
    try scene.batch()
    let found = try #require(inherited(scene).first)
    #expect(found.operations == [.inherited, .closedUnwritten])
    #expect(found.time.from == scene.sessions.first?.started)
  }

  @Test("closes of what somebody of the session opened show nothing", arguments: [true, false])
  func closedByAnother(flush: Bool) throws {
    var scene = try scene([])
    try scene.batch()
    scene.event(0x20, 200, 12, "a.txt", 50)
    scene.fork(200, 201)
    try scene.batch(flush: flush)
    scene.event(0x10, 201, 12, "a.txt", 50)
    try scene.batch(flush: flush)
    scene.event(0x10, 200, 12, "a.txt", 50)
    try scene.batch()
    #expect(inherited(scene).isEmpty)
  }

  @Test("a process that was there before the service is looked at when the service starts")
  func joinedLate() throws {
    var scene = try Scene(processes: [Scene.process(1, parent: 0, "/sbin/init")])
    scene.descriptors[300] = (0, [held()])
    scene.lostPerf()
    scene.observe(
      Scene.process(300, parent: 1, "/home/u/.local/share/claude/versions/2.1.1", startedAt: 600_000_000))
    try scene.batch()
    #expect(scene.sessions.count == 1)
    #expect(inherited(scene).count == 1)
  }

  // MARK: - Devices

  /// An agent (200) beside a file system of device nodes.
  private func devices() throws -> Scene {
    var scene = try scene([])
    scene.watch(0xdef, device: 6, type: "devtmpfs", at: "/dev")
    scene.paths[40] = "/dev"
    try scene.batch()
    return scene
  }

  @Test("a node of a block device is marked as one, also when it is gone before it is looked at; another is not")
  func nodes() throws {
    var scene = try devices()
    scene.nodes = ["/dev/sda": .raw, "/dev/gone": nil, "/dev/null": .other]
    for (name, inode) in [("sda", 60), ("gone", 61), ("null", 62)] as [(String, UInt64)] {
      scene.event(0x31, 200, 40, name, inode, system: 0xdef)
    }
    scene.read(200, "sda", 63)
    try scene.batch()
    func isRaw(_ path: String) -> Bool? { scene.accesses(path).first?.operations.contains(.rawDevice) }
    #expect(isRaw("/dev/sda") == true)
    #expect(isRaw("/dev/gone") == true)
    #expect(isRaw("/dev/null") == false)
    #expect(isRaw("/home/u/proj/sda") == false)
  }
}
