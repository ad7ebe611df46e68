/// What /proc/PID/status tells of a process's rights (proc_pid_status(5)).
public struct ProcessCredentials: Hashable, Sendable {
  /// The real, effective, saved and file system user ids, in the reader's user namespace.
  public var users: [UInt32]
  /// `CapPrm`: the capabilities that it has or can take, in its own user namespace.
  public var permitted: Capabilities

  /// Reads the file; nil where it does not have the form.
  public init?(_ text: [UInt8]) {
    var users: [UInt32]?, permitted: Capabilities?
    for line in text.split(separator: UInt8(ascii: "\n")) {
      let words = line.split(whereSeparator: { $0 == 0x20 || $0 == 0x09 })
      guard let label = words.first else { continue }
      if label.elementsEqual("Uid:".utf8) {
        users = words.dropFirst().compactMap { UInt32(String(decoding: $0, as: UTF8.self)) }
      } else if label.elementsEqual("CapPrm:".utf8), words.count == 2 {
        permitted = UInt64(String(decoding: words[1], as: UTF8.self), radix: 16).map(Capabilities.init(rawValue:))
      }
    }
    guard let users, users.count == 4, let permitted else { return nil }
    self.users = users
    self.permitted = permitted
  }

  /// Whether any of the ids is root's: also a saved one can be taken again.
  public var isRoot: Bool { users.contains(0) }
}
