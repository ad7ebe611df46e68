internal import Journal
internal import Lineage

extension FuzzTarget {
  /// A recorded journal, and a ring that another process left behind, also in the middle of a read.
  public static let journal = [
    FuzzTarget(name: "journal", run: recorded), FuzzTarget(name: "ring", run: ring),
    FuzzTarget(name: "recovery", run: recovery),
  ]
}

/// A recorded file: its entries, and the value that each of them holds.
@Sendable private func recorded(_ bytes: [UInt8]) throws {
  let batch = RecordedBatch(bytes)
  var reached = 0
  do {
    try batch.forEach { (entry: borrowing Entry, position) throws(JournalError) in
      reached = Int(position) + entry.payload.byteCount
      let payload = entry.bytes
      guard batch.bytes(at: position, 0..<payload.count) == payload else { throw .notAJournal }
      var offset = 0
      let encoded = entry.encoded
      let again = try unsafe EntryReader.next(in: encoded.span.bytes, at: &offset)
      guard offset == encoded.count, again?.bytes == payload else { throw .notAJournal }
      try value(entry.kind, payload)
    }
  } catch JournalError.notAJournal {
    throw Broken(description: "an entry does not say twice what it says once")
  } catch {}
  try promise(reached <= bytes.count, "an entry ends past the end")
}

private func value(_ kind: EntryKind, _ payload: [UInt8]) throws(JournalError) {
  switch kind {
  case .batchEnd: try twice(BatchEnd.self, payload)
  case .descriptorEvent: try twice(DescriptorEvent.self, payload)
  case .loss: try twice(LossEntry.self, payload)
  case .fileSystem: try twice(FileSystemEntry.self, payload)
  case .observed: try twice(ObservedProcess.self, payload)
  case .answer: try twice(Exchange.self, payload)
  case .run, .resumed: try twice(RunEntry.self, payload)
  case .nursery: try twice(Nursery.self, payload)
  case .heartbeat: try twice(Heartbeat.self, payload)
  case .mountsChanged: try twice(MovedMounts.self, payload)
  case .mountTable: try twice(MountTableEntry.self, payload)
  case .auditCheck: try twice(AuditCheck.self, payload)
  case .auditPlaces: try twice(AuditPlaces.self, payload)
  case .memory: try twice(MemoryEvent.self, payload)
  case .padding, .fanotify, .perf, .connector, .barrier, .audit, .auditMark: break
  }
}

/// What was read and written again reads the same. A payload that is no value is for its reader to refuse.
private func twice<Value: JournalValue & Equatable>(_: Value.Type, _ payload: [UInt8]) throws(JournalError) {
  guard let value = try? Value(payload: payload) else { return }
  guard let again = try? Value(payload: value.payload), again == value else { throw .notAJournal }
}

/// Memory that another process left: its ring's header from the head on, so many bytes, then what lies in the ring.
private func found(_ bytes: [UInt8], header: Int, capacity: Int) -> UnsafeMutableRawBufferPointer {
  let memory = UnsafeMutableRawBufferPointer.allocate(
    byteCount: JournalRing.headerSize + capacity, alignment: 4096)
  unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
  _ = unsafe JournalRing(memory: memory)
  unsafe memory[16..<(16 + header)].copyBytes(from: bytes.prefix(header))
  unsafe memory[JournalRing.headerSize...].copyBytes(from: bytes.dropFirst(header).prefix(capacity))
  return unsafe memory
}

/// Sixteen bytes of head and tail, then what lies in the ring: gone through as a recorder does that finds it, while
/// the writer goes on.
@Sendable private func ring(_ bytes: [UInt8]) throws {
  let capacity = 1 << 12
  let memory = unsafe found(bytes, header: 16, capacity: capacity)
  defer { unsafe memory.deallocate() }
  let ring = unsafe JournalRing(memory: memory)

  var at = ring.tail
  var rounds = 0
  try promise(0...capacity ~= ring.free, "\(ring.free) bytes are free")
  while let end = ring.endOfBatch(from: at) {
    let isSound = try visit(RingBatch(ring: ring, from: at, to: end), capacity)
    try promise(!isSound || end &- at <= UInt64(capacity), "a batch of \(end &- at) bytes")
    rounds += 1
    try promise(rounds <= capacity / EntryHeader.size, "the reader goes round in circles")
    ring.release(upTo: end)
    at = end
  }
  // Whatever two offsets somebody asks for.
  _ = try visit(RingBatch(ring: ring, from: ring.tail, to: ring.head), capacity)
  _ = try visit(RingBatch(ring: ring, from: ring.head, to: ring.tail), capacity)

  let end = BatchEnd(lower: 1, upper: 2, wall: 3, boot: 4, emptied: 2)
  if ring.tail == ring.head {
    // All was read: the ring is as good as new, but for a head that no ring lives long enough to reach.
    let head = ring.head
    guard head <= .max - UInt64(capacity) else { return }
    try promise(ring.append(end), "an empty ring takes nothing")
    try promise(ring.endOfBatch(from: head) != nil, "what was appended is not there")
  } else if ring.append(end) {
    try promise(0...capacity ~= ring.free, "\(ring.free) bytes are free")
    try promise(ring.head < at || ring.endOfBatch(from: at) != nil, "damage that no reader gets past")
  }
}

/// Twenty-four bytes of head, tail and what was being filled, then what lies in the ring: a writer continues it.
@Sendable private func recovery(_ bytes: [UInt8]) throws {
  let capacity = 1 << 12
  let memory = unsafe found(bytes, header: 24, capacity: capacity)
  defer { unsafe memory.deallocate() }
  let ring = unsafe JournalRing(memory: memory)
  let before = ring.head
  let count = ring.recover()
  try promise(count >= 0 && count <= capacity, "\(count) bytes were found")
  try promise(count > 0 ? ring.head > before : ring.head == before, "the head moved by what was not found")
  try promise(ring.recover() == 0, "found twice")
  _ = ring.lastMark(of: .perf, aux: 0)
  _ = try visit(RingBatch(ring: ring, from: ring.tail, to: ring.head), capacity)
}

/// Whether the batch could be gone through to its end.
private func visit(_ batch: RingBatch, _ capacity: Int) throws -> Bool {
  var total = 0
  do {
    try batch.forEach { (entry: borrowing Entry, position) throws(JournalError) in
      total += EntryHeader.size + entry.payload.byteCount
      guard total <= capacity, batch.bytes(at: position, 0..<entry.payload.byteCount) == entry.bytes else {
        throw .notAJournal
      }
    }
    return true
  } catch JournalError.notAJournal {
    throw Broken(description: "a batch holds more than its ring")
  } catch {
    return false
  }
}
