internal import Decode
internal import Journal
internal import Records

/// What a batch told of the names of files, by anybody.
///
/// A rename says which name it went to, and the loss of a link that follows it says which file lost that name; a link
/// and a removal lose or gain a link too. The kernel merges a nameless event into an older one of the same process
/// and file, and other threads' events may stand in between. So where it is not plain which rename took a name away,
/// each that may have done it counts, as not sure.
struct NameEvents {
  /// An entry of a directory that came, went or moved.
  struct Entry {
    var mask: FanotifyMask
    var pid: Int32
    var target: FileIdentity
    /// Nil where only the birth of the file matters.
    var parent: DirectoryReference?
    var name: [UInt8] = []
    var newParent: DirectoryReference?
    var newName: [UInt8] = []
  }

  /// Renames of a process with no change of a link count between them.
  struct Run: Hashable {
    var targets: [RenameTarget]
    var isOver = false
    /// Losses of links behind it that nothing else explains.
    var losses = 0
    var batch: UInt64

    /// Whether each of the renames can be the reason of a loss that is known.
    var isExplained: Bool { losses >= targets.count }
  }

  /// A file that may have lost its name to a rename.
  struct Replaced {
    var file: ProcessFile
    var targets: [RenameTarget]
    var isSure: Bool
  }

  /// More renames than this that may have replaced a file are not told apart.
  static let most = 16

  private(set) var entries: [Entry] = []
  /// Files created without being opened; the opening may be read a batch later.
  private(set) var unopened: Set<FileIdentity> = []
  /// Those of the last batches, with their entries, their times and for how many batches more they wait: the reader of
  /// the queue is woken by the creation, and may well be faster than the creator.
  private(set) var late: [(entry: Entry, time: Interval, left: Int)] = []
  static let patience = 4
  /// Files that are gone with their last holder.
  private(set) var died: Set<FileIdentity> = []
  private var waiting: [(entry: Entry, time: Interval, left: Int)] = []
  /// Losses and gains of links of this batch, in order, with the place among `runs` of the renames before them.
  private var changes: [(file: ProcessFile, run: Int?)] = []
  /// Nameless FAN_ATTRIB: somebody changed a link count. Those of the batch before that nothing explained are kept,
  /// because what explains them may be read a batch later.
  private var counts: Set<ProcessFile> = []
  private var formerCounts: Set<ProcessFile> = []
  /// Files whose directory entry the same process created or deleted.
  private var named: Set<ProcessFile> = []
  /// The last renames of each process.
  private(set) var runs: [Int32: [Run]] = [:]

  mutating func note(_ entry: Entry, in batch: UInt64) {
    entries.append(entry)
    // A birth changes no link count that anybody is told of.
    if entry.mask.contains(.delete) || entry.mask.contains(.create) && !entry.mask.contains(.open) {
      named.insert(ProcessFile(pid: entry.pid, identity: entry.target))
    }
    guard entry.mask.contains(.rename), let to = entry.newParent else { return }
    let target = RenameTarget(moved: entry.target, directory: to, name: entry.newName)
    var known = runs[entry.pid] ?? []
    if let last = known.indices.last, !known[last].isOver, known[last].batch == batch {
      // Beyond the bound the oldest are no likelier than any other.
      if known[last].targets.count <= Self.most { known[last].targets.append(target) }
    } else {
      known.append(Run(targets: [target], batch: batch))
    }
    runs[entry.pid] = known
  }

  /// Somebody changed the number of a file's links.
  mutating func noteCount(_ file: ProcessFile) {
    counts.insert(file)
    let last = runs[file.pid].map { $0.count - 1 }
    if let last { runs[file.pid]?[last].isOver = true }
    changes.append((file, last))
  }

  /// What was created at the end of the batch before was opened in this one: it is a file.
  mutating func noteOpening(_ file: FileIdentity) { unopened.remove(file) }

  /// Waits for the opening of what was created.
  mutating func wait(for entry: Entry, since time: Interval, left: Int = patience) {
    if left > 0 { waiting.append((entry, time, left - 1)) }
  }

