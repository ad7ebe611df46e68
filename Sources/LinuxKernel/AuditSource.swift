internal import CLinux

/// Audit records as they come from the kernel, through a socket of their own.
public final class AuditSource: Sendable {
  /// The netlink socket; readable when a record waits.
  public let descriptor: OwnedDescriptor

  /// How records get here.
  public enum Place: Sendable {
    /// As the audit daemon. What finds no room in the socket for about a second is dropped without being counted,
    /// unless the kernel was started with `audit=1`; until then it waits in the kernel, which counts what exceeds the
    /// backlog's limit. No record goes into the kernel's own log while there is room.
    case owner
    /// Beside an audit daemon, AUDIT_NLGRP_READLOG. What this reader is too slow for is gone, and counted nowhere
    /// but in `lost` here.
    case listener
  }

  /// Opens the socket; as owner, takes the place of audit daemon for this process, whose own system calls audit does
  /// not record from then on.
  ///
  /// - Parameter receiveBuffer: bytes of socket buffer; root may exceed the system's ceiling.
  /// - Throws: EPERM without CAP_AUDIT_CONTROL or CAP_AUDIT_READ, EPROTONOSUPPORT without audit, EEXIST where another
  ///   process has the place and lives.
  public init(_ place: Place, receiveBuffer: Int32) throws(Errno) {
    let opened = try call { cl_audit_open(receiveBuffer, place == .listener ? 1 : 0) }
    descriptor = OwnedDescriptor(adopting: opened)
    if place == .owner { try register() }
  }

  /// Takes over a socket that another process opened: the records still go to it, also when that process has ended.
  /// While anybody holds it, no other process gets the place.
  public init(adopting descriptor: consuming OwnedDescriptor) {
    self.descriptor = descriptor
  }

  /// Gives up the place of audit daemon; only the process that took it can. Records that wait are kept and can be read.
  ///
  /// Without it the kernel finds out with the next record, which it then writes into its own log.
  public func resign() throws(Errno) {
    // By a socket of its own: on this one the answer would come behind records. The kernel asks who, not by which.
    let socket = OwnedDescriptor(adopting: try call { cl_audit_open(0, 0) })
    _ = try socket.converse(UInt16(AUDIT_SET), 1, AuditStatus.request(AUDIT_STATUS_PID, at: 12, 0))
  }

  /// Listens from now on, and gives up the place of audit daemon for who has asked for it. In between a record may come
  /// twice.
  public func yield() throws(Errno) {
    let raw = descriptor.raw
    _ = try call { cl_audit_listen(raw) }
    try resign()
  }

  private func register() throws(Errno) {
    let request = AuditStatus.request(AUDIT_STATUS_PID, at: 12, UInt32(bitPattern: getpid()))
    let raw = descriptor.raw
    _ = try call { unsafe cl_audit_send(raw, UInt16(AUDIT_SET), 1, request, UInt32(request.count)) }
    // Kernels before 6.1 may send records first, and only to who has the place: looked at, so that none is taken away.
    var peeked = [UInt8](repeating: 0, count: 512)
    guard try call({ cl_wait_readable(raw, 2000) }) > 0 else { throw .timedOut }
    let count = try call { unsafe recv(raw, &peeked, peeked.count, Int32(MSG_PEEK)) }
    guard unsafe Int32(peeked.integer(UInt16.self, at: 4)) == NLMSG_ERROR, count >= 20 else { return }
    _ = try call { unsafe cl_audit_receive(raw, &peeked, peeked.count) }
    let error = unsafe peeked.integer(Int32.self, at: 16)
    guard error == 0 else { throw Errno(rawValue: -error) }
  }

  /// What one attempt to receive brought.
  public enum Received: Sendable, Equatable {
    /// One record, `nlmsghdr` first, and zeroes up to a multiple of four: this many bytes.
    case record(Int)
    /// A message somebody else sent; ignored.
    case foreign
    /// Nothing waits.
    case none
    /// The socket had no room since the last call (ENOBUFS), so records may have been dropped; or one was longer than
    /// the buffer.
    case lost
  }

  /// Room for the longest record, with its header: MAX_AUDIT_MESSAGE_LENGTH bounds what programs send, PATH_MAX in
  /// hexadecimal what the kernel writes.
  public static let longest = 16_384

  /// Takes one record. Nothing is allocated.
  ///
  /// - Parameter target: at least `longest` bytes.
  public func receive(into target: UnsafeMutableRawBufferPointer) throws(Errno) -> Received {
    do {
      let raw = descriptor.raw
      let count = try call { unsafe cl_audit_receive(raw, target.baseAddress, target.count & ~3) }
      guard count > 0 else { return .foreign }
      let padded = (count + 3) & ~3
      for at in count..<padded { unsafe target[at] = 0 }
      return .record(padded)
    } catch .wouldBlock {
      return .none
    } catch .noBufferSpace {
      return .lost
    } catch .messageTooLong {
      return .lost
    }
  }

  /// Takes as many records as there are and fit, one behind the other.
  public func drain(into target: UnsafeMutableRawBufferPointer) throws(Errno) -> Drained {
    var drained = Drained()
    while drained.count + Self.longest <= target.count {
      let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: target[drained.count...])
      switch unsafe try receive(into: rest) {
      case .record(let count):
        // `nlmsghdr.nlmsg_type`
        let type = unsafe rest.loadUnaligned(fromByteOffset: 4, as: UInt16.self)
        if Int32(type) == AUDIT_CONFIG_CHANGE { drained.isAltered = true }
        if type == Self.replace { drained.isChallenged = true }
        drained.count += count
      case .foreign: continue
      case .lost: drained.isLossy = true
      case .none:
        drained.isEmpty = true
        return drained
      }
    }
    return drained
  }

  /// What draining brought.
  public struct Drained: Sendable {
    /// How many bytes were filled.
    public var count = 0
    /// Whether records were dropped.
    public var isLossy = false
    /// Whether nothing more waits.
    public var isEmpty = false
    /// Whether a record tells that rules or settings were altered.
    public var isAltered = false
    /// Whether somebody has asked for the audit daemon's place, which the kernel refused.
    public var isChallenged = false

    /// Nothing yet.
    public init() {}
  }

  /// Whether records come whoever is the audit daemon.
  public var isListening: Bool {
    let raw = descriptor.raw
    return cl_audit_is_listening(raw) == 1
  }

  /// AUDIT_REPLACE
  private static let replace: UInt16 = 1329
}
