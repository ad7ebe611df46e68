public import Certificates
public import Evidence
internal import MerkleLog
public import Records
internal import Synchronization

/// Why what is sealed makes no certificate.
public struct CertifierError: Error, Sendable, CustomStringConvertible {
  /// One line for people.
  public var description: String
  /// What to do about it.
  public var hint: String
}

/// Builds certificates from what a store holds of sealed epochs.
public enum Certifier {
  /// A certificate with what it rests on.
  public struct Made: Sendable {
    /// The signed note.
    public var certificate: [UInt8]
    /// The evidence file.
    public var evidence: [UInt8]
    /// The final signed head.
    public var checkpoint: [UInt8]
    /// Whether a verifier will say ACCEPT WITH GAPS.
    public var hasGaps: Bool
  }

  /// The target that a file's identity is; nil where its generation is not told.
  public static func target(_ identity: FileIdentity) -> Target? { Target(.inode, identity.encoded) }

  /// Builds a certificate, and verifies it.
  ///
  /// - Parameter fileSystems: those on which the target lies; nil where that cannot be told, and then there is none.
  public static func certify(
    _ request: CertificateRequest, fileSystems: Set<UInt64>?, store: StoreReader, keys: KeyDirectory, now: UInt64
  ) throws -> Made {
    guard let (signed, _) = try store.checkpoint() else {
      throw CertifierError(description: "no head is signed", hint: "`alibi status` tells why")
    }
    let epochs = try store.epochs().filter {
      $0.time.to.unsigned > request.from && $0.time.from.unsigned < request.to && $0.record < signed
    }
    guard let first = epochs.first, let last = epochs.last, first.time.from.unsigned <= request.from,
      last.time.to.unsigned >= request.to
    else {
      throw CertifierError(
        description: "not all of that time is sealed", hint: "`alibi coverage` tells from when on there are records")
    }
    let keysRecords = try store.records(["genesis", "key"]).filter { $0.index < signed }
    let head = try AnchorChoice(
      store, records: epochs.map(\.record), least: max(last.record, keysRecords.last?.index ?? 0) + 1, now: now)
    let indices = Indices(store)
    let materials = try epochs.map { try material($0, request, fileSystems, store, head.size, indices) }
    let configs = try store.records(["config"]).compactMap { LogRecord($0.text) }
    try check(request.target, epochs, configs, store)
    let log = LogMaterial(
      checkpoint: head.checkpoint, authority: try keysRecords.map { try leaf($0, store, head.size) },
      configs: configs, anchors: head.anchors)
    do {
      let bundle = try CertificateBuilder.build(
        request, log: log, epochs: materials, key: keys.certificate,
        policy: VerificationPolicy(logKeys: [keys.log.verifier], now: now))
      var hasGaps = true
      if case .accept = bundle.verdict { hasGaps = false }
      return Made(
        certificate: bundle.certificate, evidence: bundle.evidence, checkpoint: head.checkpoint, hasGaps: hasGaps)
    } catch CertificateError.notAbsent(let epoch, let scope, _) {
      throw CertifierError(
        description: "in epoch \(epoch) it was, or may have been, accessed (scope \(scope))",
        hint: "a shorter time, or another target; an epoch stands or falls as a whole")
    } catch let error as CertificateError {
      throw CertifierError(description: "what is sealed contradicts itself: \(error)", hint: "alibi verify --full")
    }
  }

  /// A pattern must have been registered from the beginning of each epoch to its end: else nothing was indexed under it.
  private static func check(
    _ target: Target, _ epochs: [KeptEpoch], _ configs: [LogRecord], _ store: StoreReader
  ) throws {
    guard target.kind == .glob else { return }
    let id = Hash(of: target.data)
    let registering = Set(configs.filter { $0.patterns.contains(id) }.map(\.leaf.base64))
    for epoch in epochs {
      let record = try store.record(epoch.record).flatMap { LogRecord($0.text) }.flatMap(EpochRecord.init)
      guard let record, !record.configs.isEmpty, record.configs.allSatisfy(registering.contains) else {
        throw CertifierError(
          description: "the pattern was not registered throughout epoch \(epoch.number), which ends \(epoch.time.to)",
          hint: registering.isEmpty
            ? "write it under `patterns` in the service's configuration and restart it; it counts from the next epoch on"
            : "ask about a later time: it counts from the first epoch that begins after it was registered")
      }
    }
  }

  private static func leaf(_ record: KeptRecord, _ store: StoreReader, _ size: UInt64) throws -> EvidenceFile.Leaf {
    EvidenceFile.Leaf(
      record: record.text, index: record.index, proof: try store.inclusionProof(index: record.index, size: size))
  }

  private static func material(
    _ epoch: KeptEpoch, _ request: CertificateRequest, _ fileSystems: Set<UInt64>?, _ store: StoreReader,
    _ size: UInt64, _ indices: Indices
  ) throws -> EpochMaterial {
    guard let kept = try store.record(epoch.record), let record = LogRecord(kept.text).flatMap(EpochRecord.init) else {
      throw StoreError.damaged("the record of epoch \(epoch.number) is not there")
    }
    guard let salt = epoch.salt else {
      throw CertifierError(
        description: "epoch \(epoch.number) has been erased", hint: "what is erased can never be proven again")
    }
    // A path on a file system that nobody watched is absent from everything.
    guard let fileSystems, fileSystems.allSatisfy({ record.fileSystems.contains(Sealer.name(ofFileSystem: $0)) }) else {
      throw CertifierError(
        description:
          "the target lies, or reaches, on a file system that was not watched throughout epoch \(epoch.number)",
        hint: "`alibi coverage` lists what is watched and since when")
    }
    var place: EvidenceFile.SessionPlace?
    if case .session(let key) = request.scope, let at = epoch.sessions.firstIndex(of: key) {
      var log = try Log(MemoryHashStore())
      for session in epoch.sessions { try log.append(record: Array(session.utf8)) }
      place = EvidenceFile.SessionPlace(
        index: UInt64(at), proof: try log.inclusionProof(index: UInt64(at), size: log.size))
    }
    return EpochMaterial(
      leaf: try leaf(kept, store, size), salt: salt,
      gaps: epoch.gaps.compactMap { LogRecord($0).flatMap(GapRecord.init) }, session: place, names: nil
    ) { key in
      try indices.index(of: epoch.number).proof(of: key)
    }
  }
}

/// The index of one epoch at a time, however many epochs there are.
private final class Indices: Sendable {
  private let store: StoreReader
  private let last = Mutex<(number: UInt64, index: SparseIndex)?>(nil)

  init(_ store: StoreReader) { self.store = store }

  func index(of epoch: UInt64) throws -> SparseIndex {
    if let last = last.withLock({ $0 }), last.number == epoch { return last.index }
    guard let kept = try store.keptEpoch(epoch), let bytes = kept.index, let hiding = kept.hiding,
      let index = SparseIndex(encoded: bytes, hiding: hiding)
    else { throw StoreError.damaged("the index of epoch \(epoch) is not what was kept") }
    last.withLock { $0 = (epoch, index) }
    return index
  }
}
