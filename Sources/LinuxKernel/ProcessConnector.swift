internal import CLinux

/// The kernel's process-event connector (NETLINK_CONNECTOR, `linux/cn_proc.h`): fork, exec, exit, credentials.
public final class ProcessConnector: Sendable {
  /// The netlink socket.
  public let descriptor: OwnedDescriptor

  /// Joins the multicast group and asks the kernel to send.
  ///
  /// - Parameter receiveBuffer: bytes of socket buffer; root may exceed the system's ceiling.
  /// - Throws: EPERM without CAP_NET_ADMIN, EPROTONOSUPPORT on a kernel without the connector.
  public init(receiveBuffer: Int32) throws(Errno) {
    descriptor = OwnedDescriptor(adopting: try call { cl_connector_open(receiveBuffer) })
  }

  /// Takes over a socket that another process opened.
  public init(adopting descriptor: consuming OwnedDescriptor) {
    self.descriptor = descriptor
  }

  /// What one attempt to receive brought.
  public enum Received: Sendable, Equatable {
    /// A datagram of the kernel's of this many bytes.
    case datagram(Int)
    /// A datagram somebody else sent; ignored.
    case foreign
    /// Nothing waits.
    case none
    /// The kernel dropped messages since the last call (ENOBUFS).
    case lost
  }

  /// Takes one datagram.
  public func receive(into target: UnsafeMutableRawBufferPointer) throws(Errno) -> Received {
    do {
      let raw = descriptor.raw
      let count = try call { unsafe cl_connector_receive(raw, target.baseAddress, target.count) }
      return count == 0 ? .foreign : .datagram(count)
    } catch .wouldBlock {
      return .none
    } catch .noBufferSpace {
      return .lost
    }
  }
}
