import Journal
import Records
import Rules
import Testing

@testable import Lineage

/// Writes what the kernel would have said, batch by batch, and runs it through an engine.
struct Scene {
  static let fileSystem: UInt64 = 0xfeed
  static let device: UInt64 = 8 << 32 | 1
  static let ownPid: Int32 = 4_000_000

  /// A directory the oracle knows by its inode.
  var paths: [UInt64: String] = [
    2: "/", 10: "/usr/bin", 11: "/home/u/.local/share/claude/versions", 12: "/home/u/proj",
  ]
  var facts: [Int32: SessionFacts] = [:]
  var environments: [Int32: [String]] = [:]
  var privileges: [Int32: Privilege] = [:]
  /// What programs' files give to processes, or where the capabilities hold that they were told to have.
  var gains: [Int32: Privilege] = [:]
  /// What is no harmless device node, by path; nil where it is gone.
  var nodes: [String: NodeKind?] = [:]
  /// Who answers at an address of this host.
  var listeners: [Peer: [Int32]] = [:]
  /// Who reads a terminal, by audit's name for it.
  var readers: [String: [Int32]] = [:]
  /// Pairs of processes that are connected with each other.
  var connections: [(Int32, Int32)] = []
  /// What processes hold, and CLOCK_MONOTONIC after the look.
  var descriptors: [Int32: (UInt64, [HeldFile])] = [:]
  /// What processes have open or mapped.
  var held: [Int32: [HeldFile]] = [:]
  var engine: Engine
  var findings: [Finding] = []
  var covered: [Interval] = []
  private var entries: [UInt8] = []
  var now: UInt64 = 1_000_000_000
  /// When the queue was last seen empty.
  private var emptied: UInt64 = 1_000_000_000 - 1
  private var lastRead: UInt64?
  private var isFirstBatch = true
  /// How far the wall clock is ahead of the others, in nanoseconds.
  var clock: Int64 = 0
  private var sequence: UInt32 = 0
  private var auditSerial: UInt64 = 0
  private(set) var lastCheck: UInt64 = 0
  private var earlier: (written: [(file: FileIdentity, session: Int64?)], deputies: [FormerDeputy]) = ([], [])
  /// How many files that sessions wrote are followed.
  var mostWritten = WrittenFiles.most {
    didSet { engine.written = WrittenFiles(most: mostWritten) }
  }

  init(
    survivors: [Survivor] = [], processes: [ObservedProcess]? = nil, perf: Bool = true,
    connector: Bool = false, watchedBefore: UInt64? = nil
  ) throws {
    engine = Engine(
      rules: try AgentRules(
        documents: [RuleDocument(name: "claude.yaml", bytes: Array(Self.rules.utf8))],
        readers: [RuleDocument(name: "plain.yaml", bytes: Array(Self.readers.utf8))],
        launchers: [RuleDocument(name: "launchers.yaml", bytes: Array(Self.launchers.utf8))],
        secrets: [RuleDocument(name: "secrets.yaml", bytes: Array("names: [token]".utf8))]),
      firstSession: 1, firstProcess: 1, survivors: survivors, watchedBefore: watchedBefore)
    add(
      RunEntry(
        bootID: Array("boot".utf8), host: Array("host".utf8), ownPid: Self.ownPid, monotonic: now - 1,
        wall: now, boot: now, hasPerf: perf, hasConnector: connector))
    add(
      FileSystemEntry(
        fileSystem: Self.fileSystem, device: Self.device, type: Array("ext4".utf8), mountPoint: Array("/".utf8),
        watching: .identity, reason: "", time: now - 1))
    for process in processes ?? [
      Self.process(1, parent: 0, "/sbin/init"), Self.process(100, parent: 1, "/usr/bin/bash"),
    ] {
      add(process)
    }
    try batch()
  }

  static let launchers = """
    launchers:
      - {program: /usr/bin/tmux, shells: true}
      - {program: /usr/bin/docker}
    spools: [/var/spool/cron/atjobs]
    """

