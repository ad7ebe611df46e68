import Journal
import Testing

private protocol Sample: JournalValue, Hashable, Sendable {
  static func any(_ random: inout Random) -> Self
}

extension Random {
  fileprivate mutating func number<T: FixedWidthInteger>() -> T {
    T(truncatingIfNeeded: [0, .max, next(), next() >> 40, 1][Int(next() % 5)])
  }
  fileprivate mutating func text() -> String { String(decoding: bytes(upTo: 40), as: UTF8.self) }
}

extension BatchEnd: Sample {
  static func any(_ random: inout Random) -> Self {
    Self(
      lower: random.number(), upper: random.number(), wall: random.number(), boot: random.number(),
      emptied: random.number())
  }
}

extension LossEntry: Sample {
  static func any(_ random: inout Random) -> Self {
    Self(
      source: LossSource.allCases.randomElement(using: &random) ?? .journal, from: random.number(),
      to: random.number(), count: random.number(), reason: random.text())
  }
}

extension FileSystemEntry: Sample {
  static func any(_ random: inout Random) -> Self {
    Self(
      fileSystem: random.number(), device: random.number(), type: random.bytes(upTo: 20),
      mountPoint: random.bytes(upTo: 300), watching: Watching(rawValue: UInt8(random.next() % 3)) ?? .nothing,
      reason: random.text(), time: random.number())
  }
}

extension ObservedProcess: Sample {
  static func any(_ random: inout Random) -> Self {
    Self(
      pid: random.number(), parent: random.number(), threads: random.number(), startedAt: random.number(),
      executable: random.bytes(upTo: 100), script: random.bytes(upTo: 100), time: random.number(),
      privilege: .root)
  }
}

extension DescriptorEvent: Sample {
  static func any(_ random: inout Random) -> Self {
    Self(
      mask: random.number(), pid: random.number(), device: random.number(), inode: random.number(),
      path: random.bytes(upTo: 200))
  }
}

extension MemoryEvent: Sample {
  static func any(_ random: inout Random) -> Self {
    Self(
      mask: random.number(), pid: random.number(), inode: random.number(), path: random.bytes(upTo: 60),
      since: random.number(), until: random.number())
  }
}

extension RunEntry: Sample {
  static func any(_ random: inout Random) -> Self {
    Self(
      bootID: random.bytes(upTo: 40), host: random.bytes(upTo: 64), ownPid: random.number(),
      monotonic: random.number(), wall: random.number(), boot: random.number(),
      hasPerf: random.next() % 2 == 0,
      hasConnector: random.next() % 2 == 0)
  }
}

extension MovedMounts: Sample {
  static func any(_ random: inout Random) -> Self {
    Self(places: (0..<Int(random.next() % 4)).map { _ in random.bytes(upTo: 40) })
  }
}

extension MountTableEntry: Sample {
  static func any(_ random: inout Random) -> Self {
    Self(
      namespace: random.bytes(upTo: 30), isHost: random.next() % 2 == 0, isFirst: random.next() % 2 == 0,
      state: [.gone, .known, .unknown][Int(random.next() % 3)], table: random.bytes(upTo: 400), since: random.number(),
      seen: random.number())
  }
}

private let samples: [any Sample.Type] = [
  BatchEnd.self, LossEntry.self, FileSystemEntry.self, ObservedProcess.self, DescriptorEvent.self,
  RunEntry.self, MountTableEntry.self, MemoryEvent.self,
  MovedMounts.self,
]

struct JournalValueTests {
  @Test(
    "any value is read back as itself, from its payload and from the ring", arguments: samples.indices, 0..<50
  )
  func roundTrip(type: Int, seed: Int) throws {
    func check<T: Sample>(_: T.Type) throws {
      var random = Random(seed: seed)
      let value = T.any(&random)
      #expect(try T(payload: value.payload) == value)
      let memory = RingMemory(capacity: 4096)
      #expect(memory.ring.append(value))
      #expect(try memory.ring.unread.copies() == [Copy(kind: T.kind, aux: 0, bytes: value.payload)])
    }
    try check(samples[type])
  }

