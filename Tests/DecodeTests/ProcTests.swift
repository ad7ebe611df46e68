import Decode
import Testing

struct MountEntryTests {
  @Test("a captured table gives ids, devices and places, with octal escapes undone")
  func golden() throws {
    let table = MountEntry.table(try captured("mountinfo.txt"))
    try #require(table.count == 3)
    #expect(table.map(\.parent) == [43, table[0].id, table[0].id])
    #expect(table.map(\.device) == [39, 40, 40])
    #expect(table.allSatisfy { $0.root == Array("/".utf8) && $0.type == Array("tmpfs".utf8) })
    #expect(table[0].source == Array("cap".utf8))
    #expect(table[1].mountPoint == Array("/srv/mnt/sub".utf8))
    #expect(table[2].mountPoint == Array("/srv/mnt/od d\\na\tme\n#".utf8))
  }

  @Test("a source that is empty is empty, and not the options behind it")
  func emptySource() throws {
    let table = MountEntry.table(try captured("mountinfo.txt"))
    try #require(table.count == 3)
    #expect(table[1].source == [])
  }

  @Test(
    "optional fields, however many, are stepped over",
    arguments: ["", "shared:1 ", "shared:1 master:2 unbindable "]
  )
  func optionalFields(fields: String) throws {
    let line = "36 35 98:4294967295 /sub /mnt rw,noatime \(fields)- ext3.sub /dev/root rw,errors=continue\n"
    let entry = try #require(MountEntry.table(Array(line.utf8)).first)
    #expect(entry.id == 36 && entry.parent == 35 && entry.device == 98 << 32 | 4_294_967_295)
    #expect(entry.root == Array("/sub".utf8) && entry.mountPoint == Array("/mnt".utf8))
    #expect(entry.type == Array("ext3.sub".utf8) && entry.source == Array("/dev/root".utf8))
  }

  @Test(
    "a line of another form is left out and the others kept",
    arguments: [
      "", " ", "-", "36 35 8:1 / / rw", "36 35 8:1 / / rw ext4 /dev/x rw rw", "x 35 8:1 / / rw - ext4 d rw",
      "36 x 8:1 / / rw - ext4 d rw", "36 35 8 / / rw - ext4 d rw", "36 35 8:1:1 / / rw - ext4 d rw",
      "36 35 8:x / / rw - ext4 d rw", "36 35 -1:1 / / rw - ext4 d rw", "4294967296 35 8:1 / / rw - ext4 d rw",
      "36 35 8:1 / / rw shared:1 - ext4", "\u{0}\u{0}",
    ])
  func otherForm(line: String) {
    let good = "1 2 8:1 / / rw - ext4 /dev/x rw"
    #expect(MountEntry.table(Array("\(line)\n\(good)\n\(line)".utf8)).map(\.id) == [1])
  }

  @Test("an escape that is none is kept as it is")
  func strayBackslashes() throws {
    let line = "1 2 8:1 / /a\\04x\\9\\ rw - ext4 s\\777\\101\\ rw"
    let entry = try #require(MountEntry.table(Array(line.utf8)).first)
    #expect(entry.mountPoint == Array("/a\\04x\\9\\".utf8))
    #expect(entry.source == Array("s".utf8) + [0xff, 0x41, 0x5c])
  }

  @Test("no cut and no byte of the table makes the decoder trap")
  func hostile() throws {
    var bytes = try captured("mountinfo.txt")
    for count in 0...bytes.count { #expect(MountEntry.table(Array(bytes[..<count])).count <= 3) }
    for place in bytes.indices {
      let kept = bytes[place]
      for value in [0, 0x0a, 0x20, 0x2d, 0x3a, 0x5c, 0x80, 0xff, kept &+ 1, kept ^ 1] as [UInt8] {
        bytes[place] = value
        if MountEntry.table(bytes).count > 4 { Issue.record("byte \(place) = \(value)") }
      }
      bytes[place] = kept
    }
  }
}

struct ProcessStatTests {
  @Test("a name that imitates the fields behind it deceives nobody")
  func golden() throws {
    let stat = try #require(ProcessStat(try captured("stat.txt")))
    #expect(stat.name == Array("x) R 1 (y".utf8))
    #expect(stat.threads == 1 && stat.pid > stat.parent && stat.parent > 1 && stat.session > 1)
    #expect(stat.startTicks > 0)
  }

  @Test("each field is taken from its place in proc_pid_stat(5)")
  func fields() throws {
    let numbers = (4...52).map(String.init).joined(separator: " ")
    let stat = try #require(ProcessStat(Array("7 (a) S \(numbers)\n".utf8)))
    #expect(stat.pid == 7 && stat.parent == 4 && stat.session == 6 && stat.terminal == 7)
    #expect(stat.threads == 20 && stat.startTicks == 22)
  }

  @Test("a name of any bytes is kept: parentheses, newlines, nothing, no UTF-8")
  func names() throws {
    for name in [[], [0x29], [0x28, 0x28], [0x0a, 0x29, 0x20], [0xff, 0x00, 0x29, 0x28]] as [[UInt8]] {
      let numbers = (4...22).map(String.init).joined(separator: " ")
      let stat = ProcessStat(Array("12 (".utf8) + name + Array(") Z \(numbers)".utf8))
      #expect(stat?.name == name && stat?.pid == 12 && stat?.startTicks == 22)
    }
  }

  @Test(
    "what does not have the form is refused",
    arguments: [
      "", "()", "1", "1 (a", "(a) S 1", ") 1 (", "1 (a)", "x (a) S 1 2 3", "1 (a) S 1 2 3", "()()", " (a) S",
    ])
  func otherForm(text: String) {
    #expect(ProcessStat(Array(text.utf8)) == nil)
  }

  @Test("no cut and no byte of the file makes the decoder trap, and a cut one never loses its name")
  func hostile() throws {
    var bytes = try captured("stat.txt")
    let whole = try #require(ProcessStat(bytes))
    for count in 0...bytes.count {
      guard let stat = ProcessStat(Array(bytes[..<count])) else { continue }
      #expect(stat.name == whole.name && stat.pid == whole.pid)
    }
    for place in bytes.indices {
      let kept = bytes[place]
      for value in UInt8.min ... .max {
        bytes[place] = value
        _ = ProcessStat(bytes)
      }
      bytes[place] = kept
    }
  }
}
