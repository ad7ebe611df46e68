internal import Decode
internal import Journal
internal import Records

/// Whether audit is asked for what it shall tell, as far as anybody looked.
struct AuditStanding {
  /// CLOCK_MONOTONIC of the last look that found it so; nil before the first.
  var wholeAt: UInt64?
  /// CLOCK_MONOTONIC up to which it is told as a gap that it is not so; nil where all is well.
  var toldTo: UInt64?
  /// How much time the next gap shall have; what stays so for days is not told every second.
  var patience: UInt64 = 0
  /// CLOCK_MONOTONIC up to which something may be missing.
  var unsureTo: UInt64 = 0
  /// The kernel's count of lost records.
  var lost: UInt32?
  /// When a rule of somebody else's was added last, by its stamp in milliseconds.
  var foreignRule: UInt64?
  /// What records of the batch tell: when, by their stamps, what, and whether something may be missing for it.
  var changes: [(milliseconds: UInt64, words: String, isFault: Bool)] = []
  /// Looks of the batch.
  var checks: [AuditCheck] = []
}

// Rules of audit's that others removed, something put before them, audit switched off or given to another (HAZARDS C4):
// what only audit sees is not vouched for then; files' own witnesses stand without it.
extension Engine {
  /// What a record tells that was altered. It may be made before the run began, by its own beginning.
  mutating func gather(change record: AuditRecord, in bytes: RawSpan) {
    guard let change = AuditConfigChange(record, in: bytes), change.isSuccess != false, let stamp = record.stamp else {
      return
    }
    let user = change.caller.loginUser == .max ? "" : ", login uid \(change.caller.loginUser)"
    func note(_ words: String, isFault: Bool) {
      audit.standing.changes.append((stamp.milliseconds, words + user, isFault))
    }
    if let setting = change.setting {
      let name = String(decoding: bytes.copy(setting), as: UTF8.self)
      // Who is audit's daemon is looked at: another may come and be made room for.
      guard change.value != change.old, name != "audit_pid" else { return }
      note(
        "\(name) was set from \(change.old.map(String.init) ?? "?") to \(change.value.map(String.init) ?? "?")",
        isFault: ["audit_enabled", "lost"].contains(name))
    } else if change.list != nil,
      let operation = change.operation.map({ String(decoding: $0.bytes(in: bytes), as: UTF8.self) })
    {
      let key = change.key?.bytes(in: bytes) ?? []
      let isRemoval = operation.hasSuffix("remove_rule")
      if key.starts(with: "alibi-".utf8) {
        if isRemoval { note("a rule was removed: \(String(decoding: key, as: UTF8.self))", isFault: true) }
      } else if !isRemoval {
        audit.standing.foreignRule = stamp.milliseconds
      } else if let added = audit.standing.foreignRule, stamp.milliseconds.apart(from: added) < Self.glance {
        // Gone before anybody looked at the list.
        note("a rule of somebody else's came and went", isFault: true)
      }
    }
  }

  /// In milliseconds: rules are looked at more often.
  private static let glance: UInt64 = 3000

  /// After everything of the batch was taken in.
  mutating func settleStanding(flush: Bool) {
    let changes = audit.standing.changes.filter { monotonic(milliseconds: $0.milliseconds) > run?.monotonic ?? 0 }
    let checks = audit.standing.checks
    audit.standing.changes.removeAll(keepingCapacity: true)
    audit.standing.checks.removeAll(keepingCapacity: true)
    guard !changes.isEmpty || !checks.isEmpty else { return }
    var words: [String] = []
    let wasWhole = audit.standing.toldTo == nil
    let faults = changes.filter(\.isFault)
    words += Self.summary(faults.map(\.words)) + Self.summary(changes.filter { !$0.isFault }.map(\.words))
    if let first = faults.map(\.milliseconds).min() { doubt(since: monotonic(milliseconds: first)) }
    for check in checks {
      if !check.fault.isEmpty, wasWhole { words.append(String(decoding: check.fault, as: UTF8.self)) }
      if !check.change.isEmpty, changes.isEmpty { words.append(String(decoding: check.change, as: UTF8.self)) }
      note(check, flush: flush)
    }
    // What goes on is one incident.
    guard !words.isEmpty, wasWhole || faults.count < changes.count else { return }
    incident("audit-altered", Self.summary(words, most: 6).joined(separator: "; "))
  }

  private static func summary(_ words: [String], most: Int = 3) -> [String] {
    words.count > most ? Array(words.prefix(most)) + ["and \(words.count - most) more like these"] : words
  }

  /// From here on something may be missing, until a look finds all well.
  private mutating func doubt(since time: UInt64) {
    guard audit.standing.toldTo == nil else { return }
    audit.standing.toldTo = time
    audit.standing.patience = 0
    losses[LossSource.audit.label, default: 0] += 1
  }

  private mutating func note(_ check: AuditCheck, flush: Bool) {
    let before = audit.standing.wholeAt ?? run?.monotonic ?? check.time
    if let known = audit.standing.lost, known != check.lost {
      note(
        LossEntry(
          source: .audit, from: before, to: check.time, count: 0,
          reason: "the kernel's count of lost records went from \(known) to \(check.lost)"))
    }
    audit.standing.lost = check.lost
    let isWhole = check.fault.isEmpty
    if !isWhole { doubt(since: before) }
    if let from = audit.standing.toldTo, from <= check.time {
      audit.standing.unsureTo = max(audit.standing.unsureTo, check.time)
      if isWhole || flush || check.isLast || check.time >= from.later(by: audit.standing.patience) {
        let reason =
          isWhole ? "rules or settings were not what they were made" : String(decoding: check.fault, as: UTF8.self)
        findings.append(
          .gap(
            Gap(
              time: Interval(from: wall(from), to: wall(check.time)), source: LossSource.audit.label, reason: reason,
              fileSystem: nil)))
        audit.standing.toldTo = check.time
        audit.standing.patience = min(max(2 * audit.standing.patience, 1_000_000_000), 60_000_000_000)
      }
      if isWhole { audit.standing.toldTo = nil }
    }
    if isWhole { audit.standing.wholeAt = check.time }
  }

  /// A stamp of audit's as CLOCK_MONOTONIC.
  func monotonic(milliseconds: UInt64) -> UInt64 {
    monotonic(Timestamp(nanoseconds: Int64(clamping: milliseconds) &* 1_000_000))
  }
}

extension AuditStanding: Archived {
  static var blank: AuditStanding { AuditStanding() }

  /// Between batches: what belongs to one is not in it.
  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive.optional(&wholeAt)
    try archive.optional(&toldTo)
    try archive(&patience)
    try archive(&unsureTo)
    try archive.optional(&lost)
    try archive.optional(&foreignRule)
  }
}
