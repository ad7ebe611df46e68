import Evidence
import Records
import Testing

struct VerdictTests {
  @Test("nothing recorded and everything vouched for is NOT ACCESSED")
  func nothing() throws {
    let verdict = try Shelf().prove()
    #expect(verdict.outcome == .notAccessed)
    #expect(verdict.covered.seconds == 80)
  }

  @Test("an access within the time is ACCESSED; one wholly before or after it is not")
  func inTime() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), access("/data/a.csv", from: 20, to: 21))
    #expect(try shelf.prove().outcome == .accessed)
    #expect(try shelf.prove(from: 30).outcome == .notAccessed)
    #expect(try shelf.prove(from: 10, to: 15).outcome == .notAccessed)
  }

  @Test("an access that may lie outside the asked time is NOT PROVEN, with the record shown")
  func boundary() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), access("/data/a.csv", from: 8, to: 12))
    let verdict = try shelf.prove()
    #expect(verdict.outcome == .notProven)
    #expect(verdict.possible.count == 1)
  }

  @Test("a time that no run vouches for is NOT PROVEN with exactly that sub-interval")
  func uncovered() throws {
    let verdict = try Shelf().prove(from: 90, to: 130)
    #expect(verdict.outcome == .notProven)
    #expect(verdict.gaps.map(\.time) == [Interval(from: at(100), to: at(130))])
    #expect(verdict.covered.intervals == [Interval(from: at(90), to: at(100))])
  }

  @Test("a gap within the time is NOT PROVEN, but for one of the connector alone")
  func gaps() throws {
    let shelf = try Shelf()
    try shelf.write(
      .gap(Gap(time: Interval(from: at(40), to: at(42)), source: "connector", reason: "x", fileSystem: nil)))
    #expect(try shelf.prove().outcome == .notAccessed, "lineage stands on perf")
    try shelf.write(
      .gap(Gap(time: Interval(from: at(40), to: at(42)), source: "fanotify", reason: "overflow", fileSystem: nil)))
    let verdict = try shelf.prove()
    #expect(verdict.outcome == .notProven)
    #expect(verdict.covered.seconds == 78)
    #expect(try shelf.prove(from: 43).outcome == .notAccessed)
  }

  @Test("a file system that was not watched, or cannot be told, is NOT PROVEN")
  func fileSystems() throws {
    let shelf = try Shelf()
    #expect(try shelf.prove { $0.fileSystems = [77] }.outcome == .notProven)
    #expect(try shelf.prove { $0.fileSystems = nil }.outcome == .notProven)
    #expect(try shelf.prove { $0.fileSystems = [0] }.outcome == .notProven)
    try shelf.write(
      .fileSystem(
        WatchedFileSystem(
          fileSystem: Shelf.system, device: 1, type: "ext4", mountPoint: RawPath("/"), mode: nil, reason: "unmounted",
          since: at(50))))
    #expect(try shelf.prove(from: 10, to: 49).outcome == .notAccessed)
    #expect(try shelf.prove().outcome == .notProven)
  }

  @Test("a run without perf task records proves nothing")
  func withoutPerf() throws {
    #expect(try Shelf(perfMissing: "not permitted").prove().outcome == .notProven)
  }

  @Test("an access that nobody can be named for is NOT PROVEN for its target, and for no other")
  func unattributed() throws {
    let shelf = try Shelf()
    try shelf.write(access("/data/a.csv", session: nil, attribution: .unattributed))
    #expect(try shelf.prove().outcome == .notProven)
    #expect(try shelf.prove(.file(RawPath("/data/b.csv"))).outcome == .notAccessed)
  }

  @Test("an ambiguous access counts for each candidate")
  func ambiguous() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), access("/data/a.csv", attribution: .ambiguous))
    #expect(try shelf.prove().outcome == .accessed)
  }

  @Test("an access whose path cannot be told blocks what it could have been")
  func unresolved() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), access(nil, inode: 99, name: "a.csv"))
    #expect(try shelf.prove().outcome == .notProven)
    #expect(try shelf.prove(.tree(RawPath("/data"))).outcome == .notProven)
    #expect(try shelf.prove(.file(RawPath("/data/b.csv"))).outcome == .notAccessed)
    #expect(try shelf.prove(.glob(PathPattern("/data/*.csv"))).outcome == .notProven)
    #expect(try shelf.prove(.glob(PathPattern("/data/*.txt"))).outcome == .notAccessed)
  }

  @Test("the same on another file system is not the target")
  func unresolvedElsewhere() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), access(nil, inode: 99, name: "a.csv", system: 8))
    #expect(try shelf.prove().outcome == .notAccessed)
  }

  @Test("could have is not did: an open is no read, and no write once it was closed unwritten")
  func couldHave() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), access("/data/a.csv", [.open]))
    #expect(try shelf.prove().outcome == .accessed)
    #expect(try shelf.prove { $0.kind = .read }.outcome == .notProven)
    #expect(try shelf.prove { $0.kind = .write }.outcome == .notProven)
    #expect(try shelf.prove { $0.kind = .exec }.outcome == .notAccessed)
    let other = try Shelf()
    try other.write(.session(session(1)), access("/data/a.csv", [.open, .read, .closedUnwritten]))
    #expect(try other.prove { $0.kind = .write }.outcome == .notAccessed)
  }

  @Test("what the rules do not know is no alibi: rotten rules and unknown executables are in the way")
  func rotten() throws {
    let shelf = try Shelf()
    try shelf.write(.incident(Incident(time: at(30), kind: "agent-outside-sessions", detail: "x")))
    #expect(try shelf.prove().outcome == .notProven)
    let other = try Shelf()
    try other.write(.session(session(1, agent: Session.unknownExecutable)), access("/data/a.csv"))
    #expect(try other.prove().outcome == .notProven)
    #expect(try other.prove { $0.scope = .agent("claude-code") }.outcome == .notProven)
  }

  @Test("a session is accused of what sessions within it did, and not of what it hosts")
  func scopes() throws {
    let shelf = try Shelf()
    try shelf.write(
      .session(session(1)), .session(session(2, parent: 1, relation: .nested)),
      .session(session(3, parent: 1, relation: .hosted)), .session(session(4)),
      access("/data/nested", session: 2, inode: 6), access("/data/hosted", session: 3, inode: 7))
    func ask(_ path: String, _ key: String) throws -> Verdict.Outcome {
      try shelf.prove(.file(RawPath(path))) { $0.scope = .session(key) }.outcome
    }
    #expect(try ask("/data/nested", "session-1") == .accessed)
    #expect(try ask("/data/nested", "session-2") == .accessed)
    #expect(try ask("/data/nested", "session-4") == .notAccessed)
    #expect(try ask("/data/hosted", "session-1") == .notProven, "its daemon hosts the one that did")
    #expect(try ask("/data/hosted", "session-3") == .accessed)
  }

  @Test("of a session that bore two conversations each answers for its time, and what came before for both")
  func conversations() throws {
    let shelf = try Shelf()
    try shelf.write(
      .session(session(1)),
      .conversation(ConversationLabel(session: 1, conversation: "first", from: at(30))),
      .conversation(ConversationLabel(session: 1, conversation: "second", from: at(60))),
      access("/data/early", from: 20, to: 20, inode: 6), access("/data/one", from: 40, to: 40, inode: 7),
      access("/data/two", from: 70, to: 70, inode: 8))
    func ask(_ path: String, _ id: String) throws -> Verdict.Outcome {
      try shelf.prove(.file(RawPath(path))) { $0.scope = .session(id) }.outcome
    }
    #expect(try ask("/data/one", "first") == .accessed)
    #expect(try ask("/data/one", "second") == .notAccessed)
    #expect(try ask("/data/two", "second") == .accessed)
    #expect(try ask("/data/two", "first") == .notAccessed)
    #expect(try ask("/data/early", "first") == .accessed)
    #expect(try ask("/data/early", "second") == .accessed)
  }
}
