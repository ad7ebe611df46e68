public import Records

/// The rules for all known agents: which programs are agents, and what their own files say.
///
/// Pure: bytes in, answer out. Agents are ordered by name and the first that matches is the answer, so the
/// same rules and the same path always give the same agent. `mayBeAgent` and `mayBeSessionFile` look at a
/// file's name alone and allocate nothing: ask them first, for every event, and build a path for the rest.
public struct AgentRules: Sendable {
  /// What is known of each agent, ordered by name.
  public let agents: [AgentRule]
  /// SHA-256 over the names and bytes of the rule files: which rules a session was found by.
  public let digest: [UInt8]

  /// The last components of all executables and scripts, each once.
  private let agentNames: [NamePattern]
  /// Programs that are known for what they do with what they are given.
  private let known: KnownPrograms

  /// What in arguments is not stored.
  let secrets: SecretMask

  /// Compiles rule files, given in any order: those of agents, those that name plain readers and servers, those that name
  /// launchers, and those that say what in arguments is a secret.
  public init(
    documents: [RuleDocument], readers: [RuleDocument] = [], launchers: [RuleDocument] = [],
    secrets: [RuleDocument] = []
  ) throws(RuleError) {
    let sorted = documents.sorted(by: RuleDocument.precedes)
    var agents: [AgentRule] = []
    var places: [String: String] = [:]
    for document in sorted {
      let reader = RuleReader(document)
      let (agent, line) = try reader.agent()
      if let other = places[agent.name] {
        throw reader.error(line, "agent \"\(agent.name)\" is already defined at \(other)")
      }
      places[agent.name] = "\(document.label):\(line)"
      agents.append(agent)
    }
    agents.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    self.agents = agents
    var known = KnownPrograms()
    for document in readers { known.add(try RuleReader(document).readers()) }
    for document in launchers {
      let part = try RuleReader(document).launchers()
      for launcher in part.launchers { known.launchers[launcher.program] = launcher }
      known.spools.formUnion(part.spools)
    }
    self.known = known
    var mask = SecretMask()
    for document in secrets {
      let part = try RuleReader(document).secrets()
      mask.names += part.names
      mask.prefixes += part.prefixes
    }
    self.secrets = mask
    digest = RuleDocument.digest(
      of: sorted + [readers, launchers, secrets].flatMap { $0.sorted(by: RuleDocument.precedes) })

    var names: [NamePattern] = []
    for agent in agents {
      for pattern in agent.executables + agent.interpreters.flatMap(\.scripts)
      where !names.contains(pattern.name) {
        names.append(pattern.name)
      }
    }
    agentNames = names
  }

  // MARK: Programs

  /// Whether a file of this name could be an agent's executable or script: a negative answer is final.
  /// Takes the last component as the kernel gave it, without any ` (deleted)`.
  public func mayBeAgent(name: Span<UInt8>) -> Bool {
    for pattern in agentNames where pattern.match(name) != nil { return true }
    return false
  }

  /// The agent that an execve of this path begins: one of its executables, or a script of it that is
  /// executed through its `#!` line.
  public func agent(executable: RawPath) -> AgentMatch? {
    let path = executable.withoutDeletedMark
    guard mayBeAgent(name: path.lastComponent.span) else { return nil }
    for (index, agent) in agents.enumerated() {
      if let match = Self.match(agent.executables, path, agent: index) { return match }
      for interpreter in agent.interpreters {
        if let match = Self.match(interpreter.scripts, path, agent: index) { return match }
      }
    }
    return nil
  }

  /// Whether a process running this executable may become an agent by opening a file: an interpreter some
  /// agent names, or the dynamic loader run as a program.
  public func isInterpreter(_ executable: RawPath) -> Bool {
    let path = executable.withoutDeletedMark
    if path.isLoader { return true }
    for agent in agents {
      for interpreter in agent.interpreters where interpreter.runs(as: path.lastComponent.span) {
        return true
      }
    }
    return false
  }

