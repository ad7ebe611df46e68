internal import Decode
public import Journal
internal import LinuxKernel

/// A look at a process's rights in /proc.
public enum ProcessRights {
  /// Whether a process has root's rights now. Capabilities count in the host's own user namespace only: in another
  /// one they are good for what belongs to it, and no more.
  public static func of(_ pid: Int32) -> Privilege {
    guard let text = try? Procfs.file(pid, "status"), let found = ProcessCredentials(text) else { return .untold }
    if found.isRoot { return .root }
    guard found.permitted.countAsRoot else { return .none }
    return here(pid)
  }

  /// Whether a process that has executed a program has capabilities of its file's that count.
  ///
  /// - Parameter program: the file; nil where it is known that it has them, and asked where they hold.
  public static func gained(_ pid: Int32, by program: [UInt8]?) -> Privilege {
    guard let program else { return here(pid) }
    // The name may be another file's by now, or gone; the process may run another program already.
    let places = [program, Array("/proc/\(pid)/exe".utf8)].filter { $0.first == UInt8(ascii: "/") }
    let isGiven = places.contains { place in
      (try? Procfs.attribute("security.capability", of: place)).flatMap { FileCapabilities($0) }?.countAsRoot == true
    }
    return isGiven ? here(pid) : .none
  }

  /// Root where the process is in the host's own user namespace, untold where it is gone.
  private static func here(_ pid: Int32) -> Privilege {
    guard let own = try? Procfs.link(Procfs.ownPid, "ns/user"), let its = try? Procfs.link(pid, "ns/user") else {
      return .untold
    }
    return own == its ? .root : .none
  }
}
