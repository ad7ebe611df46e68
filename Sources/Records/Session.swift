/// One run of an agent: the process that executed it and everything that came of it.
public struct Session: Hashable, Sendable {
  /// How a session relates to the one around it.
  public enum Relation: String, Hashable, Sendable {
    /// Started from within the other by its tools: what it does counts for the other too.
    case nested
    /// Hosted by the other's daemon and claimed later: on its own account, not the other's.
    case hosted
    /// Started for the other by a process outside it, as a pane, a container, a unit, a login or a job: counts for the
    /// other too.
    case adopted

    /// Whether what the one does counts for the other.
    public var counts: Bool { self != .hosted }
  }

  /// Its number in the store, never reused.
  public var id: Int64
  /// How people name it: start, in UTC to the millisecond, and root pid.
  public var key: String
  /// The agent's name in its rule file.
  public var agent: String
  /// When it began.
  public var started: Timestamp
  /// When the last process of its tree had exited; nil while there is one.
  public var ended: Timestamp?
  /// The process that executed the agent.
  public var root: ProcessKey
  /// The boot it ran in.
  public var bootID: String
  /// The host it ran on.
  public var host: String
  /// The path of the executable, or of the script an interpreter runs.
  public var executable: RawPath
  /// Which file that was, where known.
  public var executableIdentity: FileIdentity?
  /// SHA-256 of the executable, once it was computed.
  public var executableDigest: [UInt8]?
  /// The version that the path names.
  public var version: String?
  /// Whether it ran before the service did, so that its beginning was not seen.
  public var joinedLate: Bool
  /// The session around it.
  public var parent: Int64?
  /// What it is to that session.
  public var relation: Relation?
  /// What /proc told of the root process at the start.
  public var facts: SessionFacts?

  /// A session of these facts.
  public init(
    id: Int64, key: String, agent: String, started: Timestamp, root: ProcessKey, bootID: String, host: String,
    executable: RawPath, executableIdentity: FileIdentity?, version: String?, joinedLate: Bool, parent: Int64?,
    relation: Relation?, facts: SessionFacts?
  ) {
    self.id = id
    self.key = key
    self.agent = agent
    self.started = started
    self.root = root
    self.bootID = bootID
    self.host = host
    self.executable = executable
    self.executableIdentity = executableIdentity
    self.version = version
    self.joinedLate = joinedLate
    self.parent = parent
    self.relation = relation
    self.facts = facts
  }

  /// The name of an agent whose executable nobody could explain (`DESIGN.md` §4).
  public static let unknownExecutable = "unknown-executable"

  /// The key of a session that began then with that root.
  public static func key(started: Timestamp, pid: Int32) -> String {
    let plain = started.short.utf8.filter { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: ":") }
    return String(decoding: plain, as: UTF8.self) + "-\(pid)"
  }
}

/// What /proc told of a session's root process when the session began.
public struct SessionFacts: Hashable, Sendable {
  /// The real user id.
  public var uid: UInt32
  /// The login user id (`/proc/PID/loginuid`), which sudo and su leave alone; nil where never set.
  public var loginUid: UInt32?
  /// The audit session (`/proc/PID/sessionid`), which begins with a login; nil where there was none.
  public var auditSession: UInt32?
  /// The name of the login user, else of the user.
  public var userName: String?
  /// The controlling terminal, like `pts/3`.
  public var terminal: String?
  /// The working directory.
  public var workingDirectory: RawPath?
  /// The root of the git work tree around it, else the working directory.
  public var project: RawPath?

  /// Facts of these parts.
  public init(
    uid: UInt32, loginUid: UInt32?, userName: String?, terminal: String?, workingDirectory: RawPath?,
    project: RawPath?
  ) {
    self.uid = uid
    self.loginUid = loginUid
    self.userName = userName
    self.terminal = terminal
    self.workingDirectory = workingDirectory
    self.project = project
  }

  /// The developer: login user, else user; by name where there is one.
  public var developer: String { userName ?? "uid \(loginUid ?? uid)" }
}

/// A conversation id that a session bore from a moment on.
public struct ConversationLabel: Hashable, Sendable {
  /// The session.
  public var session: Int64
  /// The id, a UUID in lower case.
  public var conversation: String
  /// From when on; until the session's next label.
  public var from: Timestamp

  /// A label of these parts.
  public init(session: Int64, conversation: String, from: Timestamp) {
    self.session = session
    self.conversation = conversation
    self.from = from
  }
}

/// A process of a session between two execs.
public struct ProcessRecord: Hashable, Sendable {
  /// Its number in the store, never reused; another one after each exec.
  public var id: Int64
  /// The innermost session it belongs to.
  public var session: Int64
  /// Which process.
  public var key: ProcessKey
  /// The record of its parent, where that is of a session too.
  public var parent: Int64?
  /// What it executes; empty where the exec was not seen.
  public var executable: RawPath
  /// What it is for the session.
  public var processClass: ProcessClass
  /// When it began to execute this.
  public var started: Timestamp
  /// The record that stands for its address space: its own, or that of the process it was forked from and whose
  /// mappings it has.
  public var space: Int64

  /// A record of these parts; without `space`, of a process with an address space of its own.
  public init(
    id: Int64, session: Int64, key: ProcessKey, parent: Int64?, executable: RawPath, processClass: ProcessClass,
    started: Timestamp, space: Int64? = nil
  ) {
    self.id = id
    self.session = session
    self.key = key
    self.parent = parent
    self.executable = executable
    self.processClass = processClass
    self.started = started
    self.space = space ?? id
  }
}

/// A process of an unfinished session that the store knows from an earlier run of the service in this boot.
public struct Survivor: Hashable, Sendable {
  /// Which process.
  public var key: ProcessKey
  /// Its session, which goes on.
  public var session: Session
  /// The record of its program.
  public var record: Int64
  /// The record that stands for its address space.
  public var space: Int64

  /// A survivor of these parts; without `space`, with an address space of its own.
  public init(key: ProcessKey, session: Session, record: Int64, space: Int64? = nil) {
    self.key = key
    self.session = session
    self.record = record
    self.space = space ?? record
  }
}
