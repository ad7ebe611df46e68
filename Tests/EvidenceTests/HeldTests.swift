import Evidence
import GRDB
import Records
import Testing

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
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), access("/links/h"), process(1))
    try shelf.writer.close(at: at(100))
    let queue = try DatabaseQueue(path: shelf.directory + "/alibi.sqlite")
    try queue.write { db in
      try db.execute(
        sql: """
          DROP TABLE names;
          CREATE TABLE names (
            id INTEGER PRIMARY KEY, file_system INTEGER NOT NULL, inode INTEGER NOT NULL,
            generation INTEGER NOT NULL, subvolume INTEGER NOT NULL, from_path BLOB, to_path BLOB NOT NULL,
            is_directory INTEGER NOT NULL, t0 INTEGER NOT NULL, t1 INTEGER NOT NULL);
          CREATE INDEX names_from ON names(from_path);
          CREATE INDEX names_to ON names(to_path);
          ALTER TABLE processes DROP COLUMN space;
          ALTER TABLE processes DROP COLUMN released;
          DROP INDEX accesses_long;
          DROP INDEX accesses_mapped;
          DROP INDEX accesses_left_open;
          DROP INDEX accesses_inherited;
          ALTER TABLE accesses DROP COLUMN closed;
          DELETE FROM grdb_migrations WHERE identifier LIKE '2%' OR identifier LIKE '8%';
          """)
      try db.execute(
        sql: "INSERT INTO names VALUES (1, ?, 5, 1, 0, CAST('/data/a.csv' AS BLOB), CAST('/links/h' AS BLOB), 0, ?, ?)",
        arguments: [Int64(Shelf.system), at(15).nanoseconds, at(15).nanoseconds])
    }
    try queue.close()
    let writer = try StoreWriter(directory: shelf.directory, run: Shelf.run("boot"))
    #expect(try writer.inheritance(bootID: "boot").survivors.map(\.space) == [1])
    #expect(try shelf.prove().outcome == .accessed)
  }
}
