/// Something that Alibi is asked, and what is true about it.
struct Question {
  enum Target {
    case file(Path)
    case tree(Path)
    /// Everything directly in a directory whose name is plain.
    case glob(Path)

    /// The same in another round's place.
    func moved(from old: String, to new: String) -> Target {
      func shifted(_ path: Path) -> Path { Path(new) + path[Path(old).count...] }
      return switch self {
      case .file(let path): .file(shifted(path))
      case .tree(let path): .tree(shifted(path))
      case .glob(let path): .glob(shifted(path))
      }
    }
  }

  /// Why it is asked.
  enum Purpose: String {
    case whole, before, half, around, after
  }

  var target: Target
  var span: Span
  var op = "any"
  var purpose: Purpose
  /// The scenes it can be about; all for a tree.
  var scenes: [Int]

  var kinds: Kinds {
    switch op {
    case "read": .read
    case "write": .write
    case "exec": .exec
    default: .any
    }
  }

  /// Hazards that are accepted. The Gauntlet's agents are root, because they mount and take pids; the case C12 tells
  /// what that means. What they inherit they use in ways that are seen, or not at all; A6b and A11 tell of the others.
  var accepts = ["privilege", "inherited"]

  /// Asked again because the name was said to be nobody's.
  var insists = false

  var arguments: [String] {
    let words: [String]
    switch target {
    case .file(let path): words = [path.asTarget]
    case .tree(let path): words = [path.asTarget + "/"]
    case .glob(let path): words = [path.asTarget + "/*", "--glob"]
    }
    return ["prove"] + words + ["--from", Wall.text(span.from), "--to", Wall.text(span.to), "--op", op, "--json"]
      + (insists ? ["--absent-name"] : []) + accepts.flatMap { ["--accept-hazard", $0] }
  }

  func matches(_ path: Path) -> Bool {
    switch target {
    case .file(let own): path == own
    case .tree(let own): path.isAtOrBeneath(own)
    case .glob(let own): path.parent == own
    }
  }

  var text: String { "alibi " + arguments.joined(separator: " ") }

  /// What is to be asked about a round.
  static func list(_ truth: Truth, random: inout RandomSource) -> [Question] {
    var questions: [Question] = []
    let all = Array(truth.worlds.indices), span = truth.span
    let middle = span.from + (span.to - span.from) / 2
    let halves = [Span(from: span.from, to: middle), Span(from: middle, to: span.to)]
    for (index, world) in truth.worlds.enumerated() {
      for path in world.paths {
        func ask(_ span: Span, _ op: String, _ purpose: Purpose) {
          questions.append(Question(target: .file(path), span: span, op: op, purpose: purpose, scenes: [index]))
        }
        ask(span, "any", .whole)
        if random.chance(1, of: 3) { ask(span, random.one(of: ["read", "write", "exec"]), .whole) }
        if random.chance(1, of: 6) { ask(random.one(of: halves), "any", .half) }
        if random.chance(1, of: 20) {
          ask(Span(from: span.from - 1_000_000_000, to: span.from), "any", .before)
        }
        let touches = world.touches.filter { $0.path == path && $0.span.to != .max && !$0.effect.did.isEmpty }
        guard let touch = touches.randomElement(using: &random), random.chance(2, of: 3) else { continue }
        let margin = Int64.random(in: 20...150, using: &random) * 1_000_000
        ask(Span(from: touch.span.from - margin, to: touch.span.to + margin), "any", .around)
        if random.chance(1, of: 3) {
          ask(Span(from: touch.span.to + margin, to: max(span.to, touch.span.to + margin)), "any", .after)
        }
      }
    }
    let directories = truth.plan.scenes.flatMap(\.directories)
    for directory in directories where random.chance(1, of: 4) {
      let target: Target = random.chance(1, of: 3) && isPlain(directory) ? .glob(directory) : .tree(directory)
      let asked = random.one(of: [span] + halves)
      questions.append(
        Question(
          target: target, span: asked, op: random.one(of: ["any", "any", "write", "exec"]), purpose: .whole,
          scenes: all))
    }
    return questions
  }

  private static func isPlain(_ path: Path) -> Bool { !path.escaped.contains("%") }
}
