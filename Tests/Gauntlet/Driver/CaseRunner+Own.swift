import Foundation
import Glibc

extension CaseRunner {
  /// The cases that are more than a program.
  func runOwn(_ each: NamedCase) throws -> (String, Bool) {
    switch each.name {
    case "A5b": try heldMapping(each)
    case "A8b": try btrfsSnapshot(each)
    case "A10.gone": try mountGone(each, of: Self.bind)
    case "A10.layers": try mountGone(each, of: Self.overlay)
    case "A10.others": try mountsElsewhere(each)
    case "A12": try mountedLater(each)
    case "A12.loop": try loopImage(each, raw: false)
    case "A12b": try servedFiles(each)
    case "A13": try loopImage(each, raw: true)
    case "B8.late": try joinedLate(each)
    case "C1": try killedRecorder(each)
    case "C2": try killedService(each)
    case "C2.open": try killedBeforeWritten(each)
    case "C3": try overflow(each)
    case "C3.renames": try renamedDirectories(each)
    case "C3c": try backlog(each)
    case "C3d": try idleLoss(each)
    case "C4": try alteredAudit(each)
    case "C5": try mountedAgain(each)
    case "C6": try fullDisk(each)
    case "C7": try clockSet(each)
    case "C8": try powerCut(each)
    case "C9": try edited(each)
    case "C10": try noRights(each)
    case "B9.adopted": try adopted(each)
    case "C12": try becameRoot(each)
    case "C12.file": try becameRoot(each, by: "cap_dac_override=ep")
    case "C14": try cutOff(each)
    default: throw Trouble("no such case of its own: \(each.name)")
    }
  }

  func reading(_ each: NamedCase, _ program: String, _ asks: [String] = ["$1"]) -> NamedCase {
    var changed = each
    changed.agent = program
    changed.asks = asks
    return changed
  }

  func words(_ answer: Answer) -> String {
    answer.verdict + (answer.verdict == "not-proven" ? " (\(answer.reasons.joined(separator: "; ")))" : "")
  }

  /// A service of the case's own, gone when `body` is over.
  func withService<Result>(
    _ name: String, capture: String = "{}", _ body: (Service) throws -> Result
  ) throws -> Result {
    let own = "\(place)/own-\(name)"
    try Disk.makeDirectory(Path(own))
    let service = try Service(installation, at: own, capture: capture)
    defer {
      service.stop()
      try? Disk.remove(own)
    }
    return try body(service)
  }

  private func heldMapping(_ each: NamedCase) throws -> (String, Bool) {
    let service = try service()
    var scene = try prepare(each)
    defer { clean(scene) }
    try play(each, &scene)
    guard let deed = scene.reports[1], deed.result == 0 else { return ("not done", false) }
    try service.barrier()
    let inside = Span(from: deed.span.from + 150_000_000, to: deed.span.to - 150_000_000)
    let answer = try ask(service, scene.names["1"] ?? [], inside)
    return (words(answer), answer.verdict != "not-accessed")
  }

  private func mountedLater(_ each: NamedCase) throws -> (String, Bool) {
    let service = try service()
    var scene = try prepare(each)
    defer { clean(scene) }
    let point = String(decoding: scene.names["M"] ?? [], as: UTF8.self)
    try Disk.mount("tmpfs", "tmpfs", on: point)
    defer { Disk.unmount(point) }
    try Disk.write(Path(point + "/new"), Path("new\n"), mode: 0o644)
    try play(reading(each, "do 1 read $M/new ;", ["$M/new"]), &scene)
    try service.barrier()
    let answer = try ask(service, scene.asks[0], scene.span)
    return (words(answer), answer.verdict != "not-accessed")
  }

  /// A file on a loop device: by its name, or by reading the device.
  private func loopImage(_ each: NamedCase, raw: Bool) throws -> (String, Bool) {
    let service = try service()
    var scene = try prepare(each)
    defer { clean(scene) }
    let point = String(decoding: scene.names["M"] ?? [], as: UTF8.self), image = point + ".image"
    let script = """
      truncate -s 8M \(image) && mkfs.ext4 -q \(image) && mount -o loop \(image) \(point) && echo new > \(point)/new \
      && sync -f \(point) && losetup -n -O NAME -j \(image)
      """
    let (status, output) = try Child.run("/bin/sh", ["-c", script])
    defer { Disk.unmount(point) }
    guard status == 0, let device = String(decoding: output, as: UTF8.self).split(separator: "\n").last else {
      return ("not done: no loop device", false)
    }
    // Until it is watched: what comes before is a gap, and says nothing of the device.
    Wall.sleep(milliseconds: 800)
    let program = raw ? "do 1 read \(device) ;" : "do 1 read $M/new ;"
    try play(reading(each, "at 300 " + program, ["$M/new"]), &scene)
    guard scene.reports[1]?.result == 0 else { return ("not done: errno \(scene.reports[1]?.result ?? -1)", false) }
    try service.barrier()
    let answer = try ask(service, scene.asks[0], scene.span)
    let isTold = !raw || answer.hazards.contains { $0.kind == "raw-device" }
    return (words(answer), answer.verdict != "not-accessed" && isTold)
  }

