import Evidence
import Foundation
import GRDB
import Records
import Testing

@testable import Sealing

/// Random histories, kept whole and with something let go: what is said of them must not differ where it need not, and
/// must never become a no.
struct HistoryTests {
  private static let places = ["/a", "/b"]
  private static let leaves = ["x", "y", "z"]

  /// What happens to a few files in three days, told as a service tells it.
  private struct History {
    var random: Seeded
    /// Which file has a name now.
    var names: [String: UInt64] = [:]
    var next: UInt64 = 10
    var time: Int64 = 10
    var open: Set<Int64> = []
    var lastSession: Int64 = 0
    var ended: Set<Int64> = []
    var findings: [Finding] = []

    init(seed: Int) { random = Seeded(state: UInt64(seed) &* 7919 &+ 12345) }

    mutating func path() -> String {
      HistoryTests.places[random.below(2)] + "/" + HistoryTests.leaves[random.below(3)]
    }

    mutating func step() {
      time += Int64(1 + random.below(900))
      switch random.below(12) {
      case 0: begin()
      case 1: end()
      case 2, 3: change()
      case 4: move()
      default: access()
      }
    }

    mutating func begin() {
      lastSession += 1
      let parent = random.below(3) == 0 ? open.min() : nil
      findings.append(
        .session(session(lastSession, started: time, parent: parent, relation: parent == nil ? nil : .nested)))
      var process = ProcessRecord(
        id: 10 * lastSession, session: lastSession,
        key: ProcessKey(pid: 500 + Int32(lastSession), startedAt: 9, provenance: .witnessed),
        parent: parent.map { 10 * $0 }, executable: RawPath("/bin/sh"), processClass: .toolShell, started: at(time))
      process.space = process.id
      findings.append(.process(process))
      open.insert(lastSession)
    }

    mutating func end() {
      // Who is around others goes last.
      guard let last = open.max(), random.below(2) == 0 else { return }
      findings += [
        .processEnded(10 * last, at(time)), .released(space: 10 * last, at(time)), .sessionEnded(last, at(time)),
      ]
      open.remove(last)
      ended.insert(last)
    }

    mutating func change() {
      let isSure = random.below(6) > 0
      func told(_ from: String?, _ to: String?, _ inode: UInt64) -> Finding {
        .name(
          NameChange(
            identity: file(inode), from: from.map { RawPath($0) }, to: to.map { RawPath($0) }, kind: .file,
            isSure: isSure, time: Interval(from: at(time - 1), to: at(time))))
      }
      let (one, other) = (path(), path())
      switch random.below(4) {
      case 0:
        if let old = names[one] { findings.append(told(one, nil, old)) }
        names[one] = next
        findings.append(told(nil, one, next))
        next += 1
      case 1:
        guard let inode = names[one], names[other] == nil else { return }
        names[other] = inode
        findings.append(told(nil, other, inode))
      case 2:
        guard let inode = names.removeValue(forKey: one) else { return }
        findings.append(told(one, nil, inode))
      default:
        guard one != other, let inode = names.removeValue(forKey: one) else { return }
        if let old = names[other] { findings.append(told(other, nil, old)) }
        names[other] = inode
        findings.append(told(one, other, inode))
      }
    }

    mutating func move() {
      guard random.below(3) == 0 else { return }
      // There and back, so that the names stay few.
      for (from, to) in [("/a", "/m"), ("/m", "/a")] {
        findings.append(renamed(from, to, inode: 90, kind: .directory, at: time))
        time += Int64(random.below(20))
      }
    }

    mutating func access() {
      guard !open.isEmpty else { return }
      let owner = open.sorted()[random.below(open.count)]
      let name = path()
      guard let inode = names[name] else { return }
      let operations =
        [
          [.open, .read, .closedUnwritten], [.open, .read, .closedUnwritten], [.open], [.open, .write],
          [.open, .read, .mapped], [.inherited],
        ][random.below(6)] as Operations
      findings.append(
        told(
          random.below(12) == 0 ? nil : name, random.below(10) == 0 ? nil : owner, operations, time, inode))
      if operations == [.open], random.below(2) == 0 {
        time += Int64(random.below(40_000))
        findings.append(.closed(session: owner, file(inode), at(time)))
      }
    }

