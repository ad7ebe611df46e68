import Foundation
import Glibc

/// Where programs and rules are.
struct Installation {
  var programs: String
  var rules: String
  var worker: String { programs + "/gauntlet-actor" }
}

/// An `alibid` of the Gauntlet's own.
final class Service {
  let state: String
  private let run: String
  let log: String
  private let configuration: String
  private let journal: String?
  private let installation: Installation
  private var process: Child?
  /// The stretches in which a fault was at work: NOT PROVEN is legitimate in them.
  private(set) var troubled: [Span] = []

  /// - Parameter capture: what its configuration file says of capture.
  init(
    _ installation: Installation, at place: String, journal: String? = nil, capture: String = "{}", audit: Bool = false
  ) throws {
    configuration = place + "/alibid.yaml"
    try Disk.write(Path(configuration), Array("audit: \(audit)\ncapture: \(capture)\n".utf8), mode: 0o644)
    self.installation = installation
    self.journal = journal
    state = place + "/state"
    run = place + "/run"
    log = place + "/alibid.log"
    try start()
  }

  deinit { stop() }

  func start() throws {
    let file = unsafe open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    defer { close(file) }
    var arguments = ["--config", configuration, "--state", state, "--run", run]
    arguments += ["--rules", installation.rules, "--log-level", "notice"]
    if let journal { arguments += ["--record-journal", journal] }
    process = try Child(installation.programs + "/alibid", arguments, errors: file)
    let deadline = Wall.monotonic + 30_000_000_000
    while Wall.monotonic < deadline {
      if process?.hasEnded() != false { break }
      if unsafe access(run + "/alibid.sock", F_OK) == 0, try alibi(["status"]).status == 0 { return }
      Wall.sleep(milliseconds: 30)
    }
    throw Trouble("alibid does not start; its log is \(log)")
  }

  func stop() {
    process?.signal(SIGTERM)
    let deadline = Wall.monotonic + 20_000_000_000
    while process?.hasEnded() == false, Wall.monotonic < deadline { Wall.sleep(milliseconds: 10) }
    if process?.hasEnded() == false {
      say("alibid does not stop within 20 s; it is killed")
      process?.signal(SIGKILL)
    }
    process?.wait()
    process = nil
  }

  /// The process that records for the guardian; nil while there is none.
  func recorder() throws -> Int32? {
    struct Status: Decodable {
      var recorder_pid: Int32?
    }
    return try JSONDecoder().decode(Status.self, from: Data(alibi(["status", "--json"]).output)).recorder_pid
  }

  /// Waits until a recorder answers.
  func awaitRecorder() throws {
    let deadline = Wall.monotonic + 20_000_000_000
    while Wall.monotonic < deadline {
      if try recorder() != nil { return }
      Wall.sleep(milliseconds: 20)
    }
    throw Trouble("no recorder answers; the log is \(log)")
  }

  /// Does something that costs coverage, and remembers when.
  func trouble(_ body: () throws -> Void) rethrows {
    let from = Wall.now
    try body()
    troubled.append(Span(from: from - 2_000_000_000, to: Wall.now + 500_000_000))
  }

  func forgiven(from: Int64, to: Int64) { troubled.append(Span(from: from, to: to)) }

  func killAndRestart(after milliseconds: Int) throws {
    process?.signal(SIGKILL)
    process?.wait()
    process = nil
    Wall.sleep(milliseconds: milliseconds)
    try start()
  }

  /// Everything of the service is gone at once; `meanwhile` is what happens to its disk.
  func cutPower(_ meanwhile: () throws -> Void) throws {
    let recorder = try recorder()
    process?.signal(SIGKILL)
    if let recorder { kill(recorder, SIGKILL) }
    process?.wait()
    process = nil
    while let recorder, kill(recorder, 0) == 0 { Wall.sleep(milliseconds: 5) }
    try meanwhile()
    try start()
  }

  var pid: Int32 { process?.pid ?? 0 }

  func alibi(_ arguments: [String]) throws -> (status: Int32, output: [UInt8]) {
    try Child.run(installation.programs + "/alibi", arguments + ["--state", state])
  }

  /// Starts a question; the answer is in what the child prints.
  func asking(_ arguments: [String]) throws -> Child {
    try Child(installation.programs + "/alibi", arguments + ["--state", state])
  }

  /// Has everything up to now committed.
  func barrier() throws {
    let (status, output) = try alibi(["accesses", "--limit", "1"])
    guard status == 0 else { throw Trouble("no barrier: \(String(decoding: output, as: UTF8.self))") }
  }

  func sessions(since: Int64) throws -> [SessionAnswer] {
    let (status, output) = try alibi(["sessions", "--json", "--from", Wall.text(since)])
    guard status == 0 else { throw Trouble("no sessions: \(String(decoding: output, as: UTF8.self))") }
    return try JSONDecoder().decode([SessionAnswer].self, from: Data(output))
  }
}

struct SessionAnswer: Codable {
  var session: String
  var agent: String
  var pid: Int32
  var executable: String
  var started: String
  var parent: String?
  var relation: String?
}

/// What `alibi prove --json` says.
struct Answer: Codable {
  struct Access: Codable {
    var id: Int64
    var time: [String]
    var session: String?
    var op: [String]
    var error: String?
    var path: String?
    var file: String?
    var exe: String?
    var pid: Int32?
    var attribution: String
    /// Begun before the time asked about, and what was mapped or opened held then.
    var held: Bool?

    var span: Span? {
      guard time.count == 2, let from = Wall.nanoseconds(time[0]), let to = Wall.nanoseconds(time[1]) else {
        return nil
      }
      return Span(from: from, to: to)
    }
  }
  struct Gap: Codable {
    var from: String
    var to: String
    var source: String
    var reason: String
  }
  struct Hazard: Codable {
    var kind: String
    var detail: String
    var accepted: Bool
  }

  var verdict: String
  var accesses: [Access]
  var denied: [Access]?
  var possible: [Access]?
  var unattributed: [Access]
  var gaps: [Gap]
  var hazards: [Hazard]
  var limits: [String]

  private var standing: [Hazard] { hazards.filter { !$0.accepted } }

  /// Why it is not proven, in full.
  var details: [String] {
    standing.map { "\($0.kind): \($0.detail)" } + gaps.map { "\($0.source): \($0.reason)" }
      + ((possible ?? []).map { ("possible", $0) } + unattributed.map { ("unattributed", $0) }).map { word, access in
        "\(word): record \(access.id) \(access.op.joined(separator: ",")) \(access.path ?? "?") "
          + "\(access.time.joined(separator: " to ")) pid \(access.pid ?? 0)"
      }
  }

  /// Why it is not proven, in words that can be counted.
  var reasons: [String] {
    var list: Set<String> = []
    for gap in gaps { list.insert("gap \(gap.source): \(gap.reason)") }
    for hazard in standing { list.insert("hazard \(hazard.kind)") }
    if possible?.isEmpty == false { list.insert("could have been, or at the time's edge") }
    if !unattributed.isEmpty { list.insert("unattributed") }
    return list.sorted()
  }
}
