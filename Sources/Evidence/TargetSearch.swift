internal import GRDB
internal import Records

/// What a question is about, followed through everything that is known of names.
struct TargetSearch {
  private let question: ProofQuestion
  /// Paths that name the target; for a tree, everything beneath them too.
  private(set) var names: [RawPath] = []
  private(set) var identities: Set<FileIdentity>
  /// Whether any record knows the name.
  private(set) var isKnown = false
  /// Whether there were more names than are followed.
  private(set) var isCut = false
  private let isTree: Bool
  private let patterns: [PathPattern]

  init(_ question: ProofQuestion) {
    self.question = question
    identities = Set(question.identities)
    if case .glob(let pattern) = question.target {
      patterns = [pattern] + question.otherPatterns
    } else {
      patterns = []
    }
    switch question.target {
    case .file(let path):
      names = [path] + question.otherNames
      isTree = false
    case .tree(let path):
      names = [path.lexicallyNormal ?? path] + question.otherNames
      isTree = true
    case .glob: isTree = false
    case .identity(let identity):
      identities.insert(identity)
      isTree = false
    }
  }

  /// The names and identities, in words.
  var description: [String] {
    names.map { isTree && $0.bytes != [0x2f] ? $0.description + "/" : $0.description }
      + identities.map(\.description).sorted()
  }

  /// Extends the target by every rename and link, of it or of a directory above it, that any process made.
  ///
  /// A file counts when it bore the name at some time of the interval; so renames before it count only as far as
  /// they brought a file to the name.
  mutating func follow(_ db: Database) throws {
    if case .identity = question.target { return }
    var next = 0
    var directories: [(from: RawPath, to: RawPath)] = []
    for row in try Row.fetchAll(
      db, sql: "SELECT * FROM names WHERE is_directory AND t1 >= ? AND t0 <= ?", arguments: times)
    {
      if let from = row.path("from_path"), let to = row.path("to_path") { directories.append((from, to)) }
    }
    while next < names.count, names.count < 256 {
      let name = names[next]
      next += 1
      for (from, to) in directories {
        for (old, new) in [(from, to), (to, from)] {
          if name.isAtOrBeneath(old) { add(RawPath(new.bytes + name.bytes[old.bytes.count...])) }
          // A directory beneath a tree came from, or went, elsewhere.
          if isTree, old.isAtOrBeneath(name) { add(new) }
        }
      }
      try followFiles(name, db)
    }
    if !patterns.isEmpty {
      for row in try Row.fetchAll(
        db, sql: "SELECT * FROM names WHERE NOT is_directory AND t1 >= ? AND t0 <= ?", arguments: times)
      where patterns.contains(where: { pattern in
        row.path("from_path").map(pattern.matches) == true || row.path("to_path").map(pattern.matches) == true
      }) {
        identities.insert(row.identity)
      }
      // A moved directory may have moved what matches out of the pattern's sight.
      isCut = isCut || !directories.isEmpty
    }
    isCut = isCut || next < names.count
  }

  private var times: StatementArguments { [question.time.from.nanoseconds, question.time.to.nanoseconds] }

  private mutating func add(_ name: RawPath) {
    if !names.contains(name) { names.append(name) }
  }

  private mutating func followFiles(_ name: RawPath, _ db: Database) throws {
    for column in ["from_path", "to_path"] {
      let (condition, arguments) = Self.condition(column, name, isTree: isTree)
      let rows = try Row.fetchAll(
        db, sql: "SELECT * FROM names WHERE NOT is_directory AND \(condition) AND t0 <= ? ORDER BY t0 DESC",
        arguments: arguments + [question.time.to.nanoseconds])
      var seen: Set<RawPath> = []
      for row in rows {
        isKnown = true
        let isBefore = row.span.to < question.time.from
        if column == "from_path", isBefore { continue }
        // Of those that came to a name before the interval, the last one bore it when the interval began.
        if isBefore, let to = row.path("to_path"), !seen.insert(to).inserted { continue }
        identities.insert(row.identity)
      }
    }
  }

  private static func condition(
    _ column: String, _ name: RawPath, isTree: Bool
  ) -> (String, StatementArguments) {
    guard isTree else { return ("\(column) = ?", [Blob(name.bytes)]) }
    let prefix = name.bytes == [0x2f] ? name.bytes : name.bytes + [0x2f]
    // `0` follows `/`: the range holds exactly what begins with the prefix.
    return (
      "(\(column) = ? OR (\(column) >= ? AND \(column) < ?))",
      [Blob(name.bytes), Blob(prefix), Blob(prefix.dropLast() + [0x30])]
    )
  }

  /// A WHERE clause over `files` that lets through every match, and for a glob more.
  var fileCondition: (String, StatementArguments) {
    if case .glob = question.target { return ("1", []) }
    var parts: [String] = []
    var arguments: StatementArguments = []
    for name in names {
      let (condition, more) = Self.condition("path", name, isTree: isTree)
      parts.append(condition)
      arguments += more
    }
    for identity in identities {
      parts.append("(file_system = ? AND inode = ? AND generation IN (?, 0) AND subvolume = ?)")
      arguments += identity.arguments
    }
    return (parts.isEmpty ? "0" : parts.joined(separator: " OR "), arguments)
  }

  /// Whether an access is of the target.
  func matches(_ access: Access) -> Bool {
    if identities.contains(where: { $0.isSameFile(as: access.identity) }) { return true }
    guard let path = access.path else { return false }
    if !patterns.isEmpty { return patterns.contains { $0.matches(path) } }
    return names.contains { isTree ? path.isAtOrBeneath($0) : path == $0 }
  }

  /// Whether an access whose path is not known could be of the target.
  func couldBe(_ access: Access) -> Bool {
    guard let name = access.name else { return true }
    switch question.target {
    case .tree: return true
    case .glob(let pattern):
      // Any directory is possible; the last component decides where the pattern has one of its own.
      guard let last = pattern.source.split(separator: "/").last, last != "**",
        let tail = try? PathPattern("**/" + last)
      else { return true }
      return tail.matches(RawPath("/").appending(name.bytes))
    default: return names.contains { $0.lastComponent.elementsEqual(name.bytes) }
    }
  }
}

extension FileIdentity {
  /// Whether two identities mean one file; generation 0 means that the witness could not tell it.
  func isSameFile(as other: FileIdentity) -> Bool {
    fileSystem == other.fileSystem && inode == other.inode && subvolume == other.subvolume
      && (generation == other.generation || generation == 0 || other.generation == 0)
  }
}
