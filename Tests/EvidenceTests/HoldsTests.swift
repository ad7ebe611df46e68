import GRDB
import Records
import Testing

@testable import Evidence

struct HoldsTests {
  /// A store in which everything happens that ends, or does not end, what an access holds.
  private func shelf(_ random: inout SystemRandomNumberGenerator) throws -> Shelf {
    let shelf = try Shelf()
    var findings: [Finding] = (1...4).map { .session(session($0)) }
    for id in 1...12 as ClosedRange<Int64> {
      findings.append(
        .process(
          ProcessRecord(
            id: id, session: 1 + id % 4, key: ProcessKey(pid: 500 + Int32(id), startedAt: 9, provenance: .witnessed),
            parent: nil, executable: RawPath("/bin/sh"), processClass: .toolShell, started: at(2),
            space: Bool.random(using: &random) ? id : Int64.random(in: 1...16, using: &random))))
    }
    let some: [Operations] = [
      .open, .read, .write, .mapped, .closedUnwritten, .closedWritable, .inherited, .mapWritable, .rawDevice,
    ]
    for _ in 0..<400 {
      let operations = some.filter { _ in Int.random(in: 0..<3, using: &random) == 0 }.reduce(Operations.read) {
        $0.union($1)
      }
      let from = Int64.random(in: 0..<1000, using: &random)
      let length: Int64 = Bool.random(using: &random) ? 0 : Int64.random(in: 0..<200, using: &random)
      findings.append(
        .access(
          Access(
            session: Int.random(in: 0...4, using: &random) == 0 ? nil : 1 + from % 4,
            process: [nil, 1 + from % 12, 99].randomElement(using: &random) ?? nil, path: RawPath("/data/\(from % 50)"),
            name: nil,
            identity: FileIdentity(
              fileSystem: Shelf.system, inode: UInt64(from % 50), generation: 1), operations: operations, result: 0,
            time: Interval(from: at(from), to: at(from + length)), count: 1, attribution: .witnessed)))
    }
    for id in 1...6 as ClosedRange<Int64> {
      findings.append(.released(space: id, at(Int64.random(in: 0..<1000, using: &random))))
    }
    findings.append(.sessionEnded(1, at(300)))
    findings.append(.sessionEnded(2, at(700)))
    for inode in 0..<20 as Range<UInt64> {
      findings.append(
        .closed(
          session: 3, FileIdentity(fileSystem: Shelf.system, inode: inode, generation: 1),
          at(Int64.random(in: 0..<1000, using: &random))))
    }
    try shelf.writer.commit(findings, covered: nil)
    return shelf
  }

  @Test("what is found by the indices of holds is what a look at every access finds")
  func same() throws {
    var random = SystemRandomNumberGenerator()
    let shelf = try shelf(&random)
    try DatabaseQueue(path: shelf.directory + "/alibi.sqlite").read { db in
      var sizes: Set<Int> = [], shapes: Set<String> = []
      for _ in 0..<300 {
        let from = Int64.random(in: -10..<1300, using: &random)
        let time = Interval(from: at(from), to: at(from + Int64.random(in: 0..<300, using: &random)))
        let every = try Int64.fetchSet(
          db, sql: "SELECT a.id FROM accesses a \(Reach.live.holders) WHERE \(Reach.live.touches)",
          arguments: StoreReader.touching(time))
        let found = try Int64.fetchSet(
          db, sql: Reach.live.touched, arguments: StoreReader.arguments(ofTouchedIn: time))
        #expect(found == every, "\(time)")
        sizes.insert(every.count)
        let first = try Int64.fetchOne(
          db, sql: "SELECT min(t0) FROM accesses WHERE id IN (\(every.map(String.init).joined(separator: ",")))")
        #expect(
          try Int64.fetchOne(
            db, sql: Reach.live.firstTouched, arguments: StoreReader.arguments(ofTouchedIn: time)) == first)
        let files = try Int64.fetchSet(
          db, sql: "SELECT file FROM accesses WHERE id IN (\(every.map(String.init).joined(separator: ",")))")
        let (condition, accessed) = try StoreReader.touching(time, db)
        shapes.insert(accessed.sql)
        #expect(try Int64.fetchSet(db, sql: accessed.sql, arguments: accessed.arguments) == files)
        #expect(
          try Int64.fetchSet(
            db, sql: "SELECT a.id FROM accesses a \(Reach.live.holders) WHERE \(condition.sql)",
            arguments: condition.arguments) == every)
      }
      #expect(shapes.count == 2, "a time may be much of history, or little")
      #expect(sizes.count > 30, "the times touch different accesses")
    }
  }

  @Test("no part of it reads every access")
  func plan() throws {
    let shelf = try Shelf()
    try DatabaseQueue(path: shelf.directory + "/alibi.sqlite").read { db in
      let time = Interval(from: at(0), to: at(1))
      let plan = try Row.fetchAll(
        db, sql: "EXPLAIN QUERY PLAN " + Reach.live.touched, arguments: StoreReader.arguments(ofTouchedIn: time)
      ).map { $0["detail"] as String }
      for index in ["time", "long", "mapped", "left_open", "inherited"] {
        #expect(plan.contains { $0.hasPrefix("SEARCH a USING") && $0.contains("INDEX accesses_\(index) ") }, "\(plan)")
      }
      #expect(!plan.contains { $0.hasPrefix("SCAN a") }, "\(plan)")
    }
  }
}
