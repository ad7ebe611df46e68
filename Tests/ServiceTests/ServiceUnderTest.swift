import Foundation
import LinuxKernel
import TestSupport
import Testing

/// Where the built programs and the repository are.
enum Place {
  static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path
  static let programs =
    environment("ALIBI_BIN_DIR")
    ?? URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
  static var actor: String { programs + "/alibi-actor" }
}

/// A service of the test's own: its own state, its own socket, stopped when the value goes.
final class ServiceUnderTest {
  let state: String
  let run: String
  let rules: String
  private let scratch: ScratchDirectory
  private let arguments: [String]
  private let isAudited: Bool
  private(set) var process: Subprocess

  /// Starts a service and waits until it captures.
  ///
  /// - Parameters:
  ///   - capture: what its configuration file says of capture.
  ///   - more: what else its configuration file says.
  ///   - state: where its store is; by default in a directory that goes with the test.
  ///   - audit: whether audit is a witness; then it is stopped at the end, and not just killed, or the machine's would stay altered.
  init(
    rules: String = Place.repository + "/rules", capture: String = "{}", audit: Bool = false, more: String = "",
    state: String? = nil
  ) throws {
    scratch = try ScratchDirectory(in: "/tmp")
    self.state = state ?? scratch("state")
    run = scratch("run")
    self.rules = rules
    isAudited = audit
    try scratch.write(
      "alibid.yaml",
      "run: \(run)\nrules: \(rules)\nlog-level: info\ncapture: \(capture)\n" + "audit: \(audit)\n" + more)
    arguments = ["--config", scratch("alibid.yaml"), "--state", self.state]
    process = try Subprocess(Place.programs + "/alibid", arguments)
    try waitUntilReady()
  }

  deinit {
    guard isAudited else { return }
    process.signal(SIGTERM)
    _ = try? process.finish()
  }

  /// Adds to the configuration, for the next start.
  func configure(_ more: String) throws {
    let file = scratch("alibid.yaml")
    try scratch.write("alibid.yaml", try String(contentsOfFile: file, encoding: .utf8) + more)
  }

  private func waitUntilReady() throws {
    try eventually("the service captures") {
      FileManager.default.fileExists(atPath: run + "/alibid.sock") && alibi("status").status == 0
    }
  }

  /// Ends the service in an orderly way and returns what it left.
  func stop() throws -> Subprocess.Outcome {
    process.signal(SIGTERM)
    return try process.finish()
  }

  /// Kills the guardian; its recorder ends in order.
  func kill() throws {
    process.signal(SIGKILL)
    _ = try process.finish()
  }

  /// The recorder's pid, once one answers.
  func recorder() throws -> Int32 {
    var found: Int32?
    try eventually("a recorder answers") {
      let status = try? json("status") as? [String: Any]
      found = (status?["recorder_pid"] as? Int).map(Int32.init)
      return found != nil
    }
    return try #require(found)
  }

  func restart() throws {
    process = try Subprocess(Place.programs + "/alibid", arguments)
    try waitUntilReady()
  }

  @discardableResult
  func alibi(_ arguments: String...) -> Subprocess.Outcome { alibi(arguments) }

  func alibi(_ arguments: [String]) -> Subprocess.Outcome {
    do {
      return try Subprocess.run(Place.programs + "/alibi", arguments + ["--state", state])
    } catch {
      Issue.record("alibi cannot be run: \(error)")
      return Subprocess.Outcome(status: -1, output: "", errors: "\(error)")
    }
  }

  func json(_ arguments: String...) throws -> Any {
    let outcome = alibi(arguments + ["--json"])
    return try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
  }

  /// Now, with a batch ended before it and one after it. What happens next then has a time that is surely later, and
  /// what has happened one that is surely earlier: a change is told to within its batch, which begins long before it
  /// where nothing else happened.
  func moment() -> String {
    alibi("accesses", "--limit", "1")
    defer { alibi("accesses", "--limit", "1") }
    return now()
  }

  func prove(_ target: String, from: String, _ more: String...) -> Subprocess.Outcome {
    alibi(["prove", target, "--from", from] + more)
  }

  /// Expects a verdict's exit status; an issue tells the whole answer.
  func expect(
    _ status: Int32, _ target: String, from: String, _ more: String..., location: SourceLocation = #_sourceLocation
  ) {
    let outcome = alibi(["prove", target, "--from", from] + more)
    #expect(outcome.status == status, "\(outcome.output)\(outcome.errors)", sourceLocation: location)
  }

