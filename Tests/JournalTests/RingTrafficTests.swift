import Journal
import Testing

struct RingTrafficTests {
  /// Payloads of a multiple of sixteen never leave the eight bytes before the end of `eightBytesLeft`.
  private func entry(_ random: inout Random) -> Copy {
    var entry = random.entry(upTo: 300)
    while entry.bytes.count % 16 != 0 { entry.bytes.append(0xaa) }
    return entry
  }

  @Test("many laps of random traffic lose, change and reorder nothing", arguments: 0..<20)
  func laps(seed: Int) throws {
    var random = Random(seed: seed)
    let memory = RingMemory(capacity: 2048)
    let ring = memory.ring
    var waiting: [Copy] = []
    while ring.head < 40 * 2048 {
      let next = entry(&random)
      if ring.append(next) {
        waiting.append(next)
      } else {
        #expect(!waiting.isEmpty, "an empty ring refused")
      }
      guard Int.random(in: 0..<6, using: &random) == 0 || ring.free < 400 else { continue }
      let positions = try ring.unread.positions()
      #expect(try ring.unread.copies() == waiting)
      let keep = Int.random(in: 0...waiting.count, using: &random)
      let done = waiting.count - keep
      ring.release(upTo: keep == 0 ? ring.head : positions[done] - 16)
      waiting.removeFirst(done)
    }
    #expect(try ring.unread.copies() == waiting)
  }

  @Test("a recorded batch is the ring's batch, entry for entry and byte for byte", arguments: 0..<40)
  func recordedEqualsRing(seed: Int) throws {
    var random = Random(seed: seed)
    let memory = RingMemory(capacity: 8192)
    memory.ring.advance(to: 16 * Int.random(in: 0...511, using: &random))
    var written: [Copy] = []
    for _ in 0..<Int.random(in: 0...20, using: &random) {
      let next = entry(&random)
      if memory.ring.append(next) { written.append(next) }
    }
    let inRing = memory.ring.unread
    let recorded = RecordedBatch(try inRing.recorded())
    #expect(try inRing.copies() == written)
    #expect(try recorded.copies() == written)
    #expect(try recorded.recorded() == inRing.recorded())
    let (places, others) = (try inRing.positions(), try recorded.positions())
    try #require(places.count == written.count && others.count == written.count)
    for index in written.indices {
      let payload = written[index].bytes
      let from = Int.random(in: 0...payload.count, using: &random)
      let range = from..<Int.random(in: from...payload.count, using: &random)
      #expect(inRing.bytes(at: places[index], range) == Array(payload[range]))
      #expect(recorded.bytes(at: others[index], range) == Array(payload[range]))
    }
  }

  @Test("a reader on another thread sees every entry whole and in order")
  func twoThreads() async throws {
    let memory = RingMemory(capacity: 4096)
    let count = 20_000
    func expected(_ number: Int) -> Copy {
      let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: number % 7 * 16)
      return Copy(kind: .perf, aux: UInt16(truncatingIfNeeded: number), bytes: bytes)
    }
    async let writing: Void = {
      for number in 0..<count {
        while !memory.ring.append(expected(number)) { await Task.yield() }
      }
    }()
    var seen = 0
    while seen < count {
      let head = memory.ring.head
      for copy in try RingBatch(ring: memory.ring, from: memory.ring.tail, to: head).copies() {
        if copy != expected(seen) {
          Issue.record("entry \(seen) is \(copy)")
          return
        }
        seen += 1
      }
      memory.ring.release(upTo: head)
      await Task.yield()
    }
    await writing
    #expect(memory.ring.free == 4096)
  }
}
