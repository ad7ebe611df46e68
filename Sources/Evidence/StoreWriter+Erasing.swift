internal import GRDB
public import MerkleLog
internal import Records

/// What is to be erased.
public enum ErasureSubject: Sendable, Hashable {
  /// A person: a user's name, user id or login user id. All sessions of theirs, and what only these accessed.
  case person(String)
  /// A session, by its key, and what only it accessed.
  case session(String)
  /// The file that a record tells of, under every name, and whatever else bore these names.
  case record(Int64)

  /// A subject in the words of a request: `person`, `session` or `record`, and which.
  public init?(_ kind: String, _ value: String) {
    switch kind {
    case "person": self = .person(value)
    case "session": self = .session(value)
    case "record":
      guard let id = Int64(value) else { return nil }
      self = .record(id)
    default: return nil
    }
  }

  /// The words of a request.
  public var words: (kind: String, value: String) {
    switch self {
    case .person(let name): ("person", name)
    case .session(let key): ("session", key)
    case .record(let id): ("record", "\(id)")
    }
  }
}

/// Why nothing was erased.
public enum ErasureRefusal: Error, Sendable {
  /// There is nothing of the kind.
  case unknown
  /// These sessions have not ended: what they do next would be written under what was erased.
  case running([String])
}

/// What an erasure concerns: what its record tells.
public struct ErasureDraft: Sendable {
  /// How many entries lose their values.
  public var count: UInt64
  /// What they are, in words, ascending.
  public var kinds: [String]
  /// The first epoch of which nothing can be proven any more.
  public var first: UInt64
  /// The last of them.
  public var last: UInt64
  /// The root over the entries, by id and then kind, as seals have it.
  public var root: Hash
}

// Erasure: a value and its opening go, its commitment stays, and so what was sealed stays sealed.
extension StoreWriter {
  /// Erases, in one transaction with the record that tells of it.
  ///
  /// - Throws: `ErasureRefusal`, `StoreError`, and what `scribe` throws.
  public func erase(_ subject: ErasureSubject, scribe: (ErasureDraft) throws -> LogLine) throws -> ErasureDraft {
    do {
      while true {
        // What a segment would have told must not be missed: whose files they are, and who else accessed them. To look at
        // every byte of it takes a while, so nobody waits for that.
        let segments = try segments()
        for segment in segments {
          if let fault = segment.fault(in: directory, isThorough: true) { throw StoreError.incomplete(fault) }
        }
        if let draft = try erase(subject, seeing: segments, scribe) { return draft }
      }
    } catch let error as ErasureRefusal {
      throw error
    } catch {
      throw StoreError(error, directory: queue.path)
    }
  }

  /// Nil where the segments are others by now.
  private func erase(
    _ subject: ErasureSubject, seeing segments: [KeptSegment], _ scribe: (ErasureDraft) throws -> LogLine
  ) throws -> ErasureDraft? {
    try queue.writeWithoutTransaction { db in
      guard try KeptSegment.needed(since: .distantPast, db) == segments.reversed() else { return nil }
      // What is remembered of names must not come back under an erased number.
      defer { files.withLock { $0.removeAll() } }
      defer {
        try? Reach.dropViews(db)
        for segment in segments { try? db.execute(sql: "DETACH DATABASE \(Reach.schema(segment.id))") }
      }
      for segment in segments { try segment.attach(in: directory, db) }
      if !segments.isEmpty { try Reach.makeViews(db) }
      var draft: ErasureDraft?
      try db.inTransaction(.immediate) {
        var erasure = try Erasure(subject, db)
        draft = try erasure.run(scribe, db)
        return .commit
      }
      return draft
    }
  }

  /// Moves everything into the store's one file and empties the write-ahead log, in which older versions of rows lie;
  /// false while somebody reads.
  public func emptyLog() throws(StoreError) -> Bool {
    do {
      return try queue.writeWithoutTransaction { db in
        try Row.fetchOne(db, sql: "PRAGMA wal_checkpoint(TRUNCATE)")?[0] as Int? == 0
      }
    } catch {
      throw StoreError(error, directory: queue.path)
    }
  }
}

