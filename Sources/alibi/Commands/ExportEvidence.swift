internal import ArgumentParser
internal import Evidence
internal import LinuxKernel
internal import Records
internal import Sealing

struct ExportEvidence: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Writes the log, and a copy of the store with its segments, for a write-once store or another machine.",
    discussion: """
      The log is written as tiles (c2sp.org/tlog-tiles) with its signed head, the store as it is at one moment, and
      its sealed segments as they are. None has a private key. `alibi verify --full --state DIR` checks the directory on any machine. A copy does not learn of
      what is erased later: where it is kept for good, write the log only, which names nobody.

      Exit status: 0; 64 usage, 65 evidence damaged, 66 no store, 69 service, 73 DIR is not empty, 74 I/O, 77 permission.
      """)

  private struct Answer: Encodable {
    var records: UInt64
    var files: Int
    var hasStore: Bool
    var segments: Int
  }

  @OptionGroup var common: Common
  @Argument(help: "A directory that is empty, or not there.") var directory: String
  @Flag(name: .long, help: "Only the log: tiles, records and the signed head.") var logOnly = false

  func run() throws {
    let store = try common.store()
    if Procfs.effectiveUser == 0, let run = try store.runs().last, run.ended == nil {
      // Sealed first: what is in no seal, nobody vouches for.
      _ = try ServiceClient(run).closeEpoch()
    }
    OwnFiles.keepFromOthers()
    let path = directory.hasPrefix("/") ? directory : "./" + directory
    do throws(Errno) { try OwnFiles.makeDirectory(path, mode: 0o750) } catch {
      throw Failure(message: "\(directory): \(error)", hint: "name a directory that can be made", status: 73)
    }
    guard (try? OwnFiles.isEmptyDirectory(path)) == true else {
      throw Failure(message: "\(directory) is not empty", hint: "name another directory", status: 73)
    }
    let made: LogFiles.Made
    var segments = 0
    do {
      if logOnly {
        made = try LogFiles.write(store, to: path)
      } else {
        try store.copy(to: path + "/alibi.sqlite")
        // The log of the copy, which is of one moment.
        let copy = try StoreReader(directory: path)
        segments = try LogFiles.copySegments(of: copy, from: common.state)
        made = try LogFiles.write(copy, to: path)
      }
    } catch let error as Errno {
      throw Failure(message: "\(directory): \(error)", hint: "what was written is incomplete", status: 74)
    }
    if common.json {
      return try Output.json(Answer(records: made.size, files: made.files, hasStore: !logOnly, segments: segments))
    }
    try Output.write(
      "log      \(made.size) records in \(made.files) files\n"
        + "store    \(logOnly ? "not written" : "alibi.sqlite and \(segments) segments")")
  }
}
