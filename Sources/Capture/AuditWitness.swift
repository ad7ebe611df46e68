internal import Journal
internal import LinuxKernel

/// The audit system as a witness: the socket that its records come to, and what was altered of the machine's settings
/// for that, which is given back at the end, or by the next start after a crash.
public final class AuditWitness: Sendable {
  let source: AuditSource
  /// Whether this service is the machine's audit daemon, or listens beside another.
  let isOwner: Bool
  /// Bytes of socket buffer.
  private static let room: Int32 = 16 << 20
  /// How many records may wait in the kernel.
  private static let backlog: UInt32 = 16_384

  /// Opens the socket, alters the settings and loads the rules.
  ///
  /// - Parameters:
  ///   - rules: a directory of rule files.
  ///   - note: a file that outlives this process but not the boot: what a crash left altered is in it.
  ///   - warn: told of every rule that the kernel refuses, and of whatever else makes audit tell less.
  /// - Throws: what keeps audit from being a witness at all.
  public init(rules: String, note: String, warn: (String) -> Void) throws(AuditProblem) {
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
      isOwner = owner
      if status.isLocked { return }
      try state.apply(control)
      let own = try readLink("/proc/self/exe")
      let wanted = [AuditRule.sparing(own)].compactMap(\.self) + (try Self.rules(rules, warn))
      for (rule, error) in control.load(wanted) { warn("audit rule refused (\(error)): \(rule)") }
    } catch {
      throw AuditProblem(AuditHindrance(error))
    }
  }

  /// Takes over what another process opened.
  init(adopting descriptor: consuming OwnedDescriptor, isOwner: Bool) {
    source = AuditSource(adopting: descriptor)
    self.isOwner = isOwner
  }

  /// Gives back what was altered, by this process or by one that crashed, as it is noted.
  ///
  /// - Parameter note: the file that `init` was given.
  public static func restore(_ note: String) {
    if let control = try? AuditControl() { makeGood(note, control) }
  }

  /// Gives the place of audit daemon to who has asked for it and was refused: it will ask again. What was altered of the
  /// settings is the new daemon's to decide; only rules will be taken away.
  ///
  /// - Parameter note: the file that `init` was given.
  /// - Returns: whether this process had the place.
  public func yield(_ note: String) -> Bool {
    guard isOwner, let control = try? AuditControl(), (try? control.status().pid) == Procfs.ownPid else { return false }
    if let (boot, state) = Self.noted(note) {
      try? OwnFiles.replace(note, with: Array((boot + " " + state.leavingSettings.description).utf8))
    }
    try? source.yield()
    return true
  }

  /// Gives up the place of audit daemon, if this process took it.
  public func resign() {
    if isOwner { try? source.resign() }
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

extension Collector {
  /// Reads audit's records: before lineage is drained, so that whoever they tell of has been born.
  func drainAudit() {
    guard let source = audit?.source else { return }
    // Bounded, so that a batch always fits the journal; the rest comes with the next one.
    for _ in 0..<64 {
      var isLossy = false
      var isEmpty = true
      let hadRoom = unsafe ring.append(.audit, room: 65_536) { target in
        guard let read = unsafe try? source.drain(into: target) else { return -1 }
        (isLossy, isEmpty) = (read.isLossy, read.isEmpty)
        if read.isChallenged { Procfs.nudge(parent: guardian) }
        return read.count > 0 ? read.count : -1
      }
      if isLossy { lose(.audit, from: auditDrained, reason: "socket buffer overflow") }
      if !hadRoom { waitForRoom(65_536) } else if isEmpty { break }
    }
    checkAudit()
    auditDrained = Clock.monotonic.now
  }

  /// Now and then: what the kernel lost, and whether it still tells.
  private func checkAudit() {
    let now = Clock.monotonic.now
    guard now - auditChecked > 1_000_000_000, let status = try? auditControl?.status() else { return }
    if let known = auditLost, status.lost != known {
      lose(
        .audit, from: auditChecked, reason: "the kernel's count of lost records went from \(known) to \(status.lost)")
    }
    if !status.isEnabled { lose(.audit, from: auditChecked, reason: "audit is switched off") }
    auditLost = status.lost
    auditChecked = now
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
