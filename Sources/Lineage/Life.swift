internal import Journal
internal import Records

/// One life of a pid, from the fork (or the look in /proc) to the exit of its last thread.
struct Life {
  /// A membership that ended at a moment, the process living on.
  struct Former {
    var session: Int64?
    var until: UInt64
  }

  var key: ProcessKey
  /// The process that forked it.
  var parent: Int32 = 0
  /// CLOCK_MONOTONIC when its last thread exited.
  var died: UInt64?
  var threads: Int32 = 1
  /// CLOCK_MONOTONIC when `threads` was read from /proc; what happened before is in that number.
  var countedAt: UInt64 = 0
  /// Which witnesses saw the birth.
  var seenByPerf = false
  var seenByConnector = false
  /// When the first of them reported it, for noticing that the other never did.
  var reportedAt: UInt64 = 0

  /// Whether it has root's rights, as far as anybody told.
  var privilege = Privilege.untold

  /// The innermost session it belongs to now.
  var session: Int64?
  /// What it belonged to before, as far as events still to come may be from then.
  var formerSessions: [Former] = []
  /// How sure the membership is.
  var certainty: Attribution = .witnessed
  /// Nobody knows where it came from: what it does cannot be anybody's.
  var isUnknown = false

  /// Outside every session: what makes it work for one.
  var deputy: Deputy?
  /// Whether it is the kernel's own thread.
  var isKernel = false
  /// Whether its program only passes on what it reads, and never acts on it.
  var isPlainReader = false
  /// What such a program has read: whose work it is what it writes, until it executes something else.
  var carried: Deputy?

  var executable = RawPath([])
  /// Whether that is an interpreter, or the loader: its program is the file it opens.
  var isInterpreter = false
  /// The agent whose program it runs, as an index into the rules.
  var agent: Int?
  /// Whether it is the root process of `session`.
  var isRoot = false
  /// CLOCK_MONOTONIC of an exec whose opening may still wait in the kernel's queue: until it is read, the process
  /// may be anybody's.
  var undecidedSince: UInt64?
  /// The process of which it was born, by way of others or not, while that was so.
  var undecidedAncestor: Int32?
  /// Whether its parent was the root process of the session it was born into.
  var isChildOfRoot = false
  /// Whether every process from the session's root down to it runs the agent's own program.
  var isAgentOnly = false
  var processClass = ProcessClass.unknown
  /// The record of its present program in the store, once there is one.
  var record: Int64?
  /// The record that stands for its address space: its own, or that of the process from which it has its mappings.
  var space: Int64?
  /// The record of the parent's program when it was born.
  var parentRecord: Int64?
  var epochStarted: UInt64 = 0

  /// Of whom those are born, by way of others or not, who go where it will be known to go.
  var undecidedOrigin: Int32? { undecidedSince == nil ? undecidedAncestor : key.pid }
  /// Whether it may turn out to be of any session.
  var mayBeAnybodys: Bool { isUnknown || undecidedSince != nil || undecidedAncestor != nil }

  func was(seenBy witness: Witness) -> Bool { witness == .perf ? seenByPerf : seenByConnector }

  /// Moves it into another session, keeping in mind where it was.
  mutating func join(_ session: Int64?, at time: UInt64) {
    formerSessions.append(Former(session: self.session, until: time))
    self.session = session
    isRoot = false
  }

  mutating func note(_ witness: Witness) {
    if witness == .perf { seenByPerf = true } else { seenByConnector = true }
  }
}

/// Who tells of forks, execs and exits.
enum Witness: Sendable {
  case perf
  case connector
}

/// Something that happened to a process at a moment.
struct LineageEvent {
  enum What {
    case fork(child: Int32, childThread: Int32, parent: Int32)
    case exec(pid: Int32)
    case exit(pid: Int32, thread: Int32)
    case map(pid: Int32, FileMapping)
    case credentials(pid: Int32, isRoot: Bool)

    /// The process that did it.
    var pid: Int32 {
      switch self {
      case .fork(_, _, let pid), .exec(let pid), .exit(let pid, _), .map(let pid, _), .credentials(let pid, _): pid
      }
    }
  }

  var time: UInt64
  var witness: Witness
  var what: What
}

/// A file mapping. Its path lies in the journal until somebody asks for it, or its batch ends.
struct FileMapping {
  /// The path, once it had to be copied.
  var copied: [UInt8]?

  var device: UInt64
  var inode: UInt64
  var generation: UInt32
  var isShared: Bool
  var isWritable: Bool
  var isExecutable: Bool
  var position: UInt64
  var path: Range<Int>

  /// The path as the process saw it.
  func path(in source: some BatchSource) -> [UInt8] { copied ?? source.bytes(at: position, path) }
}

extension LineageEvent {
  /// The event with everything in it that lies in a batch which is about to end.
  func kept(from source: some BatchSource) -> LineageEvent {
    guard case .map(let pid, var mapping) = what else { return self }
    mapping.copied = mapping.path(in: source)
    return LineageEvent(time: time, witness: witness, what: .map(pid: pid, mapping))
  }
}

extension ExecCandidate {
  init(path: RawPath) {
    self.init(identity: nil, device: nil, parent: nil, name: Array(path.lastComponent), path: path, usedIn: nil)
  }

  /// Whether it is the dynamic loader, which every program opens for execution besides itself.
  var isLoader: Bool { name.starts(with: Array("ld-".utf8)) || name.starts(with: Array("ld.so".utf8)) }
}
