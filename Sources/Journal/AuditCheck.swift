/// Whether audit's rules and settings are what the service made them, at a look.
public struct AuditCheck: JournalValue, Hashable, Sendable {
  /// See `JournalValue`.
  public static let kind = EntryKind.auditCheck
  /// CLOCK_MONOTONIC before the look.
  public var time: UInt64
  /// Why audit does not tell all that it was asked for, in words; empty where it does.
  public var fault: [UInt8]
  /// The kernel's count of lost records: a fall is as bad as a rise.
  public var lost: UInt32
  /// What was altered besides since the look before, in words; nothing is missed for that.
  public var change: [UInt8]
  /// Whether no other look follows.
  public var isLast: Bool

  /// A look of these facts.
  public init(time: UInt64, fault: String, lost: UInt32, change: String, isLast: Bool) {
    self.time = time
    self.fault = Array(fault.utf8)
    self.lost = lost
    self.change = Array(change.utf8)
    self.isLast = isLast
  }

  /// See `JournalValue`.
  public func write(to writer: inout ByteWriter) {
    writer.write(time)
    writer.write(fault)
    writer.write(lost)
    writer.write(change)
    writer.write(UInt8(isLast ? 1 : 0))
  }

  /// See `JournalValue`.
  public init(from reader: inout ByteReader) throws(JournalError) {
    time = try reader.integer()
    fault = try reader.byteString()
    lost = try reader.integer()
    change = try reader.byteString()
    isLast = try reader.integer(UInt8.self) != 0
  }
}
