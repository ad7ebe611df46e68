internal import Crypto

/// A SHA-256 value: a leaf, a node, a root or a commitment.
///
/// Four words and not an array, so that millions of them cost no allocation. The order is that of the bytes.
public struct Hash: Hashable, Sendable, Comparable, BitwiseCopyable {
  /// The bytes as big-endian words, the first the most significant.
  var words: (UInt64, UInt64, UInt64, UInt64)

  init(words: (UInt64, UInt64, UInt64, UInt64)) { self.words = words }

  /// A hash of these bytes; nil unless there are 32.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == 32 else { return nil }
    words = (0, 0, 0, 0)
    for (index, byte) in bytes.enumerated() {
      switch index >> 3 {
      case 0: words.0 = words.0 << 8 | UInt64(byte)
      case 1: words.1 = words.1 << 8 | UInt64(byte)
      case 2: words.2 = words.2 << 8 | UInt64(byte)
      default: words.3 = words.3 << 8 | UInt64(byte)
      }
    }
  }

  /// The hashes that lie one behind the other in these bytes; nil unless they end with one.
  public static func list(_ bytes: ArraySlice<UInt8>) -> [Hash]? {
    guard bytes.count % 32 == 0 else { return nil }
    // An epoch's index has a hundred thousand, and a certificate is made of hundreds of epochs.
    return unsafe bytes.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: 32).map { at in
        func word(_ number: Int) -> UInt64 {
          UInt64(bigEndian: unsafe bytes.loadUnaligned(fromByteOffset: at + 8 * number, as: UInt64.self))
        }
        return Hash(words: (word(0), word(1), word(2), word(3)))
      }
    }
  }

  /// 32 zero bytes: what the sparse index has where nothing is.
  public static let zero = Hash(words: (0, 0, 0, 0))

  /// The 32 bytes.
  public var bytes: [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(32)
    for word in [words.0, words.1, words.2, words.3] { out.append(bigEndian: word) }
    return out
  }

  /// The bytes in base64, as records and proofs carry them.
  public var base64: String { Base64.encode(bytes) }

  /// A hash from canonical base64.
  public init?(base64 text: some Collection<UInt8>) {
    guard text.count == 44, let bytes = Base64.decode(text) else { return nil }
    self.init(bytes)
  }

  /// Bit `index`, the most significant of the first byte being 0.
  func bit(_ index: Int) -> Bool {
    let word =
      switch index >> 6 {
      case 0: words.0
      case 1: words.1
      case 2: words.2
      default: words.3
      }
    return word >> UInt64(63 - index & 63) & 1 == 1
  }

  /// Whether the bytes are the same.
  public static func == (left: Hash, right: Hash) -> Bool { left.words == right.words }

  /// Orders byte by byte.
  public static func < (left: Hash, right: Hash) -> Bool { left.words < right.words }

  /// Hashes the bytes.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.1)
    hasher.combine(words.2)
    hasher.combine(words.3)
  }
}

extension Hash {
  /// SHA-256 of the bytes.
  public init(of bytes: [UInt8]) {
    var digest = SHA256()
    unsafe bytes.withUnsafeBytes { unsafe digest.update(bufferPointer: $0) }
    self.init(digest.finalize())
  }

  /// `H(0x00 ‖ data)`, the leaf hash of RFC 6962.
  public static func leaf(_ data: [UInt8]) -> Hash {
    var digest = SHA256()
    unsafe [UInt8(0)].withUnsafeBytes { unsafe digest.update(bufferPointer: $0) }
    unsafe data.withUnsafeBytes { unsafe digest.update(bufferPointer: $0) }
    return Hash(digest.finalize())
  }

  /// `H(0x01 ‖ left ‖ right)`, the inner node of RFC 6962.
  public static func node(_ left: Hash, _ right: Hash) -> Hash { joined(0x01, left, right) }

  /// `H(prefix ‖ left ‖ right)`.
  @inline(__always)
  static func joined(_ prefix: UInt8, _ left: Hash, _ right: Hash) -> Hash {
    // On the stack and hashed in one go, the prefix being the last byte of the first word: a root of a hundred
    // thousand keys comes through here twenty-four million times.
    let block: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (
      UInt64(prefix).bigEndian, left.words.0.bigEndian, left.words.1.bigEndian, left.words.2.bigEndian,
      left.words.3.bigEndian, right.words.0.bigEndian, right.words.1.bigEndian, right.words.2.bigEndian,
      right.words.3.bigEndian
    )
    var digest = SHA256()
    unsafe withUnsafeBytes(of: block) { bytes in
      unsafe digest.update(bufferPointer: UnsafeRawBufferPointer(rebasing: bytes[7...]))
    }
    return Hash(digest.finalize())
  }

  init(_ digest: SHA256Digest) {
    self = unsafe digest.withUnsafeBytes { bytes in
      func word(_ at: Int) -> UInt64 {
        UInt64(bigEndian: unsafe bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
      }
      return Hash(words: (word(0), word(8), word(16), word(24)))
    }
  }

  /// HMAC-SHA-256 of the message.
  public static func authentication(_ message: [UInt8], key: [UInt8]) -> Hash {
    Hash(bytesOf: HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key)))
  }

  private init(bytesOf code: HMAC<SHA256>.MAC) {
    self = unsafe code.withUnsafeBytes { bytes in
      func word(_ at: Int) -> UInt64 {
        UInt64(bigEndian: unsafe bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
      }
      return Hash(words: (word(0), word(8), word(16), word(24)))
    }
  }
}

extension [UInt8] {
  /// Appends the integer's bytes, the most significant first.
  public mutating func append(bigEndian value: some FixedWidthInteger) {
    for shift in stride(from: value.bitWidth - 8, through: 0, by: -8) {
      append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }

  /// Appends `u32 length ‖ bytes`.
  public mutating func append(counted bytes: some Collection<UInt8>) {
    append(bigEndian: UInt32(bytes.count))
    append(contentsOf: bytes)
  }
}

/// The version that every hashed structure of ours begins with: `alibi.v1`, a name, a NUL.
public func domain(_ name: String) -> [UInt8] { Array("alibi.v1/\(name)\0".utf8) }

/// SHA-256 over what comes in parts.
public struct RunningHash: Sendable {
  private var state = SHA256()

  /// Of nothing yet.
  public init() {}

  /// Adds bytes behind the others.
  public mutating func update(_ bytes: RawSpan) {
    unsafe bytes.withUnsafeBytes { unsafe state.update(bufferPointer: $0) }
  }

  /// The hash of all of them.
  public var value: Hash {
    guard let hash = Hash(Array(state.finalize())) else { preconditionFailure("SHA-256 has 32 bytes") }
    return hash
  }
}
