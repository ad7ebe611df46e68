import CTestActions
import Decode
import LinuxKernel
import TestSupport
import Testing

extension KernelFacts {
  /// What the order of events tells, and what it does not.
  struct Order {
    let scratch: ScratchDirectory
    let watch: FileWatch

    init() throws {
      scratch = try ScratchDirectory()
      try scratch.write("a")
      watch = try FileWatch(scratch)
    }

    @Test("open, read and close of one process merge into one event")
    func merged() throws {
      let pid = try Child.run(.read, in: scratch)
      #expect(try watch.read(of: pid).map(\.mask) == [[.open, .access, .closeNoWrite]])
    }

    @Test("what a process read before and after an execve merges into the older event")
    func mergedAcrossExec() throws {
      try scratch.copyProgram("/bin/cat", as: "cat")
      let pid = try Child.run(.openThenExecute, in: scratch, "cat", "a")
      let sightings = try watch.read(of: pid)
      let file = sightings.filter { $0.name == "a" }
      // The action opens and closes only; the read is the other program's.
      #expect(file.map(\.mask) == [[.open, .access, .closeNoWrite]])
      let position = try #require(sightings.firstIndex { $0.name == "a" })
      let execution = try #require(sightings.firstIndex { $0.mask.contains(.openExec) })
      #expect(position < execution)
    }

    @Test("what was read before and after its directory was renamed merges into the older event")
    func mergedAcrossRename() throws {
      try scratch.makeDirectory("d")
      try scratch.write("d/a")
      let pid = try Child.run(.readMoveRead, in: scratch, "d", "e")
      let sightings = try watch.read(of: pid)
      #expect(sightings.filter { $0.name == "a" }.map(\.mask) == [[.open, .access, .closeNoWrite]])
      #expect(sightings.map(\.name) == ["a", "d"])
    }

    @Test("two processes' events on one file do not merge")
    func apart() throws {
      let first = try Child.run(.read, in: scratch)
      let second = try Child.run(.read, in: scratch)
      let pids = try watch.read().map(\.pid).filter { [first, second].contains($0) }
      #expect(pids == [first, second])
    }

    @Test("reading files, then lineage, attributes 1,000 of 1,000 detached and dead processes, 50 ms apart")
    func detached() async throws {
      let tasks = try TaskWatch()
      let count = 1000
      let root = try Child.start(.doubleFork, in: scratch, number: count)
      var attributed: Set<Int32> = []
      var orphans: Set<Int32> = []
      func pass() throws {
        let batch = try watch.read().filter { $0.name == "a" && $0.pid != Procfs.ownPid }
        try tasks.drain()
        for sighting in batch {
          if tasks.descends(sighting.pid, from: root.pid) {
            attributed.insert(sighting.pid)
          } else {
            orphans.insert(sighting.pid)
          }
        }
      }
      while try !root.hasEnded() {
        try pass()
        try await Task.sleep(for: .milliseconds(50))
      }
      let made = Set((0..<count).map { Child.notedPid($0) })
      // The last grandchild may outlive the root.
      #expect(
        try await eventually {
          try pass()
          return attributed.count >= made.count
        })
      #expect(attributed == made && made.count == count)
      #expect(orphans.isDisjoint(with: made))
      #expect(tasks.lost == 0)
    }

    @Test("OPEN_EXEC is reported although the execve then fails; perf tells only of one that committed")
    func failedExec() throws {
      try scratch.write("junk", "\u{1}\u{2}junk", mode: 0o755)
      try scratch.copyProgram("/bin/true", as: "true")
      let tasks = try TaskWatch()
      let failing = try Child.start(.execute, in: scratch, "junk", "")
      #expect(throws: Errno(rawValue: 8)) { try failing.finish() }
      let committing = try Child.run(.execute, in: scratch, "true", "")
      let opened = try watch.read().filter { $0.mask.contains(.openExec) }
      #expect(opened.contains { $0.pid == failing.pid && $0.name == "junk" })
      #expect(opened.contains { $0.pid == committing && $0.name == "true" })
      let executed = try tasks.drain().compactMap(\.executed)
      #expect(executed.contains(committing) && !executed.contains(failing.pid))
    }

    @Test("a program run from a memfd is an exec to perf, with a mapping of the memfd, and no OPEN_EXEC")
    func anonymous() throws {
      try scratch.copyProgram("/bin/true", as: "true")
      let tasks = try TaskWatch()
      let pid = try Child.run(.executeAnonymous, in: scratch, "true")
      #expect(try !watch.mask(of: pid).contains(.openExec))
      let seen = try tasks.drain()
      #expect(seen.compactMap(\.executed).contains(pid))
      #expect(seen.contains { $0.map?.pid == pid && $0.text.hasPrefix("/memfd:anonymous") })
    }
  }
}
