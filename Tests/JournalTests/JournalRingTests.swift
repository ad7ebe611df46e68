import Journal
import Testing

struct JournalRingTests {
  @Test("entries come back in order, with kind, aux and every byte")
  func order() throws {
    let memory = RingMemory(capacity: 4096)
    let entries = [
      Copy(kind: .fanotify, aux: 0, bytes: [1, 2, 3]), Copy(kind: .perf, aux: .max, bytes: []),
      Copy(kind: .connector, aux: 7, bytes: [UInt8](0...255)),
    ]
    for entry in entries { #expect(memory.ring.append(entry)) }
    #expect(try memory.ring.unread.copies() == entries)
    #expect(memory.ring.head == 24 + 16 + 272)
    #expect(memory.ring.free == 4096 - 312)
  }

  @Test("what the writer holds and has not written is known to whoever shares the memory")
  func inHand() {
    let memory = RingMemory(capacity: 4096)
    let ring = memory.ring
    #expect(!ring.isInHand)
    for register in [JournalRing.Register.descriptorsSince, .memorySince] {
      ring[register] = 1
      #expect(ring.isInHand)
      ring[register] = 0
    }
    unsafe ring.hand[0] = 24
    #expect(ring.isInHand)
    unsafe ring.hand[0] = 0
    #expect(!ring.isInHand)
  }

  @Test("an empty ring holds nothing and has all its room")
  func empty() throws {
    let memory = RingMemory(capacity: 4096)
    #expect(try memory.ring.unread.copies().isEmpty)
    #expect(memory.ring.endOfBatch(from: 0) == nil)
    #expect(memory.ring.free == 4096)
  }

  @Test("an entry that fits the ring exactly is taken, and one byte more is not")
  func exactFit() throws {
    let memory = RingMemory(capacity: 4096)
    #expect(!memory.ring.append(.perf, [UInt8](repeating: 9, count: 4081)))
    #expect(memory.ring.append(.perf, [UInt8](repeating: 9, count: 4080)))
    #expect(memory.ring.free == 0)
    #expect(!memory.ring.append(.perf, []))
    #expect(
      try memory.ring.unread.copies() == [Copy(kind: .perf, aux: 0, bytes: .init(repeating: 9, count: 4080))])
    memory.ring.release(upTo: memory.ring.head)
    #expect(memory.ring.free == 4096)
    #expect(memory.ring.append(.loss, [1]))
    #expect(try memory.ring.unread.copies() == [Copy(kind: .loss, aux: 0, bytes: [1])])
  }

  @Test("a full ring refuses before anything is read, and loses nothing")
  func full() throws {
    let memory = RingMemory(capacity: 4096)
    var written: [Copy] = []
    while memory.ring.append(.fanotify, aux: UInt16(written.count), [UInt8](repeating: 5, count: 100)) {
      written.append(
        Copy(kind: .fanotify, aux: UInt16(written.count), bytes: .init(repeating: 5, count: 100)))
    }
    let head = memory.ring.head
    var wasCalled = false
    let taken = unsafe memory.ring.append(.fanotify, room: 100) { _ in
      wasCalled = true
      return 100
    }
    #expect(!taken && !wasCalled && memory.ring.head == head)
    #expect(try memory.ring.unread.copies() == written)
    #expect(written.count == 4096 / 120)
  }

  @Test("an entry that does not fit before the end begins anew at the start, in one piece")
  func wrapAround() throws {
    let memory = RingMemory(capacity: 4096)
    memory.ring.advance(to: 4056, payload: 8)
    #expect(memory.ring.head == 4056)
    let entry = Copy(kind: .answer, aux: 3, bytes: (0..<90).map { UInt8($0) })
    #expect(memory.ring.append(entry))
    #expect(memory.ring.head == 4096 + 112)
    #expect(try memory.ring.unread.copies() == [entry])
    #expect(try memory.ring.unread.positions() == [4096 + 16])
  }

