internal import GRDB
public import MerkleLog
public import Records

/// Something in a store that is not what was sealed.
public struct Flaw: Sendable, Hashable {
  /// Where it is.
  public var place: String
  /// What is wrong.
  public var what: String

  /// A flaw at a place.
  public init(_ place: String, _ what: String) {
    self.place = place
    self.what = what
  }
}

/// What the rows of a seal come to now.
public struct SealAudit: Sendable {
  /// The number.
  public var sequence: UInt64
  /// The index of the SEAL record.
  public var record: UInt64
  /// What the store says of it.
  public var time: Interval
  /// Entries of it that are there.
  public var entries: UInt64 = 0
  /// Events of it that are there.
  public var events: UInt64 = 0
  /// The root over them.
  public var root = Hash(of: [])
  /// Whether its values were deleted when their time was over; then `remains` has what stayed, and there is no root.
  public var isPruned = false
  /// Whether they are being deleted: the root is that of its leaves as they were, `remains` what of it is still there.
  public var isGoing = false
  /// What stayed of a pruned seal.
  public var remains: [Remainder] = []
}

/// An entry or event that stayed when its seal's values were deleted, and what shows that the seal had it.
public struct Remainder: Sendable, Hashable {
  /// What it is, in words.
  public var name: String
  /// Its leaf.
  public var leaf: Hash
  /// Its place among the seal's leaves.
  public var place: UInt64
  /// How many leaves the seal had.
  public var size: UInt64
  /// The siblings up to the seal's root.
  public var siblings: [Hash]
}

/// Everything in a store recomputed from its rows.
public struct StoreAudit: Sendable {
  /// The seals, in order.
  public var seals: [SealAudit] = []
  /// What is not as it was sealed.
  public var flaws: [Flaw] = []
  /// Rows that came after the last seal.
  public var unsealed = 0
  /// Entries whose value was erased, by the index of the record that tells of it, each group by id and then kind.
  public var erased: [UInt64: [EntryCommitment]] = [:]
  /// Whether the last run was ended in order; then nothing is unsealed.
  public var isAtRest = false
  /// The log's hashes as they are kept.
  public var hashes: [Hash] = []
  /// The signed heads.
  public var checkpoints: [[UInt8]] = []
}

extension StoreReader {
  /// Recomputes every commitment from its row, and every seal's root.
  public func audit() throws(StoreError) -> StoreAudit {
    try read { db in
      var audit = StoreAudit()
      audit.isAtRest =
        try Bool.fetchOne(db, sql: "SELECT ended IS NOT NULL FROM runs ORDER BY id DESC LIMIT 1") ?? false
      audit.hashes = try Blob.fetchAll(db, sql: "SELECT hash FROM log_hashes ORDER BY id").compactMap {
        Hash($0.bytes)
      }
      audit.checkpoints = try Blob.fetchAll(db, sql: "SELECT note FROM checkpoints ORDER BY size").map(\.bytes)
      var seals = try Seals(db)
      while try seals.next(into: &audit) {}
      for (record, entries) in audit.erased {
        audit.erased[record] = entries.sorted { ($0.id, $0.kind) < ($1.id, $1.kind) }
      }
      try Self.findLost(&audit, db)
      try Self.findUnsealed(&audit, seals.lastEvent, db)
      try Self.compareChanges(&audit, db)
      let sealed = audit.seals.last?.time.to.nanoseconds ?? 0
      let beyond = try Int64.fetchOne(db, sql: "SELECT id FROM runs WHERE covered_to > ?", arguments: [sealed])
      if let beyond, audit.isAtRest {
        audit.flaws.append(Flaw("runs \(beyond)", "vouches for time after the last seal"))
      }
      return audit
    }
  }

  /// Goes over entries and events seal by seal.
  struct Seals {
    private let db: Database
    private let rows: [Row]
    private let isWhole: Bool
    private let entries: RowCursor
    private var waiting: Row?
    private var at = 0
    /// The last event of the newest seal.
    private(set) var lastEvent: Int64 = 0

