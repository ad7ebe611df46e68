/// A wall-clock moment, UTC, in nanoseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Hashable, Sendable, Comparable {
  /// Nanoseconds since the epoch, leap seconds not counted.
  public var nanoseconds: Int64

  /// A moment that many nanoseconds after the epoch.
  public init(nanoseconds: Int64) {
    self.nanoseconds = nanoseconds
  }

  /// A moment that many whole seconds after the epoch.
  public init(seconds: Int64) {
    self.nanoseconds = seconds * 1_000_000_000
  }

  /// Orders by time.
  public static func < (left: Timestamp, right: Timestamp) -> Bool { left.nanoseconds < right.nanoseconds }

  /// Before every recorded moment.
  public static let distantPast = Timestamp(nanoseconds: .min)
  /// After every recorded moment.
  public static let distantFuture = Timestamp(nanoseconds: .max)
}

extension Timestamp: CustomStringConvertible {
  /// RFC 3339 in UTC with as many fraction digits as are needed: none, three, six or nine.
  public var description: String {
    let second = Self.floorDivide(nanoseconds, 1_000_000_000)
    // Wraps only on the way: the first second that 64 bits can hold begins before they do.
    let fraction = nanoseconds &- second &* 1_000_000_000
    let day = Self.floorDivide(second, 86_400)
    let inDay = second - day * 86_400
    let (year, month, date) = Self.civil(fromDays: day)
    var text = "\(Self.pad(year, 4))-\(Self.pad(month, 2))-\(Self.pad(date, 2))"
    text += "T\(Self.pad(inDay / 3600, 2)):\(Self.pad(inDay / 60 % 60, 2)):\(Self.pad(inDay % 60, 2))"
    if fraction != 0 {
      if fraction % 1_000_000 == 0 {
        text += "." + Self.pad(fraction / 1_000_000, 3)
      } else if fraction % 1000 == 0 {
        text += "." + Self.pad(fraction / 1000, 6)
      } else {
        text += "." + Self.pad(fraction, 9)
      }
    }
    return text + "Z"
  }

  /// The same cut to whole milliseconds, for tables.
  public var short: String {
    let (whole, tooEarly) = Self.floorDivide(nanoseconds, 1_000_000).multipliedReportingOverflow(by: 1_000_000)
    return tooEarly ? description : Timestamp(nanoseconds: whole).description
  }

  /// The month in UTC, counted from January of the year 0.
  public var month: Int64 {
    let (year, month, _) = Self.civil(fromDays: Self.floorDivide(nanoseconds, 86_400_000_000_000))
    return year * 12 + month - 1
  }

  /// The beginning of a month that is counted like that.
  public init(month: Int64) {
    let year = Self.floorDivide(month, 12)
    self.init(seconds: Self.days(year: year, month: month - year * 12 + 1, day: 1) * 86_400)
  }

  static func pad(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }

  static func floorDivide(_ value: Int64, _ by: Int64) -> Int64 {
    let quotient = value / by
    return value % by < 0 ? quotient - 1 : quotient
  }

  /// Days since 1970-01-01 to a proleptic Gregorian date (Howard Hinnant's `civil_from_days`).
  static func civil(fromDays days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = floorDivide(shifted, 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
  }

  /// The inverse of `civil(fromDays:)`.
  static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = floorDivide(shiftedYear, 400)
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }
}

extension Timestamp {
  /// Reads the forms people type.
  ///
  /// - RFC 3339 with `Z` or an offset: `2026-11-21T04:36:00.5+01:00` (a space instead of `T` is accepted)
  /// - a date, its first moment in UTC: `2026-11-21`
  /// - `now`
  /// - a time ago: `-90s`, `-15m`, `-2h`, `-3d`, `-1w`
  ///
  /// Nil for anything else, and for moments that 64 bits of nanoseconds cannot hold (1678 to 2262).
  public init?(_ text: String, now: Timestamp) {
    if text == "now" {
      self = now
      return
    }
    if text.first == "-" {
      let digits = text.dropFirst().dropLast()
      guard let unit = text.last, digits.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), let count = Int64(digits) else {
        return nil
      }
      let seconds: Int64
      switch unit {
      case "s": seconds = 1
      case "m": seconds = 60
      case "h": seconds = 3600
      case "d": seconds = 86_400
      case "w": seconds = 604_800
      default: return nil
      }
      let (span, tooLong) = count.multipliedReportingOverflow(by: seconds * 1_000_000_000)
      let (moment, tooEarly) = now.nanoseconds.subtractingReportingOverflow(span)
      guard !tooLong, !tooEarly else { return nil }
      self.init(nanoseconds: moment)
      return
    }
    var reader = DigitReader(bytes: Array(text.utf8))
    guard let moment = reader.rfc3339() else { return nil }
    self = moment
  }
}

/// Reads fixed-width fields of digits; each method returns nil once something does not fit.
private struct DigitReader {
  let bytes: [UInt8]
  var at = 0

  mutating func number(_ width: Int) -> Int64? {
    guard at + width <= bytes.count else { return nil }
    var value: Int64 = 0
    for byte in bytes[at..<(at + width)] {
      guard byte >= 48, byte <= 57 else { return nil }
      value = value * 10 + Int64(byte - 48)
    }
    at += width
    return value
  }

  mutating func take(_ any: String) -> Bool {
    guard at < bytes.count, any.utf8.contains(bytes[at]) else { return false }
    at += 1
    return true
  }

  mutating func rfc3339() -> Timestamp? {
    guard let year = number(4), year >= 1678, year <= 2261, take("-"), let month = number(2),
      (1...12).contains(month), take("-"), let day = number(2), day >= 1
    else { return nil }
    let days = Timestamp.days(year: year, month: month, day: day)
    guard Timestamp.civil(fromDays: days) == (year, month, day) else { return nil }
    if at == bytes.count { return Timestamp(seconds: days * 86_400) }
    guard take("Tt "), let hour = number(2), hour < 24, take(":"), let minute = number(2), minute < 60,
      take(":"), let second = number(2), second < 60
    else { return nil }
    var fraction: Int64 = 0
    if take(".") {
      let start = at
      var scale: Int64 = 100_000_000
      while let digit = number(1) {
        fraction += digit * scale
        scale /= 10
      }
      guard at > start else { return nil }
    }
    var offset: Int64 = 0
    if take("+") || (at < bytes.count && bytes[at] == UInt8(ascii: "-")) {
      let sign: Int64 = bytes[at - 1] == UInt8(ascii: "+") ? 1 : -1
      if sign < 0 { at += 1 }
      guard let hours = number(2), hours < 24, take(":"), let minutes = number(2), minutes < 60 else { return nil }
      offset = sign * (hours * 3600 + minutes * 60)
    } else if !take("Zz") {
      return nil
    }
    guard at == bytes.count else { return nil }
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset
    return Timestamp(nanoseconds: seconds * 1_000_000_000 + fraction)
  }
}

extension Timestamp {
  /// Nanoseconds since 1970 as the log and its certificates have them; what was before is 1970.
  public var unsigned: UInt64 { UInt64(clamping: nanoseconds) }
}
