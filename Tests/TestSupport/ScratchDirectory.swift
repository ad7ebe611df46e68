internal import Glibc
internal import LinuxKernel

/// An empty directory of our own, removed with all that is in it when the value goes.
///
/// Hold it in the suite, so that it lives as long as the test and goes also when the test fails.
public final class ScratchDirectory: Sendable {
  /// Where it is.
  public let path: String
  private let mounted: Bool
  /// Whose everything in it is.
  private let owner: UInt32?

  /// Makes a directory in `parent`, on whatever file system that is; everybody may enter it if it has an owner.
  public init(in parent: String, owner: UInt32? = nil) throws {
    path = try Self.make(in: parent)
    mounted = false
    self.owner = owner
    if owner != nil {
      _ = unsafe chmod(path, 0o755)
      try giveAway(path)
    }
  }

  private func giveAway(_ path: String) throws {
    guard let owner else { return }
    guard unsafe lchown(path, owner, owner) == 0 else { throw Errno(rawValue: errno) }
  }

  /// Makes /tmp/alibi-test-XXXXXX and mounts a tmpfs on it that nobody else uses.
  public init() throws {
    let path = try Self.make(in: "/tmp")
    guard unsafe mount("alibi-test", path, "tmpfs", 0, "mode=755") == 0 else {
      let error = Errno(rawValue: errno)
      _ = unsafe rmdir(path)
      throw error
    }
    self.path = path
    mounted = true
    owner = nil
  }

  deinit {
    if mounted {
      // Detached, because a child that is about to end may still be in it.
      _ = unsafe umount2(path, Int32(MNT_DETACH))
      _ = unsafe rmdir(path)
    } else {
      _ = try? Subprocess.run("/bin/rm", ["-rf", "--one-file-system", path])
    }
  }

  private static func make(in parent: String) throws -> String {
    var template = Array("\(parent)/alibi-test-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The path of `name` in here.
  public func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

  /// Writes a file, new or not.
  public func write(_ name: String, _ text: String = "some text", mode: UInt32 = 0o644) throws {
    let file = try OwnedDescriptor.open(self(name), [.writeOnly, .create, .truncate])
    let raw = file.raw
    guard unsafe Glibc.write(raw, text, text.utf8.count) == text.utf8.count, fchmod(raw, mode) == 0 else {
      throw Errno(rawValue: errno)
    }
    try giveAway(self(name))
  }

  /// Makes a directory.
  public func makeDirectory(_ name: String) throws {
    guard unsafe mkdir(self(name), 0o755) == 0 else { throw Errno(rawValue: errno) }
    try giveAway(self(name))
  }

  /// Makes a symbolic link.
  public func link(_ name: String, to target: String) throws {
    guard unsafe symlink(target, self(name)) == 0 else { throw Errno(rawValue: errno) }
  }

  /// Copies a program from elsewhere, to be run from here.
  public func copyProgram(_ source: String, as name: String) throws {
    let bytes = try Procfs.file(source, limit: 1 << 26)
    let file = try OwnedDescriptor.open(self(name), [.writeOnly, .create, .truncate])
    let raw = file.raw
    guard unsafe Glibc.write(raw, bytes, bytes.count) == bytes.count, fchmod(raw, 0o755) == 0 else {
      throw Errno(rawValue: errno)
    }
  }
}
