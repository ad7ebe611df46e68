/// Something that takes bytes from outside, and what must hold whatever they are.
///
/// The same functions are driven by a coverage-guided fuzzer (`Tests/Fuzz/run`) and, with the inputs that once broke
/// them, by ordinary tests.
public struct FuzzTarget: Sendable {
  /// The name on the fuzzer's command line, and of the directory of regressions.
  public let name: String
  /// Takes one input. It traps, or throws `Broken`, if something is wrong with what it drives.
  public let run: @Sendable ([UInt8]) throws -> Void

  /// Every target.
  public static let all = decoders + journal + lineage + rules + records + certificates + anchoring
}

/// A promise that an input broke.
public struct Broken: Error, CustomStringConvertible {
  /// Which one.
  public let description: String
}

func promise(_ holds: Bool, _ what: @autoclosure () -> String) throws {
  if !holds { throw Broken(description: what()) }
}

/// Takes numbers off the front of an input, zeros once it is used up.
struct Numbers {
  private(set) var rest: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) { rest = bytes[...] }

  mutating func next<T: FixedWidthInteger>(_ type: T.Type = T.self) -> T {
    var value: T = 0
    for _ in 0..<(T.bitWidth / 8) { value = value << 8 | T(truncatingIfNeeded: rest.popFirst() ?? 0) }
    return value
  }
}
