import Records
import Rules
import Testing

struct LaunchFormTests {
  @Test(
    "an execve of any known form of Claude Code begins a session of it",
    arguments: [
      ("/home/ann/.local/share/claude/versions/2.1.329", "2.1.329"),
      ("/home/ann/.local/share/claude/versions/2.1.330-beta.1", "2.1.330-beta.1"),
      ("/root/.local/share/claude/versions/2.1.329 (deleted)", "2.1.329"),
      ("/home/runner/work/_temp/home/.local/share/claude/versions/2.1.329", "2.1.329"),
      ("/srv/venv/lib/python3.13/site-packages/claude_agent_sdk/_bundled/claude", nil),
      ("/srv/app/node_modules/@anthropic-ai/claude-agent-sdk-linux-x64/claude", nil),
      ("/srv/app/node_modules/@anthropic-ai/claude-agent-sdk-linux-arm64-musl/claude", nil),
      (
        "/srv/app/node_modules/.pnpm/@anthropic-ai+claude-agent-sdk-linux-x64@0.3.1/node_modules"
          + "/@anthropic-ai/claude-agent-sdk-linux-x64/claude", nil
      ),
      (
        "/home/ann/.vscode/extensions/anthropic.claude-code-2.1.12-linux-x64/resources/native-binary/claude",
        "2.1.12"
      ),
      (
        "/home/ann/.vscode-server/extensions/anthropic.claude-code-2.1.12-linux-arm64/resources"
          + "/native-binary/claude", "2.1.12"
      ),
      (
        "/root/.vscode-server/extensions/anthropic.claude-code-2.1.12-alpine-x64/resources"
          + "/native-binary/claude", "2.1.12"
      ),
      (
        "/home/ann/.cursor/extensions/anthropic.claude-code-2.1.12/resources/native-binary/claude", "2.1.12"
      ),
      ("/usr/lib/node_modules/@anthropic-ai/claude-code-linux-x64/claude", nil),
      ("/usr/lib/node_modules/@anthropic-ai/claude-code-linux-arm64/claude", nil),
      ("/usr/lib/node_modules/@anthropic-ai/claude-code-linux-x64-musl/claude", nil),
      (
        "/usr/lib/node_modules/@anthropic-ai/claude-code/node_modules/@anthropic-ai"
          + "/claude-code-linux-x64/claude", nil
      ),
      ("/usr/lib/node_modules/@anthropic-ai/claude-code/bin/claude.exe", nil),
      ("/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js", nil),
      ("/home/ann/.claude/local/claude", nil),
      ("/home/ann/.claude/local/node_modules/@anthropic-ai/claude-code/cli.js", nil),
      ("/usr/bin/claude", nil),
      ("/opt/claude/bin/claude", nil),
      ("/nix/store/0a1b2c-claude-code-2.1.200/bin/.claude-wrapped", "2.1.200"),
      ("/home/linuxbrew/.linuxbrew/Caskroom/claude-code/2.1.200/claude", "2.1.200"),
    ] as [(String, String?)])
  func claudeCode(path: String, version: String?) throws {
    let rules = try shipped()
    let expected = version.map { "claude-code \($0)" } ?? "claude-code"
    #expect(rules.named(rules.agent(executable: RawPath(path))) == expected)
  }

  @Test(
    "an execve of something alike begins nothing",
    arguments: [
      "/usr/bin/claude-desktop", "/home/x/claude", "/usr/bin/claude2", "/usr/bin/Claude", "bin/claude2", "",
      "/home/x/.local/share/claude/versions/2.1.3/extra", "/home/x/.local/share/claude/versions",
      "/home/x/.local/share/claude/versions/latest", "/home/x/.local/share/claude/versions/2.1.3 old",
      "/home/x/.local/share/claude/2.1.3", "/home/x/.local/share/claudette/versions/2.1.3",
      "/home/x/.local/share/claude/versions/.2.1.3",
      "/srv/app/node_modules/@anthropic-ai/claude-agent-sdk/claude",
      "/srv/app/node_modules/@anthropic-ai/sdk/cli.js", "/srv/app/node_modules/@other/claude-code/cli.js",
      "/srv/claude_agent_sdk/claude", "/srv/claude_agent_sdk/_bundled/claude.version",
      "/home/x/.vscode/extensions/anthropic.claude-code-2.1.12-linux-x64/resources/native-binary/rg",
      "/home/x/.vscode/extensions/other.claude-code-2.1.12-linux-x64/resources/native-binary/claude",
      "/home/x/bin/claude/readme", "/usr/bin/claude (deleted) (deleted)", "/usr/bin/node",
    ])
  func nearMisses(path: String) throws {
    let rules = try shipped()
    #expect(rules.agent(executable: RawPath(path)) == nil)
  }

  @Test("a path that is not UTF-8 is matched by its bytes")
  func invalidUTF8() throws {
    let rules = try shipped()
    let path = RawPath(Array("/home/".utf8) + [0xFF, 0xFE] + Array("/bin/claude".utf8))
    #expect(rules.named(rules.agent(executable: path)) == "claude-code")
  }

