public import MerkleLog

/// What a log says to a witness and hears from it (C2SP tlog-witness).
///
/// ```
/// POST <prefix>/add-checkpoint
///
/// old <size that the witness saw last>\n
/// <base64 hash>\n …                         the consistency proof from there, none from 0
/// \n
/// <the signed checkpoint>
/// ```
///
/// | status | body | means |
/// |---|---|---|
/// | 200 | lines of a note | it has cosigned |
/// | 409 | a size | it saw that size last, not `old`; or, where it is `old`, another root |
/// | 422 | | the head does not go on from what it saw |
/// | 403, 404 | | it does not know the key, the log |
public enum WitnessProtocol {
  /// The content type of a request, which the protocol leaves open.
  public static let contentType = "text/plain"

  /// What a witness answered.
  public enum Answer: Sendable, Hashable {
    /// Its line, which holds, and the time in it, in seconds.
    case cosigned(line: [UInt8], time: UInt64)
    /// The size that it saw last.
    case saw(UInt64)
    /// What it saw is not the beginning of this log.
    case inconsistent
    /// Anything else, in words.
    case refused(String)
  }

  /// The body of a request.
  public static func body(old: UInt64, proof: [Hash], checkpoint: [UInt8]) -> [UInt8] {
    let lines = ["old \(old)"] + proof.map(\.base64) + [""]
    return Array((lines.joined(separator: "\n") + "\n").utf8) + checkpoint
  }

  /// Reads an answer; a cosignature is believed only where it is this witness's, over this checkpoint.
  public static func answer(
    status: Int, body: [UInt8], checkpoint: [UInt8], witness: VerifierKey
  ) -> Answer {
    switch status {
    case 200: return cosignature(body, checkpoint, witness)
    case 409:
      guard body.last == UInt8(ascii: "\n"), let size = Decimal.parse(body.dropLast()) else {
        return .refused("a conflict without a size")
      }
      return .saw(size)
    case 422: return .inconsistent
    case 403: return .refused("the witness does not know the log's key (403)")
    case 404: return .refused("the witness does not know the log (404)")
    default: return .refused("HTTP status \(status)")
    }
  }

  private static func cosignature(_ body: [UInt8], _ checkpoint: [UInt8], _ witness: VerifierKey) -> Answer {
    var found: (line: [UInt8], time: UInt64)?
    for text in body.split(separator: UInt8(ascii: "\n")).prefix(64) {
      let line = Array(text) + [UInt8(ascii: "\n")]
      guard let note = SignedNote(checkpoint + line), let time = note.cosignatureTime(of: witness) else { continue }
      if time > found?.time ?? 0 { found = (line, time) }
    }
    guard let found, found.time <= UInt64(Int64.max) / 1_000_000_000 else {
      return .refused("no cosignature that its key made over this head")
    }
    return .cosigned(line: found.line, time: found.time)
  }
}
