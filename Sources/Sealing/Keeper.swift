internal import Certificates
public import Evidence
internal import LinuxKernel
internal import MerkleLog
public import Records

/// On what ground something is erased: what an ERASURE record may say, so that it can name nobody.
public enum ErasureBasis: String, Sendable, CaseIterable {
  /// No longer necessary.
  case notNecessary = "gdpr-17-1-a"
  /// Consent was withdrawn.
  case consent = "gdpr-17-1-b"
  /// The person objects.
  case objection = "gdpr-17-1-c"
  /// It was recorded unlawfully.
  case unlawful = "gdpr-17-1-d"
  /// A law demands it.
  case obligation = "gdpr-17-1-e"
  /// A court demands it.
  case court = "court-order"
  /// An agreement with the staff or its representatives.
  case agreement = "works-agreement"
  /// The house's own rules.
  case policy = "policy"
}

/// Lets go what is to be let go: epochs whose time is over, and what is to be erased. The log tells of each.
public enum Keeper {
  /// 13 months.
  public static let usualDays: UInt64 = 396

  /// What was pruned.
  public struct Pruned: Sendable, Hashable, Codable {
    /// Epochs for which a PRUNE record was written.
    public var epochs = 0
    /// Seals that lost their values.
    public var seals = 0
    /// What had stayed of earlier ones and was not needed any more.
    public var rest = 0

    /// What was pruned, in numbers.
    public init(epochs: Int = 0, seals: Int = 0, rest: Int = 0) {
      self.epochs = epochs
      self.seals = seals
      self.rest = rest
    }
  }

  /// Deletes what is older than so many days, in transactions that are short, with pauses between them.
  ///
  /// - Parameter days: what is asked for; where the log says more, that holds until it says otherwise.
  public static func prune(_ writer: StoreWriter, days: UInt64, now: Timestamp) throws -> Pruned {
    var pruned = Pruned()
    // What the CONFIG record in force tells is what an auditor holds the service to.
    guard let told = try writer.retentionDays(), told > 0 else { return pruned }
    let limit = now.nanoseconds.subtractingReportingOverflow(Int64(min(max(days, told), 36_500)) * 86_400_000_000_000)
    if !limit.overflow, let epochs = try writer.expired(before: Timestamp(nanoseconds: limit.partialValue)) {
      let values: [LogRecord.Value] = [.number(epochs.lowerBound), .number(epochs.upperBound), .number(now.unsigned)]
      try writer.prune(epochs, try Sealer.line(LogRecord(.prune, values)))
      pruned.epochs = epochs.count
    }
    // Before anything else: a file whose time is over goes as a whole.
    try removeStrays(writer)
    pruned.seals = try letGo(writer)
    guard pruned.epochs + pruned.seals > 0 else { return pruned }
    pruned.rest = try sweep(writer)
    _ = try writer.emptyLog()
    return pruned
  }

  /// Deletes the values of what is pruned or in segments; how many seals that were.
  static func letGo(_ writer: StoreWriter, most: Int = 400) throws -> Int {
    var cursor: StoreWriter.PruneCursor?
    var seals = 0
    while try writer.pruneNext(&cursor, &seals, most: most) { pause() }
    return seals
  }

  /// What stayed for the sake of something that has gone since goes, too; each round lets go what the one before freed.
  static func sweep(_ writer: StoreWriter) throws -> Int {
    var rest = 0
    for _ in 0..<8 {
      var deleted = 0
      var place: (kind: Int64, id: Int64)? = (-1, 0)
      while let from = place {
        place = try writer.sweep(from: from, &deleted)
        pause()
      }
      rest += deleted
      if deleted == 0 { break }
    }
    return rest
  }

  /// So that the recorder, which waits for the same file, comes in between.
  private static func pause() { sleepThread(nanoseconds: 2_000_000) }

  /// What was erased.
  public struct Erased: Sendable {
    /// What the record tells.
    public var draft: ErasureDraft
    /// Whether older versions of the rows are gone from the write-ahead log as well.
    public var isLogEmpty: Bool
  }

  /// Erases, and sees to it that no older version of it lies about in the store's files.
  public static func erase(_ subject: ErasureSubject, basis: ErasureBasis, _ writer: StoreWriter) throws -> Erased {
    let draft = try writer.erase(subject) { draft in
      try Sealer.line(
        LogRecord(
          .erasure,
          [
            .number(draft.count), .words(draft.kinds), .number(draft.first), .number(draft.last), .word(basis.rawValue),
            .hash(draft.root),
          ]))
    }
    try follow(writer)
    for _ in 0..<50 {
      if try writer.emptyLog() { return Erased(draft: draft, isLogEmpty: true) }
      sleepThread(nanoseconds: 100_000_000)
    }
    return Erased(draft: draft, isLogEmpty: false)
  }
}

extension StoreWriter {
  /// For how many days the newest CONFIG record says that records are kept; nil where there is none yet.
  func retentionDays() throws -> UInt64? {
    try newestRecord("config").flatMap { LogRecord($0)?.number("retention") }
  }
}

extension StoreReader {
  /// For how many days the newest CONFIG record says that records are kept; nil where there is none yet, or it does not.
  public func retentionDays() throws -> UInt64? {
    let days = try records(["config"]).last.flatMap { LogRecord($0.text)?.number("retention") }
    return days == 0 ? nil : days
  }
}