  @Test("a payload cut at any byte, or with a byte too many, is refused", arguments: samples.indices)
  func truncation(type: Int) {
    func check<T: Sample>(_: T.Type) {
      var random = Random(seed: 3)
      let payload = T.any(&random).payload
      for count in payload.indices {
        #expect(throws: JournalError.self) { try T(payload: Array(payload[..<count])) }
      }
      #expect(throws: JournalError.truncated(offset: payload.count)) { try T(payload: payload + [0]) }
    }
    check(samples[type])
  }

  @Test("no value of any byte of a payload traps", arguments: samples.indices)
  func corruption(type: Int) {
    func check<T: Sample>(_: T.Type) {
      var random = Random(seed: 11)
      var payload = T.any(&random).payload
      for place in payload.indices {
        let kept = payload[place]
        for value in UInt8.min ... .max {
          payload[place] = value
          _ = try? T(payload: payload)
        }
        payload[place] = kept
      }
    }
    check(samples[type])
  }

  @Test("each kind of value has a kind of entry of its own")
  func kinds() {
    #expect(
      samples.map { $0.kind } == [
        .batchEnd, .loss, .fileSystem, .observed, .descriptorEvent, .run, .mountTable, .memory, .mountsChanged,
      ])
  }

  @Test("a source of loss and a way of watching that are not known are refused where they stand")
  func unknownCases() {
    var random = Random(seed: 1)
    var loss = LossEntry.any(&random).payload
    for raw in [0, 8, 255] as [UInt8] {
      loss[0] = raw
      #expect(throws: JournalError.truncated(offset: 0)) { try LossEntry(payload: loss) }
    }
    let entry = FileSystemEntry(
      fileSystem: 1, device: 2, type: [3], mountPoint: [4, 5], watching: .identity, reason: "", time: 6)
    var bytes = entry.payload
    let place = 8 + 8 + 4 + 1 + 4 + 2
    #expect(bytes[place] == 1)
    bytes[place] = 3
    #expect(throws: JournalError.truncated(offset: place)) { try FileSystemEntry(payload: bytes) }
  }

  @Test("integers are little-endian in every width, negative ones too")
  func integers() throws {
    var writer = ByteWriter()
    writer.write(UInt32(0x0102_0304))
    #expect(writer.bytes == [4, 3, 2, 1])
    writer.write(Int32(-2))
    writer.write(Int64.min)
    writer.write(UInt8(255))
    writer.write(Int8(-1))
    writer.write(UInt16(0xabcd))
    var reader = ByteReader(writer.bytes)
    #expect(try reader.integer(UInt32.self) == 0x0102_0304)
    #expect(try reader.integer(Int32.self) == -2)
    #expect(try reader.integer(Int64.self) == .min)
    #expect(try reader.integer(UInt8.self) == 255)
    #expect(try reader.integer(Int8.self) == -1)
    #expect(!reader.isAtEnd)
    #expect(try reader.integer(UInt16.self) == 0xabcd)
    #expect(reader.isAtEnd)
    #expect(throws: JournalError.truncated(offset: reader.offset)) { try reader.integer(UInt8.self) }
  }

  @Test("a byte string that may be missing is told apart from an empty one")
  func optionals() throws {
    var writer = ByteWriter()
    for value in [nil, [], [7]] as [[UInt8]?] { writer.write(value) }
    var reader = ByteReader(writer.bytes)
    #expect(try reader.optionalByteString() == nil)
    #expect(try reader.optionalByteString() == [])
    #expect(try reader.optionalByteString() == [7])
    #expect(reader.isAtEnd)
  }

  @Test("a byte string longer than what there is is refused without moving on")
  func longString() {
    var reader = ByteReader([0xff, 0xff, 0xff, 0xff, 1])
    #expect(throws: JournalError.truncated(offset: 4)) { try reader.byteString() }
  }
}
