import Records
import Testing

@testable import Lineage

struct NameTests {
  private static let create: UInt64 = 0x100 | 0x20 | 0x2 | 0x8
  private static let delete: UInt64 = 0x200
  private static let count: UInt64 = 0x4
  private static let gone: UInt64 = 0x4 | 0x400
  private static let rename: UInt64 = 0x1000_0000
  private static let directory: UInt64 = 0x4000_0000

  /// A person (100) and an agent (200).
  private func scene() throws -> Scene {
    var scene = try Scene()
    scene.paths[13] = "/home/u/other"
    scene.fork(100, 200)
    scene.exec(200, 11, "2.1.329", inode: 900)
    try scene.batch()
    return scene
  }

  private func file(_ inode: UInt64) -> FileIdentity {
    FileIdentity(fileSystem: Scene.fileSystem, inode: inode, generation: 7)
  }

  /// The kernel's order: the loss of the link, the end of the file, the removal of the entry.
  private func remove(_ scene: inout Scene, _ pid: Int32, _ name: String, _ inode: UInt64, held: Bool = false) {
    scene.event(held ? Self.count : Self.gone, pid, nil, "", inode)
    scene.event(Self.delete, pid, 12, name, inode)
  }

  private func replace(
    _ scene: inout Scene, _ pid: Int32, _ from: String, _ inode: UInt64, _ to: String, _ old: UInt64
  ) {
    scene.event(Self.rename, pid, 12, from, inode, to: (12, to))
    scene.event(Self.gone, pid, nil, "", old)
  }

