internal import GRDB
internal import Records

/// What a question is about, followed through everything that is known of names.
///
/// A path is asked about, but files are accessed, under whatever name. A file is of the target when it bore the name at
/// some moment of the time asked about; it may have been accessed within that time under another. Who bore the name is
/// told by who bears it now and by how others' bearing ended, also after that time.
struct TargetSearch {
  private let question: ProofQuestion
  private(set) var sights: [Sight] = []
  /// Files that bore the name.
  private(set) var files = FileSet()
  /// Files of which it is not sure that they did.
  private(set) var doubtful = FileSet()
  /// Files that lost a name which cannot be told, and what is known of it.
  private var untold: [(file: FileIdentity, name: RawPath)] = []
  /// Whether any record knows the name.
  private(set) var isKnown = false
  /// Whether there were more names than are followed.
  private(set) var isCut = false
  /// Symbolic links that came or went on the way to the target since the time asked about began.
  private(set) var links: [NameChange] = []

  /// When directories were moved to a place.
  private var moves: [RawPath: [Interval]] = [:]

  /// As many places as are followed.
  private static let most = 1024

  init(_ question: ProofQuestion) {
    self.question = question
    let asked: [Sight.Form]
    switch question.target {
    case .file(let path): asked = ([path] + question.otherNames).map { .file($0) }
    case .tree(let path): asked = ([path.lexicallyNormal ?? path] + question.otherNames).map { .tree($0) }
    case .glob(let pattern):
      asked = ([pattern] + question.otherPatterns).map { .pattern(PathPattern.Progress($0), beneath: RawPath("/")) }
    case .identity(let identity):
      asked = []
      files.insert(identity)
    }
    sights = asked.map { Sight(form: $0, way: .asked, window: question.time) }
    for form in asked {
      for alias in question.aliases {
        guard let other = form.moved(from: alias.from, to: alias.to), !asked.contains(where: { $0.includes(other) })
        else { continue }
        let sight = Sight(
          form: other, way: .asked, window: alias.time?.intersection(question.time) ?? question.time, told: alias.time)
        if !sights.contains(sight) { sights.append(sight) }
      }
    }
    isCut = sights.count > Self.most
  }

  /// The names and identities, in words.
  var description: [String] {
    sights.compactMap { sight -> String? in
      switch sight.form {
      case .file(let path): path.description
      case .tree(let path): path.bytes == [0x2f] ? path.description : path.description + "/"
      case .pattern(_, let directory):
        sight.way == .asked ? nil : directory.description + "/… (moved)"
      }
    } + files.identities.map(\.description).sorted()
  }

  /// Extends the target by every rename, link and removal, of it or of a directory above it, that anybody made.
  mutating func follow(_ db: Database) throws {
    if case .identity = question.target { return }
    try followDirectories(db)
    try followFiles(db)
    try findLinks(db)
  }

  // MARK: - Directories

  private mutating func followDirectories(_ db: Database) throws {
    let rows = try Row.fetchAll(
      db, sql: "SELECT * FROM names WHERE kind = 1 AND t1 >= ? ORDER BY t0, id",
      arguments: [question.time.from.nanoseconds])
    let changes = rows.map { NameRow(row: $0).change }
    for change in changes {
      if let to = change.to { moves[to, default: []].append(change.time) }
      if change.to == nil, let from = change.from, sights.contains(where: { $0.matches(from) }) { isKnown = true }
    }
    var next = 0
    while next < sights.count, sights.count < Self.most {
      let sight = sights[next]
      next += 1
      for move in changes {
        guard let from = move.from, let to = move.to else { continue }
        guard from.isAbsolute, to.isAbsolute else {
          // It went where nobody can tell, or came from there: what could have been beneath it is lost.
          for known in [from, to] where known.isAbsolute && sight.form.moved(from: known, to: known) != nil {
            isCut = true
          }
          // Erased: it may have been any directory.
          if from.bytes.isEmpty, to.bytes.isEmpty { isCut = true }
          continue
        }
        if sight.way != .back, move.time.to >= sight.window.from, let form = sight.form.moved(from: from, to: to) {
          add(Sight(form: form, way: .onward, window: move.time))
        }
        if sight.way != .onward, move.time.from <= sight.window.to, let form = sight.form.moved(from: to, to: from) {
          add(Sight(form: form, way: .back, window: move.time))
        }
      }
    }
    isCut = isCut || next < sights.count
  }

