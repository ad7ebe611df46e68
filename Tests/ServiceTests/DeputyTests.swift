import Foundation
import TestSupport
import Testing

extension ServiceTests {
  /// Real programs, outside every session, that work with what a session made.
  @Suite("who works for a session from outside", .serialized)
  struct DeputyTests {
    private func shell(_ script: String) throws {
      let outcome = try Subprocess.run("/bin/bash", ["--norc", "-c", script])
      #expect(outcome.status == 0, "\(outcome.errors)")
    }

    @Test("make on a makefile, a shell on its start file, a git hook, and python on a module: all that a session wrote")
    func interpreters() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let names = ["make", "rc", "hook", "module", "plain", "other"]
      let files = try Dictionary(uniqueKeysWithValues: names.map { ($0, try agent.file("target-\($0)")) })
      let place = agent.home("work")
      try shell(
        "git -c init.defaultBranch=main init -q \(place)/repository && chmod 777 \(place)/repository/.git/hooks")
      let from = service.moment()
      let planted = try agent.run(
        """
        set -e
        cd \(place)
        printf 'all:\\n\\tcat target-make >/dev/null\\n' > makefile
        echo 'read x < \(place)/target-rc' > start
        printf '#!/bin/sh\\nread x < \(place)/target-hook\\n' > repository/.git/hooks/pre-commit
        chmod +x repository/.git/hooks/pre-commit
        echo 'open("\(place)/target-module").read()' > module.py
        """)
      #expect(planted.status == 0, "\(planted.errors)")
      try shell("make -s -C \(place)")
      try shell("bash --rcfile \(place)/start -i -c true </dev/null 2>/dev/null")
      try shell("cd \(place)/repository && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x")
      try shell("cd \(place) && python3 -c 'import module'")
      // What only passes on what it reads acts on nothing, and who took nothing is nobody's.
      try shell("cat \(place)/makefile \(place)/target-plain >/dev/null")
      try shell("python3 -c 'open(\"\(place)/target-other\").read()'")
      for name in ["make", "rc", "hook", "module"] {
        let verdict = service.prove(try #require(files[name]), from: from)
        #expect(verdict.status == 2, "\(name): \(verdict.output)")
        #expect(verdict.output.contains("influenced: record"), "\(name): \(verdict.output)")
        let accepted = service.prove(try #require(files[name]), from: from, "--accept-hazard", "influenced")
        #expect(accepted.status == 0, "\(name): \(accepted.output)")
      }
      for name in ["plain", "other"] {
        let verdict = service.prove(try #require(files[name]), from: from)
        #expect(verdict.status == 0, "\(name): \(verdict.output)")
      }
      #expect(!service.alibi("accesses", "--path", "**/target-*").output.contains("target-"), "no session's access")
    }

    @Test("the program that somebody makes of a session's source, run after a restart of the service")
    func compiled() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let target = try agent.file("target"), other = try agent.file("other")
      let place = agent.home("work")
      let source = "int getchar(void); int main(void) { return getchar() < 0; }"
      #expect(try agent.run("echo '\(source)' > \(place)/main.c").status == 0)
      try shell("cd \(place) && cc -o program main.c")
      _ = try service.stop()
      try service.restart()
      let from = service.moment()
      // The shell opens its input, and becomes it.
      try shell("cd \(place) && exec ./program < other")
      try shell(
        "cd \(place) && cp program copy && python3 -c 'import subprocess; subprocess.run([\"./copy\"], stdin=open(\"target\"))'"
      )
      for file in [target, other] {
        let verdict = service.prove(file, from: from)
        #expect(verdict.status == 2, "\(verdict.output)")
        #expect(verdict.output.contains("influenced: record"), "\(verdict.output)")
      }
    }

    @Test(
      "a file that a session reads through bindfs: the server touched what lies behind, and other files are nobody's")
    func servedFiles() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let target = try agent.file("target"), other = try agent.file("other")
      let place = agent.home("work")
      let points = try ScratchDirectory(in: "/tmp", owner: 0)
      try shell("mkdir \(points("m")) && bindfs \(place) \(points("m"))")
      defer { _ = try? Subprocess.run("/bin/umount", [points("m")]) }
      let from = service.moment()
      #expect(try agent.run("cat \(points("m"))/target", asRoot: true).status == 0)
      let verdict = service.prove(target, from: from, "--accept-hazard", "privilege")
      #expect(verdict.status == 2, "\(verdict.output)")
      #expect(verdict.output.contains("contacted: record"), "\(verdict.output)")
      let untouched = service.prove(other, from: from, "--accept-hazard", "privilege")
      #expect(untouched.status == 0, "\(untouched.output)")
    }

