import Foundation
import Glibc

// Cases about what is kept: the power fails, somebody edits it.
extension CaseRunner {
  /// The power is cut at several moments of a run: nothing that was not on the disk is there afterwards.
  func powerCut(_ each: NamedCase) throws -> (String, Bool) {
    var last = ("", true)
    for moment in [950, 1300, 1800] where last.1 { last = try powerCut(each, at: moment) }
    return last
  }

  /// The evidence is on a file system of its own, which is shut down as by a power cut: what its journal has not
  /// written is lost (EXT4_IOC_SHUTDOWN without a flush).
  private func powerCut(_ each: NamedCase, at moment: Int) throws -> (String, Bool) {
    let own = place + "/own-power", image = own + "/image", state = own + "/state"
    try Disk.makeDirectories(Path(state))
    let (status, output) = try Child.run(
      "/bin/sh", ["-c", "truncate -s 192M \(image) && mkfs.ext4 -q \(image) && mount -o loop \(image) \(state)"])
    guard status == 0 else { return ("not done: \(String(decoding: output, as: UTF8.self))", false) }
    defer {
      Disk.unmount(state)
      try? Disk.remove(own)
    }
    let service = try Service(installation, at: own)
    defer { service.stop() }
    var scene = try prepare(each)
    defer { clean(scene) }
    var committed: Bool?
    let program = "do 1 read $1 ; at 800 noise 200 ; do 2 read $2 ; noise 200 ; at 2600"
    try play(reading(each, program, ["$1", "$2", "$4"]), &scene) { milliseconds in
      if committed == nil, milliseconds > 500 {
        try service.barrier()
        committed = true
      }
      guard committed == true, milliseconds > moment else { return }
      committed = false
      try service.cutPower {
        try Self.shutDown(state)
        // What was open has to be gone before the file system can be used again.
        guard try Child.run("/bin/umount", [state]).status == 0 else { throw Trouble("\(state) is still in use") }
        guard try Child.run("/bin/mount", ["-o", "loop", image, state]).status == 0 else {
          throw Trouble("\(image) cannot be mounted again")
        }
      }
    }
    try service.barrier()
    var answers = try scene.asks.map { try ask(service, $0, scene.span) }
    let (whole, flaws) = try service.alibi(["verify", "--full"])
    // And it goes on.
    try play(reading(each, "do 3 read $3 ;", ["$3"]), &scene)
    try service.barrier()
    answers.append(try ask(service, scene.asks[0], scene.span))
    let isRight =
      committed == false && whole == 0 && answers[0].verdict == "accessed" && answers[1].verdict != "not-accessed"
      && answers[2].verdict == "not-proven" && !answers[2].gaps.isEmpty && answers[3].verdict == "accessed"
    let words = answers.map(words).joined(separator: " | ")
    return ("\(words), store \(whole == 0 ? "sound" : String(decoding: flaws, as: UTF8.self))", isRight)
  }

  private static func shutDown(_ point: String) throws {
    let file = unsafe open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    defer { close(file) }
    // EXT4_IOC_SHUTDOWN, _IOR('X', 125, __u32), with EXT4_GOING_FLAGS_NOLOGFLUSH.
    var flags: UInt32 = 2
    guard unsafe ioctl(file, 0x8004_587D, &flags) == 0 else { throw Trouble("no power cut: errno \(errno)") }
  }

  private static let edits = [
    ("edited", "UPDATE files SET path = x'2f78' WHERE id = (SELECT file FROM accesses ORDER BY id DESC LIMIT 1)"),
    ("deleted", "DELETE FROM accesses WHERE id = (SELECT max(last_event) FROM log_seals)"),
    (
      "inserted",
      "INSERT INTO accesses (file, t0, t1, operations, result, count, attribution) "
        + "SELECT file, t0, t1, operations, result, count, attribution FROM accesses ORDER BY id LIMIT 1"
    ),
    (
      "log cut",
      "DELETE FROM log_records WHERE id = (SELECT max(id) FROM log_records); "
        + "DELETE FROM log_hashes WHERE id = (SELECT max(id) FROM log_hashes)"
    ),
  ]

  /// The records of a session are edited when the service is stopped; so is the file that holds them.
  func edited(_ each: NamedCase) throws -> (String, Bool) {
    try withService("edited") { service in
      var scene = try prepare(each)
      defer { clean(scene) }
      let state = service.state, copy = state + "-copy", older = state + "-older", kept = state + "-head"
      service.stop()
      try Child.run("/bin/cp", ["-a", state, older])
      try service.start()
      try play(reading(each, "do 1 read $1 ;"), &scene)
      try service.barrier()
      service.stop()
      let (_, shown) = try service.alibi(["key", "show"]), (_, head) = try service.alibi(["key", "head"])
      // What somebody outside keeps.
      try Disk.write(Path(kept), head, mode: 0o644)
      let key = String(decoding: shown, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
      func verify(_ state: String) throws -> Int32 {
        try Child.run(
          installation.programs + "/alibi",
          ["verify", "--full", "--key", key, "--checkpoint", kept, "--state", state]
        ).status
      }
      var found = [("untouched", try verify(state), Int32(0)), ("an older copy", try verify(older), 1)]
      for (name, statement) in Self.edits {
        try Disk.remove(copy)
        try Child.run("/bin/cp", ["-a", state, copy])
        let script = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.close()"
        let outcome = try Child.run("/usr/bin/python3", ["-c", script, copy + "/alibi.sqlite", statement])
        guard outcome.status == 0 else { return ("not done: \(name)", false) }
        found.append((name, try verify(copy), 1))
      }
      try Child.run("/bin/sh", ["-c", "truncate -s -8192 \(copy)/alibi.sqlite"])
      found.append(("file cut", try verify(copy), 65))
      return (
        found.map { "\($0.0): exit \($0.1)" }.joined(separator: ", "), found.allSatisfy { $0.1 == $0.2 }
      )
    }
  }
}