  @Test("a file that somebody removes, and one that somebody replaces, leave how they were called")
  func endings() throws {
    var scene = try scene()
    remove(&scene, 100, "a.txt", 50)
    replace(&scene, 100, "b.tmp", 52, "b.txt", 51)
    try scene.batch()
    #expect(
      Set(scene.names.map { [$0.from?.description, $0.to?.description] }) == [
        ["/home/u/proj/a.txt", nil], ["/home/u/proj/b.tmp", "/home/u/proj/b.txt"], ["/home/u/proj/b.txt", nil],
      ])
    #expect(scene.names.first { $0.from == RawPath("/home/u/proj/b.txt") }?.identity == file(51))
    #expect(scene.names.allSatisfy { $0.isSure })
    #expect(scene.names.first { $0.identity == file(50) }?.kind == .file)
  }

  @Test("what was born, renamed and removed untouched leaves nothing, in one batch or in several")
  func churn() throws {
    var scene = try scene()
    for inode in 1000..<1200 as Range<UInt64> {
      scene.event(Self.create, 100, 12, "t\(inode)", inode)
      if inode % 3 == 0 { try scene.batch() }
      scene.event(Self.rename, 100, 12, "t\(inode)", inode, to: (12, "u\(inode)"))
      if inode % 5 == 0 { try scene.batch() }
      remove(&scene, 100, "u\(inode)", inode)
    }
    try scene.batch()
    #expect(scene.names.count == 0)
    #expect(scene.engine.newborns.young.isEmpty)
  }

  @Test("one that a session touched, before or after its rename, leaves every name it had")
  func touched() throws {
    var scene = try scene()
    scene.event(Self.create, 100, 12, "t", 50)
    try scene.batch()
    scene.event(Self.rename, 100, 12, "t", 50, to: (12, "u"))
    try scene.batch()
    #expect(scene.names.isEmpty)
    scene.read(200, "u", 50)
    try scene.batch()
    remove(&scene, 100, "u", 50)
    try scene.batch()
    #expect(
      scene.names.map { [$0.from?.description, $0.to?.description] } == [
        ["/home/u/proj/t", "/home/u/proj/u"], ["/home/u/proj/u", nil],
      ])
  }

  @Test("a removal that stands before the access in its batch is settled after it")
  func removalBeforeAccess() throws {
    var scene = try scene()
    scene.event(Self.create, 100, 12, "t", 50)
    try scene.batch()
    remove(&scene, 100, "t", 50)
    scene.read(200, "t", 50)
    try scene.batch()
    #expect(scene.names.map(\.from) == [RawPath("/home/u/proj/t")])
  }

  @Test("a file removed while somebody holds it may still be handed to a session: then its name is told")
  func heldAfterRemoval() throws {
    var scene = try scene()
    scene.event(Self.create, 100, 12, "t", 50)
    remove(&scene, 100, "t", 50, held: true)
    scene.event(Self.create, 100, 12, "v", 51)
    remove(&scene, 100, "v", 51, held: true)
    try scene.batch()
    #expect(scene.names.isEmpty)
    scene.event(0x400, 100, nil, "", 51)
    try scene.batch()
    #expect(scene.engine.newborns[file(51)] == nil)
    scene.event(0x1, 200, nil, "", 50)
    try scene.batch()
    #expect(scene.names.map(\.from) == [RawPath("/home/u/proj/t")])
    #expect(scene.names.map(\.identity) == [file(50)])
  }

  @Test("a mapping by a session, and an access by a process nobody knows, touch a file too")
  func otherTouches() throws {
    var scene = try scene()
    for inode in [50, 51] as [UInt64] { scene.event(Self.create, 100, 12, "t\(inode)", inode) }
    try scene.batch()
    scene.map(200, 50, "/home/u/proj/t50")
    scene.read(999, "t51", 51)
    try scene.batch()
    for inode in [50, 51] as [UInt64] { remove(&scene, 100, "t\(inode)", inode) }
    try scene.batch()
    #expect(scene.names.map(\.identity) == [file(50), file(51)])
  }

  @Test("a linked file leaves all its names, whoever linked it")
  func linked() throws {
    var scene = try scene()
    scene.event(Self.create, 100, 12, "t", 50)
    try scene.batch()
    scene.event(Self.count, 100, nil, "", 50)
    // The batch may end between the two.
    try scene.batch()
    scene.event(0x100, 100, 12, "l", 50)
    try scene.batch()
    remove(&scene, 100, "t", 50, held: true)
    remove(&scene, 100, "l", 50)
    try scene.batch()
    #expect(
      scene.names.map { [$0.from?.description, $0.to?.description] } == [
        [nil, "/home/u/proj/l"], ["/home/u/proj/t", nil], ["/home/u/proj/l", nil],
      ])
    #expect(scene.names.first?.kind == .file)
  }

  @Test("which rename replaced a file is sure only where one can have")
  func ambiguous() throws {
    var scene = try scene()
    // Two threads: the events of their renames stand together.
    scene.event(Self.rename, 100, 12, "a.tmp", 60, to: (12, "a"))
    scene.event(Self.rename, 100, 12, "b.tmp", 61, to: (12, "b"))
    scene.event(Self.gone, 100, nil, "", 50)
    scene.event(Self.gone, 100, nil, "", 51)
    try scene.batch()
    let unsure = scene.names.filter { $0.to == nil }
    #expect(unsure.count == 4)
    #expect(unsure.allSatisfy { !$0.isSure })
    var plain = try self.scene()
    replace(&plain, 100, "a.tmp", 60, "a", 50)
    replace(&plain, 100, "b.tmp", 61, "b", 51)
    plain.event(Self.rename, 100, 12, "c.tmp", 62, to: (12, "c"))
    try plain.batch()
    let ends = plain.names.filter { $0.to == nil }
    #expect(ends.map(\.from) == [RawPath("/home/u/proj/a"), RawPath("/home/u/proj/b")])
    #expect(ends.allSatisfy { $0.isSure })
  }

  @Test("a link that was made and then replaced in one batch loses a name, though the events were merged")
  func merged() throws {
    var scene = try scene()
    scene.event(Self.count, 100, nil, "", 50)
    scene.event(0x100, 100, 12, "l", 50)
    scene.event(Self.rename, 100, 12, "x.tmp", 60, to: (12, "x"))
    try scene.batch()
    let end = try #require(scene.names.first { $0.to == nil })
    #expect(end.identity == file(50) && end.from == RawPath("/home/u/proj/x") && !end.isSure)
  }

  @Test("a loss of a link that is read a batch after its rename is put to it")
  func splitReplacement() throws {
    var scene = try scene()
    scene.event(Self.rename, 100, 12, "a.tmp", 60, to: (12, "a"))
    try scene.batch()
    scene.event(Self.gone, 100, nil, "", 50)
    try scene.batch()
    #expect(scene.names.last?.identity == file(50))
    #expect(scene.names.last?.from == RawPath("/home/u/proj/a"))
    scene.event(Self.gone, 100, nil, "", 51)
    try scene.batch()
    #expect(scene.names.last?.identity == file(50), "a rename is the reason of nothing that comes later still")
  }

  @Test("a tree that is gone when it is asked about is told by the removal of its directories")
  func removedTree() throws {
    var scene = try scene()
    // 700 is /home/u/proj/old and 701 is /home/u/proj/old/sub; the oracle knows neither.
    scene.event(Self.gone, 100, nil, "", 50)
    scene.event(Self.delete, 100, 701, "f", 50)
    scene.event(Self.delete | Self.directory, 100, 700, "sub", 701)
    scene.event(Self.delete | Self.directory, 100, 12, "old", 700)
    try scene.batch()
    #expect(
      Set(scene.names.compactMap(\.from)) == [
        RawPath("/home/u/proj/old/sub/f"), RawPath("/home/u/proj/old/sub"), RawPath("/home/u/proj/old"),
      ])
    #expect(scene.names.count == 3)
  }

  @Test("where directories' removals come batches later, the name waits for them; when somebody asks, it waits no more")
  func waiting() throws {
    var scene = try scene()
    scene.event(Self.gone, 100, nil, "", 50)
    scene.event(Self.delete, 100, 701, "f", 50)
    scene.event(Self.gone, 100, nil, "", 51)
    scene.event(Self.delete, 100, 702, "g", 51)
    try scene.batch(flush: false)
    scene.event(Self.delete | Self.directory, 100, 700, "sub", 701)
    try scene.batch(flush: false)
    #expect(scene.names.isEmpty)
    scene.event(Self.delete | Self.directory, 100, 12, "old", 700)
    try scene.batch(flush: false)
    #expect(
      Set(scene.names.compactMap(\.from)) == [
        RawPath("/home/u/proj/old/sub/f"), RawPath("/home/u/proj/old/sub"), RawPath("/home/u/proj/old"),
      ])
    try scene.batch()
    #expect(scene.names.last?.from == RawPath("g"))
    #expect(scene.engine.unplaced.isEmpty)
  }

  @Test("a file written anew a hundred times leaves nothing of its untouched versions")
  func saves() throws {
    var scene = try scene()
    scene.event(Self.create, 100, 12, "target", 1000)
    for inode in 1001..<1100 as Range<UInt64> {
      scene.event(Self.create, 100, 12, "target.tmp", inode)
      replace(&scene, 100, "target.tmp", inode, "target", inode - 1)
      if inode % 7 == 0 { try scene.batch() }
    }
    try scene.batch()
    #expect(scene.names.count == 0)
    #expect(scene.engine.newborns.young.count == 1)
  }

  @Test("directories born and removed leave nothing, renamed ones their names")
  func directories() throws {
    var scene = try scene()
    scene.event(Self.create & 0x100 | Self.directory, 100, 12, "d", 800)
    try scene.batch()
    scene.event(Self.delete | Self.directory, 100, 12, "d", 800)
    scene.event(0x100 | Self.directory, 100, 12, "e", 801)
    scene.event(Self.rename | Self.directory, 100, 12, "e", 801, to: (12, "f"))
    scene.event(Self.delete | Self.directory, 100, 12, "f", 801)
    try scene.batch()
    #expect(scene.names.map(\.identity) == [file(801), file(801)])
    #expect(scene.names.allSatisfy { $0.kind == .directory })
  }

  @Test("removals that go round in circles end")
  func circle() throws {
    var scene = try scene()
    scene.event(Self.delete | Self.directory, 100, 701, "a", 702)
    scene.event(Self.delete | Self.directory, 100, 702, "b", 701)
    scene.event(Self.delete | Self.directory, 100, 703, "c", 703)
    scene.event(Self.delete, 100, 701, "f", 50)
    try scene.batch()
    try scene.batch()
    #expect(scene.names.count == 4)
    #expect(scene.names.allSatisfy { $0.from?.isAbsolute == false })
  }

  @Test("what is created without being opened may be a symbolic link, and every name of it is told as such")
  func symbolicLinks() throws {
    var scene = try scene()
    scene.event(0x100, 100, 12, "link", 50)
    try scene.batch()
    scene.event(Self.rename, 100, 12, "link", 50, to: (12, "place"))
    try scene.batch()
    remove(&scene, 100, "place", 50)
    scene.event(0x100, 200, 12, "mine", 51)
    scene.event(0x100 | Self.delete, 100, 12, "short", 52)
    scene.event(Self.gone, 100, nil, "", 52)
    try scene.batch()
    let sure = scene.names.filter { $0.isSure }
    #expect(sure.map(\.identity) == [50, 50, 50, 51, 52, 52].map { file($0) })
    #expect(sure.allSatisfy { $0.kind == .symbolicLink })
    #expect(scene.engine.newborns[file(50)] == nil)
  }

  @Test("what is created at the end of a batch and opened in the next is a file; what nobody opens stays a link")
  func openedLater() throws {
    var scene = try scene()
    scene.event(0x100, 100, 12, "file", 50)
    scene.event(0x100, 100, 12, "link", 51)
    try scene.batch(flush: false)
    scene.event(0x20 | 0x2 | 0x8, 100, 12, "file", 50)
    remove(&scene, 100, "file", 50)
    try scene.batch(flush: false)
    #expect(scene.names.isEmpty)
    for _ in 0..<4 { try scene.batch(flush: false) }
    #expect(scene.names.map(\.identity) == [file(51)])
    #expect(scene.names.first?.kind == .symbolicLink && scene.names.first?.to == RawPath("/home/u/proj/link"))
  }

  @Test("a full table forgets its older half, and tells what that was called")
  func bounded() throws {
    var newborns = Newborns()
    let change = NameChange(
      identity: file(1), from: RawPath("/a"), to: RawPath("/b"), time: Interval(from: .distantPast, to: .distantPast))
    #expect(newborns.insert(file(1)).isEmpty)
    newborns.update(file(1)) { $0.changes.append(change) }
    var written: [NameChange] = []
    for inode in 2...UInt64(Newborns.capacity) { written += newborns.insert(file(inode)) }
    #expect(written == [change])
    #expect(newborns[file(1)] == nil)
    #expect(newborns[file(UInt64(Newborns.capacity))] != nil)
    #expect(newborns.young.count + newborns.old.count <= Newborns.capacity)
  }

  @Test("the service's own names are nobody's")
  func own() throws {
    var scene = try scene()
    remove(&scene, Scene.ownPid, "wal", 50)
    try scene.batch()
    #expect(scene.names.isEmpty)
  }
}
