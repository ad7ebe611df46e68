/// A path is bytes.
typealias Path = [UInt8]

extension [UInt8] {
  init(_ text: String) { self = Array(text.utf8) }

  func appending(_ name: Path) -> Path { self + [0x2f] + name }

  /// For people, and for the actor's programs: only plain characters, the rest as %NN.
  var escaped: String {
    map { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2f, 0x2e, 0x2d, 0x5f: String(UnicodeScalar(byte))
      default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }.joined()
  }

  /// As `alibi` takes it: bytes that cannot be typed as \xNN.
  var asTarget: String {
    map { byte in
      (0x20...0x7e).contains(byte) && byte != 0x5c
        ? String(UnicodeScalar(byte)) : "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }.joined()
  }

  func isAtOrBeneath(_ directory: Path) -> Bool {
    starts(with: directory) && (count == directory.count || self[directory.count] == 0x2f)
  }

  var parent: Path { Array(self[..<(lastIndex(of: 0x2f) ?? 0)]) }
}

/// A shape with its word.
struct Wrapping: Codable {
  var shape: String
  var word: String?

  var text: String { word.map { "\(shape) \($0)" } ?? shape }
}

/// One deed that is to be done.
struct Deed: Codable {
  var id: Int
  var way: String
  /// Where it happens, beneath the round's tree; the second, where there is one, likewise.
  var paths: [Path]
  /// The number of the inherited descriptor.
  var descriptor: Int?
  /// Which of the plan's actors does it.
  var actor: Int
  /// Milliseconds after the base.
  var time: Int
  /// From the outside in.
  var shapes: [Wrapping] = []
  /// Done by a process that outlives the agent.
  var isLater = false
  /// Which scene it belongs to.
  var scene: Int

  var kind: Way { Way.byName[way] ?? Way(name: way, row: "?", effects: []) }
  var isNaming: Bool { kind.naming != .none }
}

/// Files that belong together: names move only within a scene.
struct Scene: Codable {
  struct File: Codable {
    var path: Path
    var kind: FileKind
  }

  var files: [File]
  /// Directories to make, outermost first.
  var directories: [Path] = []
}

/// Somebody who does deeds: an agent, or a bystander.
struct ActorPlan: Codable {
  enum Role: String, Codable {
    case agent, bystander
  }

  var role: Role
  /// For an agent, how it is launched: a shape of the actor's.
  var form = "agent"
  /// Where its executable lies, beneath the round's place.
  var program = ""
  /// For an agent that an interpreter runs.
  var script: String?
  /// Descriptors that it inherits: number and path, and whether inside a message.
  var inherited: [Inheritance] = []
  /// Shapes between the launcher and the agent.
  var launchShapes: [Wrapping] = []

  struct Inheritance: Codable {
    var number: Int
    var path: Path
    var inMessage: Bool
  }
}

/// Everything of a round that is decided before it begins. Paths are absolute, beneath `place`.
struct Plan: Codable {
  var place: String
  var actors: [ActorPlan]
  var scenes: [Scene]
  var deeds: [Deed]
  /// How long it takes, in milliseconds.
  var length: Int

  static let greeting = 1_000_000

  var tree: Path { Path(place + "/tree") }
  var mountPoint: String { place + "/mount" }
  var ordinaryProgram: String { place + "/bin/worker" }

  /// The same with these deeds only, and the scenes they belong to, and some more.
  func keeping(_ ids: Set<Int>, scenes kept: [Int]) -> Plan {
    var smaller = self
    smaller.deeds = deeds.filter { ids.contains($0.id) }
    let used = Set(smaller.deeds.map(\.scene) + kept)
    for index in scenes.indices where !used.contains(index) { smaller.scenes[index].files = [] }
    let numbers = Set(smaller.deeds.compactMap(\.descriptor))
    for index in actors.indices {
      smaller.actors[index].inherited.removeAll { !numbers.contains($0.number) }
    }
    return smaller
  }

  /// The same somewhere else.
  func moved(to other: String) -> Plan {
    var moved = self
    let old = Path(place), new = Path(other)
    func shifted(_ path: Path) -> Path { path.isAtOrBeneath(old) ? new + path[old.count...] : path }
    func shifted(_ text: String) -> String { text.hasPrefix(place) ? other + text.dropFirst(place.count) : text }
    moved.place = other
    for index in actors.indices {
      moved.actors[index].program = shifted(actors[index].program)
      moved.actors[index].script = actors[index].script.map(shifted)
      for at in actors[index].inherited.indices {
        moved.actors[index].inherited[at].path = shifted(actors[index].inherited[at].path)
      }
      for at in actors[index].launchShapes.indices {
        moved.actors[index].launchShapes[at].word = actors[index].launchShapes[at].word.map(shifted)
      }
    }
    for index in scenes.indices {
      moved.scenes[index].directories = scenes[index].directories.map(shifted)
      for at in scenes[index].files.indices {
        moved.scenes[index].files[at].path = shifted(scenes[index].files[at].path)
      }
    }
    for index in deeds.indices {
      moved.deeds[index].paths = deeds[index].paths.map(shifted)
      for at in deeds[index].shapes.indices {
        moved.deeds[index].shapes[at].word = deeds[index].shapes[at].word.map(shifted)
      }
    }
    return moved
  }

  /// The program of an actor, as the actor reads it.
  func program(of index: Int) -> String {
    let actor = actors[index]
    var text = ""
    let own = deeds.filter { $0.actor == index }.sorted { $0.time < $1.time }
    for deed in own.filter(\.isLater) + own.filter({ !$0.isLater }) {
      text += (deed.isLater ? "later { " : "") + "at \(deed.time) "
      text += deed.shapes.map { "\($0.text) { " }.joined()
      text += words(of: deed)
      text += deed.shapes.map { _ in "} " }.joined() + (deed.isLater ? "}\n" : "\n")
    }
    guard actor.role == .agent else { return text }
    var launch = ""
    for each in actor.inherited {
      launch += "\(each.inMessage ? "handover" : "inherit") \(each.number) \(each.path.escaped) ;\n"
    }
    launch += actor.launchShapes.map { "\($0.text) { " }.joined()
    launch += "\(actor.form) \(actor.program) \(actor.script ?? "") {\n"
    launch += "do \(Self.greeting + index) stat \(actor.program) ;\n"
    return launch + text + "}" + actor.launchShapes.map { _ in " }" }.joined() + "\n"
  }

  private func words(of deed: Deed) -> String {
    var words = deed.paths.map(\.escaped)
    if let number = deed.descriptor { words = ["\(number)"] }
    if deed.kind.wantsMountPoint { words.append(mountPoint) }
    return "do \(deed.id) \(deed.way) \(words.joined(separator: " ")) ; "
  }
}
