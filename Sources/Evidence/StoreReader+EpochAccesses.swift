internal import GRDB
internal import Records

// What an epoch's index commits: every access that the epoch's time touches, under every name its file bore then.
extension StoreReader {
  /// As many names of one file as are committed; beyond that nobody is promised anything.
  private static let mostNames = 256

  /// - Parameter isClosed: whether it was closed long ago; what was told of names since was not known then.
  static func accesses(
    of source: inout EpochSource, isClosed: Bool, _ db: Database, _ take: (EpochAccess) throws -> Void
  ) throws {
    let last = try Int64.fetchOne(
      db, sql: "SELECT last_event FROM log_seals WHERE id = ?", arguments: [Int64(source.lastSeal)])
    let before = try Int64.fetchOne(
      db, sql: "SELECT last_event FROM log_seals WHERE id = ?", arguments: [Int64(source.firstSeal) - 1])
    let boots = try Boots(db)
    let sessions = try Families(db)
    let names = Names(source, isClosed: isClosed, db)
    var taken: Set<Taken> = []
    var untold: [Interval] = []
    let reach = try Reach(db)
    let rows = try Row.fetchCursor(
      db,
      sql: """
        \(reach.accessQuery) WHERE a.id IN (\(reach.touched) UNION ALL SELECT id FROM accesses WHERE id > ? AND id <= ?) AND a.id <= ? \
        ORDER BY a.id
        """,
      arguments: arguments(ofTouchedIn: source.time) + [before ?? 0, last ?? 0, last ?? 0])
    while let raw = try rows.next() {
      let row = AccessRow(row: raw)
      let access = row.access
      let end = boots.end(of: row)
      // What is told of late belongs to an epoch that is closed: it is in this one, so that it is in one at all.
      let isLate = row.id > before ?? 0 && access.time.to < source.time.from
      let isNow = access.time.overlaps(source.time) || isLate
      let isHeld = access.time.to <= source.time.to && (end ?? .distantPast) >= source.time.from
      func does(_ kind: Operations.Kind) -> Bool {
        (isNow && access.operations.answer(kind) != .didNot)
          || (isHeld && access.operations.heldAnswer(kind) != .didNot)
      }
      let isInherited = access.operations.contains(.inherited)
      let hazards = access.operations.intersection(Operations.deputies.union(.inherited))
      let isDenied = access.result != 0
      guard isNow || isHeld, isInherited || isDenied || does(.any) else { continue }
      if row.isFileErased {
        source.addGap(
          Interval(from: access.time.from, to: max(access.time.to, end ?? .distantPast)).intersection(source.time)
            ?? source.time, "erased", "what was accessed has been erased")
        continue
      }
      if isInherited, try isOwn(access, db) { continue }
      let key = Taken(
        file: raw["file"], session: access.session, writes: does(.write), executes: does(.exec),
        hazards: hazards, isDenied: isDenied)
      // Not only of the first: a name that cannot be told is in doubt for as long as there are accesses.
      if access.path == nil { untold.append(access.time.intersection(source.time) ?? source.time) }
      guard taken.insert(key).inserted else { continue }
      var found = EpochAccess(file: access.identity)
      found.name = access.name
      (found.paths, found.untold) = try names.paths(of: access, &source)
      found.directories = names.directories(above: found.paths)
      found.sessions = sessions.keys(of: access.session)
      found.hazards = Verdict.AcceptableHazard.allCases.filter { $0.operation.map(hazards.contains) ?? false }
        .map(\.rawValue)
      source.hazards.formUnion(found.hazards)
      found.writes = key.writes
      found.executes = key.executes
      found.isDenied = key.isDenied
      try take(found)
    }
    for time in IntervalSet(untold).intervals {
      source.addGap(time, "names", "the path of an access could not be told")
    }
  }

  private struct Taken: Hashable {
    var file: Int64
    var session: Int64?
    var writes: Bool
    var executes: Bool
    var hazards: Operations
    var isDenied: Bool
  }

  /// Which sessions an access counts for: the innermost, and all around it. What a hosted session does may be its
  /// host's, so it stands in the way there too.
  private struct Families {
    private var all: [Int64: (key: String, parent: Int64?)] = [:]

    init(_ db: Database) throws {
      for row in try Row.fetchAll(db, sql: "SELECT id, key, parent FROM sessions") {
        all[row["id"]] = (row["key"], row["parent"])
      }
    }

    func keys(of session: Int64?) -> [String] {
      var keys: [String] = []
      var next = session
      while let id = next, let known = all[id], keys.count < 1000 {
        keys.append(known.key)
        next = known.parent
      }
      return keys
    }
  }

