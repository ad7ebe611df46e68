import Certificates
import Foundation
import GRDB
import MerkleLog
import Records
import Testing

@testable import Evidence
@testable import Sealing

struct SegmentTests {
  /// Five days, each with accesses of its own; what is opened on the first day is held to the end.
  static func vault(_ days: Int64 = 5) throws -> Vault {
    let vault = try Vault()
    try vault.commit(look(0, 100, canaries: 3), to: 160)
    for number in 0..<days {
      let start = number * day
      let id = number + 1
      try vault.writer.commit(
        [
          .session(session(id, started: start + 200)),
          .process(
            ProcessRecord(
              id: 10 * id, session: id, key: ProcessKey(pid: 500 + Int32(id), startedAt: 9, provenance: .witnessed),
              parent: nil, executable: RawPath("/bin/sh"), processClass: .toolShell, started: at(start + 200))),
          access(
            "/data/day\(number)", session: id, from: start + 300, to: start + 300, inode: 100 + UInt64(number),
            process: 10 * id),
          access("/data/held\(number)", session: id, [.open], from: start + 310, to: start + 310, inode: 200),
          renamed("/data/was\(number)", "/data/is\(number)", inode: 300 + UInt64(number), at: start + 320),
          .conversation(ConversationLabel(session: id, conversation: "secret-\(id)", from: at(start + 330))),
          look(start + 160, start + 90_000, canaries: 3),
        ] + (number == 0 ? [] : [.processEnded(10 * id, at(start + 400)), .sessionEnded(id, at(start + 400))]),
        covered: Interval(from: at(0), to: at(start + 86_500)), sealing: vault.sealer)
      try vault.close()
    }
    return vault
  }

  static func flaws(_ vault: Vault, in directory: String? = nil) throws -> [Flaw] {
    try FullVerification(StoreReader(directory: directory ?? vault.directory), pinned: vault.keys.log.verifier).flaws
  }

  private func prove(_ vault: Vault, _ path: String, _ from: Int64, _ to: Int64) throws -> Evidence.Verdict {
    var question = ProofQuestion(target: .file(RawPath(path)), time: Interval(from: at(from), to: at(to)))
    question.fileSystems = [Vault.system]
    return try StoreReader(directory: vault.directory).prove(question)
  }

  private func segment(_ vault: Vault) throws {
    _ = try Keeper.makeSegments(vault.writer, periods: .days)
    try vault.sealer.sign(vault.writer, vault.keys)
  }

  private func files(_ vault: Vault) -> [String] {
    let names = try? FileManager.default.contentsOfDirectory(atPath: KeptSegment.directory(vault.directory))
    return names?.sorted() ?? []
  }

  @Test("a period that is over becomes a file that nobody writes, and a record tells of it")
  func made() throws {
    let vault = try Self.vault()
    #expect(try Keeper.makeSegments(vault.writer) == 0, "a quarter is not over")
    try segment(vault)
    let days = (15...19).map { "2027-01-\($0)" }
    #expect(files(vault) == days.map { $0 + ".sqlite" })
    let found = try Self.flaws(vault)
    #expect(found.isEmpty, "\(found)")
    let records = try vault.records("segment")
    let kept = try StoreReader(directory: vault.directory).segments()
    #expect(records.map { $0.hash("hash") } == kept.map(\.hash))
    #expect(records.map { $0.word("period") } == days)
    for segment in kept {
      let path = KeptSegment.directory(vault.directory) + "/" + segment.file
      let status = try FileManager.default.attributesOfItem(atPath: path)
      #expect(status[.size] as? Int == Int(segment.size))
      #expect((status[.posixPermissions] as? Int ?? 0) & 0o222 == 0)
      #expect(try KeptSegment.hash(of: path) == segment.hash)
    }
    // What later times do not depend on has gone from the live file, and what they do has not.
    let (files, events) = try vault.database().read { db in
      (
        try Data.fetchSet(db, sql: "SELECT path FROM files").map { String(decoding: $0, as: UTF8.self) },
        try Int.fetchOne(db, sql: "SELECT count(*) FROM accesses WHERE t0 < ?", arguments: [at(day).nanoseconds])
      )
    }
    #expect(files.contains("/data/held0") && !files.contains("/data/day0"))
    #expect(events == 1)
    #expect(try Keeper.makeSegments(vault.writer, periods: .days) == 0)
    #expect(try prove(vault, "/data/day1", 10, 4 * day).outcome == .accessed)
    #expect(try prove(vault, "/data/none", 10, 4 * day).outcome == .notAccessed)
  }

