import Records
import Testing

@testable import Monitor

/// What is kept while the store takes nothing.
struct BacklogTests {
  private static func time(_ seconds: Int64) -> Timestamp { Timestamp(nanoseconds: seconds * 1_000_000_000) }

  private static func span(_ from: Int64, _ to: Int64) -> Interval { Interval(from: time(from), to: time(to)) }

  private static func session(_ id: Int64, parent: Int64? = nil) -> Session {
    Session(
      id: id, key: "s\(id)", agent: "a", started: time(1),
      root: ProcessKey(pid: 7, startedAt: 1, provenance: .witnessed),
      bootID: "b", host: "h", executable: RawPath("/a"), executableIdentity: nil, version: nil, joinedLate: false,
      parent: parent, relation: parent == nil ? nil : .hosted, facts: nil)
  }

  private static func process(_ id: Int64, of session: Int64) -> ProcessRecord {
    ProcessRecord(
      id: id, session: session, key: ProcessKey(pid: 7, startedAt: 1, provenance: .witnessed), parent: nil,
      executable: RawPath("/a"), processClass: .unknown, started: time(1))
  }

  private static func access(of session: Int64) -> Access {
    Access(
      session: session, process: 1, path: RawPath("/f"), name: nil,
      identity: FileIdentity(fileSystem: 1, inode: 2, generation: 3), operations: [.open], result: 0, time: span(2, 3),
      count: 1, attribution: .witnessed)
  }

  @Test("nothing given up means no gap")
  func plain() {
    var backlog = Backlog()
    #expect(backlog.isEmpty)
    backlog.append(.access(Self.access(of: 1)))
    #expect(backlog.transaction(reason: "x") == backlog.findings)
    backlog.clear()
    #expect(backlog.isEmpty)
  }

  @Test("what is given up leaves one gap over its whole time, however often it happens")
  func gap() {
    var backlog = Backlog()
    backlog.append(.access(Self.access(of: 1)))
    backlog.giveUp(Self.span(1, 5))
    #expect(!backlog.isEmpty)
    backlog.append(.access(Self.access(of: 1)))
    backlog.giveUp(Self.span(1, 9))
    #expect(
      backlog.transaction(reason: "full")
        == [.gap(Gap(time: Self.span(1, 9), source: "store", reason: "full", fileSystem: nil))])
    backlog.clear()
    #expect(backlog.transaction(reason: "full").isEmpty)
  }

  @Test("sessions and processes that live on are kept, and the end of those that the store knows")
  func whatLives() {
    var backlog = Backlog()
    backlog.append(contentsOf: [
      .session(Self.session(1)), .process(Self.process(1, of: 1)), .access(Self.access(of: 1)),
      .session(Self.session(2)), .process(Self.process(2, of: 2)), .processEnded(2, Self.time(3)),
      .sessionEnded(2, Self.time(3)), .sessionEnded(99, Self.time(3)), .processEnded(98, Self.time(3)),
    ])
    backlog.giveUp(Self.span(1, 5))
    #expect(
      backlog.findings == [
        .session(Self.session(1)), .process(Self.process(1, of: 1)), .sessionEnded(99, Self.time(3)),
        .processEnded(98, Self.time(3)),
      ])
  }

  @Test("a session that ended stays while one that goes on is part of it")
  func parents() {
    var backlog = Backlog()
    backlog.append(contentsOf: [
      .session(Self.session(1)), .session(Self.session(2, parent: 1)), .session(Self.session(3, parent: 2)),
      .sessionEnded(1, Self.time(3)), .sessionEnded(2, Self.time(3)),
    ])
    backlog.giveUp(Self.span(1, 5))
    #expect(backlog.findings.count == 5)
  }

  @Test("gaps and incidents that reach beyond the gap are kept")
  func gapsBeyond() {
    var backlog = Backlog()
    let before = Gap(time: Self.span(0, 2), source: "service", reason: "joined late", fileSystem: nil)
    let within = Gap(time: Self.span(2, 3), source: "perf", reason: "lost", fileSystem: nil)
    backlog.append(contentsOf: [
      .gap(before), .gap(within), .incident(Incident(time: Self.time(2), kind: "k", detail: "d")),
    ])
    backlog.giveUp(Self.span(1, 5))
    #expect(backlog.findings == [.gap(before)])
  }

  @Test("the bound is a number of findings")
  func bound() {
    var backlog = Backlog()
    backlog.append(contentsOf: Array(repeating: .access(Self.access(of: 1)), count: Backlog.bound))
    #expect(!backlog.isFull)
    backlog.append(.access(Self.access(of: 1)))
    #expect(backlog.isFull)
    backlog.giveUp(Self.span(1, 5))
    #expect(!backlog.isFull)
  }
}
