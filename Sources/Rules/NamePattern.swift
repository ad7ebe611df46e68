/// A glob over one run of bytes: a file's name, or the value of an environment variable.
///
/// Knows `?`, `*`, `\c` as `PathPattern` does, but `/` is a byte like any other, and captures have types:
///
/// | capture | matches |
/// |---|---|
/// | `{version}` | a digit, then letters, digits and `.` `-` `_` `+` |
/// | `{pid}` | the decimal number of the process that is asked about |
/// | `{conversation}` | a UUID in its 36-byte form |
///
/// Matching allocates nothing: it is asked for the name of every file that anybody opens.
struct NamePattern: Hashable, Sendable {
  enum Token: Hashable, Sendable {
    case byte(UInt8)
    case one
    case run
    case version
    case pid
    case conversation
  }

  /// Why a pattern is refused, in words for the operator.
  struct Malformed: Error {
    let reason: String
  }

  private let tokens: [Token]

  /// Compiles a pattern in which the captures `allowed` may occur, each once.
  init(_ source: some Collection<UInt8>, captures allowed: [String]) throws(Malformed) {
    let bytes = Array(source)
    var tokens: [Token] = []
    var at = 0
    while at < bytes.count {
      switch bytes[at] {
      case UInt8(ascii: "?"): tokens.append(.one)
      case UInt8(ascii: "*"):
        // A second star adds nothing but ways to backtrack.
        if tokens.last != .run { tokens.append(.run) }
      case UInt8(ascii: "\\"):
        at += 1
        guard at < bytes.count else { throw Malformed(reason: "a backslash ends the pattern") }
        tokens.append(.byte(bytes[at]))
      case UInt8(ascii: "{"):
        guard let close = bytes[at...].firstIndex(of: UInt8(ascii: "}")) else {
          throw Malformed(reason: "a brace is not closed")
        }
        let token = try Self.capture(String(decoding: bytes[(at + 1)..<close], as: UTF8.self), allowed)
        tokens.append(token)
        at = close
      case let byte: tokens.append(.byte(byte))
      }
      at += 1
    }
    self.tokens = tokens
  }

  private static func capture(_ name: String, _ allowed: [String]) throws(Malformed) -> Token {
    if allowed.contains(name) {
      switch name {
      case "version": return .version
      case "pid": return .pid
      case "conversation": return .conversation
      default: break
      }
    }
    let known = allowed.map { "{\($0)}" }.joined(separator: ", ")
    throw Malformed(reason: "{\(name)} means nothing here (known: \(known.isEmpty ? "none" : known))")
  }

  /// Where in the bytes the conversation id stands, once they match.
  struct Match {
    var conversation: Range<Int>?
  }

  /// Whether all of `bytes` matches, for process `pid`.
  func match(_ bytes: Span<UInt8>, pid: Int32 = 0) -> Match? {
    var found = Match()
    return match(from: 0, bytes, at: 0, pid: pid, &found) == .matched ? found : nil
  }

  private enum Outcome {
    case matched
    case failed
    /// A run has tried every place behind it in vain. An earlier one that moves on leaves it fewer, so none of them need
    /// try: without this, a few stars and a long name would take years.
    case exhausted
  }

  private func match(
    from token: Int, _ bytes: Span<UInt8>, at: Int, pid: Int32, _ found: inout Match
  ) -> Outcome {
    guard token < tokens.count else { return at == bytes.count ? .matched : .failed }
    let next = token + 1
    switch tokens[token] {
    case .byte(let byte):
      guard at < bytes.count, bytes[at] == byte else { return .failed }
      return match(from: next, bytes, at: at + 1, pid: pid, &found)
    case .one:
      guard at < bytes.count else { return .failed }
      return match(from: next, bytes, at: at + 1, pid: pid, &found)
    case .run:
      if next == tokens.count { return .matched }
      for cut in at...bytes.count {
        let outcome = match(from: next, bytes, at: cut, pid: pid, &found)
        if outcome != .failed { return outcome }
      }
      return .exhausted
    case .version:
      guard at < bytes.count, bytes[at].isDigit else { return .failed }
      var cut = at + 1
      while true {
        let outcome = match(from: next, bytes, at: cut, pid: pid, &found)
        if outcome != .failed { return outcome }
        guard cut < bytes.count, bytes[cut].isVersionByte else { return .failed }
        cut += 1
      }
    case .pid:
      guard let end = Self.end(of: pid, in: bytes, at: at) else { return .failed }
      return match(from: next, bytes, at: end, pid: pid, &found)
    case .conversation:
      guard Self.isUUID(bytes, at: at) else { return .failed }
      found.conversation = at..<(at + 36)
      return match(from: next, bytes, at: at + 36, pid: pid, &found)
    }
  }

  /// Where the decimal digits of `pid` end, if they stand at `at`; leading zeros are not its name.
  private static func end(of pid: Int32, in bytes: Span<UInt8>, at: Int) -> Int? {
    guard pid > 0 else { return nil }
    var scale: Int32 = 1
    while pid / scale >= 10 { scale *= 10 }
    var at = at
    while scale > 0 {
      let digit = UInt8(truncatingIfNeeded: pid / scale % 10) + UInt8(ascii: "0")
      guard at < bytes.count, bytes[at] == digit else { return nil }
      at += 1
      scale /= 10
    }
    return at
  }

  private static func isUUID(_ bytes: Span<UInt8>, at: Int) -> Bool {
    guard bytes.count - at >= 36 else { return false }
    for offset in 0..<36 {
      let byte = bytes[at + offset]
      switch offset {
      case 8, 13, 18, 23: guard byte == UInt8(ascii: "-") else { return false }
      default: guard byte.isHexDigit else { return false }
      }
    }
    return true
  }
}

extension UInt8 {
  var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }

  var isHexDigit: Bool {
    let low = self | 0x20
    return isDigit || (low >= UInt8(ascii: "a") && low <= UInt8(ascii: "f"))
  }

  var isLetterOrDigit: Bool {
    let low = self | 0x20
    return isDigit || (low >= UInt8(ascii: "a") && low <= UInt8(ascii: "z"))
  }

  /// Whether the byte may stand in a version after its first digit.
  var isVersionByte: Bool {
    isLetterOrDigit || self == UInt8(ascii: ".") || self == UInt8(ascii: "-") || self == UInt8(ascii: "_")
      || self == UInt8(ascii: "+")
  }
}
