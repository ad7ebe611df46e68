internal import LinuxKernel
internal import Logging
internal import Rules
internal import Synchronization

/// The rules by which sessions are told, read again when their files change. Malformed files change nothing but the status.
final class RulesWatch: Sendable {
  private let directory: String
  private let watches: [DirectoryWatch]
  private let logger: Logger
  private let state: Mutex<State>

  private struct State {
    var digest: [UInt8]
    var problem: String?
  }

  /// The rules at the start.
  let first: AgentRules

  init(directory: String, logger: Logger) throws(RuleError) {
    self.directory = directory
    self.logger = logger
    let rules = try AgentRules.load(rules: directory)
    first = rules
    watches = AgentRules.directories(of: directory).compactMap { try? DirectoryWatch($0) }
    state = Mutex(State(digest: rules.digest, problem: nil))
  }

  /// Readable when a file of the rules changed.
  var descriptors: [Int32] { watches.map { $0.descriptor.raw } }

  /// Why the files as they are now are not in force; nil where they are.
  var problem: String? { state.withLock { $0.problem } }

  /// Reads the files again; nil where they are the same, or malformed.
  func reload() -> AgentRules? {
    for watch in watches { watch.drain() }
    do {
      let rules = try AgentRules.load(rules: directory)
      return state.withLock { state in
        state.problem = nil
        guard rules.digest != state.digest else { return nil }
        state.digest = rules.digest
        logger.notice("rules read again", metadata: ["agents": "\(rules.agents.map(\.name).joined(separator: " "))"])
        return rules
      }
    } catch {
      state.withLock { $0.problem = "\(error)" }
      logger.error("the last good rules stay in force: \(error)")
      return nil
    }
  }
}