  static let readers = """
    plain-readers: [/usr/bin/cat]
    leaf-servers: [/usr/bin/resolver]
    managers: [/usr/bin/manager]
    """

  static let rules = """
    agent: claude-code
    title: Claude Code
    executables:
      - "**/claude/versions/{version}"
    interpreters:
      - programs: [node]
        scripts: ["**/@anthropic-ai/claude-code/cli.js"]
    session-files:
      - "**/sessions/{pid}.json"
      - "**/projects/*/{conversation}.jsonl"
    classes:
      - class: tool-shell
        environment: {AI_AGENT: "*_agent"}
    """

  /// What an earlier run has left.
  mutating func remember(written: [FileIdentity: Int64?], deputies: [FormerDeputy]) {
    earlier = (written.map { ($0.key, $0.value) }, deputies)
    engine.remember(written: earlier.written, deputies: deputies)
  }

  static func process(
    _ pid: Int32, parent: Int32, _ executable: String, startedAt: UInt64 = 500, privilege: Privilege = .none
  ) -> ObservedProcess {
    ObservedProcess(
      pid: pid, parent: parent, threads: 1, startedAt: startedAt, executable: Array(executable.utf8), script: [],
      time: 999_000_000, privilege: privilege)
  }

  // MARK: - What the kernel says

  mutating func add(_ value: some JournalValue) { add(value.payload, type(of: value).kind) }

  private mutating func add(_ payload: [UInt8], _ kind: EntryKind) {
    var writer = ByteWriter()
    writer.write(UInt32(payload.count))
    writer.write(kind.rawValue)
    writer.write(UInt16(0))
    writer.write(UInt64(0))
    let padding = EntryHeader.room(payload.count) - EntryHeader.size - payload.count
    entries += writer.bytes + payload + [UInt8](repeating: 0, count: padding)
  }

  /// A known process begins to make canaries.
  mutating func nursery(_ pid: Int32) { add(Nursery(pid: pid)) }

  /// Canaries were made by these processes, on the file system of the scene.
  mutating func heartbeat(_ pids: [Int32], error: Int32 = 0, isMarked: Bool = true) {
    let started = tick()
    add(
      Heartbeat(
        started: started, ended: tick(),
        canaries: pids.map { Heartbeat.Canary(device: Self.device, pid: $0, error: error) },
        marked: isMarked ? [Self.device] : []))
  }

  /// A namespace's mounts were seen, and may have been so for a millisecond.
  mutating func mounts(
    _ namespace: String, _ table: String, state: MountTableEntry.State = .known, since: UInt64? = nil
  ) {
    let seen = tick()
    add(
      MountTableEntry(
        namespace: Array(namespace.utf8), isHost: namespace == "mnt:[1]", state: state, table: Array(table.utf8),
        since: since ?? seen - 1_000_000, seen: seen))
  }

  /// Mounts came or went there.
  mutating func move(_ places: [String]) { add(MovedMounts(places: places.map { Array($0.utf8) })) }

  mutating func wait(seconds: UInt64) { now += seconds * 1_000_000_000 }

  @discardableResult
  private mutating func tick() -> UInt64 {
    now += 1000
    return now
  }

  private mutating func perf(_ type: UInt32, misc: UInt16 = 0, _ body: (inout ByteWriter) -> Void) {
    var writer = ByteWriter()
    body(&writer)
    var content = writer.bytes
    content += [UInt8](repeating: 0, count: (8 - content.count % 8) % 8)
    var record = ByteWriter()
    record.write(type)
    record.write(misc)
    record.write(UInt16(8 + content.count + 24))
    var trailer = ByteWriter()
    trailer.write(UInt64(0))
    trailer.write(tick())
    trailer.write(UInt64(0))
    add(record.bytes + content + trailer.bytes, .perf)
  }

  mutating func fork(_ parent: Int32, _ child: Int32) { fork(parent, child, thread: child) }

  mutating func fork(_ parent: Int32, _ child: Int32, thread: Int32) {
    perf(7) {
      $0.write(child)
      $0.write(parent)
      $0.write(thread)
      $0.write(parent)
      $0.write(UInt64(0))
    }
  }

