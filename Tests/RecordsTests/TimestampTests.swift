import Records
import Testing

struct TimestampTests {
  private let now = Timestamp(seconds: 1_795_236_000)

  private func read(_ text: String) -> Int64? { Timestamp(text, now: now)?.nanoseconds }

  @Test(
    "RFC 3339 is read to the nanosecond, in any offset",
    arguments: [
      ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00.000000001Z", 1),
      ("1969-12-31T23:59:59.999999999Z", -1),
      ("2001-09-09T01:46:40Z", 1_000_000_000_000_000_000),
      ("2001-09-09T03:46:40+02:00", 1_000_000_000_000_000_000),
      ("2001-09-08T20:16:40-05:30", 1_000_000_000_000_000_000),
      ("2001-09-09t01:46:40z", 1_000_000_000_000_000_000),
      ("2001-09-09 01:46:40Z", 1_000_000_000_000_000_000), ("1970-01-01T00:00:00-00:00", 0),
      ("1970-01-01T00:00:01.5Z", 1_500_000_000), ("1970-01-01T00:00:01.25+00:00", 1_250_000_000),
      ("1970-01-01T00:00:00.1234567899Z", 123_456_789), ("1969-12-31T00:00:00-24:00", nil),
      ("2024-02-29T00:00:00Z", 1_709_164_800_000_000_000), ("2000-02-29T00:00:00Z", 951_782_400_000_000_000),
    ] as [(String, Int64?)])
  func rfc3339(text: String, nanoseconds: Int64?) {
    #expect(read(text) == nanoseconds)
  }

  @Test("a date is its first moment in UTC")
  func date() {
    #expect(read("1970-01-02") == 86_400_000_000_000)
    #expect(read("1969-12-31") == -86_400_000_000_000)
    #expect(read("2024-02-29") == 1_709_164_800_000_000_000)
  }

  @Test(
    "a day that the calendar does not have is refused",
    arguments: [
      "2023-02-29", "1900-02-29", "2100-02-29", "2024-02-30", "2024-04-31", "2024-00-01", "2024-13-01",
      "2024-01-00",
      "2024-01-32", "2024-06-31T00:00:00Z", "2024-01-99",
    ])
  func noSuchDay(text: String) {
    #expect(read(text) == nil)
  }

  @Test(
    "anything else is refused",
    arguments: [
      "", " ", "NOW", "now ", "yesterday", "2024", "2024-1-1", "24-01-01", "2024/01/01", "2024-01-01T",
      "2024-01-01Z",
      "2024-01-01T00", "2024-01-01T00:00Z", "2024-01-01T00:00:00", "2024-01-01T00:00:00.Z",
      "2024-01-01T24:00:00Z",
      "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024-01-01T00:00:00+1:00", "2024-01-01T00:00:00+01",
      "2024-01-01T00:00:00+0100", "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00+01:60",
      "2024-01-01T00:00:00ZZ",
      "2024-01-01T00:00:00Z ", " 2024-01-01", "2024-01-01T00:00:00\u{661}Z", "+2024-01-01",
      "2024-01-01T-1:00:00Z",
      "1677-12-31T23:59:59Z", "2262-01-01", "9999-12-31T23:59:59Z", "0000-01-01", "-", "-h", "-2", "-2y",
      "-2H",
      "2h", "--2h", "-2.5h", "- 2h", "-2h ", "-2hh",
    ])
  func refused(text: String) {
    #expect(read(text) == nil)
  }

  @Test("the range ends where 64 bits of nanoseconds do, to the year")
  func range() {
    #expect(read("1678-01-01T00:00:00+23:59") != nil)
    #expect(read("2261-12-31T23:59:59.999999999-23:59") != nil)
  }

  @Test("now and a time ago are counted from the moment given")
  func relative() {
    #expect(read("now") == now.nanoseconds)
    for (text, seconds) in [
      ("-0s", 0), ("-90s", 90), ("-15m", 900), ("-2h", 7200), ("-3d", 259_200), ("-1w", 604_800),
      ("-007s", 7),
    ] as [(String, Int64)] {
      #expect(read(text) == now.nanoseconds - seconds * 1_000_000_000)
    }
  }

  @Test(
    "a time ago that 64 bits cannot hold is refused",
    arguments: [
      "-9223372036854775807s", "-9223372037s", "-15251w", "-99999999999999999999s", "-9223372036854775808w",
    ])
  func tooLongAgo(text: String) {
    #expect(Timestamp(text, now: Timestamp(nanoseconds: -86_400_000_000_000)) == nil)
  }

  @Test("a sign within a time ago is no number", arguments: ["-+5s", "--0s"])
  func signedAgo(text: String) {
    #expect(read(text) == nil)
  }

  @Test(
    "as many fraction digits are printed as are needed",
    arguments: [
      (0, "1970-01-01T00:00:00Z"), (1, "1970-01-01T00:00:00.000000001Z"),
      (1000, "1970-01-01T00:00:00.000001Z"),
      (1_000_000, "1970-01-01T00:00:00.001Z"), (100_000_000, "1970-01-01T00:00:00.100Z"),
      (-1, "1969-12-31T23:59:59.999999999Z"), (-1_000_000_000, "1969-12-31T23:59:59Z"),
      (-86_400_000_000_000, "1969-12-31T00:00:00Z"), (951_782_400_000_000_000, "2000-02-29T00:00:00Z"),
      (.max, "2262-04-11T23:47:16.854775807Z"), (-9_223_372_036_000_000_000, "1677-09-21T00:12:44Z"),
    ] as [(Int64, String)])
  func printing(nanoseconds: Int64, text: String) {
    #expect(Timestamp(nanoseconds: nanoseconds).description == text)
  }

  @Test("the short form cuts to milliseconds, towards the past")
  func short() {
    #expect(Timestamp(nanoseconds: 1_999_999).short == "1970-01-01T00:00:00.001Z")
    #expect(Timestamp(nanoseconds: -1).short == "1969-12-31T23:59:59.999Z")
    #expect(Timestamp(nanoseconds: 999_999).short == "1970-01-01T00:00:00Z")
  }

  @Test("the first moments that can be held are printed, not trapped on")
  func distantPast() async {
    await #expect(processExitsWith: .success) { _ = Timestamp.distantPast.description }
    await #expect(processExitsWith: .success) { _ = Timestamp.distantPast.short }
  }

  @Test("what is printed is read back as the same moment", arguments: 0..<50)
  func roundTrip(seed: Int) {
    var random = Random(seed: seed)
    for unit in [1, 1000, 1_000_000, 1_000_000_000, 86_400_000_000_000] as [Int64] {
      // The years 1678 to 2261, which can be read.
      let reach = 9_180_000_000_000_000_000 / unit
      let moment = Timestamp(nanoseconds: Int64.random(in: -reach...reach, using: &random) * unit)
      #expect(Timestamp(moment.description, now: now) == moment)
    }
  }

  @Test("each day of four centuries is printed as the day after the one before")
  func everyDay() {
    var (year, month, day) = (1800, 1, 1)
    var at = Timestamp("1800-01-01", now: now)
    for _ in 0..<146_097 {
      let text = at?.description.prefix(10)
      let expected = [year, month, day].map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: "-")
      if text ?? "" != expected {
        Issue.record("\(text ?? "nil") instead of \(expected)")
        return
      }
      let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
      let length = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
      (year, month, day) =
        day < length ? (year, month, day + 1) : month < 12 ? (year, month + 1, 1) : (year + 1, 1, 1)
      at?.nanoseconds += 86_400_000_000_000
    }
    #expect(at?.description == "2200-01-01T00:00:00Z")
  }
}
