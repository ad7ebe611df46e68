internal import ArgumentParser
internal import Evidence
internal import LinuxKernel
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
    var segments: Int
    var anchors: Int
    var erased: Int
    var pruned: Int
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
    let hasFiles = (try? FileStatus(path: Array("\(state)/checkpoint".utf8))) != nil
    if hasFiles, (try? FileStatus(path: Array("\(state)/alibi.sqlite".utf8))) == nil { return try checkLog() }
    let store = try StoreReader(directory: state)
    guard try !store.publicKeys().isEmpty else {
      throw Failure(
        message: "there is no log in \(state) yet", hint: "the service begins it when it next starts", status: 66)
    }
    let found = try FullVerification(store, pinned: keys.first, heads: heads)
    var flaws = found.flaws
    if hasFiles { flaws += try LogFiles.flaws(in: state, store: store, pinned: keys.first).flaws }
    let result = flaws.isEmpty ? "ACCEPT" : "REJECT"
    var notes: [String] = []
    if keys.isEmpty { notes.append("no --key: this shows that the store is of one piece, and not whose it is") }
    if heads.isEmpty {
      notes.append("no --checkpoint: of an older copy of the whole store, nothing here would tell")
    }
    if found.unsealed > 0 {
      notes.append("\(found.unsealed) rows came after the last seal, and nothing vouches for them")
    }
    if found.erased > 0 { notes.append("\(found.erased) values were erased, as the log tells") }
    if found.pruned > 0 {
      notes.append("\(found.pruned) epochs were deleted when their time was over, as the log tells")
    }
    if json {
      try Output.json(
        Answer(
          result: result, records: found.records, seals: found.seals, entries: found.entries, events: found.events,
          epochs: found.epochs, segments: found.segments, anchors: found.anchors, erased: found.erased,
          pruned: found.pruned, unsealed: found.unsealed,
          flaws: flaws.map { Answer.Flaw(place: $0.place, what: $0.what) }, notes: notes))
    } else {
      var lines = [
        result, "", "  log      \(found.records) records", "  seals    \(found.seals)", "  entries  \(found.entries)",
        "  events   \(found.events)", "  epochs   \(found.epochs)",
        "  segments \(found.segments)",
        "  anchors  \(found.anchors)",
      ]
      lines += list(flaws)
      if !notes.isEmpty { lines += [""] + notes.map { "note: \($0)" } }
      try Output.write(lines.joined(separator: "\n"))
    }
    if !flaws.isEmpty { throw ExitCode(1) }
  }

  private func list(_ flaws: [Flaw]) -> [String] {
    guard !flaws.isEmpty else { return [] }
    let lines = flaws.prefix(20).map { "  \($0.place): \($0.what)" }
    return ["", "not as it was sealed:"] + lines
      + (flaws.count > 20 ? ["  … and \(flaws.count - 20) more (--json has all)"] : [])
  }

  /// A directory with the log alone: its files against its signed head.
  private func checkLog() throws {
    guard let key = keys.first else {
      throw Failure.usage(
        "the log alone can only be checked with --key", hint: "alibi key show prints it on the host whose log it is")
    }
    let (records, flaws) = try LogFiles.flaws(in: state, store: nil, pinned: key)
    let result = flaws.isEmpty ? "ACCEPT" : "REJECT"
    let notes = ["the log alone: there is no store whose values could be compared"]
    if json {
      try Output.json(
        Answer(
          result: result, records: records, seals: 0, entries: 0, events: 0, epochs: 0, segments: 0, anchors: 0,
          erased: 0, pruned: 0, unsealed: 0,
          flaws: flaws.map { Answer.Flaw(place: $0.place, what: $0.what) }, notes: notes))
    } else {
      try Output.write(
        ([result, "", "  log      \(records) records"] + list(flaws) + ["", "note: \(notes[0])"])
          .joined(separator: "\n"))
    }
    if !flaws.isEmpty { throw ExitCode(1) }
  }
}
