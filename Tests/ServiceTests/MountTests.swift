import Foundation
import TestSupport
import Testing

extension ServiceTests {
  /// What was mounted when a file was read, and is not when somebody asks.
  @Suite(.serialized)
  struct MountTests {
    /// An agent with a directory of files and some empty ones.
    private func scene() throws -> (StandInAgent, (String) -> String) {
      let agent = try StandInAgent()
      for name in ["data", "point", "upper", "inner"] { try agent.home.makeDirectory("work/" + name) }
      for name in ["read.csv", "other.csv"] { _ = try agent.file("data/" + name) }
      return (agent, { agent.home("work/" + $0) })
    }

    private func expect(
      _ service: ServiceUnderTest, _ target: String, _ status: Int32, from: String, _ more: [String] = [],
      location: SourceLocation = #_sourceLocation
    ) {
      let outcome = service.alibi(["prove", target, "--from", from] + more)
      #expect(outcome.status == status, "\(outcome.output)\(outcome.errors)", sourceLocation: location)
    }

    @Test("a bind mount that is gone is followed by the path that was used, by tree and by pattern")
    func bind() throws {
      let service = try ServiceUnderTest()
      let (agent, place) = try scene()
      let from = service.moment()
      do {
        let mount = try ScratchMount(binding: place("data"), on: place("point"))
        try agent.run("sleep 0.1; read l < \(place("point/read.csv")); sleep 0.1")
        try eventually("the mount is free") { (try? mount.unmount()) != nil }
      }
      expect(service, place("point/read.csv"), 1, from: from)
      expect(service, place("point/"), 1, from: from)
      expect(service, place("point/*.csv"), 1, from: from, ["--glob"])
      expect(service, place("p*/read.csv"), 1, from: from, ["--glob"])
      expect(service, place("point/other.csv"), 0, from: from)
      expect(service, place("data/other.csv"), 0, from: from)
      expect(service, place("p*/other.csv"), 0, from: from, ["--glob"])
      expect(service, place("inner/"), 0, from: from)
      let later = service.moment()
      expect(service, place("point/read.csv"), 2, from: later)
      expect(service, place("point/read.csv"), 0, from: later, ["--absent-name"])
    }

    @Test("an overlay that is gone is its layers")
    func overlay() throws {
      let service = try ServiceUnderTest()
      let (agent, place) = try scene()
      let from = service.moment()
      do {
        let mount = try ScratchMount(
          "overlay", on: place("point"),
          options: "lowerdir=\(place("data")),upperdir=\(place("upper")),workdir=\(place("inner"))")
        try agent.run("sleep 0.1; read l < \(place("point/read.csv")); echo new > \(place("point/new.csv")); sleep 0.1")
        try eventually("the mount is free") { (try? mount.unmount()) != nil }
      }
      expect(service, place("point/read.csv"), 1, from: from)
      expect(service, place("point/new.csv"), 1, from: from)
      expect(service, place("point/new.csv"), 1, from: from, ["--op", "write"])
      expect(service, place("point/other.csv"), 0, from: from)
    }

    @Test("a mount that only the session had is followed while somebody lives there, and is not the host's")
    func inside() throws {
      let service = try ServiceUnderTest()
      let (agent, place) = try scene()
      _ = try agent.file("upper/mine.csv")
      let from = service.moment()
      let script = """
        mount --bind \(place("data")) \(place("point")); mount -t tmpfs own \(place("upper")); sleep 0.5; echo > \
        \(place("upper/mine.csv")); read l < \(place("point/read.csv")); read l < \(place("upper/mine.csv")); sleep 0.4
        """
      #expect(try agent.run("unshare -m sh -c '\(script); :'", asRoot: true).status == 0)
      let accepted = ["--accept-hazard", "privilege"]
      expect(service, place("point/read.csv"), 1, from: from)
      expect(service, place("point/other.csv"), 0, from: from, accepted)
      // The host's file of that name was not read; the session's own cannot be told from outside.
      let own = service.alibi(["prove", place("upper/mine.csv"), "--from", from] + accepted)
      #expect(own.status == 2, "\(own.output)")
      #expect(own.output.contains("names: "))
      expect(service, place("upper/yours.csv"), 0, from: from, accepted + ["--absent-name"])
      expect(service, place("upper/mine.csv"), 0, from: now(), accepted)
    }

    @Test("a file system that was mounted at the target for a while is not vouched for before it was watched")
    func fileSystem() throws {
      let service = try ServiceUnderTest()
      let (agent, place) = try scene()
      let from = service.moment()
      do {
        let mount = try ScratchMount("tmpfs", on: place("point"))
        try agent.run("sleep 0.5; echo new > \(place("point/new.csv")); sleep 0.3")
        try eventually("the mount is free") { (try? mount.unmount()) != nil }
      }
      expect(service, place("point/new.csv"), 1, from: from)
      let other = service.prove(place("point/other.csv"), from: from, "--absent-name")
      #expect(other.status == 2 && other.output.contains("was not watched"), "\(other.output)")
      expect(service, place("data/other.csv"), 0, from: from)
    }

    @Test("a recorder that is killed restates what is mounted, and the history goes on")
    func killed() throws {
      let service = try ServiceUnderTest()
      let (agent, place) = try scene()
      let from = service.moment()
      do {
        let mount = try ScratchMount(binding: place("data"), on: place("point"))
        try agent.run("read l < \(place("point/read.csv"))")
        let recorder = try service.recorder()
        #expect(Foundation.kill(recorder, SIGKILL) == 0)
        try eventually("another recorder") { try service.recorder() != recorder }
        try eventually("the mount is free") { (try? mount.unmount()) != nil }
      }
      expect(service, place("point/read.csv"), 1, from: from)
      expect(service, place("point/other.csv"), 0, from: from)
    }
  }
}