  private func joinedLate(_ each: NamedCase) throws -> (String, Bool) {
    var scene = try prepare(each)
    defer { clean(scene) }
    var service: Service?
    let own = place + "/own-late"
    try Disk.makeDirectory(Path(own))
    defer {
      service?.stop()
      try? Disk.remove(own)
    }
    try play(reading(each, "at 3500 do 1 read $1 ; at 3800"), &scene) { milliseconds in
      if service == nil, milliseconds > 300 { service = try Service(installation, at: own) }
    }
    guard let service, let deed = scene.reports[1] else { return ("not done", false) }
    try service.barrier()
    let answer = try ask(service, scene.asks[0], Span(from: deed.span.from - 700_000_000, to: scene.span.to))
    return (words(answer), answer.verdict == "accessed")
  }

  /// The recorder of a guardian, again and again, fifty times where the machine is quick enough: nothing lost, no gap.
  private func killedRecorder(_ each: NamedCase) throws -> (String, Bool) {
    try withService("recorder") { service in
      var scene = try prepare(each)
      defer { clean(scene) }
      var kills = 0
      let program = (0..<9).map { "at \(1500 * $0) daemon { do \($0 + 1) read $\($0 + 1) ; }" }.joined(separator: " ")
      try play(reading(each, program + " noise 500 ;", (1...9).map { "$\($0)" }), &scene) { milliseconds in
        guard milliseconds > 60 * kills, kills < 50, let recorder = try service.recorder() else { return }
        kill(recorder, SIGKILL)
        kills += 1
      }
      try service.barrier()
      let answers = try scene.asks.map { try ask(service, $0, scene.span) }
      let isRight = answers.allSatisfy { $0.verdict == "accessed" && $0.gaps.isEmpty }
      return ("\(kills) kills; " + Set(answers.map(words)).sorted().joined(separator: "; "), isRight && kills > 15)
    }
  }

  /// A queue of a few events, and somebody who opens thousands of files.
  private func overflow(_ each: NamedCase) throws -> (String, Bool) {
    try withService("overflow", capture: "{queue-length: 64}") { service in
      var scene = try prepare(each)
      defer { clean(scene) }
      let many = place + "/many"
      try Disk.makeDirectory(Path(many))
      defer { try? Disk.remove(many) }
      let files = (0..<500).map { "\(many)/\($0)" }
      for file in files { try Disk.write(Path(file), [0x41], mode: 0o644) }
      try play(reading(each, "do 1 read $1 ; at 600", ["$1"]), &scene) { _ in
        _ = try Child.run("/bin/cat", files)
      }
      try service.barrier()
      let answer = try ask(service, scene.asks[0], scene.span)
      let hasGap = answer.gaps.contains { $0.source == "fanotify" && $0.reason == "queue overflow" }
      return (words(answer), answer.verdict != "not-accessed" && hasGap)
    }
  }

  /// What any user may do, and what may cost the service some time, but not minutes.
  private func renamedDirectories(_ each: NamedCase) throws -> (String, Bool) {
    try withService("renames") { service in
      let scene = try prepare(each)
      defer { clean(scene) }
      let top = String(decoding: scene.names["M"] ?? [], as: UTF8.self)
      for index in 0..<2500 { try Disk.makeDirectory(Path("\(top)/a\(index)")) }
      try service.barrier()
      let from = Wall.monotonic
      for index in 0..<2500 { _ = unsafe rename("\(top)/a\(index)", "\(top)/b\(index)") }
      for index in 0..<2500 { _ = unsafe rename("\(top)/b\(index)", "\(top)/a\(index)") }
      let status = try service.alibi(["accesses", "--limit", "1"]).status
      return ("exit \(status) after \((Wall.monotonic - from) / 1_000_000) ms", status == 0)
    }
  }

