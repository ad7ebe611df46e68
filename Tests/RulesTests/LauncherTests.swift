import Foundation
import Testing

@testable import Records
@testable import Rules

@Suite("Commands that others were asked to start")
struct LauncherTests {
  private func match(_ executed: [String], _ asked: [String], shells: Bool = false) -> Launcher.Match? {
    Launcher(program: RawPath("/usr/bin/x"), startsShells: shells).match(
      executed.map { Array($0.utf8) }, askedWith: asked.map { Array($0.utf8) })
  }

  @Test("the launcher's last arguments, as they are or behind a shell's -c")
  func arguments() {
    #expect(match(["cat", "/data/x"], ["docker", "run", "--rm", "image", "cat", "/data/x"]) == .arguments)
    #expect(match(["/usr/bin/cat", "/data/x"], ["systemd-run", "cat", "/data/x"]) == .arguments)
    #expect(match(["sh", "-c", "cat /data/x"], ["tmux", "new-window", "cat /data/x"]) == .arguments)
    #expect(match(["bash", "-lc", "cat /data/x"], ["ssh", "-q", "localhost", "cat", "/data/x"]) == .arguments)
    #expect(match(["bash"], ["docker", "run", "-it", "image", "bash"]) == .arguments)
  }

  @Test("other arguments, other programs, parts of a command, and what no command was given for")
  func others() {
    #expect(match(["cat", "/data/y"], ["docker", "run", "image", "cat", "/data/x"]) == nil)
    #expect(match(["dog", "/data/x"], ["docker", "run", "image", "cat", "/data/x"]) == nil)
    #expect(match(["cat"], ["docker", "run", "image", "cat", "/data/x"]) == nil)
    #expect(match(["sh", "-c", "cat"], ["tmux", "new-window", "cat /data/x"]) == nil)
    #expect(match(["sh", "-x", "cat"], ["tmux", "new-window", "cat"]) == nil)
    #expect(match(["tmux"], ["tmux"]) == nil)
    #expect(match([], ["tmux", "x"]) == nil)
  }

  @Test("a shell without arguments, of launchers that start one")
  func shells() {
    #expect(match(["-zsh"], ["tmux", "new-window"], shells: true) == .shell)
    #expect(match(["/bin/bash"], ["tmux", "new-window"], shells: true) == .shell)
    #expect(match(["-zsh"], ["tmux", "new-window"]) == nil)
    #expect(match(["-cat"], ["tmux", "new-window"], shells: true) == nil)
    #expect(match(["bash", "-l"], ["tmux", "new-window"], shells: true) == nil)
  }

  @Test("the shipped file names launchers and spools; a relative path, and what is no truth value, is refused")
  func files() throws {
    #expect(try shipped().launcher(RawPath("/usr/bin/tmux"))?.startsShells == true)
    #expect(try shipped().launcher(RawPath("/usr/bin/docker"))?.startsShells == false)
    #expect(try shipped().isJob(RawPath("/var/spool/cron/atjobs/a00001")))
    #expect(try !shipped().isJob(RawPath("/var/spool/cron/crontabs/u")))
    #expect(try shipped().isLeafServer(RawPath("/usr/lib/systemd/systemd-resolved")))
    #expect(try shipped().isManager(RawPath("/usr/lib/systemd/systemd")))
    for (text, reason) in [
      ("launchers: [{program: tmux}]", "must be an absolute path"), ("launchers: [{shells: true}]", "is missing"),
      ("launchers: [{program: /x, shells: perhaps}]", "expected true or false"), ("spools: [/x/*]", "no pattern"),
      ("{}", "no launchers are named"), ("others: []", "unknown key"),
    ] {
      #expect {
        try RuleReader(RuleDocument(name: "l.yaml", bytes: Array(text.utf8))).launchers()
      } throws: {
        "\($0)".contains(reason)
      }
    }
  }
}