/// One erasure under way.
struct Erasure {
  private struct Place: Hashable {
    var kind: EntryKind
    var id: Int64
  }

  private var sessions: Set<Int64> = []
  private var files: Set<Int64> = []
  private var names: Set<Int64> = []
  /// Texts that must not stay in a reason or a detail.
  private var words: Set<[UInt8]> = []
  private var places: Set<Place> = []
  private var touched: [Interval] = []
  private var seals: Set<Int64> = []

  init(_ subject: ErasureSubject, _ db: Database) throws {
    switch subject {
    case .person(let name):
      let rows = try Row.fetchAll(
        db, sql: "SELECT id FROM sessions WHERE NOT erased AND (user_name = ? OR uid = ? OR login_uid = ?)",
        arguments: [name, Int64(name) ?? -1, Int64(name) ?? -1])
      sessions = Set(rows.map { $0["id"] })
      if Int64(name) == nil { words.insert(Array(name.utf8)) }
    case .session(let key):
      sessions = try Int64.fetchSet(db, sql: "SELECT id FROM sessions WHERE key = ?", arguments: [key])
    case .record(let id):
      try findFiles(ofRecord: id, db)
    }
    guard !sessions.isEmpty || !files.isEmpty else { throw ErasureRefusal.unknown }
    try refuseRunning(db)
    try findFiles(db)
  }

  private func refuseRunning(_ db: Database) throws {
    let running = try String.fetchAll(
      db, sql: "SELECT key FROM sessions WHERE ended IS NULL AND id \(Self.listed) ORDER BY id",
      arguments: [Self.list(sessions)])
    if !running.isEmpty { throw ErasureRefusal.running(running) }
  }

  /// The numbers as one argument, however many they are.
  private static func list(_ ids: some Collection<Int64>) -> String {
    "[" + ids.map { "\($0)" }.joined(separator: ",") + "]"
  }

  /// Sessions and those within them, which are indexed under their keys, too.
  private static let tree = """
    WITH RECURSIVE tree(id) AS (SELECT id FROM sessions WHERE id \(listed) UNION SELECT inside.id FROM sessions inside \
    JOIN tree ON inside.parent = tree.id) SELECT id FROM tree
    """
  private static let listed = "IN (SELECT value FROM json_each(?))"

  // MARK: - What is meant

  /// The record's file, what has its identity, what bore its names, and so on.
  private mutating func findFiles(ofRecord id: Int64, _ db: Database) throws {
    var open = try Int64.fetchAll(
      db, sql: "SELECT f.id FROM accesses a JOIN files f ON f.id = a.file WHERE a.id = ? AND NOT f.erased",
      arguments: [id])
    let alike = """
      SELECT o.id FROM files f JOIN files o ON NOT o.erased AND ((f.inode <> 0 AND o.file_system = f.file_system AND \
      o.inode = f.inode AND o.subvolume = f.subvolume) OR (f.path <> x'' AND o.path = f.path)) WHERE f.id = ?
      """
    while let file = open.popLast() {
      guard files.insert(file).inserted else { continue }
      open += try Int64.fetchAll(db.cachedStatement(sql: alike), arguments: [file])
    }
  }

  /// Files that nobody else accessed; then names, and texts.
  private mutating func findFiles(_ db: Database) throws {
    for session in sessions {
      let rows = try Int64.fetchAll(
        db,
        sql: """
          SELECT DISTINCT a.file FROM accesses a JOIN files f ON f.id = a.file WHERE a.session = ? AND NOT f.erased
          """, arguments: [session])
      for file in rows where !files.contains(file) {
        let others = try Int64.fetchAll(
          db.cachedStatement(sql: "SELECT DISTINCT coalesce(session, -1) FROM accesses WHERE file = ?"),
          arguments: [file])
        if others.allSatisfy(sessions.contains) { files.insert(file) }
      }
      let keys = try String.fetchAll(
        db,
        sql: """
          SELECT key FROM sessions WHERE id = ? UNION SELECT conversation FROM conversations WHERE session = ?
          """, arguments: [session, session])
      for key in keys { words.insert(Array(key.utf8)) }
    }
    let others = try db.cachedStatement(sql: "SELECT id FROM files WHERE path = ?")
    let changes = try db.cachedStatement(sql: "SELECT id FROM names WHERE from_path = ? OR to_path = ?")
    for file in files {
      let blob = try Blob.fetchOne(
        db.cachedStatement(sql: "SELECT path FROM files WHERE id = ?"), arguments: [file])
      guard let path = blob, !path.bytes.isEmpty else { continue }
      // A name that others' records have as well is theirs.
      guard try Int64.fetchAll(others, arguments: [path]).allSatisfy(files.contains) else { continue }
      words.insert(path.bytes)
      names.formUnion(try Int64.fetchAll(changes, arguments: [path, path]))
    }
    // What is that short is told by anything.
    words = words.filter { $0.count > 2 }
  }