  private func killedService(_ each: NamedCase) throws -> (String, Bool) {
    try withService("killed") { service in
      var scene = try prepare(each)
      defer { clean(scene) }
      var done = 0
      let program = "do 1 read $1 ; at 900 do 2 read $2 ; later { at 4500 do 3 read $3 ; } at 4000"
      try play(reading(each, program, ["$1", "$2", "$3", "$4"]), &scene) { milliseconds in
        if done == 0, milliseconds > 700 {
          done = 1
          try service.killAndRestart(after: 600)
        }
      }
      try service.barrier()
      let answers = try scene.asks.map { try ask(service, $0, scene.span) }
      // The first was committed or falls into the gap; the second nobody saw; the third is the surviving daemon's.
      let isRight =
        answers[0].verdict != "not-accessed" && answers[1].verdict == "not-proven"
        && answers[2].verdict == "accessed" && answers[3].verdict == "not-proven" && !answers[3].gaps.isEmpty
      return (answers.map(words).joined(separator: " | "), isRight)
    }
  }

  /// An access that no close ends, and a kill before it is written: what is vouched for must not reach past it.
  /// What waits is written within a second, and coverage is committed before that: the kill must come between the two,
  /// so it is tried at several moments.
  private func killedBeforeWritten(_ each: NamedCase) throws -> (String, Bool) {
    var last = ("", true)
    for moment in [1250, 1100, 950, 800, 1250, 1100] where last.1 { last = try killedBeforeWritten(each, at: moment) }
    return last
  }

  private func killedBeforeWritten(_ each: NamedCase, at moment: Int) throws -> (String, Bool) {
    try withService("open") { service in
      var scene = try prepare(each)
      defer { clean(scene) }
      var isDone = false
      let program = "at 300 do 1 utimes $1 ; do 2 truncate $2 ; do 3 setxattr $3 ; at 2500"
      try play(reading(each, program, ["$1", "$2", "$3"]), &scene) { milliseconds in
        guard !isDone, milliseconds > moment else { return }
        isDone = true
        try service.killAndRestart(after: 50)
      }
      try service.barrier()
      guard let first = scene.reports[1], let last = scene.reports[3] else { return ("not done", false) }
      let around = Span(from: first.span.from - 100_000_000, to: last.span.to + 100_000_000)
      let answers = try scene.asks.map { try ask(service, $0, around) }
      return (
        Set(answers.map(words)).sorted().joined(separator: "; "), answers.allSatisfy { $0.verdict != "not-accessed" }
      )
    }
  }

  /// The service is stopped while the access is made: it reads it seconds later.
  private func backlog(_ each: NamedCase) throws -> (String, Bool) {
    try withService("backlog") { service in
      var scene = try prepare(each)
      defer { clean(scene) }
      var state = 0
      guard let recorder = try service.recorder() else { return ("no recorder to stop", false) }
      try play(reading(each, "at 400 do 1 read $1 ; at 1800"), &scene) { milliseconds in
        if state == 0, milliseconds > 200 {
          state = 1
          kill(recorder, SIGSTOP)
        } else if state == 1, milliseconds > 1500 {
          state = 2
          kill(recorder, SIGCONT)
        }
      }
      if state == 1 { kill(recorder, SIGCONT) }
      try service.barrier()
      guard let deed = scene.reports[1] else { return ("not done", false) }
      let whole = try ask(service, scene.asks[0], scene.span)
      let before = try ask(service, scene.asks[0], Span(from: scene.span.from, to: deed.span.to + 1_000_000))
      let after = try ask(service, scene.asks[0], Span(from: deed.span.to + 300_000_000, to: scene.span.to))
      let isRight =
        whole.verdict == "accessed" && before.verdict == "not-proven" && after.verdict == "not-proven"
        && after.possible?.isEmpty == false
      return ([whole, before, after].map(words).joined(separator: " | "), isRight)
    }
  }

  private func mountedAgain(_ each: NamedCase) throws -> (String, Bool) {
    let service = try service()
    var scene = try prepare(each)
    defer { clean(scene) }
    let point = String(decoding: scene.names["M"] ?? [], as: UTF8.self)
    try Disk.mount("tmpfs", "tmpfs", on: point)
    defer { Disk.unmount(point) }
    Wall.sleep(milliseconds: 500)
    var answers: [Answer] = []
    for index in 1...5 {
      Disk.unmount(point)
      try Disk.mount("tmpfs", "tmpfs", on: point)
      try Disk.write(Path(point + "/new"), Path("new\n"), mode: 0o644)
      try play(reading(each, "do \(index) read $M/new ;", ["$M/new"]), &scene)
      try service.barrier()
      answers.append(try ask(service, scene.asks[0], scene.span))
    }
    return (
      Set(answers.map(words)).sorted().joined(separator: "; "), answers.allSatisfy { $0.verdict != "not-accessed" }
    )
  }