  mutating func exit(_ pid: Int32, thread: Int32? = nil) {
    perf(4) {
      $0.write(pid)
      $0.write(Int32(1))
      $0.write(thread ?? pid)
      $0.write(Int32(1))
      $0.write(UInt64(0))
    }
  }

  mutating func lostPerf() {
    add(LossEntry(source: .perf, from: now, to: now + 1000, count: 3, reason: "task records lost"))
  }

  /// A committed exec without its opening, and what it maps first.
  mutating func commit(_ pid: Int32, maps inode: UInt64?, as path: String = "/program") {
    perf(3, misc: 0x2000) {
      $0.write(pid)
      $0.write(pid)
      $0.write(UInt64(0))
    }
    if let inode { map(pid, inode, path, executable: true) }
  }

  mutating func map(
    _ pid: Int32, _ inode: UInt64, _ path: String, executable: Bool = false, writable: Bool = false,
    device: UInt64 = Scene.device
  ) {
    perf(10) {
      $0.write(pid)
      $0.write(pid)
      for _ in 0..<3 { $0.write(UInt64(4096)) }
      $0.write(UInt32(device >> 32))
      $0.write(UInt32(truncatingIfNeeded: device))
      $0.write(inode)
      $0.write(UInt64(7))
      $0.write(UInt32(1 | (executable ? 4 : 0) | (writable ? 2 : 0)))
      $0.write(UInt32(writable ? 1 : 2))
      for byte in Array(path.utf8) + [0] { $0.write(byte) }
    }
  }

  /// An execve as the kernel tells it: opening for execution, commit, first mapping.
  mutating func exec(_ pid: Int32, _ directory: UInt64, _ name: String, inode: UInt64) {
    event(0x1020, pid, directory, name, inode)
    commit(pid, maps: inode)
  }

  mutating func connectorFork(_ parent: Int32, _ child: Int32, skipping: UInt32 = 0) {
    connector(1, [parent, parent, child, child], skipping: skipping)
  }

  mutating func connectorExec(_ pid: Int32) { connector(2, [pid, pid, 0, 0]) }

  /// A change of user ids: the real and the effective one.
  mutating func credentials(_ pid: Int32, _ real: Int32, _ effective: Int32) {
    connector(4, [pid, pid, real, effective])
  }

  private mutating func connector(_ what: UInt32, _ fields: [Int32], skipping: UInt32 = 0) {
    sequence += 1 + skipping
    var writer = ByteWriter()
    for field in [UInt32(76), 0, 0, 0] { writer.write(field) }
    for field in [UInt32(1), 1, sequence, 0] { writer.write(field) }
    writer.write(UInt16(40))
    writer.write(UInt16(0))
    writer.write(what)
    writer.write(UInt32(0))
    writer.write(tick())
    for field in fields { writer.write(field) }
    writer.write(UInt64(0))
    add(writer.bytes, .connector)
  }

  /// Records of one event of audit's, which ends with them: types and texts.
  mutating func audit(_ records: [(type: UInt16, text: String)], milliseconds: UInt64? = nil) {
    auditSerial += 1
    let stamp = milliseconds ?? tick() / 1_000_000
    var bytes: [UInt8] = []
    for (type, text) in records + [(1320, "")] {
      let payload = "audit(\(stamp / 1000).\(String(1000 + stamp % 1000).dropFirst()):\(auditSerial)): \(text)"
      var writer = ByteWriter()
      writer.write(UInt32(16 + payload.utf8.count))
      writer.write(type)
      writer.write(UInt16(0))
      writer.write(UInt32(0))
      writer.write(UInt32(0))
      let record = writer.bytes + Array(payload.utf8)
      bytes += record + [UInt8](repeating: 0, count: (4 - record.count % 4) % 4)
    }
    add(bytes, .audit)
  }

