internal import Decode
internal import Journal
internal import Records

/// An access by a canary, as a witness told of it.
struct SeenCanary: Hashable {
  var pid: Int32
  /// Nil where the event came with a descriptor: which file system that is, only the order tells.
  var fileSystem: UInt64?
}

/// What the heartbeats have shown so far.
struct Pulse {
  /// Whether coverage needs heartbeats: the journal has told of a nursery.
  var isNeeded = false
  /// Processes whose descendants are canaries.
  var nurseries: Set<Int32> = []
  /// Those that were told of in the batch at hand: what became of their pids in it was before.
  var announced: Set<Int32> = []
  /// Pids that a canary had lately.
  var pids: Set<Int32> = []
  /// Heartbeats whose canaries may still be in the queue.
  var waiting: [Heartbeat] = []
  var seen: Set<SeenCanary> = []
  /// CLOCK_MONOTONIC: everything before was followed by canaries that were seen.
  var beatenTo: UInt64?
  /// By device, CLOCK_MONOTONIC of the last heartbeat that was seen there.
  var lastSeen: [UInt64: UInt64] = [:]
  /// Devices whose canary was missed, and why; until the next one that is seen.
  var missing: [UInt64: String] = [:]
  var sent = 0
  var found = 0
  /// CLOCK_MONOTONIC of the last seal.
  var sealedAt: UInt64?
}

extension Pulse {
  mutating func announce(_ pid: Int32) {
    nurseries.insert(pid)
    announced.insert(pid)
  }

  /// The process is no more, or another one has its number.
  mutating func retire(_ pid: Int32) {
    if !announced.contains(pid) { nurseries.remove(pid) }
  }
}

// The positive control: coverage ends where the last canaries were seen (`DESIGN.md` §5).
extension Engine {
  /// The session of the canaries, which is none of the store's.
  static let canarySession: Int64 = 0

  /// How often a seal is written, in nanoseconds of CLOCK_MONOTONIC.
  static let sealInterval: UInt64 = 60_000_000_000

  /// Whether an event is a canary's, and nobody's access; a canary is noted, also where its pid has another life too.
  mutating func isCanary(_ pid: Int32, on fileSystem: UInt64?) -> Bool {
    guard pulse.pids.contains(pid) else { return false }
    let lives = processes.lives(pid)
    guard lives.contains(where: { $0.session == Self.canarySession }) else { return false }
    pulse.seen.insert(SeenCanary(pid: pid, fileSystem: fileSystem))
    return lives.allSatisfy { $0.session == Self.canarySession }
  }

  /// Looks which heartbeats are complete.
  mutating func takePulse() {
    guard !pulse.waiting.isEmpty else { return }
    var waiting: [Heartbeat] = []
    for heartbeat in pulse.waiting {
      // As long as the queue was not seen empty after it, a canary may still be in there.
      let isConclusive = heartbeat.ended <= batch.emptied && overflowSince == nil
      if !isConclusive, heartbeat.canaries.contains(where: { !wasSeen($0) }) {
        waiting.append(heartbeat)
      } else {
        judge(heartbeat)
      }
    }
    pulse.waiting = waiting
  }

  private func wasSeen(_ canary: Heartbeat.Canary) -> Bool {
    guard canary.error == 0, let place = fileSystems[canary.device] else { return true }
    let fileSystem = place.watching == .identity ? place.fileSystem : nil
    return pulse.seen.contains(SeenCanary(pid: canary.pid, fileSystem: fileSystem))
  }

