import Decode
import Testing

/// A record with its places replaced by what is there.
private struct Event: Hashable {
  var mask: FanotifyMask
  var pid: Int32
  var descriptor: Int32
  var directory: DecodedHandle?
  var name: [UInt8]
  var target: DecodedHandle?
  var newDirectory: DecodedHandle?
  var newName: [UInt8]
  var mount: UInt64?
  var fileSystems: Set<UInt64>

  static func next(in bytes: RawSpan, at offset: inout Int) throws(DecodeError) -> Event? {
    guard let record = try FanotifyRecord.next(in: bytes, at: &offset) else { return nil }
    func text(_ range: Range<Int>) -> [UInt8] {
      HandleView(fileSystem: 0, type: 0, offset: range.lowerBound, count: range.count).bytes(in: bytes)
    }
    return Event(
      mask: record.mask, pid: record.pid, descriptor: record.descriptor,
      directory: record.directory?.decoded(in: bytes), name: text(record.name),
      target: record.target?.decoded(in: bytes), newDirectory: record.newDirectory?.decoded(in: bytes),
      newName: text(record.newName), mount: record.mount,
      fileSystems: Set([record.directory, record.target, record.newDirectory].compactMap { $0?.fileSystem }))
  }
}

private func events(_ name: String) throws -> [Event] {
  let walk = Walk(try captured(name), Event.next)
  #expect(walk.error == nil && walk.isSound)
  return walk.items
}

private let wholeFiles = ["fanotify-tmpfs.bin", "fanotify-ext4.bin"]
private let all = wholeFiles + ["fanotify-overflow.bin", "fanotify-mounts.bin", "fanotify-descriptor.bin"]

struct FanotifyRecordTests {
  @Test("each deed of a process is told with its names, on tmpfs as on ext4", arguments: wholeFiles)
  func golden(file: String) throws {
    let bad: [UInt8] = Array("bad".utf8) + [0xff, 0x0a, 0x1b]
    let expected: [(FanotifyMask, [UInt8], [UInt8])] = [
      ([.create, .open, .modify, .closeWrite], Array("new.txt".utf8), []),
      ([.access, .open, .closeNoWrite], Array("new.txt".utf8), []),
      ([.create, .onDirectory], Array("folder".utf8), []),
      (.rename, Array("new.txt".utf8), Array("moved.txt".utf8)),
      (.attribute, [], []), (.create, Array("second name".utf8), []),
      (.attribute, Array("second name".utf8), []),
      (.attribute, [], []), (.delete, Array("moved.txt".utf8), []),
      (.modify, Array("second name".utf8), []),
      ([.create, .open, .closeWrite], bad, []),
      (.attribute, [], []), (.delete, bad, []),
      (.attribute, [], []), (.delete, Array("second name".utf8), []),
      ([.delete, .onDirectory], Array("folder".utf8), []),
      ([.openExec, .open, .access, .closeNoWrite], Array("program".utf8), []),
    ]
    let events = try events(file)
    #expect(events.map(\.mask) == expected.map(\.0))
    #expect(events.map(\.name) == expected.map(\.1))
    #expect(events.map(\.newName) == expected.map(\.2))
    #expect(Set(events.map(\.pid)).count == 1 && events.allSatisfy { $0.pid > 1 })
    #expect(events.allSatisfy { $0.descriptor == -1 && $0.mount == nil })
    #expect(Set(events.map(\.fileSystems)).count == 1 && events[0].fileSystems.count == 1)
  }

  @Test(
    "a file keeps its identity through rename, link and delete; a rename tells both directories",
    arguments: wholeFiles)
  func identities(file: String) throws {
    let events = try events(file)
    try #require(events.count == 17)
    let content = try #require(events[0].target)
    for index in [1, 3, 4, 5, 6, 7, 8, 9, 13, 14] {
      #expect(events[index].target == content, "event \(index)")
    }
    let top = try #require(events[0].directory)
    let folder = try #require(events[2].target)
    #expect(folder != top && folder != content && events[2].directory == top)
    #expect(events[3].directory == top && events[3].newDirectory == folder)
    #expect(events[8].directory == folder && events[15].target == folder)
    #expect([4, 7, 11, 13].allSatisfy { events[$0].directory == nil })
    #expect(events[10].target == events[12].target && events[10].target != content)
  }

  @Test("inodes, generations and the file system are the numbers the bytes were captured with")
  func absolute() throws {
    let (tmpfs, ext4) = (try events("fanotify-tmpfs.bin"), try events("fanotify-ext4.bin"))
    #expect(tmpfs.first?.directory?.inode == 1)
    #expect(ext4.first?.fileSystems == [0x4a04_0e95_aba0_ffbc])
    #expect(ext4.first?.directory?.inode == 0x00f7_e06b && ext4.first?.directory?.generation == 0x9629_cbcc)
  }

