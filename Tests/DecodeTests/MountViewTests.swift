import Decode
import Testing

struct MountViewTests {
  private func table(_ lines: String...) -> [MountEntry] {
    MountEntry.table(Array(lines.joined(separator: "\n").utf8))
  }

  private func place(_ view: MountView, _ path: String, _ mount: UInt32) -> String {
    func text(_ path: [UInt8]) -> String { String(decoding: path, as: UTF8.self) }
    return switch view.place(of: Array(path.utf8), on: mount) {
    case .host(let path): text(path)
    case .layers(let paths): paths.map(text).joined(separator: " ")
    case .elsewhere: "elsewhere"
    case .unknown: "unknown"
    }
  }

  @Test("a file is told beneath its file system's best mount of the host's, wherever the process sees it")
  func told() {
    let host = table(
      "22 1 8:1 / / rw - ext4 /dev/sda rw", "23 22 8:1 /srv /bound rw - ext4 /dev/sda rw",
      "24 22 8:2 /part /disk rw - xfs /dev/sdb rw")
    let own = table(
      "40 39 0:70 / / rw - overlay overlay rw,lowerdir=/l/1:l/2,upperdir=/up,workdir=/w",
      "41 40 8:1 /srv/data /data rw - ext4 /dev/sda rw", "42 40 8:2 / /disk rw - xfs /dev/sdb rw",
      "43 40 0:71 / /tmp rw - tmpfs tmpfs rw", "44 40 8:1 /old//deleted /gone rw - ext4 /dev/sda rw")
    let view = MountView(host: host, own: own, root: Array("/".utf8))
    #expect(place(view, "/home/a", 22) == "/home/a")
    #expect(place(view, "/bound/a", 23) == "/srv/a")
    #expect(place(view, "/data/a", 41) == "/srv/data/a")
    #expect(place(view, "/data", 41) == "/srv/data")
    #expect(place(view, "/gone/a", 44) == "/old/a")
    #expect(place(view, "/disk/part/a", 42) == "/disk/a")
    #expect(place(view, "/disk/other/a", 42) == "elsewhere")
    #expect(place(view, "/tmp/a", 43) == "elsewhere")
    #expect(place(view, "/etc/a", 40) == "/l/1/etc/a l/2/etc/a /up/etc/a")
    #expect(place(view, "/", 40) == "/l/1 l/2 /up")
    #expect(place(view, "/data/a", 99) == "unknown")
    #expect(place(view, "/elsewhere/a", 41) == "unknown")
  }

  @Test("a process with a root of its own tells its mounts from there on")
  func chroot() {
    let host = table("22 1 8:1 / / rw - ext4 /dev/sda rw")
    let own = table("40 39 8:1 /images/a / rw - ext4 /dev/sda rw", "41 40 8:1 /srv /data rw - ext4 /dev/sda rw")
    let view = MountView(host: host, own: own, root: Array("/jail".utf8))
    #expect(place(view, "/jail/data/a", 41) == "/srv/a")
    #expect(place(view, "/jail/a", 40) == "/images/a/a")
    #expect(place(view, "/data/a", 41) == "unknown")
  }
}
