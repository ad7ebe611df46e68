internal import CLinux
internal import Glibc

/// Unix-domain sockets, unix(7), and what else a service needs of its surroundings.
public enum LocalSocket {
  /// Listens at `path`, replacing what is there, with these permissions.
  public static func listen(_ path: String, mode: UInt32) throws(Errno) -> OwnedDescriptor {
    OwnedDescriptor(adopting: try call { unsafe cl_unix_listen(path, mode) })
  }

  /// Takes the next connection.
  public static func accept(_ listener: borrowing OwnedDescriptor) throws(Errno) -> OwnedDescriptor {
    let raw = listener.raw
    return OwnedDescriptor(adopting: try call { Glibc.accept(raw, nil, nil) })
  }

  /// Connects to a stream socket.
  public static func connect(_ path: String) throws(Errno) -> OwnedDescriptor {
    OwnedDescriptor(adopting: try call { unsafe cl_unix_connect(path, Int32(SOCK_STREAM.rawValue)) })
  }

  /// Gives up on a peer that says nothing for so long.
  public static func setTimeout(_ socket: borrowing OwnedDescriptor, seconds: Int) {
    var span = timeval(tv_sec: seconds, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    _ = unsafe setsockopt(socket.raw, SOL_SOCKET, SO_RCVTIMEO, &span, size)
    _ = unsafe setsockopt(socket.raw, SOL_SOCKET, SO_SNDTIMEO, &span, size)
  }

  /// Whose process is at the other end, SO_PEERCRED; nil where that cannot be told.
  public static func peerUser(_ socket: borrowing OwnedDescriptor) -> UInt32? {
    // struct ucred, which the C library shows to nobody without _GNU_SOURCE: pid, uid, gid.
    var peer: [UInt32] = [0, .max, .max]
    var size = socklen_t(3 * MemoryLayout<UInt32>.size)
    return unsafe getsockopt(socket.raw, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer[1] : nil
  }

  /// Sends all the bytes; a peer that is gone is EPIPE, not a signal.
  public static func send(_ socket: borrowing OwnedDescriptor, _ bytes: [UInt8]) throws(Errno) {
    var rest = bytes[...]
    let raw = socket.raw
    while !rest.isEmpty {
      let chunk = Array(rest)
      let count = try call { unsafe Glibc.send(raw, chunk, chunk.count, Int32(MSG_NOSIGNAL)) }
      rest = rest.dropFirst(count)
    }
  }

  /// Everything up to a newline or the end, at most `limit` bytes; the newline is left out.
  public static func receiveLine(_ socket: borrowing OwnedDescriptor, limit: Int) throws(Errno) -> [UInt8] {
    var line: [UInt8] = []
    let raw = socket.raw
    var chunk = [UInt8](repeating: 0, count: 4096)
    while line.count < limit {
      let count = try call { unsafe cl_read(raw, &chunk, 4096) }
      if count == 0 { break }
      line.append(contentsOf: chunk[..<count])
      if let end = line.firstIndex(of: 0x0a) { return Array(line[..<end]) }
    }
    return line
  }

  /// Tells the service manager something, sd_notify(3); nothing where there is none.
  public static func notifyManager(_ text: String) throws(Errno) {
    guard let raw = unsafe getenv("NOTIFY_SOCKET") else { return }
    let path = unsafe String(cString: raw)
    _ = try call { unsafe cl_notify(path, text) }
  }
}

/// Files and directories of the service's own.
public enum OwnFiles {
  /// Makes a directory, and those above it, where there is none.
  public static func makeDirectory(_ path: String, mode: UInt32) throws(Errno) {
    if (try? FileStatus(path: Array(path.utf8), following: true))?.isDirectory == true { return }
    if let cut = path.lastIndex(of: "/"), cut > path.startIndex {
      try makeDirectory(String(path[..<cut]), mode: 0o755)
    }
    do throws(Errno) { _ = try call { unsafe mkdir(path, mode) } } catch {
      if error.rawValue != EEXIST { throw error }
    }
  }

  /// Locks a file against another service, made where there is none; nil where another holds it.
  public static func lock(_ path: String) throws(Errno) -> LockFile? {
    let file = try OwnedDescriptor.open(path, [.readWrite, .create])
    let raw = file.raw
    do throws(Errno) { _ = try call { cl_lock_file(raw) } } catch {
      if error == .wouldBlock { return nil }
      throw error
    }
    return LockFile(adopting: file)
  }

  /// From here on what this process makes is for its user and group only, umask(2).
  public static func keepFromOthers() { umask(0o027) }

  /// Gives a file to a group, chown(2); one that is not there is left out.
  public static func setGroup(_ path: String, _ group: UInt32) throws(Errno) {
    do throws(Errno) { _ = try call { unsafe chown(path, .max, group) } } catch {
      if error != .noSuchFile { throw error }
    }
  }

  /// Whether nothing lies in a directory.
  public static func isEmptyDirectory(_ path: String) throws(Errno) -> Bool {
    guard let directory = unsafe opendir(path) else { throw Errno(rawValue: errno) }
    defer { unsafe closedir(directory) }
    var count = 0
    while unsafe readdir(directory) != nil { count += 1 }
    // Itself and the one above.
    return count <= 2
  }

  /// Removes a file, if it is there.
  public static func remove(_ path: String) { _ = unsafe unlink(path) }
}

/// Tells when something in a directory changes, inotify(7).
public final class DirectoryWatch: Sendable {
  /// Readable when something changed.
  public let descriptor: OwnedDescriptor

  /// Watches the entries of a directory, not those beneath them.
  public init(_ directory: String) throws(Errno) {
    // IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE
    let events: UInt32 = 0x8 | 0x40 | 0x80 | 0x100 | 0x200
    descriptor = OwnedDescriptor(adopting: try call { unsafe cl_inotify_watch(directory, events) })
  }

  /// Takes what waits, without looking at it.
  public func drain() {
    var bytes = [UInt8](repeating: 0, count: 4096)
    while unsafe cl_read(descriptor.raw, &bytes, 4096) > 0 {}
  }
}

/// A lock held as long as the value lives, flock(2).
public final class LockFile: Sendable {
  /// The locked file; who inherits it holds the lock too.
  public let descriptor: OwnedDescriptor

  /// Takes over the lock that a descriptor holds.
  public init(adopting descriptor: consuming OwnedDescriptor) {
    self.descriptor = descriptor
  }
}
