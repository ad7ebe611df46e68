internal import MerkleLog

/// A head that somebody outside saw at a time.
struct Sighting {
  var size: UInt64
  /// Nanoseconds since 1970.
  var time: UInt64
}

extension Verifier {
  /// Step 8. The lag is the longest time from an epoch's end until a witness had seen a head with its record.
  func anchors(
    _ file: EvidenceFile, head: Checkpoint, chain: KeyChain, epochs: [SealedEpoch]
  ) throws(Rejection) -> (all: UInt64?, pinned: UInt64?, tokens: Int) {
    var all: [Sighting] = []
    var pinned: [Sighting] = []
    var tokens = 0
    for anchor in file.anchors {
      guard let note = SignedNote(anchor.checkpoint), let seen = Checkpoint(note.text), seen.origin == head.origin,
        let key = chain.key(atSize: seen.size), note.signers(among: [key]) != nil
      else { throw Rejection(8, "an anchor is not of a head of this log") }
      guard
        LogCheck.isConsistent(
          old: seen.size, oldRoot: seen.root, new: head.size, newRoot: head.root, proof: anchor.consistency)
      else { throw Rejection(8, "an anchor is of a head that the final one does not go on from") }
      switch anchor.kind {
      case .witness:
        guard let witness = VerifierKey(anchor.by), let seconds = note.cosignatureTime(of: witness) else {
          throw Rejection(8, "an anchor is not cosigned by its witness")
        }
        guard seconds <= policy.now / 1_000_000_000 else { throw Rejection(8, "an anchor is from the future") }
        let sighting = Sighting(size: seen.size, time: seconds * 1_000_000_000)
        all.append(sighting)
        if policy.witnesses.contains(witness) { pinned.append(sighting) }
      case .rfc3161:
        guard let token = StampedTime(anchor.by, over: Hash(of: note.text)) else {
          throw Rejection(8, "a time stamp is over another digest")
        }
        guard token.seconds <= policy.now / 1_000_000_000 else { throw Rejection(8, "an anchor is from the future") }
        tokens += 1
      }
    }
    return (Self.lag(epochs, all), Self.lag(epochs, pinned), tokens)
  }

  static func lag(_ epochs: [SealedEpoch], _ sightings: [Sighting]) -> UInt64? {
    lag(epochs.map { ($0.evidence.leaf.index, $0.record.to) }, sightings)
  }

  /// Nil when there is an epoch that nobody has seen.
  static func lag(_ ends: [(index: UInt64, to: UInt64)], _ sightings: [Sighting]) -> UInt64? {
    var longest: UInt64 = 0
    for end in ends {
      guard let seen = sightings.filter({ $0.size > end.index }).map(\.time).min() else { return nil }
      longest = max(longest, seen > end.to ? seen - end.to : 0)
    }
    return longest
  }
}
