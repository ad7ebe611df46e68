internal import Foundation
internal import Journal
internal import Lineage
internal import Records
internal import Rules

extension FuzzTarget {
  /// The whole attribution, and what a recorder left of it.
  public static let lineage = [FuzzTarget(name: "engine", run: engine), FuzzTarget(name: "snapshot", run: snapshot)]
}

/// The rules we ship, found from where this file was compiled.
private let shipped: AgentRules = {
  let top = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
  do { return try AgentRules.load(rules: top + "/rules") } catch { fatalError("\(error)") }
}()

/// Answers with what was recorded; what nobody recorded, made up from the question.
private struct MadeUpOracle: Oracle {
  var answers: [Question: Answer] = [:]

  mutating func answer(_ question: Question) -> Answer {
    if let known = answers[question] { return known }
    switch question {
    case .directory(_, _, let handle):
      // One in four is gone; the others lie in one another.
      let number = handle.reduce(0) { $0 &* 31 &+ Int($1) } & 15
      return .directory(number < 4 ? nil : Array("/d/e/f/g/h/i/j/k/l/m/n/o/p".utf8.prefix(2 * (number - 3))))
    case .facts(let pid):
      return .facts(
        pid & 1 == 0
          ? nil
          : SessionFacts(
            uid: 1000, loginUid: nil, userName: nil, terminal: nil, workingDirectory: nil, project: nil))
    case .environment: return .environment([])
    case .privilege(let pid), .gain(let pid, _):
      return .privilege(Privilege(rawValue: UInt8(truncatingIfNeeded: pid & 3)) ?? .none)
    case .node(let path): return .node(NodeKind(rawValue: UInt8(path.count & 3)))
    case .listeners(let pid, _): return .listeners(pid & 1 == 0 ? nil : [pid, pid &+ 1])
    case .readers(let pid, _, _): return .listeners([pid &+ 2])
    case .connected(let pids, _, _): return .connected(0, pids.map { $0 &+ 1 })
    case .descriptors(let pid), .held(let pid):
      let file = FileIdentity(fileSystem: 1, inode: UInt64(bitPattern: Int64(pid)), generation: 1)
      return .descriptors(UInt64(bitPattern: Int64(pid)), [HeldFile(identity: file, path: nil, isRaw: pid & 4 != 0)])
    }
  }
}

/// The batches of a recorded journal; the answers in it go to the oracle.
private func batches(of bytes: [UInt8], _ oracle: inout MadeUpOracle) -> [[UInt8]] {
  var batches: [[UInt8]] = []
  var batch: [UInt8] = []
  var offset = 0
  while offset < bytes.count {
    let start = offset
    guard let entry = try? unsafe EntryReader.next(in: bytes.span.bytes, at: &offset) else {
      if offset > start { continue }  // padding
      break
    }
    if entry.kind == .answer {
      if let exchange = try? Exchange(payload: entry.bytes) { oracle.answers[exchange.question] = exchange.answer }
      continue
    }
    batch += bytes[start..<offset]
    if entry.kind == .batchEnd {
      batches.append(batch)
      batch = []
    }
  }
  return batches + [batch]
}

/// What an engine knows in the middle of a recorded journal, and the batch that follows.
private let midway: (snapshot: [UInt8], next: [UInt8]) = {
  let top = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  do {
    let bytes = Array(try Data(contentsOf: top.appending(path: "LineageTests/Fixtures/shapes.journal")))
    var oracle = MadeUpOracle()
    let all = batches(of: bytes, &oracle)
    var engine = Engine(rules: shipped, firstSession: 1, firstProcess: 1)
    for batch in all.prefix(all.count / 2) { _ = try engine.process(RecordedBatch(batch), oracle: &oracle) }
    return (engine.snapshot(), all[all.count / 2])
  } catch {
    fatalError("\(error)")
  }
}()

/// Places in a snapshot and what is done to the byte there, three bytes each; another recorder continues with it.
@Sendable private func snapshot(_ bytes: [UInt8]) throws {
  var damaged = midway.snapshot
  var numbers = Numbers(bytes)
  while !numbers.rest.isEmpty {
    let place = Int(numbers.next(UInt16.self)) * damaged.count >> 16
    damaged[place] ^= numbers.next(UInt8.self)
  }
  guard var engine = try? Engine(snapshot: damaged, rules: shipped) else { return }
  var oracle = MadeUpOracle()
  _ = try? engine.process(RecordedBatch(midway.next), oracle: &oracle, flush: true)
  let again = try? Engine(snapshot: engine.snapshot(), rules: shipped)
  try promise(again != nil, "a snapshot cannot be read again")
}

/// A recorded journal as `alibid --record-journal` writes it, gone through again.
@Sendable private func engine(_ bytes: [UInt8]) throws {
  var oracle = MadeUpOracle()
  let batches = batches(of: bytes, &oracle)
  var engine = Engine(
    rules: shipped, firstSession: 1, firstProcess: 1, survivors: [survivor], watchedBefore: 1_000_000_000)
  var sessions: Set<Int64> = [survivor.session.id]
  for (index, batch) in batches.enumerated() {
    if index == 2 { engine.adopt(shipped) }
    let outcome = try? engine.process(RecordedBatch(batch), oracle: &oracle, flush: index == batches.count - 1)
    for finding in outcome?.findings ?? [] {
      switch finding {
      case .session(let session): sessions.insert(session.id)
      case .access(let access):
        if let session = access.session { try promise(sessions.contains(session), "an access of no session") }
        try promise((access.session == nil) == (access.attribution == .unattributed), "nobody's, but attributed")
        try promise(!access.operations.subtracting(Operations.qualifiers).isEmpty, "a close is no access")
      case .name(let change):
        let longest = max(change.from?.bytes.count ?? 0, change.to?.bytes.count ?? 0)
        try promise(longest <= 2 * bytes.count + 64, "a path longer than all that was said")
      default: break
      }
    }
  }
}

private let survivor = Survivor(
  key: ProcessKey(pid: 2, startedAt: 5, provenance: .witnessed),
  session: Session(
    id: 1000, key: "k", agent: "claude-code", started: Timestamp(seconds: 0),
    root: ProcessKey(pid: 2, startedAt: 5, provenance: .witnessed), bootID: "b", host: "h", executable: RawPath("/x"),
    executableIdentity: nil, version: nil, joinedLate: false, parent: nil, relation: nil, facts: nil),
  record: 7)
