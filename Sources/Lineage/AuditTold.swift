internal import Decode
internal import Records

/// What an event of audit says, as far as it matters.
struct AuditTold {
  enum Key { case exec, denied, connect, accept, memory, place, terminal, other }
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
  /// Whether it led to a regular file.
  var isRegular = false
  /// Whether it opens something, by a system call.
  var isOpening = false
  /// Whether what it opens can be read or written then, as far as the call tells: not by `O_PATH`.
  var isForContent = false
  /// Whether it makes or uses a ring of io_uring's.
  var isOfRing = false
  var device: UInt64?
  var peer: Peer?
  /// The process that it was done to.
  var object: Int32?
  /// The descriptor of a terminal, and the name of the caller's own.
  var descriptor: Int32 = -1
  var terminal: [UInt8]?
  /// What the file of an executed program gave.
  var gained: Capabilities = []
  /// What the process may use.
  var capabilities: Capabilities = []
  private var kind = AuditCall.other
  /// Whether the key is of a rule of ours.
  private var isOurs = false
  /// PTRACE_TRACEME
  private var isTracedByParent = false
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
        told.isRegular = path.mode & 0o170000 == 0o100000
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
    told.judge()
    self = told
  }

  private init() {}
  private static var blank: AuditTold { AuditTold() }

  /// The first rule that matches gives its key alone, and that may be somebody else's: then the call tells what it is.
  private mutating func judge() {
    guard key == .other, !isOurs else { return }
    if exit == -Self.noAccess || exit == -Self.notPermitted {
      if ![.other, .trace, .process, .connect].contains(kind) { key = .denied }
    } else if kind == .execute || kind == .executeAt {
      key = .exec
    } else if kind == .connect {
      key = .connect
    } else if kind == .trace && !isTracedByParent || kind == .process {
      key = .memory
    }
  }

  /// EACCES and EPERM
  private static let noAccess: Int64 = 13
  private static let notPermitted: Int64 = 1

  /// O_PATH
  private static let pathOnly: UInt64 = 0x20_0000

  private mutating func take(_ call: AuditSyscall, in bytes: RawSpan) {
    pid = call.caller.pid
    exit = call.exit
    hasSucceeded = call.isSuccess == true
    isOfRing = call.isOfRing
    isOpening = call.opening > 0
    let flags = [1: call.a1, 2: call.a2, 4: 0][call.opening]
    isForContent = flags.map { $0 & Self.pathOnly == 0 } ?? false
    let words = (call.key?.bytes(in: bytes) ?? []).split(separator: 1).map { String(decoding: $0, as: UTF8.self) }
    for word in words {
      if word.hasPrefix("alibi-") { isOurs = true }
      switch word {
      case "alibi-exec": key = .exec
      case "alibi-denied": key = .denied
      case "alibi-connect": key = .connect
      case "alibi-accept": key = .accept
      case "alibi-memory": key = .memory
      case "alibi-place": key = .place
      case "alibi-terminal":
        key = .terminal
        descriptor = Int32(truncatingIfNeeded: call.a0)
        terminal = call.caller.terminal?.bytes(in: bytes)
      default: continue
      }
    }
    // AT_FDCWD
    kind = call.call
    isOfDirectory = kind != .other && (!kind.isRelative || UInt32(truncatingIfNeeded: call.a0) == 0xffff_ff9c)
    switch kind {
    case .execute, .executeAt: attempt = .execute
    case .change, .changeAt: attempt = .change
    case .process: object = Int32(truncatingIfNeeded: call.a0)
    // PTRACE_TRACEME: the parent, which is of the session, traces.
    case .trace:
      isTracedByParent = call.a0 == 0
      if isTracedByParent { key = .other }
    case .open, .openAt, .connect, .other: break
    }
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
