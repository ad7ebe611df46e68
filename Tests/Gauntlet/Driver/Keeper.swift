import Foundation

/// Writes down what is needed to understand a failure, and to do it again.
struct Keeper {
  let directory: String

  /// Keeps a round with its findings; returns where.
  func keep(_ name: String, _ truth: Truth, _ findings: [Finding]) throws -> String {
    let place = "\(directory)/\(name)"
    try Disk.makeDirectories(Path(place))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try write(encoder.encode(truth.plan), "\(place)/plan.json")
    for index in truth.plan.actors.indices {
      let role = truth.plan.actors[index].role.rawValue
      try write(Data(truth.plan.program(of: index).utf8), "\(place)/\(index)-\(role).program")
    }
    try write(Data(Self.story(truth, findings).utf8), "\(place)/findings.txt")
    let deeds = truth.plan.scenes.indices.flatMap { Self.deeds(truth, of: $0) }
    try write(Data((deeds.joined(separator: "\n") + "\n").utf8), "\(place)/deeds.txt")
    if let log = try? Disk.read(truth.plan.place + "/actors.log") { try write(Data(log), "\(place)/actors.log") }
    return place
  }

  private func write(_ data: Data, _ path: String) throws {
    try data.write(to: URL(fileURLWithPath: path))
  }

  /// What was true and what was said, for people.
  static func story(_ truth: Truth, _ findings: [Finding]) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    var lines: [String] = []
    for finding in findings {
      lines += ["\(finding.kind.rawValue): \(finding.label)", "  \(finding.detail)", "  \(finding.question.text)"]
      for scene in finding.question.scenes where finding.question.scenes.count == 1 {
        lines += ["  what was true in scene \(scene):"] + Self.deeds(truth, of: scene).map { "    " + $0 }
      }
      lines += finding.deeds.map { "  deed \($0.id) \($0.way) of scene \($0.scene)" }
      if let answer = try? encoder.encode(finding.answer) { lines.append(String(decoding: answer, as: UTF8.self)) }
      lines.append("")
    }
    return lines.joined(separator: "\n")
  }

  private static func deeds(_ truth: Truth, of scene: Int) -> [String] {
    truth.plan.deeds.filter { $0.scene == scene }.map { deed in
      let actor = truth.plan.actors[deed.actor]
      let when = truth.reports[deed.id].map {
        "\(Wall.text($0.span.from)) to \(Wall.text($0.span.to)) errno \($0.result) pid \($0.pid)"
      }
      let shapes = deed.shapes.map(\.text).joined(separator: " > ")
      return "\(deed.id) \(when ?? "not reported") \(actor.role.rawValue) \(deed.actor) [\(shapes)] \(deed.way) "
        + deed.paths.map(\.escaped).joined(separator: " ")
    }
  }
}
