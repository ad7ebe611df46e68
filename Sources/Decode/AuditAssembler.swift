/// All records of one event, as far as they came.
public struct AuditEvent: Hashable, Sendable {
  /// When, and its number.
  public var stamp: AuditStamp
  /// Its records in the order in which they came, for `AuditRecord.next`.
  public var bytes: [UInt8]
  /// How it ended.
  public var ending: Ending

  /// How an event ended.
  public enum Ending: Hashable, Sendable {
    /// With AUDIT_EOE, and with the call and as many AUDIT_PATH as the call tells of; or it is of one record by its kind.
    case complete
    /// No more of it came while many records of other events did. The kernel ends events that it makes outside a
    /// system call so, but also those whose end was lost.
    case quiet
    /// Something of it is missing: a record was lost, or there was no room for it.
    case cut
  }

  /// Goes through its records.
  public func forEach(_ body: (AuditRecord, RawSpan) -> Void) {
    let bytes = unsafe self.bytes.span.bytes
    var offset = 0
    while let record = try? AuditRecord.next(in: bytes, at: &offset) { body(record, bytes) }
  }

  /// What `read` makes of each of its records, in order; nil is left out. As in `event.all { AuditPath($0, in: $1) }`.
  public func all<Value>(_ read: (AuditRecord, RawSpan) -> Value?) -> [Value] {
    var found: [Value] = []
    forEach { record, bytes in if let value = read(record, bytes) { found.append(value) } }
    return found
  }

  /// The first that `read` makes of a record.
  public func first<Value>(_ read: (AuditRecord, RawSpan) -> Value?) -> Value? {
    var offset = 0
    let span = unsafe bytes.span.bytes
    while let record = try? AuditRecord.next(in: span, at: &offset) {
      if let value = read(record, span) { return value }
    }
    return nil
  }

  /// The bytes of a text in one of its records.
  public func bytes(of text: AuditText) -> [UInt8] { unsafe text.bytes(in: bytes.span.bytes) }

  /// The arguments of an execution, put together; nil where it is none, or where some are missing.
  public func arguments() -> [[UInt8]]? {
    var count: Int?
    var found: [[UInt8]] = []
    var offset = 0
    let bytes = unsafe self.bytes.span.bytes
    while let record = try? AuditRecord.next(in: bytes, at: &offset) {
      guard var arguments = AuditArguments(record) else { continue }
      count = count ?? AuditArguments.count(record, in: bytes)
      while let argument = arguments.next(in: bytes) {
        if argument.index == found.count, argument.part ?? 0 == 0 {
          found.append(argument.text.bytes(in: bytes))
        } else if argument.index == found.count - 1, argument.part ?? 0 > 0 {
          found[argument.index] += argument.text.bytes(in: bytes)
        } else {
          return nil
        }
      }
    }
    return count == found.count && count != nil ? found : nil
  }
}

/// Groups records of one stamp into events. Those of different events come in any order among each other.
///
/// No clock: an event without an end is over when `patience` records of others have come since its last.
public struct AuditAssembler: Sendable {
  private struct Open {
    var event: AuditEvent
    /// How many records had come when its last did.
    var touched: UInt64
    /// The AUDIT_PATH that its call tells of; nil while there is no call.
    var items: Int32?
    var paths: Int32 = 0

    mutating func count(_ record: AuditRecord, in bytes: RawSpan) {
      if record.type == .path { paths += 1 }
      if let call = AuditSyscall(record, in: bytes) { items = call.items }
    }

    /// How it ended, now that its AUDIT_EOE is here.
    var ending: AuditEvent.Ending { items.map { paths >= $0 } ?? false ? .complete : .cut }
  }

  private var open: [Open] = []
  private var count: UInt64 = 0
  private let room: Int
  private let patience: UInt64
  private let longest: Int

  /// An assembler with room for this many events at once and this many bytes for each.
  public init(room: Int = 64, patience: UInt64 = 512, longest: Int = 1 << 20) {
    precondition(room > 0)
    self.room = room
    self.patience = patience
    self.longest = longest
  }

  /// The records of events that have not ended, for another assembler to take in.
  public var waiting: [UInt8] { open.flatMap(\.event.bytes) }

  /// How many events have not ended.
  public var pending: Int { open.count }

  /// Takes the record that stands at `place`, header and padding included; gives what has ended to `body`.
  public mutating func add(
    _ record: AuditRecord, at place: Range<Int>, in bytes: RawSpan, _ body: (AuditEvent) -> Void
  ) {
    guard let stamp = record.stamp else { return }
    count += 1
    if record.type.isFromProgram {
      return body(AuditEvent(stamp: stamp, bytes: bytes.array(place), ending: .complete))
    }
    let index: Int
    if let found = open.lastIndex(where: { $0.event.stamp == stamp }) {
      index = found
      open[index].touched = count
      if open[index].event.bytes.count + place.count > longest {
        open[index].event.ending = .cut
      } else {
        open[index].event.bytes += bytes.array(place)
      }
    } else {
      if open.count == room { body(finish(0, .cut)) }
      index = open.count
      let event = AuditEvent(stamp: stamp, bytes: bytes.array(place), ending: .complete)
      open.append(Open(event: event, touched: count))
    }
    open[index].count(record, in: bytes)
    if record.type == .endOfEvent { body(finish(index, open[index].ending)) }
    while let index = open.firstIndex(where: { count - $0.touched > patience }) { body(finish(index, .quiet)) }
  }

  /// Gives out what is open: nothing more will come.
  public mutating func finish(_ body: (AuditEvent) -> Void) {
    while !open.isEmpty { body(finish(0, .quiet)) }
  }

  /// Records were lost: what is open may lack some of them.
  public mutating func lose() {
    for index in open.indices { open[index].event.ending = .cut }
  }

  private mutating func finish(_ index: Int, _ ending: AuditEvent.Ending) -> AuditEvent {
    var event = open.remove(at: index).event
    if event.ending != .cut { event.ending = ending }
    return event
  }
}
