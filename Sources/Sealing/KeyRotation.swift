public import Certificates
public import Evidence
public import MerkleLog

/// Replaces the keys of a log: both, because they lie in one place.
///
/// | up to here | the log names | in force | beside it |
/// |---|---|---|---|
/// | the new keys are made | the old | the old | the new: thrown away at the next start |
/// | the KEY records are in the log | the new | nobody signs | the new: taken at the next start |
/// | the head with them is signed, and kept | the new | the new | the old: overwritten |
/// | the new are in the places of the old | the new | the new | nothing |
///
/// Each step is on the disk before the next begins, so that wherever it stops what is left tells how to go on. No head
/// with the KEY records is ever signed by an old key: whoever signs asks the log for its keys.
public enum KeyRotation {
  /// What came of it.
  public struct Made: Sendable {
    /// The keys in force.
    public var keys: KeyDirectory
    /// The key that signed heads until now.
    public var old: VerifierKey
    /// The index of the first of the two KEY records.
    public var record: UInt64
  }

  /// Makes new keys, has the old ones sign them in, signs the head, and destroys the old ones.
  public static func run(state: String, _ writer: StoreWriter) throws -> Made {
    try run(state: state, writer) {}
  }

  /// - Parameter reached: is called between every two steps; what it throws ends the rotation there.
  static func run(state: String, _ writer: StoreWriter, reached: () throws -> Void) throws -> Made {
    guard let chain = try KeyChain(of: writer) else { throw KeyError(description: "the log has no keys") }
    let old = try KeyDirectory(state: state, chain: chain)
    // What an earlier attempt has left is finished, or goes: keys in force may lie where the new ones are to be.
    try Sealer.sign(writer, old)
    try settle(old, state: state, writer)
    let origin = String(decoding: old.log.verifier.name, as: UTF8.self)
    try KeyDirectory.stage("log", of: origin, state: state)
    try reached()
    try KeyDirectory.stage("cert", of: origin + "/cert", state: state)
    try reached()
    let new = try KeyDirectory(stagedIn: state)
    let records = [
      try KeyRecord(role: "log", old: old.log, new: new.log),
      try KeyRecord(role: "cert", old: old.certificate, new: new.certificate),
    ]
    // Both at once: half a rotation would be none, and the log could not be signed any more.
    let first = try writer.append(records.map { try Sealer.line($0.record) })
    try reached()
    try keepPublic(new, writer)
    try reached()
    try Sealer.sign(writer, new)
    try reached()
    try settle(new, state: state, writer, reached: reached)
    return Made(keys: new, old: old.log.verifier, record: first)
  }

  /// Keeps the public keys in the store, where a reader without rights finds them.
  static func keepPublic(_ keys: KeyDirectory, _ writer: StoreWriter) throws {
    try writer.keep(publicKey: keys.log.verifier.text, role: "log")
    try writer.keep(publicKey: keys.certificate.verifier.text, role: "cert")
  }

  /// Ends a rotation that was cut short, once a head is signed that shows which keys are in force.
  public static func settle(_ keys: KeyDirectory, state: String, _ writer: StoreWriter) throws {
    try settle(keys, state: state, writer) {}
  }

  private static func settle(
    _ keys: KeyDirectory, state: String, _ writer: StoreWriter, reached: () throws -> Void
  ) throws {
    guard let chain = try KeyChain(of: writer), let last = chain.certificates.last,
      chain.key == (keys.log.verifier, keys.certificate.verifier), try writer.signedSize() > last.record
    else { return }
    for role in ["log", "cert"] { try keys.settle(role, state: state, reached: reached) }
  }
}

extension KeyDirectory {
  /// The keys of the log in a store.
  public init(state: String, of writer: StoreWriter) throws {
    try self.init(state: state, chain: KeyChain(of: writer))
  }

  /// The keys of the log in a store.
  public init(state: String, of store: StoreReader) throws { try self.init(state: state, chain: KeyChain(of: store)) }
}

extension KeyChain {
  /// The keys that the log of a store names; nil where it has not begun.
  public init?(of writer: StoreWriter) throws { try self.init(kept: writer.records(["genesis", "key"])) }

  /// The same, for whoever only reads.
  public init?(of store: StoreReader) throws { try self.init(kept: store.records(["genesis", "key"])) }

  private init?(kept: [KeptRecord]) throws {
    guard !kept.isEmpty else { return nil }
    let records = kept.compactMap { kept in LogRecord(kept.text).map { (record: $0, index: kept.index) } }
    guard records.count == kept.count, let chain = KeyChain(records) else {
      throw StoreError.damaged("the log's records of its keys do not hold")
    }
    self = chain
  }
}
