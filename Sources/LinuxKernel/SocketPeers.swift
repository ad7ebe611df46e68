internal import CLinux
internal import Glibc

/// Which Unix sockets are connected with which: the kernel's dump by NETLINK_SOCK_DIAG (sock_diag(7), `linux/unix_diag.h`).
public enum SocketPeers {
  /// The inode of each connected socket of this network namespace, with that of its peer.
  ///
  /// - Throws: ENOENT on a kernel without CONFIG_UNIX_DIAG.
  public static func unix() throws(Errno) -> [UInt64: UInt64] {
    // NETLINK_SOCK_DIAG; a message that goes nowhere else goes to the kernel.
    let raw = try call { socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 4) }
    let descriptor = OwnedDescriptor(adopting: raw)
    let request = request
    _ = try call { unsafe Int32(send(raw, request, request.count, 0)) }
    var peers: [UInt64: UInt64] = [:]
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = try call { unsafe Int32(recv(raw, &buffer, buffer.count, 0)) }
      guard try unsafe take(buffer.span.bytes.extracting(..<Int(count)), into: &peers) else { break }
    }
    _ = consume descriptor
    return peers
  }

  /// nlmsghdr, SOCK_DIAG_BY_FAMILY with NLM_F_REQUEST and NLM_F_DUMP; unix_diag_req for all states, UDIAG_SHOW_PEER.
  private static var request: [UInt8] {
    var bytes: [UInt8] = []
    func put(_ value: some FixedWidthInteger) {
      unsafe withUnsafeBytes(of: value) { unsafe bytes.append(contentsOf: $0) }
    }
    put(UInt32(40))
    put(UInt16(20))
    put(UInt16(0x301))
    put(UInt64(0))
    put(UInt32(AF_UNIX))
    put(UInt32.max)
    put(UInt32(0))
    put(UInt32(4))
    put(UInt64(0))
    return bytes
  }

  /// Takes in one datagram of the dump.
  ///
  /// - Returns: whether more are to come.
  static func take(_ bytes: RawSpan, into peers: inout [UInt64: UInt64]) throws(Errno) -> Bool {
    func number<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type, _ offset: Int) -> T {
      offset + MemoryLayout<T>.size <= bytes.byteCount
        ? unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: type) : 0
    }
    var offset = 0
    while offset + 16 <= bytes.byteCount {
      let length = Int(number(UInt32.self, offset))
      switch Int32(number(UInt16.self, offset + 4)) {
      case NLMSG_DONE: return false
      case NLMSG_ERROR: throw Errno(rawValue: -number(Int32.self, offset + 16))
      default: break
      }
      guard length >= 32, offset + length <= bytes.byteCount else { throw .invalidArgument }
      let inode = UInt64(number(UInt32.self, offset + 20))
      var attribute = offset + 32
      while attribute + 4 <= offset + length {
        let size = Int(number(UInt16.self, attribute))
        guard size >= 4 else { break }
        // UNIX_DIAG_PEER
        if number(UInt16.self, attribute + 2) == 2, size >= 8 {
          peers[inode] = UInt64(number(UInt32.self, attribute + 4))
        }
        attribute += (size + 3) & ~3
      }
      offset += (length + 3) & ~3
    }
    return true
  }
}
