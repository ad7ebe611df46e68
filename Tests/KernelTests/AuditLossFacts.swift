import CTestActions
import Decode
import LinuxKernel
import TestSupport
import Testing

extension KernelFacts {
  /// How audit's losses show, and audit beside an audit daemon.
  struct AuditLoss {
    let scratch: ScratchDirectory

    init() throws {
      scratch = try ScratchDirectory()
    }

    @Test("records above the backlog's limit are lost, and the kernel counts them")
    func backlog() async throws {
      let watch = try AuditWatch(.owner, receiveBuffer: 8192, ShippedRules.text("10-alibi-exec"))
      try watch.control.set(backlogLimit: 64)
      let before = try watch.control.status().lost
      for _ in 0..<100 { _ = try Subprocess.run("/bin/true") }
      let after = try watch.control.status()
      #expect(after.lost > before)
      try watch.control.set(backlogLimit: watch.state.made.backlogLimit)
      // What was not counted comes, each event whole or told to be otherwise.
      let events = try await watch.drain()
      #expect(!events.isEmpty)
    }

    @Test("the place is the socket's: records come to who holds it when the process that took it has ended")
    func outlived() async throws {
      let control = try AuditControl()
      try AuditWatch.claim(control)
      let before = try control.status()
      // A listener's socket as good as any: the child makes it the daemon's.
      var source: AuditSource? = try AuditSource(.listener, receiveBuffer: 1 << 20)
      let raw = source.map { $0.descriptor.raw } ?? -1
      let pid = try Child.run(.call, in: scratch, "audit-register", descriptor: raw)
      try control.set(isEnabled: true)
      defer { try? control.set(isEnabled: before.isEnabled) }
      #expect(try control.status().pid == pid && !Procfs.exists(pid))
      #expect(throws: Errno.accessDenied) { try source?.resign() }
      #expect(throws: Errno.fileExists) { try AuditSource(.owner, receiveBuffer: 0) }
      try control.tell("alibi-test outlived")
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      let told = try await eventually {
        let count = unsafe try buffer.withUnsafeMutableBytes { unsafe try source?.drain(into: $0).count ?? 0 }
        return String(decoding: buffer[..<count], as: UTF8.self).contains("outlived")
      }
      #expect(told)
      source = nil
      let next = try AuditSource(.owner, receiveBuffer: 0)
      #expect(try control.status().pid == Procfs.ownPid)
      try control.set(isEnabled: before.isEnabled)
      try next.resign()
      #expect(try control.status().pid == 0)
    }

    @Test("a reader that is slow for a moment loses nothing, though its socket has no room")
    func patience() async throws {
      let watch = try AuditWatch(.owner, receiveBuffer: 8192, ShippedRules.text("10-alibi-exec"))
      let before = try watch.control.status().lost
      let began = ContinuousClock.now
      for _ in 0..<30 { _ = try Subprocess.run("/bin/true") }
      // A tenth of a second without room, and the socket says ENOBUFS; half a second, twice, and the record is dropped.
      guard ContinuousClock.now - began < .milliseconds(500) else { try Test.cancel("this machine is too busy") }
      let events = try await watch.drain().filter { $0.isExecution(by: Procfs.ownPid) && $0.ending == .complete }
      #expect(events.count == 30)
      #expect(try watch.control.status().lost == before)
    }

    @Test("an owner that does not read for seconds loses records that the kernel does not count; its socket says so")
    func sleeper() async throws {
      let line = String(decoding: try Procfs.file("/proc/cmdline"), as: UTF8.self)
      guard !line.contains("audit=1") else { try Test.cancel("with audit=1 the kernel keeps them") }
      let watch = try AuditWatch(.owner, receiveBuffer: 8192, ShippedRules.text("10-alibi-exec"))
      let before = try watch.control.status().lost
      for _ in 0..<50 { _ = try Subprocess.run("/bin/true") }
      try await Task.sleep(for: .seconds(4))
      let events = try await watch.drain().filter { $0.isExecution(by: Procfs.ownPid) && $0.ending == .complete }
      #expect(events.count < 50)
      #expect(try watch.control.status().lost == before)
      #expect(watch.isLossy)
    }

