/// One message of the process connector: `nlmsghdr`, `cn_msg`, `proc_event` (linux/cn_proc.h).
public struct ConnectorRecord: Sendable, BitwiseCopyable {
  /// What happened.
  public enum Body: Sendable, BitwiseCopyable {
    /// PROC_EVENT_FORK: `parent` is the child's real parent, which CLONE_PARENT makes the caller's parent.
    case fork(child: Int32, childThread: Int32, parent: Int32, parentThread: Int32)
    /// PROC_EVENT_EXEC
    case exec(pid: Int32)
    /// PROC_EVENT_EXIT of one thread; whether a signal ended it.
    case exit(pid: Int32, thread: Int32, isKilled: Bool)
    /// PROC_EVENT_UID or PROC_EVENT_GID: real and effective id after the change.
    case credentials(pid: Int32, isUser: Bool, real: UInt32, effective: UInt32)
    /// PROC_EVENT_PTRACE: `tracer` attached to `pid`; 0 when it let go.
    case trace(pid: Int32, tracer: Int32)
    /// PROC_EVENT_NONE: an answer to somebody's request to start or stop.
    case acknowledgement(error: UInt32)
    /// Anything else: session ids, names, core dumps.
    case other
  }

  /// The number of messages this CPU sent before; a hole is a loss.
  public var sequence: UInt32
  /// The CPU that sent it.
  public var cpu: UInt32
  /// CLOCK_MONOTONIC nanoseconds.
  public var time: UInt64
  /// What happened.
  public var body: Body

  /// Decodes the message at `offset` and moves past it; nil at the end of the buffer.
  public static func next(in bytes: RawSpan, at offset: inout Int) throws(DecodeError) -> ConnectorRecord? {
    let have = bytes.byteCount - offset
    guard have > 0 else { return nil }
    guard have >= 16 else { throw .truncated(needed: 16, have: have) }
    let length = Int(bytes.integer(UInt32.self, at: offset))
    guard length >= 16 + 20 + 16 else { throw .inconsistent }
    guard length <= have else { throw .truncated(needed: length, have: have) }
    let message = offset + 16
    let event = message + 20
    let payload = Int(bytes.integer(UInt16.self, at: message + 16))
    guard payload >= 16, event + payload <= offset + length else { throw .inconsistent }
    let data = event + 16
    func field(_ index: Int) -> Int32 { bytes.integer(Int32.self, at: data + 4 * index) }
    func needs(_ count: Int) throws(DecodeError) {
      guard payload >= 16 + count else { throw .inconsistent }
    }
    let body: Body
    let what = bytes.integer(UInt32.self, at: event)
    switch what {
    case 0:
      try needs(4)
      body = .acknowledgement(error: UInt32(bitPattern: field(0)))
    case 0x1:
      try needs(16)
      body = .fork(child: field(3), childThread: field(2), parent: field(1), parentThread: field(0))
    case 0x2:
      try needs(8)
      body = .exec(pid: field(1))
    case 0x4, 0x40:
      try needs(16)
      body = .credentials(
        pid: field(1), isUser: what == 0x4, real: UInt32(bitPattern: field(2)),
        effective: UInt32(bitPattern: field(3)))
    case 0x100:
      try needs(16)
      body = .trace(pid: field(1), tracer: field(3))
    case 0x8000_0000:
      try needs(12)
      // As wait(2) tells it.
      body = .exit(pid: field(1), thread: field(0), isKilled: field(2) & 0x7f != 0)
    default: body = .other
    }
    let record = ConnectorRecord(
      sequence: bytes.integer(UInt32.self, at: message + 8), cpu: bytes.integer(UInt32.self, at: event + 4),
      time: bytes.integer(UInt64.self, at: event + 8), body: body)
    offset += min((length + 3) & ~3, have)
    return record
  }
}
