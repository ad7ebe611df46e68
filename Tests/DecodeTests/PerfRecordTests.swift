import Decode
import Testing

private let files = ["perf-tasks.bin", "perf-lost.bin"]

struct PerfRecordTests {
  @Test("a run is told in order: fork, exec, exit of a command; a thread; a fork on a parent's behalf")
  func golden() throws {
    let records = try perf("perf-tasks.bin")
    let births = records.births
    try #require(births.count == 3)
    let runner = births[0].parent
    let (command, caller, adopted) = (births[0].child, births[1].child, births[2].child)
    let lineage = records.tasks.filter { if case .map = $0 { false } else { true } }
    try #require(lineage.count == 9)
    guard case .fork(_, let thread, _) = lineage[3] else { throw Unexpected() }
    #expect(thread != runner)
    #expect(
      lineage == [
        .fork(child: command, thread: command, parent: runner),
        .exec(command, name: Array("static-dl".utf8)),
        .exit(command, thread: command),
        .fork(child: runner, thread: thread, parent: runner),
        .exit(runner, thread: thread),
        .fork(child: caller, thread: caller, parent: runner),
        .fork(child: adopted, thread: adopted, parent: caller),
        .exit(caller, thread: caller),
        .exit(adopted, thread: adopted),
      ])
  }

  @Test("the times of one CPU never go back")
  func times() throws {
    let times = try perf("perf-tasks.bin").map(\.time)
    #expect(times == times.sorted() && times.allSatisfy { $0 > 0 })
  }

  @Test("what an exec maps is told with file, protection and path")
  func maps() throws {
    let records = try perf("perf-tasks.bin")
    let command = try #require(records.births.first?.child)
    var identities: [[UInt8]: Set<[UInt64]>] = [:]
    var executable: Set<[UInt8]> = []
    for case .map(command, let device, let inode, let generation, let protection, let flags, let path)
      in records.tasks
    {
      if protection & 4 != 0 { executable.insert(path) }
      guard inode != 0 else { continue }
      #expect(flags & 1 == 0 && device != 0)
      identities[path, default: []].insert([device, inode, UInt64(generation)])
    }
    let libraries = ["ld-linux-x86-64.so.2", "libc.so.6"].map {
      Array("/usr/lib/x86_64-linux-gnu/\($0)".utf8)
    }
    let program = Array("/tmp/cap/static-dl".utf8)
    #expect(Set(identities.keys).isSuperset(of: libraries + [program]))
    #expect(executable.isSuperset(of: libraries + [program]))
    // What stat(2) and FS_IOC_GETVERSION said of the program and the library.
    #expect(identities[program] == [[254 << 32, 16_246_013, 2_253_704_220]])
    #expect(identities[libraries[1]] == [[254 << 32, 333_151, 0]])
    #expect(identities.values.allSatisfy { $0.count == 1 })
    #expect(Set(identities.values).count == identities.count)
  }

  @Test("a shared writable mapping is told, under a path that is no UTF-8")
  func sharedMapping() throws {
    let path: [UInt8] = Array("/tmp/cap/odd ".utf8) + [0xff, 0x0a]
    let found = try perf("perf-tasks.bin").tasks.contains {
      if case .map(_, _, let inode, _, let protection, let flags, path) = $0 {
        inode != 0 && protection == 3 && flags & 1 == 1
      } else {
        false
      }
    }
    #expect(found)
  }

  @Test("a full ring tells how many records it dropped before going on")
  func lost() throws {
    let tasks = try perf("perf-lost.bin").tasks
    try #require(tasks.count == 3)
    guard case .fork(let child, _, _) = tasks[1] else { throw Unexpected() }
    #expect(tasks[0] == .lost(331))
    #expect(tasks[2] == .exit(child, thread: child))
  }

  @Test("a name that a process gives itself is no exec")
  func renamed() throws {
    var bytes = try captured("perf-tasks.bin")
    let walk = Walk(bytes, Timed.perf)
    let index = try #require(walk.items.firstIndex { if case .exec = $0.task { true } else { false } })
    bytes.store(UInt16(0), at: walk.cuts[index - 1] + 4)
    #expect(Walk(bytes, Timed.perf).items[index].task == .other)
  }

  @Test("a buffer cut at any byte tells what is whole and reports the rest", arguments: files)
  func prefixes(file: String) throws {
    expectEveryPrefixReported(try captured(file), Timed.perf)
  }

  @Test("no value of any byte makes the decoder trap or leave the buffer", arguments: files)
  func corruption(file: String) throws {
    expectNoCorruptionTraps(try captured(file), Timed.perf)
  }

  @Test("a record shorter than its kind needs is refused", arguments: [2, 3, 4, 7, 10] as [UInt32])
  func short(type: UInt32) {
    for size in 0..<31 {
      var bytes = [UInt8](repeating: 0, count: 200)
      bytes.store(type, at: 0)
      bytes.store(UInt16(size), at: 6)
      #expect(Walk(bytes, atMost: 1, Timed.perf).error == .inconsistent)
    }
  }
}
