internal import Certificates
internal import MerkleLog

/// What an auditor asks for beyond the log's key: lines of a word and its value.
///
/// ```
/// # before the period we agreed on these
/// witness example.org/witness+12345678+BE…
/// quorum 1
/// anchor-lag-max 3600
/// accept unattributed
/// ```
struct PolicyFile: Equatable {
  /// Keys of witnesses whose cosignatures count.
  var witnesses: [VerifierKey] = []
  /// How many of them must have cosigned the final head.
  var quorum = 0
  /// The longest acceptable lag by these witnesses, in nanoseconds; nil for any.
  var longestLag: UInt64?
  /// What a certificate may accept.
  var accepted: Set<String> = []

  /// Why a file is refused.
  struct Fault: Error, Equatable {
    var line: Int
    var reason: String
  }

  /// Far above any policy.
  static let mostBytes = 1 << 16

  /// Reads a file.
  init(_ bytes: [UInt8]) throws(Fault) {
    guard bytes.count <= Self.mostBytes else { throw Fault(line: 1, reason: "larger than \(Self.mostBytes) bytes") }
    var quorum: (line: Int, count: Int)?
    var lag: (line: Int, time: UInt64)?
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, raw) in lines.enumerated() {
      let line = index + 1
      guard let text = String(validating: raw, as: UTF8.self) else { throw Fault(line: line, reason: "not UTF-8") }
      let words = text.split { $0 == " " || $0 == "\t" || $0 == "\r" }
      guard let key = words.first, !key.hasPrefix("#") else { continue }
      guard words.count == 2 else { throw Fault(line: line, reason: "expected a word and one value") }
      let value = words[1]
      switch key {
      case "witness":
        guard let witness = VerifierKey(Array(value.utf8)), witness.kind == .cosignature else {
          throw Fault(line: line, reason: "not a witness's verifier key: name+id+key of type 4 (cosignature/v1)")
        }
        guard !witnesses.contains(witness) else { throw Fault(line: line, reason: "this witness stands here already") }
        witnesses.append(witness)
      case "quorum":
        guard quorum == nil else { throw Fault(line: line, reason: "quorum stands here twice") }
        guard let count = Decimal.parse(value.utf8), count <= 100 else {
          throw Fault(line: line, reason: "quorum must be a number from 0 to 100")
        }
        quorum = (line, Int(count))
      case "anchor-lag-max":
        guard lag == nil else { throw Fault(line: line, reason: "anchor-lag-max stands here twice") }
        guard let seconds = Decimal.parse(value.utf8), seconds < 9_000_000_000 else {
          throw Fault(line: line, reason: "anchor-lag-max must be a number of whole seconds")
        }
        lag = (line, seconds * 1_000_000_000)
      case "accept":
        guard accepted.insert(String(value)).inserted else {
          throw Fault(line: line, reason: "\(value) is accepted already")
        }
      default:
        throw Fault(line: line, reason: "unknown word (known: witness, quorum, anchor-lag-max, accept)")
      }
    }
    if let quorum, quorum.count > witnesses.count {
      throw Fault(line: quorum.line, reason: "a quorum of \(quorum.count) among \(witnesses.count) witnesses")
    }
    if let lag, witnesses.isEmpty {
      throw Fault(line: lag.line, reason: "anchor-lag-max needs a witness: others' times prove nothing to you")
    }
    if quorum == nil, !witnesses.isEmpty {
      throw Fault(line: lines.count, reason: "quorum is missing: how many of the witnesses must have signed")
    }
    self.quorum = quorum?.count ?? 0
    longestLag = lag?.time
  }

  /// Why a certificate that holds is not enough; nil where it is.
  func objection(to findings: Findings) -> String? {
    let refused = findings.certificate.accepted.filter { !accepted.contains($0) }
    if !refused.isEmpty { return "the certificate accepts \(refused.joined(separator: ", ")), the policy does not" }
    guard let longestLag else { return nil }
    guard let lag = findings.pinnedLag else { return "the policy's witnesses have not seen every epoch" }
    if lag > longestLag {
      return "the policy's witnesses saw an epoch only after \(Statement.seconds(lag)), later than it allows"
    }
    return nil
  }
}
