import CTestActions
import Decode
import LinuxKernel
import TestSupport
import Testing

extension KernelFacts {
  /// What perf and the connector tell of processes.
  struct Lineage {
    let scratch: ScratchDirectory

    init() throws {
      scratch = try ScratchDirectory()
      try scratch.write("a")
    }

    @Test("clone(CLONE_PARENT): perf names the caller, the connector the grandparent")
    func cloneParent() async throws {
      let tasks = try TaskWatch()
      let connector = try ConnectorWatch()
      let caller = try Child.run(.cloneParent, in: scratch)
      let sibling = Child.notedPid()
      #expect(Child.reap(sibling) == 0)
      let fork = try #require(try tasks.drain().compactMap(\.forked).first { $0.child == sibling })
      #expect(fork.parent == caller)
      let told = try await eventually(find: {
        try connector.drain().compactMap { record -> Int32? in
          guard case .fork(sibling, _, let parent, _) = record.body else { return nil }
          return parent
        }.first
      })
      #expect(told == Procfs.ownPid)
    }

    @Test("a fork is recorded before the child first runs, by perf and by the connector")
    func forkFirst() async throws {
      let tasks = try TaskWatch()
      let connector = try ConnectorWatch()
      let count = 200
      let forker = try Child.start(.forkTimes, in: scratch, number: count)
      var byPerf: [Int32: UInt64] = [:]
      var byConnector: [Int32: UInt64] = [:]
      func drain() throws {
        for seen in try tasks.drain() {
          if let child = seen.forked?.child { byPerf[child] = seen.time }
        }
        for record in try connector.drain() {
          if case .fork(let child, let thread, _, _) = record.body, child == thread {
            byConnector[child] = record.time
          }
        }
      }
      // Others' records share the rings: a busy machine fills them in a fraction of a second.
      #expect(
        try await eventually {
          try drain()
          return try forker.hasEnded()
        })
      try drain()
      try #require(tasks.lost == 0)
      for index in 0..<count {
        let child = Child.notedPid(2 * index)
        let ran = UInt64(Child.note(2 * index + 1))
        let perf = try #require(byPerf[child])
        let told = try #require(byConnector[child])
        #expect(perf <= ran && told <= ran)
      }
    }

    @Test("the exit of the leader is not the end: a thread goes on and reads under the process's pid")
    func leaderExits() throws {
      let tasks = try TaskWatch()
      let watch = try FileWatch(scratch)
      let pid = try Child.run(.leaderExits, in: scratch)
      let thread = Child.notedPid()
      #expect(try watch.mask(of: pid, name: "a") == [.open, .access, .closeNoWrite])
      let exits = try tasks.drain().filter { $0.exited?.pid == pid }
      #expect(exits.compactMap { $0.exited?.thread } == [pid, thread])
      // The reader slept 50 ms after it noted its id.
      let apart = try #require(exits.last).time - (try #require(exits.first).time)
      #expect(apart > 20_000_000)
    }

    @Test("an execve by another thread is the EXIT of the leader, then an exec whose pid is the process's")
    func execFromThread() async throws {
      let tasks = try TaskWatch()
      let connector = try ConnectorWatch()
      let pid = try Child.run(.executeFromThread, in: scratch, "/bin/true", "")
      let seen = try tasks.drain()
      let executed = try #require(seen.firstIndex { $0.executed == pid })
      let before = seen[..<executed].compactMap(\.exited).filter { $0.pid == pid }
      #expect(!before.isEmpty)
      #expect(seen[executed...].compactMap(\.exited).contains { $0.pid == pid && $0.thread == pid })
      let told = try await eventually(find: {
        try connector.drain().first { if case .exec(pid) = $0.body { true } else { false } }
      })
      #expect(told != nil)
    }

    @Test("the connector's numbers have no hole on any CPU in normal running")
    func sequence() async throws {
      let connector = try ConnectorWatch()
      var records: [ConnectorRecord] = []
      for cpu in try Procfs.onlineCPUs() {
        try Child.run(.forkStorm, in: scratch, descriptor: cpu, number: 300)
        records += try connector.drain()
      }
      // Answers to requests are numbered like everything else.
      let cpus = Set(records.map(\.cpu))
      #expect(cpus.count == (try Procfs.onlineCPUs().count))
      for cpu in cpus {
        let numbers = records.filter { $0.cpu == cpu }.map(\.sequence)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $1 == $0 &+ 1 })
      }
    }

    @Test("a request to listen is acknowledged to every listener")
    func acknowledgement() async throws {
      let first = try ConnectorWatch()
      _ = try first.drain()
      let second = try ConnectorWatch()
      #expect(try await eventually { try first.drain().contains(where: \.isAcknowledgement) })
      withExtendedLifetime(second) {}
    }

    @Test("perf and the connector agree on the births and ends of a tree")
    func agreement() async throws {
      let tasks = try TaskWatch()
      let connector = try ConnectorWatch()
      let root = try Child.run(.doubleFork, in: scratch, number: 50)
      let made = Set((0..<50).map { Child.notedPid($0) })
      var told: Set<Int32> = []
      #expect(
        try await eventually {
          for record in try connector.drain() {
            if case .exit(let pid, let thread, _) = record.body, pid == thread { told.insert(pid) }
          }
          return told.isSuperset(of: made)
        })
      let exits = try tasks.drain().compactMap(\.exited)
      #expect(Set(exits.map(\.pid)).isSuperset(of: made))
      #expect(made.allSatisfy { tasks.descends($0, from: root) })
    }
  }
}

extension ConnectorRecord {
  /// Whether it answers somebody's request, and so is numbered by that request.
  var isAcknowledgement: Bool { if case .acknowledgement = body { true } else { false } }
}
