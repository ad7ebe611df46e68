internal import Decode
internal import Records

// What the attribution works with between the kernel's words and the store's.

/// A process and a file.
struct ProcessFile: Hashable {
  var pid: Int32
  var identity: FileIdentity
}

/// A session and a file.
struct SessionFile: Hashable {
  var session: Int64
  var identity: FileIdentity
}

/// A directory created, renamed or deleted, by anybody.
struct DirectoryEvent {
  var mask: FanotifyMask
  var pid: Int32
  var target: FileIdentity?
  var parent: DirectoryReference
  var name: [UInt8]
  var newParent: DirectoryReference?
  var newName: [UInt8]
}

/// A directory and the handle by which the system can be asked for its path.
struct DirectoryReference: Hashable {
  var identity: FileIdentity
  var type: Int32
  var handle: [UInt8]
}

/// A file opened for execution, perhaps to be executed.
struct ExecCandidate {
  var identity: FileIdentity?
  /// `st_dev` and inode, where the event came with a descriptor.
  var device: UInt64?
  var parent: DirectoryReference?
  var name: [UInt8]
  var path: RawPath?
  /// The batch in which a committed exec used it.
  var usedIn: UInt64?
}

/// A birth that one witness has told of.
struct HalfSeenBirth {
  var key: ProcessKey
  var reported: UInt64
}
