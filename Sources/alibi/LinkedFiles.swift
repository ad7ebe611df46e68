internal import Glibc
internal import LinuxKernel
internal import Records

/// The files beneath some directories that have more than one name, or are looked for.
struct LinkedFiles {
  /// One name of each, and of those with several beneath, each.
  private(set) var paths: [RawPath] = []
  /// Why the list may lack some; nil where it is whole.
  private(set) var incomplete: String?

  /// How many entries are looked at before a question is answered without the rest.
  private static let limit = 1_000_000

  /// - Parameter inodes: numbers of files that are looked for, whatever their links.
  init(beneath directories: [RawPath], and inodes: Set<UInt64>) {
    var waiting = directories
    var seen = Set(directories)
    var looked = 0
    while let directory = waiting.popLast() {
      guard let handle = unsafe opendir((directory.bytes + [0]).map { CChar(bitPattern: $0) }) else {
        if errno != ENOENT, errno != ENOTDIR { incomplete = "\(directory) cannot be searched for hard links" }
        continue
      }
      defer { unsafe _ = closedir(handle) }
      while let entry = unsafe readdir(handle) {
        let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe Array($0.prefix { $0 != 0 }) }
        let type = unsafe Int32(entry.pointee.d_type)
        if name == [0x2e] || name == [0x2e, 0x2e] { continue }
        looked += 1
        guard looked <= Self.limit else {
          incomplete = "more than \(Self.limit) files to search for hard links"
          return
        }
        let path = directory.appending(name)
        if type == 4 {  // DT_DIR
          // Another file system's kernel state is no stored file.
          if !["/proc", "/sys"].contains(path.description), seen.insert(path).inserted { waiting.append(path) }
        } else if type == 8 || type == 0 {  // DT_REG, DT_UNKNOWN
          guard let status = try? FileStatus(path: path.bytes) else { continue }
          if status.isDirectory {
            if seen.insert(path).inserted { waiting.append(path) }
          } else if status.links > 1 || inodes.contains(status.inode) {
            paths.append(path)
          }
        }
      }
    }
  }
}
