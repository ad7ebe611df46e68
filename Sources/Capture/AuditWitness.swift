internal import Journal
internal import LinuxKernel

/// The audit system as a witness: the socket that its records come to, and what was altered of the machine's settings
/// for that, which is given back at the end, or by the next start after a crash.
public final class AuditWitness: Sendable {
  let source: AuditSource
  /// What was asked of the kernel.
  let order: AuditOrder
  /// The same, for another process.
  let kept: OwnedDescriptor
  /// Bytes of socket buffer.
  private static let room: Int32 = 16 << 20
  /// How many records may wait in the kernel.
  private static let backlog: UInt32 = 16_384

  /// Opens the socket, alters the settings and loads the rules.
  ///
  /// - Parameters:
  ///   - rules: a directory of rule files.
  ///   - places: files and directories to watch besides.
  ///   - note: a file that outlives this process but not the boot: what a crash left altered is in it.
  ///   - warn: told of every rule that the kernel refuses, and of whatever else makes audit tell less.
  /// - Throws: what keeps audit from being a witness at all.
  public init(rules: String, places: [String], note: String, warn: (String) -> Void) throws(AuditProblem) {
    do throws(Errno) {
      let control = try AuditControl()
      Self.makeGood(note, control)
      // What it holds must not be lost.
      if (try? Procfs.file(note)) != nil { throw Errno.fileExists }
      let status = try control.status()
      // Nobody can switch it on.
      if status.isLocked, !status.isEnabled { throw Errno.notPermitted }
      let state = try AuditState.capture(control, backlogLimit: Self.backlog)
      if status.isLocked {
        warn("audit is locked: \(AuditHindrance.locked(isEnabled: true))")
      } else {
        // A boot ends what was altered, and with it the note.
        try OwnFiles.replace(note, with: Array((try Procfs.bootID() + " " + state.description).utf8))
      }
      var owner = true
      do throws(Errno) { source = try AuditSource(.owner, receiveBuffer: Self.room) } catch {
        guard error == .fileExists || error == .notPermitted && status.isLocked else { throw error }
        source = try AuditSource(.listener, receiveBuffer: Self.room)
        owner = false
      }
      let own = try readLink("/proc/self/exe")
      var wanted = [AuditRule.sparing(own)].compactMap(\.self) + (try Self.rules(rules, warn))
      wanted += places.flatMap { place -> [AuditRule] in
        let path = Array(place.utf8)
        return AuditRule.watching(path, isDirectory: AuditRule.isDirectory(path))
      }
      if !status.isLocked {
        try state.apply(control)
        let refused = control.load(wanted)
        for (rule, error) in refused { warn("audit rule refused (\(error)): \(rule)") }
        // What is not there may come.
        let unknown = Set(refused.filter { $0.error != .noSuchFile }.map(\.rule))
        wanted.removeAll(where: unknown.contains)
      }
      let order = AuditOrder(rules: wanted, owner: owner ? Procfs.ownPid : 0)
      for fault in order.faults(status: try control.status(), rules: try control.rules()) { warn("\(fault)") }
      self.order = order
      kept = try order.kept()
    } catch {
      throw AuditProblem(AuditHindrance(error))
    }
  }

  /// Takes over what another process opened, and asked for.
  init(adopting descriptor: consuming OwnedDescriptor, order: consuming OwnedDescriptor, owner: Int32) throws(Errno) {
    self.order = try AuditOrder(order, owner: owner)
    kept = order
    source = AuditSource(adopting: descriptor)
  }

  /// Gives back what was altered, by this process or by one that crashed, as it is noted.
  ///
  /// - Parameter note: the file that `init` was given.
  public static func restore(_ note: String) {
    if let control = try? AuditControl() { makeGood(note, control) }
  }

  /// The places that are watched, as they are now.
  var places: AuditPlaces {
    AuditPlaces(
      places: order.rules.compactMap(\.place).map { place in
        AuditPlaces.Place(
          path: place.path, isDirectory: place.isDirectory,
          device: (try? FileStatus(path: place.path, following: false))?.device ?? 0)
      })
  }

  /// Gives the place of audit daemon to who has asked for it and was refused: it will ask again. What was altered of the
  /// settings is the new daemon's to decide; only rules will be taken away.
  ///
  /// - Parameter note: the file that `init` was given.
  /// - Returns: whether this process had the place.
  public func yield(_ note: String) -> Bool {
    guard order.owner != 0, let control = try? AuditControl(), (try? control.status().pid) == Procfs.ownPid else {
      return false
    }
    if let (boot, state) = Self.noted(note) {
      try? OwnFiles.replace(note, with: Array((boot + " " + state.leavingSettings.description).utf8))
    }
    try? source.yield()
    return true
  }

  /// Gives up the place of audit daemon, if this process took it.
  public func resign() {
    if order.owner != 0 { try? source.resign() }
  }

  private static func makeGood(_ note: String, _ control: AuditControl) {
    guard (try? Procfs.file(note)) != nil else { return }
    do throws(Errno) {
      if let (boot, state) = noted(note), boot == (try Procfs.bootID()) { try state.restore(control) }
      OwnFiles.remove(note)
    } catch {
      // The note stays, for the next attempt.
    }
  }

