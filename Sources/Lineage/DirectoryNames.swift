internal import Journal
internal import Records

/// What directories are called, by identity: learned from CREATE and RENAME events and from answers.
///
/// Paths are kept whole. A renamed directory changes every path beneath it, which is rare enough for a scan.
/// What is forgotten is asked for again.
struct DirectoryNames {
  /// The most directories that are kept.
  static let bound = 100_000

  private var paths: [FileIdentity: RawPath] = [:]
  /// Renames of directories in the batch at hand: within it, both names count.
  private var renamed: [(from: RawPath, to: RawPath)] = []
  private var deleted: [FileIdentity] = []
  /// The latest that were learned, oldest first; the next one goes to `oldest` once there are enough.
  private var latest: [FileIdentity] = []
  private var oldest = 0
  /// Directories that could not be told in the batch at hand: not asked for twice.
  private(set) var gone: Set<FileIdentity> = []

  /// Where directories were that are removed in the batch at hand, or were in one of the last: those above them may be
  /// gone, too, when they are asked for, and their removal be read later.
  private var removals: [FileIdentity: Removal] = [:]

  /// Where a directory was when it was removed.
  struct Removal {
    var parent: DirectoryReference
    var name: [UInt8]
    var batchesLeft = DirectoryNames.patience
  }

  /// For how many batches the removal of a directory above is waited for.
  static let patience = 8

  mutating func noteRemoval(of directory: FileIdentity, called name: [UInt8], in parent: DirectoryReference) {
    // Nothing is its own parent; what says so must not be followed.
    if parent.identity != directory { removals[directory] = Removal(parent: parent, name: name) }
  }

  /// Where it was, if it was removed lately.
  func removal(of directory: FileIdentity) -> Removal? { removals[directory] }

  mutating func noteGone(_ directory: FileIdentity) {
    gone.insert(directory)
  }

  /// The path a directory has now.
  func path(_ directory: FileIdentity) -> RawPath? { paths[directory] }

  mutating func learn(_ directory: FileIdentity, _ path: RawPath) {
    paths[directory] = path
    if latest.count < Self.latestCount {
      latest.append(directory)
    } else {
      latest[oldest] = directory
      oldest = (oldest + 1) % Self.latestCount
    }
  }

  /// How many of the latest a snapshot holds.
  private static let latestCount = 2000

  private var youngest: [FileIdentity: RawPath] {
    var found: [FileIdentity: RawPath] = [:]
    for directory in latest { found[directory] = paths[directory] }
    return found
  }

  /// The most renames that are followed within one batch, and the most names of one path that come of them: anybody
  /// can rename one directory thousands of times.
  private static let mostRenames = 64
  private static let mostNames = 16
  /// Whether there were more in the batch at hand, so that some name of something may be missing.
  private(set) var isCut = false

  mutating func rename(_ directory: FileIdentity, from: RawPath?, to: RawPath) {
    paths[directory] = to
    guard let from, from != to else { return }
    guard renamed.count < Self.mostRenames else {
      // All that rested on the old name is asked for again.
      isCut = true
      paths.removeAll(keepingCapacity: true)
      return
    }
    renamed.append((from, to))
    if to.isAtOrBeneath(from) {
      // No directory moves into itself: a name was told later than this happened. All that rests on it is forgotten
      // and asked for again; put together once more, it would double in length with every such rename.
      paths = paths.filter { !$0.value.isAtOrBeneath(from) }
      return
    }
    for (identity, path) in paths where path != to && path.isAtOrBeneath(from) {
      paths[identity] = RawPath(to.bytes + path.bytes[from.bytes.count...])
    }
  }

  /// A directory went where nobody can tell: nothing beneath is sure any more.
  mutating func forget(beneath directory: RawPath?) {
    paths = directory.map { gone in paths.filter { !$0.value.isAtOrBeneath(gone) } } ?? [:]
  }

  /// Mounts came or went there. Who was removed from where is known all the same.
  mutating func forget(beneath places: [RawPath]) {
    guard !places.isEmpty else { return }
    paths = paths.filter { entry in !places.contains { entry.value.isAtOrBeneath($0) } }
  }

  /// Events of the batch may still refer to it; it is forgotten when the batch ends.
  mutating func delete(_ directory: FileIdentity) {
    deleted.append(directory)
  }

  /// Every path that `path` had within the batch, itself first. A batch is a set: which rename came before an
  /// event cannot be told.
  mutating func alternatives(_ path: RawPath) -> [RawPath] {
    guard !renamed.isEmpty else { return [path] }
    var all = [path]
    var next = 0
    while next < all.count {
      for (from, to) in renamed where all[next].isAtOrBeneath(to) {
        let former = RawPath(from.bytes + all[next].bytes[to.bytes.count...])
        if all.contains(former) { continue }
        guard all.count < Self.mostNames else {
          isCut = true
          return all
        }
        all.append(former)
      }
      next += 1
    }
    return all
  }

  mutating func endBatch() {
    if paths.count > Self.bound { paths.removeAll() }
    isCut = false
    renamed.removeAll(keepingCapacity: true)
    for directory in deleted { paths[directory] = nil }
    deleted.removeAll(keepingCapacity: true)
    gone.removeAll(keepingCapacity: true)
    guard !removals.isEmpty else { return }
    removals = removals.compactMapValues { removal in
      var removal = removal
      removal.batchesLeft -= 1
      return removal.batchesLeft > 0 ? removal : nil
    }
  }
}

extension DirectoryNames: Archived {
  static var blank: DirectoryNames { DirectoryNames() }

  /// Only the youngest: an older directory still has its name, or left it behind with an event.
  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    var young = archive.isReading ? [:] : youngest
    try archive.table(&young, .blank, .blank) { (archive, identity, path) throws(JournalError) in
      try archive(&identity)
      try archive(&path)
    }
    if archive.isReading { for (identity, path) in young { learn(identity, path) } }
    try archive.table(&removals, .blank, Removal(parent: .blank, name: [])) {
      (archive, identity, removal) throws(JournalError) in
      try archive(&identity)
      try archive(&removal.parent)
      try archive(&removal.name)
      try archive(&removal.batchesLeft)
    }
  }
}
