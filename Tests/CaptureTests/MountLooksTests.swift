import Journal
import Testing

@testable import Capture

struct MountLooksTests {
  private static let host = Array("mnt:[1]".utf8)
  private static let other = Array("mnt:[2]".utf8)
  private static let root = "22 1 8:1 / / rw - ext4 /dev/sda rw\n"
  private static let bind = "90 22 8:1 /data /mnt rw - ext4 /dev/sda rw\n"

  private var looks = MountLooks(capacity: 64 << 20)

  private mutating func host(_ text: String, _ now: UInt64, attached: Int? = 0) -> [MountTableEntry] {
    looks.look(Self.host, isHost: true, text: Array(text.utf8), since: now - 1, now: now)
    looks.settle(attached: attached, since: now - 1, now: now)
    return looks.take()
  }

  @Test("a table is told when it is first seen and whenever it is another, and no more")
  mutating func changes() {
    let first = host(Self.root, 10)
    #expect(first.map(\.state) == [.known] && first[0].isFirst && first[0].isHost)
    #expect(host(Self.root, 20) == [])
    let second = host(Self.root + Self.bind, 30, attached: 1)
    #expect(second.map(\.since) == [29] && second.map(\.seen) == [30] && !second[0].isFirst)
    #expect(host(Self.root, 40).map(\.state) == [.known])
  }

  @Test("a mount that was told of and is in no table makes the time since it was quiet unknown, and no more than that")
  mutating func unseen() {
    _ = host(Self.root, 10)
    let told = host(Self.root, 20, attached: 1)
    #expect(told.map(\.state) == [.unknown, .known])
    #expect(told.map(\.since) == [19, 20])
    #expect(told[1].table == Array(Self.root.utf8))
    #expect(host(Self.root, 30) == [])
    #expect(host(Self.root, 40, attached: nil).map(\.state) == [.unknown, .known], "the kernel lost events")
  }

  @Test("a mount that is seen before it is told of is not missed later")
  mutating func early() {
    _ = host(Self.root, 10)
    #expect(host(Self.root + Self.bind, 20, attached: 0).count == 1)
    #expect(host(Self.root + Self.bind, 30, attached: 1) == [])
    #expect(host(Self.root + Self.bind, 40, attached: 1).count == 2, "but only once")
  }

  @Test("another namespace's mounts count among those that were told of")
  mutating func namespaces() {
    _ = host(Self.root, 10)
    looks.look(Self.other, text: Array(Self.root.utf8), since: 5, now: 11)
    #expect(looks.take().map(\.isHost) == [false])
    looks.look(Self.other, text: Array((Self.root + Self.bind).utf8), since: 12, now: 20)
    let told = host(Self.root, 21, attached: 1)
    #expect(told.map(\.namespace) == [Self.other])
    looks.forget(Self.other, now: 30)
    looks.forget(Self.other, now: 31)
    #expect(looks.take().map(\.state) == [.gone])
  }

  @Test("a table that is too large is unknown, once, and known again when it is not")
  mutating func large() {
    _ = host(Self.root, 10)
    let large = String(repeating: Self.bind, count: 40_000)
    #expect(host(large, 20, attached: 1).map(\.state) == [.unknown])
    #expect(host(large + Self.bind, 30) == [])
    #expect(host(Self.root, 40).map(\.state) == [.known])
  }

  @Test("whoever changes mounts without end is told as unknown, until there is room again")
  mutating func budget() {
    var known = 0, unknown = 0
    let filling = String(repeating: Self.bind, count: 15_000)
    for round in 0..<40 as Range<UInt64> {
      for entry in host(filling + "\(round)\n", 10 + round) {
        if entry.state == .known { known += 1 } else { unknown += 1 }
      }
    }
    #expect(known > 4 && known < 20)
    #expect(unknown == 1)
    #expect(host(Self.root, 20_000_000_000).map(\.state) == [.known])
  }

  @Test("a remounted file system is another table, and no new mount")
  mutating func remounted() {
    _ = host(Self.root + Self.bind, 10)
    #expect(host(Self.root + Self.bind.replacing(" rw ", with: " ro "), 20).count == 1)
    #expect(host(Self.root + Self.bind.replacing(" rw ", with: " ro "), 30, attached: 1).count == 2)
  }
}
