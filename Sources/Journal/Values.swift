/// Ends a batch: everything read since the previous end is a set whose moments lie in `lower ... upper`.
public struct BatchEnd: JournalValue, Hashable, Sendable {
  /// See `JournalValue`.
  public static let kind = EntryKind.batchEnd
  /// CLOCK_MONOTONIC: the fanotify queue was last seen empty before this batch no later than this.
  public var lower: UInt64
  /// CLOCK_MONOTONIC when the batch's last fanotify read returned; lineage was drained after it.
  public var upper: UInt64
  /// CLOCK_REALTIME at `upper`.
  public var wall: UInt64
  /// CLOCK_BOOTTIME at `upper`.
  public var boot: UInt64
  /// CLOCK_MONOTONIC before the read that found the queue empty; 0 when it was not seen empty.
  public var emptied: UInt64

  /// A batch end of these parts.
  public init(lower: UInt64, upper: UInt64, wall: UInt64, boot: UInt64, emptied: UInt64) {
    self.lower = lower
    self.upper = upper
    self.wall = wall
    self.boot = boot
    self.emptied = emptied
  }

  /// See `JournalValue`.
  public func write(to writer: inout ByteWriter) {
    writer.write(lower)
    writer.write(upper)
    writer.write(wall)
    writer.write(boot)
    writer.write(emptied)
  }

  /// See `JournalValue`.
  public init(from reader: inout ByteReader) throws(JournalError) {
    lower = try reader.integer()
    upper = try reader.integer()
    wall = try reader.integer()
    boot = try reader.integer()
    emptied = try reader.integer()
  }
}

/// Which witness missed something.
public enum LossSource: UInt8, Hashable, Sendable, CaseIterable {
  /// The identity-mode fanotify group.
  case fanotify = 1
  /// The descriptor-mode fanotify group.
  case descriptors = 2
  /// The perf task records.
  case perf = 3
  /// The process connector.
  case connector = 4
  /// The journal itself.
  case journal = 5
  /// The audit system.
  case audit = 6
  /// The fanotify group that watches /proc.
  case memory = 7

  /// The word used in gaps.
  public var label: String {
    switch self {
    case .fanotify: "fanotify"
    case .descriptors: "fanotify-descriptors"
    case .perf: "perf"
    case .connector: "connector"
    case .journal: "journal"
    case .audit: "audit"
    case .memory: "fanotify-memory"
    }
  }
}

/// Something was missed, somewhere between two moments.
public struct LossEntry: JournalValue, Hashable, Sendable {
  /// See `JournalValue`.
  public static let kind = EntryKind.loss
  /// Who missed it.
  public var source: LossSource
  /// CLOCK_MONOTONIC: all was well until here.
  public var from: UInt64
  /// CLOCK_MONOTONIC: and is again since here.
  public var to: UInt64
  /// How much, where the kernel says; else 0.
  public var count: UInt64
  /// What exactly, in a word or two.
  public var reason: [UInt8]

  /// A loss of these parts.
  public init(source: LossSource, from: UInt64, to: UInt64, count: UInt64, reason: String) {
    self.source = source
    self.from = from
    self.to = to
    self.count = count
    self.reason = Array(reason.utf8)
  }

  /// See `JournalValue`.
  public func write(to writer: inout ByteWriter) {
    writer.write(source.rawValue)
    writer.write(from)
    writer.write(to)
    writer.write(count)
    writer.write(reason)
  }

  /// See `JournalValue`.
  public init(from reader: inout ByteReader) throws(JournalError) {
    let at = reader.offset
    guard let source = LossSource(rawValue: try reader.integer()) else { throw .truncated(offset: at) }
    self.source = source
    from = try reader.integer()
    to = try reader.integer()
    count = try reader.integer()
    reason = try reader.byteString()
  }
}

