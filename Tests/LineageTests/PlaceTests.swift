import Journal
import Records
import Testing

@testable import Lineage

@Suite("Two witnesses of classified places")
struct PlaceTests {
  /// An agent (200) with a child (201) that audit watches from its birth, beside `/home/u/proj`, which is classified.
  private func scene(_ places: [(path: String, isDirectory: Bool)] = [("/home/u/proj", true)]) throws -> Scene {
    var scene = try Scene()
    scene.audit([(1305, "op=add_rule key=\"alibi-place\" list=4 res=1")])
    scene.places(places)
    scene.check()
    try scene.batch()
    scene.fork(100, 200)
    scene.exec(200, 11, "2.1.329", inode: 900)
    scene.fork(200, 201)
    try scene.batch()
    scene.wait(seconds: 1)
    try scene.batch()
    return scene
  }

  private enum Way { case open, openat, handle, openat2, truncate }

  /// audit tells that a file of the place was opened, or that this was tried.
  private func told(
    _ scene: inout Scene, _ pid: Int32, _ name: String, _ inode: UInt64, by way: Way = .openat, flags: String = "0",
    mode: String = "0100644", device: String = "08:01", key: String = "alibi-place", exit: Int = 3
  ) {
    let (number, first, second): (Int, String, String) =
      switch way {
      case .open: (2, flags, "1b6")
      case .openat: (257, "7ffe", flags)
      case .handle: (304, "7ffe", flags)
      case .openat2: (437, "7ffe", "7fff")
      case .truncate: (76, "0", "0")
      }
    scene.audit([
      AuditText.call(number, pid, key, exit: exit, a1: first, a2: second, items: 1),
      (1307, "cwd=\"/home/u/proj\""),
      (
        1302,
        "item=0 name=\"\(name)\" inode=\(inode) dev=\(device) mode=\(mode) ouid=0 ogid=0 rdev=00:00 nametype=NORMAL "
          + "cap_fp=0"
      ),
    ])
  }

  private func settle(_ scene: inout Scene) throws {
    for number in 1...8 as ClosedRange<UInt64> {
      scene.wait(seconds: 1)
      scene.mark(number)
      scene.check()
      try scene.batch()
      scene.markReturns(number)
      try scene.batch()
    }
  }

  private func figure(_ scene: Scene) -> [Int] {
    scene.findings.reduce(into: [0, 0, 0]) { sums, finding in
      guard case .agreement(let more) = finding, more.matter == .places else { return }
      sums[0] += more.both
      sums[1] += more.auditOnly
      sums[2] += more.othersOnly
    }
  }

  private func disagreements(_ scene: Scene) -> [String] {
    scene.findings.compactMap {
      guard case .incident(let incident) = $0, incident.detail.contains(" an opening ") else { return nil }
      return incident.kind == "witnesses-disagree" ? incident.detail : nil
    }
  }

  private func unattributed(_ scene: Scene) -> [Access] { scene.accesses.filter { $0.attribution == .unattributed } }

  @Test("an opening that both told of, in either order of batches, is counted and no more", arguments: [0, 1, 2])
  func both(order: Int) throws {
    var scene = try scene()
    if order != 1 { scene.read(201, "a.txt", 60) }
    if order == 2 { try scene.batch() }
    told(&scene, 201, "a.txt", 60)
    if order == 1 {
      // The kernel tells audit at the call's end, and the queue was read just before its event.
      try scene.batch(empty: false)
      scene.read(201, "a.txt", 60)
    }
    try scene.batch()
    try settle(&scene)
    #expect(figure(scene) == [1, 0, 0])
    #expect(disagreements(scene).isEmpty && unattributed(scene).isEmpty)
  }

