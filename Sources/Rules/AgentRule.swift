import Records

/// What one rule file says of one agent.
public struct AgentRule: Sendable {
  /// The short name, as in `claude-code`: lower-case letters, digits, hyphens. Stored with every session.
  public let name: String
  /// The name for people.
  public let title: String

  let executables: [FilePattern]
  let interpreters: [Interpreter]
  let sessionFiles: [SessionFilePattern]
  let classes: [ClassRule]

  /// Programs that become the agent by opening one of its scripts.
  struct Interpreter: Sendable {
    let programs: [NamePattern]
    let scripts: [FilePattern]

    func runs(as program: Span<UInt8>) -> Bool {
      for pattern in programs where pattern.match(program) != nil { return true }
      return false
    }
  }

  /// What a child of the agent's own process is, if all of this holds for it.
  struct ClassRule: Sendable {
    let processClass: ProcessClass
    /// One of these is the executable's name; empty: any is.
    let programs: [NamePattern]
    /// Each of these variables is set to a matching value.
    let environment: [Variable]

    struct Variable: Sendable {
      /// The name with its `=`: what an entry of the environment begins with.
      let prefix: [UInt8]
      let value: NamePattern
    }

    func holds(program: Span<UInt8>, environment entries: [[UInt8]]) -> Bool {
      var known = programs.isEmpty
      for pattern in programs where !known { known = pattern.match(program) != nil }
      guard known else { return false }
      for variable in environment {
        // getenv(3) answers with the first entry, so a second one is not asked.
        guard let entry = entries.first(where: { $0.starts(with: variable.prefix) }) else { return false }
        let value = entry[variable.prefix.count...]
        guard variable.value.match(value.span) != nil else { return false }
      }
      return true
    }
  }
}

/// Which agent a program is.
public struct AgentMatch: Hashable, Sendable {
  /// The place in `AgentRules.agents`.
  public let agent: Int
  /// The version, where the path names it.
  public let version: String?
}

/// What an agent's process says of itself by writing one of the agent's session files.
public enum SessionFileMark: Hashable, Sendable {
  /// It is a session of its own.
  case session
  /// It is a session of its own, and this is its conversation from now on: a UUID in lower case.
  case conversation(String)
}
