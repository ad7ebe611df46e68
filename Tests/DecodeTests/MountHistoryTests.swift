import Decode
import Testing

struct MountHistoryTests {
  private static let root = "22 1 8:1 / / rw - ext4 /dev/sda rw"
  private static let proc = "23 22 0:21 / /proc rw - proc proc rw"

  private func table(_ lines: String...) -> [MountEntry] {
    MountEntry.table(Array(lines.joined(separator: "\n").utf8))
  }

  private func span(_ from: Int64, _ to: Int64, isHost: Bool = true, _ table: [MountEntry]?) -> MountHistory.Span {
    MountHistory.Span(isHost: isHost, from: from, to: to, table: table)
  }

  /// What the path itself is told as.
  private func names(
    _ path: String, _ spans: [MountHistory.Span], from: Int64 = 0, to: Int64 = 100, beneath: Bool = false
  ) -> Set<String> {
    let answer = MountHistory(spans).names(of: Array(path.utf8), beneath: beneath, from: from, to: to)
    // Of aliases that begin elsewhere the path is no part.
    let own = answer.aliases.filter { beneath || Array(path.utf8).starts(with: $0.from) }
    return Set(own.map { String(decoding: $0.from + Array(" ".utf8) + $0.to, as: UTF8.self) })
  }