  private func fullDisk(_ each: NamedCase) throws -> (String, Bool) {
    let own = place + "/own-full"
    try Disk.makeDirectory(Path(own))
    try Disk.mount("tmpfs", "tmpfs", on: own, options: "size=8m")
    defer {
      Disk.unmount(own)
      try? Disk.remove(own)
    }
    let service = try Service(installation, at: own)
    defer { service.stop() }
    var scene = try prepare(each)
    defer { clean(scene) }
    _ = try Child.run("/bin/sh", ["-c", "cat /dev/zero > \(own)/filler 2>/dev/null"])
    try play(reading(each, "do 1 read $1 ; noise 300 ;"), &scene)
    let question = Question(target: .file(scene.asks[0]), span: scene.span, purpose: .whole, scenes: [])
    let meanwhile = try service.alibi(question.arguments).status
    try Disk.remove(own + "/filler")
    Wall.sleep(milliseconds: 1500)
    try service.barrier()
    let answer = try ask(service, scene.asks[0], scene.span)
    return ("meanwhile exit \(meanwhile), then \(words(answer))", meanwhile != 0 && answer.verdict == "accessed")
  }

  private func noRights(_ each: NamedCase) throws -> (String, Bool) {
    let service = try service()
    let (status, output) = try Child.run(
      "/usr/bin/setpriv",
      [
        "--reuid", "65534", "--regid", "65534", "--clear-groups", "--", installation.programs + "/alibi", "prove",
        "/etc/hostname",
        "--from", "-1s", "--state", service.state,
      ])
    let text = String(decoding: output, as: UTF8.self)
    return ("exit \(status): \(text.prefix { $0 != "\n" })", status == 77 && text.contains("alibi: hint: "))
  }

  /// An ordinary user's agent, by a set-user-ID program: before, after, and accepted. In a service of its own, for other
  /// agents are root from their beginning.
  /// - Parameter capabilities: what the program's file gives; nil for one with a set-user-id bit.
  private func becameRoot(_ each: NamedCase, by capabilities: String? = nil) throws -> (String, Bool) {
    try withService("root") { service in
      var scene = try prepare(each)
      defer { clean(scene) }
      if let capabilities {
        let program = String(decoding: scene.names["C"] ?? [], as: UTF8.self)
        guard try Child.run("/usr/bin/env", ["setcap", capabilities, program]).status == 0 else {
          return ("not done: no setcap", false)
        }
      }
      try play(each, &scene)
      try service.barrier()
      guard let first = scene.reports[1], let last = scene.reports[2], first.result == 0, last.result == 0 else {
        return ("not done: \(scene.stage.complaints)", false)
      }
      let span = Span(from: first.span.from - 20_000_000, to: first.span.to + 300_000_000)
      let before = try ask(service, scene.asks[0], span, accepting: [])
      let after = try ask(service, scene.asks[0], Span(from: last.span.from, to: scene.span.to), accepting: [])
      let whole = try ask(service, scene.asks[0], scene.span, accepting: [])
      let accepted = try ask(service, scene.asks[0], scene.span, accepting: ["privilege"])
      let isRight =
        before.verdict == "not-accessed" && accepted.verdict == "not-accessed"
        && [after, whole].allSatisfy { $0.verdict == "not-proven" && $0.reasons == ["hazard privilege"] }
      let others = isRight ? "" : "; " + Set(before.hazards.map(\.detail)).sorted().joined(separator: "; ")
      return ([before, after, whole, accepted].map(words).joined(separator: " | ") + others, isRight)
    }
  }

  private func cutOff(_ each: NamedCase) throws -> (String, Bool) {
    let service = try service()
    let words = "'\(installation.programs)/alibi' prove /etc/hostname --from -1s --state '\(service.state)'"
    let full = try Child.run("/bin/sh", ["-c", words + " > /dev/full"]).status
    let closed = try Child.run("/bin/bash", ["-c", "set -o pipefail; (sleep 0.3; \(words); echo $? >&2) | true"])
    let status = Int32(String(decoding: closed.output, as: UTF8.self).split(separator: "\n").last ?? "") ?? -1
    return ("full disk: exit \(full); closed pipe: exit \(status)", full == 74 && status == 74)
  }
}
