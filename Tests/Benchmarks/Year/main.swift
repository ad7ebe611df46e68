internal import Evidence
internal import Foundation
internal import Glibc
internal import LinuxKernel
internal import MerkleLog
internal import Records
internal import Sealing

// Fills a store with a year and a month of simulated evidence, through the writer, the sealer and the closer of epochs
// that the service uses; Tests/Benchmarks/year then has the real programs certify and verify it.

struct Trouble: Error, CustomStringConvertible {
  var description: String
}

/// SplitMix64: the same year for the same seed.
struct Random: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }
}

/// What to simulate.
struct Year {
  var state = ""
  var place = ""
  var days = 400
  var accesses = 25_000
  var seed: UInt64 = 1
  /// When the last day ends, in seconds since 1970; an hour ago by default: what follows is the service's own.
  var end = Int64(Clock.wall.now / 1_000_000_000) - 3600
  /// Whether quarters that are over become segments, or are left to the service.
  var hasSegments = true

  static let sessionsPerDay = 12
  /// Seals a day, of those that have events; the service makes empty ones each minute besides.
  static let sealsPerDay = 48
  static let day: Int64 = 86_400_000_000_000

  init(_ arguments: [String]) throws {
    var rest = arguments[...]
    while let name = rest.popFirst() {
      guard let value = rest.popFirst() else { throw Trouble(description: "\(name): a value is missing") }
      switch name {
      case "--state": state = value
      case "--place": place = value
      case "--days": days = Int(value) ?? 0
      case "--accesses": accesses = Int(value) ?? 0
      case "--seed": seed = UInt64(value) ?? 0
      case "--end": end = Int64(value) ?? 0
      case "--segments": hasSegments = value != "no"
      default: throw Trouble(description: "\(name): no such option")
      }
    }
    guard state.hasPrefix("/"), place.hasPrefix("/"), days > 0, accesses >= Self.sealsPerDay else {
      throw Trouble(
        description:
          "--state DIR --place DIR [--days N] [--accesses N a day] [--seed N] [--end SECONDS] [--segments no]")
    }
  }

  /// The projects' files: a few hundred directories, and the same ones again and again, as work is.
  func path(_ number: UInt64) -> RawPath {
    RawPath("\(place)/projects/p\(number % 9)/src/m\(number / 9 % 40)/part\(number / 360 % 7)/file\(number).swift")
  }

  func file(_ number: UInt64, on system: UInt64) -> FileIdentity {
    FileIdentity(fileSystem: system, inode: 1_000_000 + number, generation: 1)
  }

  func run() throws {
    var random = Random(state: seed)
    let system = try fileSystemID(path: Array(place.utf8))
    let device = try FileStatus(path: Array(place.utf8)).device
    let end = end * 1_000_000_000
    let start = end - Int64(days) * Self.day
    func at(_ nanoseconds: Int64) -> Timestamp { Timestamp(nanoseconds: nanoseconds) }
    let boot = try String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8).trimmingCharacters(
      in: .whitespacesAndNewlines)
    try KeyDirectory.create(state: state, origin: KeyDirectory.origin())
    let keys = try KeyDirectory(state: state)
    let writer = try StoreWriter(
      directory: state,
      run: StoreWriter.Run(
        bootID: boot, host: "simulated", kernel: "6.18", version: "simulated", rulesDigest: Hash(of: [1]).bytes,
        pid: getpid(), runDirectory: state, started: at(start), perfMissing: nil, connectorMissing: nil))
    let sealer = Sealer(
      facts: ProgramFacts(
        version: "simulated", digest: Hash(of: [2]), kernel: "6.18", lockdown: "none", bootID: boot)
    ) { (Clock.wall.now, Clock.monotonic.now) }
    try sealer.begin(writer, keys: keys, reason: "a year is simulated")
    let table = try Data(contentsOf: URL(fileURLWithPath: "/proc/self/mountinfo"))
    let namespace = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/mnt")
    try writer.commit(
      [
        .fileSystem(
          WatchedFileSystem(
            fileSystem: system, device: device, type: "ext4", mountPoint: RawPath("/"), mode: "identity", reason: "",
            since: at(start))),
        .mounts(
          MountsSeen(
            namespace: namespace, isHost: true, isFirst: true, state: .known, table: Array(table),
            time: Interval(from: at(start), to: at(start)))),
      ], covered: Interval(from: at(start), to: at(start)))

