internal import Certificates
internal import Evidence
internal import MerkleLog
internal import Records

/// A glob that CONFIG records name by its hash, and that accesses are indexed under.
struct RegisteredPattern {
  /// As it was registered, and as a certificate has it.
  let source: [UInt8]
  private let pattern: PathPattern

  /// A pattern; nil for what is none.
  init?(_ source: [UInt8]) {
    guard let text = String(validating: source, as: UTF8.self), let pattern = try? PathPattern(text) else { return nil }
    self.source = source
    self.pattern = pattern
  }

  /// Those that every configuration of an epoch registers: only they were known from its beginning to its end.
  static func all(in source: EpochSource) throws -> [RegisteredPattern] {
    var ids: Set<Hash>?
    for text in source.configs {
      let own = LogRecord(text)?.patterns ?? []
      ids = ids?.intersection(own) ?? own
    }
    let known = Dictionary(source.patterns.map { (Hash(of: $0), $0) }) { first, _ in first }
    return try (ids ?? []).sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }.map { id in
      // Without it nothing would be indexed, and everything be absent.
      guard let text = known[id], let pattern = RegisteredPattern(text) else {
        throw StoreError.damaged("the text of a registered pattern is not there")
      }
      return pattern
    }
  }

  /// Whether an access is, or could be, of a path that matches.
  func mayMatch(_ access: EpochAccess) -> Bool {
    access.paths.contains(where: pattern.matches) || access.untold.contains(where: pattern.couldMatch)
  }
}

extension LogRecord {
  /// The hashes of the patterns that a CONFIG record registers.
  var patterns: Set<Hash> {
    guard kind == .config, case .words(let words)? = value("patterns") else { return [] }
    return Set(words.compactMap { Hash(base64: $0.utf8) })
  }
}
