internal import Crypto

/// A key that notes are checked with, in the encoding of C2SP signed-note:
///
/// ```
/// name + hex(id) + base64(type ‖ 32 bytes)            id = H(name ‖ 0x0A ‖ type ‖ 32 bytes)[0:4]
/// ```
///
/// Type 0x01 signs the text of a note (Ed25519), type 0x04 a checkpoint and a time (`cosignature/v1`). The name is
/// bytes: `String` would call two spellings of one accented letter the same name.
public struct VerifierKey: Hashable, Sendable {
  /// What a key signs.
  public enum Kind: UInt8, Sendable {
    /// The note's text.
    case note = 0x01
    /// A witness's statement that it saw this checkpoint at a time.
    case cosignature = 0x04
  }

  /// The name in UTF-8.
  public let name: [UInt8]
  /// What it signs.
  public let kind: Kind
  /// The Ed25519 public key.
  public let publicKey: [UInt8]
  /// The first four bytes of the hash that identifies the key.
  public let id: UInt32

  /// A key of these parts; nil for a name that no note could carry, or another length than 32.
  public init?(name: [UInt8], kind: Kind, publicKey: [UInt8]) {
    guard Self.isName(name), publicKey.count == 32 else { return nil }
    self.name = name
    self.kind = kind
    self.publicKey = publicKey
    self.id = UInt32(truncatingIfNeeded: Hash(of: name + [0x0A, kind.rawValue] + publicKey).words.0 >> 32)
  }

  /// Reads `name+hex+base64`; nil unless the id is the key's.
  public init?(_ text: some Collection<UInt8>) {
    let parts = text.split(separator: UInt8(ascii: "+"), maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, let key = Base64.decode(parts[2]), let first = key.first, let kind = Kind(rawValue: first)
    else { return nil }
    self.init(name: Array(parts[0]), kind: kind, publicKey: Array(key.dropFirst()))
    guard Hex.encode(idBytes).utf8.elementsEqual(parts[1]) else { return nil }
  }

  /// `name+hex+base64`.
  public var text: String {
    let head = String(decoding: name, as: UTF8.self) + "+" + Hex.encode(idBytes)
    return head + "+" + Base64.encode([kind.rawValue] + publicKey)
  }

  /// The id as signatures carry it.
  var idBytes: [UInt8] {
    var out: [UInt8] = []
    out.append(bigEndian: id)
    return out
  }

  /// Whether a note can carry this name: UTF-8, not empty, no white space, no plus.
  static func isName(_ bytes: [UInt8]) -> Bool {
    guard !bytes.isEmpty, let text = String(validating: bytes, as: UTF8.self) else { return false }
    return text.unicodeScalars.allSatisfy { !$0.properties.isWhitespace && $0 != "+" && $0.value >= 0x20 }
  }

  /// Whether `signature` (what follows the id in the line) is this key's over the note's text.
  func accepts(_ signature: [UInt8], of text: [UInt8]) -> Bool {
    switch kind {
    case .note: return verifies(signature, of: text)
    case .cosignature:
      guard let time = Self.time(of: signature), Checkpoint(text) != nil else { return false }
      return verifies(Array(signature.dropFirst(8)), of: Self.cosigned(text, at: time))
    }
  }

  /// Whether this is the key's plain Ed25519 signature over the bytes, outside any note.
  public func verifies(_ signature: [UInt8], of bytes: [UInt8]) -> Bool {
    guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else { return false }
    return signature.count == 64 && key.isValidSignature(signature, for: bytes)
  }

  /// The time in a cosignature: `u64 seconds ‖ 64 bytes`, below 2^63.
  static func time(of signature: [UInt8]) -> UInt64? {
    guard signature.count == 72 else { return nil }
    let time = signature.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return time <= UInt64(Int64.max) ? time : nil
  }

  /// `cosignature/v1\ntime <t>\n<checkpoint text>`.
  static func cosigned(_ text: [UInt8], at time: UInt64) -> [UInt8] {
    Array("cosignature/v1\ntime \(time)\n".utf8) + text
  }
}

/// A key that signs notes.
public struct SigningKey: Sendable {
  /// What others check its signatures with.
  public let verifier: VerifierKey
  private let seed: [UInt8]

  /// The key of a 32-byte Ed25519 seed; nil for another length or a bad name.
  public init?(name: [UInt8], kind: VerifierKey.Kind = .note, seed: [UInt8]) {
    guard seed.count == 32, let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed),
      let verifier = VerifierKey(name: name, kind: kind, publicKey: Array(key.publicKey.rawRepresentation))
    else { return nil }
    self.verifier = verifier
    self.seed = seed
  }

  /// Ed25519 over the bytes.
  public func signature(of bytes: [UInt8]) throws -> [UInt8] {
    Array(try Curve25519.Signing.PrivateKey(rawRepresentation: seed).signature(for: bytes))
  }

  /// The signature line of a note with this text; a cosignature needs the time, in seconds.
  public func line(signing text: [UInt8], at time: UInt64 = 0) throws -> [UInt8] {
    var payload = verifier.idBytes
    switch verifier.kind {
    case .note: payload += try signature(of: text)
    case .cosignature:
      payload.append(bigEndian: time)
      payload += try signature(of: VerifierKey.cosigned(text, at: time))
    }
    return SignedNote.linePrefix + verifier.name + Array(" \(Base64.encode(payload))\n".utf8)
  }
}
