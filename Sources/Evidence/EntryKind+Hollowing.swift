extension EntryKind {
  /// What takes the value out of a row of an entry of this kind, in one of the files; nil where none is erased.
  func hollowing(in schema: String) -> String? {
    switch self {
    // Agent, times and the session around it stay: they say whose accesses count for what, and name nobody.
    case .session, .person:
      """
      UPDATE \(schema).sessions SET key = 'erased-' || id, root_pid = 0, root_started = 0, boot_id = '', host = '', \
      executable = x'', executable_identity = NULL, executable_digest = NULL, version = NULL, uid = NULL, \
      login_uid = NULL, user_name = NULL, terminal = NULL, working_directory = NULL, project = NULL, erased = 1 \
      WHERE id = ?
      """
    case .process:
      "UPDATE \(schema).processes SET pid = 0, pid_started = 0, executable = x'', class = '' WHERE id = ?"
    // The number stands in for the identity: no two rows are alike.
    case .file:
      """
      UPDATE \(schema).files SET path = x'', name = x'', file_system = 0, inode = id, generation = 0, subvolume = 0, \
      erased = 1 WHERE id = ?
      """
    // Which file it was of stays: whoever accessed that file may have accessed it by the name that is gone.
    case .name:
      """
      UPDATE \(schema).names SET from_path = iif(from_path IS NULL, NULL, x''), to_path = iif(to_path IS NULL, NULL, x'') \
      WHERE id = ?
      """
    case .conversation, .change: "DELETE FROM \(schema).\(table ?? "") WHERE id = ?"
    case .gap: "UPDATE \(schema).gaps SET reason = 'a session joined late' WHERE id = ?"
    case .incident: "UPDATE \(schema).incidents SET detail = 'erased' WHERE id = ?"
    case .command: "UPDATE \(schema).commands SET arguments = x'', masked = 0, directory = NULL WHERE id = ?"
    // What was done, and whether it was, names nobody.
    case .login:
      """
      UPDATE \(schema).logins SET account = NULL, terminal = NULL, host = NULL, program = NULL, command = NULL, \
      masked = 0, directory = NULL, login_uid = NULL, audit_session = NULL WHERE id = ?
      """
    case .privilege: "UPDATE \(schema).privileges SET reason = 'erased' WHERE id = ?"
    default: nil
    }
  }
}
