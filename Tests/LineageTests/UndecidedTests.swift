import Records
import Testing

@testable import Lineage

/// Executions of which a batch tells a part.
struct UndecidedTests {
  @Test("a child that was born while it was not yet known what its parent had executed")
  func bornUndecided() throws {
    var scene = try Scene()
    // What was executed at the start had been opened before anybody watched.
    scene.wait(seconds: 5)
    try scene.batch()
    scene.fork(100, 200)
    scene.commit(200, maps: 900)
    scene.fork(200, 201)
    scene.fork(201, 202)
    try scene.batch(empty: false)
    scene.read(201, "early", 60)
    scene.event(0x1020, 200, 11, "2.1.329", 900)
    scene.read(202, "secret", 61)
    try scene.batch()
    scene.read(202, "later", 62)
    try scene.batch()
    #expect(
      ["early", "secret", "later"].map { scene.accesses("/home/u/proj/" + $0).map(\.session) } == [[1], [1], [1]])
  }

  /// A program that executes another, of which neither opening nor mapping was told when the batch ended.
  private func chain(perf: Bool = true, lost: Bool = false) throws -> Scene {
    var scene = try Scene(perf: perf)
    scene.wait(seconds: 5)
    try scene.batch()
    if perf { scene.fork(100, 200) }
    scene.connectorFork(100, 200)
    scene.event(0x1020, 200, 10, "setpriv", 800)
    scene.event(0x1020, 200, 10, "ld-linux-x86-64.so.2", 801)
    if perf {
      scene.commit(200, maps: 800, as: "/usr/bin/setpriv")
      scene.connectorExec(200)
      scene.commit(200, maps: nil)
    } else {
      for _ in 0..<2 { scene.connectorExec(200) }
    }
    if lost { scene.lostPerf() }
    try scene.batch(empty: false)
    return scene
  }

  @Test(
    "a program in a row of them whose mapping, and opening, come with the next batch: an agent, or nobody knows what")
  func lastOfARow() throws {
    for lost in [false, true] {
      var scene = try chain(lost: lost)
      #expect(scene.sessions.isEmpty)
      if !lost {
        for pid in 300..<1000 as Range<Int32> { scene.fork(100, pid) }
        scene.map(200, 900, "/home/u/.local/share/claude/versions/2.1.329", executable: true)
      }
      scene.event(0x1020, 200, 11, "2.1.329", 900)
      scene.read(200, "a.txt", 50)
      try scene.batch()
      #expect(scene.sessions.map(\.agent) == ["claude-code"])
      #expect(scene.accesses("/home/u/proj/a.txt").map(\.session) == [1])
    }
    var scene = try chain()
    for _ in 0..<3 { try scene.batch() }
    #expect(scene.sessions.isEmpty, "it does nothing before it has mapped its program")
    scene.map(200, 4242, "/memfd:x", executable: true)
    scene.read(200, "a.txt", 50)
    try scene.batch()
    #expect(scene.sessions.map(\.agent) == [Session.unknownExecutable])
    #expect(scene.accesses("/home/u/proj/a.txt").map(\.session) == [1])
  }

  @Test("the same where the opening came in time and the mapping batches later; and of one that ends before")
  func lateMapping() throws {
    var scene = try chain()
    scene.event(0x1020, 200, 11, "2.1.329", 900)
    try scene.batch()
    try scene.batch()
    scene.map(200, 900, "/home/u/.local/share/claude/versions/2.1.329", executable: true)
    scene.read(200, "a.txt", 50)
    try scene.batch()
    #expect(scene.sessions.map(\.agent) == ["claude-code"])
    #expect(scene.accesses("/home/u/proj/a.txt").map(\.session) == [1])
    var ended = try chain()
    ended.exit(200)
    for _ in 0..<2 { try ended.batch() }
    #expect(ended.sessions.isEmpty)
  }

  @Test("the same where the connector alone tells of executions")
  func lastOfARowByConnector() throws {
    var scene = try chain(perf: false)
    #expect(scene.sessions.isEmpty)
    scene.event(0x1020, 200, 11, "2.1.329", 900)
    scene.read(200, "a.txt", 50)
    try scene.batch()
    #expect(scene.sessions.map(\.agent) == ["claude-code"])
    #expect(!scene.accesses("/home/u/proj/a.txt").isEmpty)
  }

  @Test(
    "a mapping later than the last read is not the first where another CPU's may be missing: a library is no program")
  func libraryAlone() throws {
    var scene = try Scene()
    scene.wait(seconds: 5)
    try scene.batch()
    scene.fork(100, 200)
    scene.event(0x1020, 200, 11, "2.1.329", 900)
    scene.event(0x1020, 200, 10, "ld-linux-x86-64.so.2", 801)
    scene.commit(200, maps: nil)
    scene.endReading()
    let missing = scene.now
    scene.wait(seconds: 1)
    scene.map(200, 802, "/usr/lib/libc.so.6", executable: true)
    let now = scene.now
    try scene.batch()
    scene.now = missing
    scene.map(200, 900, "/home/u/.local/share/claude/versions/2.1.329", executable: true)
    scene.now = now
    scene.read(200, "a.txt", 50)
    try scene.batch()
    #expect(scene.sessions.map(\.agent) == ["claude-code"])
    #expect(scene.accesses("/home/u/proj/a.txt").map(\.session) == [1])
  }
}
