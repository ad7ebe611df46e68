internal import GRDB
public import Records

/// An access as answers tell it.
public struct AccessRow: Sendable, Hashable {
  /// The record's number.
  public var id: Int64
  /// What is recorded.
  public var access: Access
  /// The session's key; nil where nobody can be named.
  public var session: String?
  /// The agent.
  public var agent: String?
  /// The conversation the session bore at that time; before its first label, the first one.
  public var conversation: String?
  /// Whether the session was labelled by then.
  public var isLabelled: Bool
  /// The developer.
  public var developer: String?
  /// The project.
  public var project: RawPath?
  /// What the process was executing.
  public var executable: RawPath?
  /// The process.
  public var pid: Int32?
  /// What the process was for the session.
  public var processClass: ProcessClass?
  /// The record of the process's program, and since when it ran.
  public var program: (process: Int64, started: Timestamp)? {
    guard let process = access.process, let programStarted else { return nil }
    return (process, programStarted)
  }
  var programStarted: Timestamp?
  /// With which arguments it was run; nil where audit did not tell.
  public var command: Command?
  /// Until when the file was held, mapped or open; in the distant future where no end is known. Nil where the access
  /// was over with its last event.
  public var heldUntil: Timestamp?

  /// Whether the file, or what is known of it, was erased.
  public var isFileErased = false
  /// Whether the session was erased.
  public var isSessionErased = false

  /// Whether it began before `moment` and what it opened or mapped was held then.
  public func wasHeld(at moment: Timestamp) -> Bool {
    access.time.from < moment && (heldUntil ?? .distantPast) > moment
  }
}

extension AccessRow {
  init(row: Row) {
    let path = row.path("path") ?? RawPath([])
    let name = row.path("name") ?? RawPath([])
    let uid = row["uid"] as UInt32?
    self.init(
      id: row["id"],
      access: Access(
        session: row["session"], process: row["process"], path: path.bytes.isEmpty ? nil : path,
        name: path.bytes.isEmpty ? (name.bytes.isEmpty ? nil : name) : RawPath(path.lastComponent),
        identity: row.identity, operations: Operations(rawValue: row["operations"]), result: row["result"],
        time: row.span, count: row["count"], attribution: Attribution(rawValue: row["attribution"]) ?? .unattributed),
      session: row["session_key"], agent: row["agent"], conversation: row["conversation"] ?? row["first"],
      isLabelled: (row["conversation"] as String?) != nil,
      developer: uid.map {
        SessionFacts(
          uid: $0, loginUid: row["login_uid"], userName: row["user_name"], terminal: nil, workingDirectory: nil,
          project: nil
        ).developer
      },
      project: row.path("project"), executable: row.path("executable"), pid: row["pid"],
      processClass: (row["class"] as String?).flatMap { ProcessClass(rawValue: $0) }, heldUntil: row.heldUntil,
      isFileErased: row["file_erased"], isSessionErased: row["session_erased"] ?? false)
    programStarted = row.time("process_started")
    if let process = access.process, let arguments = row["arguments"] as Blob? {
      command = Command(
        process: process,
        arguments: arguments.bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast().map(Array.init),
        masked: row["masked"], directory: row.path("directory"))
    }
  }
}
