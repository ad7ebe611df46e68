internal import GRDB
internal import Records

extension StoreReader {
  /// Answers a question. Missing data is never "no": every moment of the asked time must be vouched for, on the
  /// target's file systems, before the answer can be NOT ACCESSED.
  public func prove(_ question: ProofQuestion) throws(StoreError) -> Verdict {
    let verdict = try answer(question)
    // A name that nothing bears, and nothing in that time bore, may be known from long ago.
    guard !verdict.targetIsKnown, try isKnown(question) else { return verdict }
    var known = question
    known.exists = true
    return try answer(known)
  }

  private func isKnown(_ question: ProofQuestion) throws(StoreError) -> Bool {
    try read(since: .distantPast) { db in
      guard try !Reach(db).segments.isEmpty else { return false }
      var search = TargetSearch(question)
      try search.follow(db)
      return search.isKnown
    }
  }

  private func answer(_ question: ProofQuestion) throws(StoreError) -> Verdict {
    try read(since: question.time.from) { db in
      var search = TargetSearch(question)
      try search.follow(db)
      let scope = try Self.sessions(question.scopeFilter, db)
      let hits = try Self.hits(search, question, db)
      let gaps = try Self.uncovered(question, db)
      var verdict = Verdict(
        outcome: .notProven, accesses: [], possible: [], unattributed: [], gaps: gaps.missing, hazards: [],
        covered: gaps.covered, division: Division(of: question.time, accesses: [], doubts: []), sessions: scope,
        names: search.description,
        targetIsKnown: question.exists || search.isKnown || hits.contains { $0.doubt == nil })
      var times = Times()
      try Self.sort(hits, question, into: &verdict, &times, db)
      verdict.hazards += try Self.rottenRules(question, db)
      verdict.hazards += try Self.privileges(question, db)
      verdict.hazards += Self.names(search)
      verdict.hazards += question.obstacles.map { Verdict.Hazard(kind: "names", detail: $0, time: nil) }
      if !verdict.targetIsKnown, !question.acceptsAbsentName {
        verdict.hazards.append(
          Verdict.Hazard(
            kind: "absent-name", detail: "nothing is known to have borne this name: is it misspelt?", time: nil))
      }
      let isClear = verdict.accept(question.accepted)
      if !verdict.accesses.isEmpty {
        verdict.outcome = .accessed
      } else if verdict.gaps.isEmpty, verdict.possible.isEmpty, verdict.unattributed.isEmpty, isClear {
        verdict.outcome = .notAccessed
      }
      let hazards = verdict.hazards.filter { !$0.isAccepted }.map {
        $0.time?.intersection(question.time) ?? question.time
      }
      verdict.division = Division(
        of: question.time, accesses: times.accesses, doubts: times.doubts + hazards + verdict.gaps.map(\.time))
      return verdict
    }
  }

  /// Every access that the time touches and that is or could be of the target, whosever it was.
  private static func hits(_ search: TargetSearch, _ question: ProofQuestion, _ db: Database) throws -> [Hit] {
    let boots = try Boots(db)
    var hits: [Hit] = []
    try candidates(search, question, db) { candidate in
      var row = candidate
      row.heldUntil = boots.end(of: row)
      let isHeld = row.access.time.to <= question.time.to && (row.heldUntil ?? .distantPast) > question.time.from
      guard row.access.time.overlaps(question.time) || isHeld else { return }
      if row.isFileErased {
        hits.append(Hit(row: row, isSure: false, isHeld: isHeld, doubt: "what was accessed has been erased"))
        return
      }
      let answer = search.matches(row.access)
      let doubt = answer == .did ? nil : search.doubt(row.access)
      if answer != .didNot || doubt != nil {
        hits.append(Hit(row: row, isSure: answer == .did, isHeld: isHeld, doubt: answer == .didNot ? doubt : nil))
      }
    }
    return hits.sorted { ($0.row.access.time.from, $0.row.id) < ($1.row.access.time.from, $1.row.id) }
  }

  /// Goes over accesses in which every hit is, and more. One row at a time: of a year there are millions.
  private static func candidates(
    _ search: TargetSearch, _ question: ProofQuestion, _ db: Database, _ take: (AccessRow) throws -> Void
  ) throws {
    let reach = try Reach(db)
    func go(over condition: String, _ arguments: StatementArguments) throws {
      let rows = try Row.fetchCursor(db, sql: "\(reach.accessQuery) WHERE \(condition)", arguments: arguments)
      while let row = try rows.next() { try take(AccessRow(row: row)) }
    }
    guard let files = try search.fileNumbers(db) else {
      return try go(over: "a.id IN (\(reach.touched))", arguments(ofTouchedIn: question.time))
    }
    // A statement has a bounded number of arguments.
    for start in stride(from: 0, to: files.count, by: 500) {
      let some = files[start..<min(start + 500, files.count)]
      let marks = some.map { _ in "?" }.joined(separator: ",")
      try go(
        over: "\(reach.touches) AND a.file IN (\(marks))", touching(question.time) + StatementArguments(some))
    }
  }

