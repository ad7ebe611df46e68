public import MerkleLog

/// A signed head as a line for syslog: an independent copy of what the log was, without anybody's names.
///
/// ```
/// head origin=<origin> size=<size> root=<base64> seal=<base64 leaf hash of the newest seal | none>
/// ```
///
/// Facility authpriv, severity informational.
public struct SyslogLine: Sendable, Hashable {
  /// The head.
  public var head: Checkpoint
  /// The leaf hash of the newest SEAL record in it; nil where it has none.
  public var seal: Hash?

  private static let priority = 10 * 8 + 6

  /// A line.
  public init(head: Checkpoint, seal: Hash?) {
    self.head = head
    self.seal = seal
  }

  /// What it says.
  public var text: String {
    let origin = String(decoding: head.origin, as: UTF8.self)
    return "head origin=\(origin) size=\(head.size) root=\(head.root.base64) seal=\(seal?.base64 ?? "none")"
  }

  /// As the local socket takes it. The time is left to whoever receives it, who knows it as well.
  public func local(pid: Int32) -> [UInt8] { Array("<\(Self.priority)>alibid[\(pid)]: \(text)".utf8) }

  /// As RFC 5424 has it, for the network.
  public func remote(pid: Int32, host: String, time: String) -> [UInt8] {
    let isWord = !host.isEmpty && host.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    return Array("<\(Self.priority)>1 \(time) \(isWord ? host : "-") alibid \(pid) head - \(text)".utf8)
  }
}
