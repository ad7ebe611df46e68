import Decode
import LinuxKernel

/// The perf rings of all CPUs, read as one.
final class TaskWatch {
  /// One record, with the text that lay in its buffer.
  struct Seen {
    var time: UInt64
    var body: PerfRecord.Body
    /// The mapped file's path, or the name after an exec.
    var text: String
  }

  private let rings: [PerfTaskRing]
  /// Which process the rings say made which.
  private(set) var parents: [Int32: Int32] = [:]
  /// How many records the kernel says it dropped.
  private(set) var lost: UInt64 = 0

  init(bytes: Int = 1 << 22) throws {
    rings = try Procfs.onlineCPUs().map { try PerfTaskRing(cpu: $0, bytes: bytes) }
  }

  /// Everything new, by time.
  @discardableResult
  func drain() throws -> [Seen] {
    var all: [Seen] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    for ring in rings {
      while true {
        let (count, _) = unsafe buffer.withUnsafeMutableBytes { unsafe ring.copy(into: $0) }
        guard count > 0 else { break }
        ring.release(upTo: ring.tail + UInt64(count))
        let bytes = unsafe buffer.span.bytes.extracting(0..<count)
        var offset = 0
        while let record = try PerfRecord.next(in: bytes, at: &offset) { all.append(seen(record, in: bytes)) }
      }
    }
    return all.sorted { $0.time < $1.time }
  }

  /// Whether `pid` descends from `ancestor`, as far as drained.
  func descends(_ pid: Int32, from ancestor: Int32) -> Bool {
    var current = pid
    while current != ancestor {
      guard let parent = parents[current], parent != current else { return false }
      current = parent
    }
    return true
  }

  private func seen(_ record: PerfRecord, in bytes: RawSpan) -> Seen {
    var range = 0..<0
    switch record.body {
    case .fork(let child, _, let parent, _) where child != parent: parents[child] = parent
    case .lost(let count): lost += count
    case .map(let map): range = map.path
    case .exec(_, let name): range = name
    default: break
    }
    let text = range.map { unsafe bytes.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
    return Seen(time: record.time, body: record.body, text: String(decoding: text, as: UTF8.self))
  }
}

extension TaskWatch.Seen {
  /// The mapping it tells of.
  var map: PerfRecord.MapRecord? { if case .map(let map) = body { map } else { nil } }
  /// The process whose execve it tells of.
  var executed: Int32? { if case .exec(let pid, _) = body { pid } else { nil } }
  /// The thread whose end it tells of.
  var exited: (pid: Int32, thread: Int32)? {
    if case .exit(let pid, let thread) = body { (pid, thread) } else { nil }
  }
  /// The new process, not thread, that it tells of.
  var forked: (child: Int32, parent: Int32)? {
    if case .fork(let child, _, let parent, _) = body, child != parent { (child, parent) } else { nil }
  }
}
