public import MerkleLog

/// The keys of a log: those that GENESIS names, and those that took their places.
///
/// Both are replaced at once, by a KEY record of role `log` and one of role `cert` directly behind it: they lie beside
/// each other, so whoever could take one could take the other; and as a head by the new log key cannot be shown without
/// its record, a certificate under that head cannot leave out that its own key was replaced, too.
public struct KeyChain: Sendable, Hashable {
  /// A key, and the record that put it in force.
  public struct Link: Sendable, Hashable {
    /// The key that signs the heads with this record, as far as the next one's.
    public var key: VerifierKey
    /// The index of GENESIS or of the KEY record.
    public var record: UInt64
  }

  /// The keys that sign heads, one after the other.
  public private(set) var log: [Link]
  /// The keys that sign certificates, of the same number.
  public private(set) var certificates: [Link]

  /// The chain that a log's first record begins; nil where its keys are not of the log's name.
  public init?(_ genesis: GenesisRecord) {
    let origin = Array(genesis.origin.utf8)
    guard genesis.logKey.kind == .note, genesis.logKey.name == origin, genesis.certificateKey.kind == .note,
      genesis.certificateKey.name == origin + Array("/cert".utf8)
    else { return nil }
    log = [Link(key: genesis.logKey, record: 0)]
    certificates = [Link(key: genesis.certificateKey, record: 0)]
  }

  /// The chain of GENESIS and KEY records with their indexes, in their order; nil where one does not hold.
  public init?(_ records: some Sequence<(record: LogRecord, index: UInt64)>) {
    var records = Array(records)[...]
    guard let first = records.popFirst(), first.index == 0, let genesis = GenesisRecord(first.record),
      var chain = KeyChain(genesis)
    else { return nil }
    while let log = records.popFirst() {
      guard let certificate = records.popFirst(), let one = KeyRecord(log.record),
        let other = KeyRecord(certificate.record), certificate.index == log.index + 1,
        chain.follow(one, other, at: log.index)
      else { return nil }
    }
    self = chain
  }

  private mutating func follow(_ log: KeyRecord, _ certificate: KeyRecord, at index: UInt64) -> Bool {
    guard log.role == "log", certificate.role == "cert", log.old == key.log, certificate.old == key.certificate,
      log.new.name == log.old.name, certificate.new.name == certificate.old.name,
      index > certificates[certificates.count - 1].record
    else { return false }
    self.log.append(Link(key: log.new, record: index))
    certificates.append(Link(key: certificate.new, record: index + 1))
    return true
  }

  /// The keys in force.
  public var key: (log: VerifierKey, certificate: VerifierKey) {
    (log[log.count - 1].key, certificates[certificates.count - 1].key)
  }

  /// The key that signs a head of this size: that of the last record in it; nil where there is none in it.
  public func key(atSize size: UInt64) -> VerifierKey? { log.last { $0.record < size }?.key }

  /// Whether somebody who believes one of these keys can believe the one in force: it is the same, or was signed in by
  /// it or by one that was.
  public func isReached(from pinned: some Sequence<VerifierKey>) -> Bool {
    pinned.contains { key in log.contains { $0.key == key } }
  }
}
