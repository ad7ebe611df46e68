internal import Journal

/// The file systems and how they are watched, by device number, which is how a mapping names them.
struct FileSystemTable {
  private var byDevice: [UInt64: FileSystemEntry] = [:]
  /// `f_fsid` of those that hold device nodes, terminals among them.
  private(set) var ofNodes: Set<UInt64> = []

  subscript(device: UInt64) -> FileSystemEntry? { byDevice[device] }

  /// Those that are watched, in order of devices.
  var watched: [FileSystemEntry] { byDevice.values.sorted { $0.device < $1.device } }

  mutating func note(_ entry: FileSystemEntry) {
    byDevice[entry.device] = entry.watching == .nothing ? nil : entry
    findNodes()
  }

  private mutating func findNodes() {
    ofNodes = Set(
      byDevice.values.filter { $0.type.elementsEqual("devtmpfs".utf8) || $0.type.elementsEqual("devpts".utf8) }.map(
        \.fileSystem))
  }

  /// `f_fsid` of a watched file system.
  func fileSystem(device: UInt64) -> UInt64? { byDevice[device]?.fileSystem }
}

extension FileSystemTable: Archived {
  static var blank: FileSystemTable { FileSystemTable() }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive.table(&byDevice, 0, .blank) { (archive, device, entry) throws(JournalError) in
      try archive(&device)
      try archive(&entry)
    }
    findNodes()
  }
}

extension FileSystemEntry: Archived {
  static var blank: FileSystemEntry {
    FileSystemEntry(fileSystem: 0, device: 0, type: [], mountPoint: [], watching: .nothing, reason: "", time: 0)
  }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&fileSystem)
    try archive(&device)
    try archive(&type)
    try archive(&mountPoint)
    try archive(&watching)
    try archive(&reason)
    try archive(&time)
  }
}
