import Foundation
import Glibc

/// How a named case ended.
struct CaseResult: Codable {
  var name: String
  var title: String
  var expected: String
  var got: String
  /// Nil where it was not run.
  var isRight: Bool?
  var note: String?

  var line: String {
    let mark = isRight.map { $0 ? "ok" : note?.hasPrefix("known") == true ? "FAILED (known)" : "FAILED" } ?? "later"
    func pad(_ text: String, _ width: Int) -> String { text.padding(toLength: width, withPad: " ", startingAt: 0) }
    return "\(pad(name, 17)) \(pad(expected, 8)) \(pad(mark, 15)) \(got)\(note.map { "; \($0)" } ?? "")"
  }
}

/// Does named cases and asks about them.
final class CaseRunner {
  let installation: Installation
  let place: String
  private var shared: Service?
  private var audited: Service?
  private var number = 0

  init(_ installation: Installation, at place: String) {
    self.installation = installation
    self.place = place
  }

  func run(_ cases: [NamedCase]) -> [CaseResult] {
    cases.map { each in
      var result = CaseResult(
        name: each.name, title: each.title, expected: each.expected.rawValue, got: "", isRight: nil, note: each.note)
      guard each.expected != .later else {
        result.got = "not run: needs \(each.note ?? "")"
        result.note = nil
        return result
      }
      do {
        var (got, isRight) = try each.expected == .own ? runOwn(each) : run(each)
        // What is known to fail may depend on where a batch ends: one good end does not mean that it is mended.
        for _ in 0..<4 where isRight && each.known != nil {
          (got, isRight) = try each.expected == .own ? runOwn(each) : run(each)
        }
        result.got = got
        result.isRight = isRight
      } catch {
        result.got = "\(error)"
        result.isRight = false
      }
      if result.isRight == false, let known = each.known, !result.got.hasPrefix("not done") {
        result.note = "known: \(known)"
      } else if result.isRight == true, each.known != nil {
        result.note = "it is known to fail, and does not: the table is to be corrected"
      }
      say(result.line)
      return result
    }
  }

  /// The service that most cases share.
  func service() throws -> Service {
    if let shared { return shared }
    let made = try Service(installation, at: place)
    // A question may reach back a little.
    Wall.sleep(milliseconds: 1200)
    shared = made
    return made
  }

  /// One with audit besides.
  func auditedService() throws -> Service {
    if let audited { return audited }
    let place = self.place + "/audited"
    try Disk.makeDirectory(Path(place))
    let made = try Service(installation, at: place, audit: true)
    Wall.sleep(milliseconds: 1200)
    audited = made
    return made
  }

  // MARK: - One case

  /// A case's files, and what has been done with them.
  struct Scene {
    var names: [String: Path]
    var stage: Stage
    var asks: [Path] = []
    var reports: [Int: Report] = [:]
    var span = Span(from: 0, to: 0)
  }

  private func run(_ each: NamedCase) throws -> (String, Bool) {
    let service = try each.needsAudit ? auditedService() : service()
    var scene = try prepare(each)
    defer { clean(scene) }
    try play(each, &scene)
    return try judge(each, scene, service)
  }

  func judge(_ each: NamedCase, _ scene: Scene, _ service: Service) throws -> (String, Bool) {
    try service.barrier()
    let undone = scene.reports.values.filter { $0.result != 0 && !isAllowedToFail(each, $0.deed) }
    guard undone.isEmpty else {
      let failures = undone.map { "deed \($0.deed): errno \($0.result)" }.joined(separator: ", ")
      return ("not done: \(failures); \(scene.stage.complaints)", false)
    }
    let sessions = try service.sessions(since: scene.span.from - 1_000_000_000)
    let pids = Set(scene.reports.values.map(\.pid))
    let own = Set(sessions.filter { pids.contains($0.pid) }.map(\.session))
    var got: [String] = [], isRight = true
    for target in scene.asks {
      let answer = try ask(service, target, scene.span, op: each.op)
      let (words, right) = Self.compare(each, answer, own)
      got.append(words)
      isRight = isRight && right
    }
    return (Set(got).sorted().joined(separator: "; "), isRight && !got.isEmpty)
  }

