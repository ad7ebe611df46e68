public import MerkleLog

/// A certificate: the text of a note that `<origin>/cert` signs.
///
/// ```
/// alibi.v1/certificate
/// log <origin>
/// claim no-access | no-write | no-exec
/// scope agent | session:<key>
/// target tree|file|name|ext|glob|inode <base64>
/// from <nanoseconds since 1970>
/// to <nanoseconds since 1970>
/// epochs <first> <last>
/// sessions <n>
/// names <n> | under-this-name
/// accepted <hazard kind> …             (only when any is; ascending)
/// covered <s>  gaps <n>  lost <n>  degraded <s>  anchor-lag-max <s>|none
/// evidence <base64 SHA-256 of the evidence file>
/// ```
///
/// Seconds `<s>` have exactly nine digits behind the point. The numbers from `sessions` on follow from the evidence;
/// they stand here so that a person reads them, and a verifier compares.
public struct CertificateText: Sendable, Hashable {
  /// The log's name.
  public var origin: String
  /// What is denied.
  public var claim: Claim
  /// Of whom.
  public var scope: Scope
  /// About what.
  public var target: Target
  /// Nanoseconds since 1970.
  public var from: UInt64
  /// After `from`.
  public var to: UInt64
  /// The first epoch that the interval touches.
  public var firstEpoch: UInt64
  /// The last.
  public var lastEpoch: UInt64
  /// How many sessions ran in those epochs.
  public var sessions: UInt64
  /// How many bindings of the path were opened; nil for `under-this-name`, where other names were not followed.
  public var names: UInt64?
  /// The hazards that the asker accepts, ascending.
  public var accepted: [String]
  /// Nanoseconds of the epochs in no gap.
  public var covered: UInt64
  /// How many gaps the epochs have.
  public var gaps: UInt64
  /// How many losses.
  public var lost: UInt64
  /// Nanoseconds in seals with a loss or without a canary.
  public var degraded: UInt64
  /// How long at most it took until somebody outside had seen an epoch sealed, in nanoseconds; nil where nobody has.
  public var anchorLag: UInt64?
  /// The hash of the evidence file.
  public var evidence: Hash

  /// The text, with its final newline.
  public var text: [UInt8] {
    var lines = [
      "alibi.v1/certificate", "log \(origin)", "claim \(claim.rawValue)", "scope \(scope.text)",
      "target \(target.kind.rawValue) \(Base64.encode(target.data))", "from \(from)", "to \(to)",
      "epochs \(firstEpoch) \(lastEpoch)", "sessions \(sessions)",
      "names \(names.map(String.init) ?? "under-this-name")",
    ]
    if !accepted.isEmpty { lines.append("accepted " + accepted.joined(separator: " ")) }
    let lag = anchorLag.map(Self.seconds) ?? "none"
    lines.append(
      "covered \(Self.seconds(covered))  gaps \(gaps)  lost \(lost)  degraded \(Self.seconds(degraded))"
        + "  anchor-lag-max \(lag)")
    lines.append("evidence \(evidence.base64)")
    return Array((lines.joined(separator: "\n") + "\n").utf8)
  }

  /// Reads the text; nil for anything but what `text` would write.
  public init?(_ bytes: [UInt8]) {
    guard bytes.allSatisfy({ $0 == 0x0A || (0x20...0x7E).contains($0) }) else { return nil }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.split(separator: " ", omittingEmptySubsequences: true).map(String.init) }
    let hasAccepted = lines.count == 14
    guard hasAccepted || lines.count == 13 else { return nil }
    func words(_ line: Int, _ count: Int) -> [String]? {
      lines[line].count == count ? Array(lines[line].dropFirst()) : nil
    }
    func number(_ word: String) -> UInt64? { Decimal.parse(word.utf8) }
    guard let log = words(1, 2), let claim = words(2, 2).flatMap({ Claim(rawValue: $0[0]) }),
      let scope = words(3, 2).flatMap({ Scope($0[0]) }), let about = words(4, 3),
      let kind = Target.Kind(rawValue: about[0]), let data = Base64.decode(about[1].utf8),
      let target = Target(kind, data), let from = words(5, 2).flatMap({ number($0[0]) }),
      let to = words(6, 2).flatMap({ number($0[0]) }), from < to, let epochs = words(7, 3),
      let first = number(epochs[0]), let last = number(epochs[1]), first <= last,
      let sessions = words(8, 2).flatMap({ number($0[0]) }), let names = words(9, 2)
    else { return nil }
    origin = log[0]
    self.claim = claim
    self.scope = scope
    self.target = target
    self.from = from
    self.to = to
    firstEpoch = first
    lastEpoch = last
    self.sessions = sessions
    self.names = names[0] == "under-this-name" ? nil : number(names[0])
    accepted = hasAccepted ? Array(lines[10].dropFirst()) : []
    let rest = hasAccepted ? 11 : 10
    guard let sums = words(rest, 10), let evidence = words(rest + 1, 2), let covered = Self.nanoseconds(sums[0]),
      let gaps = number(sums[2]), let lost = number(sums[4]), let degraded = Self.nanoseconds(sums[6]),
      let hash = Hash(base64: evidence[0].utf8), accepted.allSatisfy(Self.isHazard),
      zip(accepted, accepted.dropFirst()).allSatisfy(<)
    else { return nil }
    self.covered = covered
    self.gaps = gaps
    self.lost = lost
    self.degraded = degraded
    anchorLag = sums[8] == "none" ? nil : Self.nanoseconds(sums[8])
    self.evidence = hash
    // The words were taken leniently; this is what makes them strict.
    guard text == bytes else { return nil }
  }

  init(
    origin: String, claim: Claim, scope: Scope, target: Target, from: UInt64, to: UInt64, accepted: [String],
    tally: Tally, evidence: Hash
  ) {
    self.origin = origin
    self.claim = claim
    self.scope = scope
    self.target = target
    self.from = from
    self.to = to
    self.accepted = accepted
    firstEpoch = tally.firstEpoch
    lastEpoch = tally.lastEpoch
    sessions = tally.sessions
    names = tally.names
    covered = tally.covered
    gaps = tally.gaps
    lost = tally.lost
    degraded = tally.degraded
    anchorLag = tally.anchorLag
    self.evidence = evidence
  }

  /// Whether a word can name a kind of hazard: small letters, digits and hyphens.
  static func isHazard(_ word: String) -> Bool {
    !word.isEmpty
      && word.utf8.allSatisfy {
        ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z")) || ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9"))
          || $0 == UInt8(ascii: "-")
      }
  }

  /// Seconds with nine digits behind the point, as the certificate has them.
  public static func seconds(_ nanoseconds: UInt64) -> String {
    let fraction = String(nanoseconds % 1_000_000_000)
    return "\(nanoseconds / 1_000_000_000)." + String(repeating: "0", count: 9 - fraction.count) + fraction
  }

  static func nanoseconds(_ text: String) -> UInt64? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1].utf8.count == 9, let whole = Decimal.parse(parts[0].utf8),
      whole < 9_000_000_000, parts[1].utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let fraction = UInt64(parts[1])
    else { return nil }
    return whole * 1_000_000_000 + fraction
  }
}

/// The numbers of a certificate that follow from its evidence.
struct Tally: Sendable, Hashable {
  var firstEpoch: UInt64 = 0
  var lastEpoch: UInt64 = 0
  var sessions: UInt64 = 0
  var names: UInt64?
  var covered: UInt64 = 0
  var gaps: UInt64 = 0
  var lost: UInt64 = 0
  var degraded: UInt64 = 0
  var anchorLag: UInt64?
}
