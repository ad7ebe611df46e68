internal import CLinux
internal import Glibc

/// Reads of /proc. What they tell was true at some moment of the call, and may no longer be.
public enum Procfs {
  /// The pids of all processes, in no order.
  public static func pids() throws(Errno) -> [Int32] {
    try names(in: "/proc").compactMap { Int32($0) }.filter { $0 > 0 }
  }

  private static func names(in path: String) throws(Errno) -> [String] {
    guard let directory = unsafe opendir(path) else { throw Errno(rawValue: cl_errno()) }
    defer { unsafe _ = closedir(directory) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
      names.append(
        unsafe withUnsafePointer(to: &entry.pointee.d_name) {
          unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
        })
    }
    return names
  }

  /// The numbers of a process's descriptors.
  public static func descriptors(_ pid: Int32) throws(Errno) -> [Int32] {
    try names(in: "/proc/\(pid)/fd").compactMap { Int32($0) }.sorted()
  }

  /// The names in a process's `map_files`: a link to a file for each of its mappings of one. As root.
  public static func mappings(_ pid: Int32) throws(Errno) -> [String] {
    try names(in: "/proc/\(pid)/map_files").sorted()
  }

  /// A file of a process's directory, at most `limit` bytes.
  public static func file(_ pid: Int32, _ name: String, limit: Int = 1 << 20) throws(Errno) -> [UInt8] {
    try OwnedDescriptor.open("/proc/\(pid)/\(name)", .readOnly).readAll(limit: limit)
  }

  /// A link of a process's directory: `exe`, `cwd`, `root`, `ns/mnt`, `fd/0`.
  public static func link(_ pid: Int32, _ name: String) throws(Errno) -> [UInt8] {
    try readLink("/proc/\(pid)/\(name)")
  }

  /// The file at `path`, at most `limit` bytes.
  public static func file(_ path: String, limit: Int = 1 << 20) throws(Errno) -> [UInt8] {
    try OwnedDescriptor.open(path, .readOnly).readAll(limit: limit)
  }

  /// An extended attribute of the file that a path leads to, at most 256 bytes (getxattr(2)).
  ///
  /// - Throws: ENODATA where it has none of that name, EOPNOTSUPP where its file system has none at all.
  public static func attribute(_ name: String, of path: [UInt8]) throws(Errno) -> [UInt8] {
    let terminated = (path + [0]).map { CChar(bitPattern: $0) }
    var value = [UInt8](repeating: 0, count: 256)
    let room = value.count
    let count = try call { unsafe getxattr(terminated, name, &value, room) }
    return Array(value.prefix(count))
  }

  /// Writes a setting, as under /proc/sys.
  public static func write(_ path: String, _ text: String) throws(Errno) {
    let file = try OwnedDescriptor.open(path, .writeOnly)
    var bytes = Array(text.utf8)
    let count = bytes.count
    let raw = file.raw
    _ = try call { unsafe Glibc.write(raw, &bytes, count) }
  }

  /// How many ticks of process start times a second has.
  public static var ticksPerSecond: UInt64 { UInt64(max(1, sysconf(Int32(_SC_CLK_TCK)))) }

  /// The CPUs that are online, by number.
  public static func onlineCPUs() throws(Errno) -> [Int32] {
    let text = String(decoding: try file("/sys/devices/system/cpu/online"), as: UTF8.self)
    var cpus: [Int32] = []
    for range in text.split(whereSeparator: { $0 == "," || $0 == "\n" }) {
      let ends = range.split(separator: "-").compactMap { Int32($0) }
      if let first = ends.first, let last = ends.last { cpus.append(contentsOf: first...last) }
    }
    return cpus
  }

  /// This process's id.
  public static var ownPid: Int32 { getpid() }

  /// The id of the process that started this one.
  public static var parentPid: Int32 { getppid() }

  /// Has the process that started this one look at something, SIGUSR1, if it is still that one.
  public static func nudge(parent: Int32) {
    if parent > 1, getppid() == parent { _ = kill(parent, SIGUSR1) }
  }

  /// Asks this process to end in order.
  public static func endThisProcess() { _ = kill(getpid(), SIGTERM) }

  /// From here on a peer that is gone is EPIPE, and no signal.
  public static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

  /// Whether a process of this id exists.
  public static func exists(_ pid: Int32) -> Bool { kill(pid, 0) == 0 || cl_errno() == EPERM }

  /// The effective user id of this process.
  public static var effectiveUser: UInt32 { geteuid() }

  /// The host's name, uname(2).
  public static var hostName: String {
    var info = utsname()
    guard unsafe uname(&info) == 0 else { return "" }
    return unsafe withUnsafePointer(to: &info.nodename) {
      unsafe $0.withMemoryRebound(to: CChar.self, capacity: 65) { unsafe String(cString: $0) }
    }
  }

  /// The kernel's release, uname(2).
  public static var kernelRelease: String {
    var info = utsname()
    guard unsafe uname(&info) == 0 else { return "" }
    return unsafe withUnsafePointer(to: &info.release) {
      unsafe $0.withMemoryRebound(to: CChar.self, capacity: 65) { unsafe String(cString: $0) }
    }
  }

  /// This boot's id.
  public static func bootID() throws(Errno) -> String {
    let bytes = try file("/proc/sys/kernel/random/boot_id")
    return String(decoding: bytes.filter { $0 != 0x0a }, as: UTF8.self)
  }
}
