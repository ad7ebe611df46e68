/// Makes plans out of chance.
struct Generator {
  private var random: RandomSource
  private let place: String
  private var deeds: [Deed] = []
  private var scenes: [Scene] = []
  private var actors: [ActorPlan] = []
  private var directories: [Path] = []
  private var descriptor = 100
  private let length: Int

  /// How many simple scenes, and how many in which names move.
  private let simple: Int
  private let moving: Int

  init(seed: UInt64, place: String, simple: Int = 110, moving: Int = 16, length: Int = 2600) {
    random = RandomSource(seed: seed)
    self.place = place
    self.simple = simple
    self.moving = moving
    self.length = length
  }

  mutating func plan() -> Plan {
    makeActors()
    makeDirectories()
    for index in 0..<simple { addSimple(index) }
    for index in 0..<moving { addMoving(index) }
    return Plan(place: place, actors: actors, scenes: scenes, deeds: deeds, length: length)
  }

  // MARK: - Who

  private mutating func makeActors() {
    let forms = ["agent", "agent", "agent", "agent-forged", "agent-loader", "agent-script", "agent-link"]
    for index in 0..<Int.random(in: 3...5, using: &random) {
      let home = "\(place)/homes/\(index)"
      var actor = ActorPlan(role: .agent)
      actor.program = "\(home)/.local/share/claude/versions/9.9.9"
      switch random.one(of: forms) {
      case "agent-link": actor.program = "\(home)/bin/agent"
      case "agent-script":
        actor.form = "agent-script"
        actor.program = "\(home)/node"
        actor.script = "\(home)/node_modules/@anthropic-ai/claude-code/cli.js"
      case let form: actor.form = form
      }
      for _ in 0..<Int.random(in: 0...2, using: &random) {
        let shape = random.one(of: ["fork", "daemon", "clone-parent", "exec", "thread-exec", "spawn", "own-mounts"])
        actor.launchShapes.append(wrapping(shape, program: "\(place)/bin/worker"))
      }
      actors.append(actor)
    }
    for _ in 0..<3 { actors.append(ActorPlan(role: .bystander)) }
  }

  private mutating func wrapping(_ name: String, program: String) -> Wrapping {
    switch Shape.byName[name]?.word ?? .none {
    case .none: Wrapping(shape: name, word: nil)
    case .program: Wrapping(shape: name, word: program)
    // Few numbers for many processes, of sessions and of others: they follow each other in the same pid.
    case .pid: Wrapping(shape: name, word: "\(31_000 + Int.random(in: 0..<6, using: &random))")
    case .count: Wrapping(shape: name, word: "\(Int.random(in: 5...40, using: &random))")
    }
  }

  /// Shapes for a deed. A session may execute anything; somebody else no agent.
  private mutating func shapes(_ actor: Int, _ way: Way) -> [Wrapping] {
    let isAgent = actors[actor].role == .agent
    let lot = Shape.lot(forAgents: isAgent)
    var list: [Wrapping] = []
    var hasLost = false
    for _ in 0..<random.one(of: [0, 0, 1, 1, 1, 1, 2, 2, 3]) {
      let name = random.one(of: lot)
      guard let shape = Shape.byName[name] else { continue }
      if shape.losesPrivilege {
        // Who has lost it cannot make namespaces, or be somebody else again.
        if way.wantsMountPoint || ["A10", "A3", "A2"].contains(way.row) || way.isInherited { continue }
        hasLost = true
      } else if hasLost, ["B4", "B5"].contains(shape.row) {
        continue
      }
      var program = "\(place)/bin/worker"
      if isAgent, random.chance(1, of: 4) {
        // One that an interpreter or the loader runs cannot be executed by itself.
        program = random.one(of: actors.filter { $0.role == .agent && $0.form == "agent" } + [actors[actor]]).program
      }
      list.append(wrapping(name, program: program))
    }
    return list
  }

  // MARK: - Where

  private static let names: [Path] = [
    Path("report.csv"), Path("with space"), Path("new\nline"), [0xff, 0xfe, 0x80], Path("caf\u{e9}"),
    Path("cafe\u{301}"), Path("quote'\"`"), Path("tab\tand\u{1b}[31m"), Path("back\\slash"), Path("*?[a]{b}"),
    Path("%41"), Path("-rf"), Array(repeating: 0x6c, count: 240), Path("..."), [0xc3], Path("\u{202e}txt"),
  ]

  /// A name that is not in use: hostile ones too, within 255 bytes.
  private mutating func name(_ index: Int, plain: Bool = false) -> Path {
    plain || random.chance(1, of: 2) ? Path("f\(index)") : random.one(of: Self.names) + Path("~\(index)")
  }

  private mutating func makeDirectories() {
    let tree = Path(place + "/tree")
    directories = [tree]
    for index in 0..<8 {
      let parent = random.one(of: directories)
      directories.append(parent.appending(index < 4 ? Path("d\(index)") : name(index) + Path(".d")))
    }
    scenes.append(Scene(files: [], directories: Array(directories.dropFirst())))
  }

  // MARK: - What

  private mutating func someActor() -> Int {
    Int.random(in: 0..<actors.count, using: &random)
  }

  private mutating func bystander() -> Int {
    random.one(of: actors.indices.filter { actors[$0].role == .bystander })
  }

