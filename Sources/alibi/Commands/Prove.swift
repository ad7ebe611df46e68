internal import ArgumentParser
internal import Evidence
internal import LinuxKernel
internal import Records

struct Prove: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Answers whether agents accessed something: ACCESSED, NOT ACCESSED or NOT PROVEN.",
    // The parser's own leaves the options out when they are many.
    usage: """
      alibi prove [--state <dir>] [--json] <target> --from <time> [--to <time>] [--session <session>] \
      [--agent <name>] [--op <kind>] [--glob] [--absent-name] [--accept-hazard <kind> ...] [--out <dir>] [--allow-gaps]
      """,
    discussion: """
      Exit status: 0 NOT ACCESSED, 1 ACCESSED, 2 NOT PROVEN; 64 usage, 65 evidence damaged, 66 no store, 74 I/O, \
      77 permission.

      With --out the answer is also certified: the service seals everything up to now, and what it sealed must show the
      same. Needs root, whose key signs. What has gaps gets a certificate only with --allow-gaps.
      """)

  @OptionGroup var common: Common

  @Argument(
    help: "A path, a directory (everything beneath it), inode:FILESYSTEM:INODE:GENERATION, or with --glob a pattern.")
  var target: String

  @Option(
    name: .long, parsing: .unconditional,
    help: ArgumentHelp("From this time on: RFC 3339, a date, now, -2h.", valueName: "time"))
  var from: String

  @Option(name: .long, parsing: .unconditional, help: ArgumentHelp("Up to this time.", valueName: "time"))
  var to = "now"

  @Option(name: .long, help: ArgumentHelp("Only this session, or this conversation id.", valueName: "session"))
  var session: String?

  @Option(name: .long, help: ArgumentHelp("Only sessions of this agent.", valueName: "name"))
  var agent: String?

  @Option(name: .long, help: ArgumentHelp("Which operations count: read, write, exec, any.", valueName: "kind"))
  var op = "any"

  @Flag(name: .long, help: "The target is a pattern, of real paths: symbolic links within are not followed.")
  var glob = false

  @Flag(name: .long, help: "Accept a name that nothing is known to have borne.")
  var absentName = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Accept hazards of this kind, and say so in the answer: \(Self.acceptable). May be repeated.", valueName: "kind"))
  var acceptHazard: [String] = []

  @Option(
    name: .long, help: ArgumentHelp("Write a certificate of NOT ACCESSED to this new directory.", valueName: "dir"))
  var out: String?

  @Flag(name: .long, help: "With --out: certify although there are gaps; the certificate lists them.")
  var allowGaps = false

  private static let acceptable = Verdict.AcceptableHazard.allCases.map(\.rawValue).joined(separator: ", ")

  func validate() throws {
    if session != nil, agent != nil {
      throw ValidationError("--session and --agent exclude each other")
    }
    if allowGaps, out == nil { throw ValidationError("--allow-gaps is about certificates: it needs --out") }
  }

  func run() throws {
    let store = try common.store()
    let kind = try operationKind(op)
    let asked = Timestamp.now
    let start = try moment(from, option: "--from", now: asked)
    var end = try endOfTime(store, asked)
    // What happened since is not vouched for yet, and that is the answer.
    if to == "now", end < start, start <= asked { end = asked }
    guard start <= end else {
      let isFuture = start > asked
      throw Failure.usage(
        "--from \(start) is after --to \(end)", hint: isFuture ? "nobody can vouch for the future" : "exchange the two")
    }
    var question = try TargetResolver.question(target, isGlob: glob, time: Interval(from: start, to: end), store: store)
    question.kind = kind
    question.acceptsAbsentName = absentName
    question.accepted = try accepted()
    if let agent { question.scope = .agent(agent) }
    if let session { question.scope = .session(session) }
    try checkScope(store, question)
    let certification = try out.map { try Certification(store, question, state: common.state, out: $0) }
    // Sealed first and asked then: the answer and the certificate are of the same records.
    try certification?.seal()
    let verdict = try store.prove(question)
    try certification?.certify(verdict, allowGaps: allowGaps)
    if common.json {
      try Output.json(JsonVerdict(verdict, question))
    } else {
      try Output.write(VerdictText(verdict, question).text)
    }
    switch verdict.outcome {
    case .notAccessed: return
    case .accessed: throw ExitCode(1)
    case .notProven: throw ExitCode(2)
    }
  }

  private func accepted() throws -> Set<Verdict.AcceptableHazard> {
    Set(
      try acceptHazard.map { word in
        guard let kind = Verdict.AcceptableHazard(rawValue: word) else {
          throw Failure.usage(
            "--accept-hazard \(word): no such kind, or none that can be accepted", hint: "one of \(Self.acceptable)")
        }
        return kind
      })
  }

  /// `now` means everything that has happened: the service is asked to commit it, as it is for a time that it
  /// has not committed yet. Without a service `now` is the last moment that is vouched for.
  private func endOfTime(_ store: StoreReader, _ asked: Timestamp) throws -> Timestamp {
    let runs = try store.runs()
    func barrier() throws -> Timestamp? {
      guard let run = runs.last, run.ended == nil else { return nil }
      let service = ServiceClient(run)
      var reached = try service.barrier()
      // A recorder that is being replaced hangs up; the next one is there in a moment.
      for _ in 0..<4 where reached == nil {
        sleepThread(nanoseconds: 25_000_000)
        reached = try service.barrier()
      }
      return reached
    }
    let last = runs.compactMap { $0.covered?.to }.max()
    guard to == "now" else {
      let end = try moment(to, option: "--to", now: asked)
      if end > last ?? .distantPast { _ = try barrier() }
      return end
    }
    if let reached = try barrier() { return min(asked, reached) }
    guard let last else { return asked }
    if !common.json {
      Output.complain("alibi: note: the service is not running; now is the last moment it vouched for, \(last)")
    }
    return last
  }

  /// An unknown session or agent is no reason to say no.
  private func checkScope(_ store: StoreReader, _ question: ProofQuestion) throws {
    var filter = Filter()
    switch question.scope {
    case .all: return
    case .session(let key): filter.session = key
    case .agent(let name): filter.agent = name
    }
    guard try store.sessions(filter).isEmpty else { return }
    throw Failure.usage(
      "not one such session is known: \(question.scope.text)",
      hint: "`alibi sessions` lists them; without --session and --agent the question is about all")
  }
}

