/// Walks the `name=value` pairs of a record. Words that are no pair are passed over.
///
/// It ends at a byte 0x1D: what an audit daemon adds behind it, the same fields in words and in upper case, is told by
/// `enriched`.
public struct AuditFields: Hashable, Sendable {
  private var at: Int
  private let end: Int

  /// The pairs in `range`.
  public init(_ range: Range<Int>) {
    at = range.lowerBound
    end = range.upperBound
  }

  /// The next pair; nil at the end.
  public mutating func next(in bytes: RawSpan) -> AuditField? {
    while at < end {
      var byte = bytes.integer(UInt8.self, at: at)
      if byte == Self.separator { return nil }
      if byte == Self.space {
        at += 1
        continue
      }
      let start = at
      while at < end, byte != Self.space, byte != Self.separator, byte != UInt8(ascii: "=") {
        at += 1
        byte = bytes.integer(UInt8.self, at: at)
      }
      guard at < end, byte == UInt8(ascii: "="), at > start else {
        // No pair: a word, or an equals sign alone.
        if at < end, byte == UInt8(ascii: "=") { at += 1 }
        continue
      }
      let name = start..<at
      at += 1
      return AuditField(name: name, text: value(in: bytes))
    }
    return nil
  }

  private mutating func value(in bytes: RawSpan) -> AuditText {
    let first = at < end ? bytes.integer(UInt8.self, at: at) : Self.space
    switch first {
    case UInt8(ascii: "\""):
      if let close = bytes.first(first, in: (at + 1)..<end) { return quoted(to: close) }
    case UInt8(ascii: "'"):
      // The message of a program is the last field, and may hold apostrophes of its own.
      let stop = bytes.first(Self.separator, in: at..<end) ?? end
      if stop - 1 > at, bytes.integer(UInt8.self, at: stop - 1) == first { return quoted(to: stop - 1) }
    case UInt8(ascii: "{"):
      if let close = bytes.first(UInt8(ascii: "}"), in: at..<end) {
        defer { at = close + 1 }
        return AuditText(range: at..<(close + 1), form: .plain)
      }
    default: break
    }
    let start = at
    while at < end {
      let byte = bytes.integer(UInt8.self, at: at)
      if byte == Self.space || byte == Self.separator { break }
      at += 1
    }
    return AuditText(range: start..<at, form: .plain)
  }

  private mutating func quoted(to close: Int) -> AuditText {
    defer { at = close + 1 }
    return AuditText(range: (at + 1)..<close, form: .quoted)
  }

  /// The fields behind the byte 0x1D; empty where there are none, as in everything that comes from the kernel.
  public static func enriched(_ range: Range<Int>, in bytes: RawSpan) -> AuditFields {
    let start = bytes.first(separator, in: range).map { $0 + 1 } ?? range.upperBound
    return AuditFields(start..<range.upperBound)
  }

  private static let space = UInt8(ascii: " ")
  private static let separator: UInt8 = 0x1d
}

/// One `name=value`.
public struct AuditField: Hashable, Sendable {
  /// The place of the name.
  public var name: Range<Int>
  /// The value as it stands there.
  public var text: AuditText
}

/// A value in a record: its place, and how it is written.
public struct AuditText: Hashable, Sendable {
  /// How the bytes are written.
  public enum Form: Hashable, Sendable {
    /// As they are, up to the next space.
    case plain
    /// As they are, between quotation marks, which are not part of `range`.
    case quoted
    /// Two digits for each byte: the kernel does so where there is a quotation mark, a space, or what is no ASCII.
    case hexadecimal
  }

  /// Where it stands.
  public var range: Range<Int>
  /// How.
  public var form: Form

  /// A text at this place.
  public init(range: Range<Int>, form: Form) {
    self.range = range
    self.form = form
  }

  /// What a field holds that the kernel writes in quotation marks or, where it cannot, in digits; nil for `(null)` and
  /// the other ways to say that there is nothing.
  func untrusted(in bytes: RawSpan) -> AuditText? {
    guard form == .plain else { return self }
    if range.isEmpty || bytes.equals("(null)", range) || bytes.equals("(none)", range) || bytes.equals("?", range) {
      return nil
    }
    guard range.count % 2 == 0, range.allSatisfy({ bytes.digit(at: $0) != nil }) else { return self }
    return AuditText(range: range, form: .hexadecimal)
  }

  /// How many bytes it is.
  public var count: Int { form == .hexadecimal ? range.count / 2 : range.count }

