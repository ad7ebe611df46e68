public import Certificates
public import MerkleLog

/// A head that the log has signed.
public struct SignedHead: Sendable, Hashable {
  /// How many leaves it has.
  public var size: UInt64
  /// The signed note.
  public var note: [UInt8]

  /// A head.
  public init(size: UInt64, note: [UInt8]) {
    self.size = size
    self.note = note
  }
}

/// What somebody outside said of a head, verified as far as this program can.
public struct AnchoredHead: Sendable, Hashable {
  /// Whose word it is.
  public var kind: EvidenceFile.Anchor.Kind
  /// The witness's key, or the authority's URL.
  public var by: String
  /// The head.
  public var head: SignedHead
  /// When it was seen, in nanoseconds since 1970.
  public var time: UInt64
  /// The witness's line, or the authority's token.
  public var token: [UInt8]

  /// The hash by which the log knows the token.
  public var digest: Hash { Hash(of: token) }
}

/// All that is to be known of one witness or authority: what it has seen, what it is asked next, and what its answers
/// mean. Decides; never acts.
public struct AnchorDesk: Sendable {
  /// Whom it is about.
  public enum Target: Sendable, Hashable {
    /// A witness by its submission prefix and key.
    case witness(url: String, key: VerifierKey)
    /// A time-stamp authority.
    case authority(url: String)
  }

  /// What an answer comes to.
  public enum Outcome: Sendable, Hashable {
    /// Nothing more to do until it is due again.
    case nothing
    /// It is to be asked again now.
    case again
    /// A head has been seen.
    case anchored(AnchoredHead)
    /// The log is not what the witness saw. Told once for each head that contradicts it.
    case fork(String)
  }

  private struct Pending: Sendable {
    var id: UInt64
    var head: SignedHead
    var old: UInt64
    var query: TimestampQuery?
  }

  /// Whom it is about.
  public let target: Target
  /// How long a head may go unseen, in nanoseconds.
  public let interval: UInt64
  /// The newest head that has been seen: its size, and when.
  public private(set) var seen: (size: UInt64, time: UInt64)?
  /// What is wrong; nil after a success.
  public private(set) var problem: String?
  /// Whether the witness contradicts the log.
  public private(set) var isForked = false
  private var pending: Pending?
  /// What the witness saw last, as far as is known.
  private var old: UInt64
  private var notBefore: UInt64 = 0
  private var failures = 0
  private var attempts = 0
  private var told: Set<String> = []

  static let shortestRetry: UInt64 = 1_000_000_000

  /// A desk that begins with what the store knows of an earlier time.
  public init(_ target: Target, interval: UInt64, seen: (size: UInt64, time: UInt64)?) {
    self.target = target
    self.interval = interval
    self.seen = seen
    old = seen?.size ?? 0
  }

  /// The witness's key, or the authority's URL.
  public var by: String {
    switch target {
    case .witness(_, let key): key.text
    case .authority(let url): url
    }
  }

  /// The kind of its anchors.
  public var kind: EvidenceFile.Anchor.Kind {
    if case .witness = target { .witness } else { .rfc3161 }
  }

  /// Whether it is waited for.
  public var isWaiting: Bool { pending != nil }

  /// Whether it is to be asked now, of a log that has news up to `size`; somebody who waits for that does not wait for
  /// the interval.
  public func isDue(_ size: UInt64, at now: UInt64, isUrgent: Bool = false) -> Bool {
    pending == nil && size > (seen?.size ?? 0) && (isUrgent && failures == 0 || now >= notBefore)
  }

  /// When it is due, if a head is there.
  public var due: UInt64 { notBefore }

  /// Makes it due now.
  public mutating func hurry() { notBefore = 0 }

