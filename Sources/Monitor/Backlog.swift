internal import Records

/// Findings that are not yet in the store, and what became of those that it would not take in time.
///
/// The journal holds on to its entries until what they gave rise to is committed, so the journal is the first
/// bound; the count here is the second, because a small event may make a large finding.
struct Backlog {
  /// The most findings that are kept while the store takes none: some hundred bytes each.
  static let bound = 200_000

  private(set) var findings: [Finding] = []
  /// The time whose records were given up.
  private(set) var lost: Interval?

  var isEmpty: Bool { findings.isEmpty && lost == nil }
  var isFull: Bool { findings.count > Self.bound }

  mutating func append(_ finding: Finding) { findings.append(finding) }
  mutating func append(contentsOf more: [Finding]) { findings.append(contentsOf: more) }

  /// What a transaction must hold: the findings, and the gap for those that are missing.
  func transaction(reason: String) -> [Finding] {
    guard let lost else { return findings }
    return findings + [.gap(Gap(time: lost, source: "store", reason: reason, fileSystem: nil))]
  }

  /// It is all in the store.
  mutating func clear() {
    findings.removeAll(keepingCapacity: findings.count < 50_000)
    lost = nil
  }

  /// Gives up what a gap over `time` makes needless, and keeps what later records refer to: what lives on.
  mutating func giveUp(_ time: Interval) {
    lost = Interval(from: min(lost?.from ?? time.from, time.from), to: max(lost?.to ?? time.to, time.to))
    let whole = lost ?? time
    var endedSessions: Set<Int64> = []
    var endedProcesses: Set<Int64> = []
    for finding in findings {
      if case .sessionEnded(let id, _) = finding { endedSessions.insert(id) }
      if case .processEnded(let id, _) = finding { endedProcesses.insert(id) }
    }
    // A session that began and ended here goes with its records, unless one that stays is part of it.
    var begun: [Int64: Session] = [:]
    for case .session(let session) in findings { begun[session.id] = session }
    var gone = endedSessions.intersection(begun.keys)
    for session in begun.values.sorted(by: { $0.id > $1.id }) where !gone.contains(session.id) {
      if let parent = session.parent { gone.remove(parent) }
    }
    var records: Set<Int64> = []
    for case .process(let process) in findings { records.insert(process.id) }
    let goneProcesses = endedProcesses.intersection(records)
    findings = findings.filter { finding in
      switch finding {
      case .name: false
      // What was held from the session's beginning is held beyond the gap, too.
      case .access(let access): access.operations.isInheritedStill && access.session.map { !gone.contains($0) } ?? false
      case .session(let session): !gone.contains(session.id)
      case .sessionEnded(let id, _), .digest(let id, _): !gone.contains(id)
      case .conversation(let label): !gone.contains(label.session)
      case .process(let process): !goneProcesses.contains(process.id) && !gone.contains(process.session)
      case .processEnded(let id, _): !goneProcesses.contains(id)
      case .command(let command): !goneProcesses.contains(command.process)
      case .login(let login): !gone.contains(login.session)
      // The gap says as much.
      case .gap(let gap): gap.time.from < whole.from || gap.time.to > whole.to
      case .incident(let incident): incident.time < whole.from || incident.time > whole.to
      // An end that is not told would hold a file for ever, which is safe, and wrong.
      case .fileSystem, .seal, .released, .closed, .mounts, .privileged: true
      // Whoever reads it later works for the session all the same.
      case .written, .unwritten, .deputy, .deputyEnded: true
      case .agreement: true
      }
    }
  }
}
