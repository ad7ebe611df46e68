public import MerkleLog

/// When an RFC 3161 token says that it stamped a digest, as a verifier asks it. Its form and its signature are for
/// `openssl ts -verify`; `TimestampToken` reads more of it, for whoever fetched it.
///
/// ```
/// 0x30 0x82 u16|rest| …     the token, which fills the bytes; in it the digest for the first time, and behind that
/// 0x02 u8|serial| serial    in TSTInfo, behind the imprint
/// 0x18 u8|time| time        YYYYMMDDHHMMSS, perhaps a fraction, Z
/// ```
///
/// No more is looked at, because nobody is known to have signed what is read here.
public struct StampedTime: Sendable, Hashable {
  /// When, in seconds since 1970; rounded up, since it bounds from above.
  public var seconds: UInt64

  /// Reads a token; nil for one over another digest, or of another form.
  public init?(_ token: [UInt8], over digest: Hash) {
    guard token.count >= 4, token[0] == 0x30, token[1] == 0x82, Int(token[2]) << 8 | Int(token[3]) == token.count - 4,
      let place = Self.first(digest.bytes, in: token)
    else { return nil }
    let behind = token[(place + 32)...]
    guard behind.first == 0x02, let length = behind.dropFirst().first,
      case let stamp = behind.dropFirst(2 + Int(length)), stamp.first == 0x18, let count = stamp.dropFirst().first,
      let seconds = Self.seconds(stamp.dropFirst(2).prefix(Int(count)))
    else { return nil }
    self.seconds = seconds
  }

  private static func first(_ digest: [UInt8], in token: [UInt8]) -> Int? {
    guard token.count >= digest.count else { return nil }
    return (0...(token.count - digest.count)).first { token[$0...].starts(with: digest) }
  }

  /// `YYYYMMDDHHMMSS`, perhaps a fraction, `Z`.
  static func seconds(_ text: ArraySlice<UInt8>) -> UInt64? {
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
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    let lengths: [UInt64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    guard year >= 1970, (1...12).contains(month), day >= 1, day <= lengths[Int(month) - 1], hour < 24, minute < 60,
      second < 60
    else { return nil }
    // Days of the proleptic Gregorian calendar, the year beginning in March so that the leap day is its last.
    let shifted = month > 2 ? year : year - 1
    let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + ofYear - 719_468
    return days * 86_400 + hour * 3600 + minute * 60 + second + (rest.isEmpty ? 0 : 1)
  }
}