    /// All that there are.
    init(_ db: Database) throws {
      try self.init(Row.fetchAll(db, sql: "SELECT * FROM log_seals ORDER BY id"), isWhole: true, db)
    }

    /// These; `before` is the last event of the one before, where they are not all.
    init(_ rows: [Row], isWhole: Bool, _ db: Database) throws {
      self.db = db
      self.rows = rows
      self.isWhole = isWhole
      entries = try Row.fetchCursor(
        db, sql: "SELECT seal, id, kind, opening, commitment, erased FROM entries ORDER BY 1, 2, 3")
      waiting = try entries.next()?.copy()
    }

    mutating func next(into audit: inout StoreAudit) throws -> Bool {
      guard at < rows.count else {
        if let waiting { audit.flaws.append(Flaw("entries", "seal \(waiting["seal"] as Int64) is not there")) }
        return false
      }
      let row = rows[at]
      at += 1
      let number = row["id"] as Int64
      if isWhole, number != Int64(at) { audit.flaws.append(Flaw("seal \(number)", "the seal before it is missing")) }
      var seal = SealAudit(sequence: UInt64(number), record: row.unsigned("record"), time: row.span)
      seal.isPruned = row["pruned"]
      let leaves = Hash.kept(row["leaves"])
      seal.isGoing = !leaves.isEmpty && !seal.isPruned
      var hashes: [Hash] = []
      while let entry = waiting, (entry["seal"] as Int64) <= number {
        if let leaf = try check(entry, &audit) {
          hashes.append(leaf)
          if seal.isPruned { try keep(entry["kind"], entry["id"], leaf, in: &seal) }
        }
        seal.entries += 1
        waiting = try entries.next()?.copy()
      }
      let end = row["last_event"] as Int64
      if !isWhole { lastEvent = row["before"] as Int64? ?? 0 }
      let events = try Row.fetchCursor(
        db, sql: CommittedEvent.query + " WHERE id > ? AND id <= ? ORDER BY id", arguments: [lastEvent, end])
      while let event = try events.next() {
        let leaf = Hash.leaf(CommittedEvent(row: event).encoded)
        hashes.append(leaf)
        if seal.isPruned { try keep(Needs.event, event["id"], leaf, in: &seal) }
        seal.events += 1
      }
      lastEvent = end
      seal.root = LogCheck.root(of: seal.isGoing ? leaves : hashes)
      if seal.isGoing, !Set(hashes).isSubset(of: Set(leaves)) {
        audit.flaws.append(Flaw("seal \(number)", "has values that were not in it"))
      }
      audit.seals.append(seal)
      return true
    }

    /// What stayed, with what shows that it was there; without that it has no place.
    private func keep(_ kind: Int64, _ id: Int64, _ leaf: Hash, in seal: inout SealAudit) throws {
      let row = try Row.fetchOne(
        db.cachedStatement(sql: "SELECT place, size, siblings FROM remains WHERE kind = ? AND id = ?"),
        arguments: [kind, id])
      let siblings = Hash.kept(row?["siblings"])
      let word = EntryKind(rawValue: UInt8(truncatingIfNeeded: kind)).map { "\($0)" } ?? "access"
      seal.remains.append(
        Remainder(
          name: "\(word) \(id)", leaf: leaf, place: row?.unsigned("place") ?? 0, size: row?.unsigned("size") ?? 0,
          siblings: siblings))
    }

