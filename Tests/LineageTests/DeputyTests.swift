import Journal
import Records
import Testing

@testable import Lineage

@Suite("Who works for a session from outside")
struct DeputyTests {
  /// An agent (200), and a shell (300) that is nobody's.
  private func scene() throws -> Scene {
    var scene = try Scene()
    scene.fork(100, 200)
    scene.exec(200, 11, "2.1.329", inode: 900)
    scene.fork(100, 300)
    scene.exec(300, 10, "bash", inode: 901)
    try scene.batch()
    return scene
  }

  /// Opened, written, closed.
  private func write(_ scene: inout Scene, _ pid: Int32, _ name: String, _ inode: UInt64) {
    scene.event(0x2a, pid, 12, name, inode)
  }

  private func deputies(_ scene: Scene, _ name: String) -> [Access] {
    scene.accesses("/home/u/proj/" + name).filter { !$0.operations.isDisjoint(with: .deputies) }
  }

  @Test("who runs what a session wrote is kept from then on, for that session, without a process")
  func runs() throws {
    var scene = try scene()
    write(&scene, 200, "hook", 50)
    try scene.batch()
    scene.fork(300, 301)
    scene.exec(301, 12, "hook", inode: 50)
    try scene.batch()
    scene.read(301, "target", 60)
    scene.read(300, "other", 61)
    try scene.batch()
    let access = try #require(deputies(scene, "target").first)
    #expect(access.session == 1 && access.process == nil)
    #expect(access.operations.contains(.influenced) && access.operations.contains(.read))
    #expect(access.attribution == .observed)
    #expect(scene.accesses("/home/u/proj/other").isEmpty, "the shell that waits for it is nobody's")
  }

  @Test("so is who reads it, as a shell reads its start file; and whoever is born of that")
  func reads() throws {
    var scene = try scene()
    write(&scene, 200, ".bashrc", 50)
    try scene.batch()
    scene.read(300, ".bashrc", 50)
    try scene.batch()
    scene.fork(300, 301)
    scene.exec(301, 10, "vi", inode: 902)
    scene.read(301, "target", 60)
    try scene.batch()
    #expect(deputies(scene, "target").count == 1)
  }

  @Test("a batch has no order: written, read, born and touched within one")
  func oneBatch() throws {
    var scene = try scene()
    scene.fork(300, 301)
    scene.read(301, "target", 60)
    scene.read(300, "early", 61)
    scene.read(300, "makefile", 50)
    write(&scene, 200, "makefile", 50)
    try scene.batch()
    #expect(deputies(scene, "target").count == 1)
    #expect(deputies(scene, "early").count == 1)
  }

  @Test(
    "lineage is read after files' events: a birth or a mapping may be told of in the batch before what made it matter")
  func toldEarlier() throws {
    var scene = try scene()
    write(&scene, 200, "makefile", 50)
    try scene.batch()
    scene.fork(300, 301)
    scene.fork(100, 302)
    scene.map(302, 51, "/home/u/proj/library", executable: true)
    // The queue was not seen empty after these.
    try scene.batch(empty: false)
    scene.read(300, "makefile", 50)
    write(&scene, 200, "library", 51)
    try scene.batch()
    scene.read(301, "target", 60)
    scene.read(302, "second", 61)
    scene.read(100, "other", 62)
    try scene.batch()
    #expect(deputies(scene, "target").count == 1)
    #expect(deputies(scene, "second").count == 1)
    #expect(deputies(scene, "other").isEmpty)
  }

  @Test("what such a process writes is the session's work in turn: source, object, program")
  func compiled() throws {
    var scene = try scene()
    write(&scene, 200, "main.c", 50)
    try scene.batch()
    for (pid, from, to) in [(301, 50, 51), (302, 51, 52)] as [(Int32, UInt64, UInt64)] {
      scene.fork(300, pid)
      scene.exec(pid, 10, "tool", inode: 903)
      scene.read(pid, "in\(from)", from)
      write(&scene, pid, "out\(to)", to)
      scene.exit(pid)
      try scene.batch()
    }
    scene.fork(300, 303)
    scene.exec(303, 12, "out52", inode: 52)
    try scene.batch()
    scene.read(303, "target", 60)
    try scene.batch()
    #expect(deputies(scene, "target").map(\.session) == [1])
  }

