import Records
import Yams

/// Turns one rule file into an `AgentRule`, or says in which line it is wrong.
///
/// Nothing is guessed and nothing is passed over: an unknown key may be a misspelt one, and a rule that is
/// silently absent is an agent nobody sees.
struct RuleReader {
  let document: RuleDocument

  init(_ document: RuleDocument) {
    self.document = document
  }

  func error(_ line: Int?, _ reason: String) -> RuleError {
    RuleError(file: document.label, line: line, reason: reason)
  }

  /// The agent, and the line that names it.
  func agent() throws(RuleError) -> (AgentRule, line: Int) {
    let top = try fields(
      try root(), known: ["agent", "title", "executables", "interpreters", "session-files", "classes"])
    let line = top.line(of: "agent")
    let name = try text(try top.required("agent"))
    guard !name.isEmpty, name.utf8.allSatisfy(Self.isNameByte) else {
      throw error(line, "agent \"\(name)\": a name has lower-case letters, digits and hyphens only")
    }
    var executables: [FilePattern] = []
    for node in try list(top["executables"]) { executables.append(try filePattern(node)) }
    var interpreters: [AgentRule.Interpreter] = []
    for node in try list(top["interpreters"]) { interpreters.append(try interpreter(node)) }
    guard !executables.isEmpty || !interpreters.isEmpty else {
      throw error(line, "agent \"\(name)\" has neither executables nor interpreters: nothing would find it")
    }
    var sessionFiles: [SessionFilePattern] = []
    for node in try list(top["session-files"]) { sessionFiles.append(try sessionFilePattern(node)) }
    var classes: [AgentRule.ClassRule] = []
    for node in try list(top["classes"]) { classes.append(try classRule(node)) }
    return (
      AgentRule(
        name: name, title: try text(try top.required("title")), executables: executables,
        interpreters: interpreters, sessionFiles: sessionFiles, classes: classes),
      line
    )
  }

  /// The programs that a file names for what they do with what they are given.
  func readers() throws(RuleError) -> KnownPrograms {
    let top = try fields(try root(), known: ["plain-readers", "leaf-servers", "managers"])
    guard !top.pairs.isEmpty else { throw error(top.line, "no programs are named") }
    var known = KnownPrograms()
    known.plainReaders = Set(try paths(top["plain-readers"]))
    known.leafServers = Set(try paths(top["leaf-servers"]))
    known.managers = Set(try paths(top["managers"]))
    return known
  }

  /// The programs that have others start a command, and where jobs are put.
  func launchers() throws(RuleError) -> (launchers: [Launcher], spools: [RawPath]) {
    let top = try fields(try root(), known: ["launchers", "spools"])
    guard !top.pairs.isEmpty else { throw error(top.line, "no launchers are named") }
    var launchers: [Launcher] = []
    for node in try list(top["launchers"]) {
      let fields = try fields(node, known: ["program", "shells"])
      let shells = try fields["shells"].map(isTrue) ?? false
      launchers.append(Launcher(program: try path(try fields.required("program")), startsShells: shells))
    }
    return (launchers, try paths(top["spools"]))
  }

  private func isTrue(_ node: Node) throws(RuleError) -> Bool {
    guard let value = node.bool else {
      throw error(node.mark?.line, "expected true or false")
    }
    return value
  }

  private func paths(_ node: Node?) throws(RuleError) -> [RawPath] {
    var paths: [RawPath] = []
    for node in try list(node) { paths.append(try path(node)) }
    return paths
  }

  /// A whole path, without patterns.
  private func path(_ node: Node) throws(RuleError) -> RawPath {
    let path = try text(node)
    guard path.hasPrefix("/"), path.utf8.allSatisfy({ $0 != UInt8(ascii: "*") && $0 != UInt8(ascii: "?") }) else {
      throw error(node.mark?.line, "\"\(path)\" must be an absolute path, and no pattern")
    }
    return RawPath(path.utf8)
  }

