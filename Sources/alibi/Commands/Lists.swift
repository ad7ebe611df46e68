internal import ArgumentParser
internal import Evidence
internal import MerkleLog
internal import Records

/// Accesses as a table.
enum AccessTable {
  /// - Parameters:
  ///   - from: what began before and was held then is said to be held.
  static func text(_ rows: [AccessRow], limit: Int = .max, from: Timestamp = .distantPast) -> String {
    let more = rows.count > limit ? "\n… and \(rows.count - limit) more: `alibi accesses` lists them" : ""
    return text(rows.prefix(limit).map(TimelineEntry.access), from: from, commands: false) + more
  }

  /// The same with what was told of accounts among them.
  ///
  /// - Parameter commands: whether the command of each process stands before what it did first.
  static func text(_ entries: [TimelineEntry], from: Timestamp = .distantPast, commands: Bool) -> String {
    var told: Set<Int64> = []
    var table = Table(["RECORD", "TIME", "SESSION", "DEVELOPER", "PROCESS", "OPERATIONS", "SURE", "PATH"])
    for entry in entries {
      guard case .access(let row) = entry else {
        if case .login(let login) = entry { table.add(login.cells) }
        continue
      }
      let access = row.access
      let path =
        access.path?.description ?? access.name.map { "(directory unknown)/\($0)" } ?? access.identity.description
      let process = row.executable.map { RawPath($0.lastComponent).description } ?? "?"
      if commands, let command = row.command, let program = row.program, told.insert(program.process).inserted {
        table.add([
          "", program.started.short, row.session ?? "-", row.developer ?? "-",
          "\(process)[\(row.pid.map(String.init) ?? "?")]", "runs", "", command.text,
        ])
      }
      table.add([
        "\(row.id)", access.time.from.short, row.session ?? "-", row.developer ?? "-",
        "\(process)[\(row.pid.map(String.init) ?? "?")]",
        access.operations.labels.joined(separator: ",") + (access.count > 1 ? " ×\(access.count)" : "")
          + (access.result == 0 ? "" : " " + errorName(access.result)) + (row.wasHeld(at: from) ? " held" : ""),
        access.attribution.label, path,
      ])
    }
    return table.text()
  }
}

extension Command {
  /// As a shell would take it, in one line, with the directory.
  var text: String {
    let words = arguments.map { argument -> String in
      let text = RawPath(argument).description
      let isPlain =
        !text.isEmpty
        && text.utf8.allSatisfy { byte in
          switch byte {
          case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
          default: "-_./=:,@%+*".utf8.contains(byte)
          }
        }
      return isPlain
        ? text : "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
    let place = directory.map { " (in \($0))" } ?? ""
    return words.joined(separator: " ") + place
  }
}

struct Sessions: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Lists agent sessions, oldest first.")
  @OptionGroup var common: Common
  @OptionGroup var whose: WhoseOptions
  @OptionGroup var when: WhenOptions

  func run() throws {
    let store = try common.freshStore()
    let filter = whose.applied(to: try Filter(path: nil, op: "any", from: when.from, to: when.to, limit: when.limit))
    let sessions = try store.sessions(filter)
    let keys = Dictionary(try store.sessions().map { ($0.id, $0.key) }, uniquingKeysWith: { first, _ in first })
    let privileged = Dictionary(try store.privilegedSessions().map { ($0.session, $0.since) }, uniquingKeysWith: min)
    if common.json {
      try Output.json(
        try sessions.map {
          var session = JsonSession(
            $0, conversations: try store.conversations(of: $0.id), parent: $0.parent.flatMap { keys[$0] },
            accesses: try store.accessCount(of: $0.id))
          session.privilegedSince = privileged[$0.id]?.description
          return session
        })
      return
    }
    guard !sessions.isEmpty else { return try Output.write("no agent session was recorded") }
    var table = Table([
      "SESSION", "AGENT", "VERSION", "STARTED", "ENDED", "DEVELOPER", "TTY", "PROJECT", "ACCESSES", "CONVERSATION",
      "NOTE",
    ])
    for session in sessions {
      var notes: [String] = []
      if session.joinedLate { notes.append("joined late") }
      if let since = privileged[session.id] { notes.append("root's rights since \(since.short)") }
      if let relation = session.relation, let parent = session.parent {
        let words =
          switch relation {
          case .nested: "within"
          case .hosted: "hosted by"
          case .adopted: "started for"
          }
        notes.append("\(words) \(keys[parent] ?? "?")")
      }
      table.add([
        session.key, session.agent, session.version ?? "-", session.started.short, session.ended?.short ?? "running",
        session.facts?.developer ?? "-", session.facts?.terminal ?? "-",
        session.facts?.project?.description ?? "-", "\(try store.accessCount(of: session.id))",
        try store.conversations(of: session.id).map(\.conversation).joined(separator: " "),
        notes.joined(separator: ", "),
      ])
    }
    try Output.write(table.text())
  }
}

