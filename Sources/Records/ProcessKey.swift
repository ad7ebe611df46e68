/// Which process this is, and how we learned of it.
///
/// A pid alone is not an identity: the kernel reuses it. Pairing it with the start time makes two
/// lives of one pid different values.
public struct ProcessKey: Hashable, Sendable {
  /// How a process became known.
  public enum Provenance: UInt8, Hashable, Sendable {
    /// The fork that created it was seen.
    case witnessed = 0
    /// It was already there when we looked in /proc.
    case observed = 1
    /// It did something, and nobody saw it begin.
    case unknown = 2
  }

  /// The process id (thread-group id) in the initial pid namespace.
  public var pid: Int32
  /// When it began: CLOCK_MONOTONIC nanoseconds within its boot.
  public var startedAt: UInt64
  /// How it became known.
  public var provenance: Provenance

  /// A key of these parts.
  public init(pid: Int32, startedAt: UInt64, provenance: Provenance) {
    self.pid = pid
    self.startedAt = startedAt
    self.provenance = provenance
  }
}

/// How sure it is that an access belongs to its session.
public enum Attribution: UInt8, Hashable, Sendable, Comparable {
  /// Every fork from the session's root down to the process was seen.
  case witnessed = 0
  /// The process, or an ancestor, was found in /proc.
  case observed = 1
  /// It may also have been somebody else's; it counts for each candidate.
  case ambiguous = 2
  /// Nobody can be named for it.
  case unattributed = 3

  /// Orders from sure to unsure.
  public static func < (left: Attribution, right: Attribution) -> Bool { left.rawValue < right.rawValue }

  /// The word used in answers.
  public var label: String {
    switch self {
    case .witnessed: "witnessed"
    case .observed: "observed"
    case .ambiguous: "ambiguous"
    case .unattributed: "unattributed"
    }
  }
}

/// What a process is for the session it belongs to, where that can be told.
public enum ProcessClass: String, Hashable, Sendable, CaseIterable {
  /// The agent's own process: its in-process tools.
  case inProcess = "in-process"
  /// A shell the model asked for, and what it started.
  case toolShell = "tool-shell"
  /// The agent's own program or a tool it starts on its own account.
  case helper
  /// A hook from the user's settings.
  case hook
  /// A server of the Model Context Protocol.
  case mcpServer = "mcp-server"
  /// Not told.
  case unknown
}
