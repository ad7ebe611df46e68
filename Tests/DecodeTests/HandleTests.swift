import Decode
import Testing

struct HandleTests {
  private func decode(_ type: Int32, _ bytes: [UInt8]) -> DecodedHandle? {
    unsafe DecodedHandle(type: type, in: bytes.span.bytes, at: 0, count: bytes.count)
  }

  // Each beside what stat(2) said of the file.
  @Test(
    "captured handles give the inode that stat gives",
    arguments: [
      ("ext4", 1, [0xb8, 0xe4, 0xf7, 0x00, 0xa6, 0x78, 0xac, 0xb0], 16_245_944),
      ("tmpfs", 1, [0xae, 0xb9, 0x44, 0xd8, 0x01, 0, 0, 0, 0, 0, 0, 0], 1),
      ("cgroup2, its top", 0xfe, [0x01, 0, 0, 0, 0, 0, 0, 0], 1),
      ("cgroup2, a directory", 0xfe, [0x19, 0, 0, 0, 0, 0, 0, 0], 25),
    ] as [(String, Int32, [UInt8], UInt64)])
  func inode(fileSystem: String, type: Int32, bytes: [UInt8], inode: UInt64) {
    #expect(decode(type, bytes)?.inode == inode)
    #expect(decode(type, bytes)?.subvolume == 0)
  }

  @Test("generations are told apart from inodes in both encodings of type 1")
  func generations() {
    #expect(decode(1, [0xb8, 0xe4, 0xf7, 0x00, 0xa6, 0x78, 0xac, 0xb0])?.generation == 0xb0ac_78a6)
    let high = decode(1, [0xae, 0xb9, 0x44, 0xd8, 0x01, 0, 0, 0, 0x02, 0, 0, 0])
    #expect(high?.generation == 0xd844_b9ae && high?.inode == 0x2_0000_0001)
  }

  @Test("xfs and btrfs handles are read as linux/exportfs.h and fs/btrfs/export.h lay them out")
  func layouts() {
    var xfs = [UInt8](repeating: 0, count: 12)
    xfs.store(UInt64(0x1_2345_6789), at: 0)
    xfs.store(UInt32(77), at: 8)
    #expect(decode(0x81, xfs)?.inode == 0x1_2345_6789)
    #expect(decode(0x81, xfs)?.generation == 77)
    var btrfs = [UInt8](repeating: 0, count: 20)
    btrfs.store(UInt64(257), at: 0)
    btrfs.store(UInt64(256), at: 8)
    btrfs.store(UInt32(9), at: 16)
    #expect(decode(0x4d, btrfs)?.inode == 257)
    #expect(decode(0x4d, btrfs)?.subvolume == 256)
    #expect(decode(0x4d, btrfs)?.generation == 9)
  }

  @Test("an encoding that is not known gives nothing rather than something")
  func unknown() {
    let known: [Int32: Set<Int>] = [1: [8, 12], 0x81: [12], 0x4d: [20], 0xfe: [8]]
    for type in -1...0x100 as ClosedRange<Int32> {
      for count in 0...128 {
        let isKnown = known[type]?.contains(count) ?? false
        if (decode(type, [UInt8](repeating: 0xff, count: count)) != nil) != isKnown {
          Issue.record("type \(type), \(count) bytes")
        }
      }
    }
  }

  @Test("a view that lies about its place reads nothing past the buffer")
  func lyingView() {
    let bytes = [UInt8](repeating: 0xff, count: 10)
    for (offset, count) in [(8, 8), (10, 8), (1000, 12), (.max - 64, 20), (0, 128)] {
      let view = HandleView(fileSystem: 0, type: 1, offset: offset, count: count)
      #expect(unsafe view.bytes(in: bytes.span.bytes).count <= 10)
      #expect(unsafe view.decoded(in: bytes.span.bytes).map { $0.inode <= 0xffff_ffff } ?? true)
    }
  }
}
