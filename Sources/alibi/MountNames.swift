internal import Decode
internal import Evidence
internal import Records

/// What the recorded tables of mounts add to a question: names, file systems, and what cannot be told.
struct MountNames {
  /// How much later than the access a path is told at most, in nanoseconds.
  private static let late: Int64 = 2_000_000_000

  private let store: StoreReader
  private let time: Interval
  private let records: MountRecords
  private let history: MountHistory
  private var aliases: Set<ProofQuestion.Alias> = []
  private var formers: [UInt64: [Interval]] = [:]
  private var sessionFileSystems: Set<UInt64> = []
  private var obstacles: [String] = []

  init(_ store: StoreReader, _ time: Interval) throws {
    self.store = store
    self.time = time
    records = try store.mounts(about: time)
    let tables = records.tables.mapValues { MountEntry.table($0) }
    history = MountHistory(
      records.spans.map { span in
        MountHistory.Span(
          isHost: span.isHost, from: span.time.from.nanoseconds, to: span.time.to.nanoseconds,
          table: span.table.flatMap { tables[$0] })
      })
    for lacking in records.unrecorded.prefix(1) { obstacles.append("no mounts were recorded from \(lacking.from) on") }
    for span in history.unknown(from: time.from.nanoseconds, to: time.to.nanoseconds).prefix(3) {
      let from = Timestamp(nanoseconds: span.from), to = Timestamp(nanoseconds: span.to)
      obstacles.append(
        "what was mounted \(span.isHost ? "" : "for a session ")between \(from) and \(to) is not known")
    }
  }

  /// Follows a path, and what lies beneath where that is asked about, too. Returns other names of the path itself.
  mutating func follow(_ path: RawPath, beneath: Bool) throws -> [RawPath] {
    let answer = history.names(
      of: path.bytes, beneath: beneath, from: time.from.nanoseconds, to: time.to.nanoseconds)
    var names: [RawPath] = []
    for alias in answer.aliases {
      // What is accessed last before a change may be told after it.
      let told = Interval(
        from: Timestamp(nanoseconds: max(alias.since, .min + Self.late) - Self.late),
        to: Timestamp(nanoseconds: min(alias.until, .max - Self.late) + Self.late))
      let found = ProofQuestion.Alias(from: RawPath(alias.from), to: RawPath(alias.to), time: told)
      if let name = path.moved(from: found.from, to: found.to) {
        names.append(name)
      } else if !found.from.isAtOrBeneath(path) {
        continue
      }
      aliases.insert(found)
    }
    for (mount, span) in answer.onHost where mount.type != Array("overlay".utf8) {
      try note(mount, in: Interval(from: Timestamp(nanoseconds: span.from), to: Timestamp(nanoseconds: span.to)))
    }
    for mount in answer.elsewhere {
      let known = try store.fileSystems(device: mount.device, in: time).filter { $0.mode != nil && $0.fileSystem != 0 }
      sessionFileSystems.formUnion(known.map(\.fileSystem))
      if known.isEmpty {
        obstacles.append(
          "\(path) was for a session on \(RawPath(mount.source)) (\(RawPath(mount.type))), which was not watched")
      }
    }
    for mount in answer.unclear {
      obstacles.append("the layers of what was mounted at \(RawPath(mount.mountPoint)) cannot be told")
    }
    return names.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
  }

  private mutating func note(_ mount: MountEntry, in span: Interval) throws {
    guard let part = span.intersection(time) else { return }
    let known = try store.fileSystems(device: mount.device, in: part)
    for system in known.isEmpty ? [0] : Set(known.map(\.fileSystem)) { formers[system, default: []].append(part) }
    if known.contains(where: { $0.mode == "descriptors" }) {
      obstacles.append("creations, deletions and renames were not seen on \(RawPath(mount.mountPoint))")
    }
  }

  /// Adds what was found to a question that knows the file systems of now.
  func complete(_ question: inout ProofQuestion) {
    question.aliases = aliases.sorted { left, right in
      (left.from.description, left.to.description) < (right.from.description, right.to.description)
    }
    question.sessionFileSystems = sessionFileSystems
    for (system, parts) in formers where question.fileSystems?.contains(system) == false {
      question.formerFileSystems += IntervalSet(parts).intervals.map {
        ProofQuestion.Former(fileSystem: system, time: $0)
      }
    }
    for obstacle in obstacles where !question.obstacles.contains(obstacle) { question.obstacles.append(obstacle) }
  }
}

extension RawPath {
  /// Where this is told when what is at and beneath one path is told at another; nil where it is not concerned.
  fileprivate func moved(from old: RawPath, to new: RawPath) -> RawPath? {
    guard isAtOrBeneath(old) else { return nil }
    var path = new
    for name in bytes.dropFirst(old.bytes == [0x2f] ? 1 : old.bytes.count).split(separator: 0x2f) {
      path = path.appending(name)
    }
    return path
  }
}