    private func told(
      _ path: String?, _ session: Int64?, _ operations: Operations, _ time: Int64, _ inode: UInt64
    ) -> Finding {
      .access(
        Access(
          session: session, process: session.map { 10 * $0 }, path: path.map { RawPath($0) },
          name: path == nil ? RawPath("x") : nil,
          identity: file(inode), operations: operations, result: 0,
          time: Interval(from: at(time - 1), to: at(time)), count: 1,
          attribution: session == nil ? .unattributed : .witnessed))
    }
  }

  /// The history in a store, an epoch a day, with what is accessed in the end.
  ///
  /// - Parameter periods: what becomes segments as time goes on; nil for nothing.
  private func vault(
    _ seed: Int, days: Int64 = 3, periods: Periods? = nil
  ) throws -> (vault: Vault, history: History) {
    // Patterns too: what an index has of names that were erased since must still be found in it.
    let vault = try Vault(patterns: ["/**/x", "/m/**"])
    var history = History(seed: seed)
    try vault.commit(look(0, 5, canaries: 3), to: 5)
    for number in 1...days {
      while history.time < number * day - 50_000 {
        history.findings.removeAll()
        let start = history.time
        for _ in 0..<12 { history.step() }
        history.findings.append(look(start, history.time, canaries: 3))
        try vault.writer.commit(
          history.findings, covered: Interval(from: at(0), to: at(history.time)), sealing: vault.sealer)
      }
      if number < days { try vault.close() }
      if let periods { _ = try Keeper.makeSegments(vault.writer, periods: periods) }
    }
    try vault.sealer.sign(vault.writer, vault.keys)
    return (vault, history)
  }

  /// Some of all that could be asked.
  private func questions(_ history: History) -> [ProofQuestion] {
    var random = history.random
    let targets: [ProofQuestion.Target] =
      Self.places.flatMap { place in Self.leaves.map { .file(RawPath(place + "/" + $0)) } }
      + [.tree(RawPath("/a")), .tree(RawPath("/m")), .identity(file(12))]
    return (0..<100).map { index in
      let times = [random.below(Int(history.time)), random.below(Int(history.time))].sorted()
      // Half of them are short: few are a no else.
      let to = index % 2 == 0 ? min(times[0] + 1500, Int(history.time)) : times[1]
      var question = ProofQuestion(
        target: targets[random.below(targets.count)],
        time: Interval(from: at(Int64(times[0])), to: at(Int64(to))))
      question.fileSystems = [Vault.system]
      if random.below(3) == 0 { question.scope = .session("session-\(1 + random.below(4))") }
      if random.below(3) == 0 { question.kind = .write }
      // Then nobody but the records can tell whether anything bore the name.
      question.exists = index % 3 > 0
      question.bearers = history.names.map { .init(path: RawPath($0.key), file: file($0.value)) }
      return question
    }
  }

  private func outcomes(_ vault: Vault, _ questions: [ProofQuestion]) throws -> [Evidence.Verdict.Outcome] {
    let reader = try StoreReader(directory: vault.directory)
    return try questions.map { try reader.prove($0).outcome }
  }

  private func flaws(_ vault: Vault) throws -> [Flaw] {
    try FullVerification(StoreReader(directory: vault.directory), pinned: vault.keys.log.verifier).flaws
  }

