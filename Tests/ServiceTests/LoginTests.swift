import Foundation
import TestSupport
import Testing

extension ServiceTests {
  /// Real su and sudo, on accounts, passwords and rights that only a mount namespace of the test's own has.
  @Suite("as whom a session acts", .serialized, .tool("sudo", "-V"))
  struct LoginTests {
    private struct Shown: Decodable {
      struct Told: Decodable {
        var what: String
        var operation: String?
        var account: String?
        var terminal: String?
        var program: String?
        var command: String?
        var command_masked: Bool?
        var login_uid: UInt32?
        var audit_session: UInt32?
        var success: Bool?
      }
      var session: String?
      var developer: String?
      var path: String?
      var login: Told?
    }

    private struct SessionShown: Decodable {
      var session: String
      var developer: String?
      var login_uid: UInt32?
      var audit_session: UInt32?
      var terminal: String?
    }

    /// Runs a script as the agent, on a terminal, in a login of its own, where `bob` and the agent's user have passwords.
    private func runAgent(_ agent: StandInAgent, _ script: String) throws -> Subprocess.Outcome {
      let place = try ScratchDirectory(in: "/tmp", owner: 0)
      try agent.home.write("script", script)
      let hash = { (word: String) in
        try Subprocess.run("/usr/bin/env", ["openssl", "passwd", "-6", word]).output.filter { !$0.isNewline }
      }
      let own = try hash("own-password"), bobs = try hash("bobs-password")
      try place.write(
        "sudoers",
        """
        Defaults lecture=never, timestamp_timeout=0, !mail_always, !syslog, timestampdir=\(place("ts"))
        nobody ALL=(ALL) ALL

        """, mode: 0o440)
      try place.write(
        "setup",
        """
        set -e
        cd \(place.path)
        { cat /etc/passwd; echo 'bob:x:64002:64002::/tmp:/bin/sh'; } > passwd
        grep -v '^nobody:' /etc/shadow > shadow
        { echo 'nobody:\(own):19000::::::'; echo 'bob:\(bobs):19000::::::'; } >> shadow
        chmod 600 shadow
        for file in passwd shadow sudoers; do mount --bind $file /etc/$file; done
        echo \(StandInAgent.user) > /proc/self/loginuid
        exec script -qec '\(agent.launch) \(agent.home("script"))' /dev/null

        """)
      return try Subprocess.run(
        "/usr/bin/unshare", ["--mount", "--propagation", "private", "/bin/sh", place("setup")])
    }

    @Test("su and sudo keep the developer, and tell who tried what as whom, where, and how it ended, without secrets")
    func tells() throws {
      let service = try ServiceUnderTest(audit: true)
      defer { _ = try? service.stop() }
      let agent = try StandInAgent()
      let file = try agent.file("read-by-bob.txt")
      let ran = try runAgent(
        agent,
        """
        echo wrong | su bob -c true
        echo bobs-password | su bob -c 'cat \(file)'
        echo own-password | sudo -S -p '' sh -c 'echo --token s3cr3t-word'
        echo wrong | sudo -k -S -p '' true
        :

        """)
      try #require(ran.status == 0, "\(ran.output) \(ran.errors)")
      #expect(ran.output.contains("secret"), "bob has read the file: \(ran.output)")
      let key = try #require(try service.standIns().last?.session)
      let all = try JSONDecoder().decode(
        [Shown].self, from: Data(service.alibi("timeline", key, "--json").output.utf8))
      let told = all.compactMap(\.login)
      #expect(all.allSatisfy { $0.developer == "nobody" })
      #expect(all.contains { $0.path == file })
      let start = try #require(told.first)
      #expect(start.what == "SESSION" && start.login_uid == StandInAgent.user && start.audit_session != nil)
      #expect(told.allSatisfy { $0.login_uid == StandInAgent.user && $0.audit_session == start.audit_session })
      func tried(_ what: String, _ program: String, _ account: String?) -> [Bool?] {
        told.filter { $0.what == what && $0.program == "/usr/bin/\(program)" && $0.account == account }.map(\.success)
      }
      #expect(tried("USER_AUTH", "su", "bob") == [false, true])
      #expect(tried("USER_START", "su", "bob") == [true] && tried("USER_END", "su", "bob") == [true])
      #expect(tried("USER_AUTH", "sudo", "nobody").prefix(2) == [true, false])
      #expect(tried("USER_START", "sudo", "root") == [true])
      let commands = told.filter { $0.what == "USER_CMD" }
      #expect(commands.map(\.command) == ["sh -c echo --token ***", "true"])
      #expect(commands.map(\.success) == [true, false] && commands.first?.command_masked == true)
      #expect(told.dropFirst().allSatisfy { $0.terminal?.contains("pts/") == true })
      let timeline = service.alibi("timeline", key).output
      #expect(timeline.contains("USER_AUTH failed") && timeline.contains("begins"), "\(timeline)")
      #expect(!timeline.contains("s3cr3t-word") && !timeline.contains("bobs-password"), "\(timeline)")
      let sessions = try JSONDecoder().decode(
        [SessionShown].self, from: Data(service.alibi("sessions", "--json").output.utf8))
      let session = try #require(sessions.first { $0.session == key })
      #expect(session.developer == "nobody" && session.login_uid == StandInAgent.user)
      #expect(session.audit_session == start.audit_session && session.terminal?.hasPrefix("pts/") == true)
      // A filter of accesses leaves them alone.
      let read = service.alibi("timeline", key, "--path", file, "--json").output
      #expect(!read.contains("USER_AUTH") && read.contains("read-by-bob"))
      #expect(service.alibi("verify", "--full", "--state", service.state).status == 0)
    }
  }
}
