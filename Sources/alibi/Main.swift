internal import ArgumentParser
internal import Evidence
internal import Glibc
internal import LinuxKernel
internal import Records

@main
struct Alibi: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "alibi",
    abstract: "Tells what AI agent sessions did with files on this host, and proves what they did not.",
    version: "0.1.0",
    subcommands: [
      Status.self, Sessions.self, Timeline.self, Accesses.self, Trace.self, Prove.self, Verify.self, Key.self,
      Coverage.self, Retention.self, Erase.self, ExportEvidence.self, Doctor.self,
    ])

  /// Parses, runs, and turns every failure into one line, a hint and an exit status.
  static func main() {
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      Glibc.exit(report(error))
    }
  }

  private static func report(_ error: any Error) -> Int32 {
    switch error {
    case let failure as Failure:
      Output.complain("alibi: error: \(failure.message)\nalibi: hint: \(failure.hint)")
      return failure.status
    case let failure as StoreError:
      let (hint, status) = advice(failure)
      Output.complain("alibi: error: \(failure)\nalibi: hint: \(hint)")
      return status
    case let code as ExitCode: return code.rawValue
    default:
      let status = exitCode(for: error).rawValue
      if status == 0 {
        // Help and version were asked for.
        do { try Output.write(fullMessage(for: error)) } catch { return 74 }
        return 0
      }
      Output.complain("alibi: error: \(message(for: error))\nalibi: hint: alibi --help")
      return 64
    }
  }

  private static func advice(_ error: StoreError) -> (hint: String, status: Int32) {
    switch error {
    case .missing: ("start the service first, or name its directory with --state", 66)
    case .forbidden: ("run it with sudo, or join the group alibi", 77)
    case .damaged: ("keep a copy of the directory for whoever examines it; restore the store from a backup", 65)
    case .incomplete: ("restore it from a backup; without --from before its end nothing of it is asked for", 65)
    case .newer: ("use the alibi of the service's version", 65)
    case .io: ("look at the disk and the directory's permissions", 74)
    }
  }
}

/// What every command takes.
struct Common: ParsableArguments {
  /// Where the service keeps its evidence unless it is told otherwise.
  static let defaultState = "/var/lib/alibi"

  @Option(name: .long, help: ArgumentHelp("The directory of the evidence.", valueName: "dir"))
  var state = Common.defaultState

  @Flag(name: .long, help: "Print JSON.")
  var json = false

  func store() throws -> StoreReader { try StoreReader(directory: state) }

  /// The store with everything in it that has happened up to now, if the service runs.
  func freshStore() throws -> StoreReader {
    let store = try store()
    if let run = try store.runs().last, run.ended == nil { _ = try ServiceClient(run).barrier() }
    return store
  }
}

/// A moment as people write it.
func moment(_ text: String, option: String, now: Timestamp = .now) throws(Failure) -> Timestamp {
  guard let time = Timestamp(text, now: now) else {
    throw .usage(
      "\(option) \(text): not a time",
      hint: "write 2026-11-21T04:36:00Z, 2026-11-21, now, or -2h (s, m, h, d, w)")
  }
  return time
}

extension Timestamp {
  static var now: Timestamp { Timestamp(nanoseconds: Int64(Clock.wall.now)) }
}

/// Which accesses to list.
struct WhatOptions: ParsableArguments {
  @Option(name: .long, help: ArgumentHelp("Only paths that match.", valueName: "glob"))
  var path: String?
  @Option(name: .long, help: ArgumentHelp("Only this kind: read, write, exec, any.", valueName: "kind"))
  var op = "any"
}

/// Whose accesses or sessions to list.
struct WhoseOptions: ParsableArguments {
  @Option(name: .long, help: ArgumentHelp("Only this session, or this conversation id.", valueName: "session"))
  var session: String?
  @Option(name: .long, help: ArgumentHelp("Only this developer's, by name or user id.", valueName: "name"))
  var developer: String?
  @Option(name: .long, help: ArgumentHelp("Only in this project.", valueName: "dir"))
  var project: String?

  func applied(to filter: Filter) -> Filter {
    var filter = filter
    filter.session = session
    filter.developer = developer
    filter.project = project.map { RawPath($0) }
    return filter
  }
}

/// From when to when, and how many.
struct WhenOptions: ParsableArguments {
  @Option(
    name: .long, parsing: .unconditional,
    help: ArgumentHelp("From this time on: RFC 3339, a date, now, -2h.", valueName: "time"))
  var from: String?
  @Option(
    name: .long, parsing: .unconditional,
    help: ArgumentHelp("Up to this time: RFC 3339, a date, now, -2h.", valueName: "time"))
  var to: String?
  @Option(name: .long, help: ArgumentHelp("At most so many, the newest.", valueName: "n"))
  var limit: Int?
}

extension Filter {
  /// A filter from what was typed.
  init(path: String?, op: String, from: String?, to: String?, limit: Int?) throws(Failure) {
    self.init()
    if let path {
      do { self.path = try PathPattern(path) } catch {
        throw .usage("--path \(path): not a pattern (\(error))", hint: "** stands for any number of directories")
      }
    }
    kind = try operationKind(op)
    if from != nil || to != nil {
      time = Interval(
        from: try from.map { text throws(Failure) in try moment(text, option: "--from") } ?? .distantPast,
        to: try to.map { text throws(Failure) in try moment(text, option: "--to") } ?? .distantFuture)
    }
    if let limit, limit < 1 { throw .usage("--limit \(limit): less than one", hint: "leave it out for all") }
    self.limit = limit
  }
}

func operationKind(_ text: String) throws(Failure) -> Operations.Kind {
  guard let kind = Operations.Kind(rawValue: text) else {
    throw .usage("--op \(text): no such kind", hint: "read, write, exec or any")
  }
  return kind
}
