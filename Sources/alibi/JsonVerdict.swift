internal import Evidence
internal import Records

/// The verdict for programs.
struct JsonVerdict: Encodable {
  struct Hazard: Encodable {
    var kind: String
    var detail: String
    var from: String?
    var to: String?
    var accepted: Bool
  }

  var verdict: String
  var target: String
  var from: String
  var to: String
  var scope: String
  var op: String
  var coveredSeconds: Double
  var proven: [[String]]
  var accessed: [[String]]
  var notProven: [[String]]
  var sessions: [String]
  var accesses: [JsonAccess]
  var possible: [JsonAccess]
  var denied: [JsonAccess]
  var unattributed: [JsonAccess]
  var gaps: [JsonGap]
  var hazards: [Hazard]
  var accepted: [String]
  var names: [String]
  var targetKnown: Bool
  var limits: [String]

  init(_ verdict: Verdict, _ question: ProofQuestion) {
    self.verdict = verdict.outcome.rawValue
    target = question.target.text
    from = question.time.from.description
    to = question.time.to.description
    scope = question.scope.text
    op = question.kind.rawValue
    coveredSeconds = verdict.covered.seconds
    func parts(_ set: IntervalSet) -> [[String]] {
      set.intervals.map { [$0.from.description, $0.to.description] }
    }
    proven = parts(verdict.division.proven)
    accessed = parts(verdict.division.accessed)
    notProven = parts(verdict.division.notProven)
    sessions = verdict.sessions.map(\.key)
    accesses = verdict.accesses.map { JsonAccess($0, from: question.time.from) }
    possible = verdict.possible.map { JsonAccess($0, from: question.time.from) }
    denied = verdict.denied.map { JsonAccess($0) }
    unattributed = verdict.unattributed.map { JsonAccess($0, from: question.time.from) }
    gaps = verdict.gaps.map(JsonGap.init)
    hazards = verdict.hazards.map {
      Hazard(
        kind: $0.kind, detail: $0.detail, from: $0.time?.from.description, to: $0.time?.to.description,
        accepted: $0.isAccepted)
    }
    accepted = question.accepted.map(\.rawValue).sorted()
    names = verdict.names
    targetKnown = verdict.targetIsKnown
    limits = Verdict.limits
  }
}
