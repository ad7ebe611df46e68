import Certificates
import MerkleLog
import Testing

@testable import Anchoring

/// A log, a witness's key, and a desk between them.
private struct Counter {
  private let logKey: SigningKey
  let witness: SigningKey
  var log: Log<MemoryHashStore>
  var desk: AnchorDesk
  private var letters: UInt64 = 0

  init(seen: (size: UInt64, time: UInt64)? = nil, records: Int = 10) throws {
    logKey = try #require(SigningKey(name: Array("alibi/test".utf8), seed: [UInt8](repeating: 1, count: 32)))
    witness = try #require(
      SigningKey(name: Array("witness".utf8), kind: .cosignature, seed: [UInt8](repeating: 2, count: 32)))
    log = try Log(MemoryHashStore())
    for number in 0..<records { try log.append(record: Array("record \(number)".utf8)) }
    desk = AnchorDesk(
      .witness(url: "http://w.example/prefix", key: witness.verifier), interval: 60_000_000_000, seen: seen)
  }

  func head(_ size: UInt64) throws -> SignedHead {
    let head = try #require(Checkpoint(origin: logKey.verifier.name, size: size, root: try log.root(size: size)))
    return SignedHead(size: size, note: try SignedNote.sign(head.text, with: [logKey]))
  }

  mutating func ask(_ size: UInt64, at now: UInt64 = 0) throws -> Letter {
    letters += 1
    return try desk.ask(try head(size), id: letters, nonce: 7, at: now) { [log] in
      try log.consistencyProof(old: $0, new: $1)
    }
  }

  mutating func answer(
    _ status: Int, _ body: String, newest: UInt64 = 10, at now: UInt64 = 0
  ) -> AnchorDesk.Outcome {
    desk.take(
      Reply(id: letters, .answered(status: status, type: "-", body: Array(body.utf8))), newest: newest, at: now)
  }

  func cosignature(_ size: UInt64, at time: UInt64 = 1_800_000_000, by key: SigningKey? = nil) throws -> String {
    let note = try #require(SignedNote(try head(size).note))
    return String(decoding: try (key ?? witness).line(signing: note.text, at: time), as: UTF8.self)
  }
}

struct WitnessDeskTests {
  @Test("a witness that knows nothing is asked from 0, without a proof, and its cosignature is kept")
  func first() throws {
    var counter = try Counter()
    #expect(counter.desk.isDue(5, at: 0))
    let letter = try counter.ask(5)
    #expect(letter.destination == .post(url: "http://w.example/prefix/add-checkpoint", type: "text/plain"))
    #expect(letter.body == Array("old 0\n\n".utf8) + (try counter.head(5).note))
    #expect(!counter.desk.isDue(5, at: 0), "it is waited for")
    let line = try counter.cosignature(5)
    guard case .anchored(let anchor) = counter.answer(200, line) else {
      Issue.record("not anchored")
      return
    }
    #expect(anchor.kind == .witness && anchor.by == counter.witness.verifier.text)
    #expect(anchor.time == 1_800_000_000_000_000_000)
    #expect(anchor.token == Array(line.utf8))
    #expect(counter.desk.seen?.size == 5 && counter.desk.problem == nil)
    #expect(!counter.desk.isDue(5, at: .max), "a head that was seen is not shown again")
    #expect(!counter.desk.isDue(6, at: 59_999_999_999))
    #expect(counter.desk.isDue(6, at: 60_000_000_000))
    #expect(counter.desk.isDue(6, at: 1, isUrgent: true))
  }

  @Test("what it saw last is where the next proof begins", arguments: 1...9)
  func proof(old: Int) throws {
    var counter = try Counter(seen: (UInt64(old), 1))
    let lines = String(decoding: try counter.ask(10).body, as: UTF8.self).split(separator: "\n")
    #expect(lines[0] == "old \(old)")
    let end = try #require(lines.firstIndex(of: "alibi/test"))
    let hashes = try lines[1..<end].map { try #require(Hash(base64: $0.utf8)) }
    #expect(
      LogCheck.isConsistent(
        old: UInt64(old), oldRoot: try counter.log.root(size: UInt64(old)), new: 10, newRoot: try counter.log.root(),
        proof: hashes))
  }

  @Test("a conflict over the size is settled with what the witness says, which it may be wrong about a few times")
  func conflict() throws {
    var counter = try Counter(seen: (3, 1))
    _ = try counter.ask(10)
    #expect(counter.answer(409, "7\n") == .again)
    #expect(try counter.ask(10).body.starts(with: Array("old 7\n".utf8)))
    #expect(counter.answer(409, "8\n") == .again)
    #expect(try counter.ask(10).body.starts(with: Array("old 8\n".utf8)))
    #expect(counter.answer(409, "6\n") == .again)
    _ = try counter.ask(10)
    #expect(counter.answer(409, "5\n") == .nothing, "it does not know itself")
    #expect(counter.desk.problem != nil && !counter.desk.isForked)
  }

