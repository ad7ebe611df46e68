import Foundation
import Glibc

/// Files by paths of any bytes.
enum Disk {
  private static func terminated(_ path: Path) -> [CChar] { (path + [0]).map { CChar(bitPattern: $0) } }

  private static func check(_ result: Int32, _ path: Path) throws {
    guard result >= 0 else { throw Trouble("\(path.escaped): \(unsafe String(cString: strerror(errno)))") }
  }

  static func makeDirectory(_ path: Path) throws {
    let result = unsafe mkdir(terminated(path), 0o755)
    if result < 0, errno == EEXIST { return }
    try check(result, path)
  }

  static func makeDirectories(_ path: Path) throws {
    if path.count > 1 { try makeDirectories(path.parent) }
    if !path.isEmpty { try makeDirectory(path) }
  }

  static func link(_ path: Path, to target: Path) throws {
    try check(unsafe symlink(terminated(target), terminated(path)), path)
  }

  static func write(_ path: Path, _ bytes: [UInt8], mode: UInt32) throws {
    let file = unsafe open(terminated(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode_t(mode))
    try check(file, path)
    defer { close(file) }
    guard unsafe Glibc.write(file, bytes, bytes.count) == bytes.count else { throw Trouble("\(path.escaped): cut off") }
  }

  static func read(_ path: String) throws -> [UInt8] {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    try check(file, Path(path))
    defer { close(file) }
    let size = Int(lseek(file, 0, SEEK_END))
    var bytes = [UInt8](repeating: 0, count: size)
    guard unsafe pread(file, &bytes, size, 0) == size else { throw Trouble("\(path): cut off") }
    return bytes
  }

  /// Files whose size is not told, as those of /proc.
  static func readAll(_ path: String) throws -> [UInt8] {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    try check(file, Path(path))
    defer { close(file) }
    var bytes: [UInt8] = [], part = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = unsafe Glibc.read(file, &part, part.count)
      guard count > 0 else { return bytes }
      bytes += part.prefix(count)
    }
  }

  static func mount(_ source: String, _ type: String, on point: String, options: String = "") throws {
    try check(unsafe Glibc.mount(source, point, type, 0, options), Path(point))
  }

  static func unmount(_ point: String) { _ = unsafe umount2(point, Int32(MNT_DETACH)) }

  static func remove(_ path: String) throws {
    try Child.run("/bin/rm", ["-rf", "--one-file-system", path])
  }

  /// An empty directory in /tmp that every user may enter.
  static func scratch(_ name: String) throws -> String {
    var template = Array("/tmp/\(name)-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&template) != nil else { throw Trouble("no directory in /tmp: errno \(errno)") }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    _ = unsafe chmod(path, 0o755)
    return path
  }
}
