public import MerkleLog

/// A leaf of the log: a small text that an auditor can open, without personal data.
///
/// ```
/// alibi.v1/<type>\n
/// <key> <value>\n            every key of the type, once, in the type's order
/// ```
///
/// | form     | value                                                                     |
/// |----------|---------------------------------------------------------------------------|
/// | number   | decimal, below 9·10^18, no leading zero; times are nanoseconds since 1970 UTC |
/// | word     | one or more bytes of 0x21…0x7E                                             |
/// | words    | words with one space between, or `-` for none                              |
/// | line     | printable ASCII, with no space at either end                               |
/// | hash     | base64 of 32 bytes                                                         |
/// | anyHash  | the same, or `none`                                                        |
/// | bytes    | base64 of one byte or more                                                 |
///
/// At most 65,535 bytes, which is what a bundle of entries can hold. Leaf data is exactly these bytes.
public struct LogRecord: Sendable, Hashable {
  /// What the record tells.
  public enum Kind: String, Sendable, CaseIterable {
    /// The log's beginning: leaf 0.
    case genesis
    /// What is watched, by which rules and program.
    case config
    /// The service has started.
    case run
    /// What was captured since the seal before.
    case seal
    /// A stretch of seals with its index of absence.
    case epoch
    /// Time that nobody vouches for.
    case gap
    /// Somebody outside has seen a head.
    case anchor
    /// Values were erased.
    case erasure
    /// Epochs were deleted when their time was over.
    case prune
    /// The values of epochs have been put into a file of their own.
    case segment
    /// A key was replaced by another.
    case key
    /// A certificate was issued.
    case cert
    /// A person signed off.
    case review
    /// Something happened that a person must look at.
    case incident
  }

  /// How a value is written.
  public enum Form: Sendable {
    case number, word, words, line, hash, anyHash, bytes
  }

  /// A value.
  public enum Value: Sendable, Hashable {
    /// A decimal number.
    case number(UInt64)
    /// ASCII without spaces.
    case word(String)
    /// Several of them, or none.
    case words([String])
    /// ASCII.
    case line(String)
    /// 32 bytes.
    case hash(Hash)
    /// 32 bytes, or nothing.
    case anyHash(Hash?)
    /// Bytes.
    case bytes([UInt8])
  }

  /// What the record tells.
  public let kind: Kind
  /// The values, in the order of `Kind.fields`.
  public let values: [Value]

  static let mostBytes = 65_535

  /// A record of these values; nil where one is not of its field's form.
  public init?(_ kind: Kind, _ values: [Value]) {
    guard values.count == kind.fields.count,
      zip(kind.fields, values).allSatisfy({ Self.text(of: $1, as: $0.form) != nil })
    else { return nil }
    self.kind = kind
    self.values = values
    guard text.count <= Self.mostBytes else { return nil }
  }

  /// Reads a record; nil for anything but what `text` would write.
  public init?(_ text: [UInt8]) {
    let newline = UInt8(ascii: "\n")
    guard text.count <= Self.mostBytes, text.last == newline,
      text.allSatisfy({ $0 == newline || (0x20...0x7E).contains($0) })
    else { return nil }
    let lines = text.dropLast().split(separator: newline, omittingEmptySubsequences: false)
    guard let head = lines.first, let kind = Kind.allCases.first(where: { head.elementsEqual($0.head.utf8) }),
      lines.count == kind.fields.count + 1
    else { return nil }
    var values: [Value] = []
    for (line, field) in zip(lines.dropFirst(), kind.fields) {
      guard line.starts(with: Array((field.key + " ").utf8)),
        let value = Self.value(of: line.dropFirst(field.key.utf8.count + 1), as: field.form)
      else { return nil }
      values.append(value)
    }
    self.init(kind, values)
  }

  /// The leaf data.
  public var text: [UInt8] {
    var out = Array((kind.head + "\n").utf8)
    for (field, value) in zip(kind.fields, values) {
      out += Array("\(field.key) \(Self.text(of: value, as: field.form) ?? "")\n".utf8)
    }
    return out
  }

  /// The leaf hash.
  public var leaf: Hash { .leaf(text) }

  private static func isWord(_ word: some StringProtocol) -> Bool {
    !word.isEmpty && word.utf8.allSatisfy { (0x21...0x7E).contains($0) }
  }

