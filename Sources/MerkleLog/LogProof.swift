/// A proof of one record that stands alone (C2SP tlog-proof), a file `*.tlog-proof`:
///
/// ```
/// c2sp.org/tlog-proof@v1
/// extra <base64>                 (only where there is any; nothing vouches for it)
/// index <decimal>
/// <base64 hash>                  the leaf's sibling first
/// …
/// <an empty line>
/// <the signed checkpoint, verbatim>
/// ```
public struct LogProof: Sendable, Equatable {
  /// Unauthenticated bytes of the application's.
  public var extra: [UInt8]?
  /// The record's index.
  public var index: UInt64
  /// The siblings from the leaf to the root.
  public var hashes: [Hash]
  /// The signed note.
  public var checkpoint: [UInt8]

  static let header = "c2sp.org/tlog-proof@v1"

  /// A proof of these parts.
  public init(extra: [UInt8]? = nil, index: UInt64, hashes: [Hash], checkpoint: [UInt8]) {
    self.extra = extra
    self.index = index
    self.hashes = hashes
    self.checkpoint = checkpoint
  }

  /// The file.
  public var bytes: [UInt8] {
    var text = Self.header + "\n"
    if let extra { text += "extra \(Base64.encode(extra))\n" }
    text += "index \(index)\n"
    for hash in hashes { text += hash.base64 + "\n" }
    return Array(text.utf8) + [UInt8(ascii: "\n")] + checkpoint
  }

  /// Reads the file; nil where it is malformed. Nothing is checked by that.
  public init?(_ bytes: [UInt8]) {
    var rest = bytes[...]
    func line() -> ArraySlice<UInt8>? {
      guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
      defer { rest = rest[(end + 1)...] }
      return rest[..<end]
    }
    func value(_ key: String, in line: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
      line.starts(with: Array((key + " ").utf8)) ? line.dropFirst(key.utf8.count + 1) : nil
    }
    guard let first = line(), first.elementsEqual(Self.header.utf8), var next = line() else { return nil }
    if let text = value("extra", in: next) {
      guard let decoded = Base64.decode(text), let following = line() else { return nil }
      extra = decoded
      next = following
    }
    guard let text = value("index", in: next), let number = Decimal.parse(text) else { return nil }
    index = number
    hashes = []
    while true {
      guard let next = line() else { return nil }
      if next.isEmpty { break }
      guard hashes.count < 64, let hash = Hash(base64: next) else { return nil }
      hashes.append(hash)
    }
    checkpoint = Array(rest)
  }

  /// Whether the record is in the log: the checkpoint has this origin and is signed by one of the log's keys, and the
  /// proof leads to its root.
  public func proves(record: [UInt8], origin: [UInt8], keys: [VerifierKey]) -> Bool {
    guard let note = SignedNote(checkpoint), note.signers(among: keys) != nil, let head = Checkpoint(note.text),
      head.origin == origin
    else { return false }
    return LogCheck.includes(leaf: .leaf(record), index: index, size: head.size, proof: hashes, root: head.root)
  }
}