  @Test("what fanotify did not tell of is nobody's, blocks its file, and is in the store before its time is covered")
  func fanotifyMissed() throws {
    var scene = try scene()
    scene.wait(seconds: 1)
    told(&scene, 201, "a.txt", 60)
    let stamp = Timestamp(nanoseconds: Int64(scene.now / 1_000_000 * 1_000_000))
    try scene.batch(empty: false)
    #expect(unattributed(scene).isEmpty && scene.covered.allSatisfy { $0.to <= stamp })
    try settle(&scene)
    let access = try #require(unattributed(scene).first)
    #expect(unattributed(scene).count == 1 && access.session == nil)
    #expect(access.path == RawPath("/home/u/proj/a.txt") && access.operations.answer(.write) == .couldHave)
    #expect(access.identity == FileIdentity(fileSystem: Scene.fileSystem, inode: 60, generation: 0))
    #expect(access.time.from == stamp && !access.operations.isLeftOpen)
    #expect(disagreements(scene) == ["fanotify did not tell of an opening by process 201, /home/u/proj/a.txt"])
    #expect(figure(scene) == [0, 1, 0])
  }

  @Test("what is no opening for content, or none of a file that fanotify can tell of, is not missed")
  func noOpening() throws {
    var scene = try scene()
    told(&scene, 201, "path-only", 60, flags: "200000")
    told(&scene, 201, "directory", 61, mode: "040755")
    told(&scene, 201, "elsewhere", 62, device: "00:31")
    told(&scene, 201, "shortened", 63, by: .truncate)
    told(&scene, 201, "flags-elsewhere", 64, by: .openat2)
    told(&scene, 201, "refused", 65, exit: -2)
    told(&scene, 100, "a-person's", 66)
    try scene.batch()
    try settle(&scene)
    #expect(figure(scene) == [0, 0, 0] && disagreements(scene).isEmpty && unattributed(scene).isEmpty)
  }

  @Test("what audit did not tell of, seconds later, is an incident; the access is known all the same")
  func auditMissed() throws {
    var scene = try scene()
    scene.read(201, "a.txt", 60)
    try scene.batch()
    #expect(disagreements(scene).isEmpty)
    try settle(&scene)
    #expect(disagreements(scene) == ["audit did not tell of an opening by process 201, /home/u/proj/a.txt"])
    #expect(figure(scene) == [0, 0, 1])
    #expect(unattributed(scene).isEmpty && scene.accesses("/home/u/proj/a.txt").map(\.attribution) == [.witnessed])
  }

  @Test("an opening by handle, by openat2, or one that failed in the end is told of, whichever rule matched")
  func otherwise() throws {
    for (way, key) in [(.handle, "alibi-handle"), (.openat2, "alibi-place"), (.open, "theirs")] as [(Way, String)] {
      var scene = try scene()
      scene.read(201, "a.txt", 60)
      told(&scene, 201, "a.txt", 60, by: way, key: key, exit: way == .open ? -26 : 3)
      try scene.batch()
      try settle(&scene)
      #expect(disagreements(scene).isEmpty && figure(scene)[2] == 0)
    }
  }

  @Test("outside the places, by an execution, by a ring, or where audit may have lost something, audit owes nothing")
  func notOwed() throws {
    var outside = try scene([("/home/u/pro", true), ("/home/u/proj/b.txt", false), ("/home/u/proj/a.txt/x", false)])
    outside.read(201, "a.txt", 60)
    try outside.batch()
    try settle(&outside)
    #expect(disagreements(outside).isEmpty)

    var other = try scene()
    other.event(0x1020, 201, 12, "tool", 60)
    other.event(0x120, 201, 12, "core", 61)
    other.event(0x31, 100, 12, "a-person's", 62)
    try other.batch()
    try settle(&other)
    #expect(disagreements(other).isEmpty)

    var ring = try scene()
    ring.audit([
      AuditText.call(425, 201, "alibi-async", exit: 3, a0: "8", a1: "1")
    ])
    ring.read(201, "a.txt", 60)
    try ring.batch()
    try settle(&ring)
    #expect(disagreements(ring).isEmpty)

    var lost = try scene()
    lost.read(201, "a.txt", 60)
    try lost.batch()
    lost.check(lost: 7)
    try settle(&lost)
    #expect(disagreements(lost).isEmpty && figure(lost) == [0, 0, 0])
  }

  @Test("a place that is a file is that name alone")
  func file() throws {
    var scene = try scene([("/home/u/proj/a.txt", false)])
    scene.read(201, "a.txt", 60)
    scene.read(201, "b.txt", 61)
    try scene.batch()
    try settle(&scene)
    #expect(disagreements(scene) == ["audit did not tell of an opening by process 201, /home/u/proj/a.txt"])
  }
}
