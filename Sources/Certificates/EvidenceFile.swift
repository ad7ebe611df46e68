public import MerkleLog

/// What a certificate rests on, in a file of its own (the catalog's *Format* page has its layout byte by byte).
public struct EvidenceFile: Sendable, Hashable {
  /// A record and its place in the log.
  public struct Leaf: Sendable, Hashable {
    /// The leaf data.
    public var record: [UInt8]
    /// The leaf's index.
    public var index: UInt64
    /// Its inclusion under the final checkpoint.
    public var proof: [Hash]

    /// A leaf of the log.
    public init(record: [UInt8], index: UInt64, proof: [Hash]) {
      self.record = record
      self.index = index
      self.proof = proof
    }
  }

  /// Where a session's key stands among those of an epoch.
  public struct SessionPlace: Sendable, Hashable {
    /// The leaf's index.
    public var index: UInt64
    /// Its inclusion under `EpochRecord.sessionsRoot`.
    public var proof: [Hash]

    /// A place.
    public init(index: UInt64, proof: [Hash]) {
      self.index = index
      self.proof = proof
    }
  }

  /// What shows that a key of the index is absent. Which key follows from the claim: nothing here could say another.
  public struct Absence: Sendable, Hashable {
    /// See `SparseProof`.
    public var bitmap: [UInt8]
    /// See `SparseProof`.
    public var siblings: [Hash]

    /// The same as a proof; nil unless it has the one form of a proof.
    public var proof: SparseProof? { SparseProof(bitmap: bitmap, siblings: siblings) }

    /// A proof as the file has it.
    public init(_ proof: SparseProof) {
      bitmap = proof.bitmap
      siblings = proof.siblings
    }

    init(bitmap: [UInt8], siblings: [Hash]) {
      self.bitmap = bitmap
      self.siblings = siblings
    }
  }

  /// An epoch.
  public struct Epoch: Sendable, Hashable {
    /// The EPOCH record.
    public var leaf: Leaf
    /// The epoch's salt.
    public var salt: [UInt8]
    /// The session that is asked about, where the epoch knows it.
    public var session: SessionPlace?
    /// The texts of the epoch's GAP records, in the order that its gap root has them.
    public var gaps: [[UInt8]]
    /// The identities of the target's path, where they were followed.
    public var names: NameOpening?
    /// Every key that the claim needs absent, in the order that `Verifier` asks for.
    public var absences: [Absence]
  }

  /// Somebody outside who has seen a head.
  public struct Anchor: Sendable, Hashable {
    /// The kinds there are.
    public enum Kind: String, Sendable {
      /// A C2SP witness; `by` is its verifier key, and its cosignature stands in the checkpoint.
      case witness
      /// A time-stamp authority; `by` is its token (RFC 3161) over the checkpoint's text.
      case rfc3161
    }

    /// The kind.
    public var kind: Kind
    /// The signed head that was seen.
    public var checkpoint: [UInt8]
    /// That the final head goes on from it.
    public var consistency: [Hash]
    /// See `Kind`.
    public var by: [UInt8]

    /// An anchor.
    public init(kind: Kind, checkpoint: [UInt8], consistency: [Hash], by: [UInt8]) {
      self.kind = kind
      self.checkpoint = checkpoint
      self.consistency = consistency
      self.by = by
    }
  }

  /// The final signed head.
  public var checkpoint: [UInt8]
  /// GENESIS, then the KEY records in their order.
  public var authority: [Leaf]
  /// The texts of the CONFIG records that the epochs name, each once, in the order they are first named.
  public var configs: [[UInt8]]
  /// Contiguous epochs.
  public var epochs: [Epoch]
  /// Anchors of heads up to the final one.
  public var anchors: [Anchor]

  static let format = "alibi.v1/evidence"

  /// The file.
  public var bytes: [UInt8] {
    var out: [UInt8] = []
    Self.object([
      ("format", .string(Array(Self.format.utf8))), ("checkpoint", .string(checkpoint)),
      ("authority", .array(authority.map { Self.object(Self.members(of: $0)) })),
      ("configs", .array(configs.map(Json.string))), ("epochs", .array(epochs.map(Self.json))),
      ("anchors", .array(anchors.map(Self.json))),
    ]).write(to: &out)
    return out
  }
}

// Writing.
extension EvidenceFile {
  private static func object(_ members: [(String, Json)]) -> Json {
    .object(members.map { (Array($0.0.utf8), $0.1) })
  }

  private static func base64(_ bytes: [UInt8]) -> Json { .string(Array(Base64.encode(bytes).utf8)) }

  private static func json(_ hashes: [Hash]) -> Json { .array(hashes.map { base64($0.bytes) }) }

  private static func members(of leaf: Leaf) -> [(String, Json)] {
    [("record", .string(leaf.record)), ("index", .number(leaf.index)), ("proof", json(leaf.proof))]
  }

  private static func json(_ epoch: Epoch) -> Json {
    let session = epoch.session.map { object([("index", .number($0.index)), ("proof", json($0.proof))]) }
    return object(
      members(of: epoch.leaf) + [
        ("salt", base64(epoch.salt)), ("session", .array(session.map { [$0] } ?? [])),
        ("gaps", .array(epoch.gaps.map(Json.string))),
        ("names", .array(epoch.names.map { [json($0)] } ?? [])), ("absent", .array(epoch.absences.map(json))),
      ])
  }

  private static func json(_ names: NameOpening) -> Json {
    func json(_ leaf: NameOpening.Neighbour) -> Json {
      object([
        ("tags", Self.json(leaf.tags)), ("binding", base64(leaf.commitment.bytes)), ("proof", Self.json(leaf.proof)),
      ])
    }
    let bindings = names.bindings.map { binding in
      object([
        ("nonce", base64(binding.nonce.bytes)), ("identity", base64(binding.identity)),
        ("from", .number(binding.from)), ("to", .number(binding.to)), ("proof", Self.json(binding.proof)),
      ])
    }
    return object([
      ("first", .number(names.first)), ("bindings", .array(bindings)), ("before", .array(names.before.map(json))),
      ("after", .array(names.after.map(json))),
    ])
  }

  private static func json(_ absence: Absence) -> Json {
    object([("bitmap", base64(absence.bitmap)), ("siblings", json(absence.siblings))])
  }

  private static func json(_ anchor: Anchor) -> Json {
    object([
      ("kind", .string(Array(anchor.kind.rawValue.utf8))), ("checkpoint", .string(anchor.checkpoint)),
      ("proof", json(anchor.consistency)), ("by", anchor.kind == .witness ? .string(anchor.by) : base64(anchor.by)),
    ])
  }
}
