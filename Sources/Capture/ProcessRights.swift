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
    guard found.isCapable else { return .none }
    guard let own = try? Procfs.link(Procfs.ownPid, "ns/user"), let its = try? Procfs.link(pid, "ns/user") else {
      return .untold
    }
    return own == its ? .root : .none
  }
}
