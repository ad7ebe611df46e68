import Decode
import Testing

struct CapabilityTests {
  /// CAP_NET_RAW, CAP_SYS_PTRACE, CAP_BPF
  private static let raw: UInt32 = 1 << 13, trace: UInt32 = 1 << 19, bpf: UInt32 = 1 << 7

  /// `struct vfs_cap_data` of these 32-bit words.
  private func attribute(_ words: UInt32...) -> [UInt8] {
    words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
  }

  @Test("what setcap writes is read in each of its forms, also above the first 32 capabilities")
  func forms() throws {
    // setcap cap_net_raw=ep
    let ping = try #require(FileCapabilities(attribute(0x0200_0001, Self.raw, 0, 0, 0)))
    #expect(ping.permitted.rawValue == 1 << 13 && ping.inheritable.isEmpty && !ping.countAsRoot)
    let first = try #require(FileCapabilities(attribute(0x0100_0000, Self.trace, Self.raw)))
    #expect(first.permitted.rawValue == 1 << 19 && first.inheritable.rawValue == 1 << 13 && first.countAsRoot)
    let high = try #require(FileCapabilities(attribute(0x0200_0001, 0, 0, Self.bpf, 0)))
    #expect(high.permitted.rawValue == 1 << 39 && high.countAsRoot)
    let inherited = try #require(FileCapabilities(attribute(0x0200_0000, 0, Self.trace, 0, 0)))
    #expect(inherited.countAsRoot, "who has it as inheritable gets it")
  }

  @Test("what is given in somebody's own user namespaces does not count on the host")
  func namespaced() throws {
    let words: (UInt32) -> [UInt8] = { attribute(0x0300_0001, Self.trace, 0, 0, 0, $0) }
    #expect(try #require(FileCapabilities(words(0))).countAsRoot)
    let own = try #require(FileCapabilities(words(100_000)))
    #expect(own.root == 100_000 && !own.countAsRoot)
  }

  @Test("a value cut at any byte, or of another form, is none", arguments: 0..<24)
  func cut(count: Int) {
    let whole = attribute(0x0300_0001, Self.trace, 0, 0, 0, 0)
    #expect(FileCapabilities(Array(whole.prefix(count))) == nil)
    #expect(FileCapabilities(attribute(0x0400_0001, Self.trace, 0, 0, 0)) == nil)
    #expect(FileCapabilities(whole + [0]) == nil)
  }

  @Test("all count but a few, also those that no kernel has yet")
  func counting() {
    let harmless = (0..<64).filter { !Capabilities(rawValue: 1 << UInt64($0)).countAsRoot }
    #expect(harmless == [10, 11, 13, 14, 23, 35, 36])
    #expect(!Capabilities().countAsRoot)
  }
}
