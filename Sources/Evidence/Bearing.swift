internal import GRDB
internal import Records

/// A change of a file's or directory's name, as the store has it.
struct NameRow {
  var change: NameChange

  init(row: Row) {
    change = NameChange(
      identity: row.identity, from: row.path("from_path"), to: row.path("to_path"),
      kind: NameChange.Kind(rawValue: row["kind"]) ?? .file, isSure: row["is_sure"], time: row.span)
  }
}

/// When one file got one name and when it lost it.
struct Bearing {
  /// How sure an answer is.
  enum Answer: Int {
    case didNot
    case mayHave
    case did
  }

  private struct Turn {
    var time: Interval
    var isArrival: Bool
    var isSure: Bool
    /// A directory above was moved there: if the file came with it, it was not there before.
    var isMove = false
  }

  private var turns: [Turn] = []

  mutating func note(_ change: NameChange, isArrival: Bool) {
    turns.append(Turn(time: change.time, isArrival: isArrival, isSure: change.isSure))
  }

  /// It bears the name to this day.
  mutating func noteBearer() {
    let end = Interval(from: .distantFuture, to: .distantFuture)
    turns.append(Turn(time: end, isArrival: false, isSure: true))
  }

  /// A directory was moved to where the name lies beneath it.
  mutating func noteMove(_ time: Interval) {
    turns.append(Turn(time: time, isArrival: true, isSure: true, isMove: true))
  }

  /// The last arrival that was over before `moment`.
  func arrival(before moment: Timestamp) -> Interval? {
    turns.filter { $0.isArrival && !$0.isMove && $0.time.to < moment }.map(\.time).max { $0.to < $1.to }
  }

  /// Whether the file bore the name at some moment of `window`.
  ///
  /// - Parameters:
  ///   - taken: when some file last got the name before the window; whoever had it then, lost it then.
  ///   - unseen: times that nobody vouches for: a name may have been lost, or got, in one.
  func bore(in window: Interval, taken: Timestamp?, unseen: [Interval] = []) -> Answer {
    var answer = Answer.didNot
    func add(_ more: Answer) {
      if more.rawValue > answer.rawValue { answer = more }
    }
    // An end whose moment may lie before the window, or an arrival whose moment may lie after it, makes what it ends or
    // begins unsure.
    var isUnsureAtStart = false, isUnsureAtEnd = false
    for turn in turns where !turn.isMove && turn.time.overlaps(window) {
      let isWithin = turn.isArrival ? turn.time.to <= window.to : turn.time.from >= window.from
      if !isWithin, turn.isArrival { isUnsureAtEnd = true }
      if !isWithin, !turn.isArrival { isUnsureAtStart = true }
      add(turn.isSure && isWithin ? .did : .mayHave)
    }
    let before = turns.filter { !$0.isMove && $0.time.to < window.from && $0.time.to >= taken ?? .distantPast }
    let after = turns.filter { $0.time.from > window.to }
    // An end that nobody saw, or an arrival, may lie in any time that nobody vouches for.
    if let last = Self.last(before), last.isArrival {
      let isKept = Self.first(after)?.isArrival == false || !Self.isUnseen(last.time.to, window.from, unseen)
      add(isUnsureAtStart || !isKept ? .mayHave : .did)
    }
    if Self.last(before.filter(\.isSure))?.isArrival == true { add(.mayHave) }
    func isKept(until end: Turn) -> Bool {
      Self.last(before)?.isArrival == true || end.time.from == .distantFuture
        || !Self.isUnseen(window.to, end.time.from, unseen)
    }
    if let first = Self.first(after), !first.isArrival {
      add(first.isSure && !isUnsureAtEnd && isKept(until: first) ? .did : .mayHave)
    }
    if let first = Self.first(after.filter(\.isSure)), !first.isArrival {
      add(!isUnsureAtEnd && isKept(until: first) ? .did : .mayHave)
    }
    return answer
  }

  private static func isUnseen(_ from: Timestamp, _ to: Timestamp, _ unseen: [Interval]) -> Bool {
    unseen.contains { $0.from < to && $0.to > from }
  }

  /// The last of them; of those that one batch told the arrival, because their order is not known.
  private static func last(_ turns: [Turn]) -> Turn? {
    turns.max { ($0.time.to, $0.isArrival ? 1 : 0) < ($1.time.to, $1.isArrival ? 1 : 0) }
  }

  /// The first of them; of those that one batch told the end.
  private static func first(_ turns: [Turn]) -> Turn? {
    turns.min { ($0.time.from, $0.isArrival ? 1 : 0) < ($1.time.from, $1.isArrival ? 1 : 0) }
  }
}

/// A file system and an inode number: what is looked for first, whatever the generation.
struct InodeKey: Hashable {
  var fileSystem: UInt64
  var inode: UInt64
  var subvolume: UInt64

  init(_ identity: FileIdentity) {
    fileSystem = identity.fileSystem
    inode = identity.inode
    subvolume = identity.subvolume
  }
}

/// A set of files; generation 0 means that a witness could not tell it.
struct FileSet {
  private var files: [InodeKey: Set<UInt32>] = [:]

  var identities: [FileIdentity] {
    files.flatMap { key, generations in
      generations.map {
        FileIdentity(fileSystem: key.fileSystem, inode: key.inode, generation: $0, subvolume: key.subvolume)
      }
    }
  }

  mutating func insert(_ identity: FileIdentity) {
    files[InodeKey(identity), default: []].insert(identity.generation)
  }

  func contains(_ identity: FileIdentity) -> Bool {
    guard let generations = files[InodeKey(identity)] else { return false }
    return identity.generation == 0 || generations.contains(0) || generations.contains(identity.generation)
  }
}
