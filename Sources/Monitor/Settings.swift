public import Capture
internal import Rules
internal import Sealing

/// Where the service keeps what, and how it captures.
public struct Settings: Sendable {
  /// The directory of the evidence.
  public var stateDirectory = "/var/lib/alibi"
  /// The directory of the socket.
  public var runDirectory = "/run/alibi"
  /// The directory of the rules, with `agents` in it.
  public var rulesDirectory = "/usr/share/alibi/rules"
  /// A file to which the journal is recorded as it is read, for tests and bug reports.
  public var recordJournal: String?
  /// The least severe level that is logged: trace, debug, info, notice, warning, error or critical.
  public var logLevel = "info"
  /// For how many days records are kept.
  public var retentionDays = Keeper.usualDays
  /// The globs that certificates can be about.
  public var patterns: [String] = []
  /// Whether audit is a witness: without it nobody tells whom a session asks to act for it.
  public var usesAudit = true
  /// The files and directories that audit watches besides.
  public var classified: [String] = []
  /// Where it is noted what was altered of the machine's audit settings.
  var auditNote: String { stateDirectory + "/audit-before" }
  /// How capture behaves.
  public var capture = CaptureOptions()
  /// Who is shown the log's heads; nil for nobody.
  var anchors: AnchorPlan?

  /// The defaults.
  public init() {}

  /// The file that is read where none is named, if it is there.
  public static let usualFile = "/etc/alibi/alibid.yaml"

  /// Takes over what a configuration file says.
  ///
  /// - Throws: `StartFailure` with file, line and reason where it cannot be read or says something unknown.
  public mutating func read(_ file: String) throws(StartFailure) {
    let options: ServiceOptions
    do { options = try ServiceOptions(path: file) } catch {
      throw StartFailure(description: "\(error)", hint: "man 8 alibid lists what the file may say", exitStatus: 78)
    }
    stateDirectory = options.state ?? stateDirectory
    runDirectory = options.run ?? runDirectory
    rulesDirectory = options.rules ?? rulesDirectory
    logLevel = options.logLevel ?? logLevel
    retentionDays = options.retentionDays.map(UInt64.init) ?? retentionDays
    patterns = options.patterns ?? patterns
    usesAudit = options.audit ?? usesAudit
    classified = options.classified ?? classified
    capture.batchInterval = options.batchMilliseconds.map { UInt64($0) * 1_000_000 } ?? capture.batchInterval
    capture.queueLength = options.queueLength ?? capture.queueLength
    capture.perfBytes = options.perfKilobytes.map { $0 << 10 } ?? capture.perfBytes
    capture.connectorBytes = options.connectorKilobytes.map { Int32(clamping: $0 << 10) } ?? capture.connectorBytes
    capture.journalBytes = options.journalMegabytes.map { $0 << 20 } ?? capture.journalBytes
    anchors = try options.anchors.map { (options) throws(StartFailure) in try AnchorPlan(options, file: file) }
  }

  /// The names of the log levels, least severe first.
  public static var logLevels: [String] { ServiceOptions.logLevels }

  /// The service's version.
  public static let version = "0.1.0"
}
