internal import Evidence
internal import Foundation
internal import LinuxKernel
internal import MerkleLog
internal import Records
internal import Sealing

/// Talks to the running service over its socket.
struct ServiceClient {
  /// What the service says of itself.
  struct State: Decodable {
    /// How somebody outside stands to the log.
    struct Anchor: Decodable {
      var kind: String
      var by: String
      var size: UInt64?
      var time: Int64?
      var problem: String?
    }
    var pid: Int32
    var recorder_pid: Int32
    var committed_to: Int64?
    var open_sessions: Int
    var journal_used: UInt64
    var journal_capacity: UInt64
    var rules_problem: String?
    var canary_problem: String?
    var seal_problem: String?
    var store_problem: String?
    var lost_since: Int64?
    var audit_owner: Int32?
    var sender_pid: Int32?
    var anchor_problem: String?
    /// Nil where nobody outside is shown the log's heads.
    var anchors: [Anchor]?
  }

  private struct Barrier: Decodable {
    var committed_to: Int64?
  }

  private let path: String

  /// A client of the service whose run the store names.
  init(_ run: RunRow) {
    path = run.runDirectory + "/alibid.sock"
  }

  /// How the service is; nil when none runs.
  func state() throws(Failure) -> State? { try ask("status") }

  /// Has everything up to now committed; the moment up to which it is, nil when no service runs.
  func barrier() throws(Failure) -> Timestamp? {
    (try ask("barrier") as Barrier?)?.committed_to.map { Timestamp(nanoseconds: $0) }
  }

  /// Has everything up to now sealed, and the epoch closed; its number, nil when no service runs or it cannot.
  func closeEpoch() throws(Failure) -> UInt64? { (try ask("epoch", seconds: 600) as Epoch?)?.epoch }

  /// Has a certificate noted in the log.
  func note(certificate: String, evidence: String) throws(Failure) -> Bool {
    (try ask("cert \(certificate) \(evidence)") as Noted?)?.recorded ?? false
  }

  /// What the service erased.
  struct Erased: Decodable {
    var erased: UInt64?
    var kinds: [String]?
    var first: UInt64?
    var last: UInt64?
    var log_empty: Bool?
    var unknown: Bool?
    var running: Int?
  }

  /// Has everything deleted whose time is over.
  func prune() throws(Failure) -> Keeper.Pruned? { try ask("prune", seconds: 3600) }

  /// Has something erased.
  func erase(_ subject: ErasureSubject, basis: ErasureBasis) throws(Failure) -> Erased? {
    let (kind, value) = subject.words
    return try ask("erase \(kind) \(Base64.encode(Array(value.utf8))) \(basis.rawValue)", seconds: 600)
  }

  /// What came of a rotation.
  struct Rotated: Decodable {
    var old: String?
    var log: String?
    var cert: String?
    var record: UInt64?
    var problem: String?
  }

  /// Has the log's keys replaced.
  func rotate() throws(Failure) -> Rotated? { try ask("rotate", seconds: 60) }

  /// Has the log's head seen by whoever is configured; by how many it was, nil when no service runs.
  func anchor() throws(Failure) -> (anchored: Int, of: Int)? {
    (try ask("anchor", seconds: 20) as Anchored?).map { ($0.anchored, $0.of) }
  }

  private struct Anchored: Decodable {
    var anchored: Int
    var of: Int
  }

  private struct Epoch: Decodable {
    var epoch: UInt64?
  }

  private struct Noted: Decodable {
    var recorded: Bool
  }

  private func ask<Answer: Decodable>(_ request: String, seconds: Int = 15) throws(Failure) -> Answer? {
    let answer: [UInt8]
    do throws(Errno) {
      let socket = try LocalSocket.connect(path)
      LocalSocket.setTimeout(socket, seconds: seconds)
      try LocalSocket.send(socket, Array((request + "\n").utf8))
      answer = try LocalSocket.receiveLine(socket, limit: 65_536)
    } catch {
      switch error {
      // The last two: the recorder was killed while it was asked, and another one continues.
      case .noSuchFile, .connectionRefused, .connectionReset, .brokenPipe: return nil
      case .accessDenied:
        throw Failure(
          message: "no permission to ask the service at \(path)", hint: "run it with sudo, or join the group alibi",
          status: 77)
      case .wouldBlock:
        throw Failure(
          message: "the service does not answer", hint: "is its disk full? its log tells", status: 69)
      default: throw Failure(message: "the service at \(path): \(error)", hint: "is it running?", status: 69)
      }
    }
    // Stopping, it hangs up without a word.
    return try? JSONDecoder().decode(Answer.self, from: Data(answer))
  }
}
