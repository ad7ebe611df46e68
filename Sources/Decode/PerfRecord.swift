/// One record of a perf task ring (perf_event_open(2), "The records"), with `sample_id_all` of TID, TIME and CPU.
public struct PerfRecord: Sendable {
  /// What the record tells.
  public enum Body: Sendable {
    /// PERF_RECORD_FORK: `parent` is the caller, also with CLONE_PARENT. A new thread has `child == parent`.
    case fork(child: Int32, childThread: Int32, parent: Int32, parentThread: Int32)
    /// PERF_RECORD_COMM with PERF_RECORD_MISC_COMM_EXEC: an execve has committed. The name's place in the buffer.
    case exec(pid: Int32, name: Range<Int>)
    /// PERF_RECORD_EXIT of one thread.
    case exit(pid: Int32, thread: Int32)
    /// PERF_RECORD_MMAP2 of a file.
    case map(MapRecord)
    /// PERF_RECORD_LOST: this many records were dropped before this one.
    case lost(UInt64)
    /// A kind that tells nothing here.
    case other
  }

  /// A file mapping.
  public struct MapRecord: Sendable {
    /// The process.
    public var pid: Int32
    /// `st_dev` of the file, major in the upper and minor in the lower 32 bits.
    public var device: UInt64
    /// The inode.
    public var inode: UInt64
    /// The inode's generation.
    public var generation: UInt32
    /// PROT_* of mmap(2).
    public var protection: UInt32
    /// MAP_* of mmap(2).
    public var flags: UInt32
    /// The place of the path as the process sees it.
    public var path: Range<Int>
  }

  /// CLOCK_MONOTONIC nanoseconds; 0 where the record carries none.
  public var time: UInt64
  /// What it tells.
  public var body: Body

  /// sample_id: pid, tid, time, cpu, reserved
  static let trailer = 24

  /// Decodes the record at `offset` and moves past it; nil at the end of the buffer.
  public static func next(in bytes: RawSpan, at offset: inout Int) throws(DecodeError) -> PerfRecord? {
    let have = bytes.byteCount - offset
    guard have > 0 else { return nil }
    guard have >= 8 else { throw .truncated(needed: 8, have: have) }
    let type = bytes.integer(UInt32.self, at: offset)
    let misc = bytes.integer(UInt16.self, at: offset + 4)
    let size = Int(bytes.integer(UInt16.self, at: offset + 6))
    guard size >= 8 else { throw .inconsistent }
    guard size <= have else { throw .truncated(needed: size, have: have) }
    let start = offset + 8
    let end = offset + size - trailer
    func needs(_ count: Int) throws(DecodeError) {
      guard end - start >= count else { throw .inconsistent }
    }
    let body: Body
    switch type {
    case 7, 4:
      try needs(24)
      let pid = bytes.integer(Int32.self, at: start)
      let thread = bytes.integer(Int32.self, at: start + 8)
      body =
        type == 4
        ? .exit(pid: pid, thread: thread)
        : .fork(
          child: pid, childThread: thread, parent: bytes.integer(Int32.self, at: start + 4),
          parentThread: bytes.integer(Int32.self, at: start + 12))
    case 3:
      try needs(8)
      let name = (start + 8)..<bytes.terminator(in: (start + 8)..<end)
      body = misc & 0x2000 != 0 ? .exec(pid: bytes.integer(Int32.self, at: start), name: name) : .other
    case 10:
      try needs(64)
      body = .map(
        MapRecord(
          pid: bytes.integer(Int32.self, at: start),
          device: UInt64(bytes.integer(UInt32.self, at: start + 32)) << 32
            | UInt64(bytes.integer(UInt32.self, at: start + 36)),
          inode: bytes.integer(UInt64.self, at: start + 40),
          generation: UInt32(truncatingIfNeeded: bytes.integer(UInt64.self, at: start + 48)),
          protection: bytes.integer(UInt32.self, at: start + 56),
          flags: bytes.integer(UInt32.self, at: start + 60),
          path: (start + 64)..<bytes.terminator(in: (start + 64)..<end)))
    case 2:
      try needs(16)
      body = .lost(bytes.integer(UInt64.self, at: start + 8))
    default: body = .other
    }
    let time = size >= 8 + trailer ? bytes.integer(UInt64.self, at: end + 8) : 0
    offset += size
    return PerfRecord(time: time, body: body)
  }
}
