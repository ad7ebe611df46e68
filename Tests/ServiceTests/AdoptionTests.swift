import Foundation
import TestSupport
import Testing

extension ServiceTests {
  /// Real programs that start something for a session in a tree of their own.
  @Suite("what others start for a session", .serialized)
  struct AdoptionTests {
    private func shell(_ script: String) throws {
      let outcome = try Subprocess.run("/bin/bash", ["--norc", "-c", script])
      #expect(outcome.status == 0, "\(outcome.errors)")
    }

    /// A person's shell, of the agent's user.
    private func person(_ script: String) throws {
      let outcome = try Subprocess.run(
        "/usr/bin/setpriv", StandInAgent.setpriv + ["/bin/bash", "--norc", "-c", script])
      #expect(outcome.status == 0, "\(outcome.errors)")
    }

    /// Waits for the command that a server was asked to run, and asks.
    private func verdict(
      _ service: ServiceUnderTest, _ target: String, from: String, done: String
    ) throws -> Subprocess.Outcome {
      try eventually("what was asked for is done") { FileManager.default.fileExists(atPath: done) }
      return service.prove(target, from: from, "--accept-hazard", "privilege")
    }

    private func adopted(_ service: ServiceUnderTest) throws -> Int {
      let sessions = try #require(try service.json("sessions") as? [[String: Any]])
      return sessions.count { $0["relation"] as? String == "adopted" }
    }