  @Test("an answer that was lost: it has seen this very head, and cosigns it again")
  func lost() throws {
    var counter = try Counter(seen: (3, 1))
    _ = try counter.ask(10)
    #expect(counter.answer(409, "10\n") == .again)
    #expect(try counter.ask(10).body == Array("old 10\n\n".utf8) + (try counter.head(10).note))
    guard case .anchored = counter.answer(200, try counter.cosignature(10)) else {
      Issue.record("not anchored")
      return
    }
  }

  @Test("a witness that saw more than there is, another log of that size, or another beginning: told once, and a fork")
  func forks() throws {
    var counter = try Counter(seen: (3, 1))
    _ = try counter.ask(10)
    #expect(counter.answer(409, "11\n", newest: 11) == .again, "the log has grown meanwhile")
    counter = try Counter(seen: (3, 1))
    _ = try counter.ask(10)
    guard case .fork(let told) = counter.answer(409, "11\n") else {
      Issue.record("no fork")
      return
    }
    #expect(told.contains("11") && told.contains("10"))
    #expect(counter.desk.isForked && counter.desk.problem?.hasPrefix("FORK") == true)
    #expect(!counter.desk.isDue(10, at: 59_000_000_000), "and not asked every second")
    _ = try counter.ask(10, at: 60_000_000_000)
    #expect(counter.answer(409, "11\n") == .nothing, "told once")
    _ = try counter.ask(10)
    #expect(counter.desk.take(Reply(id: 0, .failed("x")), newest: 10, at: 0) == .nothing, "of another letter")
    #expect(counter.desk.isWaiting)
    counter.desk.abandon("gone", at: 0)
    #expect(counter.desk.problem?.hasPrefix("FORK") == true, "an outage does not hide it")
    // The log has grown past it.
    _ = try counter.ask(10)
    guard case .fork = counter.answer(422, "") else {
      Issue.record("no fork")
      return
    }
    // The same size, another root.
    counter = try Counter(seen: (10, 1))
    _ = try counter.ask(10)
    guard case .fork = counter.answer(409, "10\n") else {
      Issue.record("no fork")
      return
    }
  }

  @Test("no cosignature but the witness's own over this head is believed")
  func stranger() throws {
    let other = try #require(
      SigningKey(name: Array("witness".utf8), kind: .cosignature, seed: [UInt8](repeating: 3, count: 32)))
    var counter = try Counter()
    let good = try counter.cosignature(5)
    let bodies = [
      "", try counter.cosignature(5, by: other), try counter.cosignature(6), String(good.dropLast(3)),
      try counter.cosignature(5, at: 1 << 62), "garbage\n",
    ]
    for body in bodies {
      _ = try counter.ask(5)
      #expect(counter.answer(200, body) == .nothing, "\(body)")
      #expect(counter.desk.problem != nil && counter.desk.seen == nil)
    }
    // Among others' lines it is found.
    _ = try counter.ask(5)
    let among = counter.answer(200, try counter.cosignature(5, by: other) + good + "— x AAAA\n")
    guard case .anchored(let anchor) = among else {
      Issue.record("not anchored")
      return
    }
    #expect(anchor.token == Array(good.utf8))
  }

  @Test("who cannot be reached is asked again soon, then less and less soon, never less than the interval says")
  func backOff() throws {
    var counter = try Counter()
    var now: UInt64 = 0
    var waits: [UInt64] = []
    for _ in 0..<9 {
      _ = try counter.ask(5, at: now)
      #expect(counter.answer(500, "", at: now) == .nothing)
      waits.append(counter.desk.due - now)
      #expect(!counter.desk.isDue(5, at: now, isUrgent: true), "nobody waits for it")
      now = counter.desk.due
    }
    #expect(waits.map { $0 / 1_000_000_000 } == [1, 2, 4, 8, 16, 32, 60, 60, 60])
    #expect(counter.desk.problem == "HTTP status 500")
  }

  @Test(
    "anything but an answer of the protocol is refused",
    arguments: [(403, ""), (404, ""), (400, ""), (302, ""), (409, ""), (409, "7"), (409, "07\n"), (409, "-1\n")])
  func refused(status: Int, body: String) throws {
    var counter = try Counter()
    _ = try counter.ask(5)
    #expect(counter.answer(status, body) == .nothing)
    #expect(counter.desk.problem != nil && !counter.desk.isForked)
  }
}

struct SyslogTests {
  @Test("a head is a line that a person can compare with another")
  func line() throws {
    let head = try #require(Checkpoint(origin: Array("alibi/test".utf8), size: 7, root: .zero))
    let zero = Hash.zero.base64
    let line = SyslogLine(head: head, seal: .zero)
    #expect(line.text == "head origin=alibi/test size=7 root=\(zero) seal=\(zero)")
    #expect(line.local(pid: 3) == Array("<86>alibid[3]: \(line.text)".utf8))
    #expect(
      line.remote(pid: 3, host: "build", time: "2026-11-21T14:00:00.5Z")
        == Array("<86>1 2026-11-21T14:00:00.5Z build alibid 3 head - \(line.text)".utf8))
    #expect(line.remote(pid: 3, host: "a b", time: "T").starts(with: Array("<86>1 T - alibid".utf8)))
    #expect(SyslogLine(head: head, seal: nil).text.hasSuffix("seal=none"))
  }
}