  private mutating func add(_ sight: Sight) {
    for known in sights
    where known.told == nil && known.form.includes(sight.form) && (known.way == sight.way || known.way == .asked) {
      switch sight.way {
      case .asked: return
      case .onward: if known.window.from <= sight.window.from { return }
      case .back: if known.window.to >= sight.window.to { return }
      }
    }
    sights.append(sight)
  }

  // MARK: - Files

  /// Only a file that was accessed in that time matters, so the search begins with these.
  private mutating func followFiles(_ db: Database) throws {
    var bearings: [FileIdentity: [RawPath: Bearing]] = [:]
    for row in try namesOfAccessed(db) {
      let change = NameRow(row: row).change
      if let from = change.from {
        if from.isAbsolute {
          bearings[change.identity, default: [:]][from, default: Bearing()].note(change, isArrival: false)
        } else if change.time.to >= question.time.from {
          untold.append((change.identity, from))
        }
      }
      if let to = change.to {
        if to.isAbsolute {
          bearings[change.identity, default: [:]][to, default: Bearing()].note(change, isArrival: true)
        } else if change.time.from <= question.time.to {
          untold.append((change.identity, to))
        }
      }
    }
    for bearer in question.bearers {
      bearings[bearer.file, default: [:]][bearer.path, default: Bearing()].noteBearer()
    }
    for (file, names) in bearings {
      for path in names.keys {
        var above = path.parent
        while let directory = above {
          for time in moves[directory] ?? [] { bearings[file]?[path]?.noteMove(time) }
          above = directory.parent
        }
      }
    }
    let unseen = bearings.isEmpty ? [] : try StoreReader.unseen(db)
    for sight in sights { collect(sight, bearings, unseen) }
    for bearer in question.bearers where !sights.contains(where: { $0.matches(bearer.path) }) {
      // The running system says that it is of the target, by a name that no record would use.
      files.insert(bearer.file)
    }
    try askIfKnown(db)
  }

  /// What is told of the names of files that were accessed in that time.
  private func namesOfAccessed(_ db: Database) throws -> [Row] {
    let accessed = try StoreReader.touching(question.time, db).files
    guard try !Reach(db).segments.isEmpty else {
      return try Row.fetchAll(
        db,
        sql: """
          SELECT n.* FROM (SELECT DISTINCT file_system, inode, subvolume FROM files WHERE id IN (\(accessed.sql))) x \
          CROSS JOIN names n ON n.file_system = x.file_system AND n.inode = x.inode AND n.subvolume = x.subvolume \
          WHERE n.kind <> 1 ORDER BY n.id
          """, arguments: accessed.arguments)
    }
    // Over several files DISTINCT would be over all of them, and the join without an index.
    let files = try Row.fetchCursor(
      db, sql: "SELECT file_system, inode, subvolume FROM files WHERE id IN (\(accessed.sql))",
      arguments: accessed.arguments)
    var keys: Set<InodeKey> = []
    while let row = try files.next() {
      keys.insert(
        InodeKey(
          FileIdentity(
            fileSystem: row.unsigned("file_system"), inode: row.unsigned("inode"), generation: 0,
            subvolume: row.unsigned("subvolume"))))
    }
    let names = try db.cachedStatement(
      sql: "SELECT * FROM names WHERE file_system = ? AND inode = ? AND subvolume = ? AND kind <> 1")
    let rows = try keys.flatMap { key in
      try Row.fetchAll(
        names,
        arguments: [Int64(bitPattern: key.fileSystem), Int64(bitPattern: key.inode), Int64(bitPattern: key.subvolume)])
    }
    return rows.sorted { ($0["id"] as Int64) < ($1["id"] as Int64) }
  }