  /// The agent that a process running `interpreter` becomes by opening `script`. For the dynamic loader
  /// (`ld.so ./claude`) that is the agent whose executable it opens.
  ///
  /// Knows nothing of how the file was opened: a package manager under node opens an agent's script for
  /// writing, and is no agent. That is for the caller to tell.
  public func agent(interpreter: RawPath, opening script: RawPath) -> AgentMatch? {
    let script = script.withoutDeletedMark
    guard mayBeAgent(name: script.lastComponent.span) else { return nil }
    let program = interpreter.withoutDeletedMark
    if program.isLoader { return agent(executable: script) }
    for (index, agent) in agents.enumerated() {
      for interpreter in agent.interpreters where interpreter.runs(as: program.lastComponent.span) {
        if let match = Self.match(interpreter.scripts, script, agent: index) { return match }
      }
    }
    return nil
  }

  private static func match(_ patterns: [FilePattern], _ path: RawPath, agent: Int) -> AgentMatch? {
    for pattern in patterns {
      if let version = pattern.version(in: path) { return AgentMatch(agent: agent, version: version) }
    }
    return nil
  }

  /// Whether a program only passes on what it reads: outside every session, to read what one wrote does not make it
  /// work for that session.
  public func isPlainReader(_ executable: RawPath) -> Bool { known.plainReaders.contains(executable) }

  /// Whether a server answers for itself, and hands nothing on of what it is asked.
  public func isLeafServer(_ executable: RawPath) -> Bool { known.leafServers.contains(executable) }

  /// A program that has others start a command.
  public func launcher(_ executable: RawPath) -> Launcher? { known.launchers[executable] }

  /// Whether a file of that path is a job of its own.
  public func isJob(_ file: RawPath) -> Bool { file.parent.map { known.spools.contains($0) } ?? false }

  /// Whether a program holds the sockets of others to start them when somebody connects.
  public func isManager(_ executable: RawPath) -> Bool { known.managers.contains(executable) }

  // MARK: The agent's own files

  /// Whether a file of this name, written by `pid`, could be a session file of any agent: a negative answer
  /// is final.
  public func mayBeSessionFile(name: Span<UInt8>, pid: Int32) -> Bool {
    for agent in agents {
      for pattern in agent.sessionFiles where pattern.name.match(name, pid: pid) != nil { return true }
    }
    return false
  }

  /// What a write by process `pid`, which runs agent `agent`, to `path` says of that process.
  ///
  /// `pid` is the host's. An agent inside a pid namespace of its own writes the number it knows itself by,
  /// and `{pid}` does not match it.
  public func sessionFile(agent: Int, path: RawPath, pid: Int32) -> SessionFileMark? {
    for pattern in agents[agent].sessionFiles {
      if let mark = pattern.mark(path, pid: pid) { return mark }
    }
    return nil
  }

  /// What a direct child of agent `agent`'s own process is, by its executable and its environment
  /// (`NAME=value` each, as in /proc/PID/environ). The first rule that holds wins; a child that fits none and
  /// runs the agent's own executable is a helper.
  ///
  /// Corroboration for the reader, never the ground of a verdict: whoever starts a process writes its
  /// environment.
  public func processClass(agent: Int, program: RawPath, environment: [[UInt8]]) -> ProcessClass {
    let program = program.withoutDeletedMark
    for rule in agents[agent].classes
    where rule.holds(program: program.lastComponent.span, environment: environment) {
      return rule.processClass
    }
    return self.agent(executable: program)?.agent == agent ? .helper : .unknown
  }
}

extension RawPath {
  /// Whether this is the dynamic loader, of glibc (`ld-linux-x86-64.so.2`, `ld64.so.2`, `ld-2.31.so`,
  /// `ld.so`) or of musl (`ld-musl-x86_64.so.1`, whose real name may be `libc.so`).
  var isLoader: Bool {
    let name = lastComponent
    if name.starts(with: "ld.so".utf8) || name.starts(with: "ld64.so".utf8) { return true }
    if name.elementsEqual("libc.so".utf8) { return true }
    guard name.starts(with: "ld-".utf8) else { return false }
    return name.indices.contains { name[$0...].starts(with: ".so".utf8) }
  }
}
