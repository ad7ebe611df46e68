internal import Decode
internal import Journal
internal import Records

// Whom a session asked to do something (`DESIGN.md` §4; HAZARDS B9, B9b): what they do from then on, and did since.
extension Engine {
  /// Before accesses: what bystanders do from now on is kept for a while, as long as there are sessions.
  mutating func keepRecent() {
    if sessions.isEmpty || !audit.isHeard { recent.clear() } else { recent.begin(batch) }
  }

  /// A session asked processes outside to do something; nobody was found where they are gone already.
  mutating func contact(
    _ pids: [Int32], by session: Int64, since time: UInt64, _ source: some BatchSource, _ oracle: inout some Oracle
  ) {
    let deputy = Deputy(session: session, channels: .contacted)
    let oldest = recent.oldest ?? batch.upper
    if oldest > time {
      findings.append(
        .gap(
          Gap(
            time: Interval(from: wall(time), to: wall(oldest)), source: "deputies",
            reason: "what a process had done that a session asked for something was not kept so long", fileSystem: nil))
      )
    }
    // Of whom nothing is known, a thread's number among them, may be any.
    guard !pids.isEmpty, pids.allSatisfy({ processes[$0] != nil }) else {
      incident("contact-gone", "a session asked a process for something that was gone before it was looked for")
      // What they do in this batch has not been looked at yet.
      return audit.gone.append((deputy, time))
    }
    var asked = Set(pids).filter { processes[$0]?.session == nil }
    // Who was born of them since may have been born for that.
    var isNew = true
    while isNew {
      isNew = false
      for life in processes.current.values
      where asked.contains(life.parent) && life.key.startedAt >= time && life.session == nil {
        if asked.insert(life.key.pid).inserted { isNew = true }
      }
    }
    for pid in asked.sorted() where processes.makeDeputy(pid, deputy) {
      unrecordedDeputies[pid] = batch.upper
      recall(pid, deputy, since: time, &oracle)
    }
  }

  /// After accesses: what any of those may have done who were gone before they were looked for.
  mutating func recallGone(_ oracle: inout some Oracle) {
    for (deputy, time) in audit.gone { recall(nil, deputy, since: time, &oracle) }
    audit.gone.removeAll(keepingCapacity: true)
  }

  /// Keeps as a deputy's what a bystander did since, though it was nobody's when it was read; of everybody where nobody
  /// can be named.
  private mutating func recall(_ pid: Int32?, _ deputy: Deputy, since time: UInt64, _ oracle: inout some Oracle) {
    let now = batch
    defer { batch = now }
    for (end, bytes) in recent.events(since: time) {
      batch = end
      unsafe recall(pid, deputy, bytes.span.bytes, &oracle)
    }
  }

  private mutating func recall(_ pid: Int32?, _ deputy: Deputy, _ bytes: RawSpan, _ oracle: inout some Oracle) {
    var offset = 0
    while let record = try? FanotifyRecord.next(in: bytes, at: &offset) {
      guard pid == nil || record.pid == pid, let file = record.target.flatMap({ identity($0, in: bytes) }) else {
        continue
      }
      let name = bytes.copy(record.name)
      let directory = record.directory.flatMap { reference($0, in: bytes) }
      let places = directory.map { paths(of: name, in: $0, &oracle) } ?? []
      enter(
        record.pid, file, for: deputy, places: places, name: name, operations: Operations(record.mask, isLink: false))
    }
  }
}
