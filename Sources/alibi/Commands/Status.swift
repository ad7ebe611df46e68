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
    var rulesProblem: String?
    var canaryProblem: String?
    var storeProblem: String?
    var sealProblem: String?
    var lostSince: String?
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
    if common.json {
      try Output.json(
        Answer(
          running: state != nil, pid: state?.pid, recorderPid: state?.recorder_pid, host: run.host,
          started: run.started.description,
          coveredFrom: run.covered?.from.description, coveredTo: run.covered?.to.description,
          openSessions: state?.open_sessions, perf: run.perfMissing ?? "ok", connector: run.connectorMissing ?? "ok",
          rulesProblem: state?.rules_problem, canaryProblem: state?.canary_problem, storeProblem: state?.store_problem,
          sealProblem: state?.seal_problem,
          lostSince: state?.lost_since.map { Timestamp(nanoseconds: $0).description },
          fileSystems: fileSystems.map {
            .init(mountPoint: JsonPath($0.mountPoint).text, type: $0.type, mode: $0.mode, reason: $0.reason)
          }, gaps: gaps.map(JsonGap.init), incidents: incidents.map { "\($0.time) \($0.kind): \($0.detail)" }))
    } else {
      try Output.write(text(run, state, fileSystems, gaps, incidents))
    }
    if state == nil { throw ExitCode(69) }
  }

  private func text(
    _ run: RunRow, _ state: ServiceClient.State?, _ fileSystems: [WatchedFileSystem], _ gaps: [Gap],
    _ incidents: [Incident]
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
}