  private static func text(of value: Value, as form: Form) -> String? {
    switch (form, value) {
    case (.number, .number(let number)): return number < Decimal.limit ? String(number) : nil
    case (.word, .word(let word)): return isWord(word) ? word : nil
    case (.words, .words(let words)):
      guard words.allSatisfy({ isWord($0) && $0 != "-" }) else { return nil }
      return words.isEmpty ? "-" : words.joined(separator: " ")
    case (.line, .line(let line)):
      let isPlain = line.utf8.allSatisfy { (0x20...0x7E).contains($0) }
      return isPlain && line.first != nil && line.first != " " && line.last != " " ? line : nil
    case (.hash, .hash(let hash)): return hash.base64
    case (.anyHash, .anyHash(let hash)): return hash?.base64 ?? "none"
    case (.bytes, .bytes(let bytes)): return bytes.isEmpty ? nil : Base64.encode(bytes)
    default: return nil
    }
  }

  private static func value(of text: ArraySlice<UInt8>, as form: Form) -> Value? {
    let string = String(decoding: text, as: UTF8.self)
    switch form {
    case .number: return Decimal.parse(text).map(Value.number)
    case .word: return .word(string)
    case .words:
      let words = string.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
      return .words(words == ["-"] ? [] : words)
    case .line: return .line(string)
    case .hash: return Hash(base64: text).map(Value.hash)
    case .anyHash:
      if string == "none" { return .anyHash(nil) }
      return Hash(base64: text).map(Value.anyHash)
    case .bytes: return Base64.decode(text).map(Value.bytes)
    }
  }
}

extension LogRecord.Kind {
  /// The first line.
  var head: String { "alibi.v1/\(rawValue)" }

  /// The keys of the type in their order, and the forms of their values.
  public var fields: [(key: String, form: LogRecord.Form)] {
    switch self {
    case .genesis: [("origin", .word), ("log_key", .word), ("cert_key", .word)]
    case .config:
      [
        ("rules", .hash), ("classes", .hash), ("file_systems", .words), ("retention", .number), ("program", .word),
        ("binary", .hash), ("kernel", .word), ("lockdown", .word), ("patterns", .words),
      ]
    case .run:
      [
        ("boot", .word), ("run", .number), ("reason", .line), ("last", .number), ("wall", .number),
        ("mono", .number),
      ]
    case .seal:
      [
        ("seq", .number), ("run", .number), ("from", .number), ("to", .number), ("mono", .number),
        ("entries", .number), ("events", .number), ("lost", .number), ("state", .word), ("canary", .number),
        ("root", .hash),
      ]
    case .epoch:
      [
        ("number", .number), ("version", .number), ("from", .number), ("to", .number), ("first_seal", .number),
        ("last_seal", .number), ("entries", .number), ("events", .number), ("lost", .number), ("covered", .number),
        ("degraded", .number), ("gaps", .number), ("gap_root", .hash), ("configs", .words),
        ("file_systems", .words), ("hazards", .words), ("sessions", .number), ("begun", .number),
        ("sessions_root", .hash), ("names_state", .word), ("names", .number), ("names_root", .hash),
        ("salt_commit", .hash), ("index_root", .hash), ("anchor", .anyHash),
      ]
    case .gap: [("from", .number), ("to", .number), ("source", .word), ("reason", .line)]
    case .anchor: [("kind", .word), ("size", .number), ("time", .number), ("token", .hash)]
    case .erasure:
      [
        ("count", .number), ("kinds", .words), ("first", .number), ("last", .number), ("basis", .word),
        ("root", .hash),
      ]
    case .prune: [("first", .number), ("last", .number), ("time", .number)]
    case .segment:
      [("period", .word), ("first", .number), ("last", .number), ("size", .number), ("hash", .hash)]
    case .key:
      [
        ("role", .word), ("old", .word), ("new", .word), ("old_signature", .bytes), ("new_signature", .bytes),
      ]
    case .cert: [("certificate", .hash), ("evidence", .hash)]
    case .review: [("certificate", .hash), ("time", .number), ("by", .word), ("signature", .bytes)]
    case .incident: [("time", .number), ("kind", .word), ("count", .number)]
    }
  }
}
