internal import Evidence
internal import Foundation
internal import MerkleLog
internal import Records

// The shapes of `--json`. Paths are strings where they are valid UTF-8; where they are not, the string is
// escaped for people and `…_base64` beside it holds the bytes.

/// A path in JSON: its text and, where the text cannot hold it, its bytes.
struct JsonPath {
  var text: String
  var base64: String?

  init(_ path: RawPath) {
    if let exact = String(validating: path.bytes, as: UTF8.self) {
      text = exact
    } else {
      text = path.description
      base64 = Data(path.bytes).base64EncodedString()
    }
  }
}

struct JsonAccess: Encodable {
  var id: Int64
  var time: [String]
  var session: String?
  var conversation: String?
  var agent: String?
  var developer: String?
  var project: String?
  var op: [String]
  var result: Int32
  /// The name of the error where it was refused.
  var error: String?
  var path: String?
  var pathBase64: String?
  var name: String?
  var file: String
  var exe: String?
  var pid: Int32?
  var processClass: String?
  /// With which arguments the process runs its program, and in how many of them a secret was masked.
  var arguments: [String]?
  var argumentsMasked: Int?
  var count: UInt32
  var attribution: String
  /// Whether the access began before the time asked about and what it opened or mapped was held then.
  var held: Bool
  var heldUntil: String?

  init(_ row: AccessRow, from: Timestamp = .distantPast) {
    let access = row.access
    id = row.id
    time = [access.time.from.description, access.time.to.description]
    session = row.session
    conversation = row.conversation
    agent = row.agent
    developer = row.developer
    project = row.project.map { JsonPath($0).text }
    op = access.operations.labels
    result = access.result
    error = access.result == 0 ? nil : errorName(access.result)
    arguments = row.command?.arguments.map { JsonPath(RawPath($0)).text }
    argumentsMasked = row.command?.masked
    let shown = access.path.map { JsonPath($0) }
    path = shown?.text
    pathBase64 = shown?.base64
    name = access.path == nil ? access.name?.description : nil
    file = access.identity.description
    exe = row.executable.map { JsonPath($0).text }
    pid = row.pid
    processClass = row.processClass?.rawValue
    count = access.count
    attribution = access.attribution.label
    held = row.wasHeld(at: from)
    heldUntil = row.heldUntil == .distantFuture ? nil : row.heldUntil?.description
  }
}

struct JsonSession: Encodable {
  struct Conversation: Encodable {
    var id: String
    var from: String
  }

  var session: String
  var agent: String
  var version: String?
  var started: String
  var ended: String?
  var host: String
  var boot: String
  var pid: Int32
  var executable: String
  var executableBase64: String?
  var sha256: String?
  var developer: String?
  var uid: UInt32?
  var loginUid: UInt32?
  var auditSession: UInt32?
  var terminal: String?
  var workingDirectory: String?
  var project: String?
  var joinedLate: Bool
  var parent: String?
  var relation: String?
  var conversations: [Conversation]
  var accesses: Int?
  /// From when on it had, or may have had, root's rights.
  var privilegedSince: String?

  init(_ session: Session, conversations labels: [ConversationLabel], parent: String?, accesses count: Int?) {
    self.session = session.key
    agent = session.agent
    version = session.version
    started = session.started.description
    ended = session.ended?.description
    host = session.host
    boot = session.bootID
    pid = session.root.pid
    let shown = JsonPath(session.executable)
    executable = shown.text
    executableBase64 = shown.base64
    sha256 = session.executableDigest.map { Hex.encode($0) }
    developer = session.facts?.developer
    uid = session.facts?.uid
    loginUid = session.facts?.loginUid
    auditSession = session.facts?.auditSession
    terminal = session.facts?.terminal
    workingDirectory = session.facts?.workingDirectory.map { JsonPath($0).text }
    project = session.facts?.project.map { JsonPath($0).text }
    joinedLate = session.joinedLate
    self.parent = parent
    relation = session.relation?.rawValue
    conversations = labels.map { Conversation(id: $0.conversation, from: $0.from.description) }
    accesses = count
  }
}

struct JsonGap: Encodable {
  var from: String
  var to: String
  var source: String
  var reason: String

  init(_ gap: Gap) {
    from = gap.time.from.description
    to = gap.time.to.description
    source = gap.source
    reason = gap.reason
  }
}
