/// Stands in for swift-crypto in the fuzzer's build, which would have to instrument all of BoringSSL for it: what digest
/// a rule file has decides nothing that is fuzzed. FNV-1a, four times over.
public struct SHA256 {
  private var state: UInt64 = 0xcbf2_9ce4_8422_2325

  /// A digest of nothing so far.
  public init() {}

  /// Takes in more bytes.
  public mutating func update(data: some Sequence<UInt8>) {
    for byte in data { state = (state ^ UInt64(byte)) &* 0x100_0000_01b3 }
  }

  /// The digest.
  public func finalize() -> [UInt8] {
    (0..<32).map { UInt8(truncatingIfNeeded: state >> (8 * UInt64($0 % 8))) }
  }
}