  /// The byte at an index below `count`.
  public func byte(_ index: Int, in bytes: RawSpan) -> UInt8 {
    guard form == .hexadecimal else { return bytes.integer(UInt8.self, at: range.lowerBound + index) }
    let at = range.lowerBound + 2 * index
    return (bytes.digit(at: at) ?? 0) << 4 | (bytes.digit(at: at + 1) ?? 0)
  }

  /// All of them.
  public func bytes(in bytes: RawSpan) -> [UInt8] {
    let count = count
    return unsafe [UInt8](unsafeUninitializedCapacity: count) { target, filled in
      for index in 0..<count { unsafe target.initializeElement(at: index, to: byte(index, in: bytes)) }
      filled = count
    }
  }

  /// The number in decimal digits, with or without a sign.
  func decimal<T: FixedWidthInteger>(in bytes: RawSpan, as type: T.Type = T.self) -> T? {
    var at = range.lowerBound
    let isNegative = bytes.skip("-", at: &at, before: range.upperBound)
    guard let value = bytes.decimal(at: &at, before: range.upperBound), at == range.upperBound else { return nil }
    return isNegative ? Int64(exactly: value).flatMap { T(exactly: 0 - $0) } : T(exactly: value)
  }

  /// The number in digits of this base.
  func digits(base: UInt8, in bytes: RawSpan) -> UInt64? {
    guard !range.isEmpty else { return nil }
    var value: UInt64 = 0
    for at in range {
      guard let digit = bytes.digit(at: at), digit < base else { return nil }
      let (product, isTooBig) = value.multipliedReportingOverflow(by: UInt64(base))
      guard !isTooBig else { return nil }
      value = product + UInt64(digit)
    }
    return value
  }
}

/// A field's name, for comparing without a string: at most 16 bytes, of which all names that are looked for consist.
struct AuditName: Hashable {
  private var low: UInt64 = 0
  private var high: UInt64 = 0

  init?(_ range: Range<Int>, in bytes: RawSpan) {
    guard range.count <= 16 else { return nil }
    for (index, at) in range.enumerated() { put(bytes.integer(UInt8.self, at: at), index) }
  }

  init(_ name: StaticString) {
    name.withUTF8Buffer { text in
      for index in 0..<min(text.count, 16) { unsafe put(text[index], index) }
    }
  }

  private mutating func put(_ byte: UInt8, _ index: Int) {
    if index < 8 { low |= UInt64(byte) << (8 * index) } else { high |= UInt64(byte) << (8 * (index - 8)) }
  }
}

extension RawSpan {
  /// Whether the text stands at `offset`; moves past it.
  func skip(_ text: StaticString, at offset: inout Int, before end: Int) -> Bool {
    let count = text.utf8CodeUnitCount
    guard offset + count <= end, equals(text, offset..<(offset + count)) else { return false }
    offset += count
    return true
  }

  /// Whether `range` holds exactly this text.
  func equals(_ text: StaticString, _ range: Range<Int>) -> Bool {
    guard range.count == text.utf8CodeUnitCount else { return false }
    for index in 0..<range.count {
      guard unsafe integer(UInt8.self, at: range.lowerBound + index) == text.utf8Start[index] else { return false }
    }
    return true
  }

  /// The number in decimal digits at `offset`; moves past them. Nil where there are none, or too many.
  func decimal(at offset: inout Int, before end: Int) -> UInt64? {
    var value: UInt64 = 0
    var at = offset
    while at < end {
      let digit = integer(UInt8.self, at: at) &- 48
      guard digit < 10 else { break }
      let (product, isTooBig) = value.multipliedReportingOverflow(by: 10)
      let (sum, isTooBigNow) = product.addingReportingOverflow(UInt64(digit))
      guard !isTooBig, !isTooBigNow else { return nil }
      value = sum
      at += 1
    }
    guard at > offset else { return nil }
    offset = at
    return value
  }

  /// The value of a hexadecimal digit.
  func digit(at offset: Int) -> UInt8? {
    switch integer(UInt8.self, at: offset) {
    case let byte where byte >= 48 && byte <= 57: byte - 48
    case let byte where byte >= 65 && byte <= 70: byte - 55
    case let byte where byte >= 97 && byte <= 102: byte - 87
    default: nil
    }
  }

  /// Where the byte stands first in `range`.
  func first(_ byte: UInt8, in range: Range<Int>) -> Int? {
    for at in range where integer(UInt8.self, at: at) == byte { return at }
    return nil
  }

  /// Whether a NUL or a newline is there.
  func isIgnored(at offset: Int) -> Bool {
    let byte = integer(UInt8.self, at: offset)
    return byte == 0 || byte == 0x0a
  }
}
