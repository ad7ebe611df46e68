internal import Decode
internal import Journal
internal import LinuxKernel

/// A look at every process in /proc, for those whose birth nobody saw.
enum ProcessScan {
  /// Every process there is, this one too. A process that ends during the look is left out.
  static func all() throws(Errno) -> [ObservedProcess] {
    var found: [ObservedProcess] = []
    for pid in try Procfs.pids() {
      guard let text = try? Procfs.file(pid, "stat"), let stat = ProcessStat(text) else { continue }
      // No executable: a kernel thread, or a process that is ending.
      let executable = (try? Procfs.link(pid, "exe")) ?? []
      found.append(
        ObservedProcess(
          // A leader that has exited is counted until it is reaped; without other threads the process is dead.
          pid: pid, parent: stat.parent, threads: stat.isDead ? stat.threads - 1 : stat.threads,
          startedAt: start(stat), executable: executable,
          script: executable.isEmpty ? [] : script(of: pid), time: Clock.monotonic.now,
          privilege: ProcessRights.of(pid)))
    }
    return found
  }

  /// CLOCK_MONOTONIC when a process began; nil where there is none.
  static func start(of pid: Int32) -> UInt64? {
    (try? Procfs.file(pid, "stat")).flatMap { ProcessStat($0) }.map(start)
  }

  /// Start ticks are told in CLOCK_BOOTTIME.
  private static func start(_ stat: ProcessStat) -> UInt64 {
    // In this order: the difference is never less than it is.
    let monotonic = Clock.monotonic.now
    let sleep = Clock.boot.now &- monotonic
    let started = stat.startTicks &* (1_000_000_000 / Procfs.ticksPerSecond)
    return started > sleep ? started - sleep : 0
  }

  /// The first argument of a command line, where it is an absolute path: what an interpreter runs.
  private static func script(of pid: Int32) -> [UInt8] {
    guard let line = try? Procfs.file(pid, "cmdline", limit: 8192) else { return [] }
    let arguments = line.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
    guard arguments.count > 1, arguments[1].first == UInt8(ascii: "/") else { return [] }
    // Through symbolic links, as /usr/local/bin/claude is one.
    let script = Array(arguments[1])
    guard let file = try? OwnedDescriptor.open(bytes: script, .pathOnly), let real = try? path(of: file) else {
      return script
    }
    return real
  }
}