  @Test("periods begin with January, whatever their length")
  func periods() throws {
    let time = try #require(Timestamp("2027-08-31T23:59:59.5Z", now: at(0)))
    #expect(Periods.fitting(Keeper.usualDays).holding(time).name == "2027-07")
    #expect(Periods.fitting(Keeper.usualDays).holding(time).end == Timestamp("2027-10-01T00:00:00Z", now: at(0)))
    #expect(Periods.fitting(5 * 366).holding(time).name == "2027-01")
    for days in [1, 396, 731, 1000, 3000, 10_000, 36_500] as [UInt64] {
      let period = Periods.fitting(days).holding(time)
      let first = try #require(Timestamp(period.name + "-01T00:00:00Z", now: at(0)))
      let length = (period.end.nanoseconds - first.nanoseconds) / 86_400_000_000_000
      // What waits for its last epoch, and what is not over yet.
      #expect(Int64(days) / length + 2 <= 10, "\(days)")
    }
    #expect(Periods.months(12).holding(time).name == "2027-01")
    #expect(Periods.months(12).holding(time).end == Timestamp("2028-01-01T00:00:00Z", now: at(0)))
    #expect(Periods.months(1).holding(time).end == Timestamp("2027-09-01T00:00:00Z", now: at(0)))
    #expect(Periods.days.holding(time).name == "2027-08-31")
  }

  private struct Stop: Error {}

  @Test("whenever making a segment is cut off, the store is sound, answers as before, and goes on")
  func cutOff() throws {
    for stop in 0...12 {
      let vault = try Self.vault(3)
      var left = stop
      var stopped = false
      do {
        _ = try Keeper.makeSegments(vault.writer, periods: .days, most: 2) { _ in
          left -= 1
          if left < 0 { throw Stop() }
        }
      } catch is Stop { stopped = true }
      #expect(stopped == (stop < 12))
      try vault.sealer.sign(vault.writer, vault.keys)
      let found = try Self.flaws(vault)
      #expect(found.isEmpty, "\(stop): \(found)")
      #expect(try prove(vault, "/data/day0", 10, 2 * day).outcome == .accessed)
      #expect(try prove(vault, "/data/none", 10, 2 * day).outcome == .notAccessed)
      try segment(vault)
      #expect(files(vault) == ["2027-01-15.sqlite", "2027-01-16.sqlite", "2027-01-17.sqlite"])
      #expect(try vault.records("segment").count == 3)
      let after = try Self.flaws(vault)
      #expect(after.isEmpty, "\(stop): \(after)")
      #expect(try prove(vault, "/data/day0", 10, 2 * day).outcome == .accessed)
    }
  }

