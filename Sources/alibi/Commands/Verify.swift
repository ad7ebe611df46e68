internal import ArgumentParser
internal import Certificates
internal import LinuxKernel
internal import MerkleLog
internal import Records

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Checks a certificate that nothing was accessed, offline; or a whole store.",
    discussion: """
      The key must be the one you enrolled before the time in question, never one that came with the certificate.
      With --full a whole store is checked instead: every commitment and root, every epoch, the log and its heads. Of
      one that was put back as it once was, only a later head tells that somebody else has kept: give it with
      --checkpoint.

      Exit status: 0 ACCEPT, 1 REJECT, 2 ACCEPT WITH GAPS; 64 usage, 74 I/O.
      """)

  private struct Answer: Encodable {
    struct Gap: Encodable {
      var from: String
      var to: String
      var source: String
      var reason: String
    }
    struct Certificate: Encodable {
      var log: String
      var claim: String
      var scope: String
      var targetKind: String
      var target: String
      var targetBase64: String
      var from: String
      var to: String
      var epochs: [UInt64]
      var sessions: UInt64
      var names: UInt64?
      var accepted: [String]
      var coveredSeconds: String
      var lost: UInt64
      var degradedSeconds: String
      var anchorLagSeconds: String?
      var pinnedAnchorLagSeconds: String?
      var cosignatures: Int
      var uncheckedTimeStamps: Int
      var fileSystems: [String]
      var size: UInt64
      var root: String
      var gaps: [Gap]
    }
    var result: String
    /// The step that does not hold, as the documentation numbers them; 0 for the policy.
    var step: Int?
    var reason: String?
    var certificate: Certificate?
    var notes: [String]
  }

  @Argument(help: "A bundle: its directory, or the certificate in it.") var file: String?

  @Option(
    name: .long,
    help: ArgumentHelp("The log's verifier key, or a file with such keys. May be repeated.", valueName: "vkey|file"))
  var key: [String] = []

  @Option(name: .long, help: ArgumentHelp("What else you ask for: witnesses, lag, hazards.", valueName: "file"))
  var policy: String?

  @Flag(name: .long, help: "Instead of a bundle, recompute a whole store from its rows.") var full = false

  @Option(name: .long, help: ArgumentHelp("With --full: the directory of the evidence.", valueName: "dir"))
  var state: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "With --full: a signed head that you or a witness kept, which the log must go on from. May be repeated.",
      valueName: "file"))
  var checkpoint: [String] = []

  @Flag(name: .long, help: "Print JSON.") var json = false

  func validate() throws {
    guard !full else {
      if file != nil || policy != nil {
        throw ValidationError("--full is about a store: it takes no bundle, no policy")
      }
      return
    }
    if state != nil { throw ValidationError("--state is about a store: it needs --full") }
    if !checkpoint.isEmpty { throw ValidationError("--checkpoint is about a store: it needs --full") }
    if file == nil { throw ValidationError("which bundle?") }
    if key.isEmpty { throw ValidationError("without --key nothing can be verified") }
  }

  func run() throws {
    let keys = try key.flatMap(Self.keys)
    guard let path = self.file, !full else {
      let heads = try checkpoint.map { ($0, try Bundle.read($0, limit: 1 << 20 + 1)) }
      return try StoreCheck(state: state ?? Common.defaultState, keys: keys, heads: heads, json: json).run()
    }
    let file = try policy.map(Self.policy)
    let bundle = try Bundle(at: path)
    let demands = VerificationPolicy(
      logKeys: keys, witnesses: file?.witnesses ?? [], quorum: file?.quorum ?? 0,
      now: Timestamp.now.unsigned)
    let verdict = Verifier.verify(certificate: bundle.certificate, evidence: bundle.evidence, policy: demands)
    switch verdict {
    case .reject(let step, let reason): try tell(rejected: step, reason)
    case .accept(let findings), .acceptWithGaps(let findings):
      guard let statement = Statement(bundle), statement.checkpoint == bundle.checkpoint else {
        return try tell(rejected: 4, "the file checkpoint is not the evidence's")
      }
      if let objection = file?.objection(to: findings) { return try tell(rejected: 0, objection) }
      var isClean = false
      if case .accept = verdict { isClean = true }
      try tell(findings, isClean: isClean, notes: notes(bundle, statement, findings))
    }
  }

  // MARK: What was typed

  /// The keys of a file, or the one that was typed.
  private static func keys(_ text: String) throws(Failure) -> [VerifierKey] {
    if let key = VerifierKey(Array(text.utf8)) { return [try log(key, text)] }
    let bytes: [UInt8]
    do { bytes = try Bundle.read(text, limit: PolicyFile.mostBytes + 1) } catch {
      throw .usage(
        "--key \(text): neither a verifier key (name+id+key) nor a file that can be read",
        hint: "alibi key show prints the key on the host whose log it is; enrol it before you need it")
    }
    var keys: [VerifierKey] = []
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      let words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }
      guard let word = words.first, word.first != UInt8(ascii: "#") else { continue }
      guard words.count == 1, let key = VerifierKey(word) else {
        throw .usage(
          "--key \(text):\(index + 1): not a verifier key", hint: "one key in a line: name+id+key, nothing else")
      }
      keys.append(try log(key, "\(text):\(index + 1)"))
    }
    guard !keys.isEmpty else { throw .usage("--key \(text): no key in this file", hint: "one key in a line") }
    return keys
  }

  private static func log(_ key: VerifierKey, _ place: String) throws(Failure) -> VerifierKey {
    guard key.kind == .note else {
      throw .usage("--key \(place): a witness's key", hint: "name witnesses in a file for --policy")
    }
    return key
  }

  private static func policy(_ path: String) throws(Failure) -> PolicyFile {
    let bytes = try Bundle.read(path, limit: PolicyFile.mostBytes + 1)
    do { return try PolicyFile(bytes) } catch {
      throw .usage("\(path):\(error.line): \(error.reason)", hint: "the manual alibi(1) tells what a policy may say")
    }
  }

  // MARK: The answer

  /// What nobody must overlook though it does not change the answer.
  private func notes(_ bundle: Bundle, _ statement: Statement, _ findings: Findings) -> [String] {
    var notes: [String] = []
    let directory = (try? Bundle.directory(of: file ?? ".")) ?? "."
    for part in [Bundle.Part.page, .notClaimed] {
      if let there = Bundle.optional(part, in: directory), bundle.bytes(of: part, statement) != there {
        notes.append("\(part.rawValue) is not what this version writes for the certificate: do not rely on it")
      }
    }
    if findings.uncheckedTokens > 0 {
      notes.append("the signatures of \(findings.uncheckedTokens) time stamps are not checked: openssl ts -verify")
    }
    if findings.pinnedLag == nil {
      notes.append("no witness that you named has seen every epoch: nothing shows that they are not of later make")
    }
    if findings.certificate.names == 0 { notes.append("no watched file system had the name") }
    return notes
  }

  private func tell(rejected step: Int, _ reason: String) throws {
    if json {
      try Output.json(Answer(result: "REJECT", step: step, reason: reason, certificate: nil, notes: []))
    } else {
      try Output.write("REJECT\n\n  \(step == 0 ? "policy " : "step \(step) ")  \(reason)")
    }
    throw ExitCode(1)
  }

  private func tell(_ findings: Findings, isClean: Bool, notes: [String]) throws {
    let result = isClean ? "ACCEPT" : "ACCEPT WITH GAPS"
    if json {
      try Output.json(Answer(result: result, step: nil, reason: nil, certificate: json(findings), notes: notes))
    } else {
      try Output.write(text(findings, result: result, notes: notes))
    }
    if !isClean { throw ExitCode(2) }
  }

  private func text(_ findings: Findings, result: String, notes: [String]) -> String {
    let stated = findings.certificate
    func lag(_ time: UInt64?) -> String { time.map(Statement.seconds) ?? "none" }
    var lines = [
      result, "", "  log          \(stated.origin)", "  claim        \(stated.claim.rawValue)",
      "  scope        \(stated.scope.text); sessions that ran: \(stated.sessions)",
      "  target       \(stated.target.kind.rawValue) \(Statement.name(stated.target))",
      "  from         \(Statement.time(stated.from))", "  to           \(Statement.time(stated.to))",
      "  epochs       \(stated.firstEpoch) to \(stated.lastEpoch)",
      "  names        \(stated.names.map { "\($0) followed" } ?? "under this name only")",
      "  accepted     \(stated.accepted.isEmpty ? "nothing" : stated.accepted.joined(separator: ", "))",
      "  covered      \(Statement.seconds(stated.covered)), degraded \(Statement.seconds(stated.degraded))",
      "  lost         \(stated.lost)",
      "  anchor lag   \(lag(stated.anchorLag)); by witnesses of yours \(lag(findings.pinnedLag))",
      "  cosigned     by \(findings.cosignatures) witnesses of yours",
      "  file systems \(findings.fileSystems.isEmpty ? "none" : findings.fileSystems.joined(separator: " "))",
      "  head         \(findings.checkpoint.size) \(findings.checkpoint.root.base64)",
    ]
    if !findings.gaps.isEmpty {
      var table = Table(["FROM", "TO", "SOURCE", "REASON"])
      for gap in findings.gaps {
        table.add([Statement.time(gap.from), Statement.time(gap.to), gap.source, gap.reason])
      }
      lines += ["", "gaps:", table.text()]
    }
    return (lines + (notes.isEmpty ? [] : [""]) + notes.map { "note: \($0)" }).joined(separator: "\n")
  }

  private func json(_ findings: Findings) -> Answer.Certificate {
    let stated = findings.certificate
    return Answer.Certificate(
      log: stated.origin, claim: stated.claim.rawValue, scope: stated.scope.text,
      targetKind: stated.target.kind.rawValue, target: Statement.name(stated.target),
      targetBase64: Base64.encode(stated.target.data), from: Statement.time(stated.from), to: Statement.time(stated.to),
      epochs: [stated.firstEpoch, stated.lastEpoch], sessions: stated.sessions, names: stated.names,
      accepted: stated.accepted, coveredSeconds: CertificateText.seconds(stated.covered), lost: stated.lost,
      degradedSeconds: CertificateText.seconds(stated.degraded),
      anchorLagSeconds: stated.anchorLag.map(CertificateText.seconds),
      pinnedAnchorLagSeconds: findings.pinnedLag.map(CertificateText.seconds), cosignatures: findings.cosignatures,
      uncheckedTimeStamps: findings.uncheckedTokens, fileSystems: findings.fileSystems,
      size: findings.checkpoint.size, root: findings.checkpoint.root.base64,
      gaps: findings.gaps.map {
        Answer.Gap(from: Statement.time($0.from), to: Statement.time($0.to), source: $0.source, reason: $0.reason)
      })
  }
}
