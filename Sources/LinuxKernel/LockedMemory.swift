internal import CLinux

/// Memory that is there: a memfd mapped, populated and locked, so that neither a fault nor swapping can come
/// between a read() and its target. A fanotify read into a page that cannot be faulted destroys its events.
@safe
public final class LockedMemory: @unchecked Sendable {
  // Sendable because both fields are set once; who may touch which byte is the ring's business.

  /// The memory, zeroed at first.
  public let bytes: UnsafeMutableRawBufferPointer
  /// The memfd, for another process to map.
  public let descriptor: OwnedDescriptor
  /// Whether the kernel agreed to lock it (RLIMIT_MEMLOCK, CAP_IPC_LOCK); it is populated in any case.
  public let isLocked: Bool

  /// Makes `count` bytes, a multiple of the page size.
  public convenience init(count: Int, name: String) throws(Errno) {
    let descriptor = OwnedDescriptor(adopting: try call { unsafe cl_memfd(name) })
    let raw = descriptor.raw
    _ = try call { ftruncate(raw, count) }
    try self.init(descriptor, count: count)
  }

  /// Maps the memory that another process made.
  public convenience init(adopting descriptor: consuming OwnedDescriptor) throws(Errno) {
    let count = Int(try FileStatus(descriptor: descriptor).size)
    try self.init(descriptor, count: count)
  }

  private init(_ descriptor: consuming OwnedDescriptor, count: Int) throws(Errno) {
    let raw = descriptor.raw
    guard
      let base = unsafe mmap(nil, count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, raw, 0),
      unsafe base != UnsafeMutableRawPointer(bitPattern: -1)
    else { throw Errno(rawValue: cl_errno()) }
    unsafe bytes = UnsafeMutableRawBufferPointer(start: base, count: count)
    self.descriptor = descriptor
    isLocked = unsafe mlock(base, count) == 0
  }

  deinit { _ = unsafe munmap(bytes.baseAddress, bytes.count) }
}
