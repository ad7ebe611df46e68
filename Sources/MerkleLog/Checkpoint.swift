/// A log's head (C2SP tlog-checkpoint), the text of a signed note:
///
/// ```
/// <origin>\n<size>\n<base64 root>\n
/// ```
///
/// Exactly three lines: what stands in a fourth nobody would check. The origin is the name of the log's key.
public struct Checkpoint: Hashable, Sendable {
  /// Whose log.
  public let origin: [UInt8]
  /// How many leaves it has.
  public let size: UInt64
  /// The root over them.
  public let root: Hash

  /// A head of these parts; nil for an origin that no key could be named.
  public init?(origin: [UInt8], size: UInt64, root: Hash) {
    guard VerifierKey.isName(origin), size < Decimal.limit else { return nil }
    self.origin = origin
    self.size = size
    self.root = root
  }

  /// Reads the text; nil where it is anything but three lines.
  public init?(_ text: [UInt8]) {
    let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    guard lines.count == 4, lines[3].isEmpty, let size = Decimal.parse(lines[1]), let root = Hash(base64: lines[2])
    else { return nil }
    self.init(origin: Array(lines[0]), size: size, root: root)
  }

  /// The text that is signed.
  public var text: [UInt8] { origin + Array("\n\(size)\n\(root.base64)\n".utf8) }
}
