internal import MerkleLog
internal import Synchronization
internal import Testing

@testable internal import Certificates

/// A log of three days with a few accesses, and everything an issuer has.
struct Scene {
  static let day: UInt64 = 86_400_000_000_000
  static let start: UInt64 = 1_767_139_200_000_000_000
  static let session = "20260101T000000.000Z-7"
  static let fileSystem: UInt64 = 0xAB

  /// What a day of the log is made of.
  struct Day {
    var facts: [(scope: String, fact: IndexFact)] = []
    var hazards: [String] = []
    var gaps: [GapRecord] = []
    var lost: UInt64 = 0
    var sessions = [Scene.session, "20260101T000001.000Z-8"]
    var begun: UInt64 = 1
    var names: [NameHistory.Binding] = []
    var isNamesComplete = true
    var version = EpochRecord.keyVersion
    /// Those of another configuration that came into force in it.
    var patterns: [[UInt8]]?
  }

  let logKey: SigningKey
  let certificateKey: SigningKey
  /// The keys that sign heads, each from a record on.
  private(set) var headKeys: [(key: SigningKey, record: UInt64)] = []
  let witness: SigningKey
  var log: Log<MemoryHashStore>
  private(set) var authority: [[UInt8]] = []
  private(set) var places: [UInt64] = []
  private(set) var config: LogRecord
  private var configs: [LogRecord]
  private(set) var sealed: [(record: EpochRecord, index: UInt64, day: Day, tree: SparseIndex, names: NameHistory)] = []
  private(set) var anchors: [(size: UInt64, time: UInt64)] = []
  /// Keys of the bundle's certificates, when rotated.
  var signer: SigningKey

  private static func emptyLog() throws -> Log<MemoryHashStore> { try Log(MemoryHashStore()) }

