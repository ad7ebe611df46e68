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
    /// With AUDIT_EOE, or it is of one record by its kind.
    case complete
    /// No more of it came while many records of other events did. The kernel ends events that it makes outside a
    /// system call so, but also those whose end was lost.
    case quiet
    /// It had no room: too many events were open, or it was too long. Something of it is missing.
    case cut
  }

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
    if let index = open.lastIndex(where: { $0.event.stamp == stamp }) {
      open[index].touched = count
      if open[index].event.bytes.count + place.count > longest {
        open[index].event.ending = .cut
      } else {
        open[index].event.bytes += bytes.array(place)
      }
      if record.type == .endOfEvent { body(finish(index, .complete)) }
    } else {
      if open.count == room { body(finish(0, .cut)) }
      let event = AuditEvent(stamp: stamp, bytes: bytes.array(place), ending: .complete)
      open.append(Open(event: event, touched: count))
      // An end alone: what it ends was lost, or had no room.
      if record.type == .endOfEvent { body(finish(open.count - 1, .cut)) }
    }
    while let index = open.firstIndex(where: { count - $0.touched > patience }) { body(finish(index, .quiet)) }
  }

  /// Gives out what is open: nothing more will come.
  public mutating func finish(_ body: (AuditEvent) -> Void) {
    while !open.isEmpty { body(finish(0, .quiet)) }
  }

  private mutating func finish(_ index: Int, _ ending: AuditEvent.Ending) -> AuditEvent {
    var event = open.remove(at: index).event
    if event.ending != .cut { event.ending = ending }
    return event
  }
}
