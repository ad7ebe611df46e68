import CTestActions
import Decode
import LinuxKernel
import TestSupport
import Testing

extension KernelFacts {
  /// A loss is never silent.
  struct Loss {
    let scratch: ScratchDirectory

    init() throws {
      scratch = try ScratchDirectory()
    }

    @Test("a perf ring that overflows says how many records it lost")
    func ring() throws {
      let tasks = try TaskWatch(bytes: 8192)
      let cpus = try Procfs.onlineCPUs()
      for cpu in cpus { try Child.run(.forkStorm, in: scratch, descriptor: cpu, number: 300) }
      try tasks.drain()
      // The count comes with the next record on that CPU.
      for cpu in cpus { try Child.run(.forkStorm, in: scratch, descriptor: cpu, number: 2) }
      try tasks.drain()
      #expect(tasks.lost >= 300)
    }

    @Test("a connector whose buffer overflows says so with ENOBUFS")
    func connector() throws {
      let connector = try ConnectorWatch(receiveBuffer: 4096)
      try Child.run(.forkStorm, in: scratch, number: 300)
      #expect(throws: Errno.noBufferSpace) { try connector.drain() }
      #expect(throws: Never.self) { try connector.drain() }
    }

    @Test("a read into memory that cannot be faulted fails with EFAULT and destroys its event")
    func fault() throws {
      try scratch.write("a")
      let watch = try FileWatch(scratch)
      try Child.run(.read, in: scratch)  // one event
      // Nothing is ever mapped below vm.mmap_min_addr.
      let page = unsafe UnsafeMutableRawPointer(bitPattern: 4096)
      let nowhere = unsafe UnsafeMutableRawBufferPointer(start: page, count: 4096)
      #expect(throws: Errno(rawValue: 14)) { unsafe try watch.group.descriptor.read(into: nowhere) }
      #expect(try watch.read().isEmpty)
    }

    @Test("a fanotify queue that overflows says so with an event, which stands before later losses")
    func queue() throws {
      // The limit is the whole machine's, so it is met rather than lowered.
      let text = String(decoding: try Procfs.file("/proc/sys/fs/fanotify/max_queued_events"), as: UTF8.self)
      let limit = try #require(text.split(separator: "\n").first.flatMap { Int($0) })
      guard limit <= 500_000 else { try Test.cancel("the queue takes \(limit) events") }
      let watch = try FileWatch(scratch)
      let pid = try Child.run(.manyFiles, in: scratch, number: limit + 1000)
      let sightings = try watch.read()
      let overflow = try #require(sightings.first { $0.mask.contains(.overflow) })
      #expect(overflow.pid == 0 && overflow.target == nil)
      #expect(sightings.count { $0.mask.contains(.overflow) } == 1)
      #expect(sightings.count { $0.pid == pid } == limit)
      // Once read, the queue reports again.
      try Child.run(.unlink, in: scratch, "many-0")
      #expect(try watch.read().contains { $0.mask.contains(.delete) })
    }
  }
}
