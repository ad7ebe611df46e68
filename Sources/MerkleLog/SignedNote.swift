/// A signed note (C2SP signed-note), as Go's `x/mod/sumdb/note` reads and writes it:
///
/// ```
/// <text, UTF-8, ending in a newline>
/// <an empty line>
/// — <key name> <base64(id[4] ‖ signature)>
/// …
/// ```
///
/// What is signed is the text with its final newline, without the empty line. The text may hold empty lines: the note
/// is split at the last. No byte below 0x20 but the newline may stand anywhere. A line whose name and id no known key
/// has is ignored; a line of a known key must verify, or the whole note is refused; and one must.
public struct SignedNote: Sendable, Equatable {
  /// A signature line.
  public struct Line: Sendable, Equatable {
    /// The key's name.
    public let name: [UInt8]
    /// The key's id.
    public let id: UInt32
    /// What follows the id.
    public let signature: [UInt8]
  }

  /// The text, with its final newline.
  public let text: [UInt8]
  /// The signatures, none of them checked.
  public let lines: [Line]

  static let linePrefix: [UInt8] = [0xE2, 0x80, 0x94, 0x20]
  /// More than any log and its witnesses need; C2SP asks for at least 16.
  static let mostLines = 100
  /// A note is a head or a certificate, never a document.
  static let mostBytes = 1 << 20

  /// Reads a note without checking a signature; nil where it is malformed.
  public init?(_ bytes: [UInt8]) {
    let newline = UInt8(ascii: "\n")
    guard bytes.count <= Self.mostBytes, bytes.last == newline, bytes.allSatisfy({ $0 >= 0x20 || $0 == newline }),
      String(validating: bytes, as: UTF8.self) != nil
    else { return nil }
    var cut = bytes.count - 2
    while cut >= 0, bytes[cut] != newline || bytes[cut + 1] != newline { cut -= 1 }
    guard cut >= 0, cut + 2 < bytes.count else { return nil }
    text = Array(bytes[...cut])
    var lines: [Line] = []
    for line in bytes[(cut + 2)..<(bytes.count - 1)].split(separator: newline, omittingEmptySubsequences: false) {
      guard lines.count < Self.mostLines, line.starts(with: Self.linePrefix) else { return nil }
      let parts = line.dropFirst(Self.linePrefix.count).split(
        separator: UInt8(ascii: " "), maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, VerifierKey.isName(Array(parts[0])), let payload = Base64.decode(parts[1]),
        payload.count >= 5
      else { return nil }
      let id = payload.prefix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
      lines.append(Line(name: Array(parts[0]), id: id, signature: Array(payload.dropFirst(4))))
    }
    self.lines = lines
  }

  /// What the known keys say of this note: those that signed it. Nil when one of them did not sign what its line
  /// claims, and when none signed.
  public func signers(among known: [VerifierKey]) -> [VerifierKey]? {
    var found: [VerifierKey] = []
    for line in lines {
      for key in known where key.id == line.id && key.name == line.name {
        guard key.accepts(line.signature, of: text) else { return nil }
        if !found.contains(key) { found.append(key) }
      }
    }
    return found.isEmpty ? nil : found
  }

  /// The latest time, in seconds, at which this witness says it saw the note; nil without a valid cosignature.
  public func cosignatureTime(of witness: VerifierKey) -> UInt64? {
    guard witness.kind == .cosignature, signers(among: [witness]) != nil else { return nil }
    return lines.filter { $0.id == witness.id && $0.name == witness.name }
      .compactMap { VerifierKey.time(of: $0.signature) }.max()
  }

  /// The bytes of a note with this text, signed by these keys.
  public static func sign(_ text: [UInt8], with keys: [SigningKey]) throws -> [UInt8] {
    try text + [UInt8(ascii: "\n")] + keys.flatMap { try $0.line(signing: text) }
  }
}
