/// What the service gives its sender to carry: one datagram over the pair of sockets between them.
///
/// ```
/// post <id> <url> <type>\n<body>       HTTP POST
/// socket <id> <path>\n<body>           a datagram to a unix socket
/// udp <id> <host> <port>\n<body>       a datagram over UDP
/// ```
///
/// The sender knows nothing of logs, witnesses or time stamps: whatever decides stays on this side.
public struct Letter: Sendable, Hashable {
  /// Where it goes.
  public enum Destination: Sendable, Hashable {
    /// To a URL, by HTTP POST, with this content type.
    case post(url: String, type: String)
    /// To a unix datagram socket.
    case socket(path: String)
    /// To a host's port.
    case udp(host: String, port: UInt16)
  }

  /// Which letter an answer is to.
  public var id: UInt64
  /// Where it goes.
  public var destination: Destination
  /// What it says.
  public var body: [UInt8]

  /// Far above a checkpoint with its proof.
  public static let mostBytes = 1 << 16

  /// A letter.
  public init(id: UInt64, to destination: Destination, body: [UInt8]) {
    self.id = id
    self.destination = destination
    self.body = body
  }

  /// The datagram.
  public var bytes: [UInt8] {
    let head =
      switch destination {
      case .post(let url, let type): "post \(id) \(url) \(type)\n"
      case .socket(let path): "socket \(id) \(path)\n"
      case .udp(let host, let port): "udp \(id) \(host) \(port)\n"
      }
    return Array(head.utf8) + body
  }

  /// Reads a datagram; nil where it is malformed.
  public init?(_ bytes: [UInt8]) {
    guard bytes.count <= Self.mostBytes, let (words, body) = Envelope.open(bytes), words.count > 1,
      let id = UInt64(words[1])
    else { return nil }
    self.id = id
    self.body = body
    switch (words[0], words.count) {
    case ("post", 4): destination = .post(url: words[2], type: words[3])
    case ("socket", 3): destination = .socket(path: words[2])
    case ("udp", 4):
      guard let port = UInt16(words[3]) else { return nil }
      destination = .udp(host: words[2], port: port)
    default: return nil
    }
  }
}

/// What became of a letter.
///
/// ```
/// answered <id> <status> <type>\n<body>     an HTTP response; of datagrams, which nobody answers, 0 and `-`
/// failed <id>\n<reason>
/// ```
public struct Reply: Sendable, Hashable {
  /// What became of it.
  public enum Outcome: Sendable, Hashable {
    /// A response, of this status and content type.
    case answered(status: Int, type: String, body: [UInt8])
    /// None, and why.
    case failed(String)
  }

  /// The letter's.
  public var id: UInt64
  /// What became of it.
  public var outcome: Outcome

  /// Far above a cosignature or a time stamp with its certificates.
  public static let mostBytes = 1 << 16

  /// A reply.
  public init(id: UInt64, _ outcome: Outcome) {
    self.id = id
    self.outcome = outcome
  }

  /// The datagram.
  public var bytes: [UInt8] {
    switch outcome {
    case .answered(let status, let type, let body):
      let isWord = !type.isEmpty && type.utf8.allSatisfy { (0x21...0x7E).contains($0) }
      return Array("answered \(id) \(status) \(isWord ? type : "-")\n".utf8) + body
    case .failed(let reason): return Array("failed \(id)\n\(reason)".utf8)
    }
  }

  /// Reads a datagram; nil where it is malformed.
  public init?(_ bytes: [UInt8]) {
    guard let (words, body) = Envelope.open(bytes), words.count > 1, let id = UInt64(words[1]) else { return nil }
    self.id = id
    switch (words[0], words.count) {
    case ("answered", 4):
      guard let status = Int(words[2]) else { return nil }
      outcome = .answered(status: status, type: words[3], body: body)
    case ("failed", 2):
      let plain = body.prefix(200).map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }
      outcome = .failed(String(decoding: plain, as: UTF8.self))
    default: return nil
    }
  }
}

/// A line of words, and whatever follows it.
private enum Envelope {
  static func open(_ bytes: [UInt8]) -> (words: [String], body: [UInt8])? {
    guard let end = bytes.firstIndex(of: UInt8(ascii: "\n")), bytes[..<end].allSatisfy({ (0x20...0x7E).contains($0) })
    else { return nil }
    let words = bytes[..<end].split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard !words.contains(where: \.isEmpty) else { return nil }
    return (words.map { String(decoding: $0, as: UTF8.self) }, Array(bytes[(end + 1)...]))
  }
}
