internal import Journal
internal import Records

// What is vouched for, and what is not.
extension Engine {
  /// How far capture vouches now: to where the queue was seen empty, but not past the last canaries that were seen,
  /// nor into an episode or an end of a name that is not written yet, because a record and the coverage of its time
  /// are committed together.
  mutating func extendCoverage() -> Interval? {
    let beaten = pulse.isNeeded ? pulse.beatenTo ?? 0 : .max
    let waiting = (unplaced.map(\.time.from) + nameEvents.late.map(\.time.from)).min().map(monotonic) ?? .max
    let unclear: [UInt64?] = [
      unconfirmedSince, audit.toldTo, unsettledSince, unsettledPlacesSince, memoryOfGone.map(\.since).min(),
      looks.map(\.began).min(), episodes.values.map(\.since).min(),
    ]
    let to = min(batch.emptied, beaten, waiting, unclear.compactMap { $0 }.min() ?? .max)
    guard let from = vouchedTo, to >= from else { return nil }
    vouchedTo = to
    return Interval(from: wall(from), to: wall(to))
  }

  /// The wall clock was set: what happened about then may bear either time. Suspend moves both clocks.
  mutating func checkClock() {
    let offset = Int64(bitPattern: batch.wall &- batch.boot)
    defer { clockOffset = offset }
    guard let before = clockOffset else { return }
    let (step, isFar) = offset.subtractingReportingOverflow(before)
    guard isFar || step.magnitude > Self.clockTolerance else { return }
    let old = Timestamp(nanoseconds: span.from.nanoseconds &- step)
    findings.append(
      .gap(
        Gap(
          time: Interval(
            from: min(old, span.from), to: max(span.to, Timestamp(nanoseconds: span.to.nanoseconds &- step))),
          source: "clock", reason: "the wall clock was set by \(Double(step) / 1e9) s", fileSystem: nil)))
    incident("clock-set", "by \(Double(step) / 1e9) s")
  }

  /// Slewing (adjtime(2), at most 500 parts in a million) is no step.
  private static let clockTolerance: UInt64 = 20_000_000

  mutating func noteTroubles() {
    for trouble in troubles {
      losses[trouble.source, default: 0] += 1
      findings.append(.gap(Gap(time: span, source: trouble.source, reason: trouble.reason, fileSystem: nil)))
    }
    troubles.removeAll(keepingCapacity: true)
    if hasForeignAcknowledgement {
      incident(
        "connector-acknowledgement",
        "somebody asked the process connector to start or stop: it may have been silent for a while")
      hasForeignAcknowledgement = false
    }
  }

  /// A loss runs from "last seen empty before" to "next seen empty after": most of what was lost came later than
  /// the report, which stands in the queue where the first loss was.
  mutating func noteOverflow() {
    if hasOverflowed {
      overflowSince = overflowSince ?? batch.lower
      // A rename may be among what was lost: no name of a directory is sure any more.
      directories = DirectoryNames()
      hasOverflowed = false
    }
    if overflowSince != nil { lossUntil = batch.upper }
    guard let since = overflowSince, batch.emptied != 0 else { return }
    overflowSince = nil
    losses[LossSource.fanotify.label, default: 0] += 1
    findings.append(
      .gap(
        Gap(
          time: Interval(from: wall(since), to: wall(batch.emptied)), source: LossSource.fanotify.label,
          reason: "queue overflow", fileSystem: nil)))
  }

  mutating func note(_ loss: LossEntry) {
    if loss.source == .connector { unheardSince = min(unheardSince ?? .max, loss.from) }
    if loss.source == .audit {
      audit.assembler.lose()
      audit.standing.unsureTo = max(audit.standing.unsureTo, loss.to)
    } else {
      lossUntil = max(lossUntil, loss.to)
    }
    losses[loss.source.label, default: 0] += 1
    findings.append(
      .gap(
        Gap(
          time: Interval(from: wall(loss.from), to: wall(loss.to)), source: loss.source.label,
          reason: String(decoding: loss.reason, as: UTF8.self)
            + (loss.count > 0 ? " (\(loss.count) lost)" : ""),
          fileSystem: nil)))
  }

  mutating func note(_ entry: FileSystemEntry) {
    var entry = entry
    let known = fileSystems[entry.device]
    if entry.time == 0 {
      // Stated again by a recorder that continues: marked all along, but perhaps never told.
      restated.insert(entry.device)
      if known?.fileSystem == entry.fileSystem, known?.watching == entry.watching { return }
      entry.time = batch.upper
    }
    if entry.watching != .nothing { restated.insert(entry.device) }
    // A mark that was set anew had been lost, at the latest when the queue was last empty with it in place.
    if var lost = known, lost.watching != .nothing, entry.watching != .nothing {
      lost.watching = .nothing
      lost.reason = Array("the mark was lost".utf8)
      lost.time = batch.lower
      report(lost)
    }
    fileSystems.note(entry)
    report(entry)
  }

  /// Mount tables are kept as they are told; what they mean is asked later.
  mutating func note(_ entry: MountTableEntry) {
    let state: MountsSeen.State =
      switch entry.state {
      case .gone: .gone
      case .known: .known
      case .unknown: .unknown
      }
    let seen = wall(entry.seen)
    findings.append(
      .mounts(
        MountsSeen(
          namespace: String(decoding: entry.namespace, as: UTF8.self), isHost: entry.isHost, isFirst: entry.isFirst,
          state: state, table: entry.table, time: Interval(from: min(wall(entry.since), seen), to: seen))))
  }

  /// What a recorder that continues does not find any more was unmounted while nobody looked.
  mutating func forgetUnmounted() {
    for var entry in fileSystems.watched where !restated.contains(entry.device) {
      entry.watching = .nothing
      entry.reason = Array("unmounted".utf8)
      entry.time = batch.lower
      note(entry)
    }
  }

  private mutating func report(_ entry: FileSystemEntry) {
    let mode: String? =
      switch entry.watching {
      case .identity: "identity"
      case .descriptors: "descriptors"
      case .nothing: nil
      }
    findings.append(
      .fileSystem(
        WatchedFileSystem(
          fileSystem: entry.fileSystem, device: entry.device, type: String(decoding: entry.type, as: UTF8.self),
          mountPoint: RawPath(entry.mountPoint), mode: mode,
          reason: String(decoding: entry.reason, as: UTF8.self), since: wall(entry.time))))
  }
}

// Times come out of the journal, which may be damaged: no sum and no difference of them may trap.
extension UInt64 {
  /// The moment so much later, or the last there is.
  func later(by span: UInt64) -> UInt64 {
    let (sum, isPast) = addingReportingOverflow(span)
    return isPast ? .max : sum
  }

  /// How far two moments lie apart, whichever is first.
  func apart(from other: UInt64) -> UInt64 { self > other ? self - other : other - self }
}
