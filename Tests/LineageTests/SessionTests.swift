import Records
import Testing

@testable import Lineage

struct SessionTests {
  private static let id = "5ae9b344-2e75-46a7-a77b-c89896c49333"
  private static let other = "94f08a46-059f-4a6b-9c06-d6d0b679320e"

  private func sceneWithAgent() throws -> Scene {
    var scene = try Scene()
    scene.paths[20] = "/home/u/.claude/sessions"
    scene.paths[21] = "/home/u/.claude/projects/-home-u-proj"
    scene.fork(100, 200)
    scene.exec(200, 11, "2.1.329", inode: 900)
    try scene.batch()
    return scene
  }

  private func write(_ scene: inout Scene, _ pid: Int32, _ name: String, in directory: UInt64, inode: UInt64) {
    scene.event(0x2a, pid, directory, name, inode)
  }

  @Test("the agent's own program as a helper is no session")
  func helper() throws {
    var scene = try sceneWithAgent()
    scene.fork(200, 201)
    scene.exec(201, 11, "2.1.329", inode: 900)
    scene.read(201, "a.txt", 50)
    try scene.batch()
    #expect(scene.sessions.count == 1)
    #expect(scene.accesses("/home/u/proj/a.txt").first?.session == 1)
  }

  @Test("an agent within a session is nested once it writes its own session file, and not before")
  func nested() throws {
    var scene = try sceneWithAgent()
    scene.fork(200, 201)
    scene.exec(201, 10, "bash", inode: 60)
    scene.fork(201, 202)
    scene.exec(202, 11, "2.1.329", inode: 900)
    scene.read(202, "before.txt", 50)
    try scene.batch()
    #expect(scene.sessions.count == 1)
    write(&scene, 202, "202.json", in: 20, inode: 70)
    try scene.batch()
    scene.read(202, "after.txt", 51)
    scene.fork(202, 203)
    scene.read(203, "child.txt", 52)
    try scene.batch()
    let inner = try #require(scene.sessions.last)
    #expect(inner.parent == 1)
    #expect(inner.relation == .nested)
    #expect(scene.accesses("/home/u/proj/before.txt").map(\.session) == [1])
    #expect(scene.accesses("/home/u/proj/after.txt").map(\.session) == [inner.id])
    #expect(scene.accesses("/home/u/proj/child.txt").map(\.session) == [inner.id])
  }

  @Test("whoever is born in the moment in which an interpreter turns out to run an agent belongs to it")
  func bornWithTheInterpreter() throws {
    var scene = try Scene()
    scene.paths[30] = "/usr/lib/node_modules/@anthropic-ai/claude-code"
    scene.fork(100, 200)
    scene.exec(200, 10, "node", inode: 61)
    scene.read(200, "cli.js", 80, in: 30)
    scene.fork(200, 201)
    scene.fork(201, 202)
    scene.exit(201)
    try scene.batch()
    scene.read(202, "a.txt", 50)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/a.txt").map(\.session) == [1])
    scene.exit(200)
    scene.exit(202)
    try scene.batch()
    try scene.batch()
    #expect(scene.ended == [1])
  }

  @Test("whoever was born in that moment and lives on has a record, by which a later run knows it")
  func recordOfTheBornWithTheInterpreter() throws {
    var scene = try Scene()
    scene.paths[30] = "/usr/lib/node_modules/@anthropic-ai/claude-code"
    scene.fork(100, 200)
    scene.exec(200, 10, "node", inode: 61)
    scene.fork(200, 201)
    scene.read(200, "cli.js", 80, in: 30)
    try scene.batch()
    scene.wait(seconds: 1)
    try scene.batch()
    let pids = scene.findings.compactMap { if case .process(let process) = $0 { process.key.pid } else { nil } }
    #expect(pids == [200, 201])
  }

  @Test("the record of a process that is dead when it is written has an end")
  func lateRecord() throws {
    var scene = try sceneWithAgent()
    scene.fork(200, 201)
    scene.read(201, "a.txt", 50)
    scene.exit(201)
    try scene.batch()
    let child = scene.findings.compactMap { finding -> Int64? in
      if case .process(let process) = finding, process.key.pid == 201 { process.id } else { nil }
    }
    let ended = scene.findings.compactMap { if case .processEnded(let id, _) = $0 { id } else { nil } }
    #expect(child.count == 1)
    #expect(ended == child)
  }

