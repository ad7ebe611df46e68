import Foundation
import TestSupport
import Testing

extension ServiceTests {
  @Suite(.serialized)
  struct CommandTests {
    @Test("a missing store is exit status 66, with a hint")
    func missingStore() throws {
      let outcome = try Subprocess.run(Place.programs + "/alibi", ["sessions", "--state", "/nonexistent"])
      #expect(outcome.status == 66)
      #expect(outcome.errors.hasPrefix("alibi: error: no store in /nonexistent\nalibi: hint: "))
    }

    @Test("a damaged store is exit status 65")
    func damagedStore() throws {
      let scratch = try ScratchDirectory(in: "/tmp")
      try scratch.write("alibi.sqlite", String(repeating: "not a database ", count: 500))
      let outcome = try Subprocess.run(Place.programs + "/alibi", ["sessions", "--state", scratch.path])
      #expect(outcome.status == 65)
      #expect(outcome.errors.contains("damaged"))
    }

    @Test("no right to read is exit status 77")
    func forbidden() throws {
      let service = try ServiceUnderTest()
      let outcome = try Subprocess.run(
        "/usr/bin/setpriv",
        ["--reuid", "65534", "--clear-groups", Place.programs + "/alibi", "sessions", "--state", service.state])
      #expect(outcome.status == 77)
    }

    @Test(
      "usage errors are exit status 64",
      arguments: [
        ["prove"], ["prove", "/x", "--from", "yesterday"], ["prove", "/x", "--from", "now", "--to", "-2h"],
        ["accesses", "--op", "eat"], ["accesses", "--limit", "0"], ["accesses", "--path", "{"], ["nonsense"],
        ["prove", "/x", "--from", "-1h", "--accept-hazard", "names"],
        ["prove", "inode:x", "--from", "-1h"], ["trace", "999999999"], ["timeline", "no-such-session"],
        ["prove", "/x", "--from", "-1h", "--session", "no-such-session"],
      ])
    func usage(arguments: [String]) throws {
      let service = try ServiceUnderTest()
      let outcome = service.alibi(arguments)
      #expect(outcome.status == 64, "\(outcome.output)\(outcome.errors)")
      #expect(outcome.errors.hasPrefix("alibi: error: "))
      #expect(outcome.errors.contains("\nalibi: hint: "))
    }

    @Test("an answer that cannot be written is never exit status 0")
    func cutOff() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("a.txt")
      let command =
        "\(Place.programs)/alibi prove \(file) --from -1s --absent-name --state \(service.state) > /dev/full"
      let outcome = try Subprocess.run("/bin/sh", ["-c", command])
      #expect(outcome.status == 74)
    }

    @Test("trace tells which developer, which session, and every process from the access up to the agent")
    func trace() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("a.txt")
      try agent.run("sh -c 'cat \(file); :' >/dev/null")
      let record = try #require(try service.accesses(file).first)
      let text = service.alibi("trace", "\(record.id)").output
      #expect(text.contains("/cat "))
      #expect(text.contains(agent.program))
      #expect(text.contains("developer    "))
      #expect(service.alibi("trace", "\(record.id)", "--json").status == 0)
    }

    @Test("timeline and accesses take filters")
    func filters() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("a.txt")
      try agent.run("read l < \(file); echo y > \(file)")
      let session = try #require(try service.standIns().first?.session)
      let all = service.alibi("timeline", session, "--path", file, "--json").output
      let written = service.alibi("timeline", session, "--path", file, "--op", "write", "--json").output
      let decoder = JSONDecoder()
      #expect(try decoder.decode([ServiceUnderTest.Record].self, from: Data(all.utf8)).count >= 1)
      #expect(try decoder.decode([ServiceUnderTest.Record].self, from: Data(written.utf8)).count == 1)
      #expect(service.alibi("accesses", "--developer", "nobody-of-that-name").output == "no access matches\n")
    }

    @Test("doctor finds everything needed on this kernel, and status names what is watched")
    func doctor() throws {
      let service = try ServiceUnderTest()
      let doctor = service.alibi("doctor")
      #expect(doctor.status == 0, "\(doctor.output)")
      let status = service.alibi("status").output
      #expect(status.contains("capturing"))
      #expect(status.contains("NOT covered:"))
    }
  }
}