  /// The letter that asks about a head.
  ///
  /// - Parameter proof: what shows that the log of one size goes on from the other.
  public mutating func ask(
    _ head: SignedHead, id: UInt64, nonce: UInt64, at now: UInt64, proof: (UInt64, UInt64) throws -> [Hash]
  ) throws -> Letter {
    notBefore = now + interval
    switch target {
    case .witness(let url, _):
      let hashes = old == 0 || old > head.size ? [] : try proof(old, head.size)
      // What the witness will refuse, it shall refuse with its own number.
      let claimed = min(old, head.size)
      pending = Pending(id: id, head: head, old: claimed, query: nil)
      return Letter(
        id: id, to: .post(url: url + "/add-checkpoint", type: WitnessProtocol.contentType),
        body: WitnessProtocol.body(old: claimed, proof: hashes, checkpoint: head.note))
    case .authority(let url):
      guard let note = SignedNote(head.note) else { throw LogError.noSuchSize(head.size) }
      let query = TimestampQuery(digest: Hash(of: note.text), nonce: nonce)
      pending = Pending(id: id, head: head, old: 0, query: query)
      return Letter(id: id, to: .post(url: url, type: "application/timestamp-query"), body: query.bytes)
    }
  }

  /// Takes an answer, if it is to what was asked.
  ///
  /// - Parameter newest: the log's newest head by now.
  public mutating func take(_ reply: Reply, newest: UInt64, at now: UInt64) -> Outcome {
    guard let asked = pending, asked.id == reply.id else { return .nothing }
    pending = nil
    switch reply.outcome {
    case .failed(let reason): return fail(reason, now)
    case .answered(let status, _, let body):
      if let query = asked.query { return stamped(status, body, query, asked.head, now) }
      return witnessed(status, body, asked, newest, now)
    }
  }

  /// Nobody will answer any more.
  public mutating func abandon(_ reason: String, at now: UInt64) {
    guard pending != nil else { return }
    pending = nil
    _ = fail(reason, now)
  }

  private mutating func witnessed(
    _ status: Int, _ body: [UInt8], _ asked: Pending, _ newest: UInt64, _ now: UInt64
  ) -> Outcome {
    guard case .witness(_, let key) = target else { return .nothing }
    switch WitnessProtocol.answer(status: status, body: body, checkpoint: asked.head.note, witness: key) {
    case .cosigned(let line, let time):
      old = asked.head.size
      return succeed(asked.head, time: time * 1_000_000_000, token: line)
    case .saw(let size) where size > newest:
      return fork("saw a log of \(size) records, of which \(newest) are here", now)
    case .saw(let size) where size == asked.old && size == asked.head.size:
      return fork("saw another log of \(size) records", now)
    case .saw(let size):
      // An answer that was lost, or a store that forgot: go on from what the witness knows.
      attempts += 1
      guard size != asked.old, attempts < 4 else { return fail("a conflict over what is not in conflict", now) }
      old = size
      return .again
    case .inconsistent: return fork("saw a log of \(asked.old) records that this one does not go on from", now)
    case .refused(let reason): return fail(reason, now)
    }
  }

  private mutating func stamped(
    _ status: Int, _ body: [UInt8], _ query: TimestampQuery, _ head: SignedHead, _ now: UInt64
  ) -> Outcome {
    guard status == 200 else { return fail("HTTP status \(status)", now) }
    do throws(TimestampQuery.Refusal) {
      let (bytes, token) = try query.token(in: body)
      return succeed(head, time: token.seconds * 1_000_000_000, token: bytes)
    } catch {
      return fail(error.description, now)
    }
  }

  private mutating func succeed(_ head: SignedHead, time: UInt64, token: [UInt8]) -> Outcome {
    seen = (head.size, time)
    problem = nil
    isForked = false
    failures = 0
    attempts = 0
    return .anchored(AnchoredHead(kind: kind, by: by, head: head, time: time, token: token))
  }

  private mutating func fail(_ reason: String, _ now: UInt64) -> Outcome {
    if !isForked { problem = reason }
    attempts = 0
    failures += 1
    // Sooner than the interval at first: what failed is often there again soon.
    notBefore = now + min(interval, Self.shortestRetry << UInt64(min(failures - 1, 12)))
    return .nothing
  }

  private mutating func fork(_ detail: String, _ now: UInt64) -> Outcome {
    _ = fail(detail, now)
    notBefore = now + interval
    problem = "FORK: the witness \(detail)"
    isForked = true
    // What is told changes as the log grows past what the witness saw; each contradiction is told once.
    let contradiction = detail.prefix { $0 != "," }
    return told.insert(String(contradiction)).inserted ? .fork(detail) : .nothing
  }
}