  static func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }

  static func identity(_ inode: UInt64) -> [UInt8] {
    var out: [UInt8] = []
    out.append(bigEndian: fileSystem)
    out.append(bigEndian: inode)
    out.append(bigEndian: UInt32(1))
    out.append(bigEndian: UInt64(0))
    return out
  }

  /// What the service commits for one access of a session.
  static func access(_ path: String, inode: UInt64, above: [UInt64] = [], write: Bool = false) -> [(String, IndexFact)]
  {
    var facts = IndexFact.facts(ofPath: utf8(path)) + [IndexFact(.identity, identity(inode))]
    facts += above.map { IndexFact(.directoryIdentity, identity($0)) }
    let scopes = ["agent", "session:\(session)"].flatMap { write ? [$0, $0 + "/write"] : [$0] }
    return scopes.flatMap { scope in facts.map { (scope, $0) } }
  }

  init(days: [Day]? = nil, patterns: [[UInt8]] = [Scene.utf8("secrets")]) throws {
    logKey = try #require(SigningKey(name: Self.utf8("alibi/test"), seed: [UInt8](repeating: 1, count: 32)))
    certificateKey = try #require(
      SigningKey(name: Self.utf8("alibi/test/cert"), seed: [UInt8](repeating: 2, count: 32)))
    witness = try #require(
      SigningKey(name: Self.utf8("witness"), kind: .cosignature, seed: [UInt8](repeating: 3, count: 32)))
    signer = certificateKey
    headKeys = [(logKey, 0)]
    log = try Self.emptyLog()
    config = try Self.config(patterns)
    configs = [config]
    let genesis = GenesisRecord(
      origin: "alibi/test", logKey: logKey.verifier, certificateKey: certificateKey.verifier)
    try add(authority: try #require(genesis.record))
    try log.append(record: config.text)
    for (number, day) in (days ?? Self.quietDays()).enumerated() {
      try seal(day, number: UInt64(number))
      try anchor(after: 90)
    }
  }

  private static func config(_ patterns: [[UInt8]]) throws -> LogRecord {
    try #require(
      LogRecord(
        .config,
        [
          .hash(Hash(of: [1])), .hash(Hash(of: [2])), .words(["00000000000000ab"]), .number(1), .word("0.1"),
          .hash(Hash(of: [3])), .word("6.18"), .word("none"), .words(patterns.map { Hash(of: $0).base64 }),
        ]))
  }

  /// Three days in which a session read and wrote elsewhere than in /data/customers.
  static func quietDays() -> [Day] {
    let tree = [10, 11, 12] as [UInt64]
    return (0..<3).map { number in
      var day = Day()
      day.facts = access("/data/builds/out-\(number).tar.gz", inode: 100 + UInt64(number), above: [1, 2], write: true)
      day.facts += access("/data/customers2/x.csv", inode: 110, above: [1, 3])
      day.facts += [("unattributed", IndexFact(.file, utf8("/tmp/x")))]
      day.names = tree.map {
        NameHistory.Binding(
          path: utf8("/data/customers/\($0).csv"), identity: identity($0), from: start, to: start + Self.day * 3)
      }
      day.names.append(.init(path: utf8("/data"), identity: identity(1), from: start, to: start + Self.day * 3))
      day.names.append(
        .init(path: utf8("/data/customers"), identity: identity(9), from: start, to: start + Self.day * 3))
      return day
    }
  }

  @discardableResult
  mutating func add(authority record: LogRecord) throws -> UInt64 {
    places.append(try log.append(record: record.text))
    authority.append(record.text)
    return places[places.count - 1]
  }

  /// A key of the log, or of its certificates.
  static func key(_ seed: UInt8, _ role: String = "log") throws -> SigningKey {
    try #require(
      SigningKey(
        name: utf8(role == "log" ? "alibi/test" : "alibi/test/cert"), seed: [UInt8](repeating: seed, count: 32)))
  }

  /// The newest key of heads.
  var head: SigningKey { headKeys[headKeys.count - 1].key }

  /// Both keys are replaced.
  mutating func rotate(_ seed: UInt8) throws {
    let (log, certificate) = (try Self.key(seed), try Self.key(seed + 1, "cert"))
    let first = try add(authority: try #require(try KeyRecord(role: "log", old: head, new: log).record))
    try add(authority: try #require(try KeyRecord(role: "cert", old: signer, new: certificate).record))
    headKeys.append((log, first))
    signer = certificate
  }

  private static func secret(_ number: UInt64, _ kind: UInt8) -> [UInt8] { Hash(of: [kind, UInt8(number)]).bytes }

  mutating func seal(_ day: Day, number: UInt64) throws {
    let from = Self.start + number * Self.day
    let keys = try #require(IndexKeys(salt: Self.secret(number, 1)))
    let hiding = Self.secret(number, 2)
    let tree = SparseIndex(day.facts.map { scope, fact in keys.key(fact, scope: Self.utf8(scope)) }, hiding: hiding)
    let names = try NameHistory(day.names, keys: keys, hiding: hiding)
    var inForce = [config.leaf.base64]
    if let patterns = day.patterns {
      config = try Self.config(patterns)
      configs.append(config)
      inForce.append(config.leaf.base64)
      try log.append(record: config.text)
    }
    let gapTexts = try day.gaps.map { try #require($0.record).text }
    for text in gapTexts { try log.append(record: text) }
    var record = EpochRecord(
      number: number, from: from, to: from + Self.day, firstSeal: number * 10, lastSeal: number * 10 + 9,
      covered: Self.day - GapRecord.measure(day.gaps, from: from, to: from + Self.day),
      configs: inForce, fileSystems: ["00000000000000ab"], saltCommit: keys.commitment,
      indexRoot: tree.root)
    record.version = day.version
    record.lost = day.lost
    record.degraded = day.lost * 60_000_000_000
    record.gaps = UInt64(day.gaps.count)
    record.gapRoot = LogCheck.root(of: gapTexts.map(Hash.leaf))
    record.hazards = day.hazards
    record.sessions = UInt64(day.sessions.count)
    record.begun = day.begun
    record.sessionsRoot = LogCheck.root(of: day.sessions.map { .leaf(Self.utf8($0)) })
    record.namesComplete = day.isNamesComplete
    record.names = names.count
    record.namesRoot = try names.root
    let index = try log.append(record: try #require(record.record).text)
    sealed.append((record, index, day, tree, names))
  }

  /// A witness sees the present head some seconds after the last epoch.
  mutating func anchor(after seconds: UInt64) throws {
    let end = try #require(sealed.last).record.to / 1_000_000_000
    anchors.append((log.size, end + seconds))
  }

  var now: UInt64 { Self.start + 4 * Self.day }

  func head(_ size: UInt64? = nil) throws -> Checkpoint {
    let size = size ?? log.size
    return try #require(Checkpoint(origin: logKey.verifier.name, size: size, root: try log.root(size: size)))
  }

  func checkpoint(_ size: UInt64? = nil, witnessed time: UInt64? = nil) throws -> [UInt8] {
    let text = try head(size).text
    let size = size ?? log.size
    let note = try SignedNote.sign(text, with: [headKeys.last { $0.record < size }?.key ?? logKey])
    return try time.map { try note + witness.line(signing: text, at: $0) } ?? note
  }

  func leaf(_ record: [UInt8], _ index: UInt64) throws -> EvidenceFile.Leaf {
    EvidenceFile.Leaf(
      record: record, index: index, proof: try log.inclusionProof(index: index, size: log.size))
  }

  func material() throws -> LogMaterial {
    LogMaterial(
      checkpoint: try checkpoint(witnessed: now / 1_000_000_000),
      authority: try zip(authority, places).map { try leaf($0, $1) }, configs: configs,
      anchors: try anchors.map { size, time in
        EvidenceFile.Anchor(
          kind: .witness, checkpoint: try checkpoint(size, witnessed: time),
          consistency: try log.consistencyProof(old: size, new: log.size),
          by: Self.utf8(witness.verifier.text))
      })
  }

  func epoch(_ number: Int, _ request: CertificateRequest) throws -> EpochMaterial {
    let each = sealed[number]
    var place: EvidenceFile.SessionPlace?
    if case .session(let key) = request.scope, let at = each.day.sessions.firstIndex(of: key) {
      var log = try Self.emptyLog()
      for session in each.day.sessions { try log.append(record: Self.utf8(session)) }
      place = EvidenceFile.SessionPlace(
        index: UInt64(at), proof: try log.inclusionProof(index: UInt64(at), size: log.size))
    }
    let follows = request.target.isPath && each.day.isNamesComplete
    return EpochMaterial(
      leaf: try leaf(try #require(each.record.record).text, each.index), salt: Self.secret(UInt64(number), 1),
      gaps: each.day.gaps, session: place, names: follows ? try each.names.opening(of: request.target.data) : nil
    ) { each.tree.proof(of: $0) }
  }

  var policy: VerificationPolicy {
    VerificationPolicy(logKeys: [logKey.verifier], witnesses: [witness.verifier], quorum: 1, now: now)
  }

  func build(_ request: CertificateRequest, days: Range<Int> = 0..<3) throws -> CertificateBundle {
    try CertificateBuilder.build(
      request, log: try material(), epochs: try days.map { try epoch($0, request) }, key: signer, policy: policy)
  }

  /// A claim over the inner part of the three days.
  static func request(
    _ kind: Target.Kind = .tree, _ path: String = "/data/customers", claim: Claim = .noAccess, scope: Scope = .agent,
    accepted: Set<String> = []
  ) throws -> CertificateRequest {
    CertificateRequest(
      claim: claim, scope: scope, target: try #require(Target(kind, utf8(path))), from: start + 1000,
      to: start + 3 * day - 1000, accepted: accepted)
  }

  /// The verdict on a bundle that the issuer changed and signed again.
  func verdict(
    of bundle: CertificateBundle, policy: VerificationPolicy? = nil,
    _ edit: (inout EvidenceFile, inout CertificateText) throws -> Void
  ) throws -> Verdict {
    var file = try #require(EvidenceFile(bundle.evidence))
    var text = try #require(SignedNote(bundle.certificate).flatMap { CertificateText($0.text) })
    try edit(&file, &text)
    let evidence = file.bytes
    text.evidence = Hash(of: evidence)
    return check(try SignedNote.sign(text.text, with: [signer]), evidence, policy)
  }

  /// The same with a time stamp over the head, so that every kind of anchor is there.
  func stamped(_ bundle: CertificateBundle) throws -> CertificateBundle {
    var file = try #require(EvidenceFile(bundle.evidence))
    var text = try #require(SignedNote(bundle.certificate).flatMap { CertificateText($0.text) })
    let token = Token.of(Hash(of: try head().text).bytes, "20260103000000.5Z")
    file.anchors.append(
      EvidenceFile.Anchor(
        kind: .rfc3161, checkpoint: try checkpoint(), consistency: [], by: token))
    let evidence = file.bytes
    text.evidence = Hash(of: evidence)
    let certificate = try SignedNote.sign(text.text, with: [signer])
    return CertificateBundle(
      certificate: certificate, evidence: evidence,
      verdict: Verifier.verify(certificate: certificate, evidence: evidence, policy: policy))
  }

  /// The verdict on evidence whose bytes the issuer changed and signed again.
  func verdict(of bundle: CertificateBundle, bytes: [UInt8]) throws -> Verdict {
    var text = try #require(SignedNote(bundle.certificate).flatMap { CertificateText($0.text) })
    text.evidence = Hash(of: bytes)
    return check(try SignedNote.sign(text.text, with: [signer]), bytes, nil)
  }

  /// The verdict on any two files.
  func check(_ certificate: [UInt8], _ evidence: [UInt8], _ policy: VerificationPolicy? = nil) -> Verdict {
    let policy = policy ?? self.policy
    let verdict = Verifier.verify(certificate: certificate, evidence: evidence, policy: policy)
    Recorder.current?.cases.withLock { $0.append((certificate, evidence, policy, verdict)) }
    return verdict
  }
}

/// Keeps what was verified, so that the other verifier can be asked the same.
final class Recorder: Sendable {
  @TaskLocal static var current: Recorder?

  let cases = Mutex<[(certificate: [UInt8], evidence: [UInt8], policy: VerificationPolicy, verdict: Verdict)]>([])
}

extension Verdict {
  var step: Int? { if case .reject(let step, _) = self { step } else { nil } }
  var findings: Findings? {
    switch self {
    case .accept(let findings), .acceptWithGaps(let findings): findings
    case .reject: nil
    }
  }
  var isAccept: Bool { if case .accept = self { true } else { false } }
  var isAcceptWithGaps: Bool { if case .acceptWithGaps = self { true } else { false } }
}
