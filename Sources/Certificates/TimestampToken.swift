public import MerkleLog

/// What an RFC 3161 token says was stamped, and when. Its signature is not looked at.
///
/// ```
/// ContentInfo { id-signedData, [0] SignedData { version, digestAlgorithms,
///   { id-ct-TSTInfo, [0] OCTET STRING { TSTInfo { 1, policy, { { sha256 }, digest }, serial, genTime, … } } }, … } }
/// ```
public struct TimestampToken: Sendable, Hashable {
  /// What was stamped.
  public var digest: Hash
  /// When, in seconds since 1970.
  public var seconds: UInt64

  private static let signedData: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02]
  private static let tstInfo: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x10, 0x01, 0x04]
  private static let sha256: [UInt8] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01]

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
      let time = stamp.next(0x18), let seconds = Self.seconds(time)
    else { return nil }
    self.digest = digest
    self.seconds = seconds
  }

  /// `YYYYMMDDHHMMSS`, perhaps a fraction, `Z`; rounded up, since it bounds from above.
  private static func seconds(_ text: ArraySlice<UInt8>) -> UInt64? {
    let digits = text.prefix(14).map { UInt64($0) &- 0x30 }
    let rest = text.dropFirst(14).dropLast()
    guard digits.count == 14, digits.allSatisfy({ $0 < 10 }), text.last == UInt8(ascii: "Z"),
      rest.isEmpty
        || (rest.count > 1 && rest.first == UInt8(ascii: ".")
          && rest.dropFirst().allSatisfy { $0 >= 0x30 && $0 <= 0x39 })
    else { return nil }
    func number(_ range: Range<Int>) -> UInt64 { digits[range].reduce(0) { $0 * 10 + $1 } }
    let (year, month, day) = (number(0..<4), number(4..<6), number(6..<8))
    let (hour, minute, second) = (number(8..<10), number(10..<12), number(12..<14))
    guard year >= 1970, (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second < 61 else {
      return nil
    }
    // Days of the proleptic Gregorian calendar, the year beginning in March so that the leap day is its last.
    let shifted = month > 2 ? year : year - 1
    let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + ofYear - 719_468
    return days * 86_400 + hour * 3600 + minute * 60 + second + (rest.isEmpty ? 0 : 1)
  }
}

/// Walks definite-length DER values.
private struct Der {
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

  /// The values inside the next one when it has this tag.
  mutating func inside(_ tag: UInt8) -> Der? { next(tag).map(Der.init) }
}
