internal import Decode
internal import Foundation
internal import Testing

/// What a kernel 6.18 wrote on x86_64, byte for byte, cut to the events of the programs that made it.
///
/// `fanotify-*`: a group with flags 0x1e00 (DFID_NAME, FID, TARGET_FID), read after each step of one process.
/// `perf-*` and `connector`: CPU 0 during one and the same run. `mountinfo`, `stat`: lines of /proc.
func captured(_ name: String) throws -> [UInt8] {
  let here = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
    separator: "/")
  return Array(try #require(FileManager.default.contents(atPath: "\(here)/Fixtures/\(name)")))
}

typealias Step<Item> = (RawSpan, inout Int) throws(DecodeError) -> Item?

/// What a decoder makes of a buffer until it ends or the decoder throws.
struct Walk<Item: Equatable> {
  var items: [Item] = []
  /// Where each item ended.
  var cuts: [Int] = []
  var error: DecodeError?
  /// Whether the offset moved forward, stayed within the buffer, and stood still where the decoder threw.
  var isSound = true

  init(_ bytes: [UInt8], from start: Int = 0, atMost: Int = .max, _ next: Step<Item>) {
    var offset = start
    while items.count < atMost {
      let before = offset
      do throws(DecodeError) {
        guard let item = try unsafe next(bytes.span.bytes, &offset) else {
          isSound = isSound && offset == before && offset == bytes.count
          return
        }
        items.append(item)
        cuts.append(offset)
      } catch {
        isSound = isSound && offset == before
        self.error = error
        return
      }
      guard offset > before, offset <= bytes.count else {
        isSound = false
        return
      }
    }
  }
}

/// Every prefix of a captured buffer holds the records that are whole; a cut one is reported as truncated.
func expectEveryPrefixReported<Item: Equatable>(_ bytes: [UInt8], _ next: Step<Item>) {
  let whole = Walk(bytes, next)
  #expect(whole.error == nil && whole.isSound && whole.cuts.last == bytes.count)
  for count in 0...bytes.count {
    let walk = Walk(Array(bytes[..<count]), next)
    let complete = whole.cuts.prefix { $0 <= count }
    let isTruncated = if case .truncated = walk.error { true } else { false }
    let clean = count == complete.last ?? 0
    if walk.items != Array(whole.items.prefix(complete.count)) || !walk.isSound || isTruncated == clean {
      Issue.record("a prefix of \(count) bytes: \(walk)")
      return
    }
  }
}

/// No value of any single byte makes the decoder trap, stand still or leave the buffer.
func expectNoCorruptionTraps<Item: Equatable>(_ original: [UInt8], _ next: Step<Item>) {
  let cuts = [0] + Walk(original, next).cuts
  var bytes = original
  for (start, end) in zip(cuts, cuts.dropFirst()) {
    for place in start..<end {
      for value in UInt8.min ... .max where value != original[place] {
        bytes[place] = value
        // Two records: the corrupt one, and what its length makes the next.
        let walk = Walk(bytes, from: start, atMost: 2, next)
        if !walk.isSound {
          Issue.record("byte \(place) = \(value): \(walk)")
          return
        }
      }
      bytes[place] = original[place]
    }
  }
}

extension [UInt8] {
  mutating func store(_ value: some FixedWidthInteger, at offset: Int) {
    for index in 0..<(value.bitWidth / 8) {
      self[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index))
    }
  }
}
