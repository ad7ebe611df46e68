internal import Glibc

// Files that are written at once: whole, or sealed.
extension OwnFiles {
  /// Whoever may read `model` may read the file, and nobody may write it: chown(2), chmod(2).
  public static func seal(_ path: String, like model: String) throws(Errno) {
    try like(path, model, mask: 0o444)
  }

  /// Gives a directory the group and the rights of another.
  public static func share(_ directory: String, like model: String) throws(Errno) {
    try like(directory, model, mask: 0o777)
  }

  private static func like(_ path: String, _ model: String, mask: UInt32) throws(Errno) {
    var info = stat()
    _ = try call { unsafe stat(model, &info) }
    let (group, mode) = (info.st_gid, info.st_mode & mask)
    _ = try call { unsafe chown(path, .max, group) }
    _ = try call { unsafe chmod(path, mode) }
  }

  /// Where `replace` writes a file before it takes its place; it is still there where that was cut short.
  public static func unfinished(_ path: String) -> String { path + ".new" }

  /// Puts a file that root alone may read in the place of what may be there: all of it, on the disk, or nothing.
  public static func replace(_ path: String, with bytes: [UInt8]) throws(Errno) {
    let new = unfinished(path)
    let file = try OwnedDescriptor.open(new, [.writeOnly, .create, .truncate])
    let raw = file.raw
    _ = fchmod(raw, 0o600)
    try file.write(bytes)
    _ = try call { fsync(raw) }
    try rename(new, to: path)
    try? sync(path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ".")
  }

  /// Waits until a file, or which files a directory has, is on the disk: fsync(2).
  public static func sync(_ path: String) throws(Errno) {
    let file = try OwnedDescriptor.open(path, .readOnly)
    let raw = file.raw
    _ = try call { fsync(raw) }
  }

  /// Gives a file another name, in place of what had it: rename(2).
  public static func rename(_ path: String, to name: String) throws(Errno) {
    _ = try call { unsafe Glibc.rename(path, name) }
  }

  /// The names of what lies in a directory; none where there is no such directory.
  public static func names(in directory: String) throws(Errno) -> [String] {
    guard let handle = unsafe opendir(directory) else {
      if errno == ENOENT { return [] }
      throw Errno(rawValue: errno)
    }
    defer { unsafe closedir(handle) }
    var names: [String] = []
    while let entry = unsafe readdir(handle) {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}