  @Test("a program that only passes on what it reads is nobody's, and what it copies is still the session's work")
  func plainReader() throws {
    var scene = try scene()
    write(&scene, 200, "script", 50)
    try scene.batch()
    scene.fork(300, 301)
    scene.exec(301, 10, "cat", inode: 63)
    try scene.batch()
    scene.read(301, "script", 50)
    scene.read(301, "target", 60)
    write(&scene, 301, "copy", 51)
    try scene.batch()
    #expect(deputies(scene, "target").isEmpty && deputies(scene, "copy").isEmpty)
    scene.fork(300, 302)
    scene.exec(302, 12, "copy", inode: 51)
    scene.read(302, "target", 60)
    try scene.batch()
    #expect(deputies(scene, "target").count == 1)
  }

  @Test("born, executed and read within one batch: the new program has read what comes after its opening, not before")
  func plainReaderAtOnce() throws {
    var scene = try scene()
    write(&scene, 200, "script", 50)
    try scene.batch()
    scene.fork(300, 301)
    scene.exec(301, 10, "cat", inode: 63)
    scene.read(301, "script", 50)
    scene.read(301, "target", 60)
    scene.fork(300, 302)
    scene.read(302, "script", 50)
    scene.exec(302, 10, "cat", inode: 63)
    scene.read(302, "other", 61)
    try scene.batch()
    #expect(deputies(scene, "target").isEmpty)
    #expect(deputies(scene, "other").count == 1, "what it read before told it what to read now")
  }

  @Test("such a program that a deputy starts is a deputy's all the same; what it starts itself is nobody's")
  func plainReaderOfADeputy() throws {
    var scene = try scene()
    write(&scene, 200, "hook", 50)
    try scene.batch()
    scene.fork(300, 301)
    scene.exec(301, 12, "hook", inode: 50)
    scene.fork(301, 302)
    scene.exec(302, 10, "cat", inode: 63)
    try scene.batch()
    scene.read(302, "target", 60)
    scene.fork(300, 303)
    scene.exec(303, 10, "cat", inode: 63)
    try scene.batch()
    scene.read(303, "hook", 50)
    try scene.batch()
    scene.fork(303, 304)
    scene.exec(304, 10, "vi", inode: 902)
    try scene.batch()
    scene.read(304, "other", 61)
    try scene.batch()
    #expect(deputies(scene, "target").count == 1)
    #expect(deputies(scene, "other").isEmpty)
  }

  @Test("mapped instead of read; and written through a mapping")
  func mapped() throws {
    var scene = try scene()
    write(&scene, 200, "library", 50)
    scene.map(200, 51, "/home/u/proj/table", writable: true)
    try scene.batch()
    scene.fork(300, 301)
    scene.map(301, 50, "/home/u/proj/library", executable: true)
    scene.fork(300, 302)
    scene.map(302, 51, "/home/u/proj/table")
    try scene.batch()
    scene.read(301, "first", 60)
    scene.read(302, "second", 61)
    try scene.batch()
    #expect(deputies(scene, "first").count == 1)
    #expect(deputies(scene, "second").count == 1)
    // Its mappings of the batch in which it became one count as well.
    #expect(deputies(scene, "library").contains { $0.operations.contains(.mapped) })
  }

  @Test("what deputies map again and again, a library, is told once, for it is held from then on; what is more is told")
  func mappedAgain() throws {
    var scene = try scene()
    write(&scene, 200, "hook", 50)
    try scene.batch()
    scene.read(300, "hook", 50)
    try scene.batch()
    for pid in 310..<330 as Range<Int32> {
      scene.fork(300, pid)
      scene.event(0x31, pid, 12, "library", 70)
      scene.map(pid, 70, "/home/u/proj/library", executable: true)
      scene.exit(pid)
      try scene.batch()
    }
    #expect(deputies(scene, "library").count == 1)
    write(&scene, 300, "library", 70)
    try scene.batch()
    #expect(deputies(scene, "library").count == 2)
  }