  private mutating func judge(_ heartbeat: Heartbeat) {
    var wellSeen: Set<UInt64> = []
    var trouble: [UInt64: String] = [:]
    for canary in heartbeat.canaries {
      pulse.sent += 1
      guard let place = fileSystems[canary.device] else { continue }
      if canary.error != 0 {
        // What refuses a file without a name cannot be asked for a canary in descriptor mode.
        if place.watching == .identity { trouble[canary.device] = "no canary could be made there" }
      } else if !heartbeat.marked.contains(canary.device) {
        trouble[canary.device] = "the kernel does not list the mark"
      } else if wasSeen(canary) {
        pulse.found += 1
        wellSeen.insert(canary.device)
      } else {
        trouble[canary.device] = "a canary was not seen"
      }
    }
    for (device, reason) in trouble.sorted(by: { $0.key < $1.key }) { miss(device, reason, heartbeat) }
    for device in wellSeen.subtracting(trouble.keys).sorted() {
      if let reason = pulse.missing.removeValue(forKey: device) { uncover(device, reason, heartbeat) }
      pulse.lastSeen[device] = heartbeat.started
    }
    let pids = Set(heartbeat.canaries.map(\.pid))
    pulse.seen = pulse.seen.filter { !pids.contains($0.pid) }
    pulse.beatenTo = max(pulse.beatenTo ?? 0, heartbeat.started)
    let isDue = pulse.sealedAt.map { heartbeat.started >= $0.later(by: Self.sealInterval) } ?? true
    if isDue || !trouble.isEmpty {
      seal(heartbeat, wellSeen)
    }
  }

  private mutating func miss(_ device: UInt64, _ reason: String, _ heartbeat: Heartbeat) {
    let place = fileSystems[device].map { RawPath($0.mountPoint).description } ?? "?"
    if pulse.missing[device] == nil { incident("canary", "\(place): \(reason)") }
    pulse.missing[device] = reason
    uncover(device, reason, heartbeat)
  }

  /// From the last canary that was seen there to this one nothing is sure.
  private mutating func uncover(_ device: UInt64, _ reason: String, _ heartbeat: Heartbeat) {
    guard let place = fileSystems[device] else { return }
    let from = max(pulse.lastSeen[device] ?? run?.monotonic ?? 0, place.time)
    findings.append(
      .gap(
        Gap(
          time: Interval(from: wall(min(from, heartbeat.started)), to: wall(heartbeat.started)), source: "canary",
          reason: reason, fileSystem: place.fileSystem)))
    pulse.lastSeen[device] = heartbeat.started
  }

  private mutating func seal(_ heartbeat: Heartbeat, _ wellSeen: Set<UInt64>) {
    let from = pulse.sealedAt ?? run?.monotonic ?? heartbeat.started
    func boot(_ monotonic: UInt64) -> UInt64 { batch.boot &- batch.upper &+ monotonic }
    findings.append(
      .seal(
        Seal(
          time: Interval(from: wall(from), to: wall(heartbeat.started)), bootFrom: boot(from),
          bootTo: boot(heartbeat.started), rulesDigest: rules.digest, canariesSent: pulse.sent,
          canariesSeen: pulse.found, losses: losses,
          fileSystems: fileSystems.watched.map { place in
            Seal.FileSystem(
              fileSystem: place.fileSystem, device: place.device,
              isMarked: heartbeat.marked.contains(place.device), hasCanary: wellSeen.contains(place.device))
          })))
    pulse.sealedAt = heartbeat.started
    pulse.sent = 0
    pulse.found = 0
    losses = [:]
  }
}

extension Pulse: Archived {
  static var blank: Pulse { Pulse() }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&isNeeded)
    try archive.set(&nurseries, 0) { (archive, pid) throws(JournalError) in try archive(&pid) }
    try archive.set(&pids, 0) { (archive, pid) throws(JournalError) in try archive(&pid) }
    try archive.list(&waiting, Heartbeat(started: 0, ended: 0, canaries: [], marked: [])) {
      (archive, heartbeat) throws(JournalError) in
      var bytes = heartbeat.payload
      try archive(&bytes)
      if archive.isReading { heartbeat = try Heartbeat(payload: bytes) }
    }
    try archive.set(&seen, SeenCanary(pid: 0, fileSystem: nil)) { (archive, canary) throws(JournalError) in
      try archive(&canary.pid)
      try archive.optional(&canary.fileSystem)
    }
    try archive.optional(&beatenTo)
    try archive.table(&lastSeen, 0, 0) { (archive, device, time) throws(JournalError) in
      try archive(&device)
      try archive(&time)
    }
    try archive.table(&missing, 0, "") { (archive, device, reason) throws(JournalError) in
      try archive(&device)
      try archive(&reason)
    }
    try archive(&sent)
    try archive(&found)
    try archive.optional(&sealedAt)
  }
}