  /// An access that is or could be of the target.
  private struct Hit {
    var row: AccessRow
    /// Whether it is sure that it is the target's.
    var isSure: Bool
    /// Whether the file was held in the time asked about.
    var isHeld: Bool
    /// Why it could be the target's though neither path nor file is known to be.
    var doubt: String?

    /// What its events say about the operation asked about, in the time asked about.
    func eventAnswer(_ question: ProofQuestion) -> Operations.Answer {
      guard row.access.time.overlaps(question.time) else { return .didNot }
      let answer = row.access.operations.answer(question.kind)
      // The events' true moment may lie outside the asked time: then it was not surely done in it.
      return answer == .did && !question.contains(row.access.time) ? .couldHave : answer
    }

    /// What having held the file since says.
    func heldAnswer(_ question: ProofQuestion) -> Operations.Answer {
      isHeld ? row.access.operations.heldAnswer(question.kind) : .didNot
    }

    /// What both say.
    func answer(_ question: ProofQuestion) -> Operations.Answer {
      let answers = [eventAnswer(question), heldAnswer(question)]
      if answers.contains(.did) { return .did }
      return answers.contains(.couldHave) ? .couldHave : .didNot
    }
  }

  /// When accesses were made and when they may have been.
  private struct Times {
    var accesses: [Interval] = []
    var doubts: [Interval] = []

    mutating func note(_ hit: Hit, _ question: ProofQuestion, isSure: Bool) {
      let time = hit.row.access.time
      let held = Interval(from: time.to, to: max(time.to, hit.row.heldUntil ?? time.to))
      for (answer, part) in [(hit.eventAnswer(question), time), (hit.heldAnswer(question), held)] {
        switch answer {
        case .did: if isSure { accesses.append(part) } else { doubts.append(part) }
        case .couldHave: doubts.append(part)
        case .didNot: continue
        }
      }
    }
  }

  private static func sort(
    _ hits: [Hit], _ question: ProofQuestion, into verdict: inout Verdict, _ times: inout Times, _ db: Database
  ) throws {
    let inScope = Set(try sessionsThatCount(question, db))
    let hosts = Set(verdict.sessions.map(\.id))
    let bearers: Set<String>
    if case .session(let key) = question.scope { bearers = try Self.bearers(of: key, db) } else { bearers = [] }
    verdict.hazards += try rawDevices(question, inScope, db)
    for hit in hits {
      let row = hit.row
      if row.access.result != 0 {
        if row.access.session.map(inScope.contains) == true, hit.doubt == nil, !row.isFileErased, !row.isSessionErased {
          verdict.denied.append(row)
        }
        continue
      }
      let isInherited = row.access.operations.contains(.inherited)
      let answer = hit.answer(question)
      guard isInherited ? question.kind != .exec : answer != .didNot else { continue }
      if row.isFileErased || row.isSessionErased && question.isAboutSession {
        guard row.isSessionErased || row.access.session.map(inScope.contains) != false else { continue }
        let what = row.isFileErased ? "what was accessed" : "the session that accessed it"
        verdict.hazards.append(
          Verdict.Hazard(
            kind: "erased", detail: "record \(row.id): \(what) has been erased",
            time: Interval(from: row.access.time.from, to: max(row.access.time.to, row.heldUntil ?? .distantPast))))
        continue
      }
      if isInherited, row.access.operations.isDisjoint(with: .deputies), try isOwn(row.access, db) { continue }
      if let doubt = hit.doubt {
        guard row.access.session.map(inScope.contains) != false else { continue }
        verdict.hazards.append(
          Verdict.Hazard(kind: "names", detail: "record \(row.id): \(doubt)", time: row.access.time))
        continue
      }
      if !row.access.operations.isDisjoint(with: .deputies) {
        guard row.access.session.map(inScope.contains) != false else { continue }
        verdict.hazards += deputies(row)
        continue
      }
      guard let session = row.access.session else {
        verdict.unattributed.append(row)
        times.note(hit, question, isSure: false)
        continue
      }
      guard inScope.contains(session) else {
        try noteHosted(row, by: session, hosts: hosts, into: &verdict, db)
        continue
      }
      if case .session(let key) = question.scope, let bearer = row.session, bearers.contains(bearer),
        row.isLabelled, row.conversation != key.lowercased()
      {
        continue
      }
      if isInherited {
        verdict.hazards.append(
          Verdict.Hazard(
            kind: Verdict.AcceptableHazard.inherited.rawValue,
            detail:
              "record \(row.id): session \(row.session ?? "?") held a descriptor of the file that it had not opened",
            time: row.access.time))
      } else if row.agent == Session.unknownExecutable {
        verdict.hazards.append(
          Verdict.Hazard(
            kind: "unknown-executable",
            detail: "record \(row.id): accessed by a process whose executable nobody can explain",
            time: row.access.time))
      } else {
        times.note(hit, question, isSure: hit.isSure)
        if answer == .did, hit.isSure { verdict.accesses.append(row) } else { verdict.possible.append(row) }
      }
    }
  }