  @Test("a file that was renamed over its place is the session's work, one that was only read is not")
  func placed() throws {
    var scene = try scene()
    scene.event(0x1000_0000, 200, 12, "config.tmp", 50, to: (12, "config"))
    scene.read(200, "notes", 51)
    try scene.batch()
    scene.read(300, "notes", 51)
    try scene.batch()
    scene.read(300, "before", 60)
    try scene.batch()
    #expect(deputies(scene, "before").isEmpty)
    scene.read(300, "config", 50)
    try scene.batch()
    scene.read(300, "after", 61)
    try scene.batch()
    #expect(deputies(scene, "after").count == 1)
  }

  @Test("of two sessions nobody is named")
  func several() throws {
    var scene = try scene()
    scene.fork(100, 201)
    scene.exec(201, 11, "2.1.329", inode: 900)
    write(&scene, 200, "a", 50)
    write(&scene, 201, "b", 51)
    try scene.batch()
    scene.read(300, "a", 50)
    scene.read(300, "b", 51)
    try scene.batch()
    scene.read(300, "target", 60)
    try scene.batch()
    let access = try #require(deputies(scene, "target").first)
    #expect(access.session == nil && access.attribution == .unattributed)
  }

  @Test("what nobody named can be told to have written may be any session's")
  func unknown() throws {
    var scene = try scene()
    write(&scene, 777, "odd", 50)
    try scene.batch()
    scene.read(300, "odd", 50)
    try scene.batch()
    scene.read(300, "target", 60)
    try scene.batch()
    #expect(deputies(scene, "target").map(\.session) == [nil])
  }

  @Test("a file that is gone without a holder is forgotten, its number used again is another file")
  func forgotten() throws {
    var scene = try scene()
    write(&scene, 200, "t", 50)
    scene.event(0x100, 200, 12, "u", 51)
    write(&scene, 200, "u", 51)
    try scene.batch()
    #expect(scene.written.count == 2)
    scene.event(0x400, 200, nil, "", 51)
    scene.event(0x200, 200, 12, "u", 51)
    try scene.batch()
    #expect(scene.written.keys.map(\.inode) == [50])
    scene.read(300, "fresh", 51)
    try scene.batch()
    scene.read(300, "target", 60)
    try scene.batch()
    #expect(deputies(scene, "target").isEmpty)
  }

  /// Who is to be known to the next run.
  private func known(_ scene: Scene) -> [FormerDeputy] {
    scene.findings.compactMap { finding in
      if case .deputy(let key, let deputy) = finding { FormerDeputy(key: key, deputy: deputy) } else { nil }
    }
  }

  @Test("the next run knows who was born of those, and whose parents are gone; and so does the one after that")
  func nextRunOfChildren() throws {
    let init1 = Scene.process(1, parent: 0, "/sbin/init"), shell = Scene.process(100, parent: 1, "/usr/bin/bash")
    var scene = try scene()
    write(&scene, 200, "a", 50)
    try scene.batch()
    scene.read(300, "a", 50)
    try scene.batch()
    scene.wait(seconds: 1)
    scene.fork(300, 301)
    scene.fork(301, 302)
    scene.exit(301)
    scene.fork(300, 303)
    try scene.batch()
    scene.exit(303)
    scene.wait(seconds: 1)
    try scene.batch()
    #expect(known(scene).map(\.key.pid) == [300, 302])
    var next = try Scene(processes: [init1, shell])
    next.remember(written: scene.written, deputies: known(scene))
    let began = try #require(known(scene).last?.key.startedAt)
    next.observe(Scene.process(302, parent: 1, "/usr/bin/bash", startedAt: began))
    next.observe(Scene.process(304, parent: 302, "/usr/bin/bash", startedAt: began + 1))
    try next.batch()
    next.wait(seconds: 1)
    try next.batch()
    #expect(known(next).map(\.key.pid) == [304], "the other one is known already")
    var last = try Scene(processes: [init1, shell])
    last.remember(written: scene.written, deputies: known(scene) + known(next))
    last.observe(Scene.process(304, parent: 1, "/usr/bin/bash", startedAt: began + 1))
    try last.batch()
    last.read(304, "secret", 60)
    try last.batch()
    #expect(deputies(last, "secret").count == 1)
  }

