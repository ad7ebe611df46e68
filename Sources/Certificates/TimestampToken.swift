public import MerkleLog

/// What an RFC 3161 token says was stamped, and when. Its signature is not looked at.
///
/// ```
/// ContentInfo { id-signedData, [0] SignedData { version, digestAlgorithms,
///   { id-ct-TSTInfo, [0] OCTET STRING { TSTInfo { 1, policy, { { sha256 }, digest }, serial, genTime, accuracy?, ordering?, nonce?, … } } }, … } }
/// ```
public struct TimestampToken: Sendable, Hashable {
  /// What was stamped.
  public var digest: Hash
  /// When, in seconds since 1970, as a verifier will read it.
  public var seconds: UInt64
  /// The nonce of whoever asked, as its INTEGER's bytes; nil where there is none.
  public var nonce: [UInt8]?

  private static let signedData: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02]
  private static let tstInfo: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x10, 0x01, 0x04]
  static let sha256: [UInt8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01]

  /// Reads a token; nil for anything but DER of this shape.
  public init?(_ token: [UInt8]) {
    var outer = Der(token[...])
    guard var info = outer.inside(0x30), outer.isAtEnd, info.next(0x06)?.elementsEqual(Self.signedData) == true,
      var explicit = info.inside(0xA0), var signed = explicit.inside(0x30), signed.next(0x02) != nil,
      signed.next(0x31) != nil, var content = signed.inside(0x30),
      content.next(0x06)?.elementsEqual(Self.tstInfo) == true, var wrapped = content.inside(0xA0),
      var string = wrapped.inside(0x04), var stamp = string.inside(0x30), string.isAtEnd,
      stamp.next(0x02)?.elementsEqual([1]) == true, stamp.next(0x06) != nil, var imprint = stamp.inside(0x30),
      var algorithm = imprint.inside(0x30), algorithm.next(0x06)?.elementsEqual(Self.sha256) == true,
      let bytes = imprint.next(0x04), let digest = Hash(bytes), stamp.next(0x02) != nil,
      let time = stamp.next(0x18), let seconds = StampedTime.seconds(time)
    else { return nil }
    self.digest = digest
    self.seconds = seconds
    // accuracy, ordering and nonce may each be left out.
    _ = stamp.next(0x30)
    _ = stamp.next(0x01)
    nonce = stamp.next(0x02).map(Array.init)
  }
}

/// Walks definite-length DER values.
struct Der {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  var isAtEnd: Bool { rest.isEmpty }

  /// The content of the next value when it has this tag.
  mutating func next(_ tag: UInt8) -> ArraySlice<UInt8>? {
    guard rest.first == tag, let short = rest.dropFirst().first else { return nil }
    var body = rest.dropFirst(2)
    var length = Int(short)
    if short >= 0x80 {
      let count = Int(short & 0x7F)
      guard (1...4).contains(count), body.count >= count else { return nil }
      length = body.prefix(count).reduce(0) { $0 << 8 | Int($1) }
      body = body.dropFirst(count)
    }
    guard body.count >= length else { return nil }
    rest = body.dropFirst(length)
    return body.prefix(length)
  }

  /// The next value with its tag and length, when it has this tag.
  mutating func whole(_ tag: UInt8) -> ArraySlice<UInt8>? {
    let before = rest
    return next(tag) == nil ? nil : before[..<rest.startIndex]
  }

  /// The values inside the next one when it has this tag.
  mutating func inside(_ tag: UInt8) -> Der? { next(tag).map(Der.init) }
}
