import Evidence
import Foundation
import Records
import Testing

struct StoreTests {
  @Test("a commit survives a power cut: synchronous reads back FULL")
  func synchronous() throws {
    #expect(try Shelf().writer.synchronousMode() == 2)
  }

  @Test(
    "paths come back byte for byte",
    arguments: [[0x2f, 0xff, 0x0a, 0x1b], [0x2f], Array("/ä\u{0308}".utf8)] as [[UInt8]])
  func bytes(path: [UInt8]) throws {
    let shelf = try Shelf()
    var finding = access("/x")
    if case .access(var access) = finding {
      access.path = RawPath(path)
      finding = .access(access)
    }
    try shelf.write(.session(session(1)), finding)
    #expect(try shelf.reader().accesses(Filter()).first?.access.path == RawPath(path))
  }

  @Test("figures of a day add up, are told for the days of a time, and are no evidence")
  func agreement() throws {
    let shelf = try Shelf()
    let day: Int64 = 86_400_000_000_000
    func figure(_ day: Int64, _ both: Int, _ audit: Int, _ others: Int, _ matter: Agreement.Matter) -> Agreement {
      Agreement(day: day, matter: matter, both: both, auditOnly: audit, othersOnly: others)
    }
    try shelf.write(.agreement(figure(0, 3, 0, 1, .executions)), .agreement(figure(0, 4, 2, 0, .executions)))
    try shelf.write(.agreement(figure(0, 1, 0, 0, .places)), .agreement(figure(1, 5, 0, 0, .executions)))
    func told(_ from: Int64, _ to: Int64) throws -> [Agreement] {
      try shelf.reader().coverage(
        Interval(from: Timestamp(nanoseconds: from), to: Timestamp(nanoseconds: to))
      ).agreement
    }
    let first = [figure(0, 7, 2, 1, .executions), figure(0, 1, 0, 0, .places)]
    #expect(try told(5, day - 1) == first)
    #expect(try told(5, day) == first + [figure(1, 5, 0, 0, .executions)])
    #expect(try told(2 * day, 3 * day).isEmpty)
    #expect(Agreement.day(of: Timestamp(nanoseconds: -1)) == -1)
  }

  @Test("the largest numbers come back")
  func largeNumbers() throws {
    let shelf = try Shelf()
    let identity = FileIdentity(fileSystem: .max, inode: .max, generation: .max, subvolume: .max)
    var finding = access("/x")
    if case .access(var access) = finding {
      access.identity = identity
      finding = .access(access)
    }
    try shelf.write(.session(session(1)), finding)
    #expect(try shelf.reader().accesses(Filter()).first?.access.identity == identity)
  }

  @Test("one file under one name is stored once")
  func once() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), access("/a"), access("/a", from: 30, to: 30))
    try shelf.write(access("/a", from: 40, to: 40), access("/b"))
    let rows = try shelf.reader().accesses(Filter())
    #expect(rows.count == 4)
  }

  @Test("a reader sees the store while the service writes to it")
  func concurrent() throws {
    let shelf = try Shelf()
    let reader = try shelf.reader()
    #expect(try reader.sessions().isEmpty)
    try shelf.write(.session(session(1)))
    #expect(try reader.sessions().count == 1)
  }

  @Test("findings that do not fit together are refused as a whole")
  func atomic() throws {
    let shelf = try Shelf()
    #expect(throws: StoreError.self) { try shelf.write(.session(session(1)), access("/a", session: 99)) }
    #expect(try shelf.reader().sessions().isEmpty)
    try shelf.write(.session(session(1)), access("/a"))
    #expect(try shelf.reader().accesses(Filter()).count == 1, "and the same file can be written afterwards")
  }

  @Test("the next run of the same boot knows the processes that may still live")
  func inheritance() throws {
    let shelf = try Shelf()
    let process = ProcessRecord(
      id: 7, session: 1, key: ProcessKey(pid: 500, startedAt: 9, provenance: .witnessed), parent: nil,
      executable: RawPath("/bin/sh"), processClass: .toolShell, started: at(2))
    try shelf.write(.session(session(1)), .process(process))
    try shelf.writer.close(at: at(100))
    let next = try StoreWriter(directory: shelf.directory, run: Shelf.run("boot"))
    let inherited = try next.inheritance(bootID: "boot")
    #expect(inherited.firstSession == 2)
    #expect(inherited.firstProcess == 8)
    #expect(inherited.survivors.map(\.key.pid) == [500])
    #expect(inherited.watchedBefore == at(100))
  }

  @Test("a session of an earlier boot ended when its run last vouched for something")
  func earlierBoot() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)))
    try shelf.writer.close(at: at(100))
    let next = try StoreWriter(directory: shelf.directory, run: Shelf.run("another boot"))
    #expect(try next.inheritance(bootID: "another boot").survivors.isEmpty)
    #expect(try shelf.reader().sessions().first?.ended == at(100))
  }

  @Test("a closed store can be read by who may not write to it, and leaves no journal behind")
  func atRest() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)))
    try shelf.writer.close(at: at(100))
    #expect(!FileManager.default.fileExists(atPath: shelf.directory + "/alibi.sqlite-wal"))
    #expect(try shelf.reader().sessions().count == 1)
  }

  @Test("a file that is no store is told from one that is not there")
  func damaged() throws {
    let directory = NSTemporaryDirectory() + "alibi-shelf-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    #expect(throws: StoreError.self) { try StoreReader(directory: directory) }
    try Data(repeating: 0x41, count: 9000).write(to: URL(fileURLWithPath: directory + "/alibi.sqlite"))
    do {
      _ = try StoreReader(directory: directory)
      Issue.record("a damaged store was opened")
    } catch {
      guard case .damaged = error else {
        Issue.record("\(error)")
        return
      }
    }
  }
}
