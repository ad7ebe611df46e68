internal import CLinux

/// Why a line of a rule file is not a rule.
public struct AuditRuleError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Counted from 1.
  public var line: Int
  /// What is wrong with it.
  public var problem: String

  /// An error in this line.
  public init(line: Int, problem: String) {
    self.line = line
    self.problem = problem
  }

  /// `line 3: no such system call: opem`
  public var description: String { "line \(line): \(problem)" }
}

extension AuditRule {
  /// Reads a rule file in auditctl's syntax, as far as rules need it: `-a`, `-w`, `-S`, `-U`, `-F`, `-p`, `-k` and
  /// comments. What auditctl takes and this does not, such as settings, is an error and never left out.
  ///
  /// - Parameter isDirectory: whether a watch's path is a directory, which is watched with all beneath it. As auditctl
  ///   does, the default looks.
  public static func file(
    _ text: [UInt8], isDirectory: ([UInt8]) -> Bool = AuditRule.isDirectory
  ) throws(AuditRuleError) -> [AuditRule] {
    var rules: [AuditRule] = []
    for (index, line) in text.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() {
      let words = line.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }.map { String(decoding: $0, as: UTF8.self) }
      guard let first = words.first, first.utf8.first != UInt8(ascii: "#") else { continue }
      var reader = Reader(words)
      do throws(Problem) { rules.append(try reader.rule(isDirectory)) } catch {
        throw AuditRuleError(line: index + 1, problem: error.text)
      }
    }
    return rules
  }

  /// Whether a directory is there, also behind symbolic links.
  public static func isDirectory(_ path: [UInt8]) -> Bool {
    (try? FileStatus(path: path, following: true))?.isDirectory ?? false
  }

  private struct Problem: Error {
    var text: String
    init(_ text: String) { self.text = text }
  }

  /// Reads the words of one line.
  private struct Reader {
    private let words: [String]
    private var options: [(letter: Character, value: String)] = []
    private var machine = AuditNames.Machine.own

    init(_ words: [String]) { self.words = words }

    mutating func rule(_ isDirectory: ([UInt8]) -> Bool) throws(Problem) -> AuditRule {
      try split()
      var rule = try head()
      for option in options.dropFirst() {
        switch option.letter {
        case "S", "U": try readCalls(option.value, option.letter, into: &rule)
        case "F": try readField(option.value, into: &rule)
        case "p": rule.fields.append(Field(id: AUDIT_PERM, value: try Self.permissions(option.value)))
        case "k": try readKey(option.value, into: &rule)
        default: throw Problem("-\(option.letter) twice, or not first")
        }
      }
      if options[0].letter == "w" { try complete(watch: &rule, isDirectory) }
      try check(rule)
      return rule
    }

    private mutating func split() throws(Problem) {
      var at = 0
      while at < words.count {
        let option = words[at]
        guard option.count == 2, option.first == "-", let letter = option.last, "awSUFpk".contains(letter) else {
          throw Problem("not an option of a rule: \(option)")
        }
        guard at + 1 < words.count else { throw Problem("\(option) without a value") }
        options.append((letter, words[at + 1]))
        at += 2
      }
    }

    private func head() throws(Problem) -> AuditRule {
      guard let first = options.first else { throw Problem("nothing") }
      switch first.letter {
      case "w":
        guard first.value.first == "/" else { throw Problem("a watch needs an absolute path: \(first.value)") }
        return AuditRule(list: .exit, isAlways: true)
      case "a":
        let parts = first.value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        for (list, action) in parts.count == 2 ? [(parts[0], parts[1]), (parts[1], parts[0])] : [] {
          if let list = List.allCases.first(where: { $0.name == list }), ["always", "never"].contains(action) {
            return AuditRule(list: list, isAlways: action == "always")
          }
        }
        throw Problem("neither list,action nor action,list: \(first.value)")
      default: throw Problem("a rule begins with -a or -w")
      }
    }

    private func readCalls(_ names: String, _ letter: Character, into rule: inout AuditRule) throws(Problem) {
      guard rule.list == (letter == "S" ? .exit : .ioUring), options[0].letter == "a" else {
        throw Problem("-\(letter) does not go with \(options[0].value)")
      }
      for name in names.split(separator: ",", omittingEmptySubsequences: false).map(String.init) {
        if name == "all" {
          rule.includeAll()
        } else if let number = Int32(name), (0..<2032).contains(number) {
          rule.include(number)
        } else if letter == "S" {
          guard rule.fields.contains(where: { $0.id == UInt32(AUDIT_ARCH) }) else {
            throw Problem("-S needs -F arch= before it: numbers differ between machines")
          }
          guard let machine, let number = AuditNames.number(ofSystemCall: name, machine: machine) else {
            throw Problem("no such system call: \(name)")
          }
          rule.include(number)
        } else {
          guard let number = AuditNames.ringOperations[name] else { throw Problem("no such operation: \(name)") }
          rule.include(number)
        }
      }
    }

    private mutating func readField(_ text: String, into rule: inout AuditRule) throws(Problem) {
      guard rule.fields.count < 64 else { throw Problem("more than 64 fields") }
      guard let end = text.firstIndex(where: { "=!<>&".contains($0) }), end > text.startIndex,
        let symbol = Comparison.symbols.first(where: { text[end...].hasPrefix($0.text) })
      else { throw Problem("not a comparison: \(text)") }
      let name = String(text[..<end])
      let value = String(text[end...].dropFirst(symbol.text.count))
      guard !value.isEmpty else { throw Problem("\(name) is compared with nothing") }
      if name == "key" { return try readKey(value, into: &rule) }
      guard let id = AuditNames.number(ofField: name) else { throw Problem("no such field: \(name)") }
      if Field.hasText(id) {
        rule.fields.append(Field(id: Int32(id), symbol.comparison, text: Array(value.utf8)))
      } else {
        let number = try number(value, Int32(id), name)
        rule.fields.append(Field(id: Int32(id), symbol.comparison, value: number))
      }
    }

    private mutating func number(_ value: String, _ id: Int32, _ name: String) throws(Problem) -> UInt32 {
      let found: UInt32?
      switch id {
      case AUDIT_ARCH:
        machine = value == "b64" ? .own : value == "b32" ? .own32 : nil
        found = machine?.arch
      case AUDIT_PERM: return try Self.permissions(value)
      case AUDIT_FILETYPE: found = AuditNames.number(ofFileType: value)
      case AUDIT_MSGTYPE: found = Self.integer(value) ?? AuditNames.number(ofRecordType: value)
      case AUDIT_EXIT:
        let isNegative = value.first == "-"
        let error = AuditNames.number(ofError: String(isNegative ? value.dropFirst() : value[...]))
        found = error.map { UInt32(bitPattern: isNegative ? -$0 : $0) } ?? Self.integer(value)
      default: found = value == "unset" ? .max : Self.integer(value)
      }
      guard let found else { throw Problem("\(name) cannot be \(value)") }
      return found
    }

    /// Decimal with or without a sign, or hexadecimal.
    private static func integer(_ text: String) -> UInt32? {
      if text.hasPrefix("0x") { return UInt32(text.dropFirst(2), radix: 16) }
      return UInt32(text) ?? Int32(text).map { UInt32(bitPattern: $0) }
    }

    private static func permissions(_ letters: String) throws(Problem) -> UInt32 {
      var bits: UInt32 = 0
      for letter in letters {
        switch letter {
        case "x": bits |= UInt32(AUDIT_PERM_EXEC)
        case "w": bits |= UInt32(AUDIT_PERM_WRITE)
        case "r": bits |= UInt32(AUDIT_PERM_READ)
        case "a": bits |= UInt32(AUDIT_PERM_ATTR)
        default: throw Problem("permissions are of r, w, x and a: \(letters)")
        }
      }
      return bits
    }

    private func readKey(_ key: String, into rule: inout AuditRule) throws(Problem) {
      guard key.utf8.count <= 256 else { throw Problem("a key has 256 bytes at most") }
      rule.fields.append(Field(id: AUDIT_FILTERKEY, text: Array(key.utf8)))
    }

    /// `-w PATH` is about every system call.
    private func complete(watch rule: inout AuditRule, _ isDirectory: ([UInt8]) -> Bool) throws(Problem) {
      var path = Array(options[0].value.utf8)
      while path.count > 1, path.last == UInt8(ascii: "/") { path.removeLast() }
      rule.includeAll()
      rule.fields.insert(Field(id: isDirectory(path) ? AUDIT_DIR : AUDIT_WATCH, text: path), at: 0)
      guard rule.fields.contains(where: { $0.id == UInt32(AUDIT_PERM) }) else {
        throw Problem("a watch needs -p")
      }
    }

    private func check(_ rule: AuditRule) throws(Problem) {
      guard rule.isOurs else { throw Problem("a rule of Alibi's has -k alibi-…") }
      guard rule.fields.count(where: { $0.id == UInt32(AUDIT_FILTERKEY) }) == 1 else { throw Problem("two keys") }
      let needsCalls = rule.list == .exit || rule.list == .ioUring
      guard !needsCalls || rule.mask.contains(where: { $0 != 0 }) else {
        throw Problem("no system call: -S names them")
      }
    }
  }
}
