import Evidence
import GRDB
import Records
import Testing

private func seen(
  _ table: String, _ time: Int64, namespace: String = "mnt:[1]", isHost: Bool = true, isFirst: Bool = false,
  state: MountsSeen.State = .known
) -> Finding {
  .mounts(
    MountsSeen(
      namespace: namespace, isHost: isHost, isFirst: isFirst, state: state, table: Array(table.utf8),
      time: Interval(from: at(time), to: at(time + 1))))
}

struct MountTests {
  private func told(_ shelf: Shelf, from: Int64 = 0, to: Int64 = 1000) throws -> [String] {
    let found = try shelf.reader().mounts(about: Interval(from: at(from), to: at(to)))
    return found.spans.map { span in
      let table = span.table.map { String(decoding: found.tables[$0] ?? [], as: UTF8.self) } ?? "unknown"
      let end =
        span.time.to == .distantFuture ? "" : "\((span.time.to.nanoseconds - at(0).nanoseconds) / 1_000_000_000)"
      let start = (span.time.from.nanoseconds - at(0).nanoseconds) / 1_000_000_000
      return "\(span.isHost ? "host" : "session") \(table) \(start)-\(end)"
    }
  }

  @Test("a table may have held from the last look before it to the look that saw another")
  func spans() throws {
    let shelf = try Shelf()
    try shelf.write(seen("a", 0, isFirst: true), seen("b", 200), seen("", 300, state: .unknown), seen("a", 310))
    #expect(try told(shelf) == ["host a 0-201", "host b 200-301", "host unknown 300-311", "host a 310-"])
    #expect(try told(shelf, from: 220, to: 230) == ["host a 0-201", "host b 200-301"], "paths are told a little late")
    #expect(try told(shelf, from: 500, to: 600) == ["host a 310-"])
  }

  @Test("equal tables are stored once")
  func once() throws {
    let shelf = try Shelf()
    try shelf.write(
      seen("a", 0, isFirst: true), seen("b", 10), seen("a", 20), seen("a", 21, namespace: "mnt:[2]", isHost: false))
    let count = try DatabaseQueue(path: shelf.directory + "/alibi.sqlite").read { db in
      try Int.fetchOne(db, sql: "SELECT count(*) FROM mount_tables")
    }
    #expect(count == 2)
  }

  @Test("a session's namespace ends when nobody lives there, or when a recorder that continues does not restate it")
  func ends() throws {
    let shelf = try Shelf()
    try shelf.write(
      seen("h", 0, isFirst: true), seen("a", 10, namespace: "mnt:[2]", isHost: false),
      seen("b", 10, namespace: "mnt:[3]", isHost: false), seen("c", 10, namespace: "mnt:[4]", isHost: false),
      seen("", 200, namespace: "mnt:[2]", isHost: false, state: .gone), seen("h", 400, isFirst: true),
      seen("b", 402, namespace: "mnt:[3]", isHost: false))
    #expect(
      try told(shelf) == [
        "host h 0-401", "session a 10-201", "session b 10-401", "session c 10-401", "host h 400-", "session b 402-",
      ])
  }

  @Test("tables go back to when something was opened that was held in the time asked about")
  func held() throws {
    let shelf = try Shelf()
    try shelf.write(seen("a", 0, isFirst: true), seen("b", 100), .session(session(1)))
    #expect(try told(shelf, from: 800, to: 900) == ["host b 100-"])
    try shelf.write(access("/x", [.open, .read], from: 20, to: 20))
    #expect(try told(shelf, from: 800, to: 900) == ["host a 0-101", "host b 100-"])
  }

  @Test("a run that kept no tables is said so")
  func unrecorded() throws {
    let shelf = try Shelf()
    let time = Interval(from: at(10), to: at(90))
    #expect(try shelf.reader().mounts(about: time).unrecorded == [time])
    try shelf.write(seen("a", 0, isFirst: true))
    #expect(try shelf.reader().mounts(about: time).unrecorded == [])
  }

  @Test("what was mounted is followed for a file, a tree and a pattern, in both directions of the tree")
  func aliases() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), access("/data/sub/a.csv"))
    let bind = ProofQuestion.Alias(from: RawPath("/mnt"), to: RawPath("/data"))
    func outcome(_ target: ProofQuestion.Target) throws -> Verdict.Outcome {
      try shelf.prove(target) { $0.aliases = [bind] }.outcome
    }
    #expect(try outcome(.file(RawPath("/mnt/sub/a.csv"))) == .accessed)
    #expect(try outcome(.file(RawPath("/mnt/sub/b.csv"))) == .notAccessed)
    #expect(try outcome(.file(RawPath("/mount/sub/a.csv"))) == .notAccessed)
    #expect(try outcome(.tree(RawPath("/mnt/sub"))) == .accessed)
    #expect(try outcome(.tree(RawPath("/mnt/other"))) == .notAccessed)
    #expect(try outcome(.glob(PathPattern("/mnt/*/*.csv"))) == .accessed)
    #expect(try outcome(.glob(PathPattern("/m*/**/a.csv"))) == .accessed)
    #expect(try outcome(.glob(PathPattern("/m*/**/b.csv"))) == .notAccessed)
    let above = try shelf.prove(.tree(RawPath("/"))) { $0.aliases = [bind] }
    #expect(above.outcome == .accessed && above.names == ["/"], "what lies beneath anyway is not another name")
  }

  @Test("what was told by a path while something else was mounted there is not the target")
  func times() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), access("/mnt/a.csv", from: 40, to: 40))
    func outcome(_ from: Int64, _ to: Int64) throws -> Verdict.Outcome {
      let time = Interval(from: at(from), to: at(to))
      return try shelf.prove { question in
        question.aliases = [.init(from: RawPath("/data"), to: RawPath("/mnt"), time: time)]
      }.outcome
    }
    #expect(try outcome(30, 50) == .accessed)
    #expect(try outcome(10, 30) == .notAccessed)
    #expect(try outcome(50, 200) == .notAccessed)
  }

  @Test("a file system on which the target lay for a while must have been watched then, and only then")
  func formers() throws {
    let shelf = try Shelf()
    try shelf.write(
      .fileSystem(
        WatchedFileSystem(
          fileSystem: 9, device: 2, type: "tmpfs", mountPoint: RawPath("/data"), mode: "identity", reason: "",
          since: at(50))))
    func gaps(_ from: Int64, _ to: Int64) throws -> [Interval] {
      try shelf.prove { question in
        question.formerFileSystems = [.init(fileSystem: 9, time: Interval(from: at(from), to: at(to)))]
      }.gaps.map(\.time)
    }
    #expect(try gaps(50, 70) == [])
    #expect(try gaps(45, 70) == [Interval(from: at(45), to: at(50))])
    #expect(try gaps(95, 99) == [], "outside the time asked about")
    let reader = try shelf.reader()
    #expect(try reader.fileSystems(device: 2, in: Interval(from: at(60), to: at(70))).map(\.fileSystem) == [9])
    #expect(try reader.fileSystems(device: 2, in: Interval(from: at(1), to: at(20))).isEmpty)
  }

  @Test("an untold name on a file system that only a session had at the target's place is in the way of a no")
  func sessionFileSystems() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), access(nil, name: "a.csv", system: 9))
    #expect(try shelf.prove().outcome == .notAccessed)
    #expect(try shelf.prove { $0.sessionFileSystems = [9] }.outcome == .notProven)
    #expect(try shelf.prove(.file(RawPath("/data/b.csv"))) { $0.sessionFileSystems = [9] }.outcome == .notAccessed)
  }
}
