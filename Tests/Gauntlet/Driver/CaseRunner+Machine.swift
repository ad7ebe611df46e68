import Foundation
import Glibc

// Cases that change the machine for a moment: its clock, a CPU's records, a file system of another kind.
extension CaseRunner {
  /// A snapshot of a btrfs subvolume has the subvolume's files under other names and identities.
  func btrfsSnapshot(_ each: NamedCase) throws -> (String, Bool) {
    let service = try service()
    var scene = try prepare(each)
    defer { clean(scene) }
    let point = String(decoding: scene.names["M"] ?? [], as: UTF8.self), image = point + ".image"
    let script = """
      truncate -s 128M \(image) && mkfs.btrfs -q \(image) && mount -o loop \(image) \(point) \
      && btrfs -q subvolume create \(point)/sub && echo new > \(point)/sub/new \
      && btrfs -q subvolume snapshot \(point)/sub \(point)/snapshot && sync -f \(point)
      """
    let (status, _) = try Child.run("/bin/sh", ["-c", script])
    defer { Disk.unmount(point) }
    guard status == 0 else { return ("not done: no btrfs", false) }
    // Until it is watched: what comes before is a gap, and says nothing of the snapshot.
    Wall.sleep(milliseconds: 800)
    try play(reading(each, "at 300 do 1 read $M/snapshot/new ;", ["$M/sub/new", "$M/snapshot/new"]), &scene)
    guard scene.reports[1]?.result == 0 else { return ("not done: errno \(scene.reports[1]?.result ?? -1)", false) }
    try service.barrier()
    let span = scene.span
    let answers = try scene.asks.map { try ask(service, $0, span) }
    return (answers.map(words).joined(separator: " | "), answers.allSatisfy { $0.verdict != "not-accessed" })
  }

  /// The clock is put back, a file is read, and the clock is set right again: the access bears a time that was vouched
  /// for before it was made.
  func clockSet(_ each: NamedCase) throws -> (String, Bool) {
    try withService("clock") { service in
      var scene = try prepare(each)
      defer { clean(scene) }
      let begun = Wall.now
      Wall.sleep(milliseconds: 3500)
      var state = 0
      defer { if state == 1 { Wall.step(seconds: 2) } }
      try play(reading(each, "at 700 do 1 read $1 ; at 1400"), &scene) { milliseconds in
        if state == 0, milliseconds > 400 {
          state = 1
          Wall.step(seconds: -2)
        } else if state == 1, milliseconds > 1000 {
          state = 2
          Wall.step(seconds: 2)
        }
      }
      try service.barrier()
      guard let deed = scene.reports[1], deed.result == 0, state == 2 else { return ("not done", false) }
      let asked = [deed.span, Span(from: begun + 1_500_000_000, to: Wall.now)]
      let read = try asked.map { try ask(service, scene.asks[0], $0) }
      let other = try ask(service, scene.names["2"] ?? [], asked[1])
      let isTold = other.verdict == "not-proven" && other.gaps.contains { $0.source == "clock" }
      return (
        (read + [other]).map(words).joined(separator: " | "),
        read.allSatisfy { $0.verdict != "not-accessed" } && isTold
      )
    }
  }

  /// One CPU's records overflow while nobody reads, and nothing happens on that CPU any more.
  func idleLoss(_ each: NamedCase) throws -> (String, Bool) {
    try withService("idle", capture: "{perf-kilobytes: 64}") { service in
      var scene = try prepare(each)
      defer { clean(scene) }
      guard let recorder = try service.recorder() else { return ("no recorder to stop", false) }
      var state = 0
      defer { if state == 1 { kill(recorder, SIGCONT) } }
      let storm = "for i in $(seq 800); do /bin/true; done"
      try play(reading(each, "at 3000 do 1 read $1 ;"), &scene) { milliseconds in
        if state == 0, milliseconds > 200 {
          state = 1
          kill(recorder, SIGSTOP)
          try Child.run("/usr/bin/taskset", ["-c", "1", "/bin/sh", "-c", storm])
          kill(recorder, SIGCONT)
          state = 2
        }
      }
      try service.barrier()
      let answer = try ask(service, scene.names["2"] ?? [], scene.span)
      let isTold = answer.gaps.contains { $0.source == "perf" }
      return (words(answer), answer.verdict == "not-proven" && isTold)
    }
  }