  /// The names that files bore in the epoch.
  private struct Names {
    private let db: Database
    private let time: Interval
    /// The last seal of which changes of names count.
    private let lastSeal: Int64
    /// What has been erased since was told when the epoch was closed.
    private let isClosed: Bool
    private var moves: [NameChange] = []
    private var known: [RawPath: Set<FileIdentity>] = [:]

    init(_ source: EpochSource, isClosed: Bool, _ db: Database) {
      self.db = db
      self.isClosed = isClosed
      lastSeal = isClosed ? Int64(source.lastSeal) : .max
      time = source.time
      for change in source.names where change.kind == .directory {
        for path in [change.from, change.to].compactMap(\.self) where path.isAbsolute {
          known[path, default: []].insert(change.identity)
        }
        if change.from != nil, change.to != nil { moves.append(change) }
      }
    }

    func directories(above paths: Set<RawPath>) -> Set<FileIdentity> {
      var found: Set<FileIdentity> = []
      for path in paths {
        var above: RawPath? = path
        while let directory = above {
          found.formUnion(known[directory] ?? [])
          above = directory.parent
        }
      }
      return found
    }

    /// The path as it was told, the others that the identity bore, and where directories' moves took either; and what is
    /// known of names of which the directory is not.
    func paths(of access: Access, _ source: inout EpochSource) throws -> (told: Set<RawPath>, untold: Set<RawPath>) {
      var untold: Set<RawPath> = access.path == nil ? [access.name ?? RawPath([])] : []
      var bearings: [RawPath: Bearing] = [:]
      let rows = try db.cachedStatement(
        sql: """
          SELECT * FROM names n WHERE file_system = ? AND inode = ? AND subvolume = ? AND coalesce((SELECT e.seal \
          FROM entries e WHERE e.kind = \(EntryKind.name.rawValue) AND e.id = n.id), ?) <= ? ORDER BY id
          """)
      let file = access.identity
      let arguments: StatementArguments = [
        Int64(bitPattern: file.fileSystem), Int64(bitPattern: file.inode), Int64(bitPattern: file.subvolume),
        Int64.max, lastSeal,
      ]
      for row in try Row.fetchAll(rows, arguments: arguments) {
        let change = NameRow(row: row).change
        guard change.identity.isSameFile(as: file) else { continue }
        for (path, isArrival) in [(change.from, false), (change.to, true)] {
          guard let path else { continue }
          if path.isAbsolute {
            bearings[path, default: Bearing()].note(change, isArrival: isArrival)
            continue
          }
          // It lost the name in the epoch or later, or got it before: so it bore it, as far as anybody knows.
          let isNow = isArrival ? change.time.from <= time.to : change.time.to >= time.from
          if isNow, !isClosed || !path.bytes.isEmpty { untold.insert(path) }
          if let part = change.time.intersection(time) {
            source.addGap(part, "names", "a name in a directory that could not be told")
          }
        }
      }
      var paths = Set(bearings.filter { $0.value.bore(in: time, taken: nil) != .didNot }.keys)
      if let path = access.path { paths.insert(path) }
      var open = Array(paths)
      while let path = open.popLast() {
        for move in moves {
          for other in elsewhere(path, move, &source, &untold) where paths.insert(other).inserted { open.append(other) }
        }
        if paths.count > StoreReader.mostNames {
          source.addGap(time, "names", "more names of one file than are followed")
          untold.insert(RawPath([]))
          break
        }
      }
      return (paths, untold)
    }

    private func elsewhere(
      _ path: RawPath, _ move: NameChange, _ source: inout EpochSource, _ untold: inout Set<RawPath>
    ) -> [RawPath] {
      guard let from = move.from, let to = move.to else { return [] }
      guard from.isAbsolute, to.isAbsolute else {
        let isErased = from.bytes.isEmpty && to.bytes.isEmpty
        for known in [from, to] where isErased || known.isAbsolute && path.isAtOrBeneath(known) {
          source.addGap(time, "names", "a directory was moved where nobody can tell")
          if isErased, isClosed { continue }
          // What lies beneath has kept its last component; the directory itself, or what was erased, may have another.
          let other = from.isAbsolute ? to : from
          untold.insert(RawPath(Array(path == known || isErased ? other.lastComponent : path.lastComponent)))
        }
        return []
      }
      return [(from, to), (to, from)].compactMap { old, new in
        path.rest(beneath: old).map { new.appending(rest: $0) }
      }
    }
  }
}
