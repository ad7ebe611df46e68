import Journal
import Testing

/// What a process leaves in the memory when it is killed, and what the next one makes of it.
struct SuccessorTests {
  /// Events as the kernel lays them: each begins with its length.
  private static func event(_ length: Int, _ fill: UInt8) -> [UInt8] {
    unsafe withUnsafeBytes(of: UInt32(length).littleEndian) { unsafe Array($0) }
      + [UInt8](repeating: fill, count: length - 4)
  }

  /// Ends a writer between a read that brought `events` and the counting of them; the next one takes over.
  private func killed(
    after events: [UInt8], in memory: RingMemory, _ kind: EntryKind = .fanotify, room: Int = 512
  ) -> Int {
    var found = 0
    _ = unsafe memory.ring.append(kind, room: room) { target in
      unsafe target.copyBytes(from: events)
      found = memory.again().recover()
      // The dead writer says nothing more.
      return -1
    }
    return found
  }

  @Test("what was read and not yet counted is found, event by event", arguments: [EntryKind.fanotify, .connector])
  func found(kind: EntryKind) throws {
    let memory = RingMemory(capacity: 4096)
    #expect(memory.ring.append(.perf, [1]))
    let events = Self.event(32, 7) + Self.event(48, 8)
    #expect(killed(after: events, in: memory, kind) == 80)
    let entries = try memory.ring.unread.copies()
    #expect(entries == [Copy(kind: .perf, aux: 0, bytes: [1]), Copy(kind: kind, aux: 0, bytes: events)])
    #expect(memory.again().recover() == 0, "found once")
  }

  @Test("events that fill the room to its last byte end there, whatever lies behind")
  func full() throws {
    let memory = RingMemory(capacity: 4096)
    // An earlier lap left lengths where the next room ends.
    memory.ring.advance(to: 4096, payload: 240)
    for offset in stride(from: 0, to: 4096, by: 4) { memory.overwrite(offset, with: 24) }
    let events = Self.event(64, 1)
    #expect(killed(after: events, in: memory, room: 64) == 64)
    #expect(try memory.ring.unread.copies().map(\.bytes) == [events])
  }

  @Test("a read that brought nothing leaves nothing, at the end of the ring too")
  func nothing() throws {
    let memory = RingMemory(capacity: 4096)
    #expect(killed(after: [], in: memory) == 0)
    memory.ring.advance(to: 3900, payload: 100)
    #expect(killed(after: Self.event(24, 3), in: memory) == 24)
    #expect(try memory.ring.unread.copies().map(\.bytes) == [Self.event(24, 3)])
  }

  @Test("what is no sequence of events is not looked for")
  func otherKinds() {
    let memory = RingMemory(capacity: 4096)
    #expect(killed(after: Self.event(32, 7), in: memory, .perf) == 0)
    #expect(memory.ring.head == 0)
  }

  @Test("the last mark of a CPU is that of its last entry that is still there")
  func marks() {
    let memory = RingMemory(capacity: 4096)
    for (cpu, mark) in [(0, 100), (1, 200), (0, 300)] as [(UInt16, UInt64)] {
      let isTaken = unsafe memory.ring.append(.perf, aux: cpu, room: 8, mark: { mark }) { _ in 8 }
      #expect(isTaken)
    }
    #expect(memory.again().lastMark(of: .perf, aux: 0) == 300)
    #expect(memory.again().lastMark(of: .perf, aux: 1) == 200)
    #expect(memory.again().lastMark(of: .perf, aux: 2) == 0)
    memory.ring.release(upTo: memory.ring.head)
    #expect(memory.again().lastMark(of: .perf, aux: 0) == 0)
  }

  @Test("registers outlive the process that wrote them")
  func registers() {
    let memory = RingMemory(capacity: 4096)
    let all: [JournalRing.Register] = [.emptied, .lineageDrained, .isOpen, .run, .descriptorsSince]
    for (index, register) in all.enumerated() { memory.ring[register] = UInt64(index + 1) }
    #expect(memory.ring.append(.perf, [1]))
    #expect(all.map { memory.again()[$0] } == [1, 2, 3, 4, 5])
  }

  /// Memory for two slots of a page each.
  @safe
  private final class Slots {
    private let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 8192, alignment: 4096)

    init() { unsafe memory.initializeMemory(as: UInt8.self, repeating: 0) }
    deinit { unsafe memory.deallocate() }

    var area: SnapshotArea { unsafe SnapshotArea(memory: memory) }

    func damage(_ offset: Int) { unsafe memory[offset] ^= 1 }
  }

  private func snapshot(_ offset: UInt64, _ fill: UInt8 = 1, count: Int = 100) -> SnapshotArea.Snapshot {
    SnapshotArea.Snapshot(offset: offset, givenUpSince: 0, bytes: [UInt8](repeating: fill, count: count))
  }

  @Test("memory that nobody wrote holds no snapshot")
  func noSnapshot() {
    #expect(Slots().area.snapshots().isEmpty)
  }

  @Test("the snapshot that is kept survives whatever is written after it")
  func kept() {
    let slots = Slots()
    #expect(slots.area.write(snapshot(0), keeping: nil))
    #expect(slots.area.write(snapshot(10), keeping: 0))
    for offset in 11..<20 as Range<UInt64> { #expect(slots.area.write(snapshot(offset), keeping: 10)) }
    #expect(slots.area.snapshots().map(\.offset) == [19, 10])
    #expect(slots.area.write(snapshot(30), keeping: 19))
    #expect(slots.area.snapshots().map(\.offset) == [30, 19])
  }

  @Test("a snapshot that was half written is none, the other one stands")
  func damaged() {
    let slots = Slots()
    slots.area.write(snapshot(5), keeping: nil)
    slots.area.write(snapshot(6), keeping: 5)
    slots.damage(4096 + 32 + 50)
    #expect(slots.area.snapshots() == [snapshot(5)])
    slots.damage(32 + 99)
    #expect(slots.area.snapshots().isEmpty)
  }

  @Test("what does not fit is refused, and leaves the one that is kept")
  func tooLarge() {
    let slots = Slots()
    #expect(slots.area.write(snapshot(5, count: 4064), keeping: nil))
    #expect(!slots.area.write(snapshot(6, count: 4065), keeping: 5))
    #expect(slots.area.snapshots().map(\.offset) == [5])
  }
}