    @Test("a window of tmux: its command is the session's, what the server and a person's window do is not")
    func tmux() throws {
      let service = try ServiceUnderTest(audit: true)
      let agent = try StandInAgent()
      let names = ["window", "keys", "person", "shell"]
      let files = try Dictionary(uniqueKeysWithValues: names.map { ($0, try agent.file($0)) })
      let place = agent.home("work"), door = agent.home("door")
      let configuration = try agent.file("tmux.conf", "set -g default-shell /bin/bash\n")
      let tmux = "HOME=\(place) tmux -S \(door) -f \(configuration)"
      try person("\(tmux) new-session -d -s main bash --norc")
      defer { _ = try? person("\(tmux) kill-server") }
      let from = service.moment()
      #expect(
        try agent.run("\(tmux) new-window 'cat \(place)/window > /dev/null; touch \(place)/done'; sleep 0.5").status
          == 0)
      let window = try verdict(service, try #require(files["window"]), from: from, done: place + "/done")
      #expect(window.status == 1, "\(window.output)")
      #expect(try adopted(service) == 1)
      // A shell in a window that was there: whoever types is not told.
      try agent.run(
        "\(tmux) send-keys -t main:0 'cat \(place)/keys > /dev/null; touch \(place)/done2' Enter; sleep 0.5")
      let keys = try verdict(service, try #require(files["keys"]), from: from, done: place + "/done2")
      #expect(keys.status == 2 && keys.output.contains("contacted: record"), "\(keys.output)")
      // A window without a command.
      try agent.run(
        "\(tmux) new-window; sleep 1; \(tmux) send-keys 'read l < \(place)/shell; : > \(place)/done3' Enter")
      let shell = try verdict(service, try #require(files["shell"]), from: from, done: place + "/done3")
      #expect(shell.status == 1, "\(shell.output)")
      try person("\(tmux) new-window 'cat \(place)/person > /dev/null; touch \(place)/done4'")
      let person = try verdict(service, try #require(files["person"]), from: from, done: place + "/done4")
      #expect(person.status == 2, "the server has been asked before: \(person.output)")
      #expect(try adopted(service) == 2)
      #expect(service.alibi("verify", "--full").status == 0)
    }

    @Test("a window of screen")
    func screen() throws {
      let service = try ServiceUnderTest(audit: true)
      let agent = try StandInAgent()
      let target = try agent.file("target"), other = try agent.file("other")
      let place = agent.home("work")
      try shell("mkdir -m 700 \(agent.home("screens")) && chown \(StandInAgent.user) \(agent.home("screens"))")
      let screen = "HOME=\(place) SCREENDIR=\(agent.home("screens")) SHELL=/bin/bash screen"
      try person("\(screen) -dmS main bash --norc")
      defer { _ = try? person("\(screen) -S main -X quit") }
      let from = service.moment()
      try agent.run(
        "\(screen) -S main -X screen sh -c 'cat \(place)/target > /dev/null; touch \(place)/done'; sleep 0.5")
      let verdict = try verdict(service, target, from: from, done: place + "/done")
      #expect(verdict.status == 1, "\(verdict.output)")
      service.expect(0, other, from: from)
    }

    @Test("a login over ssh to this host, as somebody else: the command is the session's")
    func ssh() throws {
      let service = try ServiceUnderTest(audit: true)
      let agent = try StandInAgent()
      let target = try agent.file("target")
      let place = agent.home("work")
      let scratch = try ScratchDirectory(in: "/tmp")
      let hadRoom = FileManager.default.fileExists(atPath: "/run/sshd")
      try shell(
        """
        set -e
        mkdir -p /run/sshd
        ssh-keygen -q -t ed25519 -N '' -f \(scratch("host"))
        ssh-keygen -q -t ed25519 -N '' -f \(place)/key
        cp \(place)/key.pub \(scratch("authorized"))
        chown \(StandInAgent.user) \(place)/key
        """)
      defer { if !hadRoom { try? FileManager.default.removeItem(atPath: "/run/sshd") } }
      let port = 20_000 + Int(getpid() % 20_000)
      let server = try Subprocess(
        "/usr/sbin/sshd",
        [
          "-D", "-e", "-f", "/dev/null", "-p", "\(port)", "-h", scratch("host"), "-o", "ListenAddress=127.0.0.1", "-o",
          "PidFile=none", "-o", "StrictModes=no", "-o", "PermitRootLogin=yes", "-o", "UsePAM=no", "-o",
          "AuthorizedKeysFile=\(scratch("authorized"))",
        ])
      defer {
        server.signal(SIGTERM)
        _ = try? server.finish()
      }
      Thread.sleep(forTimeInterval: 0.5)
      let from = service.moment()
      let login = try agent.run(
        "ssh -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i \(place)/key -p \(port) root@127.0.0.1 "
          + "'cat \(target) > /dev/null; touch \(place)/done'")
      #expect(login.status == 0, "\(login.errors)")
      let verdict = try verdict(service, target, from: from, done: place + "/done")
      #expect(verdict.status == 1, "\(verdict.output)")
      // Who is root there can blind the sensor.
      #expect(service.prove(try agent.file("other"), from: from).output.contains("privilege"))
    }

    @Test("a job of at: the session has ended by the time it runs")
    func at() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let target = try agent.file("target")
      let place = agent.home("work")
      let server = try Subprocess("/usr/sbin/atd", ["-f"])
      defer {
        server.signal(SIGTERM)
        _ = try? server.finish()
      }
      let from = service.moment()
      let asked = try agent.run("echo 'cat \(target) > /dev/null; touch \(place)/done' | at now", asRoot: true)
      #expect(asked.status == 0, "\(asked.errors)")
      let verdict = try verdict(service, target, from: from, done: place + "/done")
      #expect(verdict.status == 1, "\(verdict.output)")
      #expect(try adopted(service) == 1)
    }

    @Test("a table of cron's: whoever reads it is influenced, and so are its jobs")
    func cron() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let target = try agent.file("target")
      let place = agent.home("work")
      #expect(
        !FileManager.default.fileExists(atPath: "/var/spool/cron/crontabs/root"), "a table that is not the test's")
      let hadBooted = FileManager.default.fileExists(atPath: "/run/crond.reboot")
      try? FileManager.default.removeItem(atPath: "/run/crond.reboot")
      let from = service.moment()
      let asked = try agent.run(
        "echo '@reboot cat \(target) > /dev/null; touch \(place)/done' | crontab -", asRoot: true)
      #expect(asked.status == 0, "\(asked.errors)")
      let server = try Subprocess("/usr/sbin/cron", ["-f"])
      defer {
        server.signal(SIGTERM)
        _ = try? server.finish()
        _ = try? Subprocess.run("/usr/bin/crontab", ["-r"])
        if !hadBooted { try? FileManager.default.removeItem(atPath: "/run/crond.reboot") }
      }
      let verdict = try verdict(service, target, from: from, done: place + "/done")
      #expect(verdict.status == 2, "\(verdict.output)")
      #expect(verdict.output.contains("influenced: record"), "\(verdict.output)")
    }

