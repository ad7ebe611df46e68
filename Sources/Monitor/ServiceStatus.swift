internal import Journal
internal import LinuxKernel
internal import Records

/// How the service is, as the socket tells it: one line of JSON.
struct ServiceStatus {
  private let recorder: Recorder
  private let heart: Heart
  private let rules: RulesWatch
  private let seals: SealRoom
  private let anchors: AnchorRoom?
  private let ring: JournalRing

  init(
    _ recorder: Recorder, _ heart: Heart, _ rules: RulesWatch, _ seals: SealRoom, _ anchors: AnchorRoom?,
    _ ring: JournalRing
  ) {
    self.recorder = recorder
    self.heart = heart
    self.rules = rules
    self.seals = seals
    self.anchors = anchors
    self.ring = ring
  }

  /// The line, without its newline.
  var text: String {
    let (committed, sessions, failure, lost) = recorder.shared.withLock {
      ($0.committedTo, $0.openSessions, $0.failure, $0.lostSince)
    }
    let outside = anchors?.standings
    var members: [(String, String)] = [
      ("pid", "\(Procfs.parentPid)"), ("recorder_pid", "\(Procfs.ownPid)"),
      ("committed_to", Self.number(committed?.nanoseconds)), ("open_sessions", "\(sessions)"),
      ("journal_used", "\(ring.head - ring.tail)"), ("journal_capacity", "\(ring.capacity)"),
      ("rules_problem", Self.quoted(rules.problem)), ("canary_problem", Self.quoted(heart.problem)),
      ("seal_problem", Self.quoted(seals.problem)), ("store_problem", Self.quoted(failure)),
      ("lost_since", Self.number(lost?.nanoseconds)), ("audit_owner", Self.number(Self.auditOwner)),
    ]
    if let outside {
      members.append(("sender_pid", Self.number(outside.sender)))
      members.append(("anchor_problem", Self.quoted(outside.problem)))
      members.append(("anchors", "[" + outside.all.map(Self.text).joined(separator: ",") + "]"))
    }
    return Self.object(members)
  }

  /// Another process that audit's records go to; nil where there is none.
  private static var auditOwner: Int32? {
    guard let pid = try? AuditControl().status().pid, pid != 0, pid != Procfs.parentPid else { return nil }
    return pid
  }

  private static func text(_ standing: AnchorRoom.Standing) -> String {
    object([
      ("kind", quoted(standing.kind)), ("by", quoted(standing.by)), ("size", number(standing.size)),
      ("time", number(standing.time)), ("problem", quoted(standing.problem)),
    ])
  }

  private static func object(_ members: [(String, String)]) -> String {
    "{" + members.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",") + "}"
  }

  private static func number(_ value: (some FixedWidthInteger)?) -> String { value.map { "\($0)" } ?? "null" }

  private static func quoted(_ value: String?) -> String {
    guard let value else { return "null" }
    let escaped = RawPath(value).description.replacing("\"", with: "'").replacing("\\", with: "\\\\")
    return "\"\(escaped)\""
  }
}