  private mutating func collect(
    _ sight: Sight, _ bearings: [FileIdentity: [RawPath: Bearing]], _ unseen: [Interval]
  ) {
    var arrivals: [RawPath: Timestamp] = [:]
    var found: [(FileIdentity, RawPath, Bearing)] = []
    for (file, names) in bearings {
      for (path, bearing) in names where sight.matches(path) {
        found.append((file, path, bearing))
        if let last = bearing.arrival(before: sight.window.from) {
          arrivals[path] = max(arrivals[path] ?? .distantPast, last.from)
        }
      }
    }
    for (file, path, bearing) in found {
      switch bearing.bore(in: sight.window, taken: arrivals[path], unseen: unseen) {
      case .didNot: continue
      case .mayHave: doubtful.insert(file)
      case .did: files.insert(file)
      }
    }
  }

  /// Whether the name is one that something ever bore.
  private mutating func askIfKnown(_ db: Database) throws {
    for sight in sights {
      if isKnown { return }
      switch sight.form {
      case .pattern: continue
      case .file(let path), .tree(let path):
        for column in ["from_path", "to_path"] {
          let (condition, arguments) = Self.condition(column, path, isTree: sight.form == .tree(path))
          isKnown =
            try isKnown
            || Bool.fetchOne(
              db, sql: "SELECT EXISTS (SELECT 1 FROM names WHERE \(condition))", arguments: arguments) == true
        }
      }
    }
  }

  static func condition(_ column: String, _ name: RawPath, isTree: Bool) -> (String, StatementArguments) {
    guard isTree else { return ("\(column) = ?", [Blob(name.bytes)]) }
    let prefix = name.bytes == [0x2f] ? name.bytes : name.bytes + [0x2f]
    // `0` follows `/`: the range holds exactly what begins with the prefix.
    return (
      "(\(column) = ? OR (\(column) >= ? AND \(column) < ?))",
      [Blob(name.bytes), Blob(prefix), Blob(prefix.dropLast() + [0x30])]
    )
  }

  // MARK: - Symbolic links

  /// A path is followed through symbolic links as they are now. Where one came or went since the time asked about
  /// began, what the path meant before cannot be told.
  ///
  /// What bears the name of a directory on the way and is no directory can only have been a symbolic link. Of the last
  /// component only those are known that were seen to be created.
  private mutating func findLinks(_ db: Database) throws {
    var seen: Set<RawPath> = []
    for sight in sights where sight.way == .asked {
      var above: RawPath?
      switch sight.form {
      case .file(let path):
        try findLinks(at: path, " AND kind = 2", db)
        above = path.parent
      case .tree(let path): above = path
      case .pattern(let progress, _): above = progress.fixedDirectory
      }
      while let path = above, seen.insert(path).inserted {
        try findLinks(at: path, " AND kind <> 1", db)
        above = path.parent
      }
    }
  }

  private mutating func findLinks(at path: RawPath, _ condition: String, _ db: Database) throws {
    links += try Row.fetchAll(
      db, sql: "SELECT * FROM names WHERE (from_path = ? OR to_path = ?) AND t1 >= ?\(condition) ORDER BY id LIMIT 1",
      arguments: [Blob(path.bytes), Blob(path.bytes), question.time.from.nanoseconds]
    ).map { NameRow(row: $0).change }
  }

  // MARK: - Accesses