  @Test("an entry that ends where the ring ends needs no padding", arguments: [16, 24, 40, 4096])
  func endsAtTheEnd(room: Int) throws {
    let memory = RingMemory(capacity: 8192)
    // One entry of 24 bytes, where it takes an odd number of eights to get there.
    if room % 16 == 8 { memory.ring.advance(to: 24, payload: 8) }
    memory.ring.advance(to: 8192 - room)
    #expect(memory.ring.append(.answer, [UInt8](repeating: 1, count: room - 16)))
    #expect(memory.ring.head == 8192)
    #expect(memory.ring.append(.loss, [2]))
    #expect(try memory.ring.unread.copies().map(\.kind) == [.answer, .loss])
  }

  @Test("eight bytes before the end are skipped too, though no header fits there")
  func eightBytesLeft() async {
    await #expect(processExitsWith: .success) {
      let memory = RingMemory(capacity: 4096)
      memory.ring.advance(to: 24, payload: 8)
      memory.ring.advance(to: 4088)
      #expect(memory.ring.append(.loss, [1]))
      #expect((try? memory.ring.unread.copies())?.count == 1)
    }
  }

  @Test("an entry of up to half the ring fits an empty ring wherever its head is", arguments: 0..<64)
  func halfTheRing(place: Int) {
    let memory = RingMemory(capacity: 1024)
    memory.ring.advance(to: place * 16)
    #expect(memory.ring.append(.perf, [UInt8](repeating: 0, count: 512 - 16)))
  }

  @Test(
    "an abandoned append leaves nothing, also where it would have begun anew at the start",
    arguments: [0, 4064])
  func abandoned(place: Int) throws {
    let memory = RingMemory(capacity: 4096)
    memory.ring.advance(to: place)
    let head = memory.ring.head
    let taken = unsafe memory.ring.append(.fanotify, room: 64) { target in
      unsafe target.copyBytes(from: [UInt8](repeating: 0xff, count: 64))
      return -1
    }
    #expect(taken && memory.ring.head == head)
    #expect(try memory.ring.unread.copies().isEmpty)
    #expect(memory.ring.endOfBatch(from: head) == nil)
    #expect(memory.ring.append(.loss, [4, 5]))
    #expect(try memory.ring.unread.copies() == [Copy(kind: .loss, aux: 0, bytes: [4, 5])])
  }

  @Test("an append that needs less than it asked for takes only what it needs")
  func smallerThanRoom() throws {
    let memory = RingMemory(capacity: 4096)
    #expect(memory.ring.append(.perf, aux: 1, [7], room: 2000))
    #expect(memory.ring.append(.perf, aux: 2, [], room: 2000))
    #expect(memory.ring.head == 24 + 16)
    #expect(try memory.ring.unread.copies().map(\.bytes) == [[7], []])
  }

  @Test("a batch ends behind its end entry, and not before that is written")
  func batches() throws {
    let memory = RingMemory(capacity: 4096)
    let ring = memory.ring
    #expect(ring.append(.fanotify, [1]))
    #expect(ring.endOfBatch(from: 0) == nil)
    #expect(ring.append(BatchEnd(lower: 1, upper: 2, wall: 3, boot: 4, emptied: 5)))
    let first = try #require(ring.endOfBatch(from: 0))
    #expect(first == ring.head)
    #expect(ring.append(.perf, [2]))
    #expect(ring.endOfBatch(from: 0) == first)
    #expect(ring.endOfBatch(from: first) == nil)
    #expect(ring.append(BatchEnd(lower: 2, upper: 3, wall: 4, boot: 5, emptied: 0)))
    #expect(ring.endOfBatch(from: first) == ring.head)
    #expect(try RingBatch(ring: ring, from: first, to: ring.head).copies().map(\.kind) == [.perf, .batchEnd])
  }

  @Test("a batch may reach over the end of the ring")
  func batchOverTheEnd() throws {
    let memory = RingMemory(capacity: 4096)
    memory.ring.advance(to: 4064)
    #expect(memory.ring.append(.fanotify, .init(repeating: 1, count: 200)))
    #expect(memory.ring.append(BatchEnd(lower: 0, upper: 0, wall: 0, boot: 0, emptied: 0)))
    #expect(memory.ring.endOfBatch(from: memory.ring.tail) == memory.ring.head)
    #expect(try memory.ring.unread.copies().map(\.kind) == [.fanotify, .batchEnd])
  }

  @Test("what is released is room again, and what is not stays readable")
  func release() throws {
    let memory = RingMemory(capacity: 1024)
    let ring = memory.ring
    while ring.append(.fanotify, .init(repeating: 1, count: 48)) {}
    let second = try #require(try ring.unread.positions().dropFirst().first) - 16
    ring.release(upTo: second)
    #expect(ring.free == 64 && ring.tail == second)
    #expect(try ring.unread.copies().count == 15)
    #expect(ring.append(.perf, .init(repeating: 2, count: 48)))
    #expect(!ring.append(.perf, []))
    #expect(try ring.unread.copies().map(\.kind) == .init(repeating: .fanotify, count: 15) + [.perf])
  }

  @Test("the next process finds what the last one left")
  func continued() throws {
    let memory = RingMemory(capacity: 4096)
    #expect(memory.ring.append(.fanotify, [1]))
    memory.ring.release(upTo: memory.ring.head)
    #expect(memory.ring.append(.perf, aux: 9, [2]))
    let next = memory.again()
    #expect(next.head == memory.ring.head && next.tail == 24)
    #expect(try next.unread.copies() == [Copy(kind: .perf, aux: 9, bytes: [2])])
  }

  @Test("memory that is no power of two, and an entry past its room, are bugs and stop the process")
  func contracts() async {
    await #expect(processExitsWith: .failure) { _ = RingMemory(capacity: 4000) }
    await #expect(processExitsWith: .failure) { _ = RingMemory(capacity: 0) }
    await #expect(processExitsWith: .failure) {
      let memory = RingMemory(capacity: 4096)
      _ = unsafe memory.ring.append(.perf, room: 8) { _ in 9 }
    }
  }

  @Test(
    "an entry that a damaged length leads out of the batch is an error, and what is written later is read",
    arguments: [0xffff_ffff, 0x8000_0000, 4096, 64, 41])
  func damagedLength(length: UInt32) throws {
    let memory = RingMemory(capacity: 4096)
    #expect(memory.ring.append(.fanotify, [1, 2, 3]))
    #expect(memory.ring.append(.perf, [UInt8](repeating: 7, count: 16)))
    memory.overwrite(24, with: length)
    let damaged = try #require(memory.ring.endOfBatch(from: 0))
    #expect(damaged == memory.ring.head)
    #expect(throws: JournalError.self) {
      _ = try RingBatch(ring: memory.ring, from: 0, to: damaged).copies()
    }
    memory.ring.release(upTo: damaged)
    #expect(memory.ring.append(BatchEnd(lower: 1, upper: 2, wall: 3, boot: 4, emptied: 2)))
    let next = try #require(memory.ring.endOfBatch(from: damaged))
    #expect(try RingBatch(ring: memory.ring, from: damaged, to: next).copies().map(\.kind) == [.batchEnd])
  }

  @Test("between offsets that no ring can have there are no entries but an error")
  func damagedOffsets() throws {
    let memory = RingMemory(capacity: 4096)
    memory.ring.advance(to: 4096)
    for (from, to) in [(0, 4104), (8, 0), (4, 24), (UInt64.max - 7, 16)] as [(UInt64, UInt64)] {
      #expect(throws: JournalError.self) { _ = try RingBatch(ring: memory.ring, from: from, to: to).copies() }
    }
    memory.ring.release(upTo: memory.ring.head + 8)
    #expect(memory.ring.free == 0)
    #expect(!memory.ring.append(.loss, [1]))
  }
}