    @Test(
      "a count of lost records that somebody resets is told of", .enabled(if: AuditDaemon.isInstalled, "needs auditctl")
    )
    func reset() async throws {
      let watch = try AuditWatch(.owner, receiveBuffer: 8192, ShippedRules.text("10-alibi-exec"))
      _ = try Subprocess.run("/usr/bin/env", ["auditctl", "--reset-lost"])
      let change = try await watch.drain().first { $0.change?.setting != nil }
      #expect(change?.change?.value == 0)
    }

    @Test(
      "beside an audit daemon every record is heard, its own messages excepted",
      .enabled(if: AuditDaemon.isInstalled, "needs auditd")
    )
    func listener() async throws {
      let daemon = try AuditDaemon()
      let watch = try AuditWatch(.listener, ShippedRules.text("10-alibi-exec"))
      #expect(try watch.control.status().pid == daemon.pid)
      #expect(throws: Errno.fileExists) { try AuditSource(.owner, receiveBuffer: 0) }
      for _ in 0..<20 { _ = try Subprocess.run("/bin/true") }
      let events = try await watch.drain()
      #expect(events.count { $0.isExecution(by: Procfs.ownPid) && $0.ending == .complete } == 20)
      let log = try await daemon.log(containing: "alibi-test \(Procfs.ownPid)")
      for event in events where event.types.contains("EXECVE") {
        #expect(log.contains(":\(event.stamp.serial)): argc="))
      }
      #expect(AuditHindrance.all().contains(.occupied(pid: daemon.pid)))
    }

    @Test(
      "a listener that does not read loses records that the kernel does not count",
      .enabled(if: AuditDaemon.isInstalled, "needs auditd"))
    func deaf() async throws {
      let daemon = try AuditDaemon()
      let watch = try AuditWatch(.listener, receiveBuffer: 8192, ShippedRules.text("10-alibi-exec"))
      let before = try watch.control.status().lost
      for _ in 0..<100 { _ = try Subprocess.run("/bin/true") }
      _ = try await eventually { try watch.control.status().backlog == 0 }
      var buffer = [UInt8](repeating: 0, count: AuditSource.longest)
      let first = unsafe try buffer.withUnsafeMutableBytes { unsafe try watch.source.receive(into: $0) }
      #expect(first == .lost)
      #expect(try watch.control.status().lost == before)
      _ = daemon
    }
  }
}

/// An audit daemon in the foreground, with files of its own.
final class AuditDaemon {
  private let directory: ScratchDirectory
  private let program: Subprocess
  private let control: AuditControl
  private let backlogLimit: UInt32
  var pid: Int32 { program.pid }

  /// Not among what tests install: it would start, and take the place that other tests need.
  static var isInstalled: Bool { (try? FileStatus(path: Array("/usr/sbin/auditd".utf8))) != nil }

  init() throws {
    control = try AuditControl()
    try AuditWatch.claim(control)
    backlogLimit = try control.status().backlogLimit
    directory = try ScratchDirectory()
    try directory.makeDirectory("plugins.d")
    let settings = """
      local_events = yes
      write_logs = yes
      log_file = \(directory.path)/audit.log
      log_group = root
      log_format = RAW
      flush = NONE
      max_log_file = 8
      max_log_file_action = IGNORE
      space_left = 2
      space_left_action = IGNORE
      admin_space_left = 1
      admin_space_left_action = IGNORE
      disk_full_action = SUSPEND
      disk_error_action = SUSPEND
      plugin_dir = \(directory.path)/plugins.d

      """
    try directory.write("auditd.conf", settings, mode: 0o640)
    program = try Subprocess("/usr/sbin/auditd", ["-n", "-s", "nochange", "-c", directory.path])
    for _ in 0..<500 {
      if try control.status().pid == program.pid {
        // As distributions' rules do; with the kernel's 64 processes would be held up.
        try control.set(backlogLimit: max(backlogLimit, 8192))
        return
      }
      sleepThread(nanoseconds: 10_000_000)
    }
    throw Errno.timedOut
  }

  deinit {
    try? control.set(backlogLimit: backlogLimit)
    program.signal(15)
    _ = try? program.finish()
  }

  /// Its log, as soon as that is in it.
  func log(containing text: String) async throws -> String {
    let found = try await eventually {
      let log = String(decoding: try Procfs.file("\(directory.path)/audit.log"), as: UTF8.self)
      return log.contains(text) ? log : nil
    }
    return try #require(found)
  }
}
