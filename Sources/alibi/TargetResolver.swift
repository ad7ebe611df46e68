internal import Decode
internal import Evidence
internal import Glibc
internal import LinuxKernel
internal import Records

/// Turns what somebody typed into a question, with what the running system knows of the place.
enum TargetResolver {
  static func question(
    _ text: String, isGlob: Bool, time: Interval, store: StoreReader
  ) throws -> ProofQuestion {
    if text.hasPrefix("inode:") {
      guard let identity = FileIdentity(text) else {
        throw Failure.usage(
          "\(text): not a file identity", hint: "inode:FILESYSTEM:INODE:GENERATION, as `alibi accesses` prints it")
      }
      var question = ProofQuestion(target: .identity(identity), time: time)
      question.fileSystems = [identity.fileSystem]
      return question
    }
    if isGlob { return try glob(text, time, store) }
    return try path(text, time, store)
  }

  private static func glob(_ text: String, _ time: Interval, _ store: StoreReader) throws -> ProofQuestion {
    let pattern: PathPattern
    do { pattern = try PathPattern(text) } catch {
      throw Failure.usage(
        "\(text): not a pattern (\(error))", hint: "** stands for any number of directories, * for a part of a name")
    }
    guard text.hasPrefix("/") else {
      throw Failure.usage("\(text): a pattern must begin with /", hint: "/**/*.csv means every csv file")
    }
    var question = ProofQuestion(target: .glob(pattern), time: time)
    // Everything that can match lies beneath the part before the first wildcard.
    let literal = text.prefix { !"*?{\\".contains($0) }
    let fixed = text[..<(literal.lastIndex(of: "/") ?? literal.startIndex)]
    let top = RawPath(fixed.isEmpty ? "/" : String(fixed)).lexicallyNormal ?? RawPath("/")
    var place = Place(top)
    var mounts = try MountNames(store, time)
    let now = place.names
    var unwritable: RawPath?
    for path in place.asked { for name in try mounts.follow(path, beneath: true) { place.add(name) } }
    // What was mounted then is followed as an alias, with its own part of the pattern.
    for name in now where name != top {
      guard let text = String(validating: name.bytes, as: UTF8.self) else {
        unwritable = name
        continue
      }
      let base = text == "/" ? "" : text.map { "*?{\\".contains($0) ? "\\\($0)" : "\($0)" }.joined()
      if let other = try? PathPattern(base + pattern.source.dropFirst(fixed.count)) {
        question.otherPatterns.append(other)
      }
    }
    question.fileSystems = place.fileSystems(beneath: true)
    question.obstacles = place.obstacles(beneath: true)
    if let unwritable {
      question.obstacles.append("what can match lies at \(unwritable), which no pattern can name")
    }
    mounts.complete(&question)
    try findBearers(of: &question, store)
    return question
  }

  private static func path(_ text: String, _ time: Interval, _ store: StoreReader) throws -> ProofQuestion {
    guard let typed = RawPath(escaped: text.hasPrefix("/") ? text : currentDirectory() + "/" + text),
      let normal = typed.lexicallyNormal
    else {
      throw Failure.usage(
        "\(text): not a path", hint: "write bytes that cannot be typed as \\xNN, and a backslash as \\x5c")
    }
    var place = Place(normal)
    let now = place.names
    var mounts = try MountNames(store, time)
    for path in place.asked { for name in try mounts.follow(path, beneath: true) { place.add(name) } }
    let status = try? FileStatus(path: normal.bytes, following: true)
    // What was a directory there may be seen only where it is told now.
    let others = place.names.filter { $0 != normal }.compactMap { try? FileStatus(path: $0.bytes) }
    let isTree = text.hasSuffix("/") || status?.isDirectory ?? others.contains(where: \.isDirectory)
    var question = ProofQuestion(target: isTree ? .tree(normal) : .file(normal), time: time)
    question.otherNames = now.filter { $0 != normal }
    question.exists = status != nil || !others.isEmpty
    question.fileSystems = place.fileSystems(beneath: isTree)
    question.obstacles = place.obstacles(beneath: isTree)
    mounts.complete(&question)
    try findBearers(of: &question, store)
    return question
  }

  /// What bears the target's name now, also where a directory's move has taken it since; and of what lies beneath, all
  /// that may have been accessed by a path that lies elsewhere: it counts by its identity.
  private static func findBearers(of question: inout ProofQuestion, _ store: StoreReader) throws {
    let places = try store.places(of: question)
    question.bearers = places.roots.compactMap { places.matches($0) ? bearer($0) : nil }
    if case .file = question.target { return }
    let found = LinkedFiles(beneath: places.roots, and: Set(places.suspects.map(\.inode)))
    question.bearers += found.paths.filter(places.matches).compactMap { bearer($0) }
    if let why = found.incomplete { question.obstacles.append(why) }
  }

  private static func bearer(_ path: RawPath) -> ProofQuestion.Bearer? {
    identity(path).map { file in
      let changed = (try? FileStatus(path: path.bytes))?.changed
      return ProofQuestion.Bearer(
        path: path, file: file, unchangedSince: changed.map { Timestamp(nanoseconds: $0) })
    }
  }

  private static func identity(_ path: RawPath) -> FileIdentity? {
    guard let handle = try? FileHandle(path: path.bytes), let id = try? fileSystemID(path: path.bytes),
      let decoded = unsafe DecodedHandle(
        type: handle.type, in: handle.bytes.span.bytes, at: 0, count: handle.bytes.count)
    else { return nil }
    return FileIdentity(
      fileSystem: id, inode: decoded.inode, generation: decoded.generation, subvolume: decoded.subvolume)
  }

  private static func currentDirectory() -> String {
    guard let buffer = unsafe getcwd(nil, 0) else { return "" }
    defer { unsafe free(buffer) }
    return unsafe String(cString: buffer)
  }
}
