internal import Evidence
internal import LinuxKernel
internal import MerkleLog
internal import Records
internal import Sealing

/// Changes what is kept: by the running service, and where none runs by this process, which must be root's then.
struct Keeping {
  private let state: String
  private let service: ServiceClient?

  init(_ store: StoreReader, state: String) throws {
    self.state = state
    service = try store.runs().last.map(ServiceClient.init)
  }

  /// Whether a service runs that can be asked.
  func isServed() throws -> Bool { try service?.state() != nil }

  func prune() throws -> Keeper.Pruned {
    if let service, try isServed() {
      guard let pruned = try service.prune() else { throw Self.refusal }
      return pruned
    }
    return try atRest { writer in try Keeper.prune(writer, days: 0, now: .now) }
  }

  /// What was erased; nil where there is nothing of the kind.
  func erase(_ subject: ErasureSubject, basis: ErasureBasis) throws -> Erased? {
    if let service, try isServed() {
      guard let answer = try service.erase(subject, basis: basis) else { throw Self.refusal }
      if answer.unknown == true { return nil }
      if let running = answer.running { throw Self.stillRunning(running) }
      guard let count = answer.erased, let kinds = answer.kinds, let first = answer.first, let last = answer.last else {
        throw Self.refusal
      }
      return Erased(
        count: count, kinds: kinds, firstEpoch: first, lastEpoch: last, isLogEmpty: answer.log_empty ?? false)
    }
    do {
      return try atRest { writer in
        let erased = try Keeper.erase(subject, basis: basis, writer)
        return Erased(
          count: erased.draft.count, kinds: erased.draft.kinds, firstEpoch: erased.draft.first,
          lastEpoch: erased.draft.last, isLogEmpty: erased.isLogEmpty)
      }
    } catch ErasureRefusal.unknown {
      return nil
    } catch ErasureRefusal.running(let keys) {
      throw Self.stillRunning(keys.count)
    }
  }

  /// Replaces the log's keys.
  func rotate() throws -> Rotated {
    if let service, try isServed() {
      guard let answer = try service.rotate() else { throw Self.refusal }
      if let problem = answer.problem {
        throw Failure(message: "the keys were not replaced: \(problem)", hint: Self.afterRotation, status: 74)
      }
      guard let old = answer.old, let log = answer.log, let cert = answer.cert, let record = answer.record else {
        throw Self.refusal
      }
      return Rotated(old: old, log: log, cert: cert, record: record)
    }
    do {
      return try atRest { writer in
        let made = try KeyRotation.run(state: state, writer)
        return Rotated(
          old: made.old.text, log: made.keys.log.verifier.text, cert: made.keys.certificate.verifier.text,
          record: made.record)
      }
    } catch let error as KeyError {
      throw Failure(message: "the keys were not replaced: \(error)", hint: Self.afterRotation, status: 74)
    }
  }

  private static let afterRotation = "`alibi key show` tells which keys are in force; nothing is lost by trying again"

  struct Rotated: Encodable {
    var old: String
    var log: String
    var cert: String
    var record: UInt64
  }

  struct Erased: Encodable {
    var count: UInt64
    var kinds: [String]
    var firstEpoch: UInt64
    var lastEpoch: UInt64
    var isLogEmpty: Bool
  }

  private func atRest<R>(_ body: (StoreWriter) throws -> R) throws -> R {
    guard Procfs.effectiveUser == 0 else {
      throw Failure(message: "only root may change what is kept", hint: "run it with sudo", status: 77)
    }
    guard let lock = try? OwnFiles.lock(state + "/lock") else {
      throw Failure(
        message: "a service uses \(state), and does not answer", hint: "`alibi status --state \(state)`", status: 69)
    }
    // What root makes here the service's readers must be able to read.
    OwnFiles.keepFromOthers()
    defer { withExtendedLifetime(lock) {} }
    let writer = try StoreWriter(atRest: state)
    let result: R
    do {
      result = try body(writer)
      do {
        let keys = try KeyDirectory(state: state, of: writer)
        try Sealer.sign(writer, keys)
        try KeyRotation.settle(keys, state: state, writer)
      } catch let error as KeyError {
        Output.complain("alibi: note: the head is not signed: \(error)")
      }
    } catch {
      try? writer.closeAtRest()
      throw error
    }
    try writer.closeAtRest()
    return result
  }

  private static func stillRunning(_ count: Int) -> Failure {
    Failure(
      message: "\(count) of these sessions have not ended", hint: "end them first: what they do next would be recorded",
      status: 75)
  }

  private static let refusal = Failure(
    message: "the service could not do it", hint: "only root may ask for it; the service's log tells", status: 69)
}
