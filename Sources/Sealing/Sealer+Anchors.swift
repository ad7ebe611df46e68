internal import Certificates
public import Evidence
internal import MerkleLog

extension Sealer {
  /// Keeps what somebody outside said of a head, with an ANCHOR record that commits to it.
  public func keep(_ anchor: KeptAnchor, _ writer: StoreWriter) throws {
    try writer.keep(anchor, try Self.line(anchor.logRecord))
  }
}

extension KeptAnchor {
  /// The ANCHOR record: whose word it is stands in the token alone.
  var logRecord: LogRecord? {
    LogRecord(.anchor, [.word(kind), .number(size), .number(time), .hash(Hash(of: token))])
  }

  /// The head with what the witness added.
  var cosigned: [UInt8] { kind == EvidenceFile.Anchor.Kind.witness.rawValue ? note + token : note }

  /// As a certificate's evidence has it; nil for a kind that it cannot have.
  func evidence(under size: UInt64, _ store: StoreReader) throws -> EvidenceFile.Anchor? {
    guard let kind = EvidenceFile.Anchor.Kind(rawValue: kind) else { return nil }
    return EvidenceFile.Anchor(
      kind: kind, checkpoint: cosigned, consistency: try store.consistencyProof(old: self.size, new: size),
      by: kind == .witness ? Array(by.utf8) : token)
  }
}

/// Which head a certificate stands under, and which anchors come with it.
struct AnchorChoice {
  /// The size of the head.
  let size: UInt64
  /// The head, with what witnesses added.
  let checkpoint: [UInt8]
  /// The anchors.
  let anchors: [EvidenceFile.Anchor]

  /// Chooses among what the store has.
  ///
  /// The head is that which most witnesses have cosigned, the newest of these, as an auditor may ask for a quorum on
  /// the final one; where nobody has, the newest. Of each witness and authority come the first words about each epoch,
  /// which bound its time, and the last.
  ///
  /// - Parameters:
  ///   - records: the indexes of the epochs' records.
  ///   - least: the head must be larger than the index of any record that the certificate needs.
  ///   - now: what claims to be of a later time is left out: no verifier would take it.
  init(_ store: StoreReader, records: [UInt64], least: UInt64, now: UInt64) throws {
    guard let newest = try store.checkpoint() else {
      throw CertifierError(description: "no head is signed", hint: "`alibi status` tells why")
    }
    let all = try store.anchors(beyond: records.min() ?? 0).filter { $0.time <= now && $0.size <= newest.size }
    let witnessed = Dictionary(grouping: all.filter { $0.kind == "witness" && $0.size >= least }, by: \.size)
      .mapValues { anchors in anchors.reduce(into: [String: KeptAnchor]()) { $0[$1.by] = $1 } }
    let best = witnessed.max { ($0.value.count, $0.key) < ($1.value.count, $1.key) }
    if let best, let first = best.value.values.first {
      size = best.key
      checkpoint = first.note + best.value.sorted { $0.key < $1.key }.flatMap(\.value.token)
    } else {
      (size, checkpoint) = newest
    }
    let limit = size
    let candidates = all.filter { $0.size <= limit }
    var chosen: [KeptAnchor] = []
    for (_, theirs) in Dictionary(grouping: candidates, by: { $0.kind + $0.by }).sorted(by: { $0.key < $1.key }) {
      for record in records {
        if let first = theirs.filter({ $0.size > record }).min(by: { $0.time < $1.time }) { chosen.append(first) }
      }
      if let last = theirs.last { chosen.append(last) }
    }
    var seen: Set<UInt64> = []
    anchors = try chosen.filter { seen.insert($0.record).inserted }.sorted { $0.record < $1.record }
      .compactMap { try $0.evidence(under: limit, store) }
  }
}