  /// Reflink is refused by most file systems, a private file to nobody, and whoever is killed does nothing.
  private func isAllowedToFail(_ each: NamedCase, _ deed: Int) -> Bool {
    ["A6.reflink", "A15", "A15.told"].contains(each.name)
  }

  private static func compare(_ each: NamedCase, _ answer: Answer, _ own: Set<String>) -> (String, Bool) {
    let reasons = answer.verdict == "not-proven" ? " (\(answer.reasons.joined(separator: "; ")))" : ""
    let words = answer.verdict + reasons
    switch each.expected {
    case .seen:
      let others = answer.accesses.filter { $0.session.map(own.contains) != true }
      if answer.verdict == "accessed", !others.isEmpty { return ("accessed by another session", false) }
      return (words, answer.verdict == "accessed")
    case .gap: return (words, answer.verdict == "not-proven" && !answer.gaps.isEmpty)
    case .hazard: return (words, answer.verdict == "not-proven")
    case .block: return (words, answer.verdict != "not-accessed")
    case .nothing: return (words, answer.verdict == "not-accessed")
    case .limit:
      let isTold = answer.limits.contains { limit in each.note.map { limit.contains($0) } ?? false }
      return (words + (isTold ? ", limit told" : ", limit NOT told"), answer.verdict == "not-accessed" && isTold)
    case .denied:
      let isTold = answer.denied?.contains { $0.error == each.note && $0.session.map(own.contains) == true } ?? false
      return (words + (isTold ? ", denied" : ", NOT told"), answer.verdict == "not-accessed" && isTold)
    case .own, .later: return (words, false)
    }
  }

  /// Most cases need an agent that is root, see `Question.accepts`.
  func ask(
    _ service: Service, _ target: Path, _ span: Span, op: String = "any", accepting: [String] = ["privilege"]
  ) throws -> Answer {
    var question = Question(target: .file(target), span: span, op: op, purpose: .whole, scenes: [])
    question.accepts = accepting
    let (status, output) = try service.alibi(question.arguments)
    guard [0, 1, 2].contains(status) else {
      throw Trouble("\(question.text): \(status): \(String(decoding: output, as: UTF8.self))")
    }
    return try JSONDecoder().decode(Answer.self, from: Data(output))
  }

  // MARK: - Files and programs

  private static let hostile: [Path] = [
    Path("new\nline"), [0xff, 0xfe], Array(repeating: 0x6c, count: 255), Path("caf\u{e9}"), Path("cafe\u{301}"),
    Path("a b"), Path("\\x41"), Path("*"), Path("%41\u{1b}[2J"),
  ]