  @Test("moving a segment's values out of the live file that is cut off at any step is sound, and goes on")
  func letGo() throws {
    let vault = try Self.vault(3)
    struct Recorded: Error {}
    #expect(throws: Recorded.self) {
      _ = try Keeper.makeSegments(vault.writer, periods: .days) { if $0 == .recorded { throw Recorded() } }
    }
    try vault.sealer.sign(vault.writer, vault.keys)
    var cursor: StoreWriter.PruneCursor?
    var rounds = 0, seals = 0
    repeat {
      rounds += 1
      if rounds % 9 == 0 { cursor = nil }
      if rounds > 100 { break }
      let found = try Self.flaws(vault)
      #expect(found.isEmpty, "\(found)")
      #expect(try prove(vault, "/data/day0", 10, day).outcome == .accessed)
      #expect(try prove(vault, "/data/held0", 2 * day, 2 * day + 5).outcome == .accessed)
      #expect(try prove(vault, "/data/none", 10, day).outcome == .notAccessed)
    } while try vault.writer.pruneNext(&cursor, &seals, most: 2)
    #expect(rounds > 8 && rounds < 100)
  }

  /// What may happen to a file.
  enum Harm: CaseIterable {
    case flipped, shortened, deleted, swapped, renamed, emptied
  }

  @Test("a segment that is missing or altered is never a no, and is found out", arguments: Harm.allCases)
  func harmed(harm: Harm) throws {
    let vault = try Self.vault()
    try segment(vault)
    let directory = KeptSegment.directory(vault.directory)
    let (path, other) = (directory + "/2027-01-16.sqlite", directory + "/2027-01-17.sqlite")
    let files = FileManager.default
    let bytes = try #require(files.contents(atPath: path))
    func replace(_ path: String, _ bytes: Data?) throws {
      try files.removeItem(atPath: path)
      if let bytes { try bytes.write(to: URL(filePath: path)) }
    }
    switch harm {
    case .flipped:
      var flipped = bytes
      flipped[bytes.count / 2] ^= 1
      try replace(path, flipped)
    case .shortened: try replace(path, bytes.dropLast(4096))
    case .deleted: try replace(path, nil)
    case .swapped:
      let theirs = try #require(files.contents(atPath: other))
      try replace(path, theirs)
      try replace(other, bytes)
    case .renamed: try files.moveItem(atPath: path, toPath: directory + "/elsewhere.sqlite")
    case .emptied: try replace(path, Data())
    }
    let asked: [(String, Int64)] = [("/data/none", day / 2), ("/data/none", 4 * day), ("/data/day1", 2 * day)]
    for (target, to) in asked {
      let verdict = try prove(vault, target, 10, to)
      #expect(verdict.outcome != .notAccessed, "\(target) \(to)")
      let gap = try #require(verdict.gaps.first { $0.source == "segment" && $0.reason.contains("2027-01-16") })
      #expect(gap.time.from == at(10))
    }
    // What does not reach back needs no segment.
    #expect(try prove(vault, "/data/none", 4 * day, 4 * day + 100).outcome == .notAccessed)
    let reader = try StoreReader(directory: vault.directory)
    if harm != .flipped, harm != .swapped {
      #expect(throws: StoreError.self) { try reader.accesses(Filter()) }
      #expect(throws: StoreError.self) { try reader.sessions() }
    }
    #expect(throws: (any Error).self) { try vault.certify(.file, "/data/none", from: 200, to: 2 * day) }
    let found = try Self.flaws(vault)
    #expect(found.contains { $0.place == "segment 2027-01-16" }, "\(found)")
  }

  @Test(
    "rows of a segment that are not what was sealed are found out, also where its hash is said to be another",
    arguments: [
      "UPDATE accesses SET operations = 3 WHERE id = 3", "DELETE FROM accesses WHERE id = 3",
      "UPDATE files SET path = x'2f' WHERE id = 3", "DELETE FROM names", "UPDATE sessions SET ended = NULL",
      "INSERT INTO gaps (t0, t1, source, reason) VALUES (1, 2, 'a', 'b')", "DELETE FROM entries WHERE kind = 4",
      "UPDATE keys SET keys = x'00'", "DELETE FROM keys",
    ])
  func edited(sql: String) throws {
    let vault = try Self.vault()
    try segment(vault)
    let path = KeptSegment.directory(vault.directory) + "/2027-01-16.sqlite"
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    let file = try DatabaseQueue(path: path)
    try file.writeWithoutTransaction { try $0.execute(sql: "PRAGMA foreign_keys = OFF; " + sql) }
    try file.close()
    let size = try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
    // Whoever has the log's key and the store makes a record that tells so.
    let kept = try StoreReader(directory: vault.directory).segments()
    var segment = try #require(kept.first { $0.period == "2027-01-16" })
    segment.size = UInt64(size)
    segment.hash = try KeptSegment.hash(of: path)
    try vault.writer.replace(segment, Keeper.line(segment))
    try vault.sealer.sign(vault.writer, vault.keys)
    let found = try Self.flaws(vault)
    #expect(!found.isEmpty)
  }
}

