import Foundation
import Records
import Rules
import Testing

/// What a file of this text is refused with.
private func refusal(_ text: String) -> String? { refusal(Array(text.utf8)) }

private func refusal(_ bytes: [UInt8]) -> String? {
  do {
    _ = try AgentRules(documents: [RuleDocument(name: "a.yaml", bytes: bytes, directory: "rules/agents")])
    return nil
  } catch {
    return error.description
  }
}

struct RuleFileTests {
  @Test("the files we ship load, in the order of the agents' names")
  func shippedFiles() throws {
    let rules = try shipped()
    #expect(rules.agents.map(\.name) == ["claude-code", "codex"])
    #expect(rules.agents.map(\.title) == ["Claude Code", "OpenAI Codex CLI"])
    #expect(rules.digest.count == 32)
  }

  @Test("the least rule file loads")
  func least() {
    #expect(refusal(minimal()) == nil)
  }

  @Test(
    "a malformed file is refused with its line and the reason",
    arguments: [
      (
        "agent: robot\ntitle: Robot\nexecutable: []\n",
        ":3: unknown key \"executable\" (known: agent, title, executables, interpreters, "
          + "session-files, classes)"
      ),
      ("title: Robot\nexecutables: [\"/r\"]\n", ":1: \"agent\" is missing"),
      ("agent: robot\nexecutables: [\"/r\"]\n", ":1: \"title\" is missing"),
      (
        "\nagent: Ro bot\ntitle: R\n",
        ":2: agent \"Ro bot\": a name has lower-case letters, digits and hyphens only"
      ),
      (
        "agent: robot\ntitle: Robot\n",
        ":1: agent \"robot\" has neither executables nor interpreters: nothing would find it"
      ),
      ("agent: robot\nagent: robot\ntitle: R\n", ":1: given twice: \"agent\""),
      ("agent: 12\ntitle: R\n", ":1: expected text, found 12, which YAML reads as no text (quote it)"),
      ("agent: robot\ntitle:\nexecutables: [\"/r\"]", ":2: expected text, found nothing"),
      ("agent: robot\ntitle: [R]\nexecutables: [\"/r\"]", ":2: expected text, found a list"),
      ("agent: robot\ntitle: R\nexecutables: \"/r\"\n", ":3: expected a list, found text"),
      ("agent: robot\ntitle: R\nexecutables:\n", ":3: expected a list, found nothing"),
      (
        "agent: robot\ntitle: R\nexecutables:\n  - path: \"/r\"\n",
        ":4: expected text, found keys with values"
      ),
      ("- robot\n", ":1: expected keys with values, found a list"),
      ("robot\n", ":1: expected keys with values, found text"),
      ("", ":1: the file is empty"),
      ("# nothing\n", ":1: the file is empty"),
      (
        "agent: robot\n---\nagent: robot\n",
        ":2: YAML: expected a single document in the stream, but found another document"
      ),
      (
        "agent: robot\ntitle: \"R\n",
        ":3: YAML: while scanning a quoted scalar, found unexpected end of stream"
      ),
      (
        "agent: robot\n\ttitle: R\n",
        ":2: YAML: while scanning a plain scalar, found a tab character that violates indentation"
      ),
      ("agent: robot\ntitle: \u{1}\n", ":2: YAML: control characters are not allowed"),
      (
        "agent: robot\ntitle: &t R\n",
        ":2: \"&\" can begin an anchor here; rule files have neither anchors nor aliases"
      ),
      ("agent: robot\ntitle: *t\n", ":2: YAML: found undefined alias"),
      (
        "agent: robot\ntitle: \"R\\0\"\nexecutables: [\"/r\"]\n",
        ":2: text with a NUL byte: no path or variable has one"
      ),
    ])
  func malformed(text: String, reason: String) {
    #expect(refusal(text) == "rules/agents/a.yaml" + reason)
  }

