internal import Crypto
internal import LinuxKernel
internal import Records
internal import Synchronization

/// Computes SHA-256 of executables on a thread of its own: a few hundred megabytes each.
final class Digester: Sendable {
  private struct State {
    var waiting: [Session] = []
    var done: [(Int64, [UInt8])] = []
    var known: [FileIdentity: [UInt8]] = [:]
    var isRunning = false
    var isStopping = false
  }

  private let state = Mutex(State())

  func digest(_ session: Session) {
    let start = state.withLock { state in
      if let identity = session.executableIdentity, let known = state.known[identity] {
        state.done.append((session.id, known))
        return false
      }
      state.waiting.append(session)
      defer { state.isRunning = true }
      return !state.isRunning
    }
    // The thread ends when nothing waits; it is not joined, because it holds nothing but this object.
    if start { _ = try? KernelThread(name: "digest") { self.work() } }
  }

  func take() -> [(Int64, [UInt8])] {
    state.withLock { state in
      defer { state.done.removeAll() }
      return state.done
    }
  }

  func stop() {
    state.withLock { $0.isStopping = true }
  }

  private func work() {
    while true {
      let next = state.withLock { state -> Session? in
        if state.isStopping || state.waiting.isEmpty {
          state.isRunning = false
          return nil
        }
        return state.waiting.removeFirst()
      }
      guard let session = next else { return }
      if let known = session.executableIdentity.flatMap({ identity in state.withLock { $0.known[identity] } }) {
        state.withLock { $0.done.append((session.id, known)) }
      } else if let digest = Self.sha256(session) {
        state.withLock { state in
          state.done.append((session.id, digest))
          if let identity = session.executableIdentity { state.known[identity] = digest }
        }
      }
    }
  }

  /// Through /proc/PID/exe where the process still runs the file, else by path: an update may have replaced it.
  private static func sha256(_ session: Session) -> [UInt8]? {
    let link = "/proc/\(session.root.pid)/exe"
    let isSame = (try? Procfs.link(session.root.pid, "exe")) == session.executable.bytes
    guard
      let file = isSame
        ? try? OwnedDescriptor.open(link, .readOnly)
        : try? OwnedDescriptor.open(bytes: session.executable.bytes, .readOnly)
    else { return nil }
    var hash = SHA256()
    return unsafe withUnsafeTemporaryAllocation(byteCount: 1 << 20, alignment: 16) { buffer in
      while true {
        guard let count = try? unsafe file.read(into: buffer) else { return nil }
        if count == 0 { return Array(hash.finalize()) }
        unsafe hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      }
    }
  }
}
