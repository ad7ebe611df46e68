import Foundation

/// Something that Alibi said and that is not so, or not as it should be.
struct Finding {
  enum Kind: String {
    /// It said NOT ACCESSED, and it was accessed.
    case falseAlibi = "FALSE ALIBI"
    /// It said ACCESSED, and no session did; or it named a session that did not.
    case falseAccusation = "FALSE ACCUSATION"
    /// It was accessed, and the answer or the records do not say so.
    case missed = "missed attribution"
    /// Nobody accessed it, and the answer was NOT PROVEN.
    case needless = "needless NOT PROVEN"
  }

  var kind: Kind
  /// What it is counted under.
  var label: String
  var question: Question
  var answer: Answer
  var deeds: [Deed]
  var detail: String
}

/// What an examination counted.
struct Score {
  var asked = 0
  /// Deeds that a question was about.
  var trials = 0
  var answers: [String: Int] = [:]
  var ambiguous = 0
  var held = 0
  var unordered = 0
  var notDone = 0
  /// Questions about a name that nothing is known to have borne.
  var absent = 0
  /// Questions about what others touched who had read what a session wrote.
  var influenced = 0
  var findings: [Finding] = []

  static func += (left: inout Score, right: Score) {
    left.asked += right.asked
    left.trials += right.trials
    left.answers.merge(right.answers, uniquingKeysWith: +)
    left.ambiguous += right.ambiguous
    left.unordered += right.unordered
    left.notDone += right.notDone
    left.absent += right.absent
    left.influenced += right.influenced
    left.findings += right.findings
  }
}

/// Asks Alibi about a round and compares the answers with the truth.
struct Examiner {
  let service: Service
  let truth: Truth
  private var actorOfSession: [String: Int] = [:]
  private(set) var score = Score()

  init(_ service: Service, _ truth: Truth) throws {
    self.service = service
    self.truth = truth
    try service.barrier()
    let sessions = try service.sessions(since: truth.span.from - 1_000_000_000)
    let byPid = Dictionary(truth.roots.map { ($0.value, $0.key) }, uniquingKeysWith: { first, _ in first })
    let byKey = Dictionary(sessions.map { ($0.session, $0) }, uniquingKeysWith: { first, _ in first })
    for session in sessions {
      var here: SessionAnswer? = session
      var steps = 0
      while let current = here, steps < 10 {
        if let actor = byPid[current.pid] {
          actorOfSession[session.session] = actor
          break
        }
        here = current.parent.flatMap { byKey[$0] }
        steps += 1
      }
    }
    score.notDone = truth.plan.deeds.count { (truth.reports[$0.id]?.result ?? -1) != 0 }
    score.unordered = truth.worlds.count { !$0.isOrdered }
  }

  /// Asks `width` questions at a time.
  mutating func ask(_ questions: [Question], width: Int = 2) throws {
    var trials: Set<Int> = [], again: [Question] = []
    for start in stride(from: 0, to: questions.count, by: width) {
      let part = questions[start..<min(start + width, questions.count)]
      let children = try part.map { ($0, try service.asking($0.arguments)) }
      for (question, child) in children {
        let status = child.wait(), output = child.text()
        guard [0, 1, 2].contains(status) else {
          throw Trouble("\(question.text): \(status): \(String(decoding: output, as: UTF8.self))")
        }
        let answer = try JSONDecoder().decode(Answer.self, from: Data(output))
        let expected = ["not-accessed", "accessed", "not-proven"][Int(status)]
        guard answer.verdict == expected else {
          throw Trouble("\(question.text): says \(answer.verdict), exits \(status)")
        }
        score.asked += 1
        // That the name is nobody's is an answer of its own: whoever asks may insist, and is then told what is true.
        if !question.insists, answer.reasons == ["hazard absent-name"] {
          var insisting = question
          insisting.insists = true
          again.append(insisting)
          score.absent += 1
          continue
        }
        // Somebody else touched it who had read what a session wrote: so much is true. The rest is asked once more.
        if answer.verdict == "not-proven", answer.reasons.contains("hazard influenced"),
          !question.accepts.contains("influenced"), isTouchedByOthers(question)
        {
          var accepting = question
          accepting.accepts.append("influenced")
          again.append(accepting)
          score.influenced += 1
          continue
        }
        score.answers[answer.verdict, default: 0] += 1
        trials.formUnion(compare(question, answer))
      }
    }
    score.trials += trials.count
    if !again.isEmpty { try ask(again, width: width) }
  }

  private func isAgent(_ touch: Touch) -> Bool { truth.plan.actors[touch.deed.actor].role == .agent }

  /// Whether somebody who is no agent did something to what is asked about, or may have, at any time: names and
  /// mappings outlast it.
  private func isTouchedByOthers(_ question: Question) -> Bool {
    question.scenes.contains { scene in truth.worlds[scene].touches.contains { !isAgent($0) } }
  }

