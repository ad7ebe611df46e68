/// A glob over raw bytes, anchored at both ends.
///
/// | token | matches |
/// |---|---|
/// | `?` | one byte but `/` |
/// | `*` | any run of bytes but `/` |
/// | `**` as a whole component | any number of components, none included |
/// | `{name}` | like `*`, not empty, and remembered under `name` |
/// | `\c` | the byte `c` |
public struct PathPattern: Hashable, Sendable {
  /// Why a pattern is refused.
  public enum Malformed: Error, Equatable, Sendable {
    /// Nothing was given.
    case empty
    /// A backslash ends the pattern, or a brace is not closed or names nothing.
    case unfinished(offset: Int)
    /// `**` shares its component with something else.
    case starsInsideComponent(offset: Int)
  }

  enum Token: Hashable, Sendable {
    case byte(UInt8)
    case one
    case run(capture: String?)

    /// Whether it stands for this byte.
    func isOne(_ other: UInt8) -> Bool {
      switch self {
      case .byte(let byte): byte == other
      case .one: true
      case .run: false
      }
    }
  }

  enum Component: Hashable, Sendable {
    case anything
    case tokens([Token])
  }

  /// The pattern as it was written.
  public let source: String
  let absolute: Bool
  let components: [Component]

  /// Compiles a pattern.
  public init(_ source: String) throws(Malformed) {
    guard !source.isEmpty else { throw .empty }
    self.source = source
    let bytes = Array(source.utf8)
    absolute = bytes[0] == RawPath.slash
    var components: [Component] = []
    var offset = 0
    for part in bytes.split(separator: RawPath.slash, omittingEmptySubsequences: false) {
      defer { offset += part.count + 1 }
      if part.isEmpty { continue }
      if part.elementsEqual("**".utf8) {
        if components.last != .anything { components.append(.anything) }
        continue
      }
      components.append(.tokens(try Self.tokens(part, at: offset)))
    }
    self.components = components
  }

  private static func tokens(_ part: ArraySlice<UInt8>, at offset: Int) throws(Malformed) -> [Token] {
    var tokens: [Token] = []
    var at = part.startIndex
    while at < part.endIndex {
      let here = offset + at - part.startIndex
      switch part[at] {
      case UInt8(ascii: "?"): tokens.append(.one)
      case UInt8(ascii: "*"):
        guard at + 1 == part.endIndex || part[at + 1] != UInt8(ascii: "*") else {
          throw .starsInsideComponent(offset: here)
        }
        tokens.append(.run(capture: nil))
      case UInt8(ascii: "{"):
        guard let close = part[at...].firstIndex(of: UInt8(ascii: "}")), close > at + 1 else {
          throw .unfinished(offset: here)
        }
        tokens.append(.run(capture: String(decoding: part[(at + 1)..<close], as: UTF8.self)))
        at = close
      case UInt8(ascii: "\\"):
        at += 1
        guard at < part.endIndex else { throw .unfinished(offset: here) }
        tokens.append(.byte(part[at]))
      case let byte: tokens.append(.byte(byte))
      }
      at += 1
    }
    return tokens
  }

  /// Whether a path could match of which only the last component is known, or nothing where that is empty.
  public func couldMatch(name: RawPath) -> Bool {
    guard !name.bytes.isEmpty, let last = source.split(separator: "/").last, last != "**",
      let tail = try? PathPattern("**/" + last)
    else { return true }
    return tail.matches(RawPath("/").appending(name.lastComponent))
  }

  /// Whether the whole path matches.
  public func matches(_ path: RawPath) -> Bool { captures(path) != nil }

  /// What the named runs stand for; nil where the path does not match.
  public func captures(_ path: RawPath) -> [String: [UInt8]]? {
    guard path.isAbsolute == absolute || components.first == .anything else { return nil }
    let parts = path.bytes.split(separator: RawPath.slash)
    var found: [String: [UInt8]] = [:]
    return Self.match(components[...], parts[...], &found) ? found : nil
  }

  private static func match(
    _ pattern: ArraySlice<Component>, _ parts: ArraySlice<ArraySlice<UInt8>>,
    _ found: inout [String: [UInt8]]
  ) -> Bool {
    // Greedy with one backtracking point suffices: a later `**` can always take over an earlier one's slack.
    var pattern = pattern
    var parts = parts
    var retry: (pattern: ArraySlice<Component>, parts: ArraySlice<ArraySlice<UInt8>>)?
    while true {
      if let head = pattern.first {
        switch head {
        case .anything:
          pattern = pattern.dropFirst()
          if pattern.isEmpty { return true }
          retry = (pattern, parts)
          continue
        case .tokens(let tokens):
          if let part = parts.first, match(tokens, part, &found) {
            pattern = pattern.dropFirst()
            parts = parts.dropFirst()
            continue
          }
        }
      } else if parts.isEmpty {
        return true
      }
      guard let back = retry, !back.parts.isEmpty else { return false }
      parts = back.parts.dropFirst()
      pattern = back.pattern
      retry = (pattern, parts)
    }
  }

  /// Matches one component, in time proportional to the product of the two lengths.
  static func match(
    _ tokens: [Token], _ bytes: ArraySlice<UInt8>, _ found: inout [String: [UInt8]]
  ) -> Bool {
    // Each run takes as little as it can, and only the last one ever takes more: what an earlier one could take more,
    // a later one can take as well. Trying them all would take years for a few stars and a long name.
    var runs: [(name: String?, bytes: Range<Int>)] = []
    var behindRun = 0
    var token = 0
    var at = bytes.startIndex
    while token < tokens.count || at < bytes.endIndex {
      if token < tokens.count, case .run(let name) = tokens[token] {
        let end = name == nil ? at : at + 1
        guard end <= bytes.endIndex else { return false }
        runs.append((name, at..<end))
        token += 1
        behindRun = token
        at = end
      } else if token < tokens.count, at < bytes.endIndex, tokens[token].isOne(bytes[at]) {
        token += 1
        at += 1
      } else {
        guard let last = runs.popLast(), last.bytes.upperBound < bytes.endIndex else { return false }
        at = last.bytes.upperBound + 1
        runs.append((last.name, last.bytes.lowerBound..<at))
        token = behindRun
      }
    }
    for run in runs.reversed() {
      if let name = run.name { found[name] = Array(bytes[run.bytes]) }
    }
    return true
  }
}
