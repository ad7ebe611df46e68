import Records
import Testing

@testable import Lineage

struct MountTests {
  @Test("a table of mounts is kept as it was told, in the time of the wall clock")
  func told() throws {
    var scene = try Scene()
    scene.clock = 5_000_000_000
    try scene.batch()
    scene.mounts("mnt:[1]", "a table\n")
    scene.mounts("mnt:[2]", "", state: .gone)
    let now = Int64(scene.now) + scene.clock
    try scene.batch()
    let found = scene.findings.compactMap { if case .mounts(let seen) = $0 { seen } else { nil } }
    #expect(found.map(\.namespace) == ["mnt:[1]", "mnt:[2]"])
    #expect(found.map(\.isHost) == [true, false])
    #expect(found.map(\.state) == [.known, .gone])
    #expect(found.map(\.table) == [Array("a table\n".utf8), []])
    #expect(found.map(\.time.seconds) == [0.001, 0.001])
    #expect(found.last?.time.to.nanoseconds == now)
  }

  @Test("a mount that comes or goes makes nothing forgotten but the names beneath where its file system is mounted")
  func moved() throws {
    var scene = try Scene()
    scene.paths[13] = "/mnt/disk/data"
    scene.fork(100, 200)
    scene.exec(200, 11, "2.1.329", inode: 900)
    scene.read(200, "a", 50)
    scene.read(200, "b", 51, in: 13)
    try scene.batch()
    // The directories are gone by the time that somebody could be asked, and their removal has not been read.
    scene.paths[12] = nil
    scene.paths[13] = "/mnt/other/data"
    scene.move(["/mnt/disk", "/var/lib/layers"])
    scene.read(200, "c", 52)
    scene.read(200, "d", 53, in: 13)
    try scene.batch()
    scene.move(["/"])
    scene.read(200, "e", 54)
    try scene.batch()
    for (name, path) in [("c", "/home/u/proj/c"), ("d", "/mnt/other/data/d")] {
      #expect(scene.accesses(path).count == 1, "\(name)")
    }
    #expect(scene.accesses("/mnt/disk/data/d").isEmpty && scene.accesses("/home/u/proj/e").isEmpty)
  }

  @Test(
    "a damaged time traps nobody and makes no interval that ends before it begins", arguments: [0, .max] as [UInt64])
  func damaged(since: UInt64) throws {
    var scene = try Scene()
    scene.mounts("mnt:[1]", "", state: .unknown, since: since)
    try scene.batch()
    let found = scene.findings.compactMap { if case .mounts(let seen) = $0 { seen } else { nil } }
    #expect(found.count == 1 && found.allSatisfy { $0.time.from <= $0.time.to })
  }
}
