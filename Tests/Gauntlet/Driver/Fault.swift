import Foundation
import Glibc

/// Something that goes wrong while actors are at work.
enum Fault: String, CaseIterable {
  /// The service is killed, and started again.
  case kill
  /// Its recorder is killed, again and again; the guardian starts another.
  case killRecorder
  /// It executes itself anew, as for an upgrade.
  case upgrade
  /// It is stopped in an orderly way, and started again.
  case restart
  /// It does not run for most of a second, and then has everything to read.
  case backlog
  /// A user switches the process connector off and on.
  case silence
  /// File systems come and go.
  case mounts
  /// Somebody opens files as fast as they can.
  case flood

  /// Does it. What makes NOT PROVEN legitimate is noted with the service.
  func strike(_ service: Service, _ stage: Stage, at place: String) throws {
    switch self {
    case .kill: try service.trouble { try service.killAndRestart(after: 150) }
    case .restart:
      try service.trouble {
        service.stop()
        try service.start()
      }
    case .killRecorder:
      for _ in 0..<5 {
        if let recorder = try service.recorder() { Glibc.kill(recorder, SIGKILL) }
        Wall.sleep(milliseconds: 60)
      }
      try service.awaitRecorder()
    case .upgrade:
      Glibc.kill(service.pid, SIGHUP)
      Wall.sleep(milliseconds: 100)
      try service.awaitRecorder()
    case .backlog:
      guard let recorder = try service.recorder() else { throw Trouble("no recorder to stop") }
      service.trouble {
        Glibc.kill(recorder, SIGSTOP)
        Wall.sleep(milliseconds: 700)
        Glibc.kill(recorder, SIGCONT)
      }
    case .silence: try play("nobody { do 1 silence ; }", stage)
    case .mounts:
      let point = place + "/churn"
      try Disk.makeDirectory(Path(point))
      for _ in 0..<20 {
        try Disk.mount("tmpfs", "tmpfs", on: point)
        Wall.sleep(milliseconds: 10)
        Disk.unmount(point)
      }
    case .flood:
      let file = place + "/flooded"
      try Disk.write(Path(file), [0x41], mode: 0o644)
      let deed = "do 1 open \(file) ;"
      try play(Array(repeating: deed, count: 1500).joined(separator: " "), stage)
    }
  }

  /// Whether what it does to the service costs coverage.
  var costsCoverage: Bool { [.kill, .restart, .backlog].contains(self) }

  private func play(_ program: String, _ stage: Stage) throws {
    // Nobody listens to its reports.
    let nowhere = unsafe open("/dev/null", O_WRONLY | O_CLOEXEC)
    defer { close(nowhere) }
    let child = try Child(stage.worker, ["--report", "60", "--", program], descriptors: [60: nowhere])
    child.wait()
  }
}
