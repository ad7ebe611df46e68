import CTestActions
import Decode
import LinuxKernel
import TestSupport
import Testing

extension KernelFacts {
  /// Descriptors that somebody else opened.
  struct Descriptors {
    let scratch: ScratchDirectory
    let watch: FileWatch

    init() throws {
      scratch = try ScratchDirectory()
      try scratch.write("a")
      watch = try FileWatch(scratch)
    }

    @Test("a read of an inherited descriptor is an access of the reader, who opened nothing")
    func inherited() throws {
      let file = try OwnedDescriptor.open(scratch("a"), .readOnly)
      let pid = try Child.run(.readInherited, in: scratch, descriptor: file.raw)
      #expect(try watch.mask(of: pid, name: "a") == .access)
    }

    @Test("a hazard: libaio's read of an inherited descriptor raises nothing")
    func asynchronous() throws {
      let file = try OwnedDescriptor.open(scratch("a"), .readOnly)
      let pid = try Child.run(.readAsync, in: scratch, descriptor: file.raw)
      #expect(try watch.read(of: pid).isEmpty)
    }

    @Test("a read of a descriptor that came over SCM_RIGHTS is an access of the reader")
    func received() throws {
      let sender = try Child.run(.receiveAndRead, in: scratch)
      let reader = Child.notedPid()
      let sightings = try watch.read()
      let bySender = sightings.filter { $0.pid == sender }.mask
      let byReader = sightings.filter { $0.pid == reader }.mask
      #expect(bySender.contains(.open) && !bySender.contains(.access))
      #expect(byReader.contains(.access) && !byReader.contains(.open))
    }

    @Test("a mapping of an inherited descriptor is no event, but a perf mmap2 with device, inode, generation")
    func mapped() throws {
      let tasks = try TaskWatch()
      let file = try OwnedDescriptor.open(scratch("a"), .readOnly)
      let pid = try Child.run(.mapInherited, in: scratch, descriptor: file.raw, number: 1)
      #expect(try watch.read(of: pid).isEmpty)
      let maps = try tasks.drain().compactMap(\.map).filter { $0.pid == pid }
      let map = try #require(maps.first)
      let status = try FileStatus(descriptor: file)
      let identity = try #require(try DecodedHandle(path: scratch("a")))
      #expect(map.device == status.device && map.inode == status.inode)
      #expect(map.inode == identity.inode && map.generation == identity.generation)
      #expect(map.protection == 1)
    }

    @Test("a shared writable mapping tells so, and writing through it raises nothing in fanotify")
    func written() throws {
      let tasks = try TaskWatch()
      let file = try OwnedDescriptor.open(scratch("a"), .readWrite)
      let pid = try Child.run(.mapInherited, in: scratch, descriptor: file.raw, number: 3)
      #expect(try watch.read(of: pid).isEmpty)
      let map = try #require(try tasks.drain().compactMap(\.map).first { $0.pid == pid })
      #expect(map.protection == 3 && map.flags & 1 == 1)
    }

    @Test("the CLOSE of an inherited descriptor comes from its last holder, not from who opened it")
    func closed() async throws {
      let opener = try Child.run(.holderCloses, in: scratch)
      let holder = Child.notedPid()
      var all: [Sighting] = []
      #expect(
        try await eventually {
          all += try watch.read()
          return all.contains { $0.pid == holder && $0.mask == .closeWrite }
        })
      #expect(all.filter { $0.pid == opener }.map(\.mask) == [.open])
    }

    @Test("the inode and generation in a file handle are those of perf's mmap2", arguments: ["tmpfs", "ext4"])
    func generation(type: String) throws {
      let place = type == "tmpfs" ? scratch : try ScratchDirectory(in: "/var/tmp")
      let mounts = MountEntry.table(try Procfs.file(Procfs.ownPid, "mountinfo"))
      try place.write("a")
      let device = try FileStatus(path: Array(place("a").utf8)).device
      guard mounts.contains(where: { $0.device == device && $0.type == Array(type.utf8) }) else {
        try Test.cancel("/var/tmp is not \(type)")
      }
      let tasks = try TaskWatch()
      let pid = try Child.run(.map, in: place)
      let identity = try #require(try DecodedHandle(path: place("a")))
      let map = try #require(try tasks.drain().compactMap(\.map).last { $0.pid == pid })
      #expect(map.inode == identity.inode && map.generation == identity.generation && map.device == device)
      #expect(identity.generation != 0)
    }
  }
}