  /// Returns the deeds that the question was about.
  private mutating func compare(_ question: Question, _ answer: Answer) -> [Int] {
    var surely: [Touch] = [], perhaps: [Touch] = [], about: [Int] = []
    var isOrdered = true
    for index in question.scenes {
      let world = truth.worlds[index]
      let (sure, possible) = world.deeds(question.kinds, within: question.span, where: question.matches)
      surely += sure.filter(isAgent)
      perhaps += possible.filter(isAgent)
      about += (sure + possible).map(\.deed.id)
      if !world.isOrdered, world.paths.contains(where: question.matches) { isOrdered = false }
    }
    if question.scenes.count > 1 { about = [] }
    switch answer.verdict {
    case "not-accessed":
      if let first = surely.first {
        found(.falseAlibi, label(first, surely, question), question, answer, surely, "")
      }
    case "accessed":
      if perhaps.isEmpty, isOrdered { accuse(question, answer) }
    default:
      if let first = surely.first {
        let why = answer.reasons.joined(separator: "; ")
        found(.missed, forgiven(question) + label(first, surely, question), question, answer, surely, why)
      } else if perhaps.isEmpty, isOrdered {
        let label = forgiven(question) + answer.reasons.joined(separator: "; ")
        found(.needless, label, question, answer, [], "")
      }
    }
    if question.purpose == .whole, question.op == "any", case .file = question.target {
      compareRecords(question, answer, surely, perhaps, isOrdered)
    }
    return about
  }

  private func forgiven(_ question: Question) -> String {
    service.troubled.contains { $0.overlaps(question.span) } ? "(fault) " : ""
  }

  private mutating func accuse(_ question: Question, _ answer: Answer) {
    guard answer.accesses.contains(where: { $0.attribution != "ambiguous" }) else {
      score.ambiguous += 1
      return
    }
    if answer.accesses.allSatisfy({ $0.attribution == "ambiguous" || isHeld($0, question) }) {
      score.held += 1
      return
    }
    found(.falseAccusation, "verdict", question, answer, [], "no session did anything like it")
  }

  /// Whether a record is of something that its session did before, and may hold still: what was mapped is held until
  /// the process ends, because nobody is told of an unmapping.
  private func isHeld(_ access: Answer.Access, _ question: Question) -> Bool {
    guard access.held == true, let actor = access.session.flatMap({ actorOfSession[$0] }) else { return false }
    return question.scenes.contains { scene in
      truth.worlds[scene].touches.contains { touch in
        isAgent(touch) && touch.deed.actor == actor && touch.span.from <= question.span.to
      }
    }
  }

  /// Each deed of a session must have its record, and each record a deed of its session.
  private mutating func compareRecords(
    _ question: Question, _ answer: Answer, _ surely: [Touch], _ perhaps: [Touch], _ isOrdered: Bool
  ) {
    guard answer.verdict == "accessed" else { return }
    for touch in surely {
      let isTold = (answer.accesses + (answer.possible ?? [])).contains { access in
        access.session.flatMap { actorOfSession[$0] } == touch.deed.actor && access.span?.overlaps(touch.span) == true
      }
      if !isTold {
        found(
          .missed, forgiven(question) + "no record: " + label(touch, [touch], question), question, answer, [touch],
          "another record answers for it")
      }
    }
    guard isOrdered else { return }
    for access in answer.accesses {
      guard let span = access.span, let session = access.session else { continue }
      let actor = actorOfSession[session]
      let isTrue = perhaps.contains { $0.deed.actor == actor && $0.span.overlaps(span) }
      if isTrue || isHeld(access, question) { continue }
      if access.attribution == "ambiguous" {
        score.ambiguous += 1
      } else {
        let who = actor.map { "actor \($0)" } ?? "somebody unknown"
        found(
          .falseAccusation, "record \(access.op.joined(separator: ",")) \(access.attribution)", question, answer, [],
          "record \(access.id) of session \(session), \(who), \(access.exe ?? "?") [\(access.pid ?? 0)]")
      }
    }
  }

  private func label(_ touch: Touch, _ all: [Touch], _ question: Question) -> String {
    let world = truth.worlds[touch.deed.scene]
    let moves = Set(truth.plan.deeds.filter { $0.scene == touch.deed.scene && $0.isNaming }.map(\.way))
    let isByName = world.touches.contains { $0.deed.id == touch.deed.id && question.matches($0.path) }
    var text = "\(touch.deed.kind.row) \(touch.deed.way)"
    if !touch.deed.shapes.isEmpty, moves.isEmpty {
      text += " in " + touch.deed.shapes.map(\.shape).joined(separator: ">")
    }
    let form = truth.plan.actors[touch.deed.actor].form
    if form != "agent" { text += " of \(form)" }
    if touch.deed.isLater { text += ", by one born at its start" }
    if !moves.isEmpty { text += isByName ? ", names moved" : ", by another name, names moved" }
    if question.op != "any" { text += " (--op \(question.op))" }
    if case .tree = question.target { text += " (tree)" }
    if case .glob = question.target { text += " (glob)" }
    return text
  }

  private mutating func found(
    _ kind: Finding.Kind, _ label: String, _ question: Question, _ answer: Answer, _ touches: [Touch],
    _ detail: String
  ) {
    score.findings.append(
      Finding(
        kind: kind, label: label, question: question, answer: answer, deeds: touches.map(\.deed), detail: detail))
  }
}
