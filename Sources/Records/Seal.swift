/// What vouches for a time, apart from the absence of gaps: both clocks, losses, marks and canaries.
public struct Seal: Hashable, Sendable {
  /// A watched file system at the end of that time.
  public struct FileSystem: Hashable, Sendable {
    /// `f_fsid`.
    public var fileSystem: UInt64
    /// `st_dev`, major in the upper and minor in the lower 32 bits.
    public var device: UInt64
    /// Whether the kernel listed the mark.
    public var isMarked: Bool
    /// Whether the last canary made there was seen.
    public var hasCanary: Bool

    /// A file system of these facts.
    public init(fileSystem: UInt64, device: UInt64, isMarked: Bool, hasCanary: Bool) {
      self.fileSystem = fileSystem
      self.device = device
      self.isMarked = isMarked
      self.hasCanary = hasCanary
    }
  }

  /// Since the seal before, or the beginning of the run.
  public var time: Interval
  /// The same in nanoseconds of CLOCK_BOOTTIME, which nobody can set.
  public var bootFrom: UInt64
  /// See `bootFrom`.
  public var bootTo: UInt64
  /// SHA-256 of the rules in force.
  public var rulesDigest: [UInt8]
  /// How many canaries were made, and how many of them were seen.
  public var canariesSent: Int
  /// See `canariesSent`.
  public var canariesSeen: Int
  /// How often each source reported a loss.
  public var losses: [String: Int]
  /// The file systems that were watched at the end.
  public var fileSystems: [FileSystem]

  /// A seal of these parts.
  public init(
    time: Interval, bootFrom: UInt64, bootTo: UInt64, rulesDigest: [UInt8], canariesSent: Int, canariesSeen: Int,
    losses: [String: Int], fileSystems: [FileSystem]
  ) {
    self.time = time
    self.bootFrom = bootFrom
    self.bootTo = bootTo
    self.rulesDigest = rulesDigest
    self.canariesSent = canariesSent
    self.canariesSeen = canariesSeen
    self.losses = losses
    self.fileSystems = fileSystems
  }
}
