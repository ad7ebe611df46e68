import Decode
import Testing

struct ConnectorRecordTests {
  @Test("a run is told in order, with changes of user and group and who traced whom")
  func golden() throws {
    let records = try connector()
    let births = records.births
    try #require(births.count == 5)
    let runner = births[0].parent
    let (command, caller, adopted) = (births[0].child, births[1].child, births[2].child)
    let (changer, traced) = (births[3].child, births[4].child)
    // Of a new thread the connector names the parent of its process.
    guard case .fork(runner, let thread, let shell) = records.tasks[4] else { throw Unexpected() }
    func born(_ pid: Int32) -> Task { .fork(child: pid, thread: pid, parent: runner) }
    func died(_ pid: Int32) -> Task { .exit(pid, thread: pid) }
    #expect(
      records.tasks == [
        .acknowledgement(0), born(command), .exec(command, name: []), died(command),
        .fork(child: runner, thread: thread, parent: shell), .exit(runner, thread: thread),
        born(caller), born(adopted), died(caller), died(adopted),
        born(changer), .other, .credentials(changer, isUser: false, real: 12345, effective: 12345),
        .credentials(changer, isUser: true, real: 54321, effective: 54321), died(changer),
        born(traced), .trace(traced, tracer: runner), .trace(traced, tracer: 0), died(traced),
      ])
  }

  @Test("the numbers of one CPU follow each other, and its times never go back")
  func sequence() throws {
    let records = try connector()
    #expect(Set(records.map(\.cpu)).count == 1)
    #expect(zip(records, records.dropFirst()).allSatisfy { $0.sequence + 1 == $1.sequence })
    // An acknowledgement is stamped like the rest.
    #expect(records.map(\.time) == records.map(\.time).sorted())
  }

  @Test("of a fork with CLONE_PARENT perf names the caller, the connector the caller's parent")
  func cloneParent() throws {
    let (seen, told) = (try perf("perf-tasks.bin").births, try connector().births)
    try #require(seen.count == 3 && told.count == 5)
    #expect(seen[2].child == told[2].child)
    #expect(seen[2].parent == seen[1].child)
    #expect(told[2].parent == told[1].parent)
  }

  @Test("both witnesses stamp one deed with times of the same clock")
  func clocks() throws {
    let (seen, told) = (try perf("perf-tasks.bin"), try connector())
    let first = try #require(seen.first { if case .fork = $0.task { true } else { false } })
    let same = try #require(told.first { $0.task == first.task })
    #expect(max(first.time, same.time) - min(first.time, same.time) < 1_000_000)
  }

  @Test("a datagram cut at any byte is reported, and those before it are told")
  func prefixes() throws {
    expectEveryPrefixReported(try captured("connector.bin"), Timed.connector)
  }

  @Test("no value of any byte makes the decoder trap or leave the buffer")
  func corruption() throws {
    expectNoCorruptionTraps(try captured("connector.bin"), Timed.connector)
  }

  @Test("a length that is no multiple of four is padded, save at the end")
  func padding() throws {
    let one = Array(try captured("connector.bin").prefix(76))
    var odd = one + [0, 0, 0, 0]
    odd.store(UInt32(77), at: 0)
    #expect(Walk(odd + one, Timed.connector).cuts == [80, 156])
    #expect(Walk(Array(odd.prefix(77)), Timed.connector).cuts == [77])
  }

  @Test("a payload too short for its kind is refused")
  func shortPayload() throws {
    let bytes = try captured("connector.bin")
    var start = 0
    for end in Walk(bytes, Timed.connector).cuts {
      var one = Array(bytes[start..<end])
      for payload in [0, 15, 41, UInt16.max] {
        one.store(payload, at: 32)
        #expect(Walk(one, Timed.connector).error == .inconsistent)
      }
      start = end
    }
  }
}