  @Test("what is kept of later times answers every question about them as before", arguments: 0..<10)
  func pruned(seed: Int) throws {
    let (vault, history) = try vault(seed)
    let questions = questions(history)
    let before = try outcomes(vault, questions)
    #expect(Set(before).count > 1)
    for days in [398, 399] as [Int64] {
      _ = try Keeper.prune(vault.writer, days: 1, now: at(days * day))
      try vault.sealer.sign(vault.writer, vault.keys)
      let cut = try #require(
        try vault.database().read { try Int64.fetchOne($0, sql: "SELECT max(t1) FROM epochs WHERE pruned IS NOT NULL") }
      )
      let found = try flaws(vault)
      #expect(found.isEmpty, "\(found)")
      let after = try outcomes(vault, questions)
      for (index, question) in questions.enumerated() {
        let isAfter = question.time.from.nanoseconds >= cut
        #expect(
          after[index] == before[index] || !isAfter && after[index] != .notAccessed,
          "\(question.target.text) \(question.time) \(question.scope) \(question.kind)")
      }
    }
    let left = try vault.database().read { try Int.fetchOne($0, sql: "SELECT count(*) FROM remains") ?? 0 }
    #expect(left > 0)
  }

  /// Each epoch as soon as it is closed, and each day when it is over.
  private static let everyPeriod: [Periods] = [
    Periods { ("\($0.nanoseconds)", Timestamp(nanoseconds: $0.nanoseconds + 1)) }, .days,
  ]

  @Test(
    "a history cut in segments answers every question like one in a single file, verdict for verdict and record for record",
    arguments: 0..<8)
  func segmented(seed: Int) throws {
    let (single, history) = try vault(seed, days: 5)
    let (several, _) = try vault(seed, days: 5, periods: Self.everyPeriod[seed % 2])
    let one = try StoreReader(directory: single.directory)
    let more = try StoreReader(directory: several.directory)
    #expect(try more.segments().count >= 3)
    let found = try flaws(several)
    #expect(found.isEmpty, "\(found)")
    var outcomes: Set<Evidence.Verdict.Outcome> = []
    for question in questions(history).prefix(60) {
      let (left, right) = (try one.prove(question), try more.prove(question))
      outcomes.insert(left.outcome)
      let words = "\(question.target.text) \(question.time) \(question.scope) \(question.kind)"
      #expect(left.outcome == right.outcome, "\(words)")
      #expect(left.accesses == right.accesses && left.possible == right.possible, "\(words)")
      #expect(left.unattributed == right.unattributed && left.sessions == right.sessions, "\(words)")
      #expect(left.gaps == right.gaps && left.hazards == right.hazards, "\(words)")
      #expect(left.covered == right.covered && left.division == right.division, "\(words)")
      #expect(left.names == right.names && left.targetIsKnown == right.targetIsKnown, "\(words)")
      var filter = Filter()
      filter.time = question.time
      #expect(try one.accesses(filter) == more.accesses(filter), "\(words)")
      #expect(try one.sessions(filter) == more.sessions(filter), "\(words)")
      #expect(try one.gaps(question.time) == more.gaps(question.time))
      let (near, far) = (try one.places(of: question), try more.places(of: question))
      // Whose other names were gone before the time begins need not be looked for.
      #expect(near.roots == far.roots && Set(far.suspects).isSubset(of: near.suspects), "\(words)")
    }
    #expect(outcomes.count > 1)
    let all = try one.accesses(Filter())
    #expect(try all == more.accesses(Filter()))
    for row in all {
      #expect(try more.access(row.id) == row)
      let process = row.access.process ?? 10
      #expect(try more.ancestry(process: process) == one.ancestry(process: process))
    }
    for session in try one.sessions() {
      #expect(try more.accessCount(of: session.id) == one.accessCount(of: session.id))
    }
  }

  @Test("an erasure makes no answer a no, and takes nothing from what it does not concern", arguments: 0..<10)
  func erased(seed: Int) throws {
    let (vault, history) = try vault(seed)
    let questions = questions(history)
    let before = try outcomes(vault, questions)
    #expect(Set(before).count > 1)
    var subjects = history.ended.sorted().prefix(2).map { ErasureSubject.session("session-\($0)") }
    subjects.append(.record(Int64(1 + seed % 7)))
    for subject in subjects {
      do { _ = try Keeper.erase(subject, basis: .policy, vault.writer) } catch is ErasureRefusal { continue }
      try vault.sealer.sign(vault.writer, vault.keys)
      let found = try flaws(vault)
      #expect(found.isEmpty, "\(found)")
      let after = try outcomes(vault, questions)
      for (index, question) in questions.enumerated() {
        // Whoever knew the key of an erased session can ask about it no more: the command refuses.
        if case .session(let key) = question.scope, subjects.contains(.session(key)) { continue }
        #expect(
          after[index] != .notAccessed || before[index] == .notAccessed,
          "\(subject) \(question.target.text) \(question.time) \(question.scope) \(question.kind)")
      }
    }
    try vault.commit(look(history.time, history.time + 10, canaries: 3), to: history.time + 10)
    try vault.close()
    #expect(try flaws(vault).isEmpty)
  }
}

/// SplitMix64.
struct Seeded: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
