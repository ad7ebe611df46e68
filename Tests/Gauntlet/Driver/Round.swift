import Foundation
import Glibc

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

/// Makes the files of a plan, has the actors do it, and hears what they say.
struct Round {
  let plan: Plan
  let installation: Installation

  private static let reportNumber: Int32 = 60

  /// `during` is called again and again while the actors are at work, with the milliseconds since the base.
  func run(during: (Int) throws -> Void = { _ in }) throws -> Truth {
    try makeFiles()
    Wall.sleep(milliseconds: 60)
    let start = Wall.now, base = Wall.monotonic + 80_000_000
    let log = unsafe open(plan.place + "/actors.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    defer { close(log) }
    var children: [Child] = [], pipes: [Int32] = []
    defer { for each in pipes { close(each) } }
    for index in plan.actors.indices {
      var ends: [Int32] = [0, 0]
      guard unsafe pipe(&ends) == 0 else { throw Trouble("pipe: errno \(errno)") }
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      pipes.append(ends[0])
      children.append(
        try Child(
          plan.ordinaryProgram,
          ["--report", "\(Self.reportNumber)", "--base", "\(base)", "--", plan.program(of: index)],
          descriptors: [Self.reportNumber: ends[1]], errors: log))
      close(ends[1])
    }
    var said = [[UInt8]](repeating: [], count: pipes.count)
    var open = Set(pipes.indices)
    let deadline = base + Int64(plan.length + 20_000) * 1_000_000
    while !open.isEmpty, Wall.monotonic < deadline {
      var polls = open.sorted().map { pollfd(fd: pipes[$0], events: Int16(POLLIN), revents: 0) }
      _ = unsafe poll(&polls, nfds_t(polls.count), 20)
      for (index, ready) in zip(open.sorted(), polls) where ready.revents != 0 {
        var buffer = [UInt8](repeating: 0, count: 32 * 1024)
        let count = unsafe read(pipes[index], &buffer, buffer.count)
        if count > 0 { said[index] += buffer.prefix(count) } else { open.remove(index) }
      }
      try during(Int((Wall.monotonic - base) / 1_000_000))
    }
    if !open.isEmpty { for child in children { child.signal(SIGKILL) } }
    for child in children { child.wait() }
    // What an actor cloned for its parent is this process's own child now.
    while waitpid(-1, nil, Int32(WNOHANG)) > 0 {}
    guard open.isEmpty else {
      let log = (try? Disk.read(plan.place + "/actors.log")).map { String(decoding: $0, as: UTF8.self) } ?? ""
      throw Trouble("actors \(open.sorted()) did not end; they said: \(log)")
    }
    // The span is to end surely after the last deed, as Alibi tells time.
    Wall.sleep(milliseconds: 60)
    return truth(said.flatMap { bytes in reports(bytes) }, Span(from: start, to: Wall.now))
  }

  private func reports(_ bytes: [UInt8]) -> [Report] {
    stride(from: 0, to: bytes.count - 31, by: 32).compactMap { at in
      func number(_ offset: Int, _ count: Int) -> UInt64 {
        bytes[(at + offset)..<(at + offset + count)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
      }
      guard number(0, 4) == 0x6c74_7561 else { return nil }
      return Report(
        deed: Int(number(4, 4)), pid: Int32(truncatingIfNeeded: number(8, 4)),
        result: Int32(truncatingIfNeeded: number(12, 4)),
        span: Span(from: Int64(bitPattern: number(16, 8)), to: Int64(bitPattern: number(24, 8))))
    }
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

/// Files by paths of any bytes.
enum Disk {
  private static func terminated(_ path: Path) -> [CChar] { (path + [0]).map { CChar(bitPattern: $0) } }

  private static func check(_ result: Int32, _ path: Path) throws {
    guard result >= 0 else { throw Trouble("\(path.escaped): \(unsafe String(cString: strerror(errno)))") }
  }

  static func makeDirectory(_ path: Path) throws {
    let result = unsafe mkdir(terminated(path), 0o755)
    if result < 0, errno == EEXIST { return }
    try check(result, path)
  }

  static func makeDirectories(_ path: Path) throws {
    if path.count > 1 { try makeDirectories(path.parent) }
    if !path.isEmpty { try makeDirectory(path) }
  }

  static func link(_ path: Path, to target: Path) throws {
    try check(unsafe symlink(terminated(target), terminated(path)), path)
  }

  static func write(_ path: Path, _ bytes: [UInt8], mode: UInt32) throws {
    let file = unsafe open(terminated(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode_t(mode))
    try check(file, path)
    defer { close(file) }
    guard unsafe Glibc.write(file, bytes, bytes.count) == bytes.count else { throw Trouble("\(path.escaped): cut off") }
  }

  static func read(_ path: String) throws -> [UInt8] {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    try check(file, Path(path))
    defer { close(file) }
    let size = Int(lseek(file, 0, SEEK_END))
    var bytes = [UInt8](repeating: 0, count: size)
    guard unsafe pread(file, &bytes, size, 0) == size else { throw Trouble("\(path): cut off") }
    return bytes
  }

  static func remove(_ path: String) throws {
    try Child.run("/bin/rm", ["-rf", "--one-file-system", path])
  }

  /// An empty directory in /tmp that every user may enter.
  static func scratch(_ name: String) throws -> String {
    var template = Array("/tmp/\(name)-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else { throw Trouble("no directory in /tmp: errno \(errno)") }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    _ = unsafe chmod(path, 0o755)
    return path
  }
}
