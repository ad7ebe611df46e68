/// What in the arguments of a command is a secret, and not stored.
///
/// An argument that is an option or a variable is masked to its end. Any other may be a whole script, or JSON, and is
/// looked through word by word. Comparisons of names ignore case.
struct SecretMask: Hashable, Sendable {
  /// Parts of names: of an option (`--api-token X`, `-token=X`), a variable (`API_TOKEN=X`), a member (`"token": "X"`), a
  /// header (`X-Api-Token: X`).
  var names: [[UInt8]] = []
  /// How secrets themselves begin.
  var prefixes: [[UInt8]] = []

  /// What stands for a secret.
  static let mask = Array("***".utf8)

  /// The arguments without secrets, and in how many there were some.
  func applied(to arguments: [[UInt8]]) -> (arguments: [[UInt8]], count: Int) {
    guard !names.isEmpty || !prefixes.isEmpty else { return (arguments, 0) }
    var isValue = false
    var count = 0
    let masked = arguments.map { argument -> [UInt8] in
      let bytes = isValue ? Self.mask : whole(argument) ?? Script(self, argument).masked()
      isValue = !isValue && isOption(argument)
      if bytes != argument { count += 1 }
      return bytes
    }
    return (masked, count)
  }

  /// An option whose value is the next argument.
  private func isOption(_ argument: [UInt8]) -> Bool {
    argument.first == UInt8(ascii: "-") && argument.allSatisfy(Self.isOfName) && isSecretName(argument[...])
  }

  /// `--password=X` and `PASSWORD=X`, masked to the end; nil for anything else.
  private func whole(_ argument: [UInt8]) -> [UInt8]? {
    guard let equals = argument.firstIndex(of: UInt8(ascii: "=")), argument[..<equals].allSatisfy(Self.isOfName),
      isSecretName(argument[..<equals]), equals + 1 < argument.count
    else { return nil }
    return Array(argument[...equals]) + Self.mask
  }

  fileprivate func isSecretName(_ name: ArraySlice<UInt8>) -> Bool {
    let lower = name.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    return names.contains { part in lower.firstRange(of: part) != nil }
  }

  fileprivate static func isOfName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
      true
    default: false
    }
  }
}

/// One argument, gone through from its beginning.
private struct Script {
  private let mask: SecretMask
  private let text: [UInt8]
  private var at = 0
  private var out: [UInt8] = []

  init(_ mask: SecretMask, _ text: [UInt8]) {
    self.mask = mask
    self.text = text
  }

  consuming func masked() -> [UInt8] {
    while at < text.count {
      if !step() {
        out.append(text[at])
        at += 1
      }
    }
    return out
  }

  /// Takes what begins here, if it is of interest.
  private mutating func step() -> Bool {
    if isAtWord, let prefix = mask.prefixes.first(where: { text[at...].starts(with: $0) }) {
      let end = text[at...].firstIndex { !SecretMask.isOfName($0) } ?? text.count
      guard end - at >= prefix.count + 8 else { return takeName() }
      out += SecretMask.mask
      at = end
      return true
    }
    if text[at...].starts(with: "://".utf8) { return takeUserInfo() }
    return takeName()
  }

  private var isAtWord: Bool { at == 0 || !SecretMask.isOfName(text[at - 1]) }

  /// A name, and the value behind it where it is a secret's.
  private mutating func takeName() -> Bool {
    guard isAtWord, SecretMask.isOfName(text[at]) else { return false }
    let end = text[at...].firstIndex { !SecretMask.isOfName($0) } ?? text.count
    let name = text[at..<end]
    out += name
    at = end
    guard mask.isSecretName(name) else { return true }
    // `"password": "x"`, `password = x`, `X-Token: x y`, `--password x`.
    var next = end
    while next < text.count, isQuote(text[next]) || isSpace(text[next]) { next += 1 }
    if next < text.count, text[next] == UInt8(ascii: "=") || text[next] == UInt8(ascii: ":") {
      takeValue(behind: next, isHeader: text[next] == UInt8(ascii: ":") && next == end)
    } else if name.first == UInt8(ascii: "-"), end < text.count, isSpace(text[end]) {
      takeValue(behind: end, isHeader: false)
    }
    return true
  }

  /// Masks a value: in quotes to the end of the quotation, a header's to the end of the one around it, another to the end
  /// of the word.
  private mutating func takeValue(behind place: Int, isHeader: Bool) {
    var start = place + 1
    while start < text.count, isSpace(text[start]) { start += 1 }
    // What is behind a backslash is quoted within quotes.
    if start < text.count, text[start] == UInt8(ascii: "\\") { start += 1 }
    var end = start
    if start < text.count, isQuote(text[start]) {
      let quote = text[start]
      start += 1
      end = text[start...].firstIndex(of: quote) ?? text.count
    } else if isHeader {
      end = text[start...].firstIndex(where: isQuote) ?? text.count
    } else {
      end = text[start...].firstIndex { isSpace($0) || isQuote($0) || ";|&()<>,{}".utf8.contains($0) } ?? text.count
    }
    guard end > start else { return }
    out += text[at..<start]
    out += SecretMask.mask
    at = end
  }

  /// `scheme://user:secret@host`
  private mutating func takeUserInfo() -> Bool {
    let start = at + 3
    let end = text[start...].firstIndex { isSpace($0) || isQuote($0) } ?? text.count
    guard let sign = text[start..<end].lastIndex(of: UInt8(ascii: "@")) else { return false }
    let colon = text[start..<sign].firstIndex(of: UInt8(ascii: ":"))
    let secret = colon.map { $0 + 1 } ?? start
    // Without a colon it is a user's name, unless it looks like a secret.
    guard colon != nil || mask.prefixes.contains(where: { text[secret...].starts(with: $0) }) else { return false }
    out += text[at..<secret]
    out += SecretMask.mask
    at = sign
    return true
  }

  private func isQuote(_ byte: UInt8) -> Bool { "'\"`".utf8.contains(byte) }
  private func isSpace(_ byte: UInt8) -> Bool { byte <= 32 }
}

extension AgentRules {
  /// The arguments of a command without what the rules take for secrets, and in how many of them there were some.
  public func masked(_ arguments: [[UInt8]]) -> (arguments: [[UInt8]], count: Int) {
    secrets.applied(to: arguments)
  }
}
