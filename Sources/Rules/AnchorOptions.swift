import Yams

/// Who outside the machine is shown the log's heads.
///
/// ```yaml
/// anchors:
///   user: alibi-sender
///   interval: 60
///   witnesses:
///     - url: https://witness.example
///       key: witness.example+1a2b3c4d+BE…
///   timestamps:
///     - url: http://tsa.example/tsr
///       interval: 3600
///   syslog:
///     socket: /dev/log
/// ```
public struct AnchorOptions: Hashable, Sendable {
  /// A witness.
  public struct Witness: Hashable, Sendable {
    /// Its submission prefix, without a slash at the end.
    public var url: String
    /// Its verifier key, as written; what it is worth is for others to say.
    public var key: String
    /// Where in the file the key stands.
    public var line: Int
    /// In seconds.
    public var interval: Int
  }

  /// A time-stamp authority.
  public struct Authority: Hashable, Sendable {
    /// Where queries are posted.
    public var url: String
    /// In seconds.
    public var interval: Int
  }

  /// Where a line for each head goes.
  public enum Syslog: Hashable, Sendable {
    /// A unix datagram socket.
    case socket(String)
    /// A host's UDP port.
    case udp(host: String, port: UInt16)
  }

  /// Under whose name the sender runs; nil for `nobody`.
  public var user: String?
  /// The witnesses, each key once.
  public var witnesses: [Witness]
  /// The authorities, each URL once.
  public var authorities: [Authority]
  /// Where a line for each head goes; nil for nowhere.
  public var syslog: Syslog?

  /// How often witnesses are asked where the file does not say, in seconds.
  public static let witnessInterval = 60
  /// How often authorities are, whose tokens are larger and whose patience is not.
  public static let authorityInterval = 3600

  private static let intervals = 1...86_400
}

extension AnchorOptions {
  init(_ reader: RuleReader, _ node: Node) throws(RuleError) {
    let top = try reader.fields(node, known: ["user", "interval", "witnesses", "timestamps", "syslog"])
    user = try top["user"].map { (node) throws(RuleError) in try reader.word(node, "the name of a user") }
    let interval = try reader.number(top["interval"], Self.intervals)
    witnesses = []
    for node in try reader.list(top["witnesses"]) {
      let fields = try reader.fields(node, known: ["url", "key", "interval"])
      let keyNode = try fields.required("key")
      let key = try reader.word(keyNode, "a verifier key")
      guard !witnesses.contains(where: { $0.key == key }) else {
        throw reader.error(keyNode.mark?.line, "this witness stands here already")
      }
      var url = try reader.url(try fields.required("url"))
      while url.hasSuffix("/") { url.removeLast() }
      witnesses.append(
        Witness(
          url: url, key: key, line: keyNode.mark?.line ?? fields.line,
          interval: try reader.number(fields["interval"], Self.intervals) ?? interval ?? Self.witnessInterval))
    }
    authorities = []
    for node in try reader.list(top["timestamps"]) {
      let fields = try reader.fields(node, known: ["url", "interval"])
      let urlNode = try fields.required("url")
      let url = try reader.url(urlNode)
      guard !authorities.contains(where: { $0.url == url }) else {
        throw reader.error(urlNode.mark?.line, "this authority stands here already")
      }
      authorities.append(
        Authority(
          url: url,
          interval: try reader.number(fields["interval"], Self.intervals) ?? interval ?? Self.authorityInterval))
    }
    syslog = try top["syslog"].map { (node) throws(RuleError) in try reader.syslog(node) }
    if witnesses.isEmpty, authorities.isEmpty, syslog == nil {
      throw reader.error(node.mark?.line, "no witnesses, no timestamps, no syslog: leave anchors out instead")
    }
  }
}

extension RuleReader {
  /// Text without spaces or anything that could be taken for something else.
  fileprivate func word(_ node: Node, _ what: String) throws(RuleError) -> String {
    let word = try text(node)
    guard !word.isEmpty, word.utf8.count < 1000, word.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw error(node.mark?.line, "\"\(word)\" is not \(what)")
    }
    return word
  }

  /// `http://host[:port][/…]`, or https.
  fileprivate func url(_ node: Node) throws(RuleError) -> String {
    let url = try word(node, "a URL")
    guard let scheme = ["http://", "https://"].first(where: { url.hasPrefix($0) }) else {
      throw error(node.mark?.line, "\"\(url)\" must begin with http:// or https://")
    }
    let rest = url.dropFirst(scheme.count)
    guard Self.isAuthority(rest.prefix { $0 != "/" && $0 != "?" }), !rest.contains("#") else {
      throw error(node.mark?.line, "\"\(url)\" must be a host, perhaps a port, and a path: no user, no fragment")
    }
    return url
  }

  private static func isAuthority(_ text: Substring) -> Bool {
    if text.hasPrefix("[") {
      let parts = text.dropFirst().split(separator: "]", maxSplits: 1, omittingEmptySubsequences: false)
      return parts.count == 2 && !parts[0].isEmpty && parts[0].allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." }
        && (parts[1].isEmpty || parts[1].first == ":" && port(parts[1].dropFirst()) != nil)
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    return parts.count < 3 && isHost(parts[0]) && (parts.count == 1 || port(parts[1]) != nil)
  }

  private static func isHost(_ text: Substring) -> Bool {
    !text.isEmpty
      && text.utf8.allSatisfy { $0.isDigit || $0 == 0x2D || $0 == 0x2E || (0x61...0x7A).contains($0 | 0x20) }
  }

  private static func port(_ text: Substring) -> UInt16? {
    guard text.utf8.allSatisfy(\.isDigit), let port = UInt16(text), port > 0 else { return nil }
    return port
  }

  fileprivate func syslog(_ node: Node) throws(RuleError) -> AnchorOptions.Syslog {
    let fields = try fields(node, known: ["socket", "udp"])
    switch (fields["socket"], fields["udp"]) {
    case (let node?, nil):
      let path = try word(node, "a path without spaces")
      guard path.hasPrefix("/"), path.utf8.count < 108 else {
        throw error(node.mark?.line, "\"\(path)\" must be an absolute path of at most 107 bytes")
      }
      return .socket(path)
    case (nil, let node?):
      let place = try word(node, "host:port")
      let parts = place.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count == 2, Self.isHost(parts[0]), let port = Self.port(parts[1]) else {
        throw error(node.mark?.line, "\"\(place)\" must be host:port")
      }
      return .udp(host: String(parts[0]), port: port)
    default: throw error(fields.line, "syslog needs either socket or udp")
    }
  }
}
