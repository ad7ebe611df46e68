internal import Evidence
internal import LinuxKernel
internal import Logging
internal import MerkleLog
internal import Records
internal import Sealing
internal import Synchronization

// Retention and erasure: on threads of their own, through the recorder's writer, so that nothing it remembers comes back
// under a number that was erased.
extension SealRoom {
  /// Lets go what is older than it may be, and puts what was recorded in periods that are over into files; `done` gets
  /// what was let go, on another thread.
  func prune(_ done: @escaping @Sendable (Keeper.Pruned?) -> Void) {
    let start = inner.withLock { inner in
      inner.pruning.append(done)
      defer { inner.isPruning = true }
      return !inner.isPruning
    }
    guard start else { return }
    // Not joined: each transaction is whole, and what is not finished the next run finishes.
    do { _ = try KernelThread(name: "retention") { self.letGo() } } catch {
      note("what is over could not be deleted: \(error)")
      endPruning(nil)
    }
  }

  private func letGo() {
    do {
      let pruned = try Keeper.prune(writer, days: retentionDays, now: Timestamp(nanoseconds: Int64(Clock.wall.now)))
      if pruned.epochs > 0 {
        logger.notice("epochs were deleted whose time was over", metadata: ["epochs": "\(pruned.epochs)"])
        try sign()
      }
      let segments = try Keeper.makeSegments(writer)
      if segments > 0 {
        logger.notice("what was recorded in periods that are over is in files now", metadata: ["files": "\(segments)"])
        try sign()
      }
      endPruning(pruned)
    } catch {
      note("what is over could not be deleted: \(error)")
      endPruning(nil)
    }
  }

  private func endPruning(_ pruned: Keeper.Pruned?) {
    let waiting = inner.withLock { inner in
      defer { inner.pruning.removeAll() }
      inner.isPruning = false
      return inner.pruning
    }
    for done in waiting { done(pruned) }
  }

  /// What was let go, as the socket tells it.
  static func text(of pruned: Keeper.Pruned?) -> String {
    guard let pruned else { return "{\"problem\":\"the service's log tells\"}" }
    return "{\"epochs\":\(pruned.epochs),\"seals\":\(pruned.seals),\"rest\":\(pruned.rest)}"
  }

  /// Erases what the words of a request mean; `answer` gets a line of JSON, on another thread.
  func erase(_ kind: String, _ value: String, basis: String, _ answer: @escaping @Sendable (String) -> Void) {
    guard let bytes = Base64.decode(value.utf8), let basis = ErasureBasis(rawValue: basis),
      let subject = ErasureSubject(kind, String(decoding: bytes, as: UTF8.self))
    else { return answer("{\"problem\":\"no such request\"}") }
    do {
      _ = try KernelThread(name: "erasure") { [self] in
        do {
          let erased = try Keeper.erase(subject, basis: basis, writer)
          try sign()
          let kinds = erased.draft.kinds.map { "\"\($0)\"" }.joined(separator: ",")
          answer(
            "{\"erased\":\(erased.draft.count),\"kinds\":[\(kinds)],\"first\":\(erased.draft.first),"
              + "\"last\":\(erased.draft.last),\"log_empty\":\(erased.isLogEmpty)}")
        } catch ErasureRefusal.unknown {
          answer("{\"unknown\":true}")
        } catch ErasureRefusal.running(let keys) {
          answer("{\"running\":\(keys.count)}")
        } catch {
          note("an erasure failed: \(error)")
          answer("{\"problem\":\"the service's log tells\"}")
        }
      }
    } catch {
      answer("{\"problem\":\"no thread\"}")
    }
  }
}