/// The verdict for people.
struct VerdictText {
  let verdict: Verdict
  let question: ProofQuestion

  init(_ verdict: Verdict, _ question: ProofQuestion) {
    self.verdict = verdict
    self.question = question
  }

  var text: String {
    var lines = [verdict.outcome.words, ""]
    lines.append("  target   \(question.target.text)")
    for name in verdict.names where name != question.target.text { lines.append("           also \(name)") }
    lines.append("  from     \(question.time.from)")
    lines.append("  to       \(question.time.to)")
    let kind = question.kind == .any ? "any operation" : question.kind.rawValue
    lines.append("  asked    \(kind), by \(question.scope.text)")
    lines.append("  sessions \(sessions)")
    lines.append("  covered  \(seconds(verdict.covered.seconds)) of \(seconds(question.time.seconds)) s")
    divide(&lines)
    section("accesses", verdict.accesses, &lines)
    if verdict.accesses.contains(where: { $0.wasHeld(at: question.time.from) }) {
      lines.append("(held: mapped or open since before that time; a mapping raises nothing when it is used)")
    }
    section("accesses that could have been of that kind, or in that time", verdict.possible, &lines)
    section("accesses for which nobody can be named", verdict.unattributed, &lines)
    section("attempts that were refused, which are no accesses", verdict.denied, &lines)
    if !verdict.gaps.isEmpty {
      lines += ["", "not vouched for:"]
      var table = Table(["FROM", "TO", "SOURCE", "REASON"])
      for gap in verdict.gaps {
        table.add([gap.time.from.description, gap.time.to.description, gap.source, gap.reason])
      }
      lines.append(table.text())
    }
    hazards(&lines)
    lines += ["", "Not covered by any verdict: \(Verdict.limits.joined(separator: "; "))."]
    return lines.joined(separator: "\n")
  }

  /// The asked time in parts, where not the whole is proven.
  private func divide(_ lines: inout [String]) {
    guard verdict.outcome != .notAccessed else { return }
    let division = verdict.division
    let parts = [
      (division.proven, "not accessed"), (division.accessed, "accessed"), (division.notProven, "not proven"),
    ].flatMap { set, word in set.intervals.map { ($0, word) } }.sorted { ($0.0.from, $0.0.to) < ($1.0.from, $1.0.to) }
    var table = Table(["FROM", "TO", "WHAT IS SAID"])
    for (part, word) in parts.prefix(20) { table.add([part.from.description, part.to.description, word]) }
    lines += ["", "of the time asked about:", table.text()]
    if parts.count > 20 { lines.append("… and \(parts.count - 20) more (--json has all)") }
  }

  private func hazards(_ lines: inout [String]) {
    let standing = verdict.hazards.filter { !$0.isAccepted }, accepted = verdict.hazards.filter(\.isAccepted)
    if !standing.isEmpty {
      lines += ["", "in the way of a no:"]
      for hazard in standing { lines.append("  \(hazard.kind): \(hazard.detail)") }
      if standing.contains(where: { $0.kind == "absent-name" }) {
        lines.append("  (--absent-name accepts a name that nothing bore)")
      }
      let kinds = Set(standing.map(\.kind)).filter { Verdict.AcceptableHazard(rawValue: $0) != nil }
      if !kinds.isEmpty {
        let words = kinds.sorted().map { "--accept-hazard \($0)" }.joined(separator: " ")
        lines.append("  (\(words): whoever can answer for it may accept it)")
      }
    }
    if !question.accepted.isEmpty {
      lines += ["", "accepted: \(question.accepted.map(\.rawValue).sorted().joined(separator: ", "))"]
      for hazard in accepted { lines.append("  \(hazard.kind): \(hazard.detail)") }
    }
  }

  private var sessions: String {
    switch verdict.sessions.count {
    case 0: "no agent session ran in that time"
    case 1: "one ran in that time: \(verdict.sessions[0].key)"
    case let count: "\(count) ran in that time"
    }
  }

  private func seconds(_ value: Double) -> String {
    let milliseconds = Int64((value * 1000).rounded())
    let rest = milliseconds % 1000
    return "\(milliseconds / 1000)" + (rest == 0 ? "" : "." + String(1000 + rest).dropFirst())
  }

  private func section(_ title: String, _ rows: [AccessRow], _ lines: inout [String]) {
    guard !rows.isEmpty else { return }
    lines += ["", "\(title):", AccessTable.text(rows, limit: 20, from: question.time.from)]
  }
}
