/// Somebody read or wrote, through /proc, what a process holds in memory: its memory or its environment, or the kernel's.
public struct MemoryEvent: JournalValue, Hashable, Sendable {
  /// See `JournalValue`.
  public static let kind = EntryKind.memory
  /// FAN_* bits.
  public var mask: UInt64
  /// Who did.
  public var pid: Int32
  /// The inode of the file below /proc; 0 where the kernel could not reopen it.
  public var inode: UInt64
  /// The path of that file; empty where the kernel could not reopen it, for the process whose it was is gone.
  public var path: [UInt8]
  /// CLOCK_MONOTONIC: it happened after this.
  public var since: UInt64
  /// CLOCK_MONOTONIC when the file was opened for us, or could not be.
  public var until: UInt64

  /// An event of these parts.
  public init(mask: UInt64, pid: Int32, inode: UInt64, path: [UInt8], since: UInt64, until: UInt64) {
    self.mask = mask
    self.pid = pid
    self.inode = inode
    self.path = path
    self.since = since
    self.until = until
  }

  /// See `JournalValue`.
  public func write(to writer: inout ByteWriter) {
    writer.write(mask)
    writer.write(pid)
    writer.write(inode)
    writer.write(path)
    writer.write(since)
    writer.write(until)
  }

  /// See `JournalValue`.
  public init(from reader: inout ByteReader) throws(JournalError) {
    mask = try reader.integer()
    pid = try reader.integer()
    inode = try reader.integer()
    path = try reader.byteString()
    since = try reader.integer()
    until = try reader.integer()
  }
}
