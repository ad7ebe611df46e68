/// How capture behaves. The defaults are what a workstation needs.
public struct CaptureOptions: Sendable {
  /// How long to let the kernel merge events before they are read, in nanoseconds: 1 to 20 ms are sensible.
  public var batchInterval: UInt64 = 5_000_000
  /// After how long without events a batch is closed all the same, in milliseconds. What happens next happened
  /// after it: this is how sure the lower bound of an access is after a quiet time.
  public var idleInterval: Int32 = 200
  /// How many events the kernel may queue. Large, so that overflow is rare; bounded, so that it is an event and
  /// not the end of the machine's memory.
  public var queueLength = 1 << 20
  /// Bytes of perf records a CPU may hold, a power of two; on many CPUs less, so that one batch fits the journal.
  public var perfBytes = 4 << 20
  /// Bytes of perf records that all CPUs may hold together.
  public var perfBudget = 16 << 20
  /// Bytes of socket buffer for the process connector.
  public var connectorBytes: Int32 = 16 << 20
  /// Where audit's rules are, what it watches besides, and where it is noted what was altered for that; nil where audit is
  /// not to be a witness.
  public var audit: (rules: String, places: [String], note: String)?
  /// Bytes of the journal, a power of two.
  public var journalBytes = 64 << 20

  /// The defaults.
  public init() {}
}