  /// An access by a process outside that works for a session, or for one of several.
  private static func deputies(_ row: AccessRow) -> [Verdict.Hazard] {
    let deed = row.access.operations.contains(.inherited) ? "held" : "accessed"
    return [
      (
        Verdict.AcceptableHazard.influenced,
        "a process that ran, or read, what \(row.session.map { "session \($0)" } ?? "sessions") had written"
      ),
      (.contacted, "a process that \(row.session.map { "session \($0)" } ?? "a session") can ask to act for it"),
    ].compactMap { kind, who in
      guard let bit = kind.operation, row.access.operations.contains(bit) else { return nil }
      return Verdict.Hazard(
        kind: kind.rawValue, detail: "record \(row.id): \(deed) by \(who)",
        time: Interval(from: row.access.time.from, to: max(row.access.time.to, row.heldUntil ?? row.access.time.to)))
    }
  }

  /// What a hosted session does is its own; but who asked for it may be the host.
  private static func noteHosted(
    _ hit: AccessRow, by session: Int64, hosts: Set<Int64>, into verdict: inout Verdict, _ db: Database
  ) throws {
    let parent = try Int64.fetchOne(
      db, sql: "SELECT parent FROM sessions WHERE id = ? AND relation = 'hosted'", arguments: [session])
    guard let parent, hosts.contains(parent) else { return }
    verdict.hazards.append(
      Verdict.Hazard(
        kind: "hosted-session",
        detail: "record \(hit.id): accessed by session \(hit.session ?? "?"), which this session's daemon hosts",
        time: hit.access.time))
  }

  /// The sessions whose accesses count: those in scope and, for a session, those within it.
  private static func sessionsThatCount(_ question: ProofQuestion, _ db: Database) throws -> [Int64] {
    var filter = question.scopeFilter
    filter.time = nil
    if case .agent = question.scope {
      // An executable nobody can explain may be any agent.
      return try sessions(filter, db).map(\.id)
        + Int64.fetchAll(db, sql: "SELECT id FROM sessions WHERE agent = ?", arguments: [Session.unknownExecutable])
    }
    return try sessions(filter, db).map(\.id)
  }

  // MARK: - What else is in the way

  /// Why the target's names cannot all be told.
  private static func names(_ search: TargetSearch) -> [Verdict.Hazard] {
    var hazards: [Verdict.Hazard] = []
    if search.isCut {
      hazards.append(
        Verdict.Hazard(
          kind: "names",
          detail: "directories were renamed in that time, and not every name of the target can be followed",
          time: nil))
    }
    for link in search.links.prefix(20) {
      let verb = link.to == nil ? "went" : "came"
      hazards.append(
        Verdict.Hazard(
          kind: "names",
          detail: "what may be a symbolic link \(verb) at \(link.to ?? link.from ?? RawPath([])): what the path meant "
            + "before cannot be told", time: link.time))
    }
    return hazards
  }

  /// Somebody whom the rules do not know wrote an agent's files: there may have been sessions nobody counted.
  static func rottenRules(_ question: ProofQuestion, _ db: Database) throws -> [Verdict.Hazard] {
    try Row.fetchAll(
      db, sql: "SELECT * FROM incidents WHERE kind = 'agent-outside-sessions' AND time BETWEEN ? AND ? LIMIT 20",
      arguments: [question.time.from.nanoseconds, question.time.to.nanoseconds]
    ).map { row in
      let time = row.time("time") ?? .distantPast
      return Verdict.Hazard(
        kind: row["kind"], detail: row["detail"], time: Interval(from: time, to: time))
    }
  }
}

extension ProofQuestion {
  var scopeFilter: Filter {
    var filter = Filter()
    filter.time = time
    switch scope {
    case .all: break
    case .agent(let name): filter.agent = name
    case .session(let key): filter.session = key
    }
    return filter
  }

  /// Whether it is about one session, or one conversation.
  var isAboutSession: Bool {
    if case .session = scope { true } else { false }
  }

  /// Whether an access surely happened within the asked time.
  func contains(_ span: Interval) -> Bool { time.from <= span.from && span.to <= time.to }
}