  @Test("somebody else's session file makes nothing nested")
  func foreignSessionFile() throws {
    var scene = try sceneWithAgent()
    scene.fork(200, 201)
    scene.exec(201, 11, "2.1.329", inode: 900)
    write(&scene, 201, "999.json", in: 20, inode: 70)
    try scene.batch()
    #expect(scene.sessions.count == 1)
  }

  @Test("a child born in the batch of the label belongs to both sessions")
  func bornWithLabel() throws {
    var scene = try sceneWithAgent()
    scene.fork(200, 201)
    scene.exec(201, 10, "bash", inode: 60)
    scene.fork(201, 202)
    scene.exec(202, 11, "2.1.329", inode: 900)
    try scene.batch()
    write(&scene, 202, "202.json", in: 20, inode: 70)
    scene.fork(202, 203)
    scene.read(203, "a.txt", 50)
    try scene.batch()
    let inner = try #require(scene.sessions.last?.id)
    let access = scene.accesses("/home/u/proj/a.txt")
    #expect(Set(access.map(\.session)) == [1, inner])
    #expect(access.allSatisfy { $0.attribution == .ambiguous })
  }

  @Test("a spare hosted by a daemon of the agent's own program is a session of its own")
  func hosted() throws {
    var scene = try sceneWithAgent()
    scene.fork(200, 201)
    scene.exec(201, 11, "2.1.329", inode: 900)
    scene.fork(201, 202)
    scene.exec(202, 11, "2.1.329", inode: 900)
    scene.exit(200)
    try scene.batch()
    write(&scene, 202, "202.json", in: 20, inode: 70)
    try scene.batch()
    scene.read(202, "a.txt", 50)
    try scene.batch()
    let spare = try #require(scene.sessions.last)
    #expect(spare.relation == .hosted)
    #expect(scene.accesses("/home/u/proj/a.txt").map(\.session) == [spare.id])
  }

  @Test("a nested session keeps the one around it open")
  func nestedEnd() throws {
    var scene = try sceneWithAgent()
    scene.fork(200, 201)
    scene.exec(201, 10, "bash", inode: 60)
    scene.fork(201, 202)
    scene.exec(202, 11, "2.1.329", inode: 900)
    write(&scene, 202, "202.json", in: 20, inode: 70)
    scene.exit(201)
    scene.exit(200)
    try scene.batch()
    try scene.batch()
    #expect(scene.ended.isEmpty)
    scene.exit(202)
    try scene.batch()
    try scene.batch()
    #expect(scene.ended == [2, 1])
  }

  @Test("the transcript labels the session, and another one labels it anew")
  func conversations() throws {
    var scene = try sceneWithAgent()
    write(&scene, 200, "\(Self.id).jsonl", in: 21, inode: 71)
    try scene.batch()
    write(&scene, 200, "\(Self.id).jsonl", in: 21, inode: 71)
    try scene.batch()
    write(&scene, 200, "\(Self.other).jsonl", in: 21, inode: 72)
    try scene.batch()
    #expect(scene.labels.map(\.conversation) == [Self.id, Self.other])
    #expect(scene.labels[0].from < scene.labels[1].from)
  }

  @Test("reading a transcript labels nothing")
  func readTranscript() throws {
    var scene = try sceneWithAgent()
    scene.read(200, "\(Self.id).jsonl", 71, in: 21)
    try scene.batch()
    #expect(scene.labels.isEmpty)
  }

  @Test("node that opens the agent's script is the agent; node that opens another is not")
  func interpreter() throws {
    var scene = try Scene()
    scene.paths[30] = "/usr/lib/node_modules/@anthropic-ai/claude-code"
    scene.fork(100, 200)
    scene.exec(200, 10, "node", inode: 61)
    scene.fork(100, 201)
    scene.exec(201, 10, "node", inode: 61)
    try scene.batch()
    scene.read(200, "cli.js", 80, in: 30)
    scene.read(201, "other.js", 81)
    try scene.batch()
    scene.read(200, "a.txt", 50)
    scene.read(201, "b.txt", 51)
    try scene.batch()
    #expect(scene.sessions.map(\.root.pid) == [200])
    #expect(scene.accesses("/home/u/proj/a.txt").count == 1)
    #expect(scene.accesses("/home/u/proj/b.txt").isEmpty)
  }

  @Test("node that writes the agent's script, as an installation does, is not the agent")
  func installation() throws {
    var scene = try Scene()
    scene.paths[30] = "/usr/lib/node_modules/@anthropic-ai/claude-code"
    scene.fork(100, 200)
    scene.exec(200, 10, "node", inode: 61)
    try scene.batch()
    write(&scene, 200, "cli.js", in: 30, inode: 80)
    try scene.batch()
    #expect(scene.sessions.isEmpty)
  }