struct Accesses: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Lists accesses of agent sessions, oldest first.")
  @OptionGroup var common: Common
  @OptionGroup var what: WhatOptions
  @OptionGroup var whose: WhoseOptions
  @OptionGroup var when: WhenOptions

  func run() throws {
    let filter = try Filter(path: what.path, op: what.op, from: when.from, to: when.to, limit: when.limit)
    let rows = try common.freshStore().accesses(whose.applied(to: filter))
    if common.json { return try Output.json(rows.map { JsonAccess($0) }) }
    guard !rows.isEmpty else { return try Output.write("no access matches") }
    try Output.write(AccessTable.text(rows))
  }
}

struct Timeline: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tells what one session did, in order of time, sessions within it included.")
  @OptionGroup var common: Common
  @Argument(help: "A session's key, or a conversation id.") var session: String
  @OptionGroup var what: WhatOptions
  @OptionGroup var when: WhenOptions

  func run() throws {
    let store = try common.freshStore()
    var filter = try Filter(path: what.path, op: what.op, from: when.from, to: when.to, limit: when.limit)
    filter.session = session
    var known = Filter()
    known.session = session
    guard try !store.sessions(known).isEmpty else {
      throw Failure.usage("no session is called \(session)", hint: "`alibi sessions` lists them")
    }
    // A path and an operation are an access's.
    let isWhole = filter.path == nil && filter.kind == .any
    let rows = TimelineEntry.merged(
      try store.accesses(filter), isWhole ? try store.logins(filter) : [], limit: filter.limit)
    if common.json { return try Output.json(rows) }
    guard !rows.isEmpty else { return try Output.write("the session has no such access") }
    try Output.write(AccessTable.text(rows, commands: true))
  }
}

struct Trace: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tells everything about one record: which file, which process, whose session, which conversation.")

  private struct Answer: Encodable {
    struct Process: Encodable {
      var pid: Int32
      var executable: String
      var processClass: String
      var started: String
    }
    var access: JsonAccess
    var processes: [Process]
    var session: JsonSession?
  }

  @OptionGroup var common: Common
  @Argument(help: "A record's number, as `alibi accesses` prints it.") var record: Int64

  func run() throws {
    let store = try common.store()
    guard let row = try store.access(record) else {
      throw Failure.usage("there is no record \(record)", hint: "`alibi accesses` lists them")
    }
    let chain = try row.access.process.map { try store.ancestry(process: $0) } ?? []
    let all = try store.sessions()
    let session = all.first { $0.id == row.access.session }
    let parent = session?.parent.flatMap { id in all.first { $0.id == id }?.key }
    let conversations = try session.map { try store.conversations(of: $0.id) } ?? []
    if common.json {
      return try Output.json(
        Answer(
          access: JsonAccess(row),
          processes: chain.map {
            .init(
              pid: $0.key.pid, executable: JsonPath($0.executable).text,
              processClass: $0.processClass.rawValue, started: $0.started.description)
          }, session: session.map { JsonSession($0, conversations: conversations, parent: parent, accesses: nil) }))
    }
    var lines = ["record       \(row.id)"]
    let access = row.access
    lines.append("path         \(access.path?.description ?? "unknown, \(access.name?.description ?? "no name")")")
    lines.append("file         \(access.identity)")
    lines.append(
      "operations   \(access.operations.labels.joined(separator: ", ")), \(access.count) event\(access.count == 1 ? "" : "s")"
    )
    lines.append("result       \(access.result == 0 ? "success" : errorName(access.result))")
    if let command = row.command { lines.append("command      \(command.text)") }
    lines.append("no earlier   \(access.time.from)")
    lines.append("no later     \(access.time.to)")
    lines.append("attribution  \(access.attribution.label)")
    for process in chain {
      lines.append(
        "process      \(process.key.pid) \(process.executable) (\(process.processClass.rawValue)), since \(process.started)"
      )
    }
    if let session {
      lines.append("session      \(session.key), \(session.agent)\(session.version.map { " " + $0 } ?? "")")
      if let parent { lines.append("             \(session.relation?.rawValue ?? "within") \(parent)") }
      lines.append("conversation \(row.conversation ?? "not labelled at that time")")
      lines.append(
        "developer    \(session.facts?.developer ?? "unknown")\(session.facts?.terminal.map { " on " + $0 } ?? "")")
      lines.append(
        "login        \(session.facts?.loginUid.map { "uid \($0)" } ?? "no login uid")"
          + (session.facts?.auditSession.map { ", audit session \($0)" } ?? ""))
      lines.append("directory    \(session.facts?.workingDirectory?.description ?? "unknown")")
      lines.append("project      \(session.facts?.project?.description ?? "unknown")")
      lines.append("executable   \(session.executable)")
      lines.append("sha256       \(session.executableDigest.map { Hex.encode($0) } ?? "not computed")")
      lines.append("host, boot   \(session.host), \(session.bootID)")
    } else {
      lines.append("session      nobody can be named")
    }
    try Output.write(lines.joined(separator: "\n"))
  }
}
