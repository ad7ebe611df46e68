internal import Records
internal import Rules

extension FuzzTarget {
  /// Rule files.
  public static let rules = [FuzzTarget(name: "rules", run: ruleFile)]
}

/// A rule file up to the first NUL, which no such file has; what follows is a path that it is asked about.
@Sendable private func ruleFile(_ bytes: [UInt8]) throws {
  let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
  let file = Array(parts[0])
  let rules: AgentRules
  do {
    rules = try AgentRules(documents: [RuleDocument(name: "fuzz.yaml", bytes: file)])
  } catch {
    let line = error.line ?? 1
    try promise(line >= 1, "line \(line)")
    return try promise(!error.description.isEmpty, "refused without a reason")
  }
  try promise(rules.agents.count == 1 && rules.digest.count == 32, "one file is one agent")
  for path in [RawPath(parts.count > 1 ? Array(parts[1]) : []), RawPath("/home/u/.local/bin/node")] {
    try ask(rules, path)
  }
}

private func ask(_ rules: AgentRules, _ path: RawPath) throws {
  let name = path.withoutDeletedMark.lastComponent
  let script = rules.agent(interpreter: RawPath("/usr/bin/node"), opening: path)
  let found = rules.agent(executable: path)
  if !rules.mayBeAgent(name: name.span) {
    try promise(found == nil && script == nil, "the cheap question said no to an agent")
  }
  _ = rules.isInterpreter(path)
  for pid in [0, 1, 4321, Int32.max, .min] {
    let mark = rules.sessionFile(agent: 0, path: path, pid: pid)
    if !rules.mayBeSessionFile(name: path.lastComponent.span, pid: pid) {
      try promise(mark == nil, "the cheap question said no to a session file")
    }
    if case .conversation(let id) = mark { try promise(id.utf8.count == 36, "a conversation called \(id)") }
  }
  _ = rules.processClass(agent: 0, program: path, environment: [path.bytes, Array("A=".utf8) + path.bytes])
}