  /// A session has a person's tmux open a window for a command, and a person has it open another.
  func adopted(_ each: NamedCase) throws -> (String, Bool) {
    let service = try auditedService()
    let scene = try prepare(each)
    defer { clean(scene) }
    func path(_ name: String) -> String { String(decoding: scene.names[name] ?? [], as: UTF8.self) }
    let agent = path("A"), tmux = "tmux -S \(path("M"))/door -f /dev/null"
    try Disk.write(Path(agent), try Disk.read("/bin/bash"), mode: 0o755)
    guard try Child.run("/bin/sh", ["-c", "\(tmux) new-session -d -s main /bin/sh"]).status == 0 else {
      return ("not done: no tmux", false)
    }
    defer { _ = try? Child.run("/bin/sh", ["-c", "\(tmux) kill-server"]) }
    let from = Wall.now
    func open(_ name: String, _ shell: String) throws {
      _ = try Child.run(
        shell, ["-c", "\(tmux) new-window 'cat \(path(name)) > /dev/null; : > \(path("M"))/\(name)'; sleep 0.5; :"])
      for _ in 0..<100 where unsafe access(path("M") + "/" + name, F_OK) != 0 { Wall.sleep(milliseconds: 20) }
    }
    try open("2", "/bin/sh")
    try open("1", agent)
    try service.barrier()
    let span = Span(from: from, to: Wall.now)
    let answers = try ["1", "2"].map { try ask(service, scene.names[$0] ?? [], span) }
    let isRight = answers.map(\.verdict) == ["accessed", "not-accessed"]
    let why = isRight ? [] : answers.flatMap(\.hazards).map { "; " + $0.detail }
    return (answers.map(words).joined(separator: " | ") + why.joined(), isRight)
  }

  /// Somebody alters audit, in every way that hides something: what only audit sees is not vouched for, and then is
  /// again; files' verdicts stand.
  func alteredAudit(_ each: NamedCase) throws -> (String, Bool) {
    let service = try auditedService()
    func auditctl(_ words: String...) throws -> [UInt8] { try Child.run("/usr/sbin/auditctl", words).output }
    guard unsafe access("/usr/sbin/auditctl", X_OK) == 0 else { return ("not done: no auditctl", false) }
    let rules = try auditctl("-l")
    var got: [String] = [], isRight = true
    for (name, begin, end) in Self.alterations {
      var scene = try prepare(each)
      defer { clean(scene) }
      _ = try auditctl("--reset-lost")
      Wall.sleep(milliseconds: 1500)
      try service.barrier()
      let before = Wall.now
      for words in begin { _ = try Child.run("/usr/sbin/auditctl", words) }
      defer { for words in end { _ = try? Child.run("/usr/sbin/auditctl", words) } }
      try play(reading(each, "do 1 read $1 ; do 2 exec $X ; at 1500", ["$1", "$2"]), &scene)
      for words in end { _ = try Child.run("/usr/sbin/auditctl", words) }
      Wall.sleep(milliseconds: 1500)
      try service.barrier()
      let isTold = try gaps(service, since: before).contains { $0.source == "audit" }
      let after = Wall.now
      Wall.sleep(milliseconds: 1500)
      try service.barrier()
      let isWhole = try gaps(service, since: after).isEmpty && auditctl("-l") == rules
      let answers = try scene.asks.map { try ask(service, $0, scene.span) }
      let stands = answers.map(\.verdict) == ["accessed", "not-accessed"]
      got.append("\(name): \(isTold ? "gap" : "NO gap"), \(isWhole ? "whole again" : "NOT whole again")")
      if !stands { got.append(answers.map(words).joined(separator: " | ")) }
      isRight = isRight && isTold && isWhole && stands
    }
    return (got.joined(separator: "; "), isRight)
  }

  /// What is done to audit, and how it is undone where the service does not do that itself.
  private static let alterations: [(name: String, begin: [[String]], end: [[String]])] = [
    ("removed", [["-D"]], []),
    (
      "hidden", [["-A", "never,exit", "-F", "arch=b64", "-S", "execve"]],
      [["-d", "never,exit", "-F", "arch=b64", "-S", "execve"]]
    ),
    (
      "excluded", [["-a", "always,exclude", "-F", "msgtype=PATH"]],
      [["-d", "always,exclude", "-F", "msgtype=PATH"]]
    ),
    ("off", [["-e", "0"]], [["-e", "1"]]),
    // With one process held up and the others not, a backlog of one record is exceeded.
    ("overrun", [["-b", "1"]], [["-b", "16384"]]),
  ]

  private struct Coverage: Decodable {
    var witness_gaps: [Answer.Gap]
  }

  private func gaps(_ service: Service, since time: Int64) throws -> [Answer.Gap] {
    let (status, output) = try service.alibi(["coverage", "--json", "--from", Wall.text(time)])
    guard status == 0 else { throw Trouble("no coverage: \(String(decoding: output, as: UTF8.self))") }
    return try JSONDecoder().decode(Coverage.self, from: Data(output)).witness_gaps
  }
}
