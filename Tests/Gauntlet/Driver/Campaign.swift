import Foundation

/// Rounds, one after the other, until there are enough.
struct Campaign {
  let options: Options
  let installation: Installation
  let place: String
  /// Where failing programs are kept.
  let keep: String

  func run() throws -> Summary {
    var random = RandomSource(seed: options.seed)
    var summary = Summary(seed: options.seed)
    let begun = Wall.monotonic
    func elapsed() -> Double { Double(Wall.monotonic - begun) / 1e9 }
    let service = try Service(installation, at: place)
    while summary.trials < options.trials, elapsed() < (options.minutes ?? .infinity) * 60 {
      let seed = random.next()
      do {
        let score = try round(service, seed: seed, number: summary.rounds, summary: &summary)
        summary.add(score)
        report(score, seed, summary, elapsed())
      } catch let trouble as Trouble {
        summary.troubles.append("round of seed \(seed): \(trouble)")
        if summary.troubles.count > 5 { break }
      }
    }
    service.stop()
    summary.seconds = elapsed()
    return summary
  }

  private func round(_ service: Service, seed: UInt64, number: Int, summary: inout Summary) throws -> Score {
    var generator = Generator(seed: seed, place: "\(place)/r\(number)")
    let round = Round(plan: generator.plan(), installation: installation)
    defer { try? round.clean() }
    let truth = try round.run()
    var examiner = try Examiner(service, truth)
    var random = RandomSource(seed: seed ^ 0x5155_4553_5449_4f4e)
    try examiner.ask(Question.list(truth, random: &random))
    let grave = examiner.score.findings.filter { $0.kind != .needless }
    if !grave.isEmpty { summary.kept.append(try Keeper(directory: keep).keep("round-\(seed)", truth, grave)) }
    return examiner.score
  }

  private func report(_ score: Score, _ seed: UInt64, _ summary: Summary, _ elapsed: Double) {
    let counts = Dictionary(score.findings.map { ($0.kind, 1) }, uniquingKeysWith: +)
    say(
      "round \(summary.rounds): \(score.trials) trials, \(score.asked) questions, "
        + "\(counts[.falseAlibi] ?? 0) false alibis, \(counts[.falseAccusation] ?? 0) false accusations, "
        + "\(counts[.missed] ?? 0) missed, \(counts[.needless] ?? 0) needless; \(summary.trials) in \(Int(elapsed)) s")
    for finding in score.findings where [.falseAlibi, .falseAccusation].contains(finding.kind) {
      say("  \(finding.kind.rawValue): \(finding.label): \(finding.detail)")
      say("    \(finding.question.text)")
      for deed in finding.deeds.prefix(3) {
        say("    deed \(deed.id) \(deed.way) \(deed.paths.map(\.escaped)) by \(deed.actor) of seed \(seed)")
      }
    }
  }
}

/// Progress goes to standard error; the summary alone to standard output.
func say(_ text: String) {
  FileHandle.standardError.write(Data((text + "\n").utf8))
}