  // MARK: - Doing it

  mutating func run(_ scribe: (ErasureDraft) throws -> LogLine, _ db: Database) throws -> ErasureDraft {
    // Before it is gone: which epochs have it in their indexes.
    try findTimes(db)
    try hollowSessions(db)
    try hollow(.file, files, db)
    try hollow(.name, names, db)
    try hollowTexts(db)
    let sealed = try sealedEntries(db)
    let epochs = try affectedEpochs(db)
    let next = try Int64.fetchOne(db, sql: "SELECT coalesce(max(id), -1) + 1 FROM epochs") ?? 0
    let draft = ErasureDraft(
      count: UInt64(sealed.count), kinds: Set(sealed.map { "\($0.kind)" }).sorted(),
      first: UInt64(epochs.min() ?? next), last: UInt64(epochs.max() ?? next),
      root: LogCheck.root(of: sealed.map { .leaf($0.entry.encoded) }))
    let index = try StoreWriter.append([try scribe(draft)], db)
    try forget(sealed.map(\.entry), Int64(index), db)
    // With its salt and its keys whoever has the store could try guesses at what was erased.
    try db.execute(
      sql: """
        UPDATE epochs SET salt = NULL, hiding = NULL, keys = NULL, sessions = '' \
        WHERE pruned IS NULL AND id \(Self.listed)
        """, arguments: [Self.list(epochs)])
    return draft
  }

  /// When the accesses were that an index has by what is erased, and what was held.
  private mutating func findTimes(_ db: Database) throws {
    let boots = try StoreReader.Boots(db)
    let identities = """
      SELECT a.id FROM names n JOIN files f ON f.file_system = n.file_system AND f.inode = n.inode AND \
      f.subvolume = n.subvolume JOIN accesses a ON a.file = f.id WHERE n.id \(Self.listed)
      """
    let rows = try Row.fetchCursor(
      db,
      sql: try Reach(db).accessQuery + """
         WHERE a.file \(Self.listed) OR a.session IN (\(Self.tree)) OR a.id IN (\(identities))
        """, arguments: [Self.list(files), Self.list(sessions), Self.list(names)])
    while let raw = try rows.next() {
      let row = AccessRow(row: raw)
      touched.append(
        Interval(from: row.access.time.from, to: max(row.access.time.to, boots.end(of: row) ?? row.access.time.to)))
      let seal = try Int64.fetchOne(
        db.cachedStatement(sql: "SELECT min(id) FROM log_seals WHERE last_event >= ?"), arguments: [row.id])
      if let seal { seals.insert(seal) }
    }
    let ran = "SELECT started, ended FROM sessions WHERE id IN (\(Self.tree))"
    for row in try Row.fetchAll(db, sql: ran, arguments: [Self.list(sessions)]) {
      touched.append(
        Interval(from: row.time("started") ?? .distantPast, to: row.time("ended") ?? .distantFuture))
    }
    let borne = "SELECT t0, t1 FROM names WHERE id \(Self.listed)"
    for row in try Row.fetchAll(db, sql: borne, arguments: [Self.list(names)]) {
      touched.append(row.span)
    }
  }

