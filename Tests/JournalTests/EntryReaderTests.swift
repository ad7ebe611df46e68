import Journal
import Testing

struct EntryReaderTests {
  /// Entries of every kind but padding, of every length modulo eight, as a recorded file holds them.
  private func sample() throws -> (bytes: [UInt8], entries: [Copy], cuts: [Int]) {
    let memory = RingMemory(capacity: 4096)
    var entries: [Copy] = []
    for raw in 1...11 as ClosedRange<UInt16> {
      let kind = try #require(EntryKind(rawValue: raw))
      entries.append(
        Copy(kind: kind, aux: raw &* 0x101, bytes: [UInt8](repeating: UInt8(raw), count: Int(raw) - 1)))
    }
    for entry in entries { #expect(memory.ring.append(entry)) }
    let cuts = entries.reduce(into: [0]) { $0.append(($0.last ?? 0) + EntryHeader.room($1.bytes.count)) }
    return (try memory.ring.unread.recorded(), entries, cuts)
  }

  /// What can be read before the end or an error.
  private func read(_ bytes: [UInt8]) -> (entries: [Copy], error: JournalError?) {
    var entries: [Copy] = []
    do throws(JournalError) {
      try RecordedBatch(bytes).forEach { (entry: borrowing Entry, _) throws(JournalError) in
        entries.append(Copy(kind: entry.kind, aux: entry.aux, bytes: entry.bytes))
      }
      return (entries, nil)
    } catch {
      return (entries, error)
    }
  }

  @Test("a file cut at any byte tells the whole entries and where the cut one begins")
  func prefixes() throws {
    let (bytes, entries, cuts) = try sample()
    #expect(cuts.last == bytes.count)
    for count in 0...bytes.count {
      let found = read(Array(bytes[..<count]))
      let whole = cuts.filter { $0 <= count }
      let start = try #require(whole.last)
      #expect(found.entries == Array(entries.prefix(whole.count - 1)))
      #expect(found.error == (start == count ? nil : .truncated(offset: start)), "\(count) bytes")
    }
  }

  @Test("no value of any byte makes the reader trap or read on forever")
  func corruption() throws {
    var (bytes, entries, _) = try sample()
    for place in bytes.indices {
      let kept = bytes[place]
      for value in UInt8.min ... .max {
        bytes[place] = value
        let found = read(bytes)
        if found.entries.reduce(0, { $0 + EntryHeader.room($1.bytes.count) }) > bytes.count {
          Issue.record("byte \(place) = \(value): \(found)")
          return
        }
      }
      bytes[place] = kept
    }
    #expect(read(bytes).entries == entries)
  }

  @Test("noise is refused or read, never trapped on", arguments: 0..<200)
  func noise(seed: Int) {
    var random = Random(seed: seed)
    var bytes = random.bytes(upTo: 200)
    _ = read(bytes)
    for index in bytes.indices where index % 8 != 0 { bytes[index] = 0 }
    let found = read(bytes)
    #expect(found.entries.allSatisfy { $0.bytes.count <= bytes.count })
  }

  @Test(
    "an entry of a kind that is not known is named with its place", arguments: [19, 255, .max] as [UInt16])
  func unknownKind(kind: UInt16) throws {
    var (bytes, entries, cuts) = try sample()
    bytes[cuts[3] + 4] = UInt8(truncatingIfNeeded: kind)
    bytes[cuts[3] + 5] = UInt8(truncatingIfNeeded: kind >> 8)
    let found = read(bytes)
    #expect(found.error == .unknownKind(kind, offset: cuts[3]))
    #expect(found.entries == Array(entries.prefix(3)))
  }

  @Test("padding is stepped over")
  func padding() throws {
    var (bytes, entries, cuts) = try sample()
    bytes[cuts[4] + 4] = 0
    entries.remove(at: 4)
    let found = read(bytes)
    #expect(found.entries == entries && found.error == nil)
  }

  @Test("a length of four gigabytes is refused")
  func hugeLength() {
    #expect(
      read([0xff, 0xff, 0xff, 0xff, 2, 0] + .init(repeating: 0, count: 10)).error == .truncated(offset: 0))
  }

  @Test("an entry takes its header, its payload and zeroes up to a multiple of eight")
  func room() {
    #expect([0, 1, 7, 8, 9, 16].map(EntryHeader.room) == [16, 24, 24, 24, 32, 32])
    let empty = Entry(kind: .loss, aux: 0x0102, payload: RawSpan()).encoded
    #expect(empty == [0, 0, 0, 0, 6, 0, 2, 1] + .init(repeating: 0, count: 8))
  }

  @Test("the numbers of the kinds are part of the format")
  func kinds() {
    let kinds: [EntryKind] = [
      .padding, .batchEnd, .fanotify, .perf, .connector, .descriptorEvent, .loss, .fileSystem, .observed,
      .answer,
      .run, .barrier, .mountsChanged, .resumed, .nursery, .heartbeat, .mountTable, .audit, .auditMark, .auditCheck,
      .auditPlaces, .memory,
    ]
    #expect(kinds.map(\.rawValue) == Array(0...18) + [20, 21, 22])
    #expect([19, 23].allSatisfy { EntryKind(rawValue: $0) == nil })
  }

  @Test("a recorded batch gives no bytes from outside itself")
  func outside() throws {
    let (bytes, _, _) = try sample()
    let batch = RecordedBatch(bytes)
    #expect(batch.bytes(at: UInt64(bytes.count), 0..<1) == [])
    #expect(batch.bytes(at: 0, 0..<(bytes.count + 1)) == [])
    #expect(batch.bytes(at: 0, 0..<bytes.count) == bytes)
    #expect(batch.bytes(at: UInt64(bytes.count), 0..<0) == [])
  }
}
