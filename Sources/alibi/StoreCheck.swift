internal import ArgumentParser
internal import Evidence
internal import MerkleLog
internal import Sealing

/// `alibi verify --full`: a store recomputed.
struct StoreCheck {
  private struct Answer: Encodable {
    struct Flaw: Encodable {
      var place: String
      var what: String
    }
    var result: String
    var records: Int
    var seals: Int
    var entries: UInt64
    var events: UInt64
    var epochs: Int
    var anchors: Int
    var erased: Int
    var unsealed: Int
    var flaws: [Flaw]
    var notes: [String]
  }

  private let state: String
  private let keys: [VerifierKey]
  private let heads: [(name: String, note: [UInt8])]
  private let json: Bool

  init(state: String, keys: [VerifierKey], heads: [(name: String, note: [UInt8])], json: Bool) {
    self.state = state
    self.keys = keys
    self.heads = heads
    self.json = json
  }

  func run() throws {
    guard keys.count < 2 else { throw Failure.usage("--full: more than one key", hint: "a store has one log") }
    let store = try StoreReader(directory: state)
    guard try !store.publicKeys().isEmpty else {
      throw Failure(
        message: "there is no log in \(state) yet", hint: "the service begins it when it next starts", status: 66)
    }
    let found = try FullVerification(store, pinned: keys.first, heads: heads)
    let result = found.flaws.isEmpty ? "ACCEPT" : "REJECT"
    var notes: [String] = []
    if keys.isEmpty { notes.append("no --key: this shows that the store is of one piece, and not whose it is") }
    if heads.isEmpty {
      notes.append("no --checkpoint: of an older copy of the whole store, nothing here would tell")
    }
    if found.unsealed > 0 {
      notes.append("\(found.unsealed) rows came after the last seal, and nothing vouches for them")
    }
    if found.erased > 0 { notes.append("\(found.erased) values were erased") }
    if json {
      try Output.json(
        Answer(
          result: result, records: found.records, seals: found.seals, entries: found.entries, events: found.events,
          epochs: found.epochs, anchors: found.anchors, erased: found.erased, unsealed: found.unsealed,
          flaws: found.flaws.map { Answer.Flaw(place: $0.place, what: $0.what) }, notes: notes))
    } else {
      var lines = [
        result, "", "  log      \(found.records) records", "  seals    \(found.seals)", "  entries  \(found.entries)",
        "  events   \(found.events)", "  epochs   \(found.epochs)",
        "  anchors  \(found.anchors)",
      ]
      if !found.flaws.isEmpty {
        lines += ["", "not as it was sealed:"]
        lines += found.flaws.prefix(20).map { "  \($0.place): \($0.what)" }
        if found.flaws.count > 20 { lines.append("  … and \(found.flaws.count - 20) more (--json has all)") }
      }
      if !notes.isEmpty { lines += [""] + notes.map { "note: \($0)" } }
      try Output.write(lines.joined(separator: "\n"))
    }
    if !found.flaws.isEmpty { throw ExitCode(1) }
  }
}
