internal import Synchronization

/// The ring journal: entries in memory that one thread writes and one reads, and that outlives both: the process
/// that owns the memory hands it to the next one when a recorder has died.
///
/// ```
/// 4096 bytes of header: u64 magic | u64 capacity | u64 head | u64 tail | u64 filling | registers
/// capacity bytes of entries, each contiguous (`EntryHeader`)
/// ```
/// `head` and `tail` count bytes since the beginning and never wrap; a place is its offset modulo capacity.
/// The writer owns `head` and what lies ahead of it, the reader `tail`. A full ring takes no more entries:
/// the kernel's queues then hold what comes, and if they overflow too, that is an event.
@safe
public final class JournalRing: @unchecked Sendable {
  // Sendable because writer and reader touch disjoint bytes, handed over by the ordered stores below.

  /// The header's length.
  public static let headerSize = 4096
  static let magic: UInt64 = 0x3130_6c61_6e72_756a  // "jurnal01"

  private let base: UnsafeMutableRawPointer
  /// Bytes of entries it can hold.
  public let capacity: Int

  /// Lays a ring over zeroed memory, or continues one that is there.
  ///
  /// - Parameter memory: page-aligned, a header and a power of two of bytes; it must outlive the ring.
  public init(memory: UnsafeMutableRawBufferPointer) {
    guard let base = memory.baseAddress else { preconditionFailure("a ring needs memory") }
    unsafe self.base = base
    capacity = memory.count - Self.headerSize
    precondition(capacity > 0 && capacity & (capacity - 1) == 0, "a ring holds a power of two of bytes")
    if unsafe base.load(as: UInt64.self) != Self.magic {
      unsafe base.storeBytes(of: Self.magic, as: UInt64.self)
      unsafe base.storeBytes(of: UInt64(capacity), toByteOffset: 8, as: UInt64.self)
    }
  }

  /// Bytes written since the beginning.
  public var head: UInt64 { unsafe word(16).pointee.load(ordering: .acquiring) }
  /// Bytes read and no longer needed.
  public var tail: UInt64 { unsafe word(24).pointee.load(ordering: .acquiring) }
  /// A word that outlives the process that wrote it.
  public enum Register: Int, Sendable {
    /// CLOCK_MONOTONIC: the fanotify queue was last seen empty then.
    case emptied = 40
    /// CLOCK_MONOTONIC: all lineage before it was read.
    case lineageDrained = 48
    /// 1 once a first batch is complete.
    case isOpen = 56
    /// The number of the run in the store; 0 before there is one.
    case run = 64
    /// CLOCK_MONOTONIC from when on descriptor-mode events were taken that are not in the journal yet; else 0.
    case descriptorsSince = 72
    /// CLOCK_MONOTONIC: no change of mounts waited to be looked at then.
    case mountsQuiet = 80
    /// CLOCK_MONOTONIC from when on events of the group that watches /proc were taken that are not in the journal yet;
    /// else 0.
    case memorySince = 88
  }

  /// The word of a register.
  public subscript(register: Register) -> UInt64 {
    get { unsafe word(register.rawValue).pointee.load(ordering: .acquiring) }
    set { unsafe word(register.rawValue).pointee.store(newValue, ordering: .releasing) }
  }

  /// Room for what one read takes of events that are looked at before they are written: it is found there by whoever
  /// continues where the reader has died, who ends it by writing zeros.
  public var hand: UnsafeMutableRawBufferPointer {
    unsafe UnsafeMutableRawBufferPointer(start: base + 1024, count: Self.headerSize - 1024)
  }

  /// Whether the writer holds events that are not in the journal, and cannot be told without it.
  public var isInHand: Bool {
    unsafe self[.descriptorsSince] != 0 || self[.memorySince] != 0 || hand.loadUnaligned(as: UInt32.self) != 0
  }

  /// Where the entry begins that is being filled, plus one; 0 while none is.
  private var filling: UInt64 {
    get { unsafe word(32).pointee.load(ordering: .acquiring) }
    set { unsafe word(32).pointee.store(newValue, ordering: .releasing) }
  }

