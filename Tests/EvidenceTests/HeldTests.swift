import Foundation
import GRDB
import Records
import Testing

@testable import Evidence

struct HeldTests {
  private func process(_ id: Int64, space: Int64? = nil, session: Int64 = 1) -> Finding {
    .process(
      ProcessRecord(
        id: id, session: session, key: ProcessKey(pid: 500 + Int32(id), startedAt: 9, provenance: .witnessed),
        parent: nil, executable: RawPath("/bin/sh"), processClass: .toolShell, started: at(2), space: space))
  }

  private func mapped(_ more: Operations = [], process: Int64? = 1, session: Int64? = 1) -> Finding {
    access(
      "/data/a.csv", session: session, more.union([.read, .mapped, .open, .closedUnwritten]), from: 5, to: 5,
      attribution: session == nil ? .unattributed : .witnessed, process: process)
  }

  @Test("a mapping is an access of every time it touches, until its address space is left by all")
  func mapping() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), process(1), process(2, space: 1), mapped(process: 2))
    #expect(try shelf.prove().outcome == .accessed, "nobody has told of an end")
    try shelf.write(.processEnded(2, at(6)), .released(space: 1, at(30)))
    let verdict = try shelf.prove()
    #expect(verdict.outcome == .accessed)
    #expect(verdict.accesses.map(\.heldUntil) == [at(30)])
    #expect(try shelf.prove(from: 31).outcome == .notAccessed)
    #expect(try shelf.prove(from: 1, to: 4).outcome == .notAccessed)
  }

  @Test("of a held mapping: read it was, written it could have been when it was shared, executed only as a program")
  func kinds() throws {
    func ask(_ operations: Operations, _ kind: Operations.Kind) throws -> Verdict.Outcome {
      let shelf = try Shelf()
      try shelf.write(.session(session(1)), process(1), mapped(operations))
      return try shelf.prove { $0.kind = kind }.outcome
    }
    #expect(try ask([], .read) == .accessed)
    #expect(try ask([], .write) == .notAccessed)
    #expect(try ask([.mapWritable], .write) == .notProven)
    #expect(try ask([.mapShared], .write) == .notProven)
    #expect(try ask([.write], .write) == .notAccessed, "it was written before, and closed")
    #expect(try ask([], .exec) == .notAccessed)
    #expect(try ask([.exec], .exec) == .accessed)
  }

  @Test("an open file is held until the session closes it, or ends")
  func descriptor() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), access("/data/a.csv", [.open], from: 5, to: 5))
    #expect(try shelf.prove().outcome == .accessed)
    #expect(try shelf.prove { $0.kind = .read }.outcome == .notProven)
    let file = FileIdentity(fileSystem: Shelf.system, inode: 5, generation: 1)
    try shelf.write(.closed(session: 2, file, at(20)))
    #expect(try shelf.prove(from: 40).outcome == .accessed, "another session's close")
    try shelf.write(.closed(session: 1, file, at(30)), .closed(session: 1, file, at(60)))
    #expect(try shelf.prove(from: 20).outcome == .accessed)
    #expect(try shelf.prove(from: 40).outcome == .notAccessed)
    let other = try Shelf()
    try other.write(.session(session(1)), access("/data/a.csv", [.open], from: 5, to: 5), .sessionEnded(1, at(30)))
    #expect(try other.prove(from: 20).outcome == .accessed)
    #expect(try other.prove(from: 40).outcome == .notAccessed)
  }

  @Test("an access at the beginning of the time that is held into it needs no doubt about its moment")
  func acrossTheBeginning() throws {
    let shelf = try Shelf()
    let across = access("/data/a.csv", [.read, .mapped], from: 8, to: 12, process: 1)
    try shelf.write(.session(session(1)), process(1), across)
    #expect(try shelf.prove().outcome == .accessed)
    try shelf.write(.released(space: 1, at(12)))
    #expect(try shelf.prove(from: 13).outcome == .notAccessed)
  }

  @Test("nobody's mapping is held too, and blocks")
  func unattributed() throws {
    let shelf = try Shelf()
    try shelf.write(mapped(process: nil, session: nil))
    #expect(try shelf.prove().outcome == .notProven)
  }

  @Test("nothing is held beyond its boot")
  func boots() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), process(1), mapped())
    try shelf.writer.close(at: at(100))
    var next = Shelf.run("another boot")
    next.started = at(200)
    let writer = try StoreWriter(directory: shelf.directory, run: next)
    try writer.commit(
      [
        .fileSystem(
          WatchedFileSystem(
            fileSystem: Shelf.system, device: 1, type: "ext4", mountPoint: RawPath("/"), mode: "identity", reason: "",
            since: at(200)))
      ], covered: Interval(from: at(200), to: at(300)))
    #expect(try shelf.prove(from: 210, to: 290).outcome == .notAccessed)
    #expect(try shelf.prove(from: 50, to: 60).outcome == .accessed)
  }

  @Test("a store of the first form is taken over with its names")
  func migration() throws {
    let directory = try Shelf().directory + "-old"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let queue = try DatabaseQueue(path: directory + "/alibi.sqlite")
    try Schema.migrator.migrate(queue, upTo: "1 spine")
    let system = Int64(Shelf.system)
    try queue.write { db in
      try db.execute(
        literal: """
          INSERT INTO runs (id, boot_id, host, kernel, version, rules_digest, pid, run_directory, started, covered_from,
          covered_to) VALUES (1, 'boot', 'host', '6.18', '1', x'', 1, '/nowhere', \(at(0).nanoseconds),
          \(at(0).nanoseconds), \(at(100).nanoseconds));
          INSERT INTO sessions (id, key, agent, started, root_pid, root_started, root_provenance, boot_id, host, executable,
          joined_late) VALUES (1, 'session-1', 'claude-code', \(at(1).nanoseconds), 501, 9, 0, 'boot', 'host',
          CAST('/agent' AS BLOB), 0);
          INSERT INTO processes (id, session, pid, pid_started, provenance, executable, class, started) VALUES (1, 1, 501, 9,
          0, CAST('/bin/sh' AS BLOB), 'tool-shell', \(at(2).nanoseconds));
          INSERT INTO files VALUES (1, CAST('/links/h' AS BLOB), x'', \(system), 5, 1, 0);
          INSERT INTO accesses VALUES (1, 1, 1, 1, \(at(20).nanoseconds), \(at(20).nanoseconds), 3, 0, 1, 0);
          INSERT INTO names VALUES (1, \(system), 5, 1, 0, CAST('/data/a.csv' AS BLOB), CAST('/links/h' AS BLOB), 0,
          \(at(15).nanoseconds), \(at(15).nanoseconds));
          INSERT INTO file_systems VALUES (1, 1, \(system), 1, 'ext4', x'2f', 'identity', '', \(at(0).nanoseconds));
          """)
    }
    try queue.close()
    let writer = try StoreWriter(directory: directory, run: Shelf.run("boot"))
    #expect(try writer.inheritance(bootID: "boot").survivors.map(\.space) == [1])
    var question = ProofQuestion(
      target: .file(RawPath("/data/a.csv")), time: Interval(from: at(10), to: at(90)))
    question.fileSystems = [Shelf.system]
    #expect(try StoreReader(directory: directory).prove(question).outcome == .accessed)
  }
}
