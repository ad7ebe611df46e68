/// What a system call of a record does, as far as attribution needs to know: numbers differ between machines.
public enum AuditCall: Sendable {
  /// Opens, makes or truncates a file by a name that a relative one is of the working directory: open, creat, truncate.
  case open
  /// The same by a name relative to the directory in a0: openat, openat2, name_to_handle_at.
  case openAt
  /// execve
  case execute
  /// execveat
  case executeAt
  /// Changes names: rename, link, unlink, symlink.
  case change
  /// The same relative to the directory in a0: renameat, renameat2, linkat, unlinkat. Of symlinkat a0 is none.
  case changeAt
  /// ptrace; a0 is the request.
  case trace
  /// Of the process in a0: process_vm_readv, process_vm_writev, kcmp.
  case process
  /// connect
  case connect
  /// Any other, also of a machine that is not known.
  case other

  /// Whether a name that is relative is looked up in the working directory, if a0 is `AT_FDCWD` where there is one.
  public var isRelative: Bool { self == .openAt || self == .executeAt || self == .changeAt }
}

extension AuditSyscall {
  /// Whether it opens a file, and tells how: 0 where it does not, else which argument has the flags, from 0; 4 where none
  /// has them, 5 where another record tells them (openat2).
  public var opening: Int {
    guard !isRingOperation else { return 0 }
    switch (arch, number) {
    case (0xc000_003e, 2), (0x4000_0003, 5): return 1  // open
    case (0xc000_003e, 257), (0xc000_00b7, 56), (0x4000_0003, 295): return 2  // openat
    case (0xc000_003e, 304), (0xc000_00b7, 265), (0x4000_0003, 342): return 2  // open_by_handle_at
    case (0xc000_003e, 85), (0x4000_0003, 8): return 4  // creat
    case (_, 437): return 5  // openat2
    default: return 0
    }
  }

  /// Whether it makes a ring of io_uring's, or is an operation of one.
  public var isOfRing: Bool { isRingOperation || number == 425 }

  /// What the call does.
  public var call: AuditCall {
    if isRingOperation { return number == 18 || number == 28 ? .openAt : .other }
    switch arch {
    case 0xc000_003e: return Self.x86(number)  // AUDIT_ARCH_X86_64
    case 0xc000_00b7: return Self.generic(number)  // AUDIT_ARCH_AARCH64
    case 0x4000_0003: return Self.i386(number)  // AUDIT_ARCH_I386
    default: return .other
    }
  }

  private static func x86(_ number: Int32) -> AuditCall {
    switch number {
    case 2, 76, 85, 304: .open
    case 257, 303, 437: .openAt
    case 59: .execute
    case 322: .executeAt
    case 82, 86, 87, 88: .change
    case 263, 264, 265, 266, 316: .changeAt
    case 42: .connect
    case 101: .trace
    case 310, 311, 312: .process
    default: .other
    }
  }

  private static func generic(_ number: Int32) -> AuditCall {
    switch number {
    case 45, 265: .open
    case 56, 264, 437: .openAt
    case 221: .execute
    case 281: .executeAt
    case 35, 36, 37, 38, 276: .changeAt
    case 117: .trace
    case 203: .connect
    case 270, 271, 272: .process
    default: .other
    }
  }

  private static func i386(_ number: Int32) -> AuditCall {
    switch number {
    case 5, 8, 92, 342: .open
    case 295, 341, 437: .openAt
    case 11: .execute
    case 358: .executeAt
    case 9, 10, 38, 83: .change
    case 301, 302, 303, 304, 353: .changeAt
    case 26: .trace
    case 362: .connect
    case 347, 348, 349: .process
    default: .other
    }
  }
}
