internal import CLinux
internal import Glibc

/// One CPU's perf ring of task records: fork with the true caller, exec, exit, file mappings, lost counts.
///
/// A software dummy event (perf_event_open(2)); the records carry CLOCK_MONOTONIC times.
@safe
public final class PerfTaskRing: Sendable {
  /// Readable when half of the ring is full.
  public let descriptor: OwnedDescriptor
  /// The CPU it belongs to.
  public let cpu: Int32
  // Safe to send: the mapping belongs to this value alone and lives until its deinit.
  private nonisolated(unsafe) let page: UnsafeMutableRawPointer
  private let mapped: Int
  private let dataOffset: Int
  private let dataSize: Int

  /// Opens the ring of one CPU with `bytes` of data, a power of two pages.
  ///
  /// - Throws: EACCES or EPERM without CAP_PERFMON, ENOENT or ENOSYS on a kernel without perf events.
  public convenience init(cpu: Int32, bytes: Int) throws(Errno) {
    let opened = try call { cl_perf_open_task_records(cpu, UInt32(bytes / 2)) }
    try self.init(adopting: OwnedDescriptor(adopting: opened), cpu: cpu, bytes: bytes)
  }

  /// Maps a ring that another process opened with the same size: what is in it stays.
  public init(adopting descriptor: consuming OwnedDescriptor, cpu: Int32, bytes: Int) throws(Errno) {
    let raw = descriptor.raw
    let mapped = bytes + Int(getpagesize())
    guard
      let page = unsafe mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, raw, 0),
      unsafe page != UnsafeMutableRawPointer(bitPattern: -1)
    else { throw Errno(rawValue: cl_errno()) }
    self.descriptor = descriptor
    self.cpu = cpu
    unsafe self.page = page
    self.mapped = mapped
    dataOffset = unsafe Int(cl_perf_data_offset(page))
    dataSize = unsafe Int(cl_perf_data_size(page))
  }

  deinit { _ = unsafe munmap(page, mapped) }

  /// How many bytes of records wait to be taken.
  public var pending: Int { unsafe Int(cl_perf_head(page) &- tail) }

  /// How far the records were released, in bytes since the beginning: `data_tail`, which only a reader writes.
  public var tail: UInt64 { unsafe page.load(fromByteOffset: 1032, as: UInt64.self) }

  /// Frees the room of the records before `position`.
  public func release(upTo position: UInt64) {
    if unsafe position > tail && position <= cl_perf_head(page) { unsafe cl_perf_set_tail(page, position) }
  }

  /// How many records the kernel has dropped since the ring was opened (PERF_FORMAT_LOST, Linux 6.0), also those
  /// that no record has told of yet; nil on an older kernel.
  public var lost: UInt64? {
    var value: (UInt64, UInt64) = (0, 0)
    let raw = descriptor.raw
    let count = unsafe withUnsafeMutableBytes(of: &value) { unsafe Glibc.read(raw, $0.baseAddress, $0.count) }
    return count == 16 ? value.1 : nil
  }

  /// Copies the oldest whole records, at most `target.count` bytes; `release` frees their room.
  ///
  /// Returns how many bytes were copied, and whether a PERF_RECORD_LOST is among them.
  public func copy(into target: UnsafeMutableRawBufferPointer) -> (count: Int, lost: Bool) {
    let head = unsafe cl_perf_head(page)
    let start = tail
    var end = start
    var lost = false
    while end < head {
      // perf_event_header.size, at offset 6; records are 8-aligned, so the header never wraps.
      let at = Int(end % UInt64(dataSize))
      let size = unsafe UInt64(page.load(fromByteOffset: dataOffset + at + 6, as: UInt16.self))
      guard size >= 8, end + size <= head, Int(end + size - start) <= target.count else { break }
      if unsafe page.load(fromByteOffset: dataOffset + at, as: UInt32.self) == 2 { lost = true }
      end += size
    }
    let count = Int(end - start)
    guard count > 0, let base = target.baseAddress else { return (0, false) }
    let at = Int(start % UInt64(dataSize))
    let first = min(count, dataSize - at)
    unsafe base.copyMemory(from: page + dataOffset + at, byteCount: first)
    if first < count { unsafe (base + first).copyMemory(from: page + dataOffset, byteCount: count - first) }
    return (count, lost)
  }
}
