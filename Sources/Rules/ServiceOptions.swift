import Records
import Yams

/// What the service's own file may say; nil where it says nothing.
///
/// ```yaml
/// state: /var/lib/alibi
/// run: /run/alibi
/// rules: /usr/share/alibi/rules
/// log-level: info
/// retention-days: 396
/// patterns:                  (globs that certificates can be about)
///   - /home/*/.ssh/id_*
/// audit: false
/// classified:                (places that audit watches, too)
///   - /srv/payroll
/// capture:
///   batch-milliseconds: 5
///   queue-length: 1048576
///   perf-kilobytes: 4096
///   connector-kilobytes: 16384
///   journal-megabytes: 64
/// anchors: …                 (AnchorOptions)
/// ```
public struct ServiceOptions: Hashable, Sendable {
  /// The directory of the evidence.
  public var state: String?
  /// The directory of the socket.
  public var run: String?
  /// The directory of the rules, with `agents` in it.
  public var rules: String?
  /// trace, debug, info, notice, warning, error or critical.
  public var logLevel: String?
  /// For how many days records are kept, 1 to 36,500.
  public var retentionDays: Int?
  /// The globs under which accesses are indexed, so that certificates can be about them; at most 256.
  public var patterns: [String]?
  /// Whether the audit system is a witness, too.
  public var audit: Bool?
  /// The files and directories that audit watches besides: absolute paths, at most 64.
  public var classified: [String]?
  /// How long the kernel may merge events before they are read, 1 to 100.
  public var batchMilliseconds: Int?
  /// How many events the kernel may queue, 16 to 16,777,216.
  public var queueLength: Int?
  /// The room for task records of each CPU: a power of two, 8 to 65,536.
  public var perfKilobytes: Int?
  /// The socket buffer of the process connector, 1 to 1,048,576.
  public var connectorKilobytes: Int?
  /// The ring journal: a power of two, 16 to 4,096.
  public var journalMegabytes: Int?
  /// Who outside is shown the log's heads; nil for nobody.
  public var anchors: AnchorOptions?

  /// Reads a file of at most a megabyte.
  ///
  /// - Throws: `RuleError` with the line that is wrong; nothing unknown is passed over.
  public init(_ document: RuleDocument) throws(RuleError) {
    let reader = RuleReader(document)
    let top = try reader.fields(
      try reader.root(),
      known: [
        "state", "run", "rules", "log-level", "retention-days", "patterns", "audit", "classified", "capture", "anchors",
      ])
    state = try reader.directory(top["state"])
    run = try reader.directory(top["run"])
    rules = try reader.directory(top["rules"])
    if let node = top["log-level"] {
      let level = try reader.text(node)
      guard Self.logLevels.contains(level) else {
        throw reader.error(
          node.mark?.line, "no log level is called \(level) (known: \(Self.logLevels.joined(separator: ", ")))")
      }
      logLevel = level
    }
    retentionDays = try reader.number(top["retention-days"], 1...36_500)
    patterns = try top["patterns"].map { (node) throws(RuleError) in try reader.patterns(node) }
    audit = try reader.flag(top["audit"])
    classified = try top["classified"].map { (node) throws(RuleError) in try reader.places(node) }
    anchors = try top["anchors"].map { (node) throws(RuleError) in try AnchorOptions(reader, node) }
    guard let node = top["capture"] else { return }
    let capture = try reader.fields(
      node,
      known: ["batch-milliseconds", "queue-length", "perf-kilobytes", "connector-kilobytes", "journal-megabytes"])
    batchMilliseconds = try reader.number(capture["batch-milliseconds"], 1...100)
    queueLength = try reader.number(capture["queue-length"], 16...(16 << 20))
    perfKilobytes = try reader.number(capture["perf-kilobytes"], 8...65_536, isPowerOfTwo: true)
    connectorKilobytes = try reader.number(capture["connector-kilobytes"], 1...(1 << 20))
    journalMegabytes = try reader.number(capture["journal-megabytes"], 16...4096, isPowerOfTwo: true)
  }