  @Test("names may change beneath every mount of a file system of which a mount came, went or moved, and nowhere else")
  func changed() {
    func moved(_ old: [MountEntry], _ new: [MountEntry]) -> Set<String> {
      Set(MountEntry.moved(old, new).map { String(decoding: $0, as: UTF8.self) })
    }
    let disk = "31 22 8:2 / /mnt/disk rw - ext4 /dev/sdb rw", part = "32 22 8:2 /part /srv rw - ext4 /dev/sdb rw"
    let layers = "40 22 0:50 / /var/lib/layers/merged rw - overlay overlay rw"
    let plain = table(Self.root, Self.proc, disk, part)
    #expect(moved(plain, plain) == [])
    #expect(moved(plain, table(Self.root, Self.proc, disk, part, layers)) == ["/var/lib/layers/merged"])
    #expect(moved(table(Self.root, Self.proc, disk, part, layers), plain) == ["/var/lib/layers/merged"])
    #expect(moved(plain, table(Self.root, Self.proc, disk)) == ["/mnt/disk", "/srv"])
    let elsewhere = disk.split(separator: " ").map { $0 == "/mnt/disk" ? "/media" : String($0) }.joined(separator: " ")
    #expect(moved(plain, table(Self.root, Self.proc, elsewhere, part)) == ["/mnt/disk", "/media", "/srv"])
    #expect(
      moved(plain, table(Self.root, Self.proc, disk, part, "50 22 8:1 /a /b rw - ext4 /dev/sda rw")) == ["/", "/b"])
  }

  @Test("a bind mount leads to the file system's own path in its time, and in no other")
  func bind() {
    let plain = table(Self.root, Self.proc)
    let bound = table(Self.root, Self.proc, "90 22 8:1 /data /mnt rw - ext4 /dev/sda rw")
    let spans = [span(0, 20, plain), span(20, 30, bound), span(30, 200, plain)]
    #expect(names("/mnt/a", spans) == ["/mnt /data"])
    #expect(names("/mnt/a", spans, from: 40) == [])
    #expect(names("/mnt/a", spans, to: 10) == [])
    #expect(names("/home/a", spans) == [])
    #expect(names("/mnt", spans) == ["/mnt /data"])
    #expect(names("/", spans, beneath: true) == ["/mnt /data", "/data /mnt"])
    #expect(names("/data/a", spans) == ["/data /mnt"], "when the record was told is another matter")
    let when = MountHistory(spans).names(of: Array("/data/a".utf8), beneath: false, from: 0, to: 100).aliases
    #expect(when.map(\.since) == [20] && when.map(\.until) == [30])
  }

  @Test("what only a session saw is told by the host's mounts")
  func session() {
    let host = table(Self.root, "30 22 8:2 / /srv rw - xfs /dev/sdb rw")
    let inside = table(
      "60 59 8:1 / / rw - ext4 /dev/sda rw", "61 60 8:2 /pub /mnt rw - xfs /dev/sdb rw",
      "62 60 0:99 / /tmp rw - tmpfs own rw")
    let spans = [span(0, 100, host), span(40, 50, isHost: false, inside)]
    #expect(names("/mnt/a", spans) == ["/mnt /srv/pub"])
    #expect(names("/mnt/a", spans, from: 60) == [])
    #expect(names("/tmp/a", spans) == [])
    let answer = MountHistory(spans).names(of: Array("/tmp/a".utf8), beneath: false, from: 0, to: 100)
    #expect(answer.elsewhere.map(\.device) == [99])
    #expect(answer.onHost.map(\.mount.device) == [8 << 32 | 1])
    let root = MountHistory(spans).names(of: [0x2f], beneath: true, from: 0, to: 100)
    #expect(root.elsewhere.isEmpty, "what lay beneath a directory for a session alone is not the host's")
  }

  @Test("a file system that the host has only in parts is told by these")
  func parts() {
    let host = table(Self.root, "30 22 8:2 /one /a rw - xfs /dev/sdb rw", "31 22 8:2 /two /b rw - xfs /dev/sdb rw")
    let inside = table(Self.root, "61 22 8:2 / /mnt rw - xfs /dev/sdb rw")
    let spans = [span(0, 100, host), span(40, 50, isHost: false, inside)]
    #expect(names("/mnt/one/x", spans) == ["/mnt/one /a"])
    #expect(names("/mnt", spans, beneath: true).isSuperset(of: ["/mnt/one /a", "/mnt/two /b"]))
  }

  @Test("a file system that was moved is told as it was before and after; a number given anew is another's")
  func moved() {
    func at(_ place: String, _ device: String, _ type: String) -> [MountEntry] {
      table(Self.root, "30 22 \(device) / \(place) rw - \(type) own rw")
    }
    let disk = [
      span(0, 20, at("/a", "8:2", "xfs")), span(20, 30, table(Self.root)), span(30, 99, at("/b", "8:2", "xfs")),
    ]
    #expect(names("/b/x", disk) == ["/b /a"])
    let memory = [
      span(0, 20, at("/a", "0:50", "tmpfs")), span(20, 30, at("/c", "0:50", "tmpfs")), span(30, 40, table(Self.root)),
      span(41, 99, at("/b", "0:50", "tmpfs")),
    ]
    #expect(names("/c/x", memory) == ["/c /a"])
    #expect(names("/b/x", memory) == [])
  }

  @Test("an overlay is its layers, also where these are seen through other mounts")
  func overlay() {
    let options = "rw,lowerdir=/l\\:1:/mnt/low,upperdir=/up,workdir=/w"
    let host = table(Self.root)
    let inside = table(
      Self.root, "61 22 8:1 /data /mnt rw - ext4 /dev/sda rw", "62 22 0:70 / /merged rw - overlay overlay \(options)")
    let spans = [span(0, 100, host), span(40, 50, isHost: false, inside)]
    #expect(
      names("/merged/a", spans) == ["/merged /l:1", "/merged /mnt/low", "/merged /data/low", "/merged /up"])
    let relative = table(Self.root, "62 22 0:70 / /merged rw - overlay overlay rw,lowerdir=l/ABC,upperdir=/up")
    let answer = MountHistory([span(0, 100, relative)]).names(
      of: Array("/merged/a".utf8), beneath: false, from: 0, to: 100)
    #expect(answer.unclear.count == 1)
  }

  @Test("an overlay that names itself as its layer does not lead round in circles")
  func circle() {
    let table = table(
      Self.root, "62 22 0:70 / /m rw - overlay o rw,lowerdir=/n", "63 22 0:71 / /n rw - overlay o rw,lowerdir=/m:/n")
    #expect(!names("/m/a", [span(0, 100, table)]).isEmpty)
  }

  @Test("a mount hidden beneath a later one is not what a path lay on")
  func hidden() {
    let hidden = table(
      Self.root, "30 22 8:1 /one /mnt rw - ext4 /dev/sda rw", "31 30 8:1 /deep /mnt/sub rw - ext4 /dev/sda rw",
      "32 30 8:1 /two /mnt rw - ext4 /dev/sda rw")
    #expect(names("/mnt/sub/a", [span(0, 100, hidden)]) == ["/mnt /two"])
    #expect(MountEntry.covering(Array("/mnt/sub/a".utf8), hidden)?.id == 32)
    #expect(MountEntry.canonical(Array("/mnt/sub/a".utf8), hidden) == Array("/two/sub/a".utf8))
  }

  @Test("a directory that is gone is still the one that was bound")
  func deleted() {
    let bound = table(Self.root, "90 22 8:1 /data//deleted /mnt rw - ext4 /dev/sda rw")
    #expect(names("/mnt/a", [span(0, 100, bound)]) == ["/mnt /data"])
  }

  @Test("a time of which no table is known is told as such")
  func unknown() {
    let history = MountHistory([span(0, 20, table(Self.root)), span(20, 30, nil), span(30, 99, table(Self.root))])
    #expect(history.unknown(from: 25, to: 60).map(\.from) == [20])
    #expect(history.unknown(from: 31, to: 60).isEmpty)
  }

  @Test("tables of any bytes and parents that go round in circles are gone through to an end")
  func hostile() throws {
    let lines = [
      Self.root, "30 31 8:1 / /a rw - ext4 d rw", "31 30 8:1 / /a rw - overlay d lowerdir=/a:/:a\\",
      "22 22 0:1 / / rw - x y z",
      "40 22 8:1 //deleted /a/b rw - ext4 d rw",
    ]
    for skipped in lines.indices {
      var some = lines
      some.remove(at: skipped)
      let table = MountEntry.table(Array(some.joined(separator: "\n").utf8))
      let history = MountHistory([span(.min, .max, table), span(5, 2, isHost: false, table.reversed())])
      for path in ["/", "/a", "/a/b/c", "", "a", "//"] {
        _ = history.names(of: Array(path.utf8), beneath: true, from: .min, to: .max)
      }
    }
  }
}
