import Crypto

/// One rule file as it was read.
public struct RuleDocument: Hashable, Sendable {
  /// The name in its directory. It enters the digest; the directory does not.
  public let name: String
  /// Where it lay, for messages; empty where that says nothing.
  public let directory: String
  /// Its content.
  public let bytes: [UInt8]

  /// A document of these parts.
  public init(name: String, bytes: [UInt8], directory: String = "") {
    self.name = name
    self.directory = directory
    self.bytes = bytes
  }

  /// The file as messages name it.
  var label: String {
    if directory.isEmpty { return name }
    return directory.hasSuffix("/") ? directory + name : directory + "/" + name
  }

  /// What a file may weigh. The ones we ship have a few kilobytes; a parser fed more is being attacked.
  static let sizeLimit = 1 << 20

  /// By name in bytes, then by content, so that neither the directory's order nor a locale matters.
  static func precedes(_ left: RuleDocument, _ right: RuleDocument) -> Bool {
    if left.name.utf8.elementsEqual(right.name.utf8) {
      return left.bytes.lexicographicallyPrecedes(right.bytes)
    }
    return left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
  }

  /// SHA-256 over each document in order: name, then content, each after its length as eight bytes, big end
  /// first. The lengths keep two splits of the same bytes apart.
  static func digest(of sorted: [RuleDocument]) -> [UInt8] {
    var hash = SHA256()
    for document in sorted {
      for part in [Array(document.name.utf8), document.bytes] {
        let length = UInt64(part.count)
        hash.update(data: (0..<8).map { UInt8(truncatingIfNeeded: length >> (56 - 8 * $0)) })
        hash.update(data: part)
      }
    }
    return Array(hash.finalize())
  }
}