  /// Reads the file at `path`.
  ///
  /// - Throws: `RuleError` also where it cannot be read.
  public init(path: String) throws(RuleError) {
    try self.init(RuleDocument(name: path, bytes: try RuleDocument.read(path)))
  }

  /// The names of the log levels, least severe first.
  public static let logLevels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]
}

extension RuleReader {
  /// As many as a CONFIG record has room for.
  private static let mostPatterns = 256
  private static let longestPattern = 4096

  /// Globs as `prove --glob` takes them, each once.
  fileprivate func patterns(_ node: Node) throws(RuleError) -> [String] {
    var sources: [String] = []
    for node in try list(node) {
      let source = try text(node)
      guard source.hasPrefix("/"), source.utf8.count <= Self.longestPattern else {
        throw error(
          node.mark?.line, "pattern \"\(source)\" must begin with / and have at most \(Self.longestPattern) bytes")
      }
      do { _ = try PathPattern(source) } catch {
        throw self.error(node.mark?.line, "\"\(source)\" is not a pattern (\(error))")
      }
      guard !sources.contains(where: { $0.utf8.elementsEqual(source.utf8) }) else {
        throw error(node.mark?.line, "pattern \"\(source)\" stands here twice")
      }
      sources.append(source)
    }
    guard sources.count <= Self.mostPatterns else {
      throw error(node.mark?.line, "at most \(Self.mostPatterns) patterns")
    }
    return sources
  }

  /// Each costs every process of the host a look at each name.
  private static let mostPlaces = 64
  /// PATH_MAX, without the byte that ends it.
  private static let longestPlace = 4095

  /// Files and directories as audit takes them, each once: real paths, without a slash at the end.
  fileprivate func places(_ node: Node) throws(RuleError) -> [String] {
    var places: [String] = []
    for node in try list(node) {
      let place = try text(node)
      func refuse(_ reason: String) -> RuleError { error(node.mark?.line, "classified place \"\(place)\" \(reason)") }
      guard place.hasPrefix("/"), place.utf8.count <= Self.longestPlace else {
        throw refuse("must begin with / and have at most \(Self.longestPlace) bytes")
      }
      let parts = place.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
      guard place != "/", !parts.contains(where: { ["", ".", ".."].contains($0) }) else {
        throw refuse("must not be the root, end in /, or have //, . or .. in it")
      }
      guard !places.contains(where: { $0.utf8.elementsEqual(place.utf8) }) else { throw refuse("stands here twice") }
      places.append(place)
    }
    guard places.count <= Self.mostPlaces else {
      throw error(node.mark?.line, "at most \(Self.mostPlaces) classified places")
    }
    return places
  }

  /// An absolute path without a `..` that could lead elsewhere tomorrow.
  fileprivate func directory(_ node: Node?) throws(RuleError) -> String? {
    guard let node else { return nil }
    let path = try text(node)
    guard path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
      throw error(node.mark?.line, "\"\(path)\" must be an absolute path without ..")
    }
    return path
  }

  /// `true` or `false`.
  func flag(_ node: Node?) throws(RuleError) -> Bool? {
    guard let node else { return nil }
    guard case .scalar(let scalar) = node, node.tag == Tag(.bool),
      let value = ["true": true, "false": false][scalar.string]
    else { throw error(node.mark?.line, "must be true or false") }
    return value
  }

  func number(
    _ node: Node?, _ range: ClosedRange<Int>, isPowerOfTwo: Bool = false
  ) throws(RuleError) -> Int? {
    guard let node else { return nil }
    guard case .scalar(let scalar) = node, node.tag == Tag(.int), let value = Int(scalar.string),
      range.contains(value), !isPowerOfTwo || value & (value - 1) == 0
    else {
      let kind = isPowerOfTwo ? "a power of two" : "a number"
      throw error(node.mark?.line, "must be \(kind) from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }
}
