import CTestActions
import Decode
import LinuxKernel
import TestSupport
import Testing

extension KernelFacts {
  /// What a whole-file-system mark can be put on, and from where it sees.
  struct Reach {
    let scratch: ScratchDirectory

    init() throws {
      scratch = try ScratchDirectory()
      try scratch.write("a")
    }

    @Test(
      "tmpfs, ext4, devtmpfs and cgroup2 take a whole-file-system mark",
      arguments: ["tmpfs", "ext4", "devtmpfs", "cgroup2"])
    func taken(type: String) throws {
      let mounts = MountEntry.table(try Procfs.file(Procfs.ownPid, "mountinfo"))
      guard let mount = mounts.last(where: { $0.type == Array(type.utf8) }) else {
        try Test.cancel("no \(type) is mounted")
      }
      let group = try FanotifyGroup(.identity)
      try group.mark(.fileSystem, mask: FanotifyMask.openExec.rawValue, path: mount.mountPoint)
    }

    @Test("procfs and sysfs refuse with EOPNOTSUPP", arguments: ["/proc", "/sys"])
    func refused(path: String) throws {
      let watch = try FileWatch(.identity)
      #expect(throws: Errno.notSupported) { try watch.mark(path) }
    }

    @Test("a procfs takes a mark that reports by descriptor: whose environment is read is told, and by whom")
    func memory() throws {
      let group = try FanotifyGroup(.descriptor)
      try group.mark(.fileSystem, mask: FanotifyMask.memory.rawValue, path: Array("/proc".utf8))
      let place = "/proc/\(Procfs.ownPid)/environ"
      let reader = try Child.run(.read, in: scratch, place)
      #expect(group.descriptor.available > 0)
      let seen = try events(of: reader, group)
      #expect(seen.contains { $0.path == Array(place.utf8) && $0.mask.contains(.access) })
      // Its process is killed before anybody can open it.
      let writer = try Child.run(.call, in: scratch, "write-memory")
      let unseen = try events(of: writer, group)
      #expect(unseen.contains { $0.descriptor == -Errno.noSuchProcess.rawValue && $0.mask.contains(.modify) })
    }

    private func events(
      of pid: Int32, _ group: FanotifyGroup
    ) throws -> [(descriptor: Int32, mask: FanotifyMask, path: [UInt8])] {
      var found: [(Int32, FanotifyMask, [UInt8])] = []
      try unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
        while let count = unsafe try? group.descriptor.read(into: buffer), count > 0 {
          let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
          var offset = 0
          while let record = try unsafe FanotifyRecord.next(in: bytes.bytes, at: &offset) {
            var place: [UInt8] = []
            if record.descriptor >= 0 { place = try path(of: OwnedDescriptor(adopting: record.descriptor)) }
            if record.pid == pid { found.append((record.descriptor, record.mask, place)) }
          }
        }
      }
      return found
    }

    @Test("overlayfs refuses, yet an open through it is reported on the lower file system")
    func overlay() throws {
      for name in ["lower", "upper", "work", "merged"] { try scratch.makeDirectory(name) }
      try scratch.write("lower/a")
      try scratch.write("upper/u")
      let options = "lowerdir=\(scratch("lower")),upperdir=\(scratch("upper")),workdir=\(scratch("work"))"
      let mount = try ScratchMount("overlay", on: scratch("merged"), options: options)
      defer { withExtendedLifetime(mount) {} }
      let watch = try FileWatch(scratch)
      #expect(throws: Errno.notSupported) { try watch.mark(mount.path) }
      for (name, real) in [("a", "lower/a"), ("u", "upper/u")] {
        let pid = try Child.run(.read, in: scratch, "merged/\(name)")
        let identity = try DecodedHandle(path: scratch(real))
        let sightings = try watch.read(of: pid).filter { $0.target == identity }
        #expect(sightings.contains { $0.mask.isSuperset(of: [.open, .access]) && $0.name == name })
      }
    }

    @Test("an open through an overlay in a user's own namespaces is reported on the lower file system")
    func userOverlay() throws {
      for name in ["lower", "empty", "merged"] { try scratch.makeDirectory(name) }
      try scratch.write("lower/a")
      let watch = try FileWatch(scratch)
      let pid = try Child.run(.userOverlay, in: scratch)
      let identity = try DecodedHandle(path: scratch("lower/a"))
      #expect(try watch.read(of: pid).filter { $0.target == identity }.mask.isSuperset(of: [.open, .access]))
    }

    @Test("a mount mark sees nothing in another mount namespace, a whole-file-system mark does")
    func namespaces() throws {
      let whole = try FileWatch(scratch)
      let mount = try FileWatch(.identity)
      let mask = FanotifyMask([.open, .access]).rawValue
      #expect(unsafe act_mark_mount(mount.group.descriptor.raw, mask, scratch.path) == 0)
      let here = try Child.run(.read, in: scratch)
      #expect(try mount.mask(of: here) == [.open, .access])
      let there = try Child.run(.readInNamespace, in: scratch)
      #expect(try mount.read(of: there).isEmpty)
      #expect(try whole.mask(of: there, name: "a") == [.open, .access, .closeNoWrite])
    }

    @Test("a bind mount is not told: the event carries the directory and the name of the file system")
    func bind() throws {
      for name in ["d", "elsewhere"] { try scratch.makeDirectory(name) }
      try scratch.write("d/a")
      let mount = try ScratchMount(binding: scratch("d"), on: scratch("elsewhere"))
      defer { withExtendedLifetime(mount) {} }
      let watch = try FileWatch(scratch)
      let pid = try Child.run(.read, in: scratch, "elsewhere/a")
      let sighting = try #require(try watch.read(of: pid).first)
      #expect(try sighting.directory == DecodedHandle(path: scratch("d")))
    }

    @Test("FAN_REPORT_MNT tells of a mount and of its end, by the mount's unique id")
    func mounts() async throws {
      try scratch.makeDirectory("m")
      let watch = try FileWatch(.mounts)
      let namespace = try OwnedDescriptor.open("/proc/self/ns/mnt", .readOnly)
      try watch.group.mark(.mountNamespace, mask: FanotifyMask.mounts.rawValue, object: namespace)
      let mount = try ScratchMount("tmpfs", on: scratch("m"))
      let id = unsafe act_unique_mount(mount.path)
      #expect(id != 0)
      #expect(try watch.read().filter { $0.mount == id }.map(\.mask) == [.mountAttach])
      try mount.unmount()
      #expect(try await eventually { try watch.read().filter { $0.mount == id }.mask == .mountDetach })
    }

    @Test("umount and mount drop a mark without any event; fdinfo shows that it is gone")
    func dropped() throws {
      try scratch.makeDirectory("m")
      let mount = try ScratchMount("tmpfs", on: scratch("m"))
      let watch = try FileWatch(.identity)
      try watch.mark(mount.path)
      func marks() throws -> Int {
        let text = try Procfs.file(Procfs.ownPid, "fdinfo/\(watch.group.descriptor.raw)")
        return String(decoding: text, as: UTF8.self).split(separator: "\n").count { $0.contains("sdev:") }
      }
      #expect(try marks() == 1)
      try mount.unmount()
      let again = try ScratchMount("tmpfs", on: scratch("m"))
      try scratch.write("m/a")
      let pid = try Child.run(.read, in: scratch, "m/a")
      #expect(try marks() == 0)
      #expect(try watch.read().isEmpty)
      #expect(pid > 0 && again.path == mount.path)
    }
  }
}