  /// audit watches these places of the scene's file system.
  mutating func places(_ places: [(path: String, isDirectory: Bool)]) {
    add(
      AuditPlaces(
        places: places.map {
          AuditPlaces.Place(path: Array($0.path.utf8), isDirectory: $0.isDirectory, device: Self.device)
        }))
  }

  /// A mark is told to audit.
  mutating func mark(_ number: UInt64) {
    var writer = ByteWriter()
    writer.write(number)
    add(writer.bytes, .auditMark)
  }

  /// And comes back.
  mutating func markReturns(_ number: UInt64) {
    audit([(1121, "pid=9 uid=0 auid=0 ses=1 msg='alibi-mark=\(number)'")])
  }

  /// A process was ended by a signal, as the connector tells.
  mutating func connectorKill(_ pid: Int32) { connector(0x8000_0000, [pid, pid, 9, 17]) }

  /// A look at audit's rules and settings.
  mutating func check(_ fault: String = "", lost: UInt32 = 0, change: String = "", isLast: Bool = false) {
    lastCheck = tick()
    add(AuditCheck(time: lastCheck, fault: fault, lost: lost, change: change, isLast: isLast))
  }

  /// A fanotify event. Bits as in linux/fanotify.h.
  mutating func event(
    _ mask: UInt64, _ pid: Int32, _ directory: UInt64?, _ name: String, _ inode: UInt64?,
    to: (directory: UInt64, name: String)? = nil, system: UInt64 = Scene.fileSystem
  ) {
    var infos: [UInt8] = []
    if let directory { infos += Self.info(mask & 0x1000_0000 != 0 ? 10 : 2, directory, name, system) }
    if let to { infos += Self.info(12, to.directory, to.name, system) }
    if let inode { infos += Self.info(1, inode, nil, system) }
    var writer = ByteWriter()
    writer.write(UInt32(24 + infos.count))
    writer.write(UInt8(3))
    writer.write(UInt8(0))
    writer.write(UInt16(24))
    writer.write(mask)
    writer.write(Int32(-1))
    writer.write(pid)
    add(writer.bytes + infos, .fanotify)
  }

