/// What an entry of the journal holds. The numbers are part of the format.
public enum EntryKind: UInt16, Sendable {
  /// Fills the end of the ring; skipped.
  case padding = 0
  /// Ends a batch: `BatchEnd`.
  case batchEnd = 1
  /// Bytes of one read() of the identity-mode fanotify group.
  case fanotify = 2
  /// Whole records of one CPU's perf ring; `aux` is the CPU.
  case perf = 3
  /// Datagrams of the process connector, each padded to four bytes.
  case connector = 4
  /// A descriptor-mode event, already turned into a path: `DescriptorEvent`.
  case descriptorEvent = 5
  /// Something was missed: `LossEntry`.
  case loss = 6
  /// A file system began or ceased to be watched: `FileSystemEntry`.
  case fileSystem = 7
  /// A process found in /proc: `ObservedProcess`.
  case observed = 8
  /// What the outside world answered to a question of the attribution.
  case answer = 9
  /// A run of the service begins: `RunEntry`.
  case run = 10
  /// A barrier somebody asked for; `aux` unused, the payload is its number.
  case barrier = 11
  /// Mounts of the host's own namespace changed: paths told before may not hold. `MovedMounts`.
  case mountsChanged = 12
  /// Another recorder continues the run: `RunEntry`.
  case resumed = 13

  /// The process whose descendants are canaries: `Nursery`. From the first one on, coverage needs heartbeats.
  case nursery = 14
  /// Canaries were made: `Heartbeat`.
  case heartbeat = 15
  /// The mounts of a namespace, as they were seen: `MountTableEntry`.
  case mountTable = 16
  /// Records of audit, each a netlink message padded to four bytes.
  case audit = 17
  /// A mark was told to audit; the payload is its number.
  case auditMark = 18
  /// Audit's rules and settings were looked at: `AuditCheck`.
  case auditCheck = 20
  /// What audit watches: `AuditPlaces`.
  case auditPlaces = 21
  /// Somebody reached what a process holds in memory: `MemoryEvent`.
  case memory = 22

  /// Whether the payload is the kernel's, event after event, each with its length in the first four bytes:
  /// `fanotify_event_metadata.event_len`, `nlmsghdr.nlmsg_len`.
  var isWalkable: Bool { self == .fanotify || self == .connector || self == .audit }
}

/// Every entry: 16 bytes of header, the payload, and filling up to a multiple of eight.
///
/// ```
/// u32 payload length | u16 kind | u16 aux | u64 mark
/// ```
/// in the machine's byte order: the journal is memory, and a recorded file is read on the same kind of machine.
public enum EntryHeader {
  /// The header's length in bytes.
  public static let size = 16

  /// The room an entry of this payload takes.
  public static func room(_ payload: Int) -> Int { size + (payload + 7) & ~7 }
}

/// Why bytes are no journal.
public enum JournalError: Error, Hashable, Sendable {
  /// An entry ends past the end of the bytes, or past what its kind needs.
  case truncated(offset: Int)
  /// An entry of a kind this version does not know.
  case unknownKind(UInt16, offset: Int)
  /// The file does not begin like a journal.
  case notAJournal
}

/// An entry in memory that the ring or a file owns.
public struct Entry: ~Escapable {
  /// What it holds.
  public let kind: EntryKind
  /// A number whose meaning the kind gives.
  public let aux: UInt16
  /// Of task records: how far the CPU's ring was read with them. Else 0.
  public let mark: UInt64
  /// What it says.
  public let payload: RawSpan

  /// An entry of these parts.
  @_lifetime(copy payload)
  public init(kind: EntryKind, aux: UInt16, mark: UInt64 = 0, payload: RawSpan) {
    self.kind = kind
    self.aux = aux
    self.mark = mark
    self.payload = payload
  }
}

/// A value that is stored as an entry's payload.
public protocol JournalValue {
  /// The kind of entry that holds it.
  static var kind: EntryKind { get }
  /// Appends the value's bytes.
  func write(to writer: inout ByteWriter)
  /// Reads the value back.
  init(from reader: inout ByteReader) throws(JournalError)
}

extension JournalValue {
  /// The value as an entry's payload.
  public var payload: [UInt8] {
    var writer = ByteWriter()
    write(to: &writer)
    return writer.bytes
  }

  /// The value that `payload` holds; it must hold nothing else.
  public init(payload: [UInt8]) throws(JournalError) {
    var reader = ByteReader(payload)
    try self.init(from: &reader)
    guard reader.isAtEnd else { throw .truncated(offset: reader.offset) }
  }
}

/// Appends integers and byte strings, little-endian.
public struct ByteWriter: Sendable {
  /// What was written.
  public private(set) var bytes: [UInt8] = []

  /// An empty writer.
  public init() {}

  /// Appends an integer.
  public mutating func write(_ value: some FixedWidthInteger) {
    unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
  }

  /// Appends a length and the bytes.
  public mutating func write(_ value: [UInt8]) {
    write(UInt32(value.count))
    bytes.append(contentsOf: value)
  }

  /// Appends a flag and, where there is one, the value.
  public mutating func write(_ value: [UInt8]?) {
    write(UInt8(value == nil ? 0 : 1))
    if let value { write(value) }
  }
}

/// Reads what `ByteWriter` wrote.
public struct ByteReader: Sendable {
  private let bytes: [UInt8]
  /// Where the next value begins.
  public private(set) var offset = 0

  /// A reader of these bytes.
  public init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  /// Whether everything was read.
  public var isAtEnd: Bool { offset == bytes.count }

  /// The next integer.
  public mutating func integer<T: FixedWidthInteger>(_ type: T.Type = T.self) throws(JournalError) -> T {
    let size = T.bitWidth / 8
    guard bytes.count - offset >= size else { throw .truncated(offset: offset) }
    var value: T = 0
    for index in (0..<size).reversed() { value = value << 8 | T(truncatingIfNeeded: bytes[offset + index]) }
    offset += size
    return value
  }

  /// The next byte string.
  public mutating func byteString() throws(JournalError) -> [UInt8] {
    let count = Int(try integer(UInt32.self))
    guard bytes.count - offset >= count else { throw .truncated(offset: offset) }
    defer { offset += count }
    return Array(bytes[offset..<(offset + count)])
  }

  /// The next byte string that may be missing.
  public mutating func optionalByteString() throws(JournalError) -> [UInt8]? {
    try integer(UInt8.self) == 0 ? nil : try byteString()
  }
}
