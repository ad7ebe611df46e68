internal import GRDB
public import Records

/// Where a question's target is now, as far as names are recorded: what the running system must be asked for.
public struct TargetPlaces: Sendable {
  /// Directories and files, each with what lies beneath.
  public var roots: [RawPath]
  /// Files accessed in that time whose present names matter though the kernel counts but one: each had others that are
  /// gone, or was accessed under a path that only the process saw.
  public var suspects: [FileIdentity]
  private let sights: [Sight]

  /// Whether what has this path now is of the target.
  public func matches(_ path: RawPath) -> Bool { sights.contains { $0.matches(path) } }

  init(_ sights: [Sight], suspects: [FileIdentity]) {
    self.sights = sights.filter { $0.way != .back }
    self.suspects = suspects
    var roots: [RawPath] = []
    for sight in self.sights {
      let root: RawPath
      switch sight.form {
      case .file(let path), .tree(let path): root = path
      case .pattern(let progress, let directory):
        let fixed = progress.fixedDirectory
        root = sight.way == .asked ? fixed : directory
      }
      if !roots.contains(root) { roots.append(root) }
    }
    self.roots = roots
  }
}

extension StoreReader {
  /// Where the target of a question has got to since, and which files to look for there.
  public func places(of question: ProofQuestion) throws(StoreError) -> TargetPlaces {
    try read(since: question.time.from) { db in
      var search = TargetSearch(question)
      try search.follow(db)
      return TargetPlaces(search.sights, suspects: try Self.suspects(question.time, db))
    }
  }

  private static func suspects(_ time: Interval, _ db: Database) throws -> [FileIdentity] {
    let (condition, accessed) = try touching(time, db)
    let holders = try Reach(db).holders
    let mapped = Operations.mapped.rawValue, either = Operations.mapped.union(.open).rawValue
    return try Row.fetchAll(
      db,
      sql: """
        SELECT f.file_system, f.inode, f.generation, f.subvolume FROM files f WHERE f.id IN (\(accessed.sql)) \
        AND (f.path = x'' OR EXISTS (SELECT 1 FROM names n WHERE n.file_system = f.file_system AND \
        n.inode = f.inode AND n.subvolume = f.subvolume AND n.kind <> 1 AND (n.from_path IS NULL OR n.to_path IS NULL))) \
        UNION SELECT f.file_system, f.inode, f.generation, f.subvolume FROM accesses a JOIN files f ON f.id = a.file \
        \(holders) WHERE a.operations & \(mapped) <> 0 AND a.operations & \(either) = \(mapped) AND \(condition.sql)
        """, arguments: accessed.arguments + condition.arguments
    ).map(\.identity)
  }
}
