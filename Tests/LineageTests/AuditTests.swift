import Journal
import Records
import Testing

@testable import Lineage

@Suite("What audit tells of sessions")
struct AuditTests {
  /// An agent (200), a shell (300) and a server (400) that are nobody's.
  private func scene() throws -> Scene {
    var scene = try Scene()
    for (pid, directory, name, inode) in [
      (200, 11, "2.1.329", 900), (300, 10, "bash", 901), (400, 10, "server", 902),
    ] as [(Int32, UInt64, String, UInt64)] {
      scene.fork(100, pid)
      scene.exec(pid, directory, name, inode: inode)
    }
    scene.audit([(1305, "op=add_rule key=\"alibi-exec\" list=4 res=1")])
    try scene.batch()
    return scene
  }

  private func deputies(_ scene: Scene, _ name: String) -> [Access] {
    scene.accesses("/home/u/proj/" + name).filter { $0.operations.contains(.contacted) }
  }

  /// `/run/door` as a socket's address.
  private static let door = "saddr=01002F72756E2F646F6F7200"

  private func connect(_ scene: inout Scene, _ pid: Int32, exit: Int = 0, _ address: String = Self.door) {
    scene.audit([AuditText.call(42, pid, "alibi-connect", exit: exit), (1306, address)])
  }

  // MARK: - Commands

  @Test("a command has its arguments and directory, secrets masked, whichever batch audit tells it in")
  func commands() throws {
    var scene = try scene()
    scene.fork(200, 201)
    scene.exec(201, 10, "curl", inode: 60)
    try scene.batch()
    scene.audit([
      AuditText.call(59, 201, "alibi-exec", items: 0), (1309, "argc=3 a0=\"curl\" a1=\"--token\" a2=\"abc\""),
      (1307, "cwd=\"/home/u/proj\""),
    ])
    try scene.batch()
    let commands = scene.findings.compactMap { if case .command(let command) = $0 { command } else { nil } }
    let command = try #require(commands.first)
    #expect(commands.count == 1)
    #expect(command.arguments == ["curl", "--token", "***"].map { Array($0.utf8) } && command.masked == 1)
    #expect(command.directory == RawPath("/home/u/proj"))
    let record = try #require(
      scene.findings.compactMap { if case .process(let record) = $0, record.key.pid == 201 { record } else { nil } }
        .last)
    #expect(command.process == record.id)
  }

  @Test("of two programs in turn each has its own command; a person's are nobody's")
  func inTurn() throws {
    var scene = try scene()
    scene.fork(200, 201)
    scene.exec(201, 10, "env", inode: 60)
    scene.exec(201, 10, "cat", inode: 61)
    for name in ["env", "cat"] {
      scene.audit([AuditText.call(59, 201, "alibi-exec"), (1309, "argc=1 a0=\"\(name)\"")])
    }
    scene.audit([AuditText.call(59, 300, "alibi-exec"), (1309, "argc=1 a0=\"private\"")])
    try scene.batch()
    let commands = scene.findings.compactMap { if case .command(let command) = $0 { command } else { nil } }
    #expect(commands.map(\.arguments) == [[Array("env".utf8)], [Array("cat".utf8)]])
    #expect(Set(commands.map(\.process)).count == 2)
  }

  // MARK: - Denied

  @Test("what was denied is told with its errno, by name and, where the look-up came so far, by file; it is no access")
  func denied() throws {
    var scene = try scene()
    scene.audit([
      AuditText.call(257, 200, "alibi-denied", exit: -13, items: 1), (1307, "cwd=\"/home/u/proj\""),
      (
        1302,
        "item=0 name=\"../secret\" inode=77 dev=08:01 mode=0100600 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0"
      ),
    ])
    scene.audit([
      AuditText.call(257, 200, "alibi-denied", exit: -1, a0: "5", items: 1), (1307, "cwd=\"/home/u/proj\""),
      (1302, "item=0 name=\"relative\" nametype=UNKNOWN cap_fp=0"),
    ])
    scene.audit([
      AuditText.call(257, 300, "alibi-denied", exit: -13, items: 1), (1307, "cwd=\"/\""),
      (1302, "item=0 name=\"/private\" nametype=UNKNOWN cap_fp=0"),
    ])
    try scene.batch()
    let denied = scene.accesses.filter { $0.result != 0 }
    #expect(denied.map(\.result) == [13, 1])
    #expect(denied[0].path == RawPath("/home/u/secret"))
    #expect(denied[0].identity == FileIdentity(fileSystem: Scene.fileSystem, inode: 77, generation: 0))
    #expect(denied[0].operations == [.denied, .open] && denied[0].operations.answer(.any) == .didNot)
    #expect(denied[1].path == nil && denied[1].name == RawPath("relative"), "of which directory, nobody tells")
  }

  // MARK: - Contacts

  @Test("a server that a session connects to: what it touches from then on, also what was read before audit told")
  func contacted() throws {
    var scene = try scene()
    scene.listeners[.local(Array("/run/door".utf8))] = [400]
    scene.wait(seconds: 1)
    scene.read(400, "before", 60)
    try scene.batch()
    scene.wait(seconds: 1)
    let asked = scene.now / 1_000_000
    scene.wait(seconds: 1)
    scene.read(400, "target", 61)
    scene.read(300, "other", 62)
    try scene.batch()
    scene.audit([AuditText.call(42, 200, "alibi-connect"), (1306, Self.door)], milliseconds: asked)
    try scene.batch()
    scene.read(400, "later", 63)
    scene.fork(400, 401)
    scene.read(401, "child", 64)
    try scene.batch()
    #expect(["target", "later", "child"].map { deputies(scene, $0).map(\.session) } == [[1], [1], [1]])
    #expect(["before", "other"].allSatisfy { deputies(scene, $0).isEmpty })
    #expect(scene.gaps.isEmpty)
  }

  @Test("a connection that failed, to another host, or by somebody else, makes nobody a deputy")
  func notContacted() throws {
    var scene = try scene()
    scene.listeners[.local(Array("/run/door".utf8))] = [400]
    connect(&scene, 200, exit: -111)
    connect(&scene, 300)
    // 192.0.2.7, port 443
    connect(&scene, 200, "saddr=020001BBC00002070000000000000000")
    scene.read(400, "target", 61)
    try scene.batch()
    #expect(deputies(scene, "target").isEmpty)
    connect(&scene, 200, exit: -115)
    scene.read(400, "target", 61)
    try scene.batch()
    #expect(deputies(scene, "target").count == 1, "it is under way")
  }

  @Test("who is gone before anybody looks may have been any: what all others did since is kept, and an incident")
  func gone() throws {
    var scene = try scene()
    scene.listeners[.local(Array("/run/door".utf8))] = []
    scene.wait(seconds: 1)
    try scene.batch()
    scene.read(400, "target", 61)
    connect(&scene, 200)
    try scene.batch()
    scene.read(300, "second", 63)
    scene.wait(seconds: 1)
    try scene.batch()
    #expect(deputies(scene, "target").count == 1, "in the same batch")
    #expect(deputies(scene, "second").count == 1, "in the one behind, while nobody knew")
    #expect(scene.incidents.contains("contact-gone"))
    scene.read(300, "later", 62)
    try scene.batch()
    #expect(deputies(scene, "later").isEmpty)
  }

  @Test(
    "a server that an interpreter runs, as agents are run: what it did before audit told is recalled like any other's")
  func interpreter() throws {
    var scene = try scene()
    scene.listeners[.local(Array("/run/door".utf8))] = [500]
    scene.fork(100, 500)
    scene.exec(500, 10, "node", inode: 903)
    try scene.batch()
    scene.read(500, "target", 61)
    let asked = scene.now / 1_000_000 - 1
    try scene.batch()
    scene.audit([AuditText.call(42, 200, "alibi-connect"), (1306, Self.door)], milliseconds: asked)
    try scene.batch()
    #expect(deputies(scene, "target").count == 1)
  }

  @Test("a process that is traced, or whose memory is read")
  func traced() throws {
    var scene = try scene()
    scene.audit([
      AuditText.call(101, 200, "alibi-memory", a0: "4206"), (1318, "opid=300 oauid=1 ouid=1 oses=1 ocomm=\"sh\""),
    ])
    scene.audit([AuditText.call(310, 200, "alibi-memory", exit: 8, a0: "190")])
    scene.audit([AuditText.call(101, 200, "alibi-memory", a0: "0")])
    scene.read(300, "first", 61)
    scene.read(400, "second", 62)
    try scene.batch()
    #expect(deputies(scene, "first").count == 1 && deputies(scene, "second").count == 1)
    let reached = scene.accesses.filter { $0.operations.contains(.rawDevice) }.compactMap(\.path)
    #expect(Set(reached) == [RawPath("/proc/300/mem"), RawPath("/proc/400/mem")], "and so any file's content")
  }

  @Test("what was told too late leaves a gap for what was not kept so long")
  func late() throws {
    var scene = try scene()
    scene.listeners[.local(Array("/run/door".utf8))] = [400]
    let asked = scene.now / 1_000_000
    scene.wait(seconds: 5)
    try scene.batch()
    // A recorder that takes over knows nothing of before.
    scene.engine.recent = RecentEvents()
    scene.wait(seconds: 5)
    scene.audit([AuditText.call(42, 200, "alibi-connect"), (1306, Self.door)], milliseconds: asked)
    #expect(throws: Never.self) { try scene.batch() }
    #expect(scene.gaps.contains { $0.source == "deputies" })
  }
}

