import Decode
import LinuxKernel
import TestSupport

/// One fanotify event, taken out of its buffer.
struct Sighting: CustomStringConvertible {
  var pid: Int32
  var mask: FanotifyMask
  var directory: DecodedHandle?
  var name: String
  var target: DecodedHandle?
  var newDirectory: DecodedHandle?
  var newName: String
  var mount: UInt64?

  init(_ record: FanotifyRecord, in bytes: RawSpan) {
    func text(_ range: Range<Int>) -> String {
      var out: [UInt8] = []
      for index in range { out.append(unsafe bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self)) }
      return String(decoding: out, as: UTF8.self)
    }
    pid = record.pid
    mask = record.mask
    directory = record.directory?.decoded(in: bytes)
    name = text(record.name)
    target = record.target?.decoded(in: bytes)
    newDirectory = record.newDirectory?.decoded(in: bytes)
    newName = text(record.newName)
    mount = record.mount
  }

  var description: String {
    "pid \(pid) mask \(String(mask.rawValue, radix: 16)) name '\(name)' inode \(target?.inode ?? 0)"
  }
}

/// A fanotify group and what it tells.
struct FileWatch {
  let group: FanotifyGroup

  /// A group that watches the whole file system of `directory`.
  init(_ directory: ScratchDirectory) throws {
    group = try FanotifyGroup(.identity)
    try mark(directory.path)
  }

  /// A group without a mark.
  init(_ mode: FanotifyGroup.Mode) throws { group = try FanotifyGroup(mode) }

  /// Watches the whole file system at `path`.
  func mark(_ path: String) throws {
    try group.mark(.fileSystem, mask: FanotifyMask.files.rawValue, path: Array(path.utf8))
  }

  /// Everything that waits in the queue.
  func read() throws -> [Sighting] {
    var sightings: [Sighting] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count: Int
      do {
        count = try unsafe buffer.withUnsafeMutableBytes { unsafe try group.descriptor.read(into: $0) }
      } catch let error as Errno where error == .wouldBlock {
        return sightings
      }
      let bytes = unsafe buffer.span.bytes.extracting(0..<count)
      var offset = 0
      while let record = try FanotifyRecord.next(in: bytes, at: &offset) {
        sightings.append(Sighting(record, in: bytes))
      }
    }
  }

  /// What waits in the queue of one process's events.
  func read(of pid: Int32) throws -> [Sighting] { try read().filter { $0.pid == pid } }

  /// The same, made one: the bits of all events about files called `name`, or about any file.
  func mask(of pid: Int32, name: String? = nil) throws -> FanotifyMask {
    try read(of: pid).filter { name == nil || $0.name == name }.mask
  }
}

extension Sequence<Sighting> {
  /// The bits of all of them.
  var mask: FanotifyMask { reduce(into: FanotifyMask()) { $0.formUnion($1.mask) } }
}

extension DecodedHandle {
  /// The identity of the file at `path`, by name_to_handle_at(2).
  init?(path: String) throws {
    let handle = try FileHandle(path: Array(path.utf8))
    unsafe self.init(type: handle.type, in: handle.bytes.span.bytes, at: 0, count: handle.bytes.count)
  }
}