  /// The records of a path; a barrier first, so that what has happened is there.
  func accesses(_ path: String) throws -> [Record] {
    alibi("accesses", "--limit", "1")
    let escaped = path.map { "\\*?{".contains($0) ? "\\\($0)" : "\($0)" }.joined()
    let outcome = alibi("accesses", "--json", "--path", escaped)
    return try JSONDecoder().decode([Record].self, from: Data(outcome.output.utf8))
  }

  func sessions() throws -> [SessionRecord] {
    alibi("accesses", "--limit", "1")
    return try JSONDecoder().decode([SessionRecord].self, from: Data(alibi("sessions", "--json").output.utf8))
  }

  /// The sessions of stand-in agents: another test's program may be a session of an unknown executable meanwhile.
  func standIns() throws -> [SessionRecord] { try sessions().filter { $0.version == "9.9.9" } }

  struct Record: Decodable {
    var id: Int
    var session: String?
    var conversation: String?
    var agent: String?
    var op: [String]
    var path: String?
    var path_base64: String?
    var exe: String?
    var pid: Int32?
    var attribution: String
  }

  struct SessionRecord: Decodable {
    struct Conversation: Decodable {
      var id: String
    }
    var session: String
    var agent: String
    var version: String?
    var started: String
    var ended: String?
    var parent: String?
    var relation: String?
    var joined_late: Bool
    var project: String?
    var working_directory: String?
    var sha256: String?
    var conversations: [Conversation]
  }
}

/// A program launched like the agent, that does what a script says: a shell where the native installer puts it. It is an
/// ordinary user's, because nothing is proven of a session that runs as root.
struct StandInAgent {
  static let user: UInt32 = 65534
  static let setpriv = ["--reuid", "\(user)", "--regid", "\(user)", "--clear-groups"]
  let home: ScratchDirectory
  let program: String
  /// What processes do to escape a monitor, where the user may execute it.
  let actor: String
  /// How a shell of root's launches it.
  let launch: String

  init() throws {
    home = try ScratchDirectory(in: "/tmp", owner: Self.user)
    for directory in [".local", ".local/share", ".local/share/claude", ".local/share/claude/versions", "work"] {
      try home.makeDirectory(directory)
    }
    try home.copyProgram("/bin/bash", as: ".local/share/claude/versions/9.9.9")
    program = home(".local/share/claude/versions/9.9.9")
    try home.copyProgram(Place.actor, as: "actor")
    actor = home("actor")
    launch = (["setpriv"] + Self.setpriv + [program]).joined(separator: " ")
  }

  /// A file for the agent, or somebody, to touch.
  func file(_ name: String, _ text: String = "secret\n") throws -> String {
    try home.write("work/" + name, text)
    return home("work/" + name)
  }

  /// Runs the agent. A second command keeps the shell from executing the first in its own place.
  @discardableResult
  func run(_ script: String, asRoot: Bool = false) throws -> Subprocess.Outcome {
    let arguments = ["-c", script + "\n:"]
    if asRoot { return try Subprocess.run(program, arguments) }
    return try Subprocess.run("/usr/bin/setpriv", Self.setpriv + [program] + arguments)
  }

  /// Starts the agent with just this script.
  func start(_ script: String) throws -> Subprocess {
    try Subprocess("/usr/bin/setpriv", Self.setpriv + [program, "-c", script])
  }
}

/// Now, as the commands take it.
func now() -> String {
  let time = Clock.wall.now
  let formatter = ISO8601DateFormatter()
  formatter.formatOptions = [.withInternetDateTime]
  let whole = formatter.string(from: Date(timeIntervalSince1970: Double(time / 1_000_000_000)))
  let fraction = String(1_000_000_000 + time % 1_000_000_000).dropFirst()
  return whole.dropLast() + "." + fraction + "Z"
}

/// Waits until something is so; an issue when it is not within a minute, which a busy machine may need.
func eventually(
  _ what: String, within seconds: UInt64 = 60, location: SourceLocation = #_sourceLocation,
  _ condition: () throws -> Bool
) throws {
  let deadline = Clock.monotonic.now + seconds * 1_000_000_000
  while Clock.monotonic.now < deadline {
    if try condition() { return }
    Thread.sleep(forTimeInterval: 0.05)
  }
  Issue.record("never came true: \(what)", sourceLocation: location)
}
