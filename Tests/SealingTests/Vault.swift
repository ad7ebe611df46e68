import Certificates
import Evidence
import Foundation
import GRDB
import MerkleLog
import Records

@testable import Sealing

/// A store with a log, in a directory that goes away with the value.
final class Vault {
  static let system: UInt64 = 0xfeed
  let directory: String
  let writer: StoreWriter
  let sealer: Sealer
  let keys: KeyDirectory

  init(started: Int64 = 0, patterns: [String] = []) throws {
    directory = NSTemporaryDirectory() + "alibi-vault-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try KeyDirectory.create(state: directory, origin: "alibi/test")
    keys = try KeyDirectory(state: directory)
    writer = try StoreWriter(directory: directory, run: Self.run(started))
    sealer = Self.sealer(patterns)
    try sealer.begin(writer, keys: keys, reason: "start")
    try writer.commit(
      [
        .fileSystem(
          WatchedFileSystem(
            fileSystem: Self.system, device: 1, type: "ext4", mountPoint: RawPath("/"), mode: "identity", reason: "",
            since: at(started)))
      ], covered: Interval(from: at(started), to: at(started + 100)))
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  static func run(_ started: Int64) -> StoreWriter.Run {
    StoreWriter.Run(
      bootID: "boot", host: "host", kernel: "6.18", version: "1", rulesDigest: Hash(of: [7]).bytes, pid: 1,
      runDirectory: "/nowhere", started: at(started), perfMissing: nil, connectorMissing: nil)
  }

  static func sealer(_ patterns: [String] = []) -> Sealer {
    Sealer(
      facts: ProgramFacts(
        version: "1", digest: Hash(of: [8]), kernel: "6.18", lockdown: "none", bootID: "boot", patterns: patterns)
    ) { (at(1000).unsigned, 7) }
  }

  func commit(_ findings: Finding..., to: Int64) throws {
    try writer.commit(findings, covered: Interval(from: at(0), to: at(to)), sealing: sealer)
  }

  func database() throws -> DatabaseQueue { try DatabaseQueue(path: directory + "/alibi.sqlite") }

  func texts() throws -> [String] {
    try database().read { db in
      try Data.fetchAll(db, sql: "SELECT text FROM log_records ORDER BY id").map { String(decoding: $0, as: UTF8.self) }
    }
  }

  func kinds() throws -> [String] {
    try database().read { try String.fetchAll($0, sql: "SELECT kind FROM log_records ORDER BY id") }
  }

  func records(_ kind: String) throws -> [LogRecord] {
    try texts().compactMap { LogRecord(Array($0.utf8)) }.filter { $0.kind.rawValue == kind }
  }

  func notes() throws -> [[UInt8]] {
    try database().read { try Data.fetchAll($0, sql: "SELECT note FROM checkpoints ORDER BY size").map { Array($0) } }
  }
}

extension LogRecord {
  func word(_ key: String) -> String? { if case .word(let word)? = value(key) { word } else { nil } }
}

/// So many seconds after a midnight.
func at(_ seconds: Int64) -> Timestamp { Timestamp(seconds: 1_799_971_200 + seconds) }

func session(_ id: Int64, started: Int64 = 1, parent: Int64? = nil, relation: Session.Relation? = nil) -> Session {
  Session(
    id: id, key: "session-\(id)", agent: "claude-code", started: at(started),
    root: ProcessKey(pid: 100 + Int32(id), startedAt: 1, provenance: .witnessed), bootID: "boot", host: "host",
    executable: RawPath("/agent"), executableIdentity: nil, version: "1", joinedLate: false, parent: parent,
    relation: relation,
    facts: SessionFacts(
      uid: 1000, loginUid: nil, userName: "ada", terminal: nil, workingDirectory: RawPath("/p"), project: RawPath("/p"))
  )
}

func access(
  _ path: String?, session: Int64? = 1, _ operations: Operations = [.open, .read, .closedUnwritten],
  from: Int64 = 20, to: Int64 = 20, inode: UInt64 = 5, process: Int64? = nil
) -> Finding {
  .access(
    Access(
      session: session, process: process, path: path.map { RawPath($0) }, name: nil, identity: file(inode),
      operations: operations, result: 0, time: Interval(from: at(from), to: at(to)), count: 1, attribution: .witnessed))
}

func file(_ inode: UInt64) -> FileIdentity { FileIdentity(fileSystem: Vault.system, inode: inode, generation: 1) }

func renamed(
  _ from: String?, _ to: String?, inode: UInt64 = 5, kind: NameChange.Kind = .file, at time: Int64 = 30
) -> Finding {
  .name(
    NameChange(
      identity: file(inode), from: from.map { RawPath($0) }, to: to.map { RawPath($0) }, kind: kind, isSure: true,
      time: Interval(from: at(time), to: at(time))))
}

func look(_ from: Int64, _ to: Int64, canaries: Int, losses: [String: Int] = [:]) -> Finding {
  .seal(
    Seal(
      time: Interval(from: at(from), to: at(to)), bootFrom: 1, bootTo: 2, rulesDigest: Hash(of: [7]).bytes,
      canariesSent: 3, canariesSeen: canaries, losses: losses, fileSystems: []))
}
