public import Certificates
internal import Glibc
internal import LinuxKernel
public import MerkleLog

/// Why there is no key.
public struct KeyError: Error, Sendable, CustomStringConvertible {
  /// One line for people.
  public var description: String
}

/// The two private keys of a log, in `STATE/keys`: `log.key` signs heads, `cert.key` certificates.
///
/// A file holds one line, `PRIVATE+KEY+<name>+<hex id>+<base64(0x01 ‖ seed)>`, as Go's `x/mod/sumdb/note` has it. Only
/// its owner, root, may read it; the directory is root's alone. `log.key.next` and `cert.key.next` are there while a
/// rotation is under way; which are the log's, the log itself says.
public struct KeyDirectory: Sendable {
  /// Signs the log's heads.
  public let log: SigningKey
  /// Signs certificates; its name is the log's with `/cert` behind it.
  public let certificate: SigningKey

  private static let prefix = "PRIVATE+KEY+"

  /// The keys in a state directory.
  ///
  /// - Parameter chain: the keys that the log names; nil where it has not begun. Those in force are taken, also where a
  ///   rotation was cut short and has left them beside their places.
  public init(state: String, chain: KeyChain? = nil) throws(KeyError) {
    log = try Self.read(state, "log", chain?.key.log)
    certificate = try Self.read(state, "cert", chain?.key.certificate)
    guard certificate.verifier.name == log.verifier.name + Array("/cert".utf8) else {
      throw KeyError(description: "the keys in \(state)/keys are not of one log")
    }
  }

  /// Of a key's two places that which has the key in force; with no log to say which that is, the first.
  private static func read(_ state: String, _ role: String, _ inForce: VerifierKey?) throws(KeyError) -> SigningKey {
    let path = path(state, role)
    guard let inForce else { return try read(path) }
    // What is unreadable in its place is a key that was on its way out, if the other is the right one.
    if let next = try? read(path + next), next.verifier == inForce { return next }
    let key = try read(path)
    guard key.verifier == inForce else {
      throw KeyError(description: "\(path): not the key that the log names")
    }
    return key
  }

  /// Whether there is a key in a state directory.
  public static func exists(state: String) -> Bool {
    ["log", "cert"].contains { (try? FileStatus(path: Array(path(state, $0).utf8))) != nil }
  }

  /// Makes new keys for a log of this name.
  public static func create(state: String, origin: String) throws(KeyError) {
    do throws(Errno) { try OwnFiles.makeDirectory(state + "/keys", mode: 0o700) } catch {
      throw KeyError(description: "\(state)/keys: \(error)")
    }
    for (role, name) in [("cert", origin + "/cert"), ("log", origin)] { try make(name, at: path(state, role)) }
  }

  private static func make(_ name: String, at path: String) throws(KeyError) {
    var seed: [UInt8] = []
    var random = SystemRandomNumberGenerator()
    for _ in 0..<4 { seed.append(bigEndian: random.next()) }
    guard let key = SigningKey(name: Array(name.utf8), seed: seed) else {
      throw KeyError(description: "\(name): no name for a key")
    }
    let parts = key.verifier.text.split(separator: "+")
    let text = prefix + "\(name)+\(parts[1])+" + Base64.encode([VerifierKey.Kind.note.rawValue] + seed) + "\n"
    try write(Array(text.utf8), to: path)
  }

  /// What a log on this host is called: the same for whoever keeps a log here, and no other's; nothing of the host's can
  /// be read from it.
  public static func origin() -> String {
    var random: [UInt8] = []
    var generator = SystemRandomNumberGenerator()
    random.append(bigEndian: generator.next())
    random.append(bigEndian: generator.next())
    let machine = (try? Procfs.file("/etc/machine-id", limit: 64)) ?? []
    return "alibi/" + Hex.encode(Hash(of: domain("host") + (machine.count > 16 ? machine : random)).bytes.prefix(8))
  }

  private static let next = ".next"

  private static func path(_ state: String, _ role: String) -> String { "\(state)/keys/\(role).key" }

