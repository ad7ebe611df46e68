/// What was true in a round.
struct Truth {
  var plan: Plan
  var worlds: [World]
  var reports: [Int: Report]
  /// From before the first deed to after the last.
  var span: Span
  /// The pid of each agent's root process, by actor.
  var roots: [Int: Int32]
}

/// Makes the files of a plan and has it played.
struct Round {
  let plan: Plan
  let installation: Installation

  func run(during: (Int) throws -> Void = { _ in }) throws -> Truth {
    try makeFiles()
    Wall.sleep(milliseconds: 60)
    let stage = Stage(worker: plan.ordinaryProgram, log: plan.place + "/actors.log")
    let (reports, span) = try stage.play(
      plan.actors.indices.map { plan.program(of: $0) }, within: plan.length, during: during)
    return truth(reports, span)
  }

  private func truth(_ reports: [Report], _ span: Span) -> Truth {
    let byDeed = Dictionary(reports.map { ($0.deed, $0) }, uniquingKeysWith: { first, _ in first })
    let worlds = plan.scenes.indices.map { index in
      World(plan.scenes[index], plan.deeds.filter { $0.scene == index }, byDeed)
    }
    var roots: [Int: Int32] = [:]
    for index in plan.actors.indices { roots[index] = byDeed[Plan.greeting + index]?.pid }
    return Truth(plan: plan, worlds: worlds, reports: byDeed, span: span, roots: roots)
  }

  // MARK: - Files

  private static let library = "/lib/x86_64-linux-gnu/libdl.so.2"

  private func makeFiles() throws {
    for directory in ["", "/bin", "/homes", "/mount", "/tree"] { try Disk.makeDirectory(Path(plan.place + directory)) }
    let worker = try Disk.read(installation.worker)
    try Disk.write(Path(plan.ordinaryProgram), worker, mode: 0o755)
    for actor in plan.actors where actor.role == .agent { try install(actor, worker) }
    let data = [UInt8](repeating: 0x41, count: 8192), program = try Disk.read("/bin/true")
    let library = try Disk.read(Self.library), script = Path("#!/bin/sh\nexit 0\n")
    for scene in plan.scenes {
      for directory in scene.directories { try Disk.makeDirectory(directory) }
      for file in scene.files {
        switch file.kind {
        case .data: try Disk.write(file.path, data, mode: 0o644)
        case .program: try Disk.write(file.path, program, mode: 0o755)
        case .library: try Disk.write(file.path, library, mode: 0o755)
        case .script: try Disk.write(file.path, script, mode: 0o755)
        }
      }
    }
  }

  private func install(_ actor: ActorPlan, _ worker: [UInt8]) throws {
    try Disk.makeDirectories(Path(actor.program).parent)
    if actor.program.hasSuffix("/bin/agent") {
      // A symbolic link, as the native installer makes one.
      let home = Array(Path(actor.program).parent.parent)
      let real = home + Path("/.local/share/claude/versions/9.9.9")
      try Disk.makeDirectories(real.parent)
      try Disk.write(real, worker, mode: 0o755)
      try Disk.link(Path(actor.program), to: real)
    } else {
      try Disk.write(Path(actor.program), worker, mode: 0o755)
    }
    if let script = actor.script {
      try Disk.makeDirectories(Path(script).parent)
      try Disk.write(Path(script), Path("// the agent\n"), mode: 0o644)
    }
  }

  /// Takes everything away again.
  func clean() throws { try Disk.remove(plan.place) }
}
