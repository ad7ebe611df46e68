/// One process, one file, one episode: what a session did, when, and how sure that is.
public struct Access: Hashable, Sendable {
  /// The innermost session; nil where nobody can be named.
  public var session: Int64?
  /// The process record; nil where nobody can be named.
  public var process: Int64?
  /// Host path at the time; nil where the directory could not be resolved.
  public var path: RawPath?
  /// The name in its directory, also where the directory is unknown; nil where the kernel gave none.
  public var name: RawPath?
  /// Which file.
  public var identity: FileIdentity
  /// What was done.
  public var operations: Operations
  /// 0, or the errno of an attempt that failed.
  public var result: Int32
  /// No earlier than this and no later than that.
  public var time: Interval
  /// How many events were folded into the episode.
  public var count: UInt32
  /// How sure it is whose it was.
  public var attribution: Attribution

  /// A record of these parts.
  public init(
    session: Int64?, process: Int64?, path: RawPath?, name: RawPath?, identity: FileIdentity,
    operations: Operations, result: Int32, time: Interval, count: UInt32, attribution: Attribution
  ) {
    self.session = session
    self.process = process
    self.path = path
    self.name = name
    self.identity = identity
    self.operations = operations
    self.result = result
    self.time = time
    self.count = count
    self.attribution = attribution
  }
}

/// A time in which something could have been missed.
public struct Gap: Hashable, Sendable {
  /// When.
  public var time: Interval
  /// Which witness, or the service itself.
  public var source: String
  /// Why, in a few words.
  public var reason: String
  /// The only file system concerned; nil for all.
  public var fileSystem: UInt64?

  /// A gap of these parts.
  public init(time: Interval, source: String, reason: String, fileSystem: UInt64?) {
    self.time = time
    self.source = source
    self.reason = reason
    self.fileSystem = fileSystem
  }
}

/// Something that should not be: witnesses that disagree, rules that have rotted.
public struct Incident: Hashable, Sendable {
  /// When it was noticed.
  public var time: Timestamp
  /// A word for the kind.
  public var kind: String
  /// What exactly.
  public var detail: String

  /// An incident of these parts.
  public init(time: Timestamp, kind: String, detail: String) {
    self.time = time
    self.kind = kind
    self.detail = detail
  }
}

/// A file system and how it is watched since a moment.
public struct WatchedFileSystem: Hashable, Sendable {
  /// `f_fsid`; 0 where it has none.
  public var fileSystem: UInt64
  /// `st_dev`, major in the upper and minor in the lower 32 bits.
  public var device: UInt64
  /// The type in mountinfo.
  public var type: String
  /// Where it was found.
  public var mountPoint: RawPath
  /// `identity`, `descriptors`, or nil where it is not watched.
  public var mode: String?
  /// Why not, or what watching it this way lacks.
  public var reason: String
  /// Since when.
  public var since: Timestamp

  /// A file system of these facts.
  public init(
    fileSystem: UInt64, device: UInt64, type: String, mountPoint: RawPath, mode: String?, reason: String,
    since: Timestamp
  ) {
    self.fileSystem = fileSystem
    self.device = device
    self.type = type
    self.mountPoint = mountPoint
    self.mode = mode
    self.reason = reason
    self.since = since
  }
}

/// What the attribution found out, in the order in which the store must write it.
public enum Finding: Hashable, Sendable {
  /// A session began, or more is known of it.
  case session(Session)
  /// A session's last process has exited.
  case sessionEnded(Int64, Timestamp)
  /// A session's executable was digested.
  case digest(session: Int64, [UInt8])
  /// A session bears another conversation id.
  case conversation(ConversationLabel)
  /// A process of a session began to execute something.
  case process(ProcessRecord)
  /// With which arguments a process of a session runs its program.
  case command(Command)
  /// As whom somebody of a session acts.
  case login(Login)
  /// A process of a session has exited, the record of its last exec.
  case processEnded(Int64, Timestamp)
  /// The last process that shared an address space has left it: nothing that was mapped in it is held any more.
  case released(space: Int64, Timestamp)
  /// A session closed a file that it had been holding open.
  case closed(session: Int64, FileIdentity, Timestamp)
  /// An access.
  case access(Access)
  /// A name changed.
  case name(NameChange)
  /// A gap.
  case gap(Gap)
  /// A session had, or may have had, root's rights from a time on, and why that is said.
  case privileged(session: Int64, Timestamp, String)
  /// A file's content, or its name, may be a session's work: of this session, or nil for of several.
  case written(FileIdentity, by: Int64?)
  /// A file that was written so has lost its only name.
  case unwritten(FileIdentity)
  /// A process outside every session began to work for one, or for more than were known.
  case deputy(ProcessKey, Deputy)
  /// It has exited.
  case deputyEnded(ProcessKey)
  /// An incident.
  case incident(Incident)
  /// A time is sealed.
  case seal(Seal)
  /// More that two witnesses told of, or one alone.
  case agreement(Agreement)
  /// A file system is watched, or not, from now on.
  case fileSystem(WatchedFileSystem)
  /// The mounts of a namespace are others from now on.
  case mounts(MountsSeen)
}
