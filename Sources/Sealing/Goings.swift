internal import Certificates
internal import Evidence
internal import MerkleLog

/// What the log says has gone from the store: epochs whose time was over, values that were erased, and those that a
/// segment has now.
struct Goings {
  /// What the newest SEGMENT record says of a period.
  struct Segment {
    var epochs: ClosedRange<UInt64>
    var size: UInt64
    var hash: Hash
    var record: UInt64
  }

  /// The segments, by period.
  private(set) var segments: [String: Segment] = [:]
  /// The epochs whose values segments have, or had.
  private(set) var moved: Set<UInt64> = []
  /// The epochs that were pruned, each with the index of the PRUNE record.
  private(set) var pruned: [UInt64: UInt64] = [:]
  /// What of these records cannot be.
  private(set) var flaws: [Flaw] = []

  private struct Erasure {
    var count: UInt64
    var epochs: ClosedRange<UInt64>
    var root: Hash?
  }

  /// The seals of pruned epochs, and of those in segments.
  private var seals: Set<UInt64> = []
  private var erasures: [UInt64: Erasure] = [:]

  init() {}

  init(_ records: [LogRecord]) {
    var epochs: [UInt64: EpochRecord] = [:]
    var retention: UInt64 = 0
    for (place, record) in records.enumerated() {
      switch record.kind {
      case .epoch: if let epoch = EpochRecord(record) { epochs[epoch.number] = epoch }
      case .config: retention = record.number("retention") ?? 0
      case .prune: read(prune: record, at: UInt64(place), epochs, retention)
      case .segment: read(segment: record, at: UInt64(place), epochs)
      case .erasure:
        let first = record.number("first") ?? 0
        erasures[UInt64(place)] = Erasure(
          count: record.number("count") ?? 0, epochs: first...max(first, record.number("last") ?? 0),
          root: record.hash("root"))
      default: continue
      }
    }
  }

  private mutating func read(
    prune record: LogRecord, at index: UInt64, _ epochs: [UInt64: EpochRecord], _ retention: UInt64
  ) {
    let name = "log record \(index)"
    guard let first = record.number("first"), let last = record.number("last"), let time = record.number("time"),
      first <= last, last - first < UInt64(epochs.count)
    else {
      flaws.append(Flaw(name, "prunes epochs that there never were"))
      return
    }
    for number in first...last {
      guard let epoch = epochs[number], pruned[number] == nil else {
        flaws.append(Flaw(name, "prunes epoch \(number), which there is not"))
        return
      }
      pruned[number] = index
      seals.formUnion(epoch.firstSeal...max(epoch.firstSeal, epoch.lastSeal))
      if time < epoch.to || time - epoch.to < retention * 86_400_000_000_000 {
        flaws.append(Flaw(name, "prunes epoch \(number) before its time was over"))
      }
    }
  }

  /// A period's first record moves epochs; later ones are of the same file, from which something was erased.
  private mutating func read(segment record: LogRecord, at index: UInt64, _ epochs: [UInt64: EpochRecord]) {
    let name = "log record \(index)"
    guard case .word(let period)? = record.value("period"), let first = record.number("first"),
      let last = record.number("last"), let size = record.number("size"), let hash = record.hash("hash"),
      first <= last, last - first < UInt64(epochs.count)
    else {
      flaws.append(Flaw(name, "is of epochs that there never were"))
      return
    }
    let told = segments[period]
    segments[period] = Segment(epochs: first...last, size: size, hash: hash, record: index)
    if let told {
      if told.epochs != first...last { flaws.append(Flaw(name, "is of other epochs than segment \(period)")) }
      return
    }
    for number in first...last {
      guard let epoch = epochs[number], pruned[number] == nil, moved.insert(number).inserted else {
        flaws.append(Flaw(name, "is of epoch \(number), whose values are not in the store"))
        return
      }
      seals.formUnion(epoch.firstSeal...max(epoch.firstSeal, epoch.lastSeal))
    }
  }

  /// Whether a record tells that the epoch's secrets went with something erased.
  func isErased(_ epoch: UInt64) -> Bool { erasures.values.contains { $0.epochs.contains(epoch) } }

  /// What is erased in the store must be what the records tell.
  func faults(of erased: [UInt64: [EntryCommitment]]) -> [Flaw] {
    var found: [Flaw] = []
    for (index, erasure) in erasures.sorted(by: { $0.key < $1.key }) {
      // In the live store and in a segment it is the same.
      let entries = Set(erased[index] ?? []).sorted { ($0.id, $0.kind) < ($1.id, $1.kind) }
      if UInt64(entries.count) != erasure.count || LogCheck.root(of: entries.map { .leaf($0.encoded) }) != erasure.root
      {
        found.append(Flaw("log record \(index)", "erased \(erasure.count) values, and others are erased"))
      }
    }
    for index in erased.keys.sorted() where erasures[index] == nil {
      found.append(Flaw("log record \(index)", "is said to tell of an erasure, and does not"))
    }
    return found
  }

  /// What of a seal without values is not as it must be: its epoch's time is over, and what stayed was in it.
  func faults(ofPruned seal: SealAudit, _ record: LogRecord) -> [String] {
    guard seals.contains(seal.sequence) else {
      return ["its values were deleted, and no PRUNE or SEGMENT record tells of it"]
    }
    if seal.isGoing { return seal.root == record.hash("root") ? [] : ["its leaves are not those that were sealed"] }
    guard let entries = record.number("entries"), let events = record.number("events"),
      let root = record.hash("root")
    else { return ["is no seal"] }
    return seal.remains.compactMap { rest in
      let isThere =
        rest.size == entries + events
        && LogCheck.includes(leaf: rest.leaf, index: rest.place, size: rest.size, proof: rest.siblings, root: root)
      return isThere ? nil : "\(rest.name) was not in it as it is now"
    }
  }
}