  @Test("the loader run as a program executes what it opens")
  func loader() throws {
    var scene = try Scene()
    scene.paths[31] = "/lib64"
    scene.fork(100, 200)
    scene.exec(200, 31, "ld-linux-x86-64.so.2", inode: 62)
    try scene.batch()
    scene.read(200, "2.1.329", 900, in: 11)
    try scene.batch()
    #expect(scene.sessions.map(\.agent) == ["claude-code"])
  }

  @Test("an agent that already runs at the start joins late, with its children")
  func joinedLate() throws {
    var scene = try Scene(processes: [
      Scene.process(1, parent: 0, "/sbin/init"),
      Scene.process(300, parent: 1, "/home/u/.local/share/claude/versions/2.1.1 (deleted)", startedAt: 600),
      Scene.process(299, parent: 300, "/usr/bin/bash", startedAt: 700),
    ])
    scene.read(299, "a.txt", 50)
    try scene.batch()
    let session = try #require(scene.sessions.first)
    #expect(session.joinedLate)
    #expect(session.version == "2.1.1")
    #expect(scene.accesses("/home/u/proj/a.txt").map(\.attribution) == [.observed])
    #expect(scene.gaps.contains { $0.reason.contains("joined late") })
  }

  /// A process of session 7, which an earlier run knew.
  private func survivor(_ pid: Int32, _ record: Int64) -> Survivor {
    let session = Session(
      id: 7, key: "k", agent: "claude-code", started: Timestamp(nanoseconds: 1),
      root: ProcessKey(pid: 250, startedAt: 500, provenance: .witnessed), bootID: "boot", host: "host",
      executable: RawPath("/x"), executableIdentity: nil, version: nil, joinedLate: false, parent: nil,
      relation: nil, facts: nil)
    return Survivor(
      key: ProcessKey(pid: pid, startedAt: 800, provenance: .observed), session: session, record: record)
  }

  @Test("a session of an earlier run goes on with the processes that survived, orphans too")
  func survivor() throws {
    var scene = try Scene(
      survivors: [survivor(310, 9)],
      processes: [
        Scene.process(1, parent: 0, "/sbin/init"), Scene.process(310, parent: 1, "/bin/sh", startedAt: 800),
      ])
    scene.read(310, "a.txt", 50)
    try scene.batch()
    #expect(scene.accesses("/home/u/proj/a.txt").map(\.session) == [7])
    scene.exit(310)
    try scene.batch()
    try scene.batch()
    #expect(scene.ended == [7])
  }

  @Test("who is dead or has another's number at a restart is no survivor: records and session end")
  func deadSurvivors() throws {
    var unreaped = Scene.process(310, parent: 1, "", startedAt: 800)
    unreaped.threads = 0
    var scene = try Scene(
      survivors: [survivor(310, 9), survivor(311, 10), survivor(312, 11)],
      processes: [
        Scene.process(1, parent: 0, "/sbin/init"), unreaped,
        Scene.process(311, parent: 1, "/bin/sh", startedAt: 900_000_000),
      ])
    try scene.batch()
    let records = scene.findings.compactMap { if case .processEnded(let id, _) = $0 { id } else { nil } }
    #expect(Set(records) == [9, 10, 11])
    #expect(scene.ended == [7])
  }

  @Test("a stranger that writes an agent's own files shows that the rules have rotted")
  func rottenRules() throws {
    var scene = try sceneWithAgent()
    scene.fork(100, 500)
    write(&scene, 500, "500.json", in: 20, inode: 75)
    try scene.batch()
    #expect(scene.incidents == ["agent-outside-sessions"])
  }

  @Test("the class of a tool's shell comes from its environment, and its children have it too")
  func classes() throws {
    var scene = try sceneWithAgent()
    scene.environments[201] = ["AI_AGENT=claude-code_2-1-329_agent"]
    scene.fork(200, 201)
    scene.exec(201, 10, "bash", inode: 60)
    scene.fork(201, 202)
    scene.exec(202, 10, "cat", inode: 63)
    try scene.batch()
    let processes = scene.findings.compactMap { if case .process(let process) = $0 { process } else { nil } }
    #expect(processes.map(\.processClass) == [.inProcess, .toolShell, .toolShell])
  }
}
