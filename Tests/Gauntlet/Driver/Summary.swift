import Foundation

/// What a campaign comes to.
struct Summary: Codable {
  var seed: UInt64
  var rounds = 0
  var trials = 0
  var questions = 0
  var answers: [String: Int] = [:]
  var falseAlibis = 0
  var falseAccusations = 0
  var missedAttributions = 0
  var missedUnderFaults = 0
  var needlessNotProven = 0
  var forgivenNotProven = 0
  var ambiguousRecords = 0
  /// Answers that told of nothing but what was held from before.
  var heldAnswers = 0
  var unorderedScenes = 0
  var deedsNotDone = 0
  var absentNames = 0
  var influenced = 0
  var faults: [String: Int] = [:]
  var seconds = 0.0
  /// How often, by kind and by what it is counted under.
  var histogram: [String: [String: Int]] = [:]
  /// Directories where failing programs are kept.
  var kept: [String] = []
  var troubles: [String] = []
  /// The labels of failures that were made small.
  var shrunk: Set<String> = []

  mutating func add(_ score: Score) {
    rounds += 1
    trials += score.trials
    questions += score.asked
    answers.merge(score.answers, uniquingKeysWith: +)
    ambiguousRecords += score.ambiguous
    heldAnswers += score.held
    unorderedScenes += score.unordered
    deedsNotDone += score.notDone
    absentNames += score.absent
    influenced += score.influenced
    for finding in score.findings {
      switch finding.kind {
      case .falseAlibi: falseAlibis += 1
      case .falseAccusation: falseAccusations += 1
      case .missed where finding.label.hasPrefix("(fault)"): missedUnderFaults += 1
      case .missed: missedAttributions += 1
      case .needless:
        if finding.label.hasPrefix("(fault)") { forgivenNotProven += 1 } else { needlessNotProven += 1 }
      }
      histogram[finding.kind.rawValue, default: [:]][finding.label, default: 0] += 1
    }
  }

  var isClean: Bool { falseAlibis == 0 && falseAccusations == 0 && troubles.isEmpty }

  private static func list(_ counts: [String: Int]) -> String {
    counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
  }

  var text: String {
    var lines = [
      "trials               \(trials) deeds asked about, in \(rounds) rounds, \(questions) questions",
      "answers              " + Self.list(answers),
      "FALSE ALIBIS         \(falseAlibis)",
      "FALSE ACCUSATIONS    \(falseAccusations)",
      "missed attributions  \(missedAttributions)",
      "  under a fault      \(missedUnderFaults) (legitimate)",
      "needless NOT PROVEN  \(needlessNotProven)",
      "  under a fault      \(forgivenNotProven) (legitimate)",
      "ambiguous records    \(ambiguousRecords) beyond what was true",
      "held from before     \(heldAnswers) answers",
      "absent names         \(absentNames) questions asked again with --absent-name",
      "influenced           \(influenced) questions asked again with --accept-hazard influenced",
      "unordered scenes     \(unorderedScenes) (names moved at the same time: not judged)",
      "deeds not done       \(deedsNotDone) (refused by the kernel, or the file was gone)",
    ]
    if !faults.isEmpty {
      lines.append("faults               " + Self.list(faults))
    }
    lines.append("seed                 \(seed)")
    lines.append("wall time            \(Int(seconds)) s")
    for kind in [Finding.Kind.falseAlibi, .falseAccusation, .missed, .needless] {
      guard let counts = histogram[kind.rawValue] else { continue }
      lines += ["", "\(kind.rawValue):"]
      let ordered = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      for (label, count) in ordered.prefix(40) { lines.append("  \(count)  \(label)") }
      if ordered.count > 40 { lines.append("  … and \(ordered.count - 40) more") }
    }
    if !kept.isEmpty { lines += ["", "kept:"] + kept.map { "  " + $0 } }
    if !troubles.isEmpty { lines += ["", "TROUBLE of the Gauntlet itself:"] + troubles.map { "  " + $0 } }
    return lines.joined(separator: "\n")
  }
}
