internal import Records

extension FuzzTarget {
  /// Path patterns, and what people type and read.
  public static let records = [FuzzTarget(name: "pattern", run: pattern), FuzzTarget(name: "text", run: text)]
}

/// A pattern up to the first NUL, then a path: the matcher says what the table of its documentation says.
@Sendable private func pattern(_ bytes: [UInt8]) throws {
  let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
  guard let source = String(validating: parts[0], as: UTF8.self), let pattern = try? PathPattern(source) else { return }
  let path = RawPath(parts.count > 1 ? Array(parts[1]) : [])
  let captures = pattern.captures(path)
  try promise(pattern.matches(path) == (captures != nil), "captures and matches disagree")
  for (name, value) in captures ?? [:] {
    try promise(!value.isEmpty && !value.contains(0x2f), "{\(name)} stands for \(value)")
  }
  // The table costs the product of both lengths.
  guard source.utf8.count * (path.bytes.count + 1) <= 1 << 16 else { return }
  let expected = Reference(Array(source.utf8)).matches(path.bytes)
  try promise((captures != nil) == expected, "\(source) on \(path): \(captures != nil), should be \(expected)")
}

/// The same language without any cleverness: a table of which rest of the pattern matches which rest of the path.
private struct Reference {
  enum Token {
    case byte(UInt8)
    case one, some, many
    /// The end of a component of the pattern.
    case end
    /// Any number of components.
    case components
  }

  private var tokens: [Token] = []
  private let isAbsolute: Bool

  init(_ source: [UInt8]) {
    isAbsolute = source.first == 0x2f
    for part in source.split(separator: 0x2f) {
      if part.elementsEqual("**".utf8) {
        tokens.append(.components)
        continue
      }
      var rest = part
      while let byte = rest.popFirst() {
        switch byte {
        case UInt8(ascii: "?"): tokens.append(.one)
        case UInt8(ascii: "*"): tokens.append(.many)
        case UInt8(ascii: "\\"): tokens.append(.byte(rest.popFirst() ?? 0))
        case UInt8(ascii: "{"):
          while let inner = rest.popFirst(), inner != UInt8(ascii: "}") {}
          tokens += [.some, .many]
        default: tokens.append(.byte(byte))
        }
      }
      tokens.append(.end)
    }
  }

  func matches(_ path: [UInt8]) -> Bool {
    if (path.first == 0x2f) != isAbsolute {
      guard case .components = tokens.first else { return false }
    }
    // Each component followed by a slash, and nothing else.
    let text: [UInt8] = path.split(separator: 0x2f).flatMap { part in part + [0x2f] }
    var row = [Bool](repeating: false, count: text.count + 1)
    row[text.count] = true
    for token in tokens.reversed() { row = earlier(token, text, row) }
    return row[0]
  }

  /// Where the pattern matches from `token` on, given where it matches from the next one on.
  private func earlier(_ token: Token, _ text: [UInt8], _ next: [Bool]) -> [Bool] {
    var row = [Bool](repeating: false, count: next.count)
    for at in next.indices.reversed() {
      let inName = at < text.count && text[at] != 0x2f
      switch token {
      case .byte(let byte): row[at] = inName && text[at] == byte && next[at + 1]
      case .one, .some: row[at] = inName && next[at + 1]
      case .many: row[at] = next[at] || inName && row[at + 1]
      case .end: row[at] = at < text.count && text[at] == 0x2f && next[at + 1]
      case .components:
        let isStart = at == 0 || text[at - 1] == 0x2f
        let following = text[at...].firstIndex(of: 0x2f).map { $0 + 1 }
        row[at] = isStart && (next[at] || (following.map { row[$0] } ?? false))
      }
    }
    return row
  }
}

/// Paths for people and back, identities, moments, and sets of intervals between moments.
@Sendable private func text(_ bytes: [UInt8]) throws {
  let path = RawPath(bytes)
  try promise(RawPath(escaped: path.description) == path, "escaped and read back it is another path")
  if let normal = path.lexicallyNormal { try promise(normal.lexicallyNormal == normal, "normal only once") }
  // The kernel doubles no slash, and nothing undoubles one unasked.
  let isDoubled = zip(bytes, bytes.dropFirst()).contains { $0 == 0x2f && $1 == 0x2f }
  if let parent = path.parent, !path.lastComponent.isEmpty, !isDoubled {
    try promise(parent.appending(path.lastComponent) == path, "a path is not in its parent")
    try promise(path.isAtOrBeneath(parent) || parent.bytes.isEmpty, "a path is not beneath its parent")
  }
  let text = String(decoding: bytes, as: UTF8.self)
  if let unescaped = RawPath(escaped: text) {
    try promise(RawPath(escaped: unescaped.description) == unescaped, "unescaped and escaped it is another path")
  }
  if let identity = FileIdentity(text) {
    try promise(FileIdentity(identity.description) == identity, "an identity that is not read back")
  }
  var numbers = Numbers(bytes)
  let now = Timestamp(nanoseconds: numbers.next())
  let year = String(now.description.prefix(4))
  if let year = Int(year), (1679...2260).contains(year) {
    try promise(Timestamp(now.description, now: now) == now, "\(now) is not read back")
    try promise(Timestamp(now.short, now: now) != nil, "\(now.short) is not read back")
  }
  if let moment = Timestamp(text, now: now) {
    _ = moment.short
    try promise(!moment.description.isEmpty, "a moment without a name")
  }
  try intervals(&numbers)
}

private func intervals(_ numbers: inout Numbers) throws {
  func interval(_ numbers: inout Numbers) -> Interval {
    Interval(from: Timestamp(nanoseconds: numbers.next()), to: Timestamp(nanoseconds: numbers.next()))
  }
  let whole = interval(&numbers)
  var parts: [Interval] = []
  while !numbers.rest.isEmpty, parts.count < 64 { parts.append(interval(&numbers)) }
  let set = IntervalSet(parts)
  for part in parts { try promise(set.missing(from: part).isEmpty, "a part is missing from the whole") }
  for (left, right) in zip(set.intervals, set.intervals.dropFirst()) {
    try promise(left.to < right.from, "intervals that touch")
  }
  for gap in set.missing(from: whole) {
    try promise(whole.from <= gap.from && gap.to <= whole.to, "a gap outside of the question")
    try promise(!parts.contains { $0.from < gap.to && gap.from < $0.to }, "a gap where something is covered")
  }
  try promise(set.clipped(to: whole).seconds <= whole.seconds * 1.000001 + 1e-6, "more than the whole")
  _ = set.seconds
}
