internal import Certificates
internal import Evidence
internal import MerkleLog

extension FullVerification {
  /// What of the anchors is not as the log says, and which heads that others kept the log does not go on from.
  ///
  /// - Parameters:
  ///   - texts: the log's records.
  ///   - root: the log's root at a size up to its own.
  static func anchorFlaws(
    _ store: StoreReader, _ texts: [LogRecord], chain: KeyChain, root: (UInt64) throws -> Hash
  ) throws -> [Flaw] {
    var flaws: [Flaw] = []
    let kept = try store.anchors()
    let told = texts.enumerated().filter { $0.element.kind == .anchor }
    if told.count != kept.count { flaws.append(Flaw("anchors", "the log has \(told.count), the store \(kept.count)")) }
    for anchor in kept {
      let name = "anchor \(anchor.record)"
      guard anchor.record < texts.count, anchor.logRecord == texts[Int(anchor.record)] else {
        flaws.append(Flaw(name, "is not what the log says"))
        continue
      }
      guard let note = SignedNote(anchor.note), let head = Checkpoint(note.text),
        let key = chain.key(atSize: head.size), note.signers(among: [key]) != nil, head.size == anchor.size,
        head.size <= anchor.record, try root(head.size) == head.root
      else {
        flaws.append(Flaw(name, "is of a head that is not this log's"))
        continue
      }
      if !anchor.holds(over: note) { flaws.append(Flaw(name, "does not hold")) }
    }
    var tokens: [Hash] = []
    for (index, record) in texts.enumerated() {
      if record.kind == .anchor, let token = record.hash("token") { tokens.append(token) }
      if let epoch = EpochRecord(record), let token = epoch.anchor, !tokens.contains(token) {
        flaws.append(Flaw("epoch \(epoch.number)", "names an anchor that is not before it (record \(index))"))
      }
    }
    return flaws
  }

  /// What is wrong with the log for somebody who kept a head of it; nil where it goes on from that head.
  static func objection(
    to bytes: [UInt8], chain: KeyChain, size: UInt64, root: (UInt64) throws -> Hash
  ) throws -> String? {
    guard let note = SignedNote(bytes), let head = Checkpoint(note.text) else { return "is no signed head" }
    guard head.origin == chain.key.log.name else {
      return "is of the log \(String(decoding: head.origin, as: UTF8.self)), and the store of another"
    }
    guard let key = chain.key(atSize: head.size), note.signers(among: [key]) != nil else {
      return "is not signed by the key that the log here had at \(head.size) records"
    }
    if head.size > size {
      return "had \(head.size) records, the log here has \(size): it was truncated, or an older copy put in its place"
    }
    return try root(head.size) == head.root ? nil : "has other records than the log here: it was rewritten"
  }
}

extension KeptAnchor {
  /// Whether the token is over the head and of the time that is kept.
  fileprivate func holds(over note: SignedNote) -> Bool {
    switch EvidenceFile.Anchor.Kind(rawValue: kind) {
    case .witness:
      guard let key = VerifierKey(by.utf8), let seen = SignedNote(cosigned)?.cosignatureTime(of: key) else {
        return false
      }
      return seen == time / 1_000_000_000
    case .rfc3161:
      guard let token = TimestampToken(token) else { return false }
      return token.digest == Hash(of: note.text) && token.seconds == time / 1_000_000_000
    case nil: return false
    }
  }
}