  mutating func noteDeath(_ file: FileIdentity) { died.insert(file) }

  /// Whether this batch, or the end of the one before, changed the file's link count.
  func hasCount(_ file: ProcessFile) -> Bool { counts.contains(file) || formerCounts.contains(file) }

  /// Whether an entry of a directory explains a changed link count.
  func isNamed(_ file: ProcessFile) -> Bool { named.contains(file) }

  /// The files that may have lost their names to renames. To be called once, when everything has been noted.
  mutating func replaced() -> [Replaced] {
    for change in changes where !isNamed(change.file) {
      if let run = change.run { runs[change.file.pid]?[run].losses += 1 }
    }
    return changes.compactMap { change in
      guard let known = runs[change.file.pid] else { return nil }
      if !isNamed(change.file), let run = change.run {
        let isSure = known[run].targets.count == 1 && known[run].losses == 1
        return Replaced(file: change.file, targets: known[run].targets, isSure: isSure)
      }
      // An entry tells of the count; but it may have been merged with the loss to a rename that none follows.
      var distinct: [RenameTarget] = []
      for target in known.filter({ !$0.isExplained }).flatMap(\.targets)
      where target.moved != change.file.identity && !distinct.contains(target) {
        distinct.append(target)
      }
      return distinct.isEmpty ? nil : Replaced(file: change.file, targets: distinct, isSure: false)
    }
  }

  mutating func endBatch(_ batch: UInt64) {
    late = waiting
    unopened = Set(waiting.map(\.entry.target))
    waiting.removeAll(keepingCapacity: true)
    entries.removeAll(keepingCapacity: true)
    died.removeAll(keepingCapacity: true)
    changes.removeAll(keepingCapacity: true)
    formerCounts = counts.subtracting(named)
    counts.removeAll(keepingCapacity: true)
    named.removeAll(keepingCapacity: true)
    // A rename comes before the loss of the replaced file's link, which may be read a batch later.
    for (pid, known) in runs {
      let kept = known.filter { $0.batch == batch && !$0.isExplained }
      runs[pid] = kept.isEmpty ? nil : kept
    }
  }
}

/// Where a rename went.
struct RenameTarget: Hashable {
  /// The file that was renamed: it cannot have replaced itself.
  var moved: FileIdentity
  var directory: DirectoryReference
  var name: [UInt8]
}

// Between two batches; what belongs to the batch at hand is empty then.
extension NameEvents: Archived {
  static var blank: NameEvents { NameEvents() }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive.list(&late, (Entry.blank, .blank, 0)) { (archive, waiting) throws(JournalError) in
      try archive(&waiting.entry)
      try archive(&waiting.time)
      try archive(&waiting.left)
    }
    try archive.set(&unopened, .blank) { (archive, file) throws(JournalError) in try archive(&file) }
    try archive.set(&formerCounts, .blank) { (archive, file) throws(JournalError) in try archive(&file) }
    try archive.table(&runs, 0, []) { (archive, pid, runs) throws(JournalError) in
      try archive(&pid)
      try archive.list(&runs)
    }
  }
}

extension NameEvents.Entry: Archived {
  static var blank: NameEvents.Entry { NameEvents.Entry(mask: [], pid: 0, target: .blank, parent: nil) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    var bits = mask.rawValue
    try archive(&bits)
    mask = FanotifyMask(rawValue: bits)
    try archive(&pid)
    try archive(&target)
    try archive.optional(&parent)
    try archive(&name)
    try archive.optional(&newParent)
    try archive(&newName)
  }
}

extension NameEvents.Run: Archived {
  static var blank: NameEvents.Run { NameEvents.Run(targets: [], batch: 0) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive.list(&targets)
    try archive(&isOver)
    try archive(&losses)
    try archive(&batch)
  }
}

extension RenameTarget: Archived {
  static var blank: RenameTarget { RenameTarget(moved: .blank, directory: .blank, name: []) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&moved)
    try archive(&directory)
    try archive(&name)
  }
}
