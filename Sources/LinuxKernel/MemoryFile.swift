internal import CLinux

/// Files that memfd_create(2) makes.
public enum MemoryFile {
  /// The device of the kernel's own mount on which all of them lie; nobody can reach it by a path. Nil where none could
  /// be made.
  public static let device: UInt64? = {
    guard let raw = try? call({ unsafe cl_memfd("alibi") }) else { return nil }
    return try? FileStatus(descriptor: OwnedDescriptor(adopting: raw)).device
  }()
}
