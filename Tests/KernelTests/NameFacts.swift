import CTestActions
import Decode
import LinuxKernel
import TestSupport
import Testing

extension KernelFacts {
  /// How names come and go.
  struct Names {
    let scratch: ScratchDirectory
    let watch: FileWatch

    init() throws {
      scratch = try ScratchDirectory()
      try scratch.write("a")
      watch = try FileWatch(scratch)
    }

    @Test("a hard link is reported under the name used, with the same identity")
    func hardLink() throws {
      try Child.run(.link, in: scratch, "a", "b")
      let identity = try DecodedHandle(path: scratch("a"))
      for name in ["a", "b"] {
        let pid = try Child.run(.read, in: scratch, name)
        let sightings = try watch.read(of: pid)
        #expect(sightings.map(\.name) == [name])
        #expect(sightings.first?.target == identity)
      }
    }

    @Test("a link raises CREATE of the new name and an ATTRIB without a name")
    func link() throws {
      let pid = try Child.run(.link, in: scratch, "a", "b")
      let identity = try DecodedHandle(path: scratch("a"))
      let sightings = try watch.read(of: pid)
      let created = try #require(sightings.first { $0.mask == .create })
      #expect(created.name == "b" && created.target == identity)
      let changed = try #require(sightings.first { $0.mask == .attribute })
      #expect(changed.name.isEmpty && changed.directory == nil && changed.target == identity)
      #expect(sightings.count == 2)
    }

    @Test("a rename is one event with both directories, both names and the file's identity")
    func rename() throws {
      try scratch.makeDirectory("d")
      let identity = try DecodedHandle(path: scratch("a"))
      let pid = try Child.run(.rename, in: scratch, "a", "d/z")
      let sightings = try watch.read(of: pid)
      let sighting = try #require(sightings.first { $0.mask.contains(.rename) })
      #expect(sighting.name == "a" && sighting.newName == "z" && sighting.target == identity)
      #expect(try sighting.directory == DecodedHandle(path: scratch.path))
      #expect(try sighting.newDirectory == DecodedHandle(path: scratch("d")))
      #expect(sightings.count == 1)
    }

    @Test("an exchange is two renames, each with both names")
    func exchange() throws {
      try scratch.write("b")
      let pid = try Child.run(.exchange, in: scratch, "a", "b")
      let renames = try watch.read(of: pid).filter { $0.mask.contains(.rename) }
      #expect(Set(renames.map { "\($0.name) to \($0.newName)" }) == ["a to b", "b to a"])
      // After the exchange: what was a is now called b.
      let moved = try #require(renames.first { $0.name == "a" })
      #expect(try moved.target == DecodedHandle(path: scratch("b")))
    }

    @Test("a rename over a file raises an ATTRIB without a name for the one replaced")
    func replaced() throws {
      try scratch.write("b")
      let old = try DecodedHandle(path: scratch("b"))
      // A holder keeps the replaced file alive, so that its end is not what is seen.
      let holder = try OwnedDescriptor.open(scratch("b"), .readOnly)
      let pid = try Child.run(.rename, in: scratch, "a", "b")
      let sightings = try watch.read(of: pid)
      let sighting = try #require(sightings.first { $0.target == old })
      #expect(sighting.mask == .attribute && sighting.name.isEmpty && sighting.directory == nil)
      #expect(!sightings.contains { $0.mask.contains(.delete) })
      withExtendedLifetime(holder) {}
    }

    @Test("mkdir's CREATE carries the new directory's identity")
    func directory() throws {
      let pid = try Child.run(.makeDirectory, in: scratch, "new")
      let sighting = try #require(try watch.read(of: pid).first { $0.mask.contains(.create) })
      #expect(sighting.mask == [.create, .onDirectory] && sighting.name == "new")
      #expect(try sighting.target == DecodedHandle(path: scratch("new")))
    }

    @Test("O_TMPFILE's open and write carry the identity under which linkat's CREATE names the file")
    func temporary() throws {
      let pid = try Child.run(.temporary, in: scratch, "a", "b")
      let identity = try #require(try DecodedHandle(path: scratch("b")))
      let sightings = try watch.read(of: pid).filter { $0.target == identity }
      #expect(sightings.contains { $0.mask.isSuperset(of: [.open, .modify]) && $0.name != "b" })
      #expect(sightings.contains { $0.mask.contains(.create) && $0.name == "b" })
    }

    @Test("open_by_handle_at is reported with the file's identity")
    func handle() throws {
      let pid = try Child.run(.openHandle, in: scratch)
      let identity = try #require(try DecodedHandle(path: scratch("a")))
      let sightings = try watch.read(of: pid)
      #expect(sightings.mask.isSuperset(of: [.open, .access]))
      #expect(sightings.allSatisfy { $0.target == identity })
    }

    @Test("a directory's handle tells its present path, raising nothing, and ESTALE when it is gone")
    func resolution() throws {
      try scratch.makeDirectory("d")
      let handle = try FileHandle(path: Array(scratch("d").utf8))
      // Not O_PATH: open_by_handle_at refuses one with EBADF.
      let root = try OwnedDescriptor.open(scratch.path, .directory)
      try Child.run(.rename, in: scratch, "d", "e")
      _ = try watch.read()
      #expect(try path(of: handle.open(mount: root)) == Array(scratch("e").utf8))
      #expect(try watch.read().isEmpty)
      try Child.run(.removeDirectory, in: scratch, "e")
      #expect(throws: Errno.staleHandle) { _ = try handle.open(mount: root) }
    }

    @Test("unlink raises DELETE with the name and the identity that is gone")
    func unlink() throws {
      let identity = try #require(try DecodedHandle(path: scratch("a")))
      let pid = try Child.run(.unlink, in: scratch)
      let sighting = try #require(try watch.read(of: pid).first { $0.mask.contains(.delete) })
      #expect(sighting.name == "a" && sighting.target == identity)
    }
  }
}