  /// The numbers of all files that may match, or whose name could be the target's; nil where that is no fewer to look
  /// through.
  func fileNumbers(_ db: Database) throws -> [Int64]? {
    if case .glob = question.target, try !StoreReader.isMuchOfHistory(question.time, db) { return nil }
    var numbers = Set(
      try Int64.fetchAll(
        db, sql: "SELECT id FROM files WHERE erased OR path = x'' AND NOT ?", arguments: [question.isAboutIdentity]))
    var patterns: [Sight] = []
    for sight in sights {
      let condition: (String, StatementArguments)
      switch sight.form {
      case .file(let path): condition = Self.condition("path", path, isTree: false)
      case .tree(let path): condition = Self.condition("path", path, isTree: true)
      case .pattern:
        patterns.append(sight)
        continue
      }
      numbers.formUnion(
        try Int64.fetchAll(db, sql: "SELECT id FROM files WHERE \(condition.0)", arguments: condition.1))
    }
    if !patterns.isEmpty {
      let rows = try Row.fetchCursor(db, sql: "SELECT id, path FROM files WHERE path <> x''")
      while let row = try rows.next() {
        guard let path = row.path("path"), patterns.contains(where: { $0.matches(path) }) else { continue }
        numbers.insert(row["id"])
      }
    }
    let statement = try db.cachedStatement(
      sql: "SELECT id FROM files WHERE file_system = ? AND inode = ? AND subvolume = ?")
    for file in files.identities + doubtful.identities + untold.map(\.file) {
      numbers.formUnion(
        try Int64.fetchAll(
          statement,
          arguments: [
            Int64(bitPattern: file.fileSystem), Int64(bitPattern: file.inode), Int64(bitPattern: file.subvolume),
          ]))
    }
    return numbers.sorted()
  }

  /// Whether an access is of the target, and whether that is sure.
  func matches(_ access: Access) -> Bearing.Answer {
    if files.contains(access.identity) { return .did }
    if let path = access.path, sights.contains(where: { $0.matches(path, at: access.time) }) { return .did }
    return doubtful.contains(access.identity) ? .mayHave : .didNot
  }

  /// Why an access could be of the target though neither its path nor its file is; nil where it could not.
  func doubt(_ access: Access) -> String? {
    // What lies on another file system is not the target; an identity has no name to be in doubt of.
    let system = access.identity.fileSystem
    let isThere = question.fileSystems?.contains(system) != false || question.sessionFileSystems.contains(system)
    guard isThere || question.formerFileSystems.contains(where: { $0.fileSystem == system }), !question.isAboutIdentity
    else {
      return nil
    }
    if isTaken(by: access.identity) { return nil }
    if access.path == nil, couldBe(access.name) {
      // Another name of it may be the target's all the same.
      return "the path of \(access.name.map { "…/\($0)" } ?? access.identity.description) could not be told"
    }
    for (file, name) in untold where file.isSameFile(as: access.identity) && couldBe(name) {
      let what = name.bytes.isEmpty ? "a name" : "the name …/\(name)"
      return "\(access.identity) lost \(what) in a directory that could not be told"
    }
    return nil
  }

  /// Whether the target's name has been another file's since before the time asked about: a name is one file's at a
  /// time, and a file's inode changes with its names.
  private func isTaken(by file: FileIdentity) -> Bool {
    guard case .file = question.target else { return false }
    // The kernel's time of change lags by a tick.
    let before = Timestamp(nanoseconds: max(question.time.from.nanoseconds, .min + 1_000_000_000) - 1_000_000_000)
    return sights.allSatisfy { sight in
      sight.way == .asked
        && question.bearers.contains { bearer in
          sight.matches(bearer.path) && !bearer.file.isSameFile(as: file)
            && (bearer.unchangedSince ?? .distantFuture) < before
        }
    }
  }

  /// Whether a name in a directory that is not known could be the target's.
  private func couldBe(_ name: RawPath?) -> Bool {
    guard let name, !name.bytes.isEmpty else { return true }
    switch question.target {
    case .tree: return true
    case .glob(let pattern):
      // Any directory is possible; the last component decides where the pattern has one of its own.
      return pattern.couldMatch(name: name)
    default:
      return sights.contains { sight in
        if case .file(let path) = sight.form { path.lastComponent.elementsEqual(name.lastComponent) } else { true }
      }
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
