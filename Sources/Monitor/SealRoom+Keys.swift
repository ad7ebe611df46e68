internal import LinuxKernel
internal import Logging
internal import MerkleLog
internal import Sealing
internal import Synchronization

// Rotation: on a thread of its own; nothing is signed meanwhile.
extension SealRoom {
  /// Replaces the log's keys; `answer` gets a line of JSON, on another thread.
  func rotate(_ answer: @escaping @Sendable (String) -> Void) {
    do {
      _ = try KernelThread(name: "rotation") { [self] in answer(replaceKeys()) }
    } catch {
      answer("{\"problem\":\"no thread\"}")
    }
  }

  private func replaceKeys() -> String {
    do {
      let made: KeyRotation.Made? = try keys.withLock { keys in
        guard keys != nil else { return nil }
        do {
          let made = try KeyRotation.run(state: state, writer)
          keys = made.keys
          return made
        } catch {
          // Whatever it came to, the log tells by which keys to go on.
          if let inForce = try? KeyDirectory(state: state, of: writer) { keys = inForce }
          throw error
        }
      }
      guard let made else { return "{\"problem\":\"the log's keys are not here\"}" }
      heads.signal()
      logger.notice("the log's keys have been replaced", metadata: ["record": "\(made.record)"])
      return "{\"old\":\"\(made.old.text)\",\"log\":\"\(made.keys.log.verifier.text)\","
        + "\"cert\":\"\(made.keys.certificate.verifier.text)\",\"record\":\(made.record)}"
    } catch {
      note("the keys were not replaced: \(error)")
      return "{\"problem\":\"the service's log tells\"}"
    }
  }
}
