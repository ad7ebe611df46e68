// Stands in for swift-crypto in the fuzzer's build, which would have to instrument all of BoringSSL for it: what digest
// something has, and whether a signature holds, decides nothing that is fuzzed.

/// FNV-1a, four times over.
public struct SHA256: Sendable {
  private var state: UInt64 = 0xcbf2_9ce4_8422_2325

  /// A digest of nothing so far.
  public init() {}

  /// Takes in more bytes.
  public mutating func update(data: some Sequence<UInt8>) {
    for byte in data { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 }
  }

  /// Takes in more bytes.
  public mutating func update(bufferPointer: UnsafeRawBufferPointer) {
    update(data: unsafe Array(bufferPointer))
  }

  /// The digest.
  public func finalize() -> SHA256Digest { SHA256Digest(state: state) }
}

/// Thirty-two bytes.
public struct SHA256Digest: Sequence, Sendable {
  fileprivate let state: UInt64

  private var bytes: [UInt8] { (0..<32).map { UInt8(truncatingIfNeeded: state >> (8 * UInt64($0 % 8))) } }

  /// The bytes one by one.
  public func makeIterator() -> Array<UInt8>.Iterator { bytes.makeIterator() }

  /// The bytes at once.
  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    unsafe try bytes.withUnsafeBytes(body)
  }
}

/// A key of any bytes.
public struct SymmetricKey: Sendable {
  fileprivate let bytes: [UInt8]

  /// The key of these bytes.
  public init(data: [UInt8]) { bytes = data }
}

/// The digest of key and message.
public enum HMAC<Function> {
  /// What authenticates.
  public typealias MAC = SHA256Digest

  /// The code of a message.
  public static func authenticationCode(for data: [UInt8], using key: SymmetricKey) -> MAC {
    var digest = SHA256()
    digest.update(data: key.bytes)
    digest.update(data: data)
    return digest.finalize()
  }
}

/// Signatures that never hold.
public enum Curve25519 {
  /// As in the real one.
  public enum Signing {
    /// No key has another length.
    public struct WrongLength: Error {}

    /// A public key.
    public struct PublicKey: Sendable {
      /// Its bytes.
      public let rawRepresentation: [UInt8]

      /// The key of these bytes.
      public init(rawRepresentation: [UInt8]) throws {
        guard rawRepresentation.count == 32 else { throw WrongLength() }
        self.rawRepresentation = rawRepresentation
      }

      /// Never.
      public func isValidSignature(_ signature: [UInt8], for data: [UInt8]) -> Bool { false }
    }

    /// A private key.
    public struct PrivateKey: Sendable {
      /// The same bytes.
      public let publicKey: PublicKey

      /// The key of these bytes.
      public init(rawRepresentation: [UInt8]) throws {
        publicKey = try PublicKey(rawRepresentation: rawRepresentation)
      }

      /// No signature at all.
      public func signature(for data: [UInt8]) throws -> [UInt8] { [UInt8](repeating: 0, count: 64) }
    }
  }
}