/// How a file system is watched.
public enum Watching: UInt8, Hashable, Sendable {
  /// Not at all.
  case nothing = 0
  /// By identity, whole file system.
  case identity = 1
  /// By descriptors, whole file system.
  case descriptors = 2
}

/// A file system began or ceased to be watched, or cannot be.
public struct FileSystemEntry: JournalValue, Hashable, Sendable {
  /// See `JournalValue`.
  public static let kind = EntryKind.fileSystem
  /// `f_fsid`; 0 where it has none.
  public var fileSystem: UInt64
  /// `st_dev`, major in the upper and minor in the lower 32 bits.
  public var device: UInt64
  /// The type in mountinfo.
  public var type: [UInt8]
  /// Where it was found.
  public var mountPoint: [UInt8]
  /// How it is watched from `time` on.
  public var watching: Watching
  /// Why it is not, in words.
  public var reason: [UInt8]
  /// CLOCK_MONOTONIC.
  public var time: UInt64

  /// An entry of these parts.
  public init(
    fileSystem: UInt64, device: UInt64, type: [UInt8], mountPoint: [UInt8], watching: Watching, reason: String,
    time: UInt64
  ) {
    self.fileSystem = fileSystem
    self.device = device
    self.type = type
    self.mountPoint = mountPoint
    self.watching = watching
    self.reason = Array(reason.utf8)
    self.time = time
  }

  /// See `JournalValue`.
  public func write(to writer: inout ByteWriter) {
    writer.write(fileSystem)
    writer.write(device)
    writer.write(type)
    writer.write(mountPoint)
    writer.write(watching.rawValue)
    writer.write(reason)
    writer.write(time)
  }

  /// See `JournalValue`.
  public init(from reader: inout ByteReader) throws(JournalError) {
    fileSystem = try reader.integer()
    device = try reader.integer()
    type = try reader.byteString()
    mountPoint = try reader.byteString()
    let at = reader.offset
    guard let watching = Watching(rawValue: try reader.integer()) else { throw .truncated(offset: at) }
    self.watching = watching
    reason = try reader.byteString()
    time = try reader.integer()
  }
}

/// Whether a process has root's rights: a user id of root's in the host's own user namespace, or what is as good.
public enum Privilege: UInt8, Hashable, Sendable {
  /// Nobody told.
  case untold = 0
  /// It has not.
  case none = 1
  /// It has.
  case root = 2
}

/// A process found in /proc, not seen to begin.
public struct ObservedProcess: JournalValue, Hashable, Sendable {
  /// See `JournalValue`.
  public static let kind = EntryKind.observed
  /// The process id.
  public var pid: Int32
  /// Its parent now, which need not be the one that forked it.
  public var parent: Int32
  /// How many threads it had.
  public var threads: Int32
  /// CLOCK_MONOTONIC when it began, from its start ticks; zero for what began before the clock.
  public var startedAt: UInt64
  /// The path of its executable, ` (deleted)` included; empty for a kernel thread.
  public var executable: [UInt8]
  /// The file that an interpreter was told to run, if the second argument is an absolute path of one.
  public var script: [UInt8]
  /// CLOCK_MONOTONIC when it was found.
  public var time: UInt64
  /// Its rights.
  public var privilege: Privilege

  /// A process of these facts.
  public init(
    pid: Int32, parent: Int32, threads: Int32, startedAt: UInt64, executable: [UInt8], script: [UInt8], time: UInt64,
    privilege: Privilege
  ) {
    self.pid = pid
    self.parent = parent
    self.threads = threads
    self.startedAt = startedAt
    self.executable = executable
    self.script = script
    self.time = time
    self.privilege = privilege
  }

  /// See `JournalValue`.
  public func write(to writer: inout ByteWriter) {
    writer.write(pid)
    writer.write(parent)
    writer.write(threads)
    writer.write(startedAt)
    writer.write(executable)
    writer.write(script)
    writer.write(time)
    writer.write(privilege.rawValue)
  }

