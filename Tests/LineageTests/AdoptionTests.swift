import Journal
import Records
import Rules
import Testing

@testable import Lineage

@Suite("Trees that others start for a session")
struct AdoptionTests {
  /// An agent (200), a multiplexer's server (400), and a shell (300) that is nobody's.
  private func scene() throws -> Scene {
    var scene = try Scene()
    scene.paths[13] = "/var/spool/cron/atjobs"
    for (pid, directory, name, inode) in [
      (200, 11, "2.1.329", 900), (300, 10, "bash", 901), (400, 10, "tmux", 902),
    ] as [(Int32, UInt64, String, UInt64)] {
      scene.fork(100, pid)
      scene.exec(pid, directory, name, inode: inode)
    }
    scene.listeners[.local(Array("/run/door".utf8))] = [400]
    scene.audit([(1305, "op=add_rule key=\"alibi-exec\" list=4 res=1")])
    try scene.batch()
    scene.wait(seconds: 5)
    return scene
  }

  private func run(_ scene: inout Scene, _ pid: Int32, _ words: [String], at milliseconds: UInt64? = nil) {
    let arguments = words.enumerated().map { "a\($0.offset)=\(AuditText.hex($0.element))" }.joined(separator: " ")
    scene.audit(
      [AuditText.call(59, pid, "alibi-exec"), (1309, "argc=\(words.count) \(arguments)")], milliseconds: milliseconds)
  }

  /// The session's launcher (201) asks the server for something.
  private func ask(_ scene: inout Scene, _ words: [String], program: String = "tmux") {
    scene.fork(200, 201)
    scene.exec(201, 10, program, inode: 902)
    run(&scene, 201, words)
    scene.audit([AuditText.call(42, 201, "alibi-connect"), AuditText.address("/run/door")])
  }

  /// A child of the server executes something.
  private func start(_ scene: inout Scene, _ words: [String], pid: Int32 = 401) {
    scene.fork(400, pid)
    scene.exec(pid, 10, String(words[0].split(separator: "/").last ?? ""), inode: 903)
    run(&scene, pid, words)
  }

  private func accessed(_ scene: Scene, _ name: String) -> [Access] {
    scene.accesses("/home/u/proj/" + name).filter { $0.operations.isDisjoint(with: .deputies) }
  }

  private func adopted(_ scene: Scene) -> [Session] {
    scene.findings.compactMap {
      if case .session(let session) = $0, session.relation == .adopted { session } else { nil }
    }
  }

  @Test(
    "a command that a launcher was given, executed by the server's child, is the session's, with what is born of it")
  func pane() throws {
    var scene = try scene()
    ask(&scene, ["tmux", "new-window", "cat secret; true"])
    start(&scene, ["sh", "-c", "cat secret; true"])
    scene.fork(401, 402)
    scene.exec(402, 10, "cat", inode: 904)
    run(&scene, 402, ["cat", "secret"])
    scene.read(402, "secret", 60)
    scene.read(400, "tmux.conf", 61)
    try scene.batch()
    scene.fork(402, 403)
    scene.read(403, "later", 62)
    try scene.batch()
    let session = try #require(adopted(scene).first)
    #expect(adopted(scene).count == 1 && session.parent == 1 && session.root.pid == 401)
    #expect(session.agent == "claude-code")
    #expect(accessed(scene, "secret").map(\.session) == [session.id])
    #expect(accessed(scene, "later").map(\.attribution) == [.witnessed])
    #expect(accessed(scene, "tmux.conf").isEmpty && !scene.accesses("/home/u/proj/tmux.conf").isEmpty)
    let commands = scene.findings.compactMap { if case .command(let command) = $0 { command } else { nil } }
    #expect(commands.map { String(decoding: $0.arguments[0], as: UTF8.self) } == ["tmux", "sh", "cat"])
  }