    private func check(_ entry: Row, _ audit: inout StoreAudit) throws -> Hash? {
      let id = entry["id"] as Int64
      guard let kind = EntryKind(rawValue: entry["kind"]), let kept = Hash((entry["commitment"] as Blob).bytes) else {
        audit.flaws.append(Flaw("entry \(id)", "is of no kind, or its commitment of another length"))
        return nil
      }
      if let opening = entry["opening"] as Blob? {
        let row = try Row.fetchOne(
          db.cachedStatement(sql: kind.query + " AND t.id = ?"), arguments: [id])
        let made = row.flatMap {
          EntryCommitment(
            kind: kind.rawValue, id: UInt64(bitPattern: id), value: EntryKind.value($0), opening: opening.bytes)
        }
        if row == nil {
          audit.flaws.append(Flaw("\(kind) \(id)", "was deleted"))
        } else if made?.commitment != kept {
          audit.flaws.append(Flaw("\(kind) \(id)", "is not what was sealed"))
        }
      } else if let record = entry["erased"] as Int64? {
        audit.erased[UInt64(bitPattern: record), default: []].append(
          EntryCommitment(kind: kind.rawValue, id: UInt64(bitPattern: id), commitment: kept))
      } else {
        audit.flaws.append(Flaw("\(kind) \(id)", "has no opening, and no record tells that it was erased"))
      }
      return .leaf(EntryCommitment(kind: kind.rawValue, id: UInt64(bitPattern: id), commitment: kept).encoded)
    }
  }

  /// What remained of pruned seals and is not there any more.
  static func findLost(_ audit: inout StoreAudit, _ db: Database) throws {
    let lost = try Row.fetchAll(
      db,
      sql: """
        SELECT r.seal, r.kind, r.id FROM remains r WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.kind = r.kind \
        AND e.id = r.id) AND NOT EXISTS (SELECT 1 FROM accesses a WHERE r.kind = 0 AND a.id = r.id)
        """)
    for row in lost {
      audit.flaws.append(
        Flaw(
          "seal \(row["seal"] as Int64)", "what remained of it is gone: \(row["kind"] as Int64) \(row["id"] as Int64)"))
    }
  }

  /// Rows that no seal has: new ones, or such as somebody put between old ones.
  static func findUnsealed(_ audit: inout StoreAudit, _ lastEvent: Int64, _ db: Database) throws {
    for kind in EntryKind.allCases {
      let newest =
        kind == .bearer
        ? lastEvent
        : try Int64.fetchOne(db, sql: "SELECT max(id) FROM entries WHERE kind = ?", arguments: [kind.rawValue]) ?? 0
      let rows = try Row.fetchCursor(
        db, sql: kind.query + " AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.kind = ? AND e.id = t.id)",
        arguments: [kind.rawValue])
      while let row = try rows.next() {
        let id = row[0] as Int64
        audit.unsealed += 1
        if audit.isAtRest {
          audit.flaws.append(Flaw("\(kind) \(id)", "is in no seal"))
        } else if id <= newest, ![.person, .session, .process].contains(kind) {
          audit.flaws.append(Flaw("\(kind) \(id)", "was inserted"))
        }
      }
    }
    let events = try Int.fetchOne(db, sql: "SELECT count(*) FROM accesses WHERE id > ?", arguments: [lastEvent]) ?? 0
    audit.unsealed += events
    if audit.isAtRest, events > 0 {
      audit.flaws.append(Flaw("accesses after \(lastEvent)", "\(events) are in no seal"))
    }
  }

  /// What was set after a row was written must be what the sealed change says.
  static func compareChanges(_ audit: inout StoreAudit, _ db: Database) throws {
    for change in Schema.Change.allCases {
      let ids = try Int64.fetchAll(
        db,
        sql: """
          SELECT t.id FROM \(change.table) t WHERE t.\(change.column) IS NOT (SELECT c.value FROM changes c \
          WHERE c.what = ? AND c.row = t.id ORDER BY c.id DESC LIMIT 1) LIMIT 20
          """, arguments: [change.rawValue])
      for id in ids {
        audit.flaws.append(Flaw("\(change.table) \(id)", "\(change.column) is not what was sealed"))
      }
    }
  }
}
