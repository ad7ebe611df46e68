internal import ArgumentParser
internal import Evidence
internal import Records

struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tells whether capture is complete: the service, its witnesses, file systems, recent gaps.",
    discussion: "Exit status: 0 the service captures, 69 it does not run.")

  private struct Answer: Encodable {
    struct FileSystem: Encodable {
      var mountPoint: String
      var type: String
      var mode: String?
      var reason: String
    }
    struct Anchor: Encodable {
      var kind: String
      var by: String
      var size: UInt64?
      var time: String?
      var lagSeconds: Int64?
      var problem: String?
    }
    var running: Bool
    var pid: Int32?
    var recorderPid: Int32?
    var host: String
    var started: String?
    var coveredFrom: String?
    var coveredTo: String?
    var openSessions: Int?
    var perf: String
    var connector: String
    var audit: String
    /// Another process that is the machine's audit daemon.
    var auditOwner: Int32?
    var rulesProblem: String?
    var canaryProblem: String?
    var storeProblem: String?
    var sealProblem: String?
    var segments: Int
    var segmentProblem: String?
    var lostSince: String?
    var senderPid: Int32?
    var anchorProblem: String?
    var anchors: [Anchor]
    var fileSystems: [FileSystem]
    var gaps: [JsonGap]
    var incidents: [String]
  }

  @OptionGroup var common: Common

  func run() throws {
    let store = try common.store()
    guard let run = try store.runs().last else {
      throw Failure(message: "the store has no run", hint: "start alibid", status: 66)
    }
    let state = try ServiceClient(run).state()
    let day = Interval(
      from: Timestamp(nanoseconds: Timestamp.now.nanoseconds - 86_400_000_000_000), to: .distantFuture)
    let gaps = try store.gaps(day)
    let incidents = try store.incidents(day)
    let fileSystems = try store.fileSystems(run: run.id)
    let anchors = Self.anchors(state, try store.newestAnchors())
    let segments = try store.segments()
    // Every byte of them is looked at when a question needs them.
    let fault = segments.lazy.compactMap { $0.fault(in: common.state, isThorough: false) }.first
    if common.json {
      try Output.json(
        Answer(
          running: state != nil, pid: state?.pid, recorderPid: state?.recorder_pid, host: run.host,
          started: run.started.description,
          coveredFrom: run.covered?.from.description, coveredTo: run.covered?.to.description,
          openSessions: state?.open_sessions, perf: run.perfMissing ?? "ok", connector: run.connectorMissing ?? "ok",
          audit: run.auditMissing ?? "ok", auditOwner: state?.audit_owner,
          rulesProblem: state?.rules_problem, canaryProblem: state?.canary_problem, storeProblem: state?.store_problem,
          sealProblem: state?.seal_problem, segments: segments.count, segmentProblem: fault,
          lostSince: state?.lost_since.map { Timestamp(nanoseconds: $0).description }, senderPid: state?.sender_pid,
          anchorProblem: state?.anchor_problem, anchors: anchors.map(\.answer),
          fileSystems: fileSystems.map {
            .init(mountPoint: JsonPath($0.mountPoint).text, type: $0.type, mode: $0.mode, reason: $0.reason)
          }, gaps: gaps.map(JsonGap.init), incidents: incidents.map { "\($0.time) \($0.kind): \($0.detail)" }))
    } else {
      var lines = text(run, state, fileSystems, gaps, incidents, anchors)
      if !segments.isEmpty {
        lines += "\n\nsegments: \(segments.count), up to \(segments.last?.end.short ?? "-")"
        lines += fault.map { ": \($0): NO QUESTION THAT REACHES BACK TO IT CAN BE ANSWERED WITH NO" } ?? ""
      }
      try Output.write(lines)
    }
    if state == nil { throw ExitCode(69) }
  }

  private func text(
    _ run: RunRow, _ state: ServiceClient.State?, _ fileSystems: [WatchedFileSystem], _ gaps: [Gap],
    _ incidents: [Incident], _ anchors: [Standing]
  ) -> String {
    var lines: [String] = []
    if let state {
      lines.append(
        "service      capturing, pid \(state.pid), recorder \(state.recorder_pid), \(state.open_sessions) open sessions"
      )
      lines.append("journal      \(state.journal_used) of \(state.journal_capacity) bytes waiting")
      if let problem = state.rules_problem { lines.append("rules        the last good ones: \(problem)") }
      if let problem = state.canary_problem { lines.append("canaries     none, and so no coverage: \(problem)") }
      if let problem = state.seal_problem { lines.append("seals        \(problem)") }
      if let problem = state.store_problem { lines.append("store        takes no records: \(problem)") }
      if let since = state.lost_since {
        lines.append("             RECORDS ARE MISSING since \(Timestamp(nanoseconds: since).short)")
      }
    } else {
      lines.append("service      NOT RUNNING since \(run.ended?.short ?? "an end that nobody recorded")")
    }
    lines.append("host         \(run.host), Linux \(run.kernel)")
    if let covered = run.covered { lines.append("vouched for  \(covered.from.short) to \(covered.to.short)") }
    lines.append("perf         \(run.perfMissing.map { "MISSING: \($0)" } ?? "task records of every CPU")")
    lines.append("connector    \(run.connectorMissing.map { "missing: \($0)" } ?? "process events")")
    let beside = state?.audit_owner.map { ", beside process \($0), which is the audit daemon" } ?? ""
    let audited = "commands, denied attempts, contacts, logins" + beside
    lines.append("audit        \(run.auditMissing.map { "none: \($0)" } ?? audited)")
    lines += Self.lines(anchors, problem: state?.anchor_problem)
    let watched = fileSystems.filter { $0.mode != nil }
    lines += ["", "watched file systems:"]
    var table = Table(["MOUNTED AT", "TYPE", "MODE", "SINCE", "NOTE"])
    for each in watched {
      table.add([each.mountPoint.description, each.type, each.mode ?? "", each.since.short, each.reason])
    }
    lines.append(table.text())
    let others = fileSystems.filter { $0.mode == nil && $0.reason != "unmounted" }
    if !others.isEmpty {
      lines += ["", "NOT covered:"]
      var table = Table(["MOUNTED AT", "TYPE", "WHY"])
      for each in others { table.add([each.mountPoint.description, each.type, each.reason]) }
      lines.append(table.text())
    }
    lines += ["", "gaps in the last day: \(gaps.isEmpty ? "none" : "")"]
    if !gaps.isEmpty {
      var table = Table(["FROM", "TO", "SOURCE", "REASON"])
      for gap in gaps { table.add([gap.time.from.short, gap.time.to.short, gap.source, gap.reason]) }
      lines.append(table.text())
    }
    if !incidents.isEmpty {
      lines += ["", "incidents in the last day:"]
      for incident in incidents { lines.append("  \(incident.time.short) \(incident.kind): \(incident.detail)") }
    }
    return lines.joined(separator: "\n")
  }

  // MARK: - Anchors

  /// How somebody outside stands to the log: what the store has of it, and what the service says of it.
  private struct Standing {
    var kind: String
    var by: String
    var size: UInt64?
    var time: Timestamp?
    var problem: String?

    var lag: Int64? { time.map { max(0, (Timestamp.now.nanoseconds - $0.nanoseconds) / 1_000_000_000) } }

    var answer: Answer.Anchor {
      Answer.Anchor(
        kind: kind, by: by, size: size, time: time?.description, lagSeconds: lag, problem: problem)
    }
  }

  private static func anchors(_ state: ServiceClient.State?, _ kept: [KeptAnchor]) -> [Standing] {
    var standings = (state?.anchors ?? []).map {
      Standing(
        kind: $0.kind, by: $0.by, size: $0.size, time: $0.time.map { Timestamp(nanoseconds: $0) }, problem: $0.problem)
    }
    for anchor in kept where !standings.contains(where: { $0.kind == anchor.kind && $0.by == anchor.by }) {
      standings.append(
        Standing(
          kind: anchor.kind, by: anchor.by, size: anchor.size, time: Timestamp(nanoseconds: Int64(anchor.time)),
          problem: state == nil ? nil : "not asked any more"))
    }
    return standings
  }

  private static func lines(_ anchors: [Standing], problem: String?) -> [String] {
    guard !anchors.isEmpty else { return ["anchors      NONE: nobody outside this machine has seen the log"] }
    var lines = problem.map { ["anchors      \($0)"] } ?? []
    var table = Table(["ANCHOR", "BY", "RECORDS", "SEEN", "AGO", "NOTE"])
    for each in anchors {
      table.add([
        each.kind, String(each.by.prefix { $0 != "+" }), each.size.map { "\($0)" } ?? "never", each.time?.short ?? "",
        each.lag.map { "\($0) s" } ?? "", each.problem ?? "",
      ])
    }
    lines += ["", "seen outside this machine:", table.text()]
    return lines
  }
}
