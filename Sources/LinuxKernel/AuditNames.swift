internal import CAudit

/// Names of audit's numbers, from libaudit's tables.
public enum AuditNames {
  /// What a system call is called; nil where the library does not know it. `arch` is a record's AUDIT_ARCH_*.
  public static func systemCall(_ number: Int32, arch: UInt32) -> String? {
    let machine = audit_elf_to_machine(arch)
    guard machine >= 0, let name = unsafe audit_syscall_to_name(number, machine) else { return nil }
    return unsafe String(cString: name)
  }

  /// The number of a system call.
  static func number(ofSystemCall name: String, machine: Machine) -> Int32? {
    let number = unsafe audit_name_to_syscall(name, machine.rawValue)
    return number >= 0 ? number : nil
  }

  /// What an error is called, as `EACCES`; `number` is positive, or a negative exit value.
  public static func error(_ number: Int32) -> String? {
    guard let name = unsafe audit_errno_to_name(number < 0 ? 0 &- number : number) else { return nil }
    return unsafe String(cString: name)
  }

  /// What a record's type is called, as `SYSCALL`.
  public static func recordType(_ number: UInt16) -> String? {
    guard let name = unsafe audit_msg_type_to_name(Int32(number)) else { return nil }
    return unsafe String(cString: name)
  }

  /// What an operation of io_uring is called, of those that rules name.
  public static func ringOperation(_ number: Int32) -> String? { ringOperations.first { $0.value == number }?.key }

  static func number(ofError name: String) -> Int32? {
    let number = unsafe audit_name_to_errno(name)
    return number > 0 ? number : nil
  }

  static func number(ofRecordType name: String) -> UInt32? {
    let number = unsafe audit_name_to_msg_type(name)
    return number > 0 ? UInt32(number) : nil
  }

  static func number(ofField name: String) -> UInt32? {
    let number = unsafe audit_name_to_field(name)
    return number >= 0 ? UInt32(number) : nil
  }

  static func field(_ number: UInt32) -> String? {
    guard let name = unsafe audit_field_to_name(Int32(truncatingIfNeeded: number)) else { return nil }
    return unsafe String(cString: name)
  }

  static func number(ofFileType name: String) -> UInt32? {
    let number = unsafe audit_name_to_ftype(name)
    return number > 0 ? UInt32(number) : nil
  }

  /// A machine of the library's, `machine_t`.
  struct Machine: Hashable {
    let rawValue: Int32

    /// The machine this program runs on.
    static var own: Machine? { Machine(audit_detect_machine()) }
    /// What 32-bit programs on it take it for.
    static var own32: Machine? {
      let own = audit_detect_machine()
      if own == Int32(bitPattern: MACH_86_64.rawValue) { return Machine(Int32(bitPattern: MACH_X86.rawValue)) }
      if own == Int32(bitPattern: MACH_AARCH64.rawValue) { return unsafe Machine(audit_name_to_machine("arm")) }
      return nil
    }

    private init?(_ number: Int32) {
      guard number >= 0 else { return nil }
      rawValue = number
    }

    /// AUDIT_ARCH_*
    var arch: UInt32 { audit_machine_to_elf(rawValue) }
  }

  /// `IORING_OP_*` of linux/io_uring.h.
  static let ringOperations: [String: Int32] = [
    "fsync": 3, "sendmsg": 9, "recvmsg": 10, "accept": 13, "connect": 16, "openat": 18, "close": 19, "statx": 21,
    "read": 22, "write": 23, "openat2": 28, "splice": 30, "renameat": 35, "unlinkat": 36, "mkdirat": 37,
    "symlinkat": 38, "linkat": 39, "socket": 45, "ftruncate": 55, "bind": 56, "listen": 57,
  ]
}
