import Records
import Rules
import Testing

private let agentTag = "AI_AGENT=claude-code_2-1-329_agent"
private let harnessTag = "AI_AGENT=claude-code_2-1-329_harness"

struct ProcessClassTests {
  @Test(
    "the environment and the program tell what a child of Claude Code is",
    arguments: [
      ("/usr/bin/bash", [agentTag, "CLAUDECODE=1", "CLAUDE_PID=5"], .toolShell),
      ("/usr/bin/dash", ["PATH=/usr/bin", harnessTag, "CLAUDE_PID=5", "CLAUDE_PROJECT_DIR=/srv"], .hook),
      (
        "/usr/bin/python3.13", [harnessTag, "CLAUDE_CODE_LAUNCHED_BY_SESSION_IDS=x"], .mcpServer
      ),
      ("/usr/bin/git", [harnessTag], .helper),
      ("/usr/bin/git (deleted)", [], .helper),
      ("/home/ann/.local/share/claude/versions/2.1.329", [], .helper),
      ("/usr/bin/bash", [], .unknown),
      ("/usr/bin/bash", ["XAI_AGENT=claude-code_2-1-329_agent"], .unknown),
      ("/usr/bin/bash", ["AI_AGENT=other_agent"], .unknown),
      // getenv(3) sees the first of two.
      ("/usr/bin/bash", [harnessTag, agentTag], .helper),
    ] as [(String, [String], ProcessClass)])
  func claudeCode(program: String, environment: [String], expected: ProcessClass) throws {
    let rules = try shipped()
    let entries = environment.map { Array($0.utf8) }
    let agent = try rules.place("claude-code")
    #expect(rules.processClass(agent: agent, program: RawPath(program), environment: entries) == expected)
  }

  @Test("programs and environment of one rule must both hold")
  func both() throws {
    let text = minimal("classes:\n  - {class: hook, programs: [sh], environment: {A: \"/x*\"}}\n")
    let rules = try AgentRules(documents: [RuleDocument("a.yaml", text)])
    func told(_ program: String, _ entry: String) -> ProcessClass {
      rules.processClass(agent: 0, program: RawPath(program), environment: [Array(entry.utf8)])
    }
    #expect(told("/bin/sh", "A=/x/y") == .hook)
    #expect(told("/bin/bash", "A=/x/y") == .unknown)
    #expect(told("/bin/sh", "A=/y") == .unknown)
  }
}
