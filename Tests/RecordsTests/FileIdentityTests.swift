import Records
import Testing

struct FileIdentityTests {
  @Test("an identity is printed as commands take it")
  func printing() {
    #expect(FileIdentity(fileSystem: 0xff, inode: 12, generation: 3).description == "inode:ff:12:3")
    #expect(FileIdentity(fileSystem: 0, inode: 0, generation: 0, subvolume: 5).description == "inode:0:0:0:5")
  }

  @Test("any identity is read back as itself", arguments: 0..<100)
  func roundTrip(seed: Int) {
    var random = Random(seed: seed)
    for subvolume in [0, 256, UInt64.max] {
      let identity = FileIdentity(
        fileSystem: random.next() >> UInt64(seed % 64), inode: random.next() >> UInt64(seed % 63),
        generation: UInt32(truncatingIfNeeded: random.next()), subvolume: subvolume)
      #expect(FileIdentity(identity.description) == identity)
    }
    let largest = FileIdentity(fileSystem: .max, inode: .max, generation: .max, subvolume: .max)
    #expect(FileIdentity(largest.description) == largest)
  }

  @Test(
    "anything else is refused",
    arguments: [
      "", "inode", "inode:", "inode:1:2", "inode:1:2:3:4:5", "inode:1:2:3:", "inode::2:3", "inode:g:2:3",
      "inode:1:2:4294967296", "inode:1:18446744073709551616:3", "inode:10000000000000000:2:3", "inode:1:-2:3",
      "Inode:1:2:3", "file:1:2:3", " inode:1:2:3", "inode:1:2:3 ", "inode:0x1:2:3", "inode:1:a:3", "1:2:3",
    ])
  func refused(text: String) {
    #expect(FileIdentity(text) == nil)
  }

  @Test("the parts that differ make different files")
  func parts() {
    let one = FileIdentity(fileSystem: 1, inode: 2, generation: 3)
    #expect(one != FileIdentity(fileSystem: 2, inode: 2, generation: 3))
    #expect(one != FileIdentity(fileSystem: 1, inode: 3, generation: 3))
    #expect(one != FileIdentity(fileSystem: 1, inode: 2, generation: 4))
    #expect(one != FileIdentity(fileSystem: 1, inode: 2, generation: 3, subvolume: 1))
  }
}
