internal import Decode

/// A record of either witness, with its places replaced by what is there.
enum Task: Equatable {
  case fork(child: Int32, thread: Int32, parent: Int32)
  case exec(Int32, name: [UInt8])
  case exit(Int32, thread: Int32)
  case map(
    Int32, device: UInt64, inode: UInt64, generation: UInt32, protection: UInt32, flags: UInt32, [UInt8])
  case lost(UInt64)
  case credentials(Int32, isUser: Bool, real: UInt32, effective: UInt32)
  case trace(Int32, tracer: Int32)
  case acknowledgement(UInt32)
  case other
}

struct Timed: Equatable {
  var time: UInt64
  var task: Task
  var sequence: UInt32 = 0
  var cpu: UInt32 = 0

  static func perf(in bytes: RawSpan, at offset: inout Int) throws(DecodeError) -> Timed? {
    guard let record = try PerfRecord.next(in: bytes, at: &offset) else { return nil }
    func text(_ range: Range<Int>) -> [UInt8] {
      HandleView(fileSystem: 0, type: 0, offset: range.lowerBound, count: range.count).bytes(in: bytes)
    }
    let task: Task =
      switch record.body {
      case .fork(let child, let thread, let parent, _): .fork(child: child, thread: thread, parent: parent)
      case .exec(let pid, let name): .exec(pid, name: text(name))
      case .exit(let pid, let thread): .exit(pid, thread: thread)
      case .map(let map):
        .map(
          map.pid, device: map.device, inode: map.inode, generation: map.generation,
          protection: map.protection,
          flags: map.flags, text(map.path))
      case .lost(let count): .lost(count)
      case .other: .other
      }
    return Timed(time: record.time, task: task)
  }

  static func connector(in bytes: RawSpan, at offset: inout Int) throws(DecodeError) -> Timed? {
    guard let record = try ConnectorRecord.next(in: bytes, at: &offset) else { return nil }
    let task: Task =
      switch record.body {
      case .fork(let child, let thread, let parent, _): .fork(child: child, thread: thread, parent: parent)
      case .exec(let pid): .exec(pid, name: [])
      case .exit(let pid, let thread, _): .exit(pid, thread: thread)
      case .credentials(let pid, let isUser, let real, let effective):
        .credentials(pid, isUser: isUser, real: real, effective: effective)
      case .trace(let pid, let tracer): .trace(pid, tracer: tracer)
      case .acknowledgement(let error): .acknowledgement(error)
      case .other: .other
      }
    return Timed(time: record.time, task: task, sequence: record.sequence, cpu: record.cpu)
  }
}

func perf(_ name: String) throws -> [Timed] { Walk(try captured(name), Timed.perf).items }
func connector() throws -> [Timed] { Walk(try captured("connector.bin"), Timed.connector).items }

extension [Timed] {
  var tasks: [Task] { map(\.task) }
  /// The child of each fork that made a process, not a thread, with its parent.
  var births: [(child: Int32, parent: Int32)] {
    tasks.compactMap {
      guard case .fork(let child, let thread, let parent) = $0, child == thread else { return nil }
      return (child, parent)
    }
  }
}

/// A captured buffer does not hold what it was made to hold.
struct Unexpected: Error {}