@Suite("What bystanders did lately")
struct RecentEventsTests {
  private func end(_ upper: UInt64) -> BatchEnd {
    BatchEnd(lower: upper - 1, upper: upper, wall: upper, boot: upper, emptied: upper)
  }

  @Test("keeps the newest, forgets the oldest, and says since when it has everything")
  func room() {
    var recent = RecentEvents()
    let event = [UInt8](repeating: 7, count: 100)
    #expect(recent.oldest == nil)
    for batch in 1...40_000 as ClosedRange<UInt64> {
      recent.begin(end(batch * 1_000_000))
      unsafe recent.append(event.span.bytes)
    }
    let oldest = recent.oldest ?? 0
    #expect(oldest > 0 && oldest < 40_000_000_000 - 1)
    let kept = recent.events(since: oldest)
    #expect(kept.allSatisfy { $0.bytes == event })
    // Every batch since then, and each once.
    #expect(kept.map(\.end.upper) == stride(from: oldest + 1, through: 40_000_000_000, by: 1_000_000).map { $0 })
  }

  @Test("what one batch has too much of is said to be missing")
  func tooMuch() {
    var recent = RecentEvents()
    recent.begin(end(1000))
    let event = [UInt8](repeating: 7, count: 1000)
    for _ in 0..<(RecentEvents.room / 1000 + 1) { unsafe recent.append(event.span.bytes) }
    #expect(recent.oldest == 1000)
  }
}
