public import Capture

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
  /// How capture behaves.
  public var capture = CaptureOptions()

  /// The defaults.
  public init() {}

  /// The service's version.
  public static let version = "0.1.0"
}
