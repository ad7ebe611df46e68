import CTestActions
import Decode
import LinuxKernel
import TestSupport
import Testing

extension KernelFacts {
  /// Ways to open and read that a whole-file-system mark reports.
  struct Reading {
    let scratch: ScratchDirectory
    let watch: FileWatch

    init() throws {
      scratch = try ScratchDirectory()
      try scratch.write("a")
      watch = try FileWatch(scratch)
    }

    @Test(
      "an open is reported with pid, directory, name and identity, whichever call made it",
      arguments: [Action.open, .openat2, .create, .map])
    func opens(action: Action) throws {
      let pid = try Child.run(action, in: scratch)
      let sighting = try #require(try watch.read(of: pid).first { $0.mask.contains(.open) })
      #expect(sighting.name == "a")
      #expect(try sighting.target == DecodedHandle(path: scratch("a")))
      #expect(try sighting.directory == DecodedHandle(path: scratch.path))
    }

    @Test(
      "a read is reported, whichever call made it",
      arguments: [
        Action.read, .readAt, .sendFile, .splice, .copyRange, .reopen, .openHandle,
      ])
    func reads(action: Action) throws {
      let pid = try Child.run(action, in: scratch)
      let identity = try DecodedHandle(path: scratch("a"))
      let sightings = try watch.read(of: pid).filter { $0.target == identity }
      #expect(sightings.contains { $0.mask.contains(.open) })
      #expect(sightings.contains { $0.mask.contains(.access) })
    }

    @Test("what is copied into is reported as modified", arguments: [Action.sendFile, .copyRange])
    func copies(action: Action) throws {
      let pid = try Child.run(action, in: scratch, "a", "b")
      #expect(try watch.mask(of: pid, name: "b").isSuperset(of: [.create, .open, .modify, .closeWrite]))
    }

    @Test("touching a mapping of an opened file is not reported, its open is")
    func mapping() throws {
      let pid = try Child.run(.map, in: scratch)
      #expect(try watch.mask(of: pid) == [.open, .closeNoWrite])
    }

    @Test("io_uring's open and read carry the owner's pid: inline, by io-wq, by SQPOLL", arguments: 0...2)
    func ring(number: Int) throws {
      let pid = try Child.run(.ring, in: scratch, number: number)
      #expect(try watch.mask(of: pid, name: "a").isSuperset(of: [.open, .access]))
    }

    @Test("truncate(2) without an open is reported as modified")
    func truncation() throws {
      let pid = try Child.run(.truncate, in: scratch)
      #expect(try watch.mask(of: pid, name: "a") == [.modify])
    }

    @Test("O_PATH, stat, access, readlink and reading xattrs raise nothing; setting one raises ATTRIB")
    func metadata() throws {
      try scratch.link("b", to: "a")
      let setter = try Child.run(.setAttribute, in: scratch)
      #expect(try watch.mask(of: setter) == [.attribute])
      let pid = try Child.run(.lookAt, in: scratch)
      #expect(try watch.read(of: pid).isEmpty)
    }

    @Test("an O_PATH descriptor raises nothing until it is opened anew")
    func reopened() throws {
      let pid = try Child.run(.reopen, in: scratch)
      #expect(try watch.mask(of: pid, name: "a") == [.open, .access, .closeNoWrite])
    }
  }
}
