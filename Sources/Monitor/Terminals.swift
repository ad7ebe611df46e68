internal import LinuxKernel

/// Who reads what is typed into a terminal.
enum Terminals {
  /// The processes that have a terminal open: that behind a descriptor of a process; where that is gone, the process's
  /// own, as audit names it (`pts0`). Nil where there is none.
  static func readers(_ pid: Int32, _ descriptor: Int32, _ name: [UInt8]) -> [Int32]? {
    let held = (try? Procfs.link(pid, "fd/\(descriptor)")).flatMap { $0.starts(with: "/dev/".utf8) ? $0 : nil }
    guard let terminal = held ?? path(of: name) else { return nil }
    return Listeners.holders(of: [terminal])
  }

  /// The device of a terminal that audit calls `pts0`, `tty1` or `ttyS0`.
  static func path(of name: [UInt8]) -> [UInt8]? {
    if name.starts(with: "pts".utf8) { return Array("/dev/pts/".utf8) + name.dropFirst(3) }
    return name.starts(with: "tty".utf8) ? Array("/dev/".utf8) + name : nil
  }
}