  /// Bytes that can be written now; an entry needs them in one piece. None where head and tail contradict each other.
  public var free: Int {
    let used = head &- tail
    return used <= UInt64(capacity) ? capacity - Int(used) : 0
  }

  private func word(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    unsafe (base + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  private func place(_ offset: UInt64) -> UnsafeMutableRawPointer {
    unsafe base + Self.headerSize + Int(offset & UInt64(capacity - 1))
  }

  /// Lets `fill` write an entry's payload of at most `room` bytes and makes it visible.
  ///
  /// `fill` returns how many bytes it wrote, or a negative number to write nothing; `mark` is asked after it.
  /// Returns false, without calling it, when there is no room: nothing was read then, so nothing is lost here.
  public func append(
    _ kind: EntryKind, aux: UInt16 = 0, room: Int, mark: () -> UInt64 = { 0 },
    _ fill: (UnsafeMutableRawBufferPointer) -> Int
  ) -> Bool {
    let needed = EntryHeader.room(room)
    var at = head
    let toEnd = capacity - Int(at & UInt64(capacity - 1))
    let skip = needed > toEnd ? toEnd : 0
    guard needed + skip <= free else { return false }
    // The last eight bytes of a ring have no room for a header; readers step over them.
    if skip >= EntryHeader.size {
      unsafe place(at).storeBytes(of: UInt32(skip - EntryHeader.size), as: UInt32.self)
      unsafe place(at).storeBytes(of: EntryKind.padding.rawValue, toByteOffset: 4, as: UInt16.self)
    }
    at &+= UInt64(skip)
    let header = unsafe place(at)
    unsafe header.storeBytes(of: UInt32(room), as: UInt32.self)
    let target = unsafe UnsafeMutableRawBufferPointer(start: header + EntryHeader.size, count: room)
    unsafe header.storeBytes(of: kind.rawValue, toByteOffset: 4, as: UInt16.self)
    unsafe header.storeBytes(of: aux, toByteOffset: 6, as: UInt16.self)
    if kind.isWalkable {
      // What the kernel has given out is in memory even if this process dies before it has counted it.
      unsafe target.initializeMemory(as: UInt8.self, repeating: 0)
      filling = at + 1
    }
    defer { if kind.isWalkable { filling = 0 } }
    let count = unsafe fill(target)
    guard count >= 0 else { return true }
    precondition(count <= room, "an entry outgrew its room")
    finish(at, count: count, mark: mark())
    return true
  }

  private func finish(_ at: UInt64, count: Int, mark: UInt64) {
    let header = unsafe place(at)
    unsafe header.storeBytes(of: UInt32(count), as: UInt32.self)
    unsafe header.storeBytes(of: mark, toByteOffset: 8, as: UInt64.self)
    unsafe word(16).pointee.store(at &+ UInt64(EntryHeader.room(count)), ordering: .releasing)
  }

  /// Counts what a writer that died had read and not yet counted: whole events, told by their lengths.
  ///
  /// The new writer calls it before anything else. Returns how many bytes were found.
  @discardableResult
  public func recover() -> Int {
    let word = filling
    filling = 0
    guard word > head, word - 1 - head < UInt64(capacity), free > 0 else { return 0 }
    let at = word - 1
    guard at & 7 == 0, capacityToEnd(at) > EntryHeader.size, at - tail < UInt64(capacity) else { return 0 }
    let start = unsafe place(at) + EntryHeader.size
    let told = unsafe Int(place(at).load(as: UInt32.self))
    let room = min(told, Int(min(capacityToEnd(at), UInt64(capacity) - (at - tail))) - EntryHeader.size)
    var count = 0
    while count + 4 <= room {
      let length = unsafe Int(start.load(fromByteOffset: count, as: UInt32.self))
      guard length > 0, length <= room - count else { break }
      count += (length + 3) & ~3
    }
    count = min(count, room)
    guard count > 0 else { return 0 }
    finish(at, count: count, mark: 0)
    return count
  }

  /// Appends an entry whose payload is there.
  public func append(_ kind: EntryKind, _ payload: [UInt8]) -> Bool {
    unsafe append(kind, room: payload.count) { target in
      unsafe target.copyBytes(from: payload)
      return payload.count
    }
  }

  /// Appends a value as an entry.
  public func append(_ value: some JournalValue) -> Bool { append(type(of: value).kind, value.payload) }

  /// The mark of the last entry of a kind that the ring still holds; 0 where there is none.
  public func lastMark(of kind: EntryKind, aux: UInt16) -> UInt64 {
    var mark: UInt64 = 0
    // Entries that do not parse are found when they are read.
    try? forEach(from: tail, to: head) { (entry, _) throws(JournalError) in
      if entry.kind == kind, entry.aux == aux { mark = entry.mark }
    }
    return mark
  }

  /// Empties the ring for a new beginning; only while nobody reads it.
  public func reset() {
    unsafe word(24).pointee.store(0, ordering: .releasing)
    unsafe word(16).pointee.store(0, ordering: .releasing)
    filling = 0
  }

  /// Hands over the entries between two offsets, in order, without moving the tail.
  ///
  /// Whoever wrote them may have been killed, or have been wrong: an entry that does not fit between the two offsets is
  /// an error, and nothing outside the ring is read.
  func forEach(
    from: UInt64, to: UInt64, _ body: (borrowing Entry, UInt64) throws(JournalError) -> Void
  ) throws(JournalError) {
    guard holds(from: from, to: to) else { throw .truncated(offset: Int(truncatingIfNeeded: from)) }
    var at = from
    while at < to {
      if capacityToEnd(at) < EntryHeader.size {
        at += min(capacityToEnd(at), to - at)
        continue
      }
      let room = Int(min(to - at, capacityToEnd(at)))
      let entries = unsafe UnsafeRawBufferPointer(start: place(at), count: room)
      var offset = 0
      if let entry = try unsafe EntryReader.next(in: entries.bytes, at: &offset) {
        try body(entry, at + UInt64(EntryHeader.size))
      }
      at += UInt64(offset)
    }
  }

  /// Copies bytes behind `position`; none where they would reach past the ring's end, as no entry does.
  func bytes(at position: UInt64, _ range: Range<Int>) -> [UInt8] {
    guard range.lowerBound >= 0, range.upperBound <= Int(capacityToEnd(position)) else { return [] }
    return unsafe Array(UnsafeRawBufferPointer(start: place(position) + range.lowerBound, count: range.count))
  }

  /// The offset behind the next `batchEnd` at or after `offset`; nil when none is complete.
  ///
  /// Where an entry does not fit before the head, no end can be found by its length any more. Then everything up to
  /// the head is one damaged batch, which `RingBatch.forEach` refuses, and what is written later can be read again.
  public func endOfBatch(from offset: UInt64) -> UInt64? {
    var at = offset
    let limit = head
    guard at < limit else { return nil }
    guard holds(from: at, to: limit) else { return limit }
    while at < limit {
      if capacityToEnd(at) < EntryHeader.size {
        at += min(capacityToEnd(at), limit - at)
        continue
      }
      let start = unsafe place(at)
      let length = unsafe Int(start.load(as: UInt32.self))
      let kind = unsafe start.load(fromByteOffset: 4, as: UInt16.self)
      let room = UInt64(EntryHeader.room(length))
      guard room <= min(limit - at, capacityToEnd(at)) else { return limit }
      at += room
      if kind == EntryKind.batchEnd.rawValue { return at }
    }
    return nil
  }

  /// Gives back everything before `offset` for new entries.
  public func release(upTo offset: UInt64) {
    unsafe word(24).pointee.store(offset, ordering: .releasing)
  }

  /// Whether entries can lie between two offsets.
  private func holds(from: UInt64, to: UInt64) -> Bool {
    from <= to && to - from <= UInt64(capacity) && from & 7 == 0
  }

  private func capacityToEnd(_ at: UInt64) -> UInt64 { UInt64(capacity) - (at & UInt64(capacity - 1)) }
}

/// Reads entries from bytes: a ring's or a recorded file's.
public enum EntryReader {
  /// The entry at `offset`, which moves past it; nil for padding and at the end.
  @_lifetime(copy bytes)
  public static func next(in bytes: RawSpan, at offset: inout Int) throws(JournalError) -> Entry? {
    let have = bytes.byteCount - offset
    guard have > 0 else { return nil }
    guard have >= EntryHeader.size else { throw .truncated(offset: offset) }
    let length = unsafe Int(bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    let raw = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset + 4, as: UInt16.self)
    let aux = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset + 6, as: UInt16.self)
    let mark = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
    let room = EntryHeader.room(length)
    guard room <= have else { throw .truncated(offset: offset) }
    guard let kind = EntryKind(rawValue: raw) else { throw .unknownKind(raw, offset: offset) }
    let start = offset + EntryHeader.size
    offset += room
    if kind == .padding { return nil }
    return Entry(kind: kind, aux: aux, mark: mark, payload: bytes.extracting(start..<(start + length)))
  }
}

extension Entry {
  /// The payload's bytes, copied.
  public var bytes: [UInt8] {
    unsafe payload.withUnsafeBytes { unsafe Array($0) }
  }

