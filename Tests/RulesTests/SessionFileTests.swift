import Records
import Rules
import Testing

private let id = "0f8e3a52-1b7c-4d2e-9a6f-0123456789ab"

struct SessionFileTests {
  @Test(
    "a process that writes the session file of its own pid is a session",
    arguments: [
      ("/home/ann/.claude/sessions/4711.json", 4711), ("/srv/config/sessions/1.json", 1),
      ("/home/ann/.claude/sessions/2147483647.json", Int32.max),
    ])
  func ownPid(path: String, pid: Int32) throws {
    let rules = try shipped()
    let agent = try rules.place("claude-code")
    #expect(rules.sessionFile(agent: agent, path: RawPath(path), pid: pid) == .session)
    #expect(rules.mayBeSessionFile("\(pid).json", pid: pid))
  }

  @Test(
    "a number that is not exactly the writer's says nothing",
    arguments: ["471.json", "47110.json", "04711.json", "4711", "4711.json.tmp", "x4711.json", "-4711.json"])
  func otherPid(name: String) throws {
    let rules = try shipped()
    let path = RawPath("/home/ann/.claude/sessions/" + name)
    #expect(rules.sessionFile(agent: try rules.place("claude-code"), path: path, pid: 4711) == nil)
    #expect(!rules.mayBeSessionFile(name, pid: 4711))
  }

  @Test("no file is that of pid 0 or of a negative one", arguments: [0, -1] as [Int32])
  func impossiblePid(pid: Int32) throws {
    #expect(try !shipped().mayBeSessionFile("\(pid).json", pid: pid))
  }

  @Test("a transcript names the conversation, in lower case")
  func transcript() throws {
    let rules = try shipped()
    let agent = try rules.place("claude-code")
    for spelling in [id, id.uppercased()] {
      let path = RawPath("/home/ann/.claude/projects/-srv-app/\(spelling).jsonl")
      #expect(rules.sessionFile(agent: agent, path: path, pid: 7) == .conversation(id))
      #expect(rules.mayBeSessionFile("\(spelling).jsonl", pid: 7))
    }
  }

  @Test(
    "what is no transcript of a session says nothing",
    arguments: [
      "/home/ann/.claude/projects/-srv-app/agent-0123.jsonl",
      "/home/ann/.claude/projects/-srv-app/\(id)/subagents/agent-01.jsonl",
      "/home/ann/.claude/projects/-srv-app/\(id).json", "/home/ann/.claude/projects/\(id).jsonl",
      "/home/ann/.claude/projects/-srv-app/\(id)0.jsonl",
      "/home/ann/.claude/projects/-srv-app/\(id.dropLast()).jsonl",
      "/home/ann/.claude/projects/-srv-app/\(id.dropLast())g.jsonl",
      "/home/ann/.claude/projects/-srv-app/\(id.replacing("-", with: "0")).jsonl",
      "/home/ann/.claude/other/-srv-app/\(id).jsonl", "/home/ann/.claude/4711.json", "\(id).jsonl",
    ])
  func notATranscript(path: String) throws {
    let rules = try shipped()
    let agent = try rules.place("claude-code")
    #expect(rules.sessionFile(agent: agent, path: RawPath(path), pid: 4711) == nil)
  }

  @Test("a rollout of Codex names the conversation at its end, whatever the date before it looks like")
  func rollout() throws {
    let rules = try shipped()
    let agent = try rules.place("codex")
    for stamp in ["2026-01-31T12-59-59", "2026-01-31", "x"] {
      let name = "rollout-\(stamp)-\(id).jsonl"
      let path = RawPath("/home/ann/.codex/sessions/2026/01/31/\(name)")
      #expect(rules.sessionFile(agent: agent, path: path, pid: 7) == .conversation(id))
      #expect(rules.mayBeSessionFile(name, pid: 7))
    }
    let archived = RawPath("/home/ann/.codex/archived_sessions/rollout-2026-01-31T12-59-59-\(id).jsonl")
    #expect(rules.sessionFile(agent: agent, path: archived, pid: 7) == nil)
  }

  @Test("one agent's file says nothing of another agent's process")
  func otherAgent() throws {
    let rules = try shipped()
    let path = RawPath("/home/ann/.claude/sessions/4711.json")
    #expect(rules.sessionFile(agent: try rules.place("codex"), path: path, pid: 4711) == nil)
  }
}
