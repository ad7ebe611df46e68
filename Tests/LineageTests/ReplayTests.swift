import Foundation
import Journal
import Records
import Rules
import Testing

@testable import Lineage

/// Answers from a recorded journal.
struct RecordedOracle: Oracle {
  var answers: [Question: [Answer]] = [:]
  var unanswered: [Question] = []

  mutating func answer(_ question: Question) -> Answer {
    if var known = answers[question], !known.isEmpty {
      let first = known.removeFirst()
      answers[question] = known.isEmpty ? [first] : known
      return first
    }
    switch question {
    case .directory, .facts, .environment: unanswered.append(question)
    // They were not asked yet when the journal was recorded.
    case .privilege, .gain, .node, .descriptors, .held, .listeners, .readers, .connected: break
    }
    switch question {
    case .directory: return .directory(nil)
    case .facts: return .facts(nil)
    case .environment: return .environment([])
    case .privilege, .gain: return .privilege(.none)
    case .node: return .node(.other)
    case .listeners, .readers: return .listeners(nil)
    case .connected: return .connected(0, [])
    case .descriptors, .held: return .descriptors(0, [])
    }
  }
}

/// What `alibid --record-journal` wrote on a real kernel, gone through again.
struct Recording {
  var batches: [[UInt8]] = []
  var oracle = RecordedOracle()

  init(_ name: String) throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/\(name)")
    let bytes = Array(try Data(contentsOf: file))
    var offset = 0
    var batch: [UInt8] = []
    while offset < bytes.count {
      let start = offset
      guard let entry = try unsafe EntryReader.next(in: bytes.span.bytes, at: &offset) else { continue }
      if entry.kind == .answer {
        let exchange = try Exchange(payload: entry.bytes)
        oracle.answers[exchange.question, default: []].append(exchange.answer)
        continue
      }
      batch += bytes[start..<offset]
      if entry.kind == .batchEnd {
        batches.append(batch)
        batch = []
      }
    }
  }

  /// - Parameter isSuccessive: whether every few batches an engine continues that the one before left as bytes.
  func replay(isSuccessive: Bool = false) throws -> (findings: [Finding], unanswered: [Question]) {
    let rules = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("rules").path
    var engine = Engine(rules: try AgentRules.load(rules: rules), firstSession: 1, firstProcess: 1)
    var oracle = oracle
    var findings: [Finding] = []
    for (index, batch) in batches.enumerated() {
      if isSuccessive, index % 5 == 1 { engine = try Engine(snapshot: engine.snapshot(), rules: engine.rules) }
      findings += try engine.process(
        RecordedBatch(batch), oracle: &oracle, flush: index == batches.count - 1
      ).findings
    }
    return (findings, oracle.unanswered)
  }
}

struct ReplayTests {
  private func accesses(_ findings: [Finding]) -> [Access] {
    findings.compactMap { if case .access(let access) = $0 { access } else { nil } }
  }

  @Test(
    "a recorded session is attributed again: a daemon, a CLONE_PARENT child, an exec by another thread",
    arguments: ["daemon.txt", "cloned.txt", "thread.txt", "nested.txt"])
  func shapes(name: String) throws {
    let (findings, unanswered) = try Recording("shapes.journal").replay()
    #expect(unanswered.isEmpty)
    let found = accesses(findings).filter { $0.path.map { $0.lastComponent.elementsEqual(name.utf8) } ?? false }
    #expect(!found.isEmpty)
    #expect(found.allSatisfy { $0.session != nil && $0.attribution == .witnessed && $0.operations.contains(.read) })
  }

  @Test("what a person read in the recording is nobody's")
  func bystander() throws {
    let (findings, _) = try Recording("shapes.journal").replay()
    #expect(!accesses(findings).contains { $0.path?.lastComponent.elementsEqual("person.txt".utf8) == true })
  }

  @Test("a recording's sessions: the agent's, and within it the one that wrote its own session file")
  func sessions() throws {
    let (findings, _) = try Recording("shapes.journal").replay()
    let sessions = findings.compactMap { if case .session(let session) = $0 { session } else { nil } }
    #expect(sessions.map(\.agent) == ["claude-code", "claude-code"])
    #expect(sessions.map(\.relation) == [nil, .nested])
    #expect(sessions.last?.parent == sessions.first?.id)
    let inner = try #require(sessions.last?.id)
    let nested = accesses(findings).filter { $0.path?.lastComponent.elementsEqual("nested.txt".utf8) == true }
    #expect(nested.allSatisfy { $0.session == inner })
  }

  @Test("the same recording gives the same findings")
  func deterministic() throws {
    let recording = try Recording("shapes.journal")
    #expect(try recording.replay().findings == recording.replay().findings)
  }

  @Test("recorders that die again and again find together what one finds that lives")
  func successive() throws {
    let recording = try Recording("shapes.journal")
    #expect(try recording.replay(isSuccessive: true).findings == recording.replay().findings)
  }

  @Test("a snapshot that is cut or of another version is refused, and never traps")
  func malformedSnapshot() throws {
    let rules = try AgentRules(documents: [])
    var engine = Engine(rules: rules, firstSession: 1, firstProcess: 1)
    let recording = try Recording("shapes.journal")
    var oracle = recording.oracle
    for batch in recording.batches.prefix(20) { _ = try engine.process(RecordedBatch(batch), oracle: &oracle) }
    let bytes = engine.snapshot()
    for count in stride(from: 0, to: bytes.count, by: bytes.count / 40) {
      #expect(throws: JournalError.self) { try Engine(snapshot: Array(bytes[..<count]), rules: rules) }
    }
    #expect(throws: JournalError.self) { try Engine(snapshot: [255] + bytes.dropFirst(), rules: rules) }
    var random = SystemRandomNumberGenerator()
    for _ in 0..<50 {
      var damaged = bytes
      damaged[Int.random(in: 4..<bytes.count, using: &random)] ^= UInt8.random(in: 1...255, using: &random)
      _ = try? Engine(snapshot: damaged, rules: rules)
    }
  }

  @Test("a recording cut anywhere never traps")
  func cut() throws {
    let recording = try Recording("shapes.journal")
    let batch = try #require(recording.batches.max { $0.count < $1.count })
    for count in stride(from: 0, to: batch.count, by: 97) {
      var engine = Engine(rules: try AgentRules(documents: []), firstSession: 1, firstProcess: 1)
      var oracle = recording.oracle
      _ = try? engine.process(RecordedBatch(Array(batch[..<count])), oracle: &oracle)
    }
  }
}
