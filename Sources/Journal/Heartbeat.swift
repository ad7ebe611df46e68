/// The process that makes canaries.
public struct Nursery: JournalValue, Hashable, Sendable {
  /// See `JournalValue`.
  public static let kind = EntryKind.nursery
  /// Its pid; 0 where it could not be started.
  public var pid: Int32

  /// A nursery of this pid.
  public init(pid: Int32) {
    self.pid = pid
  }

  /// See `JournalValue`.
  public func write(to writer: inout ByteWriter) { writer.write(pid) }

  /// See `JournalValue`.
  public init(from reader: inout ByteReader) throws(JournalError) { pid = try reader.integer() }
}

/// Accesses that were made for being seen, all before the batch that holds this entry was read.
public struct Heartbeat: JournalValue, Hashable, Sendable {
  /// One access.
  public struct Canary: Hashable, Sendable {
    /// `st_dev` of the file system, major in the upper and minor in the lower 32 bits.
    public var device: UInt64
    /// Who made it; 0 where nobody answered.
    public var pid: Int32
    /// Why it was not made, as an errno; 0 where it was.
    public var error: Int32

    /// A canary of these parts.
    public init(device: UInt64, pid: Int32, error: Int32) {
      self.device = device
      self.pid = pid
      self.error = error
    }
  }

  /// See `JournalValue`.
  public static let kind = EntryKind.heartbeat
  /// CLOCK_MONOTONIC before the first of them was ordered, and when the last answer was there.
  public var started: UInt64
  /// See `started`.
  public var ended: UInt64
  /// The accesses.
  public var canaries: [Canary]
  /// The devices whose marks the kernel still lists in fdinfo.
  public var marked: [UInt64]

  /// A heartbeat of these parts.
  public init(started: UInt64, ended: UInt64, canaries: [Canary], marked: [UInt64]) {
    self.started = started
    self.ended = ended
    self.canaries = canaries
    self.marked = marked
  }

  /// See `JournalValue`.
  public func write(to writer: inout ByteWriter) {
    writer.write(started)
    writer.write(ended)
    writer.write(UInt32(canaries.count))
    for canary in canaries {
      writer.write(canary.device)
      writer.write(canary.pid)
      writer.write(canary.error)
    }
    writer.write(UInt32(marked.count))
    for device in marked { writer.write(device) }
  }

  /// See `JournalValue`.
  public init(from reader: inout ByteReader) throws(JournalError) {
    started = try reader.integer()
    ended = try reader.integer()
    canaries = []
    for _ in 0..<(try reader.integer(UInt32.self)) {
      canaries.append(
        Canary(device: try reader.integer(), pid: try reader.integer(), error: try reader.integer()))
    }
    marked = []
    for _ in 0..<(try reader.integer(UInt32.self)) { marked.append(try reader.integer()) }
  }
}
