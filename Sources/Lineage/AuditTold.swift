internal import Decode
internal import Records

/// What an event of audit says, as far as it matters.
struct AuditTold {
  enum Key { case exec, denied, connect, accept, memory, other }
  enum Attempt { case open, change, execute }

  var pid: Int32 = 0
  var key = Key.other
  var hasSucceeded = false
  var exit: Int64?
  var attempt = Attempt.open
  var directory: RawPath?
  /// The name as it was given.
  var name: RawPath?
  var inode: UInt64?
  var device: UInt64?
  var peer: Peer?
  /// The process that it was done to.
  var object: Int32?
  /// What the file of an executed program gave.
  var gained: Capabilities = []
  /// What the process may use.
  var capabilities: Capabilities = []
  /// Whether a relative name is one of the working directory.
  private var isOfDirectory = true

  init?(_ event: AuditEvent) {
    var call: AuditSyscall?
    var told = AuditTold.blank
    event.forEach { record, bytes in
      if call == nil, let found = AuditSyscall(record, in: bytes) {
        call = found
        told.take(found, in: bytes)
      } else if let path = AuditPath(record, in: bytes), path.role != .parent, told.name == nil {
        told.name = path.name.map { RawPath($0.bytes(in: bytes)) }
        told.inode = path.inode
        told.device = path.device
      } else if let directory = AuditNote.workingDirectory(record, in: bytes) {
        told.directory = RawPath(directory.bytes(in: bytes))
      } else if let address = AuditAddress(record, in: bytes) {
        told.peer = Peer(address, in: bytes)
      } else if let object = AuditObject(record, in: bytes) {
        told.object = object.pid
      } else if let found = AuditCapabilities(record, in: bytes) {
        told.gained = found.gained
        told.capabilities = found.permitted.union(found.effective)
      }
    }
    guard call != nil else { return nil }
    if told.key == .memory, told.object == nil { told.object = told.processOfName }
    self = told
  }

  private init() {}
  private static var blank: AuditTold { AuditTold() }

  private mutating func take(_ call: AuditSyscall, in bytes: RawSpan) {
    pid = call.caller.pid
    exit = call.exit
    hasSucceeded = call.isSuccess == true
    let words = (call.key?.bytes(in: bytes) ?? []).split(separator: 1).map { String(decoding: $0, as: UTF8.self) }
    for word in words {
      switch word {
      case "alibi-exec": key = .exec
      case "alibi-denied": key = .denied
      case "alibi-connect": key = .connect
      case "alibi-accept": key = .accept
      case "alibi-memory": key = .memory
      default: continue
      }
    }
    // AT_FDCWD
    let kind = call.call
    isOfDirectory = kind != .other && (!kind.isRelative || UInt32(truncatingIfNeeded: call.a0) == 0xffff_ff9c)
    switch kind {
    case .execute, .executeAt: attempt = .execute
    case .change, .changeAt: attempt = .change
    case .process: object = Int32(truncatingIfNeeded: call.a0)
    // PTRACE_TRACEME: the parent, which is of the session, traces.
    case .trace: if call.a0 == 0 { key = .other }
    case .open, .openAt, .other: break
    }
  }

  /// The process in a name below /proc.
  private var processOfName: Int32? {
    guard let path, path.bytes.starts(with: "/proc/".utf8) else { return nil }
    return Int32(String(decoding: path.bytes.dropFirst(6).prefix { $0 != 0x2f }, as: UTF8.self))
  }

  /// Where the name was looked up; nil where that cannot be told.
  var path: RawPath? {
    guard let name, !name.bytes.isEmpty else { return nil }
    if name.isAbsolute { return name.lexicallyNormal }
    guard isOfDirectory, let directory, directory.isAbsolute else { return nil }
    return RawPath(directory.bytes + [0x2f] + name.bytes).lexicallyNormal
  }
}

extension Peer {
  /// Nil for what leads to no process: netlink and others, an address without a name.
  init?(_ address: AuditAddress, in bytes: RawSpan) {
    func big(_ value: some FixedWidthInteger) -> [UInt8] {
      unsafe withUnsafeBytes(of: value.bigEndian) { unsafe Array($0) }
    }
    switch address {
    case .unix(let name, let isAbstract):
      let text = name.bytes(in: bytes)
      if text.isEmpty { return nil }
      self = .local(isAbstract ? [0] + text : text)
    case .ipv4(let address, let port): self = .network(big(address), port: port)
    case .ipv6(let high, let low, let port): self = .network(big(high) + big(low), port: port)
    case .other: return nil
    }
  }
}
