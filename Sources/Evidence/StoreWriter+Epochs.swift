internal import GRDB
public import Records

/// An epoch as it is kept: its record, and what proofs of absence are made from.
public struct KeptEpoch: Sendable {
  /// Its number.
  public var number: UInt64
  /// The index of its record in the log.
  public var record: UInt64
  /// Its time.
  public var time: Interval
  /// The last seal in it.
  public var lastSeal: UInt64
  /// Given to auditors; nil where it was deleted.
  public var salt: [UInt8]?
  /// Given to nobody; nil where it was deleted.
  public var hiding: [UInt8]?
  /// The index: how many keys there are in 8 bytes, key and leaf of each, then the tree's top; nil where it was deleted.
  public var index: [UInt8]?
  /// The keys of its sessions, in order.
  public var sessions: [String]
  /// The texts of its GAP records, in order.
  public var gaps: [[UInt8]]
  /// The index of the PRUNE record that tells of its end; nil while it is kept.
  public var pruned: UInt64?
  /// The number of the segment that has its values; nil while the live file has.
  public var segment: Int64?

  /// An epoch of these parts.
  public init(
    number: UInt64, record: UInt64, time: Interval, lastSeal: UInt64, salt: [UInt8]?, hiding: [UInt8]?,
    index: [UInt8]?, sessions: [String], gaps: [[UInt8]]
  ) {
    self.number = number
    self.record = record
    self.time = time
    self.lastSeal = lastSeal
    self.salt = salt
    self.hiding = hiding
    self.index = index
    self.sessions = sessions
    self.gaps = gaps
  }
}

extension StoreWriter {
  /// Keeps an epoch, and appends those of its GAP records that the log does not have, and its own. `epoch.record` is set
  /// here.
  public func keep(_ epoch: KeptEpoch, _ line: LogLine) throws(StoreError) {
    try write { db in
      var lines: [LogLine] = []
      for text in epoch.gaps {
        let isThere = try Bool.fetchOne(
          db, sql: "SELECT EXISTS (SELECT 1 FROM log_records WHERE kind = 'gap' AND text = ?)", arguments: [Blob(text)])
        if isThere != true { lines.append(LogLine(kind: "gap", text: text)) }
      }
      lines.append(line)
      let first = try Self.append(lines, db)
      // One text after the other: each ends where the next begins with its first line.
      let gaps = epoch.gaps.map { String(decoding: $0, as: UTF8.self) }.joined()
      try db.execute(
        sql: """
          INSERT INTO epochs (id, record, t0, t1, last_seal, salt, hiding, keys, sessions, gaps) \
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """,
        arguments: [
          Int64(epoch.number), Int64(first) + Int64(lines.count) - 1, epoch.time.from.nanoseconds,
          epoch.time.to.nanoseconds, Int64(epoch.lastSeal), epoch.salt.map(Blob.init), epoch.hiding.map(Blob.init),
          epoch.index.map(Blob.init), epoch.sessions.joined(separator: "\n"), gaps,
        ])
    }
  }

  /// Up to where epochs are closed; where there is none, from when on there is something to close.
  public func epochsReach() throws(StoreError) -> Timestamp {
    try read { db in
      let reach = try Int64.fetchOne(
        db,
        sql: "SELECT coalesce((SELECT max(t1) FROM epochs), (SELECT min(t0) FROM log_seals), min(started)) FROM runs")
      return Timestamp(nanoseconds: max(0, reach ?? 0))
    }
  }
}

extension KeptEpoch {
  init(row: Row) {
    let gaps = (row["gaps"] as String).split(separator: "alibi.v1/gap\n").map { Array(("alibi.v1/gap\n" + $0).utf8) }
    let sessions = (row["sessions"] as String).split(separator: "\n").map(String.init)
    self.init(
      number: row.unsigned("id"), record: row.unsigned("record"), time: row.span, lastSeal: row.unsigned("last_seal"),
      salt: (row["salt"] as Blob?)?.bytes, hiding: (row["hiding"] as Blob?)?.bytes,
      index: (row["keys"] as Blob?)?.bytes, sessions: sessions, gaps: gaps)
    pruned = (row["pruned"] as Int64?).map { UInt64(bitPattern: $0) }
    segment = row["segment"]
  }
}