  /// The entry as a recorded file holds it.
  public var encoded: [UInt8] {
    var writer = ByteWriter()
    writer.write(UInt32(payload.byteCount))
    writer.write(kind.rawValue)
    writer.write(aux)
    writer.write(mark)
    let padding = EntryHeader.room(payload.byteCount) - EntryHeader.size - payload.byteCount
    return writer.bytes + bytes + [UInt8](repeating: 0, count: padding)
  }
}

/// Entries that belong together, to be gone through more than once.
public protocol BatchSource {
  /// Hands over the entries in order. `position` names an entry's payload for `bytes(at:)`.
  func forEach(_ body: (borrowing Entry, _ position: UInt64) throws(JournalError) -> Void) throws(JournalError)
  /// Copies bytes of an entry's payload.
  func bytes(at position: UInt64, _ range: Range<Int>) -> [UInt8]
}

/// A batch that lies in a ring.
public struct RingBatch: BatchSource {
  let ring: JournalRing
  let from: UInt64
  let to: UInt64

  /// The entries between two offsets of a ring.
  public init(ring: JournalRing, from: UInt64, to: UInt64) {
    self.ring = ring
    self.from = from
    self.to = to
  }

  /// See `BatchSource`.
  public func forEach(
    _ body: (borrowing Entry, _ position: UInt64) throws(JournalError) -> Void
  ) throws(JournalError) {
    try ring.forEach(from: from, to: to, body)
  }

  /// See `BatchSource`.
  public func bytes(at position: UInt64, _ range: Range<Int>) -> [UInt8] {
    ring.bytes(at: position, range)
  }
}

/// A batch read from a recorded file.
public struct RecordedBatch: BatchSource {
  private let recorded: [UInt8]

  /// The batch of these entries.
  public init(_ recorded: [UInt8]) {
    self.recorded = recorded
  }

  /// See `BatchSource`.
  public func forEach(
    _ body: (borrowing Entry, _ position: UInt64) throws(JournalError) -> Void
  ) throws(JournalError) {
    var offset = 0
    let all = unsafe recorded.span.bytes
    while offset < all.byteCount {
      let start = offset
      if let entry = try EntryReader.next(in: all, at: &offset) {
        try body(entry, UInt64(start + EntryHeader.size))
      }
    }
  }

  /// See `BatchSource`.
  public func bytes(at position: UInt64, _ range: Range<Int>) -> [UInt8] {
    let from = Int(position) + range.lowerBound
    guard from >= 0, from + range.count <= recorded.count else { return [] }
    return Array(recorded[from..<(from + range.count)])
  }
}