  /// What a file says of secrets.
  func secrets() throws(RuleError) -> SecretMask {
    let top = try fields(try root(), known: ["names", "prefixes"])
    var mask = SecretMask()
    for node in try list(top["names"]) {
      let name = try text(node)
      guard name.count > 2, name.utf8.allSatisfy({ $0 > 32 && $0 < 127 }), name == name.lowercased() else {
        throw error(node.mark?.line, "name \"\(name)\" must be three letters or more, in lower case")
      }
      mask.names.append(Array(name.utf8))
    }
    for node in try list(top["prefixes"]) {
      let prefix = try text(node)
      guard prefix.count > 2 else {
        throw error(node.mark?.line, "prefix \"\(prefix)\" would mask too much: it needs three letters")
      }
      mask.prefixes.append(Array(prefix.utf8))
    }
    return mask
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    byte.isDigit || byte == UInt8(ascii: "-") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
  }

  // MARK: Parts

  private func interpreter(_ node: Node) throws(RuleError) -> AgentRule.Interpreter {
    let fields = try fields(node, known: ["programs", "scripts"])
    let programs = try namePatterns(try fields.required("programs"))
    var scripts: [FilePattern] = []
    for node in try list(try fields.required("scripts")) { scripts.append(try filePattern(node)) }
    guard !programs.isEmpty, !scripts.isEmpty else {
      throw error(fields.line, "an interpreter needs at least one program and one script")
    }
    return AgentRule.Interpreter(programs: programs, scripts: scripts)
  }

  private func classRule(_ node: Node) throws(RuleError) -> AgentRule.ClassRule {
    let fields = try fields(node, known: ["class", "programs", "environment"])
    let word = try text(try fields.required("class"))
    // The other two are not for rules: the agent's own process is known, and unknown is what is left over.
    let known: [ProcessClass] = [.toolShell, .helper, .hook, .mcpServer]
    guard let processClass = known.first(where: { $0.rawValue == word }) else {
      let names = known.map(\.rawValue).joined(separator: ", ")
      throw error(fields.line(of: "class"), "unknown class \"\(word)\" (known: \(names))")
    }
    let programs = try fields["programs"].map(namePatterns) ?? []
    var environment: [AgentRule.ClassRule.Variable] = []
    if let node = fields["environment"] {
      for (key, value) in try self.fields(node, known: nil).pairs {
        guard !key.isEmpty, !key.utf8.contains(UInt8(ascii: "=")) else {
          throw error(value.mark?.line, "\"\(key)\" cannot be the name of a variable")
        }
        environment.append(.init(prefix: Array("\(key)=".utf8), value: try namePattern(value)))
      }
    }
    guard !programs.isEmpty || !environment.isEmpty else {
      throw error(fields.line, "class \"\(word)\" needs programs or environment: it would fit every child")
    }
    return AgentRule.ClassRule(processClass: processClass, programs: programs, environment: environment)
  }

  // MARK: Patterns

  private func filePattern(_ node: Node) throws(RuleError) -> FilePattern {
    let source = try text(node)
    do { return try FilePattern(source) } catch { throw malformed(node, source, error) }
  }

  private func sessionFilePattern(_ node: Node) throws(RuleError) -> SessionFilePattern {
    let source = try text(node)
    do { return try SessionFilePattern(source) } catch { throw malformed(node, source, error) }
  }

  private func namePattern(_ node: Node) throws(RuleError) -> NamePattern {
    let source = try text(node)
    do { return try NamePattern(source.utf8, captures: []) } catch { throw malformed(node, source, error) }
  }

  private func namePatterns(_ node: Node) throws(RuleError) -> [NamePattern] {
    var patterns: [NamePattern] = []
    for node in try list(node) {
      let source = try text(node)
      guard !source.isEmpty, !source.utf8.contains(UInt8(ascii: "/")) else {
        throw error(node.mark?.line, "program \"\(source)\" must be a file's name, without directory")
      }
      patterns.append(try namePattern(node))
    }
    return patterns
  }

  private func malformed(_ node: Node, _ source: String, _ fault: NamePattern.Malformed) -> RuleError {
    error(node.mark?.line, "pattern \"\(source)\": \(fault.reason)")
  }
}
