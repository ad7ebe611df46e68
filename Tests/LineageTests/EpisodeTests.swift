import Records
import Testing

@testable import Lineage

struct EpisodeTests {
  private func sceneWithAgent() throws -> Scene {
    var scene = try Scene()
    scene.paths[13] = "/home/u/other"
    scene.fork(100, 200)
    scene.exec(200, 11, "2.1.329", inode: 900)
    try scene.batch()
    return scene
  }

  @Test("a close alone is no access")
  func closeAlone() throws {
    var scene = try sceneWithAgent()
    scene.event(0x8, 200, 12, "a.txt", 50)
    scene.event(0x10, 200, 12, "b.txt", 51)
    try scene.batch()
    let closed = scene.accesses.filter { $0.path?.parent == RawPath("/home/u/proj") }
    #expect(closed.map(\.operations) == [[.inherited, .closedWritable], [.inherited, .closedUnwritten]])
    #expect(closed.allSatisfy { $0.operations.answer(.any) == .didNot }, "it was held, and that is all")
  }

  @Test("repeats within an episode are counted, not repeated")
  func repeats() throws {
    var scene = try sceneWithAgent()
    scene.event(0x20, 200, 12, "a.txt", 50)
    scene.event(0x1, 200, 12, "a.txt", 50)
    try scene.batch(flush: false)
    scene.event(0x1, 200, 12, "a.txt", 50)
    try scene.batch(flush: false)
    scene.event(0x10, 200, 12, "a.txt", 50)
    try scene.batch(flush: false)
    let access = try #require(scene.accesses("/home/u/proj/a.txt").first)
    #expect(scene.accesses("/home/u/proj/a.txt").count == 1)
    #expect(access.operations == [.open, .read, .closedUnwritten])
    #expect(access.count == 3)
  }

  @Test("a rename is told under both names, and the file it replaced lost its own")
  func rename() throws {
    var scene = try sceneWithAgent()
    scene.event(0x1000_0000, 200, 12, "new.tmp", 50, to: (12, "target.txt"))
    scene.event(0x4, 200, nil, "", 49)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/new.tmp").map(\.operations) == [.renameFrom])
    let target = scene.accesses("/home/u/proj/target.txt")
    #expect(Set(target.map(\.operations)) == [.renameTo, .delete])
    let replaced = try #require(target.first(where: { $0.operations == .delete }))
    #expect(replaced.identity.inode == 49)
  }

  @Test("a link is told from a creation by the link count that changed with it")
  func link() throws {
    var scene = try sceneWithAgent()
    scene.event(0x100, 200, 12, "hard.txt", 50)
    scene.event(0x4, 200, nil, "", 50)
    scene.event(0x100 | 0x20, 200, 12, "made.txt", 51)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/hard.txt").map(\.operations) == [.link])
    #expect(scene.accesses("/home/u/proj/made.txt").map(\.operations) == [[.create, .open]])
    #expect(scene.names.map(\.to) == [RawPath("/home/u/proj/hard.txt")])
  }

  @Test("names that anybody changes are kept, without the person")
  func namesByAnybody() throws {
    var scene = try sceneWithAgent()
    scene.event(0x1000_0000, 100, 12, "a.txt", 50, to: (13, "b.txt"))
    try scene.batch()
    let change = try #require(scene.names.first)
    #expect(change.from == RawPath("/home/u/proj/a.txt"))
    #expect(change.to == RawPath("/home/u/other/b.txt"))
    #expect(scene.accesses("/home/u/other/b.txt").isEmpty)
  }

  @Test("a directory renamed to and fro beneath one whose path was told later is not put together ever longer")
  func renamedIntoItself() throws {
    var scene = try Scene()
    // Told after the batch: by then it had been moved into the other.
    scene.paths[20] = "/home/u/proj/a/d"
    for _ in 0..<12 {
      scene.event(0x5000_0000, 100, 12, "a", 21, to: (20, "a"))
      scene.event(0x5000_0000, 100, 20, "a", 21, to: (12, "a"))
    }
    try scene.batch()
    let names = scene.findings.compactMap { if case .name(let change) = $0 { change.to } else { nil } }
    #expect(names.count == 24)
    #expect(names.allSatisfy { ["/home/u/proj/a", "/home/u/proj/a/d/a"].contains($0.description) })
  }

  @Test("a directory renamed within the batch gives an access both paths")
  func directoryRename() throws {
    var scene = try sceneWithAgent()
    scene.read(200, "early.txt", 55)
    try scene.batch()
    scene.event(0x5000_0000, 100, 2, "proj", 12, to: (2, "moved"))
    scene.read(200, "a.txt", 50)
    try scene.batch()
    let paths = scene.accesses.filter { $0.identity.inode == 50 }.compactMap(\.path)
    #expect(Set(paths) == [RawPath("/moved/a.txt"), RawPath("/proj/a.txt")])
    scene.read(200, "late.txt", 56)
    try scene.batch()
    #expect(scene.accesses("/moved/late.txt").count == 1)
  }

  @Test("a new directory's name comes from its creation, though it is gone when asked for")
  func newDirectory() throws {
    var scene = try sceneWithAgent()
    scene.event(0x4000_0100, 200, 12, "tmp.X", 999)
    scene.read(200, "a.txt", 50, in: 999)
    scene.event(0x4000_0200, 200, 12, "tmp.X", 999)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/tmp.X/a.txt").count == 1)
  }

  @Test("an access in a directory nobody can name keeps its identity and its name")
  func unresolvable() throws {
    var scene = try sceneWithAgent()
    scene.read(200, "a.txt", 50, in: 888)
    try scene.batch()
    let access = try #require(scene.accesses.first { $0.identity.inode == 50 })
    #expect(access.path == nil)
    #expect(access.name == RawPath("a.txt"))
  }

  @Test("a mapping of an inherited descriptor is an access, and a shared writable one could have written")
  func mapping() throws {
    var scene = try sceneWithAgent()
    scene.map(200, 77, "/home/u/proj/inherited.txt")
    scene.map(200, 78, "/home/u/proj/shared.bin", writable: true)
    scene.map(100, 79, "/home/u/proj/person.txt")
    scene.map(200, 80, "/memfd:x (deleted)", device: 1)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/inherited.txt").map(\.operations) == [[.read, .mapped]])
    #expect(scene.accesses("/home/u/proj/shared.bin").map(\.operations) == [[.read, .mapWritable, .mapped]])
    #expect(scene.accesses("/home/u/proj/person.txt").isEmpty)
    #expect(!scene.accesses.contains { $0.identity.inode == 80 })
  }

  @Test("a path of bytes that are no text is kept byte for byte")
  func hostileName() throws {
    var scene = try sceneWithAgent()
    scene.event(0x31, 200, 12, "new\nline \u{202e}gpj", 50)
    try scene.batch()
    let access = try #require(scene.accesses.first { $0.identity.inode == 50 })
    #expect(access.path == RawPath("/home/u/proj/new\nline \u{202e}gpj"))
  }

  @Test("the same journal gives the same findings")
  func deterministic() throws {
    func run() throws -> [Finding] {
      var scene = try sceneWithAgent()
      for index in 0..<50 { scene.read(200, "f\(index)", 1000 + UInt64(index)) }
      try scene.batch()
      return scene.findings
    }
    #expect(try run() == run())
  }
}