    let share = accesses / Self.sealsPerDay
    var committing: UInt64 = 0, closing: UInt64 = 0, longest: UInt64 = 0, moving: UInt64 = 0
    for day in 0..<days {
      let dawn = start + Int64(day) * Self.day
      let first = Int64(day * Self.sessionsPerDay) + 1
      for part in 0..<Self.sealsPerDay {
        let (from, to) = (
          dawn + Self.day / Int64(Self.sealsPerDay) * Int64(part),
          dawn + Self.day / Int64(Self.sealsPerDay) * Int64(part + 1)
        )
        var findings: [Finding] = []
        if part == 0 { findings += begin(first, at: from, boot: boot) }
        for index in 0..<share {
          let session = first + Int64(random.next() % UInt64(Self.sessionsPerDay))
          // Squared, so that a few files have most of the accesses.
          let roll = random.next() % 900
          let file = (UInt64(session) * 131 + roll * roll / 900) % 40_000
          let time = from + (to - from) / Int64(share) * Int64(index)
          let operations: Operations =
            roll % 5 == 0 ? [.open, .write, .closedWritable] : [.open, .read, .closedUnwritten]
          findings.append(
            .access(
              Access(
                session: session, process: session, path: path(file), name: nil,
                identity: self.file(file, on: system), operations: operations, result: 0,
                time: Interval(from: at(time), to: at(time + 5_000_000)), count: 1, attribution: .witnessed)))
        }
        for step in 0..<4 {
          // An editor's way: a new file takes the name.
          let file = random.next() % 40_000
          findings.append(
            .name(
              NameChange(
                identity: self.file(file + 100_000, on: system), from: RawPath("\(place)/projects/new\(step)"),
                to: path(file), time: Interval(from: at(from + 1), to: at(from + 2)))))
        }
        if part == Self.sealsPerDay - 1 {
          for session in first..<first + Int64(Self.sessionsPerDay) {
            findings += [.processEnded(session, at(to - 1)), .sessionEnded(session, at(to - 1))]
          }
        }
        findings.append(
          .seal(
            Seal(
              time: Interval(from: at(from), to: at(to)), bootFrom: UInt64(from), bootTo: UInt64(to),
              rulesDigest: Hash(of: [1]).bytes, canariesSent: 3, canariesSeen: 3, losses: [:],
              fileSystems: [.init(fileSystem: system, device: device, isMarked: true, hasCanary: true)])))
        let begun = Clock.monotonic.now
        try writer.commit(findings, covered: Interval(from: at(start), to: at(to)), sealing: sealer)
        try sealer.sign(writer, keys)
        let took = Clock.monotonic.now - begun
        committing += took
        longest = max(longest, took)
      }
      let begun = Clock.monotonic.now
      _ = try EpochCloser.close(state: state, writer: writer)
      closing += Clock.monotonic.now - begun
      // As the service does it, on a thread of its own, when the day's epoch is closed.
      let opened = Clock.monotonic.now
      let made = hasSegments ? try Keeper.makeSegments(writer) : 0
      if made > 0 {
        try sealer.sign(writer, keys)
        moving += Clock.monotonic.now - opened
        try tell(writer, Clock.monotonic.now - opened)
      }
      if day % 20 == 19 || day == days - 1 { say(day + 1, committing, closing, longest, moving) }
    }
    try sealer.sign(writer, keys)
    try writer.close(at: at(end))
  }

  private func begin(_ first: Int64, at time: Int64, boot: String) -> [Finding] {
    (first..<first + Int64(Self.sessionsPerDay)).flatMap { id -> [Finding] in
      let key = ProcessKey(pid: Int32(1000 + id % 30_000), startedAt: UInt64(id), provenance: .witnessed)
      let moment = Timestamp(nanoseconds: time)
      return [
        .session(
          Session(
            id: id, key: "simulated-\(id)", agent: "claude-code", started: moment, root: key, bootID: boot,
            host: "simulated", executable: RawPath("/home/ada/.local/share/claude/versions/9.9.9"),
            executableIdentity: nil, version: "9.9.9", joinedLate: false, parent: nil, relation: nil,
            facts: SessionFacts(
              uid: 1000, loginUid: 1000, userName: "ada", terminal: nil, workingDirectory: RawPath("\(place)/projects"),
              project: RawPath("\(place)/projects/p\(id % 9)")))),
        .process(
          ProcessRecord(
            id: id, session: id, key: key, parent: nil,
            executable: RawPath("/home/ada/.local/share/claude/versions/9.9.9"), processClass: .inProcess,
            started: moment)),
      ]
    }
  }

  private func tell(_ writer: StoreWriter, _ took: UInt64) throws {
    guard let segment = try writer.segments().last else { return }
    let line =
      "segment \(segment.period): \(segment.epochs.count) epochs, \(segment.size / 1_000_000) MB, "
      + "made in \(Double(took) / 1e9) s\n"
    FileHandle.standardOutput.write(Data(line.utf8))
  }

  private func say(_ day: Int, _ committing: UInt64, _ closing: UInt64, _ longest: UInt64, _ moving: UInt64) {
    var status = stat()
    _ = unsafe stat(state + "/alibi.sqlite", &status)
    let seconds = { (time: UInt64) in Double(time) / 1e9 }
    let line =
      "\(day) days, \(day * (accesses / Self.sealsPerDay) * Self.sealsPerDay) accesses, "
      + "committed and sealed in \(seconds(committing)) s (the longest seal \(seconds(longest)) s), "
      + "epochs closed in \(seconds(closing)) s, segments made in \(seconds(moving)) s, store \(status.st_size / 1_000_000) MB\n"
    FileHandle.standardOutput.write(Data(line.utf8))
  }
}

do { try Year(Array(CommandLine.arguments.dropFirst())).run() } catch {
  FileHandle.standardError.write(Data("alibi-year: \(error)\n".utf8))
  exit(1)
}
