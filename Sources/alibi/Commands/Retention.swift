internal import ArgumentParser
internal import Evidence
internal import Records
internal import Sealing

struct Retention: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tells what is kept since when, and what goes next.",
    discussion: """
      The service deletes once a day what is older than retention-days in its file (396, that is 13 months): whole
      epochs, their values and secrets. Those of a quarter that is over are in one file, a segment, and go together when
      the last of them is older than that. Records of the log stay, and one of them tells of it. A question that reaches
      back to a time that is over is NOT PROVEN.

      Exit status: 0; 64 usage, 65 evidence damaged, 66 no store, 69 service, 74 I/O, 77 permission.
      """)

  private struct Answer: Encodable {
    var days: UInt64?
    var keptSince: String?
    var prunedTo: String?
    var keptEpochs: Int
    var prunedEpochs: Int
    var nextEpoch: UInt64?
    var nextGoes: String?
    var pruned: Keeper.Pruned?
  }

  @OptionGroup var common: Common
  @Flag(name: .long, help: "Delete now what is over.") var apply = false

  func run() throws {
    var store = try common.store()
    var pruned: Keeper.Pruned?
    if apply {
      pruned = try Keeping(store, state: common.state).prune()
      store = try common.store()
    }
    let epochs = try store.epochs()
    let days = try store.retentionDays()
    let kept = epochs.filter { $0.pruned == nil }
    // Those of a segment go together.
    let next = kept.first.flatMap { first in
      first.segment == nil ? first : kept.last { $0.segment == first.segment }
    }
    let goes = next.flatMap { last in
      days.map { Timestamp(nanoseconds: last.time.to.nanoseconds + Int64(min($0, 36_500)) * 86_400_000_000_000) }
    }
    let over = epochs.last { $0.pruned != nil }?.time.to
    let since = try kept.first?.time.from ?? over ?? store.runs().first?.started
    if common.json {
      return try Output.json(
        Answer(
          days: days, keptSince: since?.description, prunedTo: over?.description, keptEpochs: kept.count,
          prunedEpochs: epochs.count - kept.count, nextEpoch: kept.first?.number, nextGoes: goes?.description,
          pruned: pruned))
    }
    var lines = [
      "kept       \(days.map { "\($0) days" } ?? "the log does not say how long yet")",
      "since      \(since?.description ?? "-")", "epochs     \(kept.count), and \(epochs.count - kept.count) deleted",
    ]
    if let over { lines.append("deleted    up to \(over)") }
    if let first = kept.first, let next, let goes {
      let epochs = first.number == next.number ? "epoch \(first.number)" : "epochs \(first.number) to \(next.number)"
      lines.append("goes next  \(epochs), to \(next.time.to), on \(goes)")
    }
    if let pruned {
      lines.append("now        \(pruned.epochs) epochs, \(pruned.seals) seals, \(pruned.rest) values that had stayed")
    }
    try Output.write(lines.joined(separator: "\n"))
  }
}
