import Foundation
import LinuxKernel
import TestSupport
import Testing

/// Debian's audit daemon with a configuration, a log and a /run of its own.
final class OutsideAuditDaemon {
  private let directory: ScratchDirectory
  private let process: Subprocess
  var pid: Int32 { process.pid }

  /// Not among what tests install: it would start, and take the place that other tests need.
  static let isInstalled = FileManager.default.isExecutableFile(atPath: "/usr/sbin/auditd")
  static let hasLaurel = isInstalled && FileManager.default.isExecutableFile(atPath: "/usr/sbin/laurel")

  /// - Parameter withLaurel: whether laurel is its plug-in.
  init(withLaurel: Bool = false) throws {
    directory = try ScratchDirectory(in: "/tmp", owner: 0)
    try Self.configure(directory)
    if withLaurel {
      try directory.write(
        "laurel.toml", "directory = \"\(directory("laurel"))\"\n[auditlog]\nfile = \"audit.log\"\n", mode: 0o640)
      try directory.write(
        "plugins/laurel.conf",
        """
        active = yes
        direction = out
        type = always
        format = string
        path = /usr/sbin/laurel
        args = --config \(directory("laurel.toml"))

        """, mode: 0o640)
    }
    process = try Self.start(directory)
    let pid = process.pid
    try eventually("the audit daemon has its place") { try AuditControl().status().pid == pid }
  }

  private static func configure(_ directory: ScratchDirectory) throws {
    for name in ["run", "plugins", "laurel"] { try directory.makeDirectory(name) }
    try directory.write(
      "auditd.conf",
      """
      log_file = \(directory("audit.log"))
      log_format = RAW
      flush = NONE
      freq = 0
      priority_boost = 0
      name_format = NONE
      max_log_file = 100
      max_log_file_action = IGNORE
      space_left = 2
      space_left_action = IGNORE
      admin_space_left = 1
      admin_space_left_action = IGNORE
      disk_full_action = IGNORE
      disk_error_action = IGNORE
      q_depth = 20000
      overflow_action = IGNORE
      plugin_dir = \(directory("plugins"))

      """, mode: 0o640)
  }

  private static func start(_ directory: ScratchDirectory) throws -> Subprocess {
    let start = "mount --bind \(directory("run")) /run && exec /usr/sbin/auditd -n -s enable -c \(directory.path)"
    return try Subprocess("/usr/bin/unshare", ["--mount", "--propagation", "private", "/bin/sh", "-c", start])
  }

  /// Whether one that starts now ends at once, because somebody has its place.
  static func isRefused() throws -> Bool {
    let directory = try ScratchDirectory(in: "/tmp", owner: 0)
    try configure(directory)
    return try start(directory).finish().status != 0
  }

  /// Ends it. Audit stays as it has switched it: on.
  func stop() throws {
    process.signal(SIGTERM)
    _ = try process.finish()
  }

  private func read(_ name: String) -> String { (try? String(contentsOfFile: directory(name), encoding: .utf8)) ?? "" }

  /// What it has written, one record a line.
  var log: String { read("audit.log") }

  /// What its plug-in has written, one event a line.
  var plugInLog: String { read("laurel/audit.log") }
}

/// Another fanotify listener, on the whole file system of a directory.
final class OutsideListener {
  private let place: ScratchDirectory
  private let process: Subprocess

  init(_ directory: String) throws {
    place = try ScratchDirectory(in: "/tmp")
    let command = "exec \(Place.actor) listen \(directory) > \(place("events"))"
    process = try Subprocess("/bin/sh", ["-c", command])
    try eventually("the listener listens") { lines.first == "listening" }
  }

  private var lines: [Substring] {
    ((try? String(contentsOfFile: place("events"), encoding: .utf8)) ?? "").split(separator: "\n")
  }

  /// What it was told of files, by name: the bits of all events.
  func masks() -> [String: UInt64] {
    lines.dropFirst().reduce(into: [:]) { masks, line in
      let words = line.split(separator: " ", maxSplits: 2)
      if words.count == 3 { masks[String(words[2]), default: 0] |= UInt64(words[0], radix: 16) ?? 0 }
    }
  }

  var isRunning: Bool { !process.hasEnded() }
}