  @Test("the next run knows what was written, and who works for a session and lives")
  func nextRun() throws {
    var scene = try scene()
    write(&scene, 200, "a", 50)
    try scene.batch()
    scene.read(300, "a", 50)
    try scene.batch()
    scene.wait(seconds: 1)
    try scene.batch()
    let known = known(scene)
    #expect(known.map(\.key.pid) == [300])
    var next = try Scene(processes: [
      Scene.process(1, parent: 0, "/sbin/init"), Scene.process(100, parent: 1, "/usr/bin/bash"),
    ])
    next.remember(written: scene.written, deputies: known)
    next.observe(Scene.process(300, parent: 100, "/usr/bin/bash", startedAt: known[0].key.startedAt))
    next.observe(Scene.process(301, parent: 300, "/usr/bin/vi", startedAt: known[0].key.startedAt + 1))
    try next.batch()
    for (pid, name) in [(300, "first"), (301, "second"), (100, "third")] as [(Int32, String)] {
      next.read(pid, name, UInt64(pid))
    }
    next.read(100, "a", 50)
    try next.batch()
    next.read(100, "fourth", 64)
    try next.batch()
    #expect(["first", "second", "fourth"].map { deputies(next, $0).count } == [1, 1, 1])
    scene.exit(300)
    try scene.batch()
    #expect(scene.findings.contains { if case .deputyEnded(let key) = $0 { key.pid == 300 } else { false } })
  }

  @Test("who answers requests for a file system in user space, and the kernel itself, may do it for a session")
  func servers() throws {
    var scene = try scene()
    scene.nodes = ["/dev/fuse": .fileSystemRequests]
    scene.watch(0xdef, device: 6, type: "devtmpfs", at: "/dev")
    scene.paths[40] = "/dev"
    scene.observe(Scene.process(2, parent: 0, ""))
    scene.observe(Scene.process(30, parent: 2, ""))
    try scene.batch()
    scene.read(300, "null", 62, in: 40)
    scene.event(0x31, 300, 40, "null", 62, system: 0xdef)
    scene.fork(300, 301)
    scene.event(0x01, 301, 40, "fuse", 61, system: 0xdef)
    scene.read(301, "target", 60)
    scene.read(300, "other", 63)
    scene.event(0x01, 30, 12, "image", 64)
    try scene.batch()
    #expect(deputies(scene, "target").map(\.operations) == [[.open, .read, .closedUnwritten, .contacted]])
    #expect(deputies(scene, "image").map(\.operations) == [[.read, .contacted]])
    #expect(deputies(scene, "other").isEmpty)
    // Nobody's session, nobody's deputy.
    scene.exit(200)
    try scene.batch()
    try scene.batch()
    scene.event(0x01, 30, 12, "later", 65)
    try scene.batch()
    #expect(deputies(scene, "later").isEmpty)
  }

  @Test("a table that is full says so, in every batch from then on")
  func full() throws {
    var scene = try scene()
    scene.mostWritten = 2
    for inode in [50, 51, 52] as [UInt64] { write(&scene, 200, "f\(inode)", inode) }
    try scene.batch()
    try scene.batch()
    #expect(scene.gaps.filter { $0.source == "deputies" }.count == 2)
  }
}

@Suite("Files that sessions wrote")
struct WrittenFilesTests {
  private func file(_ inode: UInt64) -> FileIdentity { FileIdentity(fileSystem: 7, inode: inode, generation: 1) }

  @Test("agrees with a dictionary, whatever is taken in and forgotten")
  func model() {
    var table = WrittenFiles()
    var model: [UInt64: Int64?] = [:]
    var state: UInt64 = 1
    for _ in 0..<50_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let inode = state >> 33 % 3000
      let session = Int64(state >> 60) % 3 + 1
      if state >> 50 & 3 == 0 {
        #expect(table.remove(file(inode)) == (model.removeValue(forKey: inode) != nil))
      } else {
        _ = table.insert(file(inode), by: session)
        if let known = model[inode] {
          model[inode] = known == session ? session : .some(nil)
        } else {
          model[inode] = session
        }
      }
    }
    #expect(table.count == model.count)
    for inode in 0..<3000 as Range<UInt64> {
      #expect(table.writer(of: file(inode)).map(\.session) == model[inode])
    }
  }
}
