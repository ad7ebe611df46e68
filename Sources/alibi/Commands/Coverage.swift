internal import ArgumentParser
internal import Evidence
internal import Records

struct Coverage: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tells what was watched in a time and what was not, and why, for each file system.",
    discussion: "Without --from it is the last 24 hours.")

  private struct Answer: Encodable {
    struct Place: Encodable {
      var mountPoint: String
      var type: String
      var coveredSeconds: Double
      var covered: [[String]]
      var gaps: [JsonGap]
    }
    struct Unwatched: Encodable {
      var mountPoint: String
      var type: String
      var reason: String
    }
    struct Day: Encodable {
      var day: String
      var what: String
      var all: Int
      var toldByBoth: Int
      var auditOnly: Int
      var othersOnly: Int

      init(_ figure: Agreement) {
        day = figure.date
        what = figure.matter == .executions ? "executions" : "places"
        all = figure.all
        toldByBoth = figure.both
        auditOnly = figure.auditOnly
        othersOnly = figure.othersOnly
      }
    }
    var from: String
    var to: String
    var seconds: Double
    var fileSystems: [Place]
    var notWatched: [Unwatched]
    var seals: Int
    var canariesSent: Int
    var canariesSeen: Int
    var losses: [String: Int]
    var witnessGaps: [JsonGap]
    var agreement: [Day]
  }

  @OptionGroup var common: Common
  @Option(
    name: .long, parsing: .unconditional,
    help: ArgumentHelp("From this time on: RFC 3339, a date, now, -2h.", valueName: "time"))
  var from = "-24h"
  @Option(
    name: .long, parsing: .unconditional,
    help: ArgumentHelp("Up to this time: RFC 3339, a date, now, -2h.", valueName: "time"))
  var to = "now"

  func run() throws {
    let now = Timestamp.now
    let start = try moment(from, option: "--from", now: now)
    let end = try moment(to, option: "--to", now: now)
    guard start <= end else { throw Failure.usage("--from \(start) is after --to \(end)", hint: "exchange the two") }
    let report = try common.freshStore().coverage(Interval(from: start, to: end))
    if common.json {
      try Output.json(answer(report))
    } else {
      try Output.write(text(report))
    }
  }

  private func answer(_ report: CoverageReport) -> Answer {
    Answer(
      from: report.time.from.description, to: report.time.to.description, seconds: report.time.seconds,
      fileSystems: report.places.map { place in
        Answer.Place(
          mountPoint: JsonPath(place.mountPoint).text, type: place.type, coveredSeconds: place.covered.seconds,
          covered: place.covered.intervals.map { [$0.from.description, $0.to.description] },
          gaps: place.missing.map(JsonGap.init))
      },
      notWatched: report.unwatched.map {
        Answer.Unwatched(mountPoint: JsonPath($0.mountPoint).text, type: $0.type, reason: $0.reason)
      }, seals: report.seals, canariesSent: report.canariesSent, canariesSeen: report.canariesSeen,
      losses: report.losses, witnessGaps: report.besides.map(JsonGap.init),
      agreement: report.agreement.map(Answer.Day.init))
  }

  private func text(_ report: CoverageReport) -> String {
    let losses = report.losses.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    var lines = [
      "from         \(report.time.from)", "to           \(report.time.to)",
      "seals        \(report.seals)",
      "canaries     \(report.canariesSeen) seen of \(report.canariesSent)",
      "losses       \(losses.isEmpty ? "none" : losses)", "",
    ]
    var table = Table(["MOUNTED AT", "TYPE", "COVERED", "NOT"])
    for place in report.places {
      table.add([
        place.mountPoint.description, place.type, seconds(place.covered.seconds),
        seconds(max(0, report.time.seconds - place.covered.seconds)),
      ])
    }
    lines.append(table.text())
    // What all file systems lack is told once.
    let all = report.places.map { Set($0.missing) }
    let common = all.dropFirst().reduce(all.first ?? []) { $0.intersection($1) }
    let own = report.places.flatMap { place in
      place.missing.filter { !common.contains($0) }.map { (place.mountPoint.description, $0) }
    }
    let gaps = common.sorted { $0.time.from < $1.time.from }.map { ("all", $0) } + own
    lines += ["", "not covered: \(gaps.isEmpty ? "nothing" : "")"]
    if !gaps.isEmpty {
      var table = Table(["FROM", "TO", "WHERE", "SOURCE", "REASON"])
      for (place, gap) in gaps { table.add([gap.time.from.short, gap.time.to.short, place, gap.source, gap.reason]) }
      lines.append(table.text())
    }
    if !report.besides.isEmpty {
      lines += ["", "missed by a second witness alone, without which files' verdicts stand:"]
      var table = Table(["FROM", "TO", "SOURCE", "REASON"])
      for gap in report.besides { table.add([gap.time.from.short, gap.time.to.short, gap.source, gap.reason]) }
      lines.append(table.text())
    }
    if !report.agreement.isEmpty { lines += [""] + report.agreement.map(\.sentence) }
    if !report.unwatched.isEmpty {
      lines += ["", "never watched:"]
      var table = Table(["MOUNTED AT", "TYPE", "WHY"])
      for each in report.unwatched { table.add([each.mountPoint.description, each.type, each.reason]) }
      lines.append(table.text())
    }
    return lines.joined(separator: "\n")
  }

  private func seconds(_ value: Double) -> String { "\((value * 1000).rounded() / 1000) s" }
}

extension Agreement {
  /// `2026-11-21`
  fileprivate var date: String {
    String(Timestamp(nanoseconds: day &* 86_400_000_000_000).description.prefix { $0 != "T" })
  }

  /// `agreement 2026-11-21: 1,203 of 1,204 executions told by both witnesses, 1 by audit alone`
  fileprivate var sentence: String {
    let matter = matter == .executions ? "executions" : "openings in classified places"
    let alone = [(auditOnly, "audit"), (othersOnly, "the others")].filter { $0.0 > 0 }.map {
      ", \(grouped($0.0)) by \($0.1) alone"
    }
    return "agreement \(date): \(grouped(both)) of \(grouped(all)) \(matter) told by both witnesses" + alone.joined()
  }
}

/// `1,204`
private func grouped(_ number: Int) -> String {
  let digits = String(number)
  return String(
    digits.enumerated().flatMap { index, digit -> [Character] in
      index > 0 && (digits.count - index) % 3 == 0 ? [",", digit] : [digit]
    })
}
