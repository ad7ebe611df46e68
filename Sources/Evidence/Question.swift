public import Records

/// What somebody wants proven.
public struct ProofQuestion: Sendable {
  /// What it is about.
  public enum Target: Sendable, Hashable {
    /// One path, and every file that bore it.
    case file(RawPath)
    /// A directory, and everything that was ever beneath it.
    case tree(RawPath)
    /// Every path that matches.
    case glob(PathPattern)
    /// One file, whatever it was called.
    case identity(FileIdentity)

    /// The target as it was asked for.
    public var text: String {
      switch self {
      case .file(let path): path.description
      case .tree(let path): path.bytes.last == UInt8(ascii: "/") ? path.description : path.description + "/"
      case .glob(let pattern): pattern.source
      case .identity(let identity): identity.description
      }
    }
  }

  /// Whose accesses count.
  public enum Scope: Sendable, Hashable {
    /// Any session's.
    case all
    /// Any session's of this agent.
    case agent(String)
    /// One session's, by key, or those of a conversation.
    case session(String)

    /// The scope in words.
    public var text: String {
      switch self {
      case .all: "any agent session"
      case .agent(let name): "any session of \(name)"
      case .session(let key): "session \(key)"
      }
    }
  }

  /// A file that bears a name of the target's now.
  public struct Bearer: Sendable, Hashable {
    /// The name.
    public var path: RawPath
    /// Which file.
    public var file: FileIdentity
    /// Since when nothing of its inode has changed, its names included; nil where that cannot be told.
    public var unchangedSince: Timestamp?

    /// A bearer of these facts.
    public init(path: RawPath, file: FileIdentity, unchangedSince: Timestamp? = nil) {
      self.path = path
      self.file = file
      self.unchangedSince = unchangedSince
    }
  }

  /// What lay at and beneath one path is told as at and beneath another.
  public struct Alias: Sendable, Hashable {
    /// As it was reached.
    public var from: RawPath
    /// As records may tell it.
    public var to: RawPath
    /// When they may: before and after, something else was there. Nil for always.
    public var time: Interval?

    /// An alias of two paths.
    public init(from: RawPath, to: RawPath, time: Interval? = nil) {
      self.from = from
      self.to = to
      self.time = time
    }
  }

  /// A file system on which the target lay for a while.
  public struct Former: Sendable, Hashable {
    /// `f_fsid`; 0 where it cannot be told.
    public var fileSystem: UInt64
    /// When.
    public var time: Interval

    /// A file system and a time.
    public init(fileSystem: UInt64, time: Interval) {
      self.fileSystem = fileSystem
      self.time = time
    }
  }

  /// What it is about.
  public var target: Target
  /// The same place by other names, as the running system tells: through symbolic links.
  public var otherNames: [RawPath] = []
  /// The same pattern with its fixed part told in other ways.
  public var otherPatterns: [PathPattern] = []
  /// What was mounted at some moment of the time: where records may tell what lay at and beneath a path.
  public var aliases: [Alias] = []
  /// File systems on which the target lay in a part of the time, besides those on which it lies.
  public var formerFileSystems: [Former] = []
  /// File systems on which the target's name lay for some session alone: what was accessed there by a name that cannot
  /// be told could be meant.
  public var sessionFileSystems: Set<UInt64> = []
  /// The files that bear the name now, or lie beneath the directory, and by which path.
  public var bearers: [Bearer] = []
  /// Whether something bears the name now.
  public var exists = true
  /// The file systems on which the target lies; nil where that cannot be told.
  public var fileSystems: Set<UInt64>?
  /// Why names of the target cannot all be followed, in words; empty where they can.
  public var obstacles: [String] = []
  /// The time asked about.
  public var time: Interval
  /// Whose accesses count.
  public var scope = Scope.all
  /// Which operations count.
  public var kind = Operations.Kind.any
  /// Whether a name that nothing bore may be proven not accessed.
  public var acceptsAbsentName = false
  /// The kinds of hazard that whoever asks accepts.
  public var accepted: Set<Verdict.AcceptableHazard> = []

  /// Whether it is about one file, whatever its names.
  var isAboutIdentity: Bool {
    if case .identity = target { true } else { false }
  }

  /// A question about any access of any session.
  public init(target: Target, time: Interval) {
    self.target = target
    self.time = time
  }
}

/// The answer.
public struct Verdict: Sendable {
  /// There are three.
  public enum Outcome: String, Sendable {
    /// It was not accessed, and the whole time is vouched for.
    case notAccessed = "not-accessed"
    /// It was.
    case accessed
    /// Nobody can say.
    case notProven = "not-proven"

    /// The words of `DESIGN.md`.
    public var words: String {
      switch self {
      case .notAccessed: "NOT ACCESSED"
      case .accessed: "ACCESSED"
      case .notProven: "NOT PROVEN"
      }
    }
  }

  /// The verdict.
  public var outcome: Outcome
  /// Accesses that were made, of the kind asked about.
  public var accesses: [AccessRow]
  /// Accesses that could have been of the kind asked about.
  public var possible: [AccessRow]
  /// Attempts that were refused: no accesses, whatever the verdict.
  public var denied: [AccessRow] = []
  /// Accesses of the target for which nobody can be named.
  public var unattributed: [AccessRow]
  /// The sub-intervals that nothing vouches for.
  public var gaps: [Gap]
  /// Whatever else is in the way.
  public var hazards: [Hazard]
  /// The time that is vouched for.
  public var covered: IntervalSet
  /// What is said of each part of the asked time.
  public var division: Division
  /// The sessions in scope that overlap the time.
  public var sessions: [Session]
  /// The names and identities that the question was extended to.
  public var names: [String]
  /// Whether any file is known to have borne the name.
  public var targetIsKnown: Bool

  /// What no verdict of this kind covers.
  public static let limits = [
    "content handed to the agent by a person or program (a pipe, paste, the editor's selection)",
    "copies of the content made by others or elsewhere",
    "metadata: stat, directory listings, extended attributes",
    "what lies behind symbolic links within a directory or a pattern: records tell real paths",
    "other processes that a session asked to act for it (docker, tmux, an ssh server), where audit was no witness",
    "other hosts",
  ]
}
