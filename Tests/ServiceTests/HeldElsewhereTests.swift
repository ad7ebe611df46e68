import Foundation
import TestSupport
import Testing

extension ServiceTests {
  /// Who holds a file by a name that only its own mounts have, and the names that the host has for it.
  @Suite(.serialized)
  struct HeldElsewhereTests {
    private let agent: StandInAgent
    /// Makes the mounts and opens, in a namespace of its own; what follows inherits the descriptors.
    private let opened: String

    init() throws {
      agent = try StandInAgent()
      let names = ["data", "point", "low", "up", "w", "inner", "merged"]
      for name in names { try agent.home.makeDirectory("work/" + name) }
      for name in ["data/bound", "data/other", "low/low", "low/removed", "low/other", "inner/other"] {
        _ = try agent.file(name, "content")
      }
      opened = """
        set -e
        cd \(agent.home("work"))
        mount --bind data point
        mount -t overlay -o lowerdir=$PWD/low,upperdir=$PWD/up,workdir=$PWD/w overlay merged
        echo content > merged/up; echo content > merged/gone
        exec 4< point/bound 5< merged/low 6< merged/up 7< merged/removed 8< merged/gone
        rm merged/removed merged/gone
        """
    }

    private func expect(
      _ service: ServiceUnderTest, _ kind: String, from: String, location: SourceLocation = #_sourceLocation
    ) {
      for name in ["data/bound", "data/", "low/low", "low/", "up/up", "low/removed", "up/gone", "up/"] {
        let verdict = service.prove(agent.home("work/" + name), from: from)
        #expect(
          verdict.status == 2 && verdict.output.contains("\(kind): record"), "\(name): \(verdict.output)",
          sourceLocation: location)
      }
      for name in ["data/other", "low/other", "inner/other", "inner/"] {
        let verdict = service.prove(agent.home("work/" + name), from: from)
        #expect(verdict.status == 0, "\(name): \(verdict.output)", sourceLocation: location)
      }
    }

    @Test("a server among mounts of its own, of a bound directory and of an overlay, that is asked")
    func server() throws {
      let service = try ServiceUnderTest(audit: true)
      let door = agent.home("work/door")
      let program = try agent.file(
        "server.py",
        """
        import os, socket
        content = b"".join(os.read(number, 100) for number in range(4, 9))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("\(door)")
        os.chmod("\(door)", 0o777)
        listener.listen()
        while True:
            client, _ = listener.accept()
            client.sendall(content)
            client.close()
        """)
      let server = try Subprocess(
        "/usr/bin/unshare", ["-m", "/bin/sh", "-c", opened + "\nexec /usr/bin/env python3 \(program)"])
      defer {
        server.signal(SIGTERM)
        _ = try? server.finish()
      }
      try eventually("the server listens") { FileManager.default.fileExists(atPath: door) }
      let from = service.moment()
      let asked = try agent.run("socat -u UNIX-CONNECT:\(door) - | grep -q content")
      #expect(asked.status == 0, "\(asked.errors)")
      expect(service, "contacted", from: from)
    }

    @Test("a session that begins with such descriptors")
    func session() throws {
      let service = try ServiceUnderTest()
      let from = service.moment()
      let shell = try Subprocess(
        "/usr/bin/unshare", ["-m", "/bin/sh", "-c", opened + "\nsleep 0.5; exec \(agent.launch) -c 'sleep 6; :'"])
      defer { _ = try? shell.finish() }
      try eventually("the session began") { try !service.sessions().isEmpty }
      Thread.sleep(forTimeInterval: 0.5)
      expect(service, "inherited", from: from)
    }
  }
}