  private func affectedEpochs(_ db: Database) throws -> [Int64] {
    var first: Int64 = 1
    var found: [Int64] = []
    for row in try Row.fetchAll(db, sql: "SELECT id, t0, t1, last_seal FROM epochs ORDER BY id") {
      let last = row["last_seal"] as Int64
      // What was told late is in a later epoch than its time.
      if touched.contains(where: row.span.overlaps)
        || seals.contains(where: { (first...max(first, last)).contains($0) })
      {
        found.append(row["id"])
      }
      first = last + 1
    }
    return found
  }

  /// The entries concerned that are sealed and have their values, by id and then kind. What is not sealed yet will be
  /// sealed as it is then.
  private mutating func sealedEntries(_ db: Database) throws -> [(kind: EntryKind, entry: EntryCommitment)] {
    let statement = try db.cachedStatement(
      sql: "SELECT commitment, seal FROM entries WHERE kind = ? AND id = ? AND opening IS NOT NULL")
    var found: [(kind: EntryKind, entry: EntryCommitment)] = []
    for place in places {
      guard let row = try Row.fetchOne(statement, arguments: [place.kind.rawValue, place.id]),
        let commitment = Hash((row["commitment"] as Blob).bytes)
      else { continue }
      seals.insert(row["seal"])
      found.append(
        (
          place.kind,
          EntryCommitment(kind: place.kind.rawValue, id: UInt64(bitPattern: place.id), commitment: commitment)
        ))
    }
    return found.sorted { ($0.entry.id, $0.entry.kind) < ($1.entry.id, $1.entry.kind) }
  }

  private mutating func hollow(_ kind: EntryKind, _ ids: some Sequence<Int64>, _ db: Database) throws {
    guard let sql = kind.hollowing(in: "main") else { return }
    for id in ids {
      try db.cachedStatement(sql: sql).execute(arguments: [id])
      places.insert(Place(kind: kind, id: id))
    }
  }

  private mutating func hollowSessions(_ db: Database) throws {
    for id in sessions {
      try hollow(.session, [id], db)
      places.insert(Place(kind: .person, id: id))
      let parts: [(kind: EntryKind, query: String)] = [
        (
          .change,
          "SELECT id FROM changes WHERE what = \(Schema.Change.sessionDigest.rawValue) AND row = ?"
        ), (.conversation, "SELECT id FROM conversations WHERE session = ?"),
        (.command, "SELECT c.id FROM commands c JOIN processes p ON p.id = c.process WHERE p.session = ?"),
        (.login, "SELECT id FROM logins WHERE session = ?"), (.process, "SELECT id FROM processes WHERE session = ?"),
      ]
      for part in parts {
        try hollow(
          part.kind, Int64.fetchAll(db.cachedStatement(sql: part.query), arguments: [id]), db)
      }
    }
  }

  private mutating func hollowTexts(_ db: Database) throws {
    // Other reasons are in the log as they are, and name nobody.
    let queries: [(kind: EntryKind, sql: String)] = [
      (.gap, "SELECT id, reason FROM gaps WHERE reason LIKE 'session %'"),
      (.incident, "SELECT id, detail FROM incidents"), (.privilege, "SELECT id, reason FROM privileges"),
    ]
    for query in queries {
      let rows = try Row.fetchAll(db, sql: query.sql).filter { tells($0[1] as String) }
      try hollow(query.kind, rows.map { $0[0] as Int64 }, db)
    }
    let commands = try Row.fetchAll(db, sql: "SELECT id, arguments, directory FROM commands").filter {
      tells(($0[1] as Blob).bytes) || tells(($0[2] as Blob?)?.bytes ?? [])
    }
    try hollow(.command, commands.map { $0[0] as Int64 }, db)
    let logins = try Row.fetchAll(db, sql: "SELECT id, account, host, program, command, directory FROM logins").filter {
      row in (1..<row.count).contains { tells((row[$0] as Blob?)?.bytes ?? []) }
    }
    try hollow(.login, logins.map { $0[0] as Int64 }, db)
  }

  private func tells(_ text: String) -> Bool { tells(Array(text.utf8)) }

  private func tells(_ bytes: [UInt8]) -> Bool {
    words.contains { word in
      bytes.count >= word.count
        && (0...(bytes.count - word.count)).contains { bytes[$0..<($0 + word.count)].elementsEqual(word) }
    }
  }
}