  @Test("an overflow is an event of nobody's")
  func overflow() throws {
    let events = try events("fanotify-overflow.bin")
    #expect(events.map(\.mask) == [[.create], .overflow])
    #expect(events.last?.pid == 0 && events.last?.descriptor == -1)
    #expect(events.last?.directory == nil && events.last?.target == nil)
  }

  @Test("a mount that comes and goes is named by its unique id")
  func mounts() throws {
    let events = try events("fanotify-mounts.bin")
    #expect(events.map(\.mask) == [.mountAttach, .mountDetach])
    // Unique ids count from 1 << 31; statx(2) with STATX_MNT_ID_UNIQUE gives the same number.
    #expect(events.map(\.mount) == [0x8000_0041, 0x8000_0041])
  }

  @Test("descriptor mode tells a descriptor, or a negative errno, and no handle")
  func descriptors() throws {
    var bytes = try captured("fanotify-descriptor.bin")
    let event = try #require(Walk(bytes, Event.next).items.first)
    #expect(event.mask == [.open, .closeWrite])
    #expect(event.descriptor > 2 && event.directory == nil && event.target == nil && event.name == [])
    bytes.store(Int32(-116), at: 16)
    #expect(Walk(bytes, Event.next).items.first?.descriptor == -116)
  }

  @Test("a buffer cut at any byte tells what is whole and reports the rest as truncated", arguments: all)
  func prefixes(file: String) throws {
    expectEveryPrefixReported(try captured(file), Event.next)
  }

  @Test("no value of any byte makes the decoder trap or leave the buffer", arguments: all)
  func corruption(file: String) throws {
    expectNoCorruptionTraps(try captured(file), Event.next)
  }

  @Test("names and handles never reach past the event that holds them", arguments: wholeFiles)
  func places(file: String) throws {
    let bytes = try captured(file)
    var start = 0
    let all = unsafe bytes.span.bytes
    var offset = 0
    while let record = try FanotifyRecord.next(in: all, at: &offset) {
      let views = [record.directory, record.target, record.newDirectory].compactMap { $0 }
      let places = views.map { $0.offset..<($0.offset + $0.count) } + [record.name, record.newName]
      #expect(places.allSatisfy { $0.isEmpty || ($0.lowerBound >= start + 24 && $0.upperBound <= offset) })
      start = offset
    }
    #expect(start == bytes.count)
  }

  @Test(
    "another version of the structure is refused, not guessed at", arguments: [0, 1, 2, 4, 255] as [UInt8])
  func version(version: UInt8) throws {
    var bytes = try captured("fanotify-descriptor.bin")
    bytes[4] = version
    #expect(Walk(bytes, Event.next).error == .unsupportedVersion(version))
  }

  @Test("a length that contradicts its surroundings is refused")
  func lengths() throws {
    let event = Array(try captured("fanotify-tmpfs.bin").prefix(96))
    func error(_ change: (inout [UInt8]) -> Void) -> DecodeError? {
      var bytes = event
      change(&bytes)
      return Walk(bytes, Event.next).error
    }
    #expect(error { $0.store(UInt32(23), at: 0) } == .inconsistent)
    #expect(error { $0.store(UInt32(97), at: 0) } == .truncated(needed: 97, have: 96))
    #expect(error { $0.store(UInt32.max, at: 0) } == .truncated(needed: Int(UInt32.max), have: 96))
    #expect(error { $0.store(UInt16(23), at: 6) } == .inconsistent)
    #expect(error { $0.store(UInt16(97), at: 6) } == .inconsistent)
    #expect(error { $0.store(UInt16(0), at: 26) } == .inconsistent)
    #expect(error { $0.store(UInt16(3), at: 26) } == .inconsistent)
    #expect(error { $0.store(UInt16(19), at: 26) } == .inconsistent)
    #expect(error { $0.store(UInt16.max, at: 26) } == .inconsistent)
    #expect(error { $0.store(UInt32(129), at: 36) } == .inconsistent)
    #expect(error { $0.store(UInt32.max, at: 36) } == .inconsistent)
  }

  @Test("a kind of information that is not known is stepped over")
  func unknownInformation() throws {
    var bytes = Array(try captured("fanotify-tmpfs.bin").prefix(96))
    bytes[24] = 200
    let event = try #require(Walk(bytes, Event.next).items.first)
    #expect(event.directory == nil && event.name == [] && event.target != nil)
  }

  @Test("a header cut at any byte is reported as truncated, never read past", arguments: 1..<24)
  func cutHeader(count: Int) {
    let bytes = [UInt8](repeating: 0, count: count)
    #expect(Walk(bytes, Event.next).error == .truncated(needed: 24, have: count))
  }
}