  @Test(
    "a malformed part is refused with its line and the reason",
    arguments: [
      ("interpreters:\n  - programs: [node]\n", ":5: \"scripts\" is missing"),
      (
        "interpreters:\n  - programs: []\n    scripts: [\"/r\"]\n",
        ":5: an interpreter needs at least one program and one script"
      ),
      (
        "interpreters:\n  - program: [node]\n", ":5: unknown key \"program\" (known: programs, scripts)"
      ),
      (
        "interpreters:\n  - programs: [/bin/node]\n    scripts: [\"/r\"]\n",
        ":5: program \"/bin/node\" must be a file's name, without directory"
      ),
      (
        "classes:\n  - class: demon\n    programs: [x]\n",
        ":5: unknown class \"demon\" (known: tool-shell, helper, hook, mcp-server)"
      ),
      (
        "classes:\n  - class: in-process\n    programs: [x]\n",
        ":5: unknown class \"in-process\" (known: tool-shell, helper, hook, mcp-server)"
      ),
      (
        "classes:\n  - class: hook\n",
        ":5: class \"hook\" needs programs or environment: it would fit every child"
      ),
      (
        "classes:\n  - class: hook\n    environment: {A: 1}\n",
        ":6: expected text, found 1, which YAML reads as no text (quote it)"
      ),
      (
        "classes:\n  - class: hook\n    environment:\n      A=B: x\n",
        ":7: \"A=B\" cannot be the name of a variable"
      ),
      (
        "classes:\n  - class: hook\n    environment: {A: x, A: y}\n", ":6: given twice: \"A\""
      ),
      (
        "classes:\n  - class: hook\n    environment: {A: \"{version}\"}\n",
        ":6: pattern \"{version}\": {version} means nothing here (known: none)"
      ),
    ])
  func malformedPart(text: String, reason: String) {
    #expect(refusal(minimal(text)) == "rules/agents/a.yaml" + reason)
  }

  @Test(
    "a pattern that cannot mean anything is refused",
    arguments: [
      ("executables", "bin/robot", "the kernel's paths are absolute: begin with / or **/"),
      ("executables", "", "is empty"),
      ("executables", "**/bin/", "must end in the name of a file"),
      ("executables", "/opt/**", "must end in the name of a file"),
      ("executables", "/opt/x**/r", "byte 6: ** must be a whole component"),
      (
        "executables", "/opt/{version",
        "byte 5: an unfinished escape, or a brace that is empty or not closed"
      ),
      ("executables", "/opt/{}", "byte 5: an unfinished escape, or a brace that is empty or not closed"),
      ("executables", "/opt/r\\\\", "byte 6: an unfinished escape, or a brace that is empty or not closed"),
      ("executables", "/opt/{pid}", "{pid} means nothing here (known: {version})"),
      ("executables", "/{name}/r", "{name} means nothing here (known: {version})"),
      ("executables", "/{version}/{version}", "{version} stands here twice"),
      ("session-files", "**/{version}.json", "{version} means nothing here (known: {pid}, {conversation})"),
      (
        "session-files", "**/{pid}/x.json",
        "{pid} means nothing here (known: none): captures of a session file belong in its name"
      ),
    ])
  func pattern(key: String, pattern: String, reason: String) {
    let head = "agent: robot\ntitle: Robot\ninterpreters: [{programs: [x], scripts: [\"/x\"]}]\n"
    let text = head + "\(key):\n  - \"\(pattern)\"\n"
    let source = pattern.replacing("\\\\", with: "\\")
    #expect(refusal(text) == "rules/agents/a.yaml:5: pattern \"\(source)\": \(reason)")
  }

  @Test("a file that is not UTF-8 is refused with the line of the first such byte")
  func notUTF8() {
    let bytes = Array("agent: robot\ntitle: ".utf8) + [0xC3, 0x28, 0x0A]
    #expect(refusal(bytes) == "rules/agents/a.yaml:2: not UTF-8")
  }

  @Test("more than a mebibyte is refused before anything parses it")
  func tooLarge() {
    let bytes = [UInt8](repeating: UInt8(ascii: "#"), count: 1 << 20 + 1)
    #expect(refusal(bytes) == "rules/agents/a.yaml: larger than 1048576 bytes")
  }

  @Test(
    "nesting without end is refused, and does not exhaust the stack", arguments: ["[", "{", "- ", "? "])
  func deep(bracket: String) throws {
    let reason = try #require(refusal(String(repeating: bracket, count: 200_000)))
    #expect(reason.hasPrefix("rules/agents/a.yaml:1: YAML: "))
  }

  @Test("one name for two agents is refused, naming both places")
  func duplicateAgent() {
    let documents = [
      RuleDocument(name: "b.yaml", bytes: Array(("\n" + minimal()).utf8), directory: "/etc/alibi/"),
      RuleDocument(name: "a.yaml", bytes: Array(minimal().utf8), directory: "/etc/alibi/"),
    ]
    #expect {
      try AgentRules(documents: documents)
    } throws: { error in
      "\(error)" == "/etc/alibi/b.yaml:2: agent \"robot\" is already defined at /etc/alibi/a.yaml:1"
    }
  }

  @Test("a directory that is missing or holds no rule file is an error")
  func directories() throws {
    let empty = FileManager.default.temporaryDirectory.path + "/alibi-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: empty + "/agents", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: empty) }
    #expect {
      try AgentRules.load(rules: "/nonexistent/rules")
    } throws: { error in
      "\(error)" == "/nonexistent/rules/agents: cannot open directory: No such file or directory"
    }
    #expect {
      try AgentRules.load(rules: empty)
    } throws: { error in
      "\(error)" == "\(empty)/agents: no *.yaml file in this directory"
    }
  }
}
