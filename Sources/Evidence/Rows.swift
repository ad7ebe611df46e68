internal import Foundation
internal import GRDB
internal import Records

/// Bytes as SQLite's BLOB; the only place where Foundation's Data is needed.
struct Blob: DatabaseValueConvertible {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  var databaseValue: DatabaseValue { Data(bytes).databaseValue }

  static func fromDatabaseValue(_ value: DatabaseValue) -> Blob? {
    Data.fromDatabaseValue(value).map { Blob(Array($0)) }
  }
}

extension StoreError {
  /// What an error of GRDB's means for the user.
  init(_ error: any Error, directory: String) {
    if let known = error as? StoreError {
      self = known
      return
    }
    guard let failure = error as? DatabaseError else {
      self = .io("\(error)")
      return
    }
    switch failure.resultCode {
    case .SQLITE_CORRUPT, .SQLITE_NOTADB: self = .damaged(failure.message ?? "not a database")
    case .SQLITE_PERM, .SQLITE_AUTH: self = .forbidden(directory: directory)
    case .SQLITE_ERROR where failure.message?.contains("no such") == true:
      self = .damaged(failure.message ?? "tables are missing")
    default: self = .io(failure.message ?? "\(failure.resultCode)")
    }
  }
}

extension Row {
  func path(_ column: String) -> RawPath? {
    (self[column] as Blob?).map { RawPath($0.bytes) }
  }

  func time(_ column: String) -> Timestamp? {
    (self[column] as Int64?).map { Timestamp(nanoseconds: $0) }
  }

  func unsigned(_ column: String) -> UInt64 {
    UInt64(bitPattern: self[column] as Int64? ?? 0)
  }

  var identity: FileIdentity {
    FileIdentity(
      fileSystem: unsigned("file_system"), inode: unsigned("inode"),
      generation: UInt32(truncatingIfNeeded: unsigned("generation")), subvolume: unsigned("subvolume"))
  }

  var span: Interval {
    Interval(from: time("t0") ?? .distantPast, to: time("t1") ?? .distantFuture)
  }
}

extension Session {
  init(row: Row) {
    let uid = row["uid"] as UInt32?
    self.init(
      id: row["id"], key: row["key"], agent: row["agent"], started: row.time("started") ?? .distantPast,
      root: ProcessKey(
        pid: row["root_pid"], startedAt: row.unsigned("root_started"),
        provenance: ProcessKey.Provenance(rawValue: row["root_provenance"]) ?? .unknown),
      bootID: row["boot_id"], host: row["host"], executable: row.path("executable") ?? RawPath([]),
      executableIdentity: (row["executable_identity"] as String?).flatMap { FileIdentity($0) },
      version: row["version"], joinedLate: row["joined_late"], parent: row["parent"],
      relation: (row["relation"] as String?).flatMap { Relation(rawValue: $0) },
      facts: uid.map {
        SessionFacts(
          uid: $0, loginUid: row["login_uid"], userName: row["user_name"], terminal: row["terminal"],
          workingDirectory: row.path("working_directory"), project: row.path("project"))
      })
    facts?.auditSession = row["audit_session"]
    ended = row.time("ended")
    executableDigest = (row["executable_digest"] as Blob?)?.bytes
  }
}
