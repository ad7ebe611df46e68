/// What in the arguments of a command is a secret, and not stored.
///
/// An argument may be a whole script, so it is looked through word by word: words end at white space, quotes and what
/// separates commands. All comparisons of names ignore case.
struct SecretMask: Hashable, Sendable {
  /// Parts of names: of an option (`--api-token X`, `--api-token=X`), of a variable (`API_TOKEN=X`), of a header
  /// (`X-Api-Token: X`).
  var names: [[UInt8]] = []
  /// How secrets themselves begin.
  var prefixes: [[UInt8]] = []

  /// What stands for a secret.
  static let mask = Array("***".utf8)

  /// The arguments without secrets, and in how many there were some.
  func applied(to arguments: [[UInt8]]) -> (arguments: [[UInt8]], count: Int) {
    guard !names.isEmpty || !prefixes.isEmpty else { return (arguments, 0) }
    var state = State()
    var count = 0
    let masked = arguments.map { argument -> [UInt8] in
      let (bytes, isMasked) = applied(to: argument, &state)
      if isMasked { count += 1 }
      // An argument ends a word, and a header's value.
      if state.expects == .rest { state.expects = .nothing }
      return bytes
    }
    return (masked, count)
  }

  private struct State {
    enum Expectation {
      case nothing
      /// The next word is a secret.
      case word
      /// All words to the end of the quotation or argument are.
      case rest
    }
    var expects = Expectation.nothing
  }

  private func applied(to argument: [UInt8], _ state: inout State) -> ([UInt8], Bool) {
    var out: [UInt8] = []
    var isMasked = false
    var at = 0
    while at < argument.count {
      if Self.isSeparator(argument[at]) {
        if state.expects == .rest, Self.isQuote(argument[at]) { state.expects = .nothing }
        out.append(argument[at])
        at += 1
        continue
      }
      let end = argument[at...].firstIndex(where: Self.isSeparator) ?? argument.count
      let word = argument[at..<end]
      let (bytes, isSecret) = applied(toWord: word, &state)
      out += bytes
      isMasked = isMasked || isSecret
      at = end
    }
    return (out, isMasked)
  }

  private func applied(toWord word: ArraySlice<UInt8>, _ state: inout State) -> ([UInt8], Bool) {
    switch state.expects {
    case .rest: return (Self.mask, true)
    case .word where word.first != UInt8(ascii: "-"):
      state.expects = .nothing
      return (Self.mask, true)
    case .word, .nothing: state.expects = .nothing
    }
    if prefixes.contains(where: { word.starts(with: $0) && word.count >= $0.count + 8 }) { return (Self.mask, true) }
    if let equals = word.firstIndex(of: UInt8(ascii: "=")), isSecretName(word[..<equals]) {
      // What is quoted comes as the next word.
      if equals + 1 == word.endIndex {
        state.expects = .word
        return (Array(word), false)
      }
      return (Array(word[...equals]) + Self.mask, true)
    }
    if let colon = word.firstIndex(of: UInt8(ascii: ":")), !word[colon...].starts(with: "://".utf8),
      isSecretName(word[..<colon])
    {
      state.expects = .rest
      return colon + 1 == word.endIndex ? (Array(word), false) : (Array(word[...colon]) + Self.mask, true)
    }
    if word.starts(with: "--".utf8), isSecretName(word) {
      state.expects = .word
      return (Array(word), false)
    }
    return maskUserInfo(word)
  }

  /// `scheme://user:secret@host`
  private func maskUserInfo(_ word: ArraySlice<UInt8>) -> ([UInt8], Bool) {
    guard let scheme = word.firstRange(of: Array("://".utf8)) else { return (Array(word), false) }
    let rest = word[scheme.upperBound...]
    let authority = rest[..<(rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex)]
    guard let at = authority.lastIndex(of: UInt8(ascii: "@")),
      let colon = authority[..<at].firstIndex(of: UInt8(ascii: ":")), colon + 1 < at
    else { return (Array(word), false) }
    return (Array(word[...colon]) + Self.mask + Array(word[at...]), true)
  }

  private func isSecretName(_ name: ArraySlice<UInt8>) -> Bool {
    let lower = name.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
    return names.contains { part in lower.firstRange(of: part) != nil }
  }

  private static func isSeparator(_ byte: UInt8) -> Bool {
    switch byte {
    case 0...32, UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "`"), UInt8(ascii: ";"), UInt8(ascii: "|"),
      UInt8(ascii: "&"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "<"), UInt8(ascii: ">"):
      true
    default: false
    }
  }

  private static func isQuote(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "`")
  }
}

extension AgentRules {
  /// The arguments of a command without what the rules take for secrets, and in how many of them there were some.
  public func masked(_ arguments: [[UInt8]]) -> (arguments: [[UInt8]], count: Int) {
    secrets.applied(to: arguments)
  }
}
