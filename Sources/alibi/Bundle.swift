internal import Glibc
internal import LinuxKernel

/// A certificate with all that a verifier and a person need, as a directory:
///
/// ```
/// certificate        the signed note
/// evidence.json      what it rests on, under the hash that the certificate has
/// checkpoint         the final signed head by itself, for tools that know notes
/// page.html          both in words, for people
/// not-claimed.txt    what the certificate does not say
/// ```
///
/// Only the first three are evidence; the others are made from them, and verifying makes them again to compare.
struct Bundle {
  /// The signed note.
  var certificate: [UInt8]
  /// The evidence file.
  var evidence: [UInt8]
  /// The final signed head, which the evidence file holds as well.
  var checkpoint: [UInt8]

  /// The files of the directory.
  enum Part: String, CaseIterable {
    case certificate
    case evidence = "evidence.json"
    case checkpoint
    case page = "page.html"
    case notClaimed = "not-claimed.txt"

    /// One byte more than any that verifies has, so that a longer one is refused by whoever reads its bytes.
    var limit: Int { self == .evidence ? 1 << 28 + 1 : 1 << 20 + 1 }
  }

  /// The bytes of a file; `statement` is this bundle's.
  func bytes(of part: Part, _ statement: Statement) -> [UInt8] {
    switch part {
    case .certificate: certificate
    case .evidence: evidence
    case .checkpoint: checkpoint
    case .page: Array(Page(statement).text.utf8)
    case .notClaimed: Array(statement.notClaimed.utf8)
    }
  }
}

// Reading.
extension Bundle {
  /// Reads a bundle.
  init(directory: String) throws {
    try self.init(directory: directory, certificate: Part.certificate.rawValue)
  }

  /// Reads the bundle that `path` names: by its directory, or by the certificate in it.
  init(at path: String) throws {
    let directory = try Self.directory(of: path)
    let isInside = directory != path
    let name = path[(path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex)...]
    try self.init(directory: directory, certificate: isInside ? String(name) : Part.certificate.rawValue)
  }

  /// The directory that `path` is or lies in.
  static func directory(of path: String) throws(Failure) -> String {
    let status: FileStatus
    do { status = try FileStatus(path: Array(path.utf8), following: true) } catch {
      throw unreadable(path, "\(error)")
    }
    if status.isDirectory { return path }
    return path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
  }

  private init(directory: String, certificate: String) throws {
    self.certificate = try Self.read(certificate, limit: Part.certificate.limit, in: directory)
    evidence = try Self.read(Part.evidence.rawValue, limit: Part.evidence.limit, in: directory)
    checkpoint = try Self.read(Part.checkpoint.rawValue, limit: Part.checkpoint.limit, in: directory)
  }

  /// A file of a bundle, or nil where there is none.
  static func optional(_ part: Part, in directory: String) -> [UInt8]? {
    try? read(part.rawValue, limit: part.limit, in: directory)
  }

  static func read(_ name: String, limit: Int, in directory: String) throws(Failure) -> [UInt8] {
    try read(directory.hasSuffix("/") ? directory + name : directory + "/" + name, limit: limit)
  }

  /// The bytes of a regular file: a pipe or a terminal in a bundle would keep whoever verifies waiting.
  static func read(_ path: String, limit: Int) throws(Failure) -> [UInt8] {
    do {
      let file = try OwnedDescriptor.open(path, [.readOnly, .nonBlocking])
      if try FileStatus(descriptor: file).isRegular { return try file.readAll(limit: limit) }
    } catch {
      throw unreadable(path, "\(error)")
    }
    throw unreadable(path, "Not a regular file")
  }

  private static func unreadable(_ path: String, _ why: String) -> Failure {
    Failure(
      message: "\(path): \(why)",
      hint: "name a directory with certificate, evidence.json and checkpoint in it, or the certificate there",
      status: 74)
  }
}

// Writing.
extension Bundle {
  /// Writes the bundle: all of it, durably, or nothing. What is there already stays.
  ///
  /// The directory is its owner's alone; whoever has the evidence file can test guesses at names.
  func write(to directory: String) throws {
    guard let statement = Statement(self) else {
      throw Failure(
        message: "the certificate cannot be read back", hint: "please report this; nothing was written", status: 70)
    }
    var target = directory
    while target.count > 1, target.hasSuffix("/") { target.removeLast() }
    let parent = target.lastIndex(of: "/").map { $0 == target.startIndex ? "/" : String(target[..<$0]) } ?? "."
    var template = Array("\(parent)/.alibi-bundle-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else { throw Self.unwritable(directory, Errno(rawValue: errno)) }
    let draft = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    do {
      for part in Part.allCases {
        let file = try OwnedDescriptor.open("\(draft)/\(part.rawValue)", [.writeOnly, .create])
        try file.write(bytes(of: part, statement))
        try Self.sync(file)
      }
      try Self.sync(try OwnedDescriptor.open(draft, [.readOnly, .directory]))
      // A rename takes the place of an empty directory only: of this one, which nobody had before.
      guard unsafe mkdir(target, 0o700) == 0 else { throw Errno(rawValue: errno) }
      guard unsafe rename(draft, target) == 0 else {
        let code = Errno(rawValue: errno)
        _ = unsafe rmdir(target)
        throw code
      }
    } catch {
      for part in Part.allCases { _ = unsafe unlink("\(draft)/\(part.rawValue)") }
      _ = unsafe rmdir(draft)
      if let code = error as? Errno { throw Self.unwritable(directory, code) }
      throw error
    }
    do { try Self.sync(try OwnedDescriptor.open(parent, [.readOnly, .directory])) } catch {
      throw Self.unwritable(directory, error)
    }
  }

  private static func sync(_ file: borrowing OwnedDescriptor) throws(Errno) {
    guard fsync(file.raw) == 0 else { throw Errno(rawValue: errno) }
  }

  private static func unwritable(_ path: String, _ code: Errno) -> Failure {
    if code == Errno(rawValue: EEXIST) {
      return .usage("\(path): there is something already", hint: "a bundle is never overwritten; name a new directory")
    }
    return Failure(
      message: "\(path): \(code)", hint: "look at the directory above it, its permissions and its disk", status: 74)
  }
}