  /// All of it, or nothing: a torn key would be no key, and the log's name is taken.
  private static func write(_ bytes: [UInt8], to path: String) throws(KeyError) {
    do throws(Errno) { try OwnFiles.replace(path, with: bytes) } catch {
      throw KeyError(description: "\(path): \(error)")
    }
  }

  private static func rename(_ old: String, to path: String) throws(KeyError) {
    guard unsafe Glibc.rename(old, path) == 0 else { throw KeyError(description: "\(path): \(Errno(rawValue: errno))") }
    sync(path)
  }

  private static func sync(_ path: String) {
    let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    if let directory = try? OwnedDescriptor.open(directory, [.readOnly]) { _ = fsync(directory.raw) }
  }

  private static func read(_ path: String) throws(KeyError) -> SigningKey {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { throw KeyError(description: "\(path): \(Errno(rawValue: errno))") }
    guard status.st_mode & 0o077 == 0 else {
      throw KeyError(description: "\(path): others than its owner may use it; it is not to be trusted any more")
    }
    let bytes: [UInt8]
    do throws(Errno) { bytes = try Procfs.file(path, limit: 4096) } catch {
      throw KeyError(description: "\(path): \(error)")
    }
    let text = String(decoding: bytes.prefix { $0 != 0x0A }, as: UTF8.self)
    let parts = text.split(separator: "+", maxSplits: 4, omittingEmptySubsequences: false)
    guard text.hasPrefix(prefix), parts.count == 5, let payload = Base64.decode(parts[4].utf8),
      payload.first == VerifierKey.Kind.note.rawValue,
      let key = SigningKey(name: Array(parts[2].utf8), seed: Array(payload.dropFirst())),
      key.verifier.text.split(separator: "+").dropFirst().first.map(String.init) == String(parts[3])
    else { throw KeyError(description: "\(path): not a key") }
    return key
  }
}

// Rotation: the steps that concern the files.
extension KeyDirectory {
  /// Makes the key that is to take a role's place, beside it.
  static func stage(_ role: String, of name: String, state: String) throws(KeyError) {
    let beside = path(state, role) + next
    guard !isThere(beside) else {
      throw KeyError(description: "\(beside): left by an earlier rotation, which has not ended")
    }
    try make(name, at: beside)
  }

  /// The keys that lie beside those in force.
  init(stagedIn state: String) throws(KeyError) {
    log = try Self.read(Self.path(state, "log") + Self.next)
    certificate = try Self.read(Self.path(state, "cert") + Self.next)
  }

  /// Overwrites and removes what lies beside a key that stays in force, or what lies in the place of one that is; also
  /// what was cut short in being written.
  ///
  /// A file system that writes elsewhere, or a disk that does, may keep the old bytes all the same.
  func settle(_ role: String, state: String, reached: () throws -> Void) throws {
    let place = Self.path(state, role)
    let beside = place + Self.next
    for torn in [place, beside].map(OwnFiles.unfinished) where Self.isThere(torn) { try Self.discard(torn) }
    guard let staged = try? Self.read(beside) else {
      if Self.isThere(beside) { try Self.discard(beside) }
      return
    }
    let inForce = role == "log" ? log.verifier : certificate.verifier
    guard staged.verifier == inForce else { return try Self.discard(beside) }
    try Self.overwrite(place)
    try reached()
    try Self.rename(beside, to: place)
    try reached()
  }

  private static func isThere(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

  private static func discard(_ path: String) throws(KeyError) {
    try overwrite(path)
    guard unsafe unlink(path) == 0 else { throw KeyError(description: "\(path): \(Errno(rawValue: errno))") }
    sync(path)
  }

  private static func overwrite(_ path: String) throws(KeyError) {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return }
    do throws(Errno) {
      let file = try OwnedDescriptor.open(path, [.writeOnly])
      try file.write([UInt8](repeating: 0, count: Int(min(status.st_size, 4096))))
      guard fsync(file.raw) == 0 else { throw Errno(rawValue: errno) }
    } catch {
      throw KeyError(description: "\(path): \(error)")
    }
  }
}