  /// What is noted, and of which boot.
  private static func noted(_ note: String) -> (boot: String, state: AuditState)? {
    guard let text = try? Procfs.file(note) else { return nil }
    let words = String(decoding: text, as: UTF8.self).split(separator: " ", maxSplits: 1).map(String.init)
    guard words.count == 2, let state = AuditState(words[1]) else { return nil }
    return (words[0], state)
  }

  private static func rules(_ directory: String, _ warn: (String) -> Void) throws(Errno) -> [AuditRule] {
    try OwnFiles.names(in: directory).filter { $0.hasSuffix(".rules") }.flatMap { name -> [AuditRule] in
      let path = directory + "/" + name
      guard let text = try? Procfs.file(path, limit: 1 << 20) else { return [] }
      do { return try AuditRule.file(text) } catch {
        warn("\(path): \(error)")
        return []
      }
    }
  }
}

/// Why audit is no witness.
public struct AuditProblem: Error, Hashable, Sendable, CustomStringConvertible {
  /// In words.
  public let description: String

  init(_ hindrance: AuditHindrance) { description = "\(hindrance)" }
  init(_ words: String) { description = words }
}

/// What the last look at audit's state told.
struct AuditLook {
  /// CLOCK_MONOTONIC before it.
  var time: UInt64 = 0
  var status: AuditStatus?
  /// The rules that there were, and what is wrong with them: to read them takes longer than to compare them.
  var rules: [[UInt8]]?
  var faults: [AuditFault] = []
  /// Whether what was missing could not be put back.
  var isInVain = false
}

extension Collector {
  /// Reads audit's records: before lineage is drained, so that whoever they tell of has been born.
  func drainAudit(isLast: Bool) {
    guard let audit else { return }
    var isAltered = false
    // Bounded, so that a batch always fits the journal; the rest comes with the next one.
    for _ in 0..<64 {
      var drained = AuditSource.Drained()
      let hadRoom = unsafe ring.append(.audit, room: 65_536) { target in
        guard let read = unsafe try? audit.source.drain(into: target) else { return -1 }
        drained = read
        if read.isChallenged { Procfs.nudge(parent: guardian) }
        return read.count > 0 ? read.count : -1
      }
      if drained.isAltered { isAltered = true }
      if drained.isLossy { lose(.audit, from: auditDrained, reason: "socket buffer overflow") }
      if !hadRoom { waitForRoom(65_536) } else if drained.isEmpty || drained.count == 0 { break }
    }
    var order = audit.order
    // It has made room for an audit daemon, and records come all the same.
    if audit.source.isListening { order.owner = 0 }
    check(order, isAltered: isAltered, isLast: isLast)
    auditDrained = Clock.monotonic.now
  }

  /// Now and then, and at once where a record says that something was altered: what the kernel lost, and whether its
  /// rules are still what they were made. What is missing is put back.
  private func check(_ order: AuditOrder, isAltered: Bool, isLast: Bool) {
    // Putting back is told by a record, too: what cannot be put back must not go round at once.
    let isDue = Clock.monotonic.now - auditLook.time > 1_000_000_000 || isAltered && !auditLook.isInVain
    guard let auditControl, isDue || isLast, look(order, auditControl, isLast: isLast), !isLast,
      auditLook.status?.isLocked == false
    else { return }
    auditLook.isInVain = (try? auditControl.reload(order)) != true
    if !auditLook.isInVain { _ = look(order, auditControl, isLast: false) }
  }

  /// Whether rules are missing.
  private func look(_ order: AuditOrder, _ control: AuditControl, isLast: Bool) -> Bool {
    let time = Clock.monotonic.now
    guard let status = try? control.status(), let rules = try? control.ruleBytes() else { return false }
    if rules != auditLook.rules {
      auditLook.rules = rules
      auditLook.faults = order.faults(rules.compactMap { AuditRule(bytes: $0) })
    }
    let faults = order.faults(status) + auditLook.faults
    let check = AuditCheck(
      time: time, fault: faults.map(\.description).joined(separator: "; "), lost: status.lost,
      change: auditLook.status.map { Self.changes(from: $0, to: status) } ?? "", isLast: isLast)
    write(check)
    auditLook.time = time
    auditLook.status = status
    auditLook.isInVain = auditLook.isInVain && !faults.isEmpty
    return faults.contains { if case .removed = $0 { true } else { false } }
  }

  /// What hides no record, but may make some be lost, which is counted.
  private static func changes(from old: AuditStatus, to new: AuditStatus) -> String {
    [
      ("backlog_limit", old.backlogLimit, new.backlogLimit), ("failure", old.failure, new.failure),
      ("backlog_wait_time", old.backlogWaitTime, new.backlogWaitTime),
    ].filter { $0.1 != $0.2 }.map { "\($0.0) was set from \($0.1) to \($0.2)" }.joined(separator: "; ")
  }

  /// Has a mark come back behind all records of before.
  func markAudit() {
    guard audit != nil else { return }
    let number = Clock.monotonic.now
    var writer = ByteWriter()
    writer.write(number)
    write(.auditMark, writer.bytes)
    try? auditControl?.tell(String(decoding: AuditMark.prefix, as: UTF8.self) + "\(number)")
  }
}
