import Records

/// A pattern of a rule file over whole paths, with its last component at hand for the cheap question.
struct FilePattern: Hashable, Sendable {
  let name: NamePattern
  private let path: PathPattern

  /// Compiles the path of an executable or script. `{version}` may stand in any component, once.
  init(_ source: String) throws(NamePattern.Malformed) {
    let parts = try PatternParts(source)
    path = parts.whole
    name = try NamePattern(parts.name, captures: ["version"])
    // Every brace must be a capture this kind of pattern knows, wherever it stands.
    _ = try NamePattern(source.utf8, captures: ["version"])
    guard source.utf8.count(where: { $0 == UInt8(ascii: "{") }) <= 1 else {
      throw .init(reason: "{version} stands here twice")
    }
  }

  /// The outer nil: no match. The inner: the path names no version.
  func version(in path: RawPath) -> String?? {
    guard let found = self.path.captures(path) else { return nil }
    guard let version = found["version"] else { return .some(nil) }
    // `PathPattern` lets a capture be any bytes; what does not look like a version is another program's file.
    guard version.first?.isDigit == true, version.allSatisfy(\.isVersionByte) else { return nil }
    return .some(String(decoding: version, as: UTF8.self))
  }
}

/// The pattern of a file that an agent's own process writes: a directory, and a name with typed captures.
struct SessionFilePattern: Hashable, Sendable {
  let name: NamePattern
  private let directory: PathPattern

  /// Compiles the path; `{pid}` and `{conversation}` may stand in its last component.
  init(_ source: String) throws(NamePattern.Malformed) {
    let parts = try PatternParts(source)
    name = try NamePattern(parts.name, captures: ["pid", "conversation"])
    do {
      _ = try NamePattern(parts.directory.utf8, captures: [])
    } catch {
      throw .init(reason: "\(error.reason): captures of a session file belong in its name")
    }
    directory = try PatternParts.compiled(parts.directory)
  }

  /// What a write by `pid` to `path` says; nil where it says nothing.
  func mark(_ path: RawPath, pid: Int32) -> SessionFileMark? {
    let last = path.lastComponent
    guard let match = name.match(last.span, pid: pid), let parent = path.parent,
      directory.matches(parent)
    else { return nil }
    guard let place = match.conversation else { return .session }
    let id = last.dropFirst(place.lowerBound).prefix(place.count)
    // One conversation, one spelling. Setting this bit lowers A to F and leaves digits and `-` alone.
    return .conversation(String(decoding: id.map { $0 | 0x20 }, as: UTF8.self))
  }
}

/// A path pattern cut before its last component.
private struct PatternParts {
  let whole: PathPattern
  let directory: String
  let name: Substring.UTF8View

  init(_ source: String) throws(NamePattern.Malformed) {
    whole = try Self.compiled(source)
    guard source.hasPrefix("/") || source.hasPrefix("**/") else {
      throw .init(reason: "the kernel's paths are absolute: begin with / or **/")
    }
    guard let cut = source.utf8.lastIndex(of: UInt8(ascii: "/")) else {
      throw .init(reason: "names no file")
    }
    name = source[source.utf8.index(after: cut)...].utf8
    guard !name.isEmpty, !name.elementsEqual("**".utf8) else {
      throw .init(reason: "must end in the name of a file")
    }
    directory = cut == source.startIndex ? "/" : String(source[..<cut])
  }

  static func compiled(_ source: String) throws(NamePattern.Malformed) -> PathPattern {
    do {
      return try PathPattern(source)
    } catch {
      switch error {
      case .empty: throw .init(reason: "is empty")
      case .unfinished(let offset):
        throw .init(reason: "byte \(offset): an unfinished escape, or a brace that is empty or not closed")
      case .starsInsideComponent(let offset):
        throw .init(reason: "byte \(offset): ** must be a whole component")
      }
    }
  }
}