    @Test("a shell into whose terminal a session puts keys, and a parent that talks to it over a socket")
    func terminals() throws {
      let service = try ServiceUnderTest(audit: true)
      let agent = try StandInAgent()
      let typed = try agent.file("typed"), told = try agent.file("told"), other = try agent.file("other")
      let keys = try agent.file(
        "keys.py",
        "import fcntl, termios\nfor key in b'cat \(typed) > /dev/null\\n': fcntl.ioctl(0, termios.TIOCSTI, bytes([key]))\n"
      )
      let from = service.moment()
      try shell(
        "(echo '\(agent.program) -c \"python3 \(keys); :\"'; sleep 1.5; echo exit)"
          + " | script -q -c 'bash --norc -i' /dev/null > /dev/null")
      let verdict = service.prove(typed, from: from, "--accept-hazard", "privilege")
      #expect(verdict.status == 2 && verdict.output.contains("contacted: record"), "\(verdict.output)")
      let parent = try agent.file(
        "parent.py",
        """
        import os, socket, subprocess, time
        near, far = socket.socketpair()
        child = subprocess.Popen([\"\(agent.program)\", "-c", "read l <&3; :"], preexec_fn=lambda: os.dup2(far.fileno(), 3),
                                 pass_fds=[3], user=\(StandInAgent.user), group=\(StandInAgent.user))
        far.close()
        time.sleep(1)
        open("\(told)").read()
        near.send(b"go\\n")
        child.wait()
        """)
      let later = service.moment()
      try shell("python3 \(parent)")
      let asked = service.prove(told, from: later)
      #expect(asked.status == 2 && asked.output.contains("contacted: record"), "\(asked.output)")
      let untouched = service.prove(other, from: later, "--accept-hazard", "privilege")
      #expect(untouched.status == 0, "\(untouched.output)")
    }

    @Test("what a server that was asked asks another one, to which it was connected before, or connects then")
    func behind() throws {
      let service = try ServiceUnderTest(audit: true)
      let agent = try StandInAgent()
      let before = try agent.file("before"), then = try agent.file("then"), other = try agent.file("other")
      let place = agent.home("work")
      func serve(_ options: String, _ more: String) throws -> Subprocess {
        try Subprocess("/usr/bin/socat", [options, more])
      }
      let servers = [
        try serve("UNIX-LISTEN:\(place)/b1,mode=777", "SYSTEM:read l; cat \(before) > /dev/null; echo served"),
        try serve("UNIX-LISTEN:\(place)/b2,mode=777", "SYSTEM:cat \(then) > /dev/null; echo served"),
        try serve("UNIX-LISTEN:\(place)/a2,mode=777", "UNIX-CONNECT:\(place)/b2"),
      ]
      try eventually("the servers listen") {
        ["b1", "b2", "a2"].allSatisfy { FileManager.default.fileExists(atPath: place + "/" + $0) }
      }
      let relay = try serve("UNIX-CONNECT:\(place)/b1", "UNIX-LISTEN:\(place)/a1,mode=777")
      try eventually("the relay listens") { FileManager.default.fileExists(atPath: place + "/a1") }
      let from = service.moment()
      let asked = try agent.run(
        """
        (echo x; sleep 1) | socat -t 5 - UNIX-CONNECT:\(place)/a1 | grep -q served
        socat -u UNIX-CONNECT:\(place)/a2 - | grep -q served
        """)
      #expect(asked.status == 0, "\(asked.errors)")
      for server in servers + [relay] { _ = try server.finish() }
      for file in [before, then] {
        let verdict = service.prove(file, from: from)
        #expect(verdict.status == 2 && verdict.output.contains("contacted: record"), "\(verdict.output)")
      }
      // Those that ended as soon as they had answered may have held anything.
      let verdict = service.prove(other, from: from, "--accept-hazard", "raw-device")
      #expect(verdict.status == 0, "\(verdict.output)")
    }
  }
}
