internal import Evidence
internal import Foundation
internal import LinuxKernel
internal import Records

/// Talks to the running service over its socket.
struct ServiceClient {
  /// What the service says of itself.
  struct State: Decodable {
    var pid: Int32
    var committed_to: Int64?
    var open_sessions: Int
    var journal_used: UInt64
    var journal_capacity: UInt64
    var rules_problem: String?
    var store_problem: String?
  }

  private struct Barrier: Decodable {
    var committed_to: Int64?
  }

  private let path: String

  /// A client of the service whose run the store names.
  init(_ run: RunRow) {
    path = run.runDirectory + "/alibid.sock"
  }

  /// How the service is; nil when none answers.
  func state() -> State? { ask("status") }

  /// Has everything up to now committed; the moment up to which it is, nil when no service answers.
  func barrier() -> Timestamp? {
    (ask("barrier") as Barrier?)?.committed_to.map { Timestamp(nanoseconds: $0) }
  }

  private func ask<Answer: Decodable>(_ request: String) -> Answer? {
    guard let socket = try? LocalSocket.connect(path) else { return nil }
    LocalSocket.setTimeout(socket, seconds: 15)
    guard (try? LocalSocket.send(socket, Array((request + "\n").utf8))) != nil,
      let line = try? LocalSocket.receiveLine(socket, limit: 65_536)
    else { return nil }
    return try? JSONDecoder().decode(Answer.self, from: Data(line))
  }
}
