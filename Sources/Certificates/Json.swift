internal import MerkleLog

/// The part of JSON that an evidence file uses, read strictly.
///
/// Objects, arrays, strings and whole numbers below 9·10^18 without leading zeros; no `true`, `false`, `null`, sign,
/// fraction or exponent. A string is UTF-8 without bytes below 0x20 and knows three escapes: `\"`, `\\` and `\n`. White
/// space between tokens is space, tab, newline and carriage return. A key stands once in an object. At most eight
/// levels; nothing follows the value.
///
/// A reader of one's own, because two readers that differ in what they forgive read two different files: of two equal
/// keys one takes the first and one the last.
indirect enum Json {
  case object([(key: [UInt8], value: Json)])
  case array([Json])
  case string([UInt8])
  case number(UInt64)

  /// Levels of objects and arrays.
  static let deepest = 8
  /// Far above four hundred epochs, and still read in seconds.
  static let mostBytes = 1 << 28

  /// Reads one value that fills the bytes.
  init?(_ bytes: [UInt8]) {
    guard bytes.count <= Self.mostBytes, String(validating: bytes, as: UTF8.self) != nil else { return nil }
    var reader = JsonReader(bytes: bytes)
    guard let value = reader.value(depth: 0) else { return nil }
    reader.skipSpace()
    guard reader.at == bytes.count else { return nil }
    self = value
  }

  /// The values of an object that has exactly these keys, in this order.
  func fields(_ keys: String...) -> [Json]? {
    guard case .object(let members) = self, members.count == keys.count,
      zip(members, keys).allSatisfy({ $0.key.elementsEqual($1.utf8) })
    else { return nil }
    return members.map(\.value)
  }

  var elements: [Json]? { if case .array(let elements) = self { elements } else { nil } }
  var bytes: [UInt8]? { if case .string(let bytes) = self { bytes } else { nil } }
  var integer: UInt64? { if case .number(let number) = self { number } else { nil } }

  /// Appends the value without white space.
  func write(to out: inout [UInt8]) {
    switch self {
    case .number(let number): out += Array(String(number).utf8)
    case .string(let bytes):
      out.append(UInt8(ascii: "\""))
      for byte in bytes {
        switch byte {
        case UInt8(ascii: "\n"): out += Array("\\n".utf8)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): out += [UInt8(ascii: "\\"), byte]
        default: out.append(byte)
        }
      }
      out.append(UInt8(ascii: "\""))
    case .array(let elements):
      out.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        element.write(to: &out)
      }
      out.append(UInt8(ascii: "]"))
    case .object(let members):
      out.append(UInt8(ascii: "{"))
      for (index, member) in members.enumerated() {
        if index > 0 { out.append(UInt8(ascii: ",")) }
        Json.string(member.key).write(to: &out)
        out.append(UInt8(ascii: ":"))
        member.value.write(to: &out)
      }
      out.append(UInt8(ascii: "}"))
    }
  }
}

/// Each method returns nil once something does not fit.
private struct JsonReader {
  let bytes: [UInt8]
  var at = 0

  mutating func skipSpace() {
    while at < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[at]) { at += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    skipSpace()
    guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
    at += 1
    return true
  }

  mutating func value(depth: Int) -> Json? {
    skipSpace()
    guard at < bytes.count else { return nil }
    switch bytes[at] {
    case UInt8(ascii: "{"): return depth < Json.deepest ? object(depth: depth + 1) : nil
    case UInt8(ascii: "["): return depth < Json.deepest ? array(depth: depth + 1) : nil
    case UInt8(ascii: "\""): return string().map(Json.string)
    case UInt8(ascii: "0")...UInt8(ascii: "9"): return number().map(Json.number)
    default: return nil
    }
  }

  private mutating func object(depth: Int) -> Json? {
    at += 1
    var members: [(key: [UInt8], value: Json)] = []
    if take("}") { return .object(members) }
    while true {
      skipSpace()
      guard at < bytes.count, bytes[at] == UInt8(ascii: "\""), let key = string(), take(":"),
        let value = value(depth: depth), members.count < 64, !members.contains(where: { $0.key == key })
      else { return nil }
      members.append((key, value))
      if take("}") { return .object(members) }
      guard take(",") else { return nil }
    }
  }

  private mutating func array(depth: Int) -> Json? {
    at += 1
    var elements: [Json] = []
    if take("]") { return .array(elements) }
    while true {
      guard let value = value(depth: depth) else { return nil }
      elements.append(value)
      if take("]") { return .array(elements) }
      guard take(",") else { return nil }
    }
  }

  private mutating func string() -> [UInt8]? {
    at += 1
    var out: [UInt8] = []
    while at < bytes.count {
      let byte = bytes[at]
      at += 1
      switch byte {
      case UInt8(ascii: "\""): return out
      case UInt8(ascii: "\\"):
        guard at < bytes.count else { return nil }
        switch bytes[at] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): out.append(bytes[at])
        case UInt8(ascii: "n"): out.append(0x0A)
        default: return nil
        }
        at += 1
      case 0..<0x20: return nil
      default: out.append(byte)
      }
    }
    return nil
  }

  private mutating func number() -> UInt64? {
    let start = at
    while at < bytes.count, bytes[at] >= 0x30, bytes[at] <= 0x39 { at += 1 }
    return Decimal.parse(bytes[start..<at])
  }
}
