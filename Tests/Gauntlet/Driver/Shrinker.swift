/// Makes a failing round small: the same failure with fewer deeds.
struct Shrinker {
  let installation: Installation
  /// Where rounds are run again.
  let place: String
  let service: Service
  private var runs = 0

  /// So many rounds at most; each takes some seconds.
  private static let budget = 24

  init(_ installation: Installation, at place: String, _ service: Service) {
    self.installation = installation
    self.place = place
    self.service = service
  }

  /// A smaller plan that fails in the same way, if the failure comes again at all.
  mutating func shrink(_ plan: Plan, _ finding: Finding) throws -> Plan? {
    var kept = Set(plan.deeds.filter { finding.question.scenes.contains($0.scene) }.map(\.id))
    if try !fails(plan, kept, finding) {
      // What others did at the same time matters.
      kept = Set(plan.deeds.map(\.id))
      guard try fails(plan, kept, finding) else { return nil }
    }
    var chunk = max(1, kept.count / 2)
    while runs < Self.budget {
      var isSmaller = false
      let ordered = kept.sorted()
      for start in stride(from: 0, to: ordered.count, by: chunk) where runs < Self.budget {
        let less = kept.subtracting(ordered[start..<min(start + chunk, ordered.count)])
        if !less.isEmpty, try fails(plan, less, finding) {
          kept = less
          isSmaller = true
          break
        }
      }
      if isSmaller { continue }
      if chunk == 1 { break }
      chunk /= 2
    }
    return plan.keeping(kept, scenes: finding.question.scenes)
  }

  /// Runs the small plan once more, with a journal, and keeps everything.
  mutating func keep(_ plan: Plan, _ finding: Finding, _ keeper: Keeper, name: String) throws -> String {
    let own = "\(place)/journal"
    try Disk.makeDirectory(Path(own))
    let recording = try Service(installation, at: own, journal: own + "/journal")
    let (truth, found) = try again(plan, finding, recording)
    recording.stop()
    let directory = try keeper.keep(name, truth, found)
    try Child.run("/bin/cp", [own + "/journal", directory + "/journal"])
    try Disk.remove(own)
    return directory
  }

  private mutating func fails(_ plan: Plan, _ ids: Set<Int>, _ finding: Finding) throws -> Bool {
    let smaller = plan.keeping(ids, scenes: finding.question.scenes)
    // What depends on time may need a second try.
    for _ in 0..<2 where runs < Self.budget {
      if try !again(smaller, finding, service).1.isEmpty { return true }
    }
    return false
  }

  private mutating func again(
    _ plan: Plan, _ finding: Finding, _ service: Service
  ) throws -> (Truth, [Finding]) {
    runs += 1
    let other = "\(place)/s\(runs)"
    let round = Round(plan: plan.moved(to: other), installation: installation)
    defer { try? round.clean() }
    let truth = try round.run()
    var examiner = try Examiner(service, truth)
    var question = finding.question
    question.span = truth.span
    question.purpose = .whole
    question.target = question.target.moved(from: plan.place, to: other)
    try examiner.ask([question])
    return (truth, examiner.score.findings.filter { $0.kind == finding.kind })
  }
}