  /// See `JournalValue`.
  public init(from reader: inout ByteReader) throws(JournalError) {
    pid = try reader.integer()
    parent = try reader.integer()
    threads = try reader.integer()
    startedAt = try reader.integer()
    executable = try reader.byteString()
    script = try reader.byteString()
    time = try reader.integer()
    let at = reader.offset
    guard let privilege = Privilege(rawValue: try reader.integer()) else { throw .truncated(offset: at) }
    self.privilege = privilege
  }
}

/// An event of the descriptor-mode group, with what its descriptor told before it was closed.
public struct DescriptorEvent: JournalValue, Hashable, Sendable {
  /// See `JournalValue`.
  public static let kind = EntryKind.descriptorEvent
  /// FAN_* bits.
  public var mask: UInt64
  /// The process.
  public var pid: Int32
  /// `st_dev`, major in the upper and minor in the lower 32 bits.
  public var device: UInt64
  /// The inode.
  public var inode: UInt64
  /// The path behind the descriptor; empty where the kernel could not reopen the file.
  public var path: [UInt8]

  /// An event of these parts.
  public init(mask: UInt64, pid: Int32, device: UInt64, inode: UInt64, path: [UInt8]) {
    self.mask = mask
    self.pid = pid
    self.device = device
    self.inode = inode
    self.path = path
  }

  /// See `JournalValue`.
  public func write(to writer: inout ByteWriter) {
    writer.write(mask)
    writer.write(pid)
    writer.write(device)
    writer.write(inode)
    writer.write(path)
  }

  /// See `JournalValue`.
  public init(from reader: inout ByteReader) throws(JournalError) {
    mask = try reader.integer()
    pid = try reader.integer()
    device = try reader.integer()
    inode = try reader.integer()
    path = try reader.byteString()
  }
}

/// A run of the service begins.
public struct RunEntry: JournalValue, Hashable, Sendable {
  /// See `JournalValue`.
  public static let kind = EntryKind.run
  /// /proc/sys/kernel/random/boot_id
  public var bootID: [UInt8]
  /// The host's name.
  public var host: [UInt8]
  /// The service's own process: its accesses are nobody's.
  public var ownPid: Int32
  /// CLOCK_MONOTONIC
  public var monotonic: UInt64
  /// CLOCK_REALTIME
  public var wall: UInt64
  /// CLOCK_BOOTTIME
  public var boot: UInt64
  /// Whether perf task records are witnesses of this run.
  public var hasPerf: Bool
  /// Whether the process connector is a witness of this run.
  public var hasConnector: Bool

  /// A run of these facts.
  public init(
    bootID: [UInt8], host: [UInt8], ownPid: Int32, monotonic: UInt64, wall: UInt64, boot: UInt64, hasPerf: Bool,
    hasConnector: Bool
  ) {
    self.bootID = bootID
    self.host = host
    self.ownPid = ownPid
    self.monotonic = monotonic
    self.wall = wall
    self.boot = boot
    self.hasPerf = hasPerf
    self.hasConnector = hasConnector
  }

  /// See `JournalValue`.
  public func write(to writer: inout ByteWriter) {
    writer.write(bootID)
    writer.write(host)
    writer.write(ownPid)
    writer.write(monotonic)
    writer.write(wall)
    writer.write(boot)
    writer.write(UInt8(hasPerf ? 1 : 0))
    writer.write(UInt8(hasConnector ? 1 : 0))
  }

  /// See `JournalValue`.
  public init(from reader: inout ByteReader) throws(JournalError) {
    bootID = try reader.byteString()
    host = try reader.byteString()
    ownPid = try reader.integer()
    monotonic = try reader.integer()
    wall = try reader.integer()
    boot = try reader.integer()
    hasPerf = try reader.integer(UInt8.self) != 0
    hasConnector = try reader.integer(UInt8.self) != 0
  }
}
