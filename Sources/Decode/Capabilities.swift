/// A set of capabilities (capabilities(7)): one bit each, by their numbers.
public struct Capabilities: OptionSet, Hashable, Sendable {
  /// As the kernel writes it.
  public let rawValue: UInt64

  /// The set of these bits.
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// Those with which nobody reaches a witness, another process's memory, or a file past its permissions. Whatever is
  /// not among them counts as root's rights, also what a later kernel may bring:
  ///
  /// - SETUID, SETGID, SETPCAP, SETFCAP, CHOWN, FOWNER, FSETID, MKNOD, SYS_CHROOT, MAC_ADMIN, MAC_OVERRIDE and
  ///   LINUX_IMMUTABLE lead to more rights, or to files and disks;
  /// - DAC_OVERRIDE, DAC_READ_SEARCH, SYS_PTRACE, IPC_OWNER, PERFMON, CHECKPOINT_RESTORE, SYSLOG and AUDIT_READ show
  ///   what permissions hide;
  /// - SYS_ADMIN, SYS_MODULE, SYS_RAWIO, SYS_BOOT, BPF, NET_ADMIN, AUDIT_CONTROL and AUDIT_WRITE change the kernel, its
  ///   witnesses, or what they are believed to have said;
  /// - SYS_TIME, SYS_RESOURCE, KILL, LEASE, SYS_PACCT and SYS_TTY_CONFIG alter clocks, limits and processes that records
  ///   depend on.
  ///
  /// NET_RAW sees the network's packets and no files; a ping has it.
  public static let harmless: Capabilities = [10, 11, 13, 14, 23, 35, 36].reduce(into: []) { $0.insert(.number($1)) }

  private static func number(_ number: UInt64) -> Capabilities { Capabilities(rawValue: 1 << number) }

  /// Whether it is as good as root's rights, in the host's own user namespace.
  public var countAsRoot: Bool { !subtracting(.harmless).isEmpty }
}

/// What a program's file gives to who executes it: `struct vfs_cap_data`, the attribute `security.capability`.
public struct FileCapabilities: Hashable, Sendable {
  /// What a process may use after executing it.
  public var permitted: Capabilities
  /// What of it a process gets that has it as inheritable already.
  public var inheritable: Capabilities
  /// The root user, by the host's numbers, of the user namespaces in which it holds; 0 for the host and all within.
  public var root: UInt32

  /// Reads the attribute's value; nil for a form that the kernel does not take either.
  public init?(_ value: [UInt8]) {
    func word(_ index: Int) -> UInt32 {
      (0..<4).reduce(0) { $0 | UInt32(value[4 * index + $1]) << (8 * UInt32($1)) }
    }
    guard value.count >= 4 else { return nil }
    let pairs: Int
    switch (word(0) >> 24, value.count) {
    case (1, 12): pairs = 1
    case (2, 20), (3, 24): pairs = 2
    default: return nil
    }
    func set(_ first: Int) -> Capabilities {
      Capabilities(rawValue: (0..<pairs).reduce(0) { $0 | UInt64(word(first + 2 * $1)) << (32 * UInt64($1)) })
    }
    permitted = set(1)
    inheritable = set(2)
    root = value.count == 24 ? word(5) : 0
  }

  /// Whether executing it may give root's rights on the host.
  public var countAsRoot: Bool { root == 0 && permitted.union(inheritable).countAsRoot }
}
