import Foundation

/// What is mounted when a file is read, and not any more when somebody asks.
extension CaseRunner {
  /// Has `$D` at `$M`.
  static let bind = "mount --bind \"$1/d\" \"$1/m\""
  /// Has `$D` as the lower layer of what is at `$M`.
  static let overlay =
    "mkdir \"$1/u\" \"$1/w\" && mount -t overlay -o \"lowerdir=$1/d,upperdir=$1/u,workdir=$1/w\" overlay \"$1/m\""

  private func mount(_ script: String, in top: String) throws {
    let (status, output) = try Child.run("/bin/sh", ["-c", script, "sh", top])
    guard status == 0 else { throw Trouble("not mounted: \(String(decoding: output, as: UTF8.self))") }
  }

  /// A file system in user space: whoever serves it opens the file for the session.
  func servedFiles(_ each: NamedCase) throws -> (String, Bool) {
    let service = try service()
    var scene = try prepare(each)
    defer { clean(scene) }
    let top = String(decoding: scene.names["M"]?.parent ?? [], as: UTF8.self), point = top + "/m"
    try mount("bindfs \"$1/d\" \"$1/m\"", in: top)
    defer { Disk.unmount(point) }
    try play(reading(each, "at 800 do 1 read $M/in ;", ["$D/in", "$M/in"]), &scene)
    guard scene.reports[1]?.result == 0 else { return ("not done: errno \(scene.reports[1]?.result ?? -1)", false) }
    try service.barrier()
    let answers = try scene.asks.map { try ask(service, $0, scene.span) }
    return (
      answers.map(words).joined(separator: "; "),
      answers[0].hazards.contains { $0.kind == "contacted" } && answers.allSatisfy { $0.verdict != "not-accessed" }
    )
  }

  func mountGone(_ each: NamedCase, of script: String) throws -> (String, Bool) {
    let service = try service()
    var scene = try prepare(each)
    defer { clean(scene) }
    let top = String(decoding: scene.names["M"]?.parent ?? [], as: UTF8.self), point = top + "/m"
    try mount(script, in: top)
    defer { Disk.unmount(point) }
    try play(reading(each, "do 1 read $M/in ;", ["$M/in"]), &scene)
    Disk.unmount(point)
    guard scene.reports[1]?.result == 0 else { return ("not done: errno \(scene.reports[1]?.result ?? -1)", false) }
    try service.barrier()
    let answer = try ask(service, scene.asks[0], scene.span)
    return (words(answer), answer.verdict == "accessed")
  }

  /// A bind mount, an overlay and a file system of their own come and go while a session reads something else.
  func mountsElsewhere(_ each: NamedCase) throws -> (String, Bool) {
    let service = try service()
    var scene = try prepare(each)
    defer { clean(scene) }
    let top = String(decoding: scene.names["M"]?.parent ?? [], as: UTF8.self), point = top + "/m"
    var next = 0
    let scripts = [Self.bind, Self.overlay, "mount -t tmpfs tmpfs \"$1/m\""]
    try play(reading(each, "do 1 read $1 ; at 900 do 2 bind-linger $1 $M ;", ["$2", "$D/in"]), &scene) { milliseconds in
      guard next < 2 * scripts.count, milliseconds > 100 * (next + 1) else { return }
      if next.isMultiple(of: 2) { try mount(scripts[next / 2], in: top) } else { Disk.unmount(point) }
      next += 1
    }
    if !next.isMultiple(of: 2) { Disk.unmount(point) }
    guard scene.reports.values.allSatisfy({ $0.result == 0 }), next == 2 * scripts.count else {
      return ("not done: \(scene.reports.mapValues(\.result))", false)
    }
    try service.barrier()
    let answers = try scene.asks.map { try ask(service, $0, scene.span) }
    return (
      Set(answers.map(words)).sorted().joined(separator: "; "), answers.allSatisfy { $0.verdict == "not-accessed" }
    )
  }
}