    @Test("a file that curl gets from a person's http.server on this host, over both of its addresses")
    func webServer() throws {
      let service = try ServiceUnderTest(audit: true)
      let agent = try StandInAgent()
      let names = ["four", "six", "own", "other"]
      let files = try Dictionary(uniqueKeysWithValues: names.map { ($0, try agent.file($0)) })
      let port = 20_000 + Int(getpid() % 20_000)
      let servers = try [("127.0.0.1", port), ("::1", port + 1)].map { address, port in
        try Subprocess(
          "/usr/bin/env",
          ["python3", "-m", "http.server", "--bind", address, "--directory", agent.home("work"), "\(port)"])
      }
      defer {
        for server in servers {
          server.signal(SIGTERM)
          _ = try? server.finish()
        }
      }
      try eventually("the servers answer") {
        try ["127.0.0.1:\(port)", "[::1]:\(port + 1)"].allSatisfy { place in
          try Subprocess.run("/usr/bin/env", ["curl", "-sf", "-o", "/dev/null", "http://\(place)/"]).status == 0
        }
      }
      let from = service.moment()
      // What somebody else gets is nobody's, until a session has asked.
      let own = try Subprocess.run(
        "/usr/bin/env", ["curl", "-sf", "-o", "/dev/null", "http://127.0.0.1:\(port)/own"])
      #expect(own.status == 0)
      _ = service.moment()
      let got = try agent.run(
        """
        set -e
        curl -sf -o /dev/null http://127.0.0.1:\(port)/four
        curl -sf -o /dev/null 'http://[::1]:\(port + 1)/six'
        """)
      #expect(got.status == 0, "\(got.errors)")
      for name in ["four", "six"] {
        let verdict = service.prove(try #require(files[name]), from: from)
        #expect(verdict.status == 2 && verdict.output.contains("contacted: record"), "\(name): \(verdict.output)")
        let accepted = service.prove(try #require(files[name]), from: from, "--accept-hazard", "contacted")
        #expect(accepted.status == 0, "\(name): \(accepted.output)")
      }
      for name in ["own", "other"] {
        let verdict = service.prove(try #require(files[name]), from: from)
        #expect(verdict.status == 0, "\(name): \(verdict.output)")
      }
    }

    @Test("a server that answers out of a file that it had mapped, and out of one that it had open, long before")
    func answersFromMemory() throws {
      let service = try ServiceUnderTest(audit: true)
      let agent = try StandInAgent()
      let mapped = try agent.file("mapped", "content"), open = try agent.file("open", "content")
      let closed = try agent.file("closed", "content")
      let door = agent.home("work/door")
      let program = try agent.file(
        "server.py",
        """
        import mmap, os, socket, sys
        kept = open("\(open)")
        text = kept.read()
        file = open("\(mapped)")
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        file.close()
        open("\(closed)").read()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("\(door)")
        os.chmod("\(door)", 0o777)
        listener.listen()
        while True:
            client, _ = listener.accept()
            client.sendall(memory[:] + text.encode())
            client.close()
            if len(sys.argv) > 1: break
        """)
      func ask(_ arguments: [String]) throws -> Subprocess {
        let server = try Subprocess("/usr/bin/env", ["python3", program] + arguments)
        try eventually("the server listens") { FileManager.default.fileExists(atPath: door) }
        Thread.sleep(forTimeInterval: 0.5)
        let asked = try agent.run("socat -u UNIX-CONNECT:\(door) - | grep -q contentcontent")
        #expect(asked.status == 0, "\(asked.errors)")
        try FileManager.default.removeItem(atPath: door)
        return server
      }
      let from = service.moment()
      let server = try ask([])
      for file in [mapped, open] {
        let verdict = service.prove(file, from: from)
        #expect(verdict.status == 2 && verdict.output.contains("contacted: record"), "\(verdict.output)")
      }
      let untouched = service.prove(closed, from: from)
      #expect(untouched.status == 0, "\(untouched.output)")
      server.signal(SIGTERM)
      _ = try server.finish()
      // One that is gone before anybody can look at it.
      let later = service.moment()
      #expect(try ask(["once"]).finish().status == 0)
      for file in [mapped, open] {
        let gone = service.prove(file, from: later)
        #expect(gone.status == 2, "\(gone.output)")
      }
    }
  }
}
