import Foundation
import LinuxKernel
import TestSupport
import Testing

extension ServiceTests {
  @Suite(.serialized)
  struct FaultTests {
    /// A small file system for the store, and a file that takes what is left of it.
    private final class SmallDisk {
      let directory: ScratchDirectory
      let mount: ScratchMount
      var state: String { directory("disk/state") }

      init(megabytes: Int) throws {
        directory = try ScratchDirectory(in: "/tmp")
        try directory.makeDirectory("disk")
        mount = try ScratchMount("tmpfs", on: directory("disk"), options: "size=\(megabytes)m")
      }

      func fill() throws {
        _ = try Subprocess.run("/bin/sh", ["-c", "cat /dev/zero > \(directory("disk/full")) 2>/dev/null; true"])
      }

      func free() throws { _ = try Subprocess.run("/bin/rm", [directory("disk/full")]) }
    }

    private func status(_ service: ServiceUnderTest, says key: String) throws -> Bool {
      try #require(service.json("status") as? [String: Any])[key] is String
    }

    @Test("a full disk holds records up and loses none; the service says so, and ends all the same")
    func fullDisk() throws {
      let disk = try SmallDisk(megabytes: 8)
      let service = try ServiceUnderTest(state: disk.state)
      let agent = try StandInAgent()
      let read = try agent.file("read.txt")
      let untouched = try agent.file("untouched.txt")
      let from = service.moment()
      try agent.run("true")
      try disk.fill()
      try eventually("status tells that the store takes nothing") {
        try agent.run("read l < \(read)")
        return try status(service, says: "store_problem")
      }
      try disk.free()
      try eventually("the record is there") { try !service.accesses(read).isEmpty }
      #expect(try !status(service, says: "store_problem"))
      let to = now()
      service.expect(0, untouched, from: from, "--to", to)
      try disk.fill()
      try agent.run("read l < \(read)")
      let outcome = try service.stop()
      #expect(outcome.status == 0)
    }

    @Test("when the disk stays full the service gives records up, says which time is missing, and keeps its size")
    func givesUp() throws {
      let disk = try SmallDisk(megabytes: 8)
      let service = try ServiceUnderTest(capture: "{journal-megabytes: 16}", state: disk.state)
      let agent = try StandInAgent()
      let untouched = try agent.file("untouched.txt")
      try agent.home.makeDirectory("work/many")
      let names = (0..<2000).map { "\($0)" }
      for name in names { try agent.home.write("work/many/\(name)", "x") }
      let from = service.moment()
      try disk.fill()
      let size = try residentMegabytes(service.recorder())
      try eventually("the service gives up") {
        try agent.run("\(agent.actor) storm \(agent.home("work/many")) 2000")
        return try status(service, says: "lost_since")
      }
      #expect(try residentMegabytes(service.recorder()) < size + 300)
      try disk.free()
      try eventually("the store takes records again") { try !status(service, says: "store_problem") }
      let verdict = service.prove(untouched, from: from)
      #expect(verdict.status == 2, "\(verdict.output)\(verdict.errors)")
      #expect(verdict.output.contains("refused records"))
      let later = now()
      try agent.run("true")
      service.expect(0, untouched, from: later)
      let file = try agent.file("after.txt")
      try agent.run("read l < \(file)")
      service.expect(1, file, from: later)
    }

    @Test("a queue that overflows leaves a gap, and only there")
    func tinyQueue() throws {
      let service = try ServiceUnderTest(capture: "{queue-length: 64}")
      let agent = try StandInAgent()
      let untouched = try agent.file("untouched.txt")
      try agent.home.makeDirectory("work/many")
      for name in 0..<3000 { try agent.home.write("work/many/\(name)", "x") }
      try eventually("the service is at rest") {
        let from = now()
        Thread.sleep(forTimeInterval: 0.5)
        return service.prove(untouched, from: from).status == 0
      }
      let from = now()
      // A person's doing: nobody's accesses are stored, and yet what a session did meanwhile cannot be known.
      _ = try Subprocess.run("/bin/sh", ["-c", "cat \(agent.home("work/many"))/* > /dev/null"])
      let to = now()
      let verdict = service.prove(untouched, from: from, "--to", to)
      #expect(verdict.status == 2)
      #expect(verdict.output.contains("queue overflow"), "\(verdict.output)")
      try eventually("what comes after the gap is covered") {
        let later = now()
        Thread.sleep(forTimeInterval: 0.5)
        return service.prove(untouched, from: later).status == 0
      }
    }

    private func residentMegabytes(_ pid: Int32) throws -> Int {
      let text = String(decoding: try Procfs.file(pid, "statm"), as: UTF8.self)
      return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096 >> 20
    }
  }
}
