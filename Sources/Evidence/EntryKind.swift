internal import GRDB
internal import MerkleLog

/// What is sealed as an entry: one row of a table, in the columns that never change.
///
/// The value is the columns in their order, each `u32 length ‖ bytes`; a number is eight bytes, big-endian, and NULL the
/// length 2^32 − 1 alone. The numbers are kept for ever.
enum EntryKind: UInt8, CaseIterable {
  case person = 1
  case session
  case process
  case file
  case conversation
  case privilege
  case name
  case gap
  case incident
  case change
  case run
  case fileSystem
  case mountTable
  case mounts
  case sensor
  case unseen
  case bearer
  case command
  case login

  /// The table or join, with the columns.
  private var source: (from: String, columns: String) {
    switch self {
    case .person: ("sessions t", "uid, login_uid, user_name")
    case .session:
      (
        "sessions t",
        """
        key, agent, started, root_pid, root_started, root_provenance, boot_id, host, executable, \
        executable_identity, version, joined_late, parent, relation, terminal, working_directory, project
        """
      )
    case .process:
      ("processes t", "session, pid, pid_started, provenance, parent, executable, class, started, space")
    case .file: ("files t", "path, name, file_system, inode, generation, subvolume")
    case .conversation: ("conversations t", "session, conversation, since")
    case .privilege: ("privileges t", "run, session, since, reason")
    case .name:
      ("names t", "file_system, inode, generation, subvolume, from_path, to_path, kind, is_sure, t0, t1")
    case .gap: ("gaps t", "t0, t1, source, reason, file_system")
    case .incident: ("incidents t", "time, kind, detail")
    case .change: ("changes t", "what, row, value")
    case .run:
      (
        "runs t",
        """
        boot_id, host, kernel, version, rules_digest, pid, run_directory, started, perf_missing, connector_missing
        """
      )
    case .fileSystem: ("file_systems t", "run, file_system, device, type, mount_point, mode, reason, since")
    case .mountTable: ("mount_tables t", "text")
    case .mounts: ("mounts t", "run, namespace, is_host, is_first, state, t0, t1, mount_table")
    case .sensor:
      (
        "seals t",
        "run, t0, t1, boot0, boot1, rules_digest, canaries_sent, canaries_seen, losses, file_systems"
      )
    case .unseen: ("sealed_file_systems t", "seal, file_system, device, is_marked, has_canary")
    case .command: ("commands t", "process, arguments, masked, directory")
    case .login:
      (
        "logins t",
        """
        session, process, time, what, operation, account, terminal, host, program, command, masked, directory, \
        login_uid, audit_session, is_success
        """
      )
    // Whose an access was where its process does not tell.
    case .bearer: ("accesses t LEFT JOIN processes p ON p.id = t.process", "t.session")
    }
  }

  /// The table whose row goes with the entry; nil where the row is also another's, or stays.
  var table: String? {
    switch self {
    case .person, .bearer, .run: nil
    default: source.from.split(separator: " ").first.map(String.init)
    }
  }

  /// Rows that are no entry of this kind are left out.
  private var condition: String {
    switch self {
    case .person: "t.uid IS NOT NULL"
    case .bearer: "t.session IS NOT p.session"
    default: "1"
    }
  }

  /// Rows that are to be sealed, each with its number first.
  var query: String {
    "SELECT t.id, \(source.columns) FROM \(source.from) WHERE \(condition)"
  }

  /// The canonical bytes of a row that `query` gave.
  static func value(_ row: Row) -> [UInt8] {
    var out: [UInt8] = []
    for index in 1..<row.count {
      let field: DatabaseValue = row[index]
      switch field.storage {
      case .null: out.append(bigEndian: UInt32.max)
      case .int64(let number):
        out.append(bigEndian: UInt32(8))
        out.append(bigEndian: number)
      case .double(let number):
        out.append(bigEndian: UInt32(8))
        out.append(bigEndian: number.bitPattern)
      case .string(let text): out.append(counted: text.utf8)
      case .blob(let bytes): out.append(counted: bytes)
      }
    }
    return out
  }
}

extension CommittedEvent {
  /// The rows of events, in the order that `init(row:)` reads.
  static let query = "SELECT id, t0, t1, operations, attribution, result, count, process, file FROM accesses"

  /// How sure the attribution is stands in the two highest bits of the operations.
  init(row: Row) {
    self.init(
      sequence: row[0], earliest: UInt64(bitPattern: row[1]), latest: UInt64(bitPattern: row[2]),
      operations: (row[3] as UInt32) | (row[4] as UInt32) << 30, errorNumber: UInt32(bitPattern: row[5]),
      count: row[6], process: UInt64(bitPattern: row[7] as Int64? ?? 0), file: row[8])
  }
}