  private static func info(_ type: UInt8, _ inode: UInt64, _ name: String?, _ system: UInt64) -> [UInt8] {
    var tail = ByteWriter()
    tail.write(system)
    tail.write(UInt32(8))
    tail.write(Int32(1))
    tail.write(UInt32(inode))
    tail.write(UInt32(7))
    var bytes = tail.bytes
    if let name { bytes += Array(name.utf8) + [0] }
    bytes += [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
    return [type, 0, UInt8((bytes.count + 4) & 0xff), UInt8((bytes.count + 4) >> 8)] + bytes
  }

  mutating func read(_ pid: Int32, _ name: String, _ inode: UInt64, in directory: UInt64 = 12) {
    event(0x31, pid, directory, name, inode)
  }

  /// Another file system is watched from now on.
  mutating func watch(_ fileSystem: UInt64, device: UInt64, type: String, at place: String) {
    add(
      FileSystemEntry(
        fileSystem: fileSystem, device: device, type: Array(type.utf8), mountPoint: Array(place.utf8),
        watching: .identity, reason: "", time: now))
  }

  mutating func overflow() { event(0x4000, 0, nil, "", nil) }

  mutating func observe(_ process: ObservedProcess) { add(process) }

  // MARK: - Batches

  /// What comes next is of the batch at hand, and later than its last read.
  mutating func endReading() { lastRead = tick() }

  /// Ends the batch. `empty` tells whether the queue was seen empty at its end.
  mutating func batch(empty: Bool = true, flush: Bool = true) throws {
    let upper = lastRead ?? tick()
    lastRead = nil
    add(
      BatchEnd(
        lower: emptied, upper: upper, wall: UInt64(bitPattern: Int64(upper) + clock), boot: upper,
        emptied: empty ? upper : 0))
    if empty { emptied = upper }
    var oracle = SceneOracle(scene: self)
    // A recorder that dies before any batch leaves a snapshot to another one, who finds the same.
    var successor = try Engine(snapshot: engine.snapshot(), rules: engine.rules)
    successor.written = WrittenFiles(most: mostWritten)
    successor.remember(written: (earlier.written + written.map { ($0.key, $0.value) }), deputies: earlier.deputies)
    let outcome = try engine.process(RecordedBatch(entries), oracle: &oracle, flush: flush)
    if !isFirstBatch {
      let again = try successor.process(RecordedBatch(entries), oracle: &oracle, flush: flush)
      #expect(again.findings == outcome.findings)
      #expect(again.covered == outcome.covered)
      #expect(again.executed == outcome.executed)
      #expect(successor.snapshot().count == engine.snapshot().count)
    }
    isFirstBatch = false
    entries = []
    findings += outcome.findings
    if let interval = outcome.covered { covered.append(interval) }
  }

  // MARK: - What came of it

  var sessions: [Session] {
    findings.compactMap { if case .session(let session) = $0 { session } else { nil } }
  }

  var accesses: [Access] {
    findings.compactMap { if case .access(let access) = $0 { access } else { nil } }
  }

  var gaps: [Gap] {
    findings.compactMap { if case .gap(let gap) = $0 { gap } else { nil } }
  }

  var incidents: [String] {
    findings.compactMap { if case .incident(let incident) = $0 { incident.kind } else { nil } }
  }

  var names: [NameChange] {
    findings.compactMap { if case .name(let name) = $0 { name } else { nil } }
  }

  var labels: [ConversationLabel] {
    findings.compactMap { if case .conversation(let label) = $0 { label } else { nil } }
  }

  var ended: [Int64] {
    findings.compactMap { if case .sessionEnded(let id, _) = $0 { id } else { nil } }
  }

  /// What the store would know to have been written.
  var written: [FileIdentity: Int64?] {
    findings.reduce(into: [:]) { files, finding in
      switch finding {
      case .written(let file, let session): files[file] = .some(session)
      case .unwritten(let file): files[file] = nil
      default: break
      }
    }
  }

  var privileged: [(session: Int64, since: Timestamp)] {
    findings.compactMap { if case .privileged(let session, let since, _) = $0 { (session, since) } else { nil } }
  }

  /// Why sessions have root's rights.
  var reasons: [String] {
    findings.compactMap { if case .privileged(_, _, let reason) = $0 { reason } else { nil } }
  }

  func accesses(_ path: String) -> [Access] { accesses.filter { $0.path == RawPath(path) } }
}

struct SceneOracle: Oracle {
  let scene: Scene

  mutating func answer(_ question: Question) -> Answer {
    switch question {
    case .directory(_, _, let handle):
      let inode = UInt64(handle[0]) | UInt64(handle[1]) << 8
      return .directory(scene.paths[inode].map { Array($0.utf8) })
    case .facts(let pid): return .facts(scene.facts[pid])
    case .environment(let pid): return .environment((scene.environments[pid] ?? []).map { Array($0.utf8) })
    case .privilege(let pid): return .privilege(scene.privileges[pid] ?? .untold)
    case .gain(let pid, _): return .privilege(scene.gains[pid] ?? .none)
    case .listeners(_, let peer): return .listeners(scene.listeners[peer] ?? nil)
    case .readers(_, _, let terminal): return .listeners(scene.readers[String(decoding: terminal, as: UTF8.self)])
    case .connected(let pids, let others, _):
      var found = Set(pids)
      var count = 0
      while found.count > count {
        count = found.count
        for (one, other) in scene.connections {
          if found.contains(one), !others.contains(one) { found.insert(other) }
          if found.contains(other), !others.contains(other) { found.insert(one) }
        }
      }
      return .connected(scene.now, found.subtracting(pids).sorted())
    case .node(let path): return .node(scene.nodes[String(decoding: path, as: UTF8.self)] ?? .other)
    case .descriptors(let pid):
      let found = scene.descriptors[pid] ?? (0, [])
      return .descriptors(found.0, found.1)
    case .held(let pid): return .descriptors(scene.now, scene.held[pid] ?? [])
    }
  }
}