  @Test("what it had done before audit told, also if it is gone by then")
  func late() throws {
    var scene = try scene()
    scene.fork(200, 201)
    scene.exec(201, 10, "tmux", inode: 902)
    let asked = scene.now / 1_000_000 + 1
    scene.wait(seconds: 1)
    scene.fork(400, 401)
    scene.exec(401, 10, "sh", inode: 903)
    let executed = scene.now / 1_000_000
    scene.fork(401, 402)
    scene.read(402, "secret", 60)
    scene.exit(402)
    scene.exit(401)
    scene.read(300, "other", 61)
    try scene.batch()
    run(&scene, 201, ["tmux", "new-window", "cat secret"], at: asked)
    scene.audit(
      [AuditText.call(42, 201, "alibi-connect"), AuditText.address("/run/door")], milliseconds: asked)
    run(&scene, 401, ["sh", "-c", "cat secret"], at: executed)
    try scene.batch()
    let session = try #require(adopted(scene).first)
    #expect(accessed(scene, "secret").map(\.session) == [session.id])
    #expect(accessed(scene, "other").isEmpty)
    scene.wait(seconds: 1)
    try scene.batch()
    #expect(scene.findings.contains { if case .sessionEnded(session.id, _) = $0 { true } else { false } })
  }

  @Test(
    "what was not asked for, was born before, or may have been asked for by somebody else, is contacted and no more",
    arguments: ["other", "before", "rival", "no launcher"])
  func notAdopted(way: String) throws {
    var scene = try scene()
    if way == "before" {
      scene.fork(400, 401)
      scene.wait(seconds: 1)
    }
    if way == "rival" {
      scene.fork(300, 301)
      scene.exec(301, 10, "tmux", inode: 902)
    }
    try scene.batch()
    ask(&scene, ["tmux", "new-window", "cat secret"], program: way == "no launcher" ? "nc" : "tmux")
    let words = ["sh", "-c", way == "other" ? "cat status" : "cat secret"]
    if way == "before" {
      scene.exec(401, 10, "sh", inode: 903)
      run(&scene, 401, words)
    } else {
      start(&scene, words)
    }
    scene.read(401, "secret", 60)
    try scene.batch()
    #expect(adopted(scene).isEmpty)
    #expect(scene.accesses("/home/u/proj/secret").allSatisfy { $0.operations.contains(.contacted) })
    #expect(scene.accesses("/home/u/proj/secret").count == (way == "before" ? 0 : 1))
  }

  @Test(
    "a shell, where no command was asked for, unless somebody else is at the same server", arguments: [false, true])
  func shell(isAttached: Bool) throws {
    var scene = try scene()
    if isAttached {
      scene.fork(300, 301)
      scene.exec(301, 10, "tmux", inode: 902)
      try scene.batch()
      scene.wait(seconds: 100)
    }
    ask(&scene, ["tmux", "new-session", "-d"])
    start(&scene, ["-bash"])
    scene.read(401, "secret", 60)
    try scene.batch()
    #expect(adopted(scene).count == (isAttached ? 0 : 1))
    #expect(accessed(scene, "secret").count == (isAttached ? 0 : 1))
  }

  @Test("a job that the session wrote, for the shell that reads it; one that somebody wrote to is nobody's")
  func job() throws {
    var scene = try scene()
    for (file, name) in [(50, "a001"), (51, "a002")] as [(UInt64, String)] {
      scene.event(0x2a, 200, 13, name, file)
    }
    try scene.batch()
    scene.event(0x2a, 300, 13, "a002", 51)
    try scene.batch()
    for (child, file, name) in [(401, 50, "a001"), (402, 51, "a002")] as [(Int32, UInt64, String)] {
      scene.fork(400, child)
      scene.exec(child, 10, "dash", inode: 905)
      scene.read(child, name, file, in: 13)
      scene.read(child, "of-" + name, file + 10)
    }
    try scene.batch()
    let session = try #require(adopted(scene).first)
    #expect(adopted(scene).count == 1 && session.root.pid == 401)
    #expect(accessed(scene, "of-a001").count == 1 && accessed(scene, "of-a002").isEmpty)
    #expect(!scene.accesses("/home/u/proj/of-a002").isEmpty, "influenced")
  }
}
