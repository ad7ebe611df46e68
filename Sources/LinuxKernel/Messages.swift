internal import CLinux

/// One end of a connection between two processes that keeps messages apart, socketpair(2) with SOCK_SEQPACKET.
public final class MessageChannel: Sendable {
  /// The descriptor; readable when a message waits or nobody holds the other end.
  public let descriptor: OwnedDescriptor

  /// What was received.
  public enum Received: Sendable {
    /// A message.
    case message([UInt8])
    /// One that was longer than allowed, and is gone.
    case tooLong
    /// None waits.
    case none
    /// Nobody holds the other end.
    case end
  }

  /// Takes over an end.
  public init(adopting descriptor: consuming OwnedDescriptor) {
    self.descriptor = descriptor
  }

  /// Two ends: one to keep, one for a process to inherit.
  public struct Pair: ~Copyable, Sendable {
    /// The end to keep.
    public let ours: MessageChannel
    /// The end to give away.
    public let theirs: OwnedDescriptor

    /// A new connection.
    public init() throws(Errno) {
      var ends: (Int32, Int32) = (0, 0)
      _ = try call { unsafe cl_message_pair(&ends.0, &ends.1) }
      ours = MessageChannel(adopting: OwnedDescriptor(adopting: ends.0))
      theirs = OwnedDescriptor(adopting: ends.1)
    }
  }

  /// Sends a message whole.
  ///
  /// - Throws: EAGAIN where there is no room and it is not to wait; EPIPE where nobody holds the other end.
  public func send(_ message: [UInt8], waits: Bool) throws(Errno) {
    let raw = descriptor.raw
    _ = try call { unsafe cl_message_send(raw, message, message.count, waits ? 1 : 0) }
  }

  /// Takes the next message, of at most `limit` bytes.
  public func receive(limit: Int, waits: Bool) throws(Errno) -> Received {
    var room = [UInt8](repeating: 0, count: limit)
    let raw = descriptor.raw
    let count: Int
    do throws(Errno) { count = try call { unsafe cl_message_receive(raw, &room, limit, waits ? 1 : 0) } } catch {
      if error == .wouldBlock { return .none }
      if error == .connectionReset { return .end }
      throw error
    }
    if count == 0 { return .end }
    return count > limit ? .tooLong : .message(Array(room[..<count]))
  }
}

/// Datagrams that nobody answers.
public enum Datagram {
  /// Sends one to a unix socket; a receiver that has no room is EAGAIN.
  public static func send(_ bytes: [UInt8], toSocket path: String) throws(Errno) {
    _ = try call { unsafe cl_unix_send(path, bytes, bytes.count) }
  }

  /// Sends one to a host's UDP port.
  public static func send(_ bytes: [UInt8], toHost host: String, port: UInt16) throws(Errno) {
    _ = try call { unsafe cl_udp_send(host, String(port), bytes, bytes.count) }
  }
}

/// Rights that a process gives up.
public enum Rights {
  /// Becomes a user and a group for ever, neither of them root's: no other groups, no capability, none to be gained by
  /// executing anything, no file to be written, no memory to be looked into by others of that user.
  ///
  /// - Throws: the error of whatever was refused; the process must not go on then.
  public static func become(user: UInt32, group: UInt32) throws(Errno) {
    _ = try call { cl_become(user, group) }
  }
}
