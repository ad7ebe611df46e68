import Evidence
import Foundation
import Records

/// A store of its own in a directory that goes away with the value.
final class Shelf {
  static let system: UInt64 = 0xfeed
  let directory: String
  let writer: StoreWriter

  init(perfMissing: String? = nil) throws {
    directory = NSTemporaryDirectory() + "alibi-shelf-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    writer = try StoreWriter(directory: directory, run: Self.run("boot", perfMissing))
    try writer.commit(
      [
        .fileSystem(
          WatchedFileSystem(
            fileSystem: Self.system, device: 1, type: "ext4", mountPoint: RawPath("/"), mode: "identity", reason: "",
            since: at(0)))
      ], covered: Interval(from: at(0), to: at(100)))
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  static func run(_ boot: String, _ perfMissing: String? = nil) -> StoreWriter.Run {
    StoreWriter.Run(
      bootID: boot, host: "host", kernel: "6.18", version: "1", rulesDigest: [], pid: 1, runDirectory: "/nowhere",
      started: at(0), perfMissing: perfMissing, connectorMissing: nil)
  }

  func reader() throws -> StoreReader { try StoreReader(directory: directory) }

  func write(_ findings: Finding...) throws { try writer.commit(findings, covered: nil) }

  func prove(
    _ target: ProofQuestion.Target = .file(RawPath("/data/a.csv")), from: Int64 = 10, to: Int64 = 90,
    _ change: (inout ProofQuestion) -> Void = { _ in }
  ) throws -> Verdict {
    var question = ProofQuestion(target: target, time: Interval(from: at(from), to: at(to)))
    question.fileSystems = [Self.system]
    change(&question)
    return try reader().prove(question)
  }
}

/// So many seconds after the beginning.
func at(_ seconds: Int64) -> Timestamp { Timestamp(seconds: 1_800_000_000 + seconds) }

func session(
  _ id: Int64, agent: String = "claude-code", parent: Int64? = nil, relation: Session.Relation? = nil
) -> Session {
  Session(
    id: id, key: "session-\(id)", agent: agent, started: at(1),
    root: ProcessKey(pid: 100 + Int32(id), startedAt: 1, provenance: .witnessed), bootID: "boot", host: "host",
    executable: RawPath("/agent"), executableIdentity: nil, version: "1", joinedLate: false, parent: parent,
    relation: relation,
    facts: SessionFacts(
      uid: 1000, loginUid: nil, userName: "ada", terminal: nil, workingDirectory: RawPath("/p"), project: RawPath("/p"))
  )
}

func access(
  _ path: String?, session: Int64? = 1, _ operations: Operations = [.open, .read, .closedUnwritten],
  from: Int64 = 20, to: Int64 = 20, inode: UInt64 = 5, name: String? = nil, attribution: Attribution = .witnessed,
  system: UInt64 = Shelf.system, process: Int64? = nil
) -> Finding {
  .access(
    Access(
      session: session, process: process, path: path.map { RawPath($0) }, name: name.map { RawPath($0) },
      identity: FileIdentity(fileSystem: system, inode: inode, generation: 1), operations: operations, result: 0,
      time: Interval(from: at(from), to: at(to)), count: 1, attribution: attribution))
}

func renamed(
  _ from: String?, _ to: String?, inode: UInt64 = 5, isDirectory: Bool = false, at time: Int64 = 30,
  to end: Int64? = nil, kind: NameChange.Kind = .file, isSure: Bool = true
) -> Finding {
  .name(
    NameChange(
      identity: FileIdentity(fileSystem: Shelf.system, inode: inode, generation: 1), from: from.map { RawPath($0) },
      to: to.map { RawPath($0) }, kind: isDirectory ? .directory : kind, isSure: isSure,
      time: Interval(from: at(time), to: at(end ?? time))))
}
