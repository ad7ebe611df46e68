public import MerkleLog

/// What the auditor brings: pinned before the period, never taken from the bundle.
public struct VerificationPolicy: Sendable {
  /// Keys of logs whose heads are believed; the key's name is the log's.
  public var logKeys: [VerifierKey]
  /// Keys of witnesses whose cosignatures count.
  public var witnesses: [VerifierKey]
  /// How many of them must have cosigned the final head.
  public var quorum: Int
  /// Now, in nanoseconds since 1970: what is later is not believed.
  public var now: UInt64

  /// A policy.
  public init(logKeys: [VerifierKey], witnesses: [VerifierKey] = [], quorum: Int = 0, now: UInt64) {
    self.logKeys = logKeys
    self.witnesses = witnesses
    self.quorum = quorum
    self.now = now
  }
}

/// What a certificate is worth.
public enum Verdict: Sendable, Hashable {
  /// Every step holds.
  case accept(Findings)
  /// Every step holds, and the certificate itself tells of time that nobody vouches for, or of losses.
  case acceptWithGaps(Findings)
  /// A step does not hold.
  case reject(step: Int, reason: String)
}

/// What a verifier found, for people to read.
public struct Findings: Sendable, Hashable {
  /// What was certified.
  public var certificate: CertificateText
  /// The final head.
  public var checkpoint: Checkpoint
  /// The gaps that touch the interval.
  public var gaps: [GapRecord]
  /// The CONFIG records that were in force.
  public var configs: [LogRecord]
  /// The file systems that every epoch had watched throughout.
  public var fileSystems: [String]
  /// How many pinned witnesses cosigned the final head.
  public var cosignatures: Int
  /// The anchor lag by pinned witnesses alone; nil where they have not seen every epoch.
  public var pinnedLag: UInt64?
  /// Time-stamp tokens over heads of this log, whose own signatures this verifier does not check: give them to
  /// `openssl ts -verify`.
  public var uncheckedTokens: Int
}

struct Rejection: Error {
  var step: Int
  var reason: String

  init(_ step: Int, _ reason: String) {
    self.step = step
    self.reason = reason
  }
}
