internal import Decode
internal import Lineage
internal import LinuxKernel

/// Who answers at an address: a look at the kernel's tables of sockets, and at who holds them.
///
/// A process that has closed both the socket it listened on and the one it accepted is not found.
enum Listeners {
  /// The processes that hold a socket at the address, as `pid` sees the network; nil where it is another host's.
  static func at(_ peer: Peer, seenBy pid: Int32) -> [Int32]? {
    // The namespace of who is gone cannot be asked any more; most have the host's.
    let base = (try? Procfs.file("/proc/\(pid)/net/unix")) != nil ? "/proc/\(pid)/net/" : "/proc/self/net/"
    // A socket's file can be reached from another network namespace; of addresses the host knows its own.
    let bases = base == "/proc/self/net/" ? [base] : [base, "/proc/self/net/"]
    let sockets: Set<UInt64>
    switch peer {
    case .local(let name):
      let file = name.first == 0 ? nil : file(name, seenBy: pid)
      sockets = bases.reduce(into: []) { found, base in
        found.formUnion(
          local(name, text(base + "unix")) { bound in
            guard let file, let other = try? FileStatus(path: bound, following: true) else { return false }
            return file.device == other.device && file.inode == other.inode
          })
      }
    case .network(let address, let port):
      guard bases.contains(where: { isOwn(address, $0) }) else { return nil }
      sockets = bases.flatMap { base in ["tcp", "tcp6", "udp", "udp6"].map { base + $0 } }
        .reduce(into: []) { $0.formUnion(network(port, text($1))) }
    }
    return sockets.isEmpty ? [] : holders(of: Set(sockets.map { Array("socket:[\($0)]".utf8) }))
  }

  private static func text(_ path: String) -> [UInt8] { (try? Procfs.file(path, limit: 64 << 20)) ?? [] }

  /// The socket's file, which the server may call otherwise: through a symbolic link, from another directory.
  private static func file(_ name: [UInt8], seenBy pid: Int32) -> FileStatus? {
    let isAbsolute = name.first == UInt8(ascii: "/")
    let place = Array((isAbsolute ? "/proc/\(pid)/root" : "/proc/\(pid)/cwd/").utf8)
    return (try? FileStatus(path: place + name, following: true))
      ?? (isAbsolute ? try? FileStatus(path: name, following: true) : nil)
  }

  /// The inodes of the Unix sockets that bear a name: one that listens, and those that it accepted. An abstract name is
  /// shown with `@` for its NUL.
  ///
  /// - Parameter isSame: whether a path leads to the same file.
  static func local(_ name: [UInt8], _ table: [UInt8], isSame: ([UInt8]) -> Bool = { _ in false }) -> Set<UInt64> {
    let wanted = name.first == 0 ? name.map { $0 == 0 ? UInt8(ascii: "@") : $0 } : name
    let isPath = wanted.first != UInt8(ascii: "@")
    var found: Set<UInt64> = []
    for line in table.split(separator: 0x0a).dropFirst() {
      // Num RefCount Protocol Flags Type St Inode Path
      let fields = line.split(separator: 0x20, maxSplits: 7)
      guard fields.count == 8, let inode = number(fields[6], base: 10) else { continue }
      if fields[7].elementsEqual(wanted) || isPath && fields[7].first == UInt8(ascii: "/") && isSame(Array(fields[7])) {
        found.insert(inode)
      }
    }
    return found
  }

  /// The inodes of the sockets that are bound to a port, whatever their state.
  static func network(_ port: UInt16, _ table: [UInt8]) -> Set<UInt64> {
    var found: Set<UInt64> = []
    for line in table.split(separator: 0x0a).dropFirst() {
      // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
      let fields = line.split(separator: 0x20, maxSplits: 10)
      guard fields.count > 9, let colon = fields[1].lastIndex(of: UInt8(ascii: ":")),
        number(fields[1][(colon + 1)...], base: 16) == UInt64(port), let inode = number(fields[9], base: 10), inode != 0
      else { continue }
      found.insert(inode)
    }
    return found
  }

  /// Whether an address is this host's: a loopback one, none, or one of its interfaces'.
  static func isOwn(_ address: [UInt8], _ base: String) -> Bool {
    if address.allSatisfy({ $0 == 0 }) { return true }
    if address.count == 16 {
      if address.prefix(10).allSatisfy({ $0 == 0 }), address[10] == 0xff, address[11] == 0xff {
        return isOwn(Array(address.suffix(4)), base)
      }
      if address.dropLast().allSatisfy({ $0 == 0 }), address[15] == 1 { return true }
      let own = text(base + "if_inet6").split(separator: 0x0a).compactMap { $0.split(separator: 0x20).first }
      let wanted = address.flatMap { [Self.digits[Int($0 >> 4)], Self.digits[Int($0 & 15)]] }
      return own.contains { $0.elementsEqual(wanted) }
    }
    guard address.count == 4 else { return false }
    if address[0] == 127 { return true }
    // What the trie of routes calls local: `|-- 192.0.2.7` and, on the next line, `/32 host LOCAL`.
    let wanted = Array(address.map(String.init).joined(separator: ".").utf8)
    let lines = text(base + "fib_trie").split(separator: 0x0a)
    for (index, line) in lines.enumerated().dropLast()
    where line.split(separator: 0x20).last?.elementsEqual(wanted) == true {
      if lines[index + 1].firstRange(of: Array("host LOCAL".utf8)) != nil { return true }
    }
    return false
  }

  private static let digits = Array("0123456789abcdef".utf8)

  private static func number(_ text: ArraySlice<UInt8>, base: UInt64) -> UInt64? {
    guard !text.isEmpty else { return nil }
    var value: UInt64 = 0
    for byte in text {
      guard let digit = digits.firstIndex(of: byte | (byte > 57 ? 0x20 : 0)), UInt64(digit) < base else { return nil }
      value = value &* base &+ UInt64(digit)
    }
    return value
  }

  /// Who has a descriptor whose link in /proc says one of these.
  static func holders(of links: Set<[UInt8]>) -> [Int32] {
    ((try? Procfs.pids()) ?? []).filter { pid in
      ((try? Procfs.descriptors(pid)) ?? []).contains { number in
        (try? Procfs.link(pid, "fd/\(number)")).map(links.contains) ?? false
      }
    }
  }
}
