import Journal
import Testing

/// Zeroed, page-aligned memory with a ring on it, freed after the last test that holds it.
@safe
final class RingMemory: @unchecked Sendable {
  // Sendable because the pointer never changes and the ring orders who touches what behind it.
  private let memory: UnsafeMutableRawBufferPointer
  let ring: JournalRing

  init(capacity: Int) {
    unsafe memory = .allocate(byteCount: JournalRing.headerSize + capacity, alignment: 4096)
    unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
    ring = unsafe JournalRing(memory: memory)
  }

  deinit { unsafe memory.deallocate() }

  /// Writes over what lies in the ring, as somebody who was killed half-way might have left it.
  func overwrite(_ offset: Int, with value: UInt32) {
    unsafe memory.storeBytes(of: value, toByteOffset: JournalRing.headerSize + offset, as: UInt32.self)
  }

  /// Another ring over the same memory, as the next process lays it.
  func again() -> JournalRing { unsafe JournalRing(memory: memory) }
}

/// An entry, copied out of its batch.
struct Copy: Hashable {
  var kind: EntryKind
  var aux: UInt16
  var bytes: [UInt8]
}

extension JournalRing {
  /// Appends these bytes; `room` may ask for more than they need.
  func append(_ kind: EntryKind, aux: UInt16 = 0, _ payload: [UInt8], room: Int? = nil) -> Bool {
    unsafe append(kind, aux: aux, room: room ?? payload.count) { target in
      unsafe target.copyBytes(from: payload)
      return payload.count
    }
  }

  func append(_ entry: Copy) -> Bool { append(entry.kind, aux: entry.aux, entry.bytes) }

  /// Fills the ring with entries of this many bytes of payload until so many bytes were written.
  func advance(to offset: Int, payload: Int = 0) {
    while head < offset { #expect(append(.fanotify, [UInt8](repeating: 0xee, count: payload))) }
    release(upTo: head)
  }

  var unread: RingBatch { RingBatch(ring: self, from: tail, to: head) }
}

extension BatchSource {
  func copies() throws(JournalError) -> [Copy] {
    var all: [Copy] = []
    try forEach { (entry: borrowing Entry, _) throws(JournalError) in
      all.append(Copy(kind: entry.kind, aux: entry.aux, bytes: entry.bytes))
    }
    return all
  }

  func positions() throws(JournalError) -> [UInt64] {
    var all: [UInt64] = []
    try forEach { (_, position) throws(JournalError) in all.append(position) }
    return all
  }

  /// The entries as a recorded file holds them.
  func recorded() throws(JournalError) -> [UInt8] {
    var all: [UInt8] = []
    try forEach { (entry: borrowing Entry, _) throws(JournalError) in all += entry.encoded }
    return all
  }
}

/// Reproducible noise (SplitMix64): a failing seed fails again.
struct Random: RandomNumberGenerator {
  private var state: UInt64

  init(seed: Int) { state = UInt64(truncatingIfNeeded: seed) }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func bytes(upTo count: Int) -> [UInt8] {
    (0..<Int.random(in: 0...count, using: &self)).map { _ in UInt8.random(in: .min ... .max, using: &self) }
  }

  mutating func entry(upTo count: Int) -> Copy {
    let kinds: [EntryKind] = [.fanotify, .perf, .connector, .answer, .barrier, .loss]
    return Copy(
      kind: kinds[Int.random(in: 0..<kinds.count, using: &self)], aux: UInt16(truncatingIfNeeded: next()),
      bytes: bytes(upTo: count))
  }
}
