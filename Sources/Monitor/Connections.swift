internal import Decode
internal import LinuxKernel

/// Who can tell whom something on this host over what is open at the moment of the look: sockets, pipes, terminals.
///
/// What a server is asked it may hand on: a bus to a service manager, a web server to its database, a multiplexer to the
/// shell in a pane.
struct Connections {
  /// Where what is written comes out.
  enum Inlet: Hashable {
    /// The peer of a socket, by its inode.
    case socket(UInt64)
    /// Who reads a pipe, by its inode.
    case pipe(UInt64)
    /// Who reads a terminal, to which whoever holds its master types, by its number.
    case terminal(UInt64)

    var isPipe: Bool { if case .pipe = self { true } else { false } }
  }

  private var outlets: [Int32: Set<Inlet>] = [:]
  private var inlets: [Inlet: Set<Int32>] = [:]

  /// Connections of nobody.
  init() {}

  /// Looks at the running system.
  static func now() -> Connections {
    var connections = Connections()
    var peers: [UInt64: [UInt64]] = [:]
    func connect(_ socket: UInt64, _ peer: UInt64) {
      peers[socket, default: []].append(peer)
      // Of a connection into another network namespace the dump tells one end.
      peers[peer, default: []].append(socket)
    }
    for (socket, peer) in (try? SocketPeers.unix()) ?? [:] { connect(socket, peer) }
    let tables = ["tcp", "tcp6"].map { (try? Procfs.file("/proc/self/net/" + $0, limit: 64 << 20)) ?? [] }
    for (socket, peer) in pairs(tables) { connect(socket, peer) }
    for pid in (try? Procfs.pids()) ?? [] {
      for number in (try? Procfs.descriptors(pid)) ?? [] {
        guard let link = try? Procfs.link(pid, "fd/\(number)") else { continue }
        if let socket = Self.number(in: link, "socket:[") {
          connections.add(pid, from: .socket(socket))
          for peer in peers[socket] ?? [] { connections.add(pid, to: .socket(peer)) }
        } else if let terminal = Self.number(in: link, "/dev/pts/") {
          connections.add(pid, from: .terminal(terminal))
        } else if link.starts(with: "pipe:[".utf8) || link.elementsEqual("/dev/ptmx".utf8)
          || link.elementsEqual("/dev/pts/ptmx".utf8)
        {
          // What a program prints goes to whoever keeps logs, shows it, or started it: printed limits name it.
          if number > 2 || !link.starts(with: "pipe:[".utf8) {
            connections.add(pid, link, (try? Procfs.file(pid, "fdinfo/\(number)")) ?? [])
          }
        }
      }
    }
    return connections
  }

  /// Whether a process holds what somebody else may read from. Who is gone held something.
  static func hasOutlet(_ pid: Int32, _ isSession: Bool) -> Bool {
    guard let numbers = try? Procfs.descriptors(pid) else { return true }
    return numbers.contains { number in
      guard let link = try? Procfs.link(pid, "fd/\(number)") else { return true }
      return link.starts(with: "socket:[".utf8) || !isSession && number > 2 && link.starts(with: "pipe:[".utf8)
        || link.elementsEqual("/dev/ptmx".utf8) || link.elementsEqual("/dev/pts/ptmx".utf8)
    }
  }

  /// Whoever writes to an inlet tells it something.
  mutating func add(_ pid: Int32, to inlet: Inlet) { outlets[pid, default: []].insert(inlet) }

  /// Whoever reads from an inlet is told.
  mutating func add(_ pid: Int32, from inlet: Inlet) { inlets[inlet, default: []].insert(pid) }

  /// A pipe, or the master of a terminal, and what fdinfo says of it.
  mutating func add(_ pid: Int32, _ link: [UInt8], _ info: [UInt8]) {
    func field(_ name: String, radix: Int) -> UInt64? {
      info.split(separator: 0x0a).first { $0.starts(with: name.utf8) }.flatMap {
        UInt64(
          String(decoding: $0.dropFirst(name.utf8.count).drop { $0 == 0x09 || $0 == 0x20 }, as: UTF8.self), radix: radix
        )
      }
    }
    guard let pipe = Self.number(in: link, "pipe:[") else {
      if let terminal = field("tty-index:", radix: 10) { add(pid, to: .terminal(terminal)) }
      return
    }
    // O_RDONLY, O_WRONLY, O_RDWR
    let mode = field("flags:", radix: 8).map { $0 & 3 } ?? 2
    if mode != 0 { add(pid, to: .pipe(pipe)) }
    if mode != 1 { add(pid, from: .pipe(pipe)) }
  }

  /// Everybody whom one of the processes can tell something, themselves left out.
  ///
  /// - Parameters:
  ///   - ends: those through whom nothing is handed on.
  ///   - isSession: whether pipes of theirs are left out.
  func reach(from pids: [Int32], except ends: Set<Int32>, isSession: Bool = false) -> [Int32] {
    var found: Set<Int32> = []
    var next = pids.filter { !ends.contains($0) }
    while let pid = next.popLast() {
      for inlet in outlets[pid] ?? [] where !isSession || !inlet.isPipe || !pids.contains(pid) {
        for other in inlets[inlet] ?? [] where found.insert(other).inserted && !ends.contains(other) {
          next.append(other)
        }
      }
    }
    return found.subtracting(pids).sorted()
  }

  /// The number in a link like `socket:[123]` or `/dev/pts/3`.
  private static func number(in link: [UInt8], _ prefix: String) -> UInt64? {
    guard link.starts(with: prefix.utf8) else { return nil }
    let digits = link.dropFirst(prefix.utf8.count).prefix { (48...57).contains($0) }
    return UInt64(String(decoding: digits, as: UTF8.self))
  }

  /// The two ends of connections within the host: of each pair one's local address is the other's remote one. An IPv6
  /// socket that talks to an IPv4 one has the latter's address mapped into its own.
  static func pairs(_ tables: [[UInt8]]) -> [(UInt64, UInt64)] {
    var ends: [[UInt8]: UInt64] = [:]
    var wanted: [(inode: UInt64, key: [UInt8])] = []
    for table in tables {
      for line in table.split(separator: 0x0a).dropFirst() {
        // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
        let fields = line.split(separator: 0x20, maxSplits: 10)
        guard fields.count > 9, let inode = UInt64(String(decoding: fields[9], as: UTF8.self)), inode != 0 else {
          continue
        }
        let (local, remote) = (short(fields[1]), short(fields[2]))
        ends[local + [0x20] + remote] = inode
        wanted.append((inode, remote + [0x20] + local))
      }
    }
    return wanted.compactMap { end in ends[end.key].map { (end.inode, $0) } }
  }

  /// An address and port in hex; an IPv4 address that is mapped into an IPv6 one as itself.
  private static func short(_ address: ArraySlice<UInt8>) -> [UInt8] {
    let mapped = Array("0000000000000000FFFF0000".utf8)
    return address.starts(with: mapped) ? Array(address.dropFirst(24)) : Array(address)
  }
}
