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
    var service = try start()
    while summary.trials < options.trials, elapsed() < (options.minutes ?? .infinity) * 60 {
      let seed = random.next()
      if summary.rounds > 0, summary.rounds % Self.roundsOfStore == 0 {
        service.stop()
        try FileManager.default.removeItem(atPath: service.state)
        service = try start()
      }
      do {
        let score = try round(service, seed: seed, number: summary.rounds, summary: &summary)
        summary.add(score)
        report(score, seed, summary, elapsed())
      } catch let trouble as Trouble {
        summary.troubles.append("round of seed \(seed): \(trouble)")
        if summary.troubles.count > 20 { break }
      }
    }
    service.stop()
    summary.seconds = elapsed()
    return summary
  }

  /// After so many rounds another store is begun: the driver, which asks, works with what sessions wrote, and what such
  /// deputies touch makes every further question dearer.
  private static let roundsOfStore = 12

  private func start() throws -> Service {
    let service = try Service(installation, at: place)
    // Questions reach back a second before a round.
    Wall.sleep(milliseconds: 1200)
    return service
  }

  private func round(_ service: Service, seed: UInt64, number: Int, summary: inout Summary) throws -> Score {
    var generator = Generator(seed: seed, place: "\(place)/r\(number)")
    let round = Round(plan: generator.plan(), installation: installation)
    defer { try? round.clean() }
    var random = RandomSource(seed: seed ^ 0x5155_4553_5449_4f4e)
    let isFaulty = number % options.faultEvery == options.faultEvery - 1
    let fault = isFaulty ? options.faults.randomElement(using: &random) : nil
    let moment = Int.random(in: 600...1600, using: &random)
    var hasStruck = false
    let stage = Stage(worker: round.plan.ordinaryProgram, log: round.plan.place + "/actors.log")
    let truth = try round.run { milliseconds in
      guard let fault, !hasStruck, milliseconds > moment else { return }
      hasStruck = true
      try fault.strike(service, stage, at: round.plan.place)
    }
    if let fault {
      summary.faults[fault.rawValue, default: 0] += 1
      say("round \(number): \(fault.rawValue) after \(moment) ms")
    }
    var examiner = try Examiner(service, truth)
    try examiner.ask(Question.list(truth, random: &random))
    let grave = examiner.score.findings.filter { [.falseAlibi, .falseAccusation].contains($0.kind) }
    if !grave.isEmpty {
      let keeper = Keeper(directory: keep)
      let kept = try keeper.keep("round-\(seed)", truth, grave)
      summary.kept.append(kept)
      // What was stored is evidence, too, and the state goes away with the campaign.
      try Child.run("/bin/cp", ["-r", service.state, service.log, kept])
      // A fault cannot be made to come again at the same instant.
      if fault == nil, options.shrinks, let small = try shrink(truth.plan, grave[0], service, keeper, &summary) {
        summary.kept.append(small)
      }
    }
    return examiner.score
  }

  /// The first of each label is made small.
  private func shrink(
    _ plan: Plan, _ finding: Finding, _ service: Service, _ keeper: Keeper, _ summary: inout Summary
  ) throws -> String? {
    guard summary.shrunk.insert(finding.label).inserted, summary.shrunk.count <= 5 else { return nil }
    var shrinker = Shrinker(installation, at: place, service)
    guard let small = try shrinker.shrink(plan, finding) else {
      say("  it does not come again")
      return nil
    }
    say("  shrunk to \(small.deeds.count) deeds")
    return try shrinker.keep(small, finding, keeper, name: "small-\(summary.shrunk.count)")
  }

  private func report(_ score: Score, _ seed: UInt64, _ summary: Summary, _ elapsed: Double) {
    let counts = Dictionary(score.findings.map { ($0.kind, 1) }, uniquingKeysWith: +)
    say(
      "round \(summary.rounds): \(score.trials) trials, \(score.asked) questions, "
        + "\(counts[.falseAlibi] ?? 0) false alibis, \(counts[.falseAccusation] ?? 0) false accusations, "
        + "\(counts[.missed] ?? 0) missed, \(counts[.needless] ?? 0) needless; \(summary.trials) in \(Int(elapsed)) s")
    for finding in score.findings where finding.kind == .needless && !finding.label.hasPrefix("(fault)") {
      say("  needless: \(finding.question.text)\n    \(finding.answer.details.prefix(3).joined(separator: "\n    "))")
    }
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
