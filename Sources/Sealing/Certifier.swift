public import Certificates
public import Evidence
internal import MerkleLog
public import Records

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
    guard let (size, checkpoint) = try store.checkpoint() else {
      throw CertifierError(description: "no head is signed", hint: "`alibi status` tells why")
    }
    let epochs = try store.epochs().filter {
      $0.time.to.unsigned > request.from && $0.time.from.unsigned < request.to && $0.record < size
    }
    guard let first = epochs.first, let last = epochs.last, first.time.from.unsigned <= request.from,
      last.time.to.unsigned >= request.to
    else {
      throw CertifierError(
        description: "not all of that time is sealed", hint: "`alibi coverage` tells from when on there are records")
    }
    let materials = try epochs.map { try material($0, request, fileSystems, store, size) }
    let authority = try store.records(["genesis", "key"]).filter { record in
      record.index < size
        && (record.kind == "genesis" || LogRecord(record.text).flatMap(KeyRecord.init)?.role == "cert")
    }.map { try leaf($0, store, size) }
    let log = LogMaterial(
      checkpoint: checkpoint, authority: authority,
      configs: try store.records(["config"]).compactMap { LogRecord($0.text) }, anchors: [])
    do {
      let bundle = try CertificateBuilder.build(
        request, log: log, epochs: materials, key: keys.certificate,
        policy: VerificationPolicy(logKeys: [keys.log.verifier], now: now))
      var hasGaps = true
      if case .accept = bundle.verdict { hasGaps = false }
      return Made(
        certificate: bundle.certificate, evidence: bundle.evidence, checkpoint: checkpoint, hasGaps: hasGaps)
    } catch CertificateError.notAbsent(let epoch, let scope, _) {
      throw CertifierError(
        description: "in epoch \(epoch) it was, or may have been, accessed (scope \(scope))",
        hint: "a shorter time, or another target; an epoch stands or falls as a whole")
    } catch let error as CertificateError {
      throw CertifierError(description: "what is sealed contradicts itself: \(error)", hint: "alibi verify --full")
    }
  }

  private static func leaf(_ record: KeptRecord, _ store: StoreReader, _ size: UInt64) throws -> EvidenceFile.Leaf {
    EvidenceFile.Leaf(
      record: record.text, index: record.index, proof: try store.inclusionProof(index: record.index, size: size))
  }

  private static func material(
    _ epoch: KeptEpoch, _ request: CertificateRequest, _ fileSystems: Set<UInt64>?, _ store: StoreReader, _ size: UInt64
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
      // Read for each key, so that only one index is in memory however many epochs there are.
      guard let bytes = try store.keptEpoch(epoch.number)?.index, let index = SparseIndex(encoded: bytes) else {
        throw StoreError.damaged("the index of epoch \(epoch.number) is not what was kept")
      }
      return index.proof(of: key)
    }
  }
}
