public import MerkleLog

/// What a time-stamp authority is asked (RFC 3161 §2.4), and what its answer must hold.
///
/// ```
/// TimeStampReq  { 1, { { sha256, NULL }, digest }, nonce, TRUE }          TRUE: with the authority's certificate
/// TimeStampResp { { status, … }, token? }
/// ```
public struct TimestampQuery: Sendable, Hashable {
  /// What is to be stamped.
  public let digest: Hash
  /// The nonce as an INTEGER's bytes: an answer to an earlier query does not have it.
  public let nonce: [UInt8]

  /// Why an answer is no token over what was asked.
  public struct Refusal: Error, Equatable, CustomStringConvertible {
    /// In words.
    public var description: String
  }

  /// A query for a digest; the nonce is 63 bits of this number.
  public init(digest: Hash, nonce: UInt64) {
    self.digest = digest
    var bytes: [UInt8] = []
    // The shortest form of a positive number of eight bytes.
    bytes.append(bigEndian: nonce >> 1 | 1 << 56)
    self.nonce = bytes
  }

  /// The DER.
  public var bytes: [UInt8] {
    let algorithm = Self.value(0x30, Self.value(0x06, TimestampToken.sha256) + [0x05, 0x00])
    let imprint = Self.value(0x30, algorithm + Self.value(0x04, digest.bytes))
    return Self.value(0x30, [0x02, 0x01, 0x01] + imprint + Self.value(0x02, nonce) + [0x01, 0x01, 0xFF])
  }

  /// Shorter than 128 bytes, all of them.
  private static func value(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] { [tag, UInt8(content.count)] + content }

  /// The token of an answer, once it is over this digest and has this nonce. Its signature is not looked at.
  public func token(in answer: [UInt8]) throws(Refusal) -> (bytes: [UInt8], token: TimestampToken) {
    var outer = Der(answer[...])
    guard var response = outer.inside(0x30), outer.isAtEnd, var info = response.inside(0x30),
      let status = info.next(0x02)
    else { throw Refusal(description: "the answer is no time-stamp response") }
    // granted, grantedWithMods
    guard status.elementsEqual([0]) || status.elementsEqual([1]) else {
      throw Refusal(description: "refused with status \(status.reduce(0) { $0 << 8 & 0xFFFF | Int($1) })")
    }
    guard let bytes = response.whole(0x30).map(Array.init), response.isAtEnd, let token = TimestampToken(bytes) else {
      throw Refusal(description: "the answer holds no token that this program can read")
    }
    guard token.digest == digest else { throw Refusal(description: "the token is over another digest") }
    guard token.nonce == nonce else { throw Refusal(description: "the token answers another query") }
    return (bytes, token)
  }
}
