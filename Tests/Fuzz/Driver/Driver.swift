internal import FuzzTargets

// What libFuzzer calls. The program's own name says which target it drives, so that one build serves all of them.

/// The last component of the program's name.
private func ownName() -> String {
  CommandLine.arguments[0].split(separator: "/").last.map { String($0) } ?? ""
}

private let target: FuzzTarget = {
  guard let found = FuzzTarget.all.first(where: { $0.name == ownName() }) else {
    fatalError("no target is called \(ownName()); there are \(FuzzTarget.all.map(\.name))")
  }
  return found
}()

/// `LLVMFuzzerTestOneInput` (libFuzzer).
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
  do { try target.run(bytes) } catch { fatalError("\(target.name): \(error)") }
  return 0
}

@_silgen_name("LLVMFuzzerMutate")
private func mutateBytes(_ data: UnsafeMutablePointer<UInt8>?, _ count: Int, _ room: Int) -> Int

/// `LLVMFuzzerCustomMutator` (libFuzzer): a journal is changed entry by entry, for a change of any byte of its framing
/// loses all the rest; everything else as usual.
@_cdecl("LLVMFuzzerCustomMutator")
public func mutate(_ data: UnsafeMutablePointer<UInt8>?, _ count: Int, _ room: Int, _ seed: CUnsignedInt) -> Int {
  guard let data = unsafe data, ["engine", "journal"].contains(target.name), seed % 8 != 0 else {
    return unsafe mutateBytes(data, count, room)
  }
  var journal = Entries(unsafe Array(UnsafeBufferPointer(start: data, count: count)))
  var dice = Dice(state: UInt64(seed))
  for _ in 0...dice.below(4) { journal.change(&dice) }
  let changed = journal.bytes
  guard !changed.isEmpty, changed.count <= room else { return unsafe mutateBytes(data, count, room) }
  for (index, byte) in changed.enumerated() { unsafe data[index] = byte }
  return changed.count
}

/// A journal taken apart: header and payload of each entry.
private struct Entries {
  private var all: [(head: [UInt8], payload: [UInt8])] = []
  private var tail: [UInt8]

  init(_ bytes: [UInt8]) {
    var rest = bytes[...]
    while rest.count >= 16 {
      let length = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
      let room = 16 + (length + 7) & ~7
      guard room <= rest.count else { break }
      all.append((Array(rest.prefix(16).dropFirst(4)), Array(rest.dropFirst(16).prefix(length))))
      rest = rest.dropFirst(room)
    }
    tail = Array(rest)
  }

  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    for (head, payload) in all {
      for byte in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: payload.count >> (8 * byte))) }
      bytes += head
      bytes += payload
      bytes += [UInt8](repeating: 0, count: -payload.count & 7)
    }
    return bytes + tail
  }

  mutating func change(_ dice: inout Dice) {
    guard !all.isEmpty else { return }
    let index = dice.below(all.count)
    switch dice.below(8) {
    case 0: all.remove(at: index)
    case 1: all.insert(all[index], at: dice.below(all.count + 1))
    case 2: all.swapAt(index, dice.below(all.count))
    case 3, 4, 5:
      // Times, counts and numbers at the ends of what they can hold.
      guard all[index].payload.count >= 8 else { return }
      let width = [4, 8][dice.below(2)]
      let at = dice.below((all[index].payload.count - width) / 4 + 1) * 4
      let value = Self.edges[dice.below(Self.edges.count)]
      for byte in 0..<width { all[index].payload[at + byte] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(byte))) }
    default:
      var payload = all[index].payload
      let count = payload.count
      payload += [UInt8](repeating: 0, count: 16)
      let changed = unsafe payload.withUnsafeMutableBufferPointer { buffer in
        unsafe mutateBytes(buffer.baseAddress, count, count + 16)
      }
      all[index].payload = Array(payload.prefix(changed))
    }
  }

  private static let edges: [UInt64] = [
    0, 1, 2, .max, .max - 1, 1 << 63, 1 << 63 - 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 32, 1 << 22, 1000,
    .max - 1_000_000_000, 5_000_000_000,
  ]
}

/// Reproducible noise (SplitMix64), seeded by libFuzzer.
private struct Dice {
  var state: UInt64

  mutating func below(_ count: Int) -> Int {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return Int((z ^ (z >> 31)) % UInt64(count))
  }
}
