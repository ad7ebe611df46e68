public import Records

/// A stretch of seals that is to become an epoch, and everything the store knows of it.
public struct EpochSource: Sendable {
  /// The number of the epoch; the first is 0.
  public var number: UInt64
  /// From the end of the epoch before to the end of the last seal.
  public var time: Interval
  /// The first seal in it.
  public var firstSeal: UInt64
  /// The last seal in it.
  public var lastSeal: UInt64
  /// Entries first used in it.
  public var entries: UInt64 = 0
  /// Events in it.
  public var events: UInt64 = 0
  /// Losses that were told of.
  public var lost: UInt64 = 0
  /// Nanoseconds in seals with a loss or without canaries.
  public var degraded: UInt64 = 0
  /// The texts of the CONFIG records in force.
  public var configs: [[UInt8]] = []
  /// The texts of all patterns that were ever registered.
  public var patterns: [[UInt8]] = []
  /// The file systems that were watched throughout.
  public var fileSystems: [UInt64] = []
  /// What nothing vouches for, hazards that concern every target included.
  public var gaps: [Gap] = []
  /// The kinds of hazard there were.
  public var hazards: Set<String> = []
  /// The keys of the sessions that ran.
  public var sessions: [String] = []
  /// How many of them began in it.
  public var begun: UInt64 = 0
  /// Names that files lost or got.
  public var names: [NameChange] = []
}

/// An access as an epoch's index has it: everything it must be found by.
public struct EpochAccess: Sendable, Hashable {
  /// Every name that the file bore in the epoch, as far as is known.
  public var paths: Set<RawPath> = []
  /// The last component, where no path is known.
  public var name: RawPath?
  /// The last components of names in directories that could not be told; an empty one where not even that could.
  public var untold: Set<RawPath> = []
  /// Which file.
  public var file: FileIdentity
  /// The directories above it whose identity is known.
  public var directories: Set<FileIdentity> = []
  /// The keys of the sessions that it counts for; empty where nobody can be named.
  public var sessions: [String] = []
  /// The kinds of hazard where it is one and no session's access.
  public var hazards: [String] = []
  /// Whether it did, or could have written.
  public var writes = false
  /// Whether it executed.
  public var executes = false
  /// Whether the attempt was denied.
  public var isDenied = false
}