  func prepare(_ each: NamedCase) throws -> Scene {
    number += 1
    let top = "\(place)/c\(number)", home = top + "/home"
    for directory in ["", "/d", "/m"] { try Disk.makeDirectory(Path(top + directory)) }
    var names: [String: Path] = [
      "D": Path(top + "/d"), "M": Path(top + "/m"), "W": Path(top + "/worker"), "H": Path(home),
      "X": Path(top + "/x"), "S": Path(top + "/s"), "L": Path(top + "/l"), "P": Path(top + "/p"),
      "R": Path(top + "/r"), "C": Path(top + "/c"), "A": Path(top + "/other/.local/share/claude/versions/9.9.8"),
    ]
    for index in 1...9 {
      let name = each.name == "A17" ? Self.hostile[index - 1] : Path("f\(index)")
      names["\(index)"] = Path(top).appending(name)
    }
    let data = [UInt8](repeating: 0x41, count: 8192), worker = try Disk.read(installation.worker)
    for index in 1...9 { try write(names["\(index)"], data) }
    try write(names["D"].map { $0 + Path("/in") }, data)
    try write(names["P"], data, mode: 0o600)
    try write(names["X"], try Disk.read("/bin/true"), mode: 0o755)
    try write(names["S"], Path("#!/bin/sh\nexit 0\n"), mode: 0o755)
    try write(names["L"], try Disk.read("/lib/x86_64-linux-gnu/libdl.so.2"), mode: 0o755)
    for program in [
      names["W"], names["R"], names["C"], names["A"], Path(home + "/.local/share/claude/versions/9.9.9"),
      Path(home + "/renamed"),
    ] {
      try Disk.makeDirectories((program ?? []).parent)
      try write(program, worker, mode: 0o755)
    }
    _ = unsafe chmod(top + "/r", 0o4755)
    for directory in ["/bin", "/node_modules/@anthropic-ai/claude-code"] {
      try Disk.makeDirectories(Path(home + directory))
    }
    try Disk.link(Path(home + "/bin/agent"), to: Path(home + "/.local/share/claude/versions/9.9.9"))
    try write(Path(home + "/node"), worker, mode: 0o755)
    try write(Path(home + "/node_modules/@anthropic-ai/claude-code/cli.js"), Path("//\n"))
    Wall.sleep(milliseconds: 60)
    return Scene(names: names, stage: Stage(worker: top + "/worker", log: top + "/actors.log"))
  }

  private func write(_ path: Path?, _ bytes: [UInt8], mode: UInt32 = 0o644) throws {
    if let path { try Disk.write(path, bytes, mode: mode) }
  }

  func clean(_ scene: Scene) {
    if let top = scene.names["M"]?.parent { try? Disk.remove(String(decoding: top, as: UTF8.self)) }
  }

  /// A program with its names put in.
  func filled(_ program: String, _ names: [String: Path]) -> String {
    program.split(separator: " ").map { word -> String in
      guard word.hasPrefix("$"), let path = names[String(word.dropFirst().prefix(1))] else { return String(word) }
      return path.escaped + word.dropFirst(2)
    }.joined(separator: " ")
  }

  func play(_ each: NamedCase, _ scene: inout Scene, during: (Int) throws -> Void = { _ in }) throws {
    let home = String(decoding: scene.names["H"] ?? [], as: UTF8.self)
    var launch = "agent \(home)/.local/share/claude/versions/9.9.9", wrapping = ("", "")
    switch each.form {
    case "agent": break
    case "agent-link": launch = "agent \(home)/bin/agent"
    case "agent-renamed": launch = "agent \(home)/renamed"
    case "agent-nobody": wrapping = ("nobody { ", " }")
    case "agent-script":
      launch = "agent-script \(home)/node \(home)/node_modules/@anthropic-ai/claude-code/cli.js"
    case let form: launch = "\(form) \(home)/.local/share/claude/versions/9.9.9"
    }
    let greeting = "do \(Plan.greeting) stat \(home) ; "
    // What is born at the start must be born before anything else is done.
    let program = each.agent.hasPrefix("later") ? each.agent + " " + greeting : greeting + each.agent
    var programs: [String] = []
    if each.name != "B7" {
      programs.append(
        filled("\(each.before) \(wrapping.0)\(launch) { \(program) }\(wrapping.1)", scene.names))
    }
    if !each.bystander.isEmpty { programs.append(filled(each.bystander, scene.names)) }
    let (reports, span) = try scene.stage.play(programs, within: 5000, during: during)
    scene.reports = Dictionary(reports.map { ($0.deed, $0) }, uniquingKeysWith: { first, _ in first })
    scene.span = span
    var asks = each.asks
    if asks.isEmpty {
      let words = Set(each.agent.split(separator: " ").map(String.init))
      asks = (1...9).map { "$\($0)" }.filter(words.contains) + ["$X", "$S", "$L", "$P"].filter(words.contains)
    }
    scene.asks = asks.map { ask in
      (scene.names[String(ask.dropFirst().prefix(1))] ?? []) + Path(String(ask.dropFirst(2)))
    }
  }
}
