/// A path as the kernel gave it: any bytes but NUL, never repaired, never normalised behind the caller's back.
///
/// Evidence is bytes. `String` would replace invalid UTF-8 and so make two files one.
public struct RawPath: Hashable, Sendable, Comparable {
  /// The bytes, without a trailing NUL.
  public var bytes: [UInt8]

  /// Makes a path of exactly these bytes.
  public init(_ bytes: some Sequence<UInt8>) {
    self.bytes = Array(bytes)
  }

  /// Makes a path of the text's UTF-8 bytes.
  public init(_ text: String) {
    self.bytes = Array(text.utf8)
  }

  /// Orders byte by byte, as the store does.
  public static func < (left: RawPath, right: RawPath) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }

  /// Whether the first byte is a slash.
  public var isAbsolute: Bool { bytes.first == Self.slash }

  /// What follows the last slash; the whole path when there is none.
  public var lastComponent: ArraySlice<UInt8> {
    guard let cut = bytes.lastIndex(of: Self.slash) else { return bytes[...] }
    return bytes[(cut + 1)...]
  }

  /// What precedes the last slash; `/` for an entry of the root, nil where there is no slash.
  public var parent: RawPath? {
    guard let cut = bytes.lastIndex(of: Self.slash) else { return nil }
    return cut == 0 ? (bytes.count == 1 ? nil : RawPath("/")) : RawPath(bytes[..<cut])
  }

  /// The path of an entry called `name` in this directory.
  public func appending(_ name: some Collection<UInt8>) -> RawPath {
    var joined = bytes
    joined.reserveCapacity(bytes.count + 1 + name.count)
    if joined.last != Self.slash { joined.append(Self.slash) }
    joined.append(contentsOf: name)
    return RawPath(joined)
  }

  /// The path without the ` (deleted)` that /proc appends once a file has lost the name by which it is held, as an
  /// agent's executable does when an update removes it while it runs; proc(5), `/proc/pid/fd`.
  ///
  /// A file may really be called so; the text alone cannot tell.
  public var withoutDeletedMark: RawPath {
    let mark = " (deleted)".utf8
    guard bytes.count > mark.count, bytes.suffix(mark.count).elementsEqual(mark) else { return self }
    return RawPath(bytes.dropLast(mark.count))
  }

  /// Whether this path lies beneath `directory`, or is it.
  public func isAtOrBeneath(_ directory: RawPath) -> Bool {
    if directory.bytes == [Self.slash] { return isAbsolute }
    guard bytes.starts(with: directory.bytes) else { return false }
    return bytes.count == directory.bytes.count || bytes[directory.bytes.count] == Self.slash
  }

  static let slash = UInt8(ascii: "/")
}

extension RawPath {
  /// Collapses `//`, `.` and `..` by text alone; a symbolic link on the way is not followed.
  ///
  /// For what people type, never for what the kernel said. Nil for a path that is not absolute.
  public var lexicallyNormal: RawPath? {
    guard isAbsolute, !bytes.contains(0) else { return nil }
    var kept: [ArraySlice<UInt8>] = []
    for part in bytes.split(separator: Self.slash) {
      if part.elementsEqual(".".utf8) { continue }
      if part.elementsEqual("..".utf8) {
        _ = kept.popLast()
        continue
      }
      kept.append(part)
    }
    var out: [UInt8] = []
    for part in kept {
      out.append(Self.slash)
      out.append(contentsOf: part)
    }
    return RawPath(out.isEmpty ? [Self.slash] : out)
  }
}

extension RawPath: CustomStringConvertible {
  /// The path for people: control bytes, backslashes, bidirectional overrides and invalid UTF-8 are
  /// escaped as `\xNN`, so that a hostile name can neither move a cursor nor imitate another name.
  public var description: String {
    var out = ""
    var rest = bytes[...]
    while let first = rest.first {
      var decoder = UTF8()
      var source = rest.makeIterator()
      guard case .scalarValue(let scalar) = decoder.decode(&source) else {
        out += Self.escape(first)
        rest = rest.dropFirst()
        continue
      }
      let width = UTF8.width(scalar)
      if Self.isPlain(scalar) {
        out.unicodeScalars.append(scalar)
      } else {
        for byte in rest.prefix(width) { out += Self.escape(byte) }
      }
      rest = rest.dropFirst(width)
    }
    return out
  }

  private static func escape(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16)
    return "\\x" + (digits.count == 1 ? "0" : "") + digits
  }

  private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
    if scalar == "\\" { return false }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
      return false
    case .spaceSeparator: return scalar == " "
    default: return true
    }
  }

  /// Reads back what `description` wrote: `\xNN` becomes the byte; everything else is itself.
  /// Nil where an escape is malformed.
  public init?(escaped text: String) {
    var out: [UInt8] = []
    let source = Array(text.utf8)
    var at = 0
    while at < source.count {
      guard source[at] == UInt8(ascii: "\\") else {
        out.append(source[at])
        at += 1
        continue
      }
      guard at + 3 < source.count, source[at + 1] == UInt8(ascii: "x"),
        let high = Self.digit(source[at + 2]), let low = Self.digit(source[at + 3])
      else { return nil }
      out.append(high << 4 | low)
      at += 4
    }
    self.init(out)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