  @Test(
    "an execve of any known form of Codex begins a session of it",
    arguments: [
      ("/usr/local/bin/codex", nil),
      (
        "/usr/lib/node_modules/@openai/codex/vendor/x86_64-unknown-linux-musl/codex/codex", nil
      ),
      (
        "/usr/lib/node_modules/@openai/codex/node_modules/@openai/codex-linux-x64/vendor"
          + "/x86_64-unknown-linux-musl/bin/codex", nil
      ),
      (
        "/usr/lib/node_modules/@openai/codex-linux-arm64/vendor/aarch64-unknown-linux-musl/codex/codex", nil
      ),
      ("/usr/lib/node_modules/@openai/codex/bin/codex-x86_64-unknown-linux-musl", nil),
      ("/home/ann/.vscode/extensions/openai.chatgpt-0.4.9-linux-x64/bin/linux-x86_64/codex", nil),
      ("/nix/store/0a1b2c-codex-0.140.0/bin/codex", "0.140.0"),
      ("/usr/lib/node_modules/@openai/codex/bin/codex.js", nil),
    ] as [(String, String?)])
  func codex(path: String, version: String?) throws {
    let rules = try shipped()
    #expect(rules.named(rules.agent(executable: RawPath(path))) == version.map { "codex \($0)" } ?? "codex")
  }

  @Test(
    "what lies beside Codex is not Codex",
    arguments: [
      "/usr/bin/codex-exec", "/home/x/codex", "/usr/lib/node_modules/@openai/codex/vendor/x/path/rg",
      "/usr/lib/node_modules/@openai/codex/vendor/codex", "/usr/bin/codex-exec-x86_64-unknown-linux-musl",
    ])
  func codexNearMisses(path: String) throws {
    let rules = try shipped()
    #expect(rules.agent(executable: RawPath(path)) == nil)
  }

  @Test(
    "an interpreter that opens an agent's script is the agent",
    arguments: [
      ("/usr/bin/node", "/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js", "claude-code"),
      ("/usr/bin/node (deleted)", "/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js", "claude-code"),
      ("/usr/bin/nodejs", "/srv/app/node_modules/@anthropic-ai/claude-agent-sdk/cli.js", "claude-code"),
      (
        "/usr/bin/node-22", "/root/.claude/local/node_modules/@anthropic-ai/claude-code/cli.js", "claude-code"
      ),
      (
        "/root/.bun/bin/bun", "/root/.bun/install/global/node_modules/@anthropic-ai/claude-code/cli.js",
        "claude-code"
      ),
      (
        "/root/.vscode-server/cli/servers/Stable-1/server/node",
        "/root/.vscode-server/extensions/anthropic.claude-code-1.0.120/resources/claude-code/cli.js",
        "claude-code 1.0.120"
      ),
      ("/usr/bin/node", "/usr/lib/node_modules/@openai/codex/bin/codex.js", "codex"),
    ])
  func interpreter(program: String, script: String, agent: String) throws {
    let rules = try shipped()
    #expect(rules.isInterpreter(RawPath(program)))
    #expect(rules.named(rules.agent(interpreter: RawPath(program), opening: RawPath(script))) == agent)
  }

  @Test("an editor that opens the script is no agent, nor is node that opens another script")
  func notAnInterpreter() throws {
    let rules = try shipped()
    let script = RawPath("/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js")
    #expect(!rules.isInterpreter(RawPath("/usr/bin/vim")))
    #expect(rules.agent(interpreter: RawPath("/usr/bin/vim"), opening: script) == nil)
    #expect(rules.agent(interpreter: RawPath("/usr/bin/node"), opening: RawPath("/srv/cli.js")) == nil)
    // node reads an agent's executable, say to copy it: that runs nothing.
    #expect(rules.agent(interpreter: RawPath("/usr/bin/node"), opening: RawPath("/usr/bin/claude")) == nil)
  }

  @Test(
    "the dynamic loader that opens an agent's executable is the agent",
    arguments: [
      "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "/usr/lib/ld-linux-aarch64.so.1", "/lib/ld-2.31.so",
      "/lib/ld-musl-x86_64.so.1", "/usr/lib64/ld64.so.2", "/usr/bin/ld.so", "/usr/lib/musl/lib/libc.so",
    ])
  func loader(path: String) throws {
    let rules = try shipped()
    let loader = RawPath(path)
    #expect(rules.isInterpreter(loader))
    let claude = RawPath("/home/ann/.local/share/claude/versions/2.1.329")
    #expect(rules.named(rules.agent(interpreter: loader, opening: claude)) == "claude-code 2.1.329")
    #expect(rules.agent(interpreter: loader, opening: RawPath("/usr/bin/ls")) == nil)
  }

  @Test(
    "a linker or a library is not the dynamic loader",
    arguments: ["/usr/bin/ld", "/usr/bin/ld.bfd", "/usr/bin/ld-new", "/usr/lib/libc.so.6", "/usr/bin/ldd"])
  func notALoader(path: String) throws {
    #expect(try !shipped().isInterpreter(RawPath(path)))
  }

  @Test("the name alone rules out most files, and never one that matches")
  func prefilter() throws {
    let rules = try shipped()
    for name in ["claude", "claude.exe", "cli.js", "2.1.329", "codex", "codex.js"] {
      #expect(rules.mayBeAgent(name), "\(name)")
    }
    for name in ["", "ls", "claude-desktop", "main.swift", "v2.1.329", "Claude", "claude (deleted)"] {
      #expect(!rules.mayBeAgent(name), "\(name)")
    }
  }
}