/// How SQLite asks several files as one.
struct ReachTests {
  @Test("no question that reaches back reads a whole table, or makes an index for itself")
  func plans() throws {
    let vault = try SegmentTests.vault()
    _ = try Keeper.makeSegments(vault.writer, periods: .days)
    let reader = try StoreReader(directory: vault.directory)
    let time = Interval(from: at(10), to: at(20))
    try reader.read(since: at(10)) { db in
      let reach = try Reach(db)
      #expect(reach.segments == [5, 4, 3, 2, 1])
      let touching = StoreReader.arguments(ofTouchedIn: time)
      let queries: [(sql: String, arguments: StatementArguments)] = [
        (reach.touched, touching), (reach.firstTouched, touching), (reach.history, []),
        (reach.accessQuery + " WHERE a.id IN (\(reach.touched))", touching),
        (reach.accessQuery + " WHERE \(reach.touches) AND a.file IN (1, 2)", StoreReader.touching(time)),
        ("SELECT file_system, inode, subvolume FROM files WHERE id IN (\(reach.touchedFiles))", touching),
        ("SELECT * FROM names WHERE file_system = ? AND inode = ? AND subvolume = ? AND kind <> 1", [1, 2, 3]),
        ("SELECT EXISTS (SELECT 1 FROM names WHERE from_path = ?)", [1]),
        (reach.accessQuery + " WHERE \(reach.touches) AND a.operations & 65536 <> 0", StoreReader.touching(time)),
        (
          """
          SELECT * FROM names n WHERE file_system = ? AND inode = ? AND subvolume = ? AND coalesce((SELECT e.seal \
          FROM entries e WHERE e.kind = 7 AND e.id = n.id), ?) <= ? ORDER BY id
          """, [1, 2, 3, 4, 5]
        ),
        ("SELECT id FROM files WHERE path >= ? AND path < ?", [1, 2]),
      ]
      for query in queries {
        let plan = try Row.fetchAll(db, sql: "EXPLAIN QUERY PLAN " + query.sql, arguments: query.arguments)
          .map { $0["detail"] as String }
        if query.sql.contains("65536") {
          #expect(plan.count { $0.contains("accesses_raw") } == reach.schemas.count, "\(plan)")
        }
        let bad = plan.filter { step in
          step.contains("AUTOMATIC") || step.contains("MATERIALIZE")
            // One session's labels are gone through, and what `min` is of.
            || step.hasPrefix("SCAN") && !["SCAN c", "SCAN CONSTANT ROW"].contains(step)
        }
        #expect(bad.isEmpty, "\(query.sql.prefix(200)): \(bad)")
      }
    }
  }

  @Test("what is recorded between two questions of one reader counts for the second")
  func fresh() throws {
    let vault = try SegmentTests.vault()
    _ = try Keeper.makeSegments(vault.writer, periods: .days)
    let reader = try StoreReader(directory: vault.directory)
    // A new name of a file, and an access of it under another that is told late: both within the time asked about.
    var question = ProofQuestion(target: .file(RawPath("/data/none")), time: Interval(from: at(10), to: at(4 * day)))
    question.fileSystems = [Vault.system]
    #expect(try reader.prove(question).outcome == .notAccessed)
    try vault.commit(
      renamed(nil, "/data/none", inode: 999, at: 3 * day),
      access("/data/else", session: 1, from: 3 * day + 5, to: 3 * day + 5, inode: 999), to: 5 * day)
    #expect(try reader.prove(question).outcome == .accessed)
  }

  @Test("ten segments are asked as one; of what is before them nothing is said")
  func most() throws {
    for days in [10, 11] as [Int64] {
      let vault = try SegmentTests.vault(days)
      _ = try Keeper.makeSegments(vault.writer, periods: .days)
      try vault.sealer.sign(vault.writer, vault.keys)
      let reader = try StoreReader(directory: vault.directory)
      #expect(try reader.segments().count == Int(days))
      for (path, isThere) in [("/data/day1", true), ("/data/none", false)] {
        var question = ProofQuestion(
          target: .file(RawPath(path)), time: Interval(from: at(10), to: at((days - 1) * day)))
        question.fileSystems = [Vault.system]
        let verdict = try reader.prove(question)
        guard days == 10 else {
          #expect(verdict.outcome != .notAccessed && verdict.gaps.contains { $0.source == "segment" })
          continue
        }
        #expect(verdict.outcome == (isThere ? .accessed : .notAccessed))
        question.time = Interval(from: at(2 * day), to: at(3 * day))
        #expect(try reader.prove(question).outcome == .notAccessed)
      }
      if days == 10 {
        let found = try SegmentTests.flaws(vault)
        #expect(found.isEmpty, "\(found)")
        #expect(try reader.coverage(Interval(from: at(10), to: at(9 * day))).places.count == 1)
      } else {
        #expect(throws: StoreError.self) { try SegmentTests.flaws(vault) }
      }
    }
  }
}