  private mutating func addSimple(_ index: Int) {
    let kind = random.one(of: [FileKind.data, .data, .data, .data, .data, .program, .script, .library])
    let scene = scenes.count
    let directory = random.one(of: directories)
    // LD_PRELOAD gives spaces and colons a meaning.
    let isPlain = kind == .library
    let path = (isPlain ? Path(place + "/tree") : directory).appending(name(index, plain: isPlain))
    scenes.append(Scene(files: [Scene.File(path: path, kind: kind)]))
    // Some files nobody touches, some only people, some only one session.
    let mood = Int.random(in: 0..<10, using: &random)
    let count = mood == 0 ? 0 : random.one(of: [1, 1, 2, 2, 3, 4])
    let onlyActor = mood < 7 ? someActor() : nil
    for _ in 0..<count {
      let actor = mood < 4 ? bystander() : onlyActor ?? someActor()
      let ways = Way.all.filter {
        $0.isCommon && $0.naming == .none && !$0.wantsFreeName && $0.kinds.contains(kind) && $0.effects.count == 1
          && (actors[actor].role == .agent || !$0.isInherited)
      }
      add(random.one(of: ways), [path], actor, scene, time: Int.random(in: 50..<length, using: &random))
    }
  }

  private mutating func add(_ way: Way, _ paths: [Path], _ actor: Int, _ scene: Int, time: Int) {
    var deed = Deed(
      id: deeds.count + 1, way: way.name, paths: paths, descriptor: nil, actor: actor, time: time, scene: scene)
    deed.shapes = shapes(actor, way)
    if way.isInherited {
      deed.descriptor = descriptor
      actors[actor].inherited.append(
        ActorPlan.Inheritance(number: descriptor, path: paths[0], inMessage: way.name == "fd-receive"))
      descriptor += 1
      // A closed descriptor, or a message taken, is so for a process and its threads only.
      deed.shapes.removeAll { ["sandbox", "switch-user", "set-privilege"].contains($0.shape) }
    } else if actors[actor].role == .agent, time > length * 3 / 4 {
      deed.isLater = true
    }
    deeds.append(deed)
  }

  /// Names move, one deed after the other; whoever does them.
  private mutating func addMoving(_ index: Int) {
    let scene = scenes.count
    let top = Path(place + "/tree/s\(index)")
    var inside = top.appending(name(0))
    let outside = top.appending(name(1))
    var present = [inside.appending(name(2)), top.appending(name(3)), top.appending(name(4))]
    var free = [top.appending(name(5)), inside.appending(name(6)), top.appending(name(7))]
    scenes.append(
      Scene(files: present.map { Scene.File(path: $0, kind: .data) }, directories: [top, inside]))
    let count = Int.random(in: 4...9, using: &random)
    var time = Int.random(in: 60..<200, using: &random)
    let step = (length - 250) / count
    var hasMoved = false
    for _ in 0..<count {
      let actor = random.chance(1, of: 2) ? bystander() : someActor()
      switch Int.random(in: 0..<12, using: &random) {
      case 0 where !free.isEmpty && !present.isEmpty:
        let (from, to) = (random.one(of: present), free.removeLast())
        plan("link", [from, to], actor, scene, time)
        present.append(to)
      case 1 where !free.isEmpty && !present.isEmpty:
        let from = present.removeLast(), to = free.removeFirst()
        plan("rename", [from, to], actor, scene, time)
        present.append(to)
        free.append(from)
      case 2 where present.count > 1:
        let from = present.removeFirst()
        plan("rename", [from, random.one(of: present)], actor, scene, time)
        free.append(from)
      case 3 where present.count > 1:
        plan("exchange", [present[0], present[1]], actor, scene, time)
      case 4 where present.count > 1:
        free.append(present.removeLast())
        plan("unlink", [free[free.count - 1]], actor, scene, time)
      case 5 where !free.isEmpty:
        present.append(free.removeLast())
        plan(random.one(of: ["create", "tmpfile"]), [present[present.count - 1]], actor, scene, time)
      case 6 where !present.isEmpty:
        let target = random.one(of: present)
        plan("replace", [target, target + Path(".tmp")], actor, scene, time)
      case 8 where present.count > 1:
        plan("copy-range", [present[0], present[1]], actor, scene, time)
      case 9 where !free.isEmpty && !present.isEmpty:
        plan("symlink", [random.one(of: present), random.one(of: free)], actor, scene, time)
      case 7 where !hasMoved:
        hasMoved = true
        plan("rename", [inside, outside], actor, scene, time)
        let old = inside
        func moved(_ path: Path) -> Path { path.isAtOrBeneath(old) ? outside + path[old.count...] : path }
        present = present.map(moved)
        free = free.map(moved)
        inside = outside
      default:
        guard let target = present.randomElement(using: &random) else { break }
        let ways = Way.all.filter {
          $0.isCommon && $0.naming == .none && !$0.isInherited && $0.effects.count == 1 && $0.kinds.contains(.data)
            && $0.name != "creat"
        }
        add(random.one(of: ways), [target], actor, scene, time: time)
        deeds[deeds.count - 1].isLater = false
      }
      time += step + Int.random(in: -20...20, using: &random)
    }
  }

  private mutating func plan(_ way: String, _ paths: [Path], _ actor: Int, _ scene: Int, _ time: Int) {
    guard let way = Way.byName[way] else { return }
    add(way, paths, actor, scene, time: time)
    deeds[deeds.count - 1].isLater = false
  }
}
