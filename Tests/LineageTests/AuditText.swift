/// Texts of audit's records, as the kernel writes them.
enum AuditText {
  typealias Record = (type: UInt16, text: String)

  /// A system call of an ordinary user's, under a rule's key.
  static func call(
    _ number: Int, _ pid: Int32, _ key: String, exit: Int = 0, a0: String = "ffffff9c", a1: String = "0",
    a2: String = "0", items: Int = 0, executable: String = "/usr/bin/x"
  ) -> Record {
    (
      1300,
      "arch=c000003e syscall=\(number) success=\(exit < 0 ? "no" : "yes") exit=\(exit) a0=\(a0) a1=\(a1) a2=\(a2) a3=0 "
        + "items=\(items) ppid=1 pid=\(pid) auid=1000 uid=1000 gid=1000 euid=1000 suid=1000 fsuid=1000 egid=1000 "
        + "sgid=1000 fsgid=1000 tty=pts0 ses=3 comm=\"x\" exe=\"\(executable)\" key=\"\(key)\""
    )
  }

  /// The address of a Unix socket.
  static func address(_ path: String) -> Record { (1306, "saddr=0100\(hex(path + "\0"))") }

  static func hex(_ text: String) -> String {
    Array(text.utf8).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined().uppercased()
  }
}
