/// Why bytes of the kernel's could not be read.
public enum DecodeError: Error, Hashable, Sendable {
  /// The input ends inside a structure.
  case truncated(needed: Int, have: Int)
  /// `fanotify_event_metadata.vers` is not the version we know.
  case unsupportedVersion(UInt8)
  /// A length inside the structure contradicts its surroundings.
  case inconsistent
}

extension RawSpan {
  /// The integer at `offset` in the machine's byte order; zero past the end.
  ///
  /// Callers check lengths once per structure; the bound here makes a wrong check harmless.
  @inline(__always)
  func integer<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, at offset: Int) -> T {
    guard offset >= 0, offset &+ MemoryLayout<T>.size <= byteCount else { return 0 }
    return unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: type)
  }

  /// The bytes in `range`, cut to what there is.
  func array(_ range: Range<Int>) -> [UInt8] {
    let range = range.clamped(to: 0..<byteCount)
    return unsafe [UInt8](unsafeUninitializedCapacity: range.count) { target, count in
      for index in range {
        unsafe target.initializeElement(at: index - range.lowerBound, to: integer(UInt8.self, at: index))
      }
      count = range.count
    }
  }

  /// The offset of the first NUL in `range`, or the end of the range.
  func terminator(in range: Range<Int>) -> Int {
    for index in range where integer(UInt8.self, at: index) == 0 { return index }
    return range.upperBound
  }
}
