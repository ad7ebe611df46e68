internal import Certificates
internal import Evidence
internal import LinuxKernel
internal import MerkleLog
internal import Records
internal import Sealing

/// Makes a certificate of a verdict.
///
/// It is signed here, by root's own process, and not by the service over its socket: whoever may ask the service for an
/// answer could else have it sign, and the service would have to believe what the asker says of the target's place.
struct Certification {
  private let store: StoreReader
  private let question: ProofQuestion
  private let claim: Claim
  private let scope: Scope
  private let target: Target
  private let state: String
  private let out: String
  private let service: ServiceClient

  /// Refuses what no certificate can be about.
  init(_ store: StoreReader, _ question: ProofQuestion, state: String, out: String) throws {
    self.store = store
    self.question = question
    self.state = state
    self.out = out
    switch question.kind {
    case .any: claim = .noAccess
    case .write: claim = .noWrite
    case .exec: claim = .noExec
    case .read:
      throw Self.refusal(
        "reading alone cannot be certified: whoever opens a file could have read it", hint: "leave out --op")
    }
    scope = try Self.scope(question, store)
    target = try Self.target(question)
    // Long before they are used, so that whoever has no right to them waits for nothing.
    _ = try Self.keys(store, state)
    guard let run = try store.runs().last, run.ended == nil else { throw Self.noService }
    service = ServiceClient(run)
  }

  /// Has the service seal everything up to now, and show it to whoever is to see it.
  func seal() throws {
    guard try service.closeEpoch() != nil else { throw Self.noService }
    if let (anchored, all) = try service.anchor(), anchored < all {
      Output.complain("alibi: note: \(anchored) of \(all) anchors were reached in time; `alibi status` tells which")
    }
  }

  /// Builds, checks, notes in the log and writes the certificate; nothing where the verdict is no no.
  func certify(_ verdict: Evidence.Verdict, allowGaps: Bool) throws {
    let standsButForGaps =
      verdict.outcome == .notProven && verdict.accesses.isEmpty && verdict.possible.isEmpty
      && verdict.unattributed.isEmpty && verdict.hazards.allSatisfy(\.isAccepted)
    guard verdict.outcome == .notAccessed || standsButForGaps && allowGaps else {
      Output.complain("alibi: note: no certificate: the verdict is \(verdict.outcome.words)")
      return
    }
    let request = CertificateRequest(
      claim: claim, scope: scope, target: target, from: question.time.from.unsigned,
      to: question.time.to.unsigned, accepted: Set(question.accepted.map(\.rawValue)))
    // They may have been replaced since.
    let keys = try Self.keys(store, state)
    let made: Certifier.Made
    do {
      made = try Certifier.certify(
        request, fileSystems: question.fileSystems, store: store, keys: keys,
        now: Timestamp.now.unsigned)
    } catch let error as CertifierError {
      throw Self.refusal(error.description, hint: error.hint, status: 2)
    }
    if made.hasGaps, !allowGaps {
      throw Self.refusal(
        "there are gaps, or losses, in the days that the certificate rests on",
        hint: "`alibi coverage` lists them; --allow-gaps certifies all the same, and says so", status: 2)
    }
    // In the log first: none leaves the host without it.
    guard
      try service.note(
        certificate: Hash(of: made.certificate).base64, evidence: Hash(of: made.evidence).base64)
    else { throw Self.noService }
    try Bundle(certificate: made.certificate, evidence: made.evidence, checkpoint: made.checkpoint).write(to: out)
    Output.complain("alibi: note: the certificate is in \(out)")
  }

  private static func keys(_ store: StoreReader, _ state: String) throws -> KeyDirectory {
    do { return try KeyDirectory(state: state, of: store) } catch let error as KeyError {
      guard Procfs.effectiveUser == 0 else {
        throw Failure(message: "the key of certificates is root's", hint: "run it with sudo", status: 77)
      }
      throw Failure(message: "\(error)", hint: "put the keys back from where they are kept", status: 74)
    }
  }

  private static func scope(_ question: ProofQuestion, _ store: StoreReader) throws -> Scope {
    switch question.scope {
    case .all: return .agent
    case .agent:
      throw refusal("certificates are about all agents, or one session", hint: "leave out --agent")
    case .session(let key):
      guard try store.sessions().contains(where: { $0.key == key }), let scope = Scope("session:\(key)") else {
        throw refusal(
          "a conversation can be several sessions, and a session several conversations",
          hint: "`alibi sessions` has the key of the session")
      }
      return scope
    }
  }

  private static func target(_ question: ProofQuestion) throws -> Target {
    let path: RawPath
    let kind: Target.Kind
    switch question.target {
    case .file(let file): (path, kind) = (file, .file)
    case .tree(let directory): (path, kind) = (directory.lexicallyNormal ?? directory, .tree)
    case .glob(let pattern):
      if let other = question.otherPatterns.first(where: { $0 != pattern }) {
        throw refusal(
          "records tell what \(pattern.source) can match as \(other.source)",
          hint: "register \(other.source) and ask for it")
      }
      guard let target = Target(.glob, Array(pattern.source.utf8)) else {
        throw refusal("\(pattern.source): no target that a certificate can have", hint: "a shorter pattern")
      }
      return target
    case .identity(let identity):
      guard let target = Certifier.target(identity) else {
        throw refusal(
          "generation 0 is that of a witness who could not tell it", hint: "ask for the file by its path")
      }
      return target
    }
    if let other = question.otherNames.first(where: { $0 != path }) {
      throw refusal("records tell \(path) as \(other)", hint: "ask for \(other)")
    }
    guard let target = Target(kind, path.bytes) else {
      throw refusal("\(path): no target that a certificate can have", hint: "ask for a directory above it")
    }
    return target
  }

  private static func refusal(_ message: String, hint: String, status: Int32 = 64) -> Failure {
    Failure(message: "no certificate: \(message)", hint: hint, status: status)
  }

  private static let noService = Failure(
    message: "no certificate: the service does not seal", hint: "is it running? its log, and `alibi status`, tell",
    status: 69)
}
