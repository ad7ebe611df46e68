/// Base64 with the alphabet and padding of RFC 4648 §4.
///
/// One value has one text: padding is required, the unused bits of the last group are zero, nothing else is
/// tolerated. A signature line that could be written in two ways would be two notes.
public enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  private static let values: [UInt8] = {
    var table = [UInt8](repeating: 0xff, count: 256)
    for (value, letter) in alphabet.enumerated() { table[Int(letter)] = UInt8(value) }
    return table
  }()

  /// The text of the bytes.
  public static func encode(_ bytes: [UInt8]) -> String {
    var out: [UInt8] = []
    out.reserveCapacity((bytes.count + 2) / 3 * 4)
    var at = 0
    while at < bytes.count {
      let have = min(3, bytes.count - at)
      var group = UInt32(bytes[at]) << 16
      if have > 1 { group |= UInt32(bytes[at + 1]) << 8 }
      if have > 2 { group |= UInt32(bytes[at + 2]) }
      for place in 0..<4 {
        out.append(place <= have ? alphabet[Int(group >> UInt32(18 - 6 * place) & 63)] : UInt8(ascii: "="))
      }
      at += 3
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// The bytes of the text; nil where it is not exactly what `encode` writes.
  public static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    var out: [UInt8] = []
    out.reserveCapacity(text.count / 4 * 3)
    var group: UInt32 = 0
    var letters = 0
    var padding = 0
    for letter in text {
      if letter == UInt8(ascii: "=") {
        padding += 1
      } else {
        let value = values[Int(letter)]
        guard padding == 0, value != 0xff else { return nil }
        group = group << 6 | UInt32(value)
        letters += 1
        if letters % 4 == 0 {
          out.append(UInt8(truncatingIfNeeded: group >> 16))
          out.append(UInt8(truncatingIfNeeded: group >> 8))
          out.append(UInt8(truncatingIfNeeded: group))
          group = 0
        }
      }
    }
    switch (letters % 4, padding) {
    case (0, 0): break
    case (2, 2) where group & 0xf == 0: out.append(UInt8(truncatingIfNeeded: group >> 4))
    case (3, 1) where group & 0x3 == 0:
      out.append(UInt8(truncatingIfNeeded: group >> 10))
      out.append(UInt8(truncatingIfNeeded: group >> 2))
    default: return nil
    }
    return out
  }
}

/// Lower-case hexadecimal, two digits a byte (RFC 4648 §8, but for the case).
public enum Hex {
  private static let digits = Array("0123456789abcdef".utf8)

  /// The text of the bytes.
  public static func encode(_ bytes: some Sequence<UInt8>) -> String {
    var out: [UInt8] = []
    for byte in bytes {
      out.append(digits[Int(byte >> 4)])
      out.append(digits[Int(byte & 15)])
    }
    return String(decoding: out, as: UTF8.self)
  }

  /// The bytes of the text; nil for an odd length, an upper-case digit or anything else.
  public static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    guard text.count % 2 == 0 else { return nil }
    var out: [UInt8] = []
    var high: UInt8?
    for letter in text {
      let value: UInt8
      switch letter {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = letter - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = letter - UInt8(ascii: "a") + 10
      default: return nil
      }
      if let first = high {
        out.append(first << 4 | value)
        high = nil
      } else {
        high = value
      }
    }
    return out
  }
}

/// Decimal integers as every text of ours holds them: ASCII digits, no sign, no leading zero.
public enum Decimal {
  /// What no number of ours reaches: as nanoseconds the year 2255. Below 2^63, and told by the digits alone.
  public static let limit: UInt64 = 9_000_000_000_000_000_000

  /// The number; nil for anything but its one spelling, and from `limit` on.
  public static func parse(_ text: some Collection<UInt8>) -> UInt64? {
    guard let first = text.first, text.count <= 19, first != UInt8(ascii: "0") || text.count == 1 else { return nil }
    var value: UInt64 = 0
    for letter in text {
      guard letter >= UInt8(ascii: "0"), letter <= UInt8(ascii: "9") else { return nil }
      value = value * 10 + UInt64(letter - UInt8(ascii: "0"))
    }
    return value < limit ? value : nil
  }
}
