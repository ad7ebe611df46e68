internal import Journal
internal import Records

/// What a process held at a look, soon after it began to belong to a session.
struct DescriptorLook {
  var session: Int64
  var record: Int64?
  /// CLOCK_MONOTONIC when the session began.
  var began: UInt64
  /// CLOCK_MONOTONIC after the look.
  var looked: UInt64
  var files: [HeldFile]
}

// What a session holds without having opened it: a descriptor from outside can be read by libaio, or compared by
// FIDEDUPERANGE, and no event tells. So holding it is a hazard for that file, and never an access.
extension Engine {
  /// Looks at what a process of a session holds.
  mutating func look(at pid: Int32, in session: Int64, since began: UInt64, _ oracle: inout some Oracle) {
    guard case .descriptors(let looked, let files) = oracle.answer(.descriptors(pid: pid)), !files.isEmpty else {
      return
    }
    looks.append(
      DescriptorLook(session: session, record: processes[pid]?.record, began: began, looked: looked, files: files))
  }

  /// Takes in the looks up to which all events are known: what the session opened itself and has not closed is no
  /// hazard, unless it holds the file more than once.
  mutating func settleLooks(all: Bool) {
    guard !looks.isEmpty else { return }
    let ready = looks.filter { all || $0.looked <= batch.emptied }
    looks.removeAll { all || $0.looked <= batch.emptied }
    for look in ready {
      let counts = Dictionary(look.files.map { ($0.identity, 1) }, uniquingKeysWith: +)
      var seen: Set<HeldFile> = []
      for held in look.files where seen.insert(held).inserted {
        let file = SessionFile(session: look.session, identity: held.identity)
        if counts[held.identity] == 1, isLeftOpen(file) { continue }
        let path = held.path.map { RawPath($0) }
        inherit(
          file, path: path, name: path.map { Array($0.lastComponent) } ?? [], operations: held.isRaw ? .rawDevice : [],
          look.record, time: Interval(from: wall(look.began), to: wall(look.began)))
      }
    }
  }

  private func isLeftOpen(_ file: SessionFile) -> Bool {
    leftOpen.contains(file)
      || episodes.contains {
        $0.key.isOf(file) && $0.value.access.operations.isLeftOpen
      }
  }

  /// Whether somebody of the session opened the file in what is not written yet.
  func hasOpened(_ file: SessionFile) -> Bool {
    episodes.contains {
      $0.key.isOf(file) && $0.value.access.operations.contains(.open)
    }
  }

  /// Records that a session held a file that it had not opened.
  mutating func inherit(
    _ file: SessionFile, path: RawPath?, name: [UInt8], operations: Operations, _ record: Int64?, time: Interval
  ) {
    touch(file.identity)
    findings.append(
      .access(
        Access(
          session: file.session, process: record, path: path, name: name.isEmpty ? nil : RawPath(name),
          identity: file.identity, operations: operations.union(.inherited), result: 0, time: time, count: 1,
          attribution: .observed)))
  }

  // MARK: - Devices

  /// Whether a file is the node of a block device or of memory. One that is gone before it is looked at may be.
  mutating func isRawDevice(_ file: FileIdentity, at path: RawPath?, _ oracle: inout some Oracle) -> Bool {
    guard fileSystems.ofNodes.contains(file.fileSystem) else { return false }
    return node(file, at: path, &oracle).map { $0 == .raw } ?? true
  }

  /// What a node on a file system of device nodes is; nil for one that is gone before it is looked at.
  mutating func node(_ file: FileIdentity, at path: RawPath?, _ oracle: inout some Oracle) -> NodeKind? {
    if let known = nodes[file] { return known }
    guard let path, case .node(let kind?) = oracle.answer(.node(path: path.bytes)) else { return nil }
    if nodes.count >= 4096 { nodes.removeAll() }
    nodes[file] = kind
    return kind
  }
}

extension EpisodeKey {
  /// Whether it tells of the session's own accesses of the file.
  func isOf(_ file: SessionFile) -> Bool {
    session == file.session && identity == file.identity && channels.isEmpty
  }
}

extension DescriptorLook: Archived {
  static var blank: DescriptorLook { DescriptorLook(session: 0, record: nil, began: 0, looked: 0, files: []) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&session)
    try archive.optional(&record)
    try archive(&began)
    try archive(&looked)
    try archive.list(&files, HeldFile(identity: .blank, path: nil, isRaw: false)) {
      (archive, file) throws(JournalError) in
      try archive(&file.identity)
      try archive.optional(&file.path, []) { (archive, path) throws(JournalError) in try archive(&path) }
      try archive(&file.isRaw)
    }
  }
}
