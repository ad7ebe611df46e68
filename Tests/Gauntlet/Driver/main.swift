import Foundation
import Glibc

// The Gauntlet: random programs on a real kernel, and what Alibi says about them.
// Exit status: 0 nothing false was said, 1 something was, 70 the Gauntlet itself failed.

signal(SIGPIPE, SIG_IGN)
do {
  let options = try Options(CommandLine.arguments)
  exit(try perform(options))
} catch {
  say("alibi-gauntlet: error: \(error)")
  exit(70)
}

func perform(_ options: Options) throws -> Int32 {
  if options.lists {
    for each in NamedCase.all {
      print("\(each.name)\t\(each.expected.rawValue)\t\(each.known == nil ? "-" : "known")\t\(each.title)")
    }
    return 0
  }
  guard geteuid() == 0 else { throw Trouble("the Gauntlet needs root") }
  let installation = Installation(programs: options.programs, rules: options.rules)
  let place = try Disk.scratch("alibi-gauntlet")
  defer { try? Disk.remove(place) }
  if options.cases || !options.names.isEmpty { return try cases(options, installation, place) }
  let keep = options.keep.isEmpty ? "/tmp/alibi-gauntlet-kept-\(options.seed)" : options.keep
  let summary = try Campaign(options: options, installation: installation, place: place, keep: keep).run()
  print(summary.text)
  try write(summary, options.json)
  return summary.isClean ? 0 : 1
}

func cases(_ options: Options, _ installation: Installation, _ place: String) throws -> Int32 {
  let chosen = NamedCase.all.filter { each in
    options.cases || options.names.contains { each.name == $0 || each.row == $0 }
  }
  guard !chosen.isEmpty else { throw Trouble("no such case: \(options.names.joined(separator: ", ")); --list") }
  let results = CaseRunner(installation, at: place).run(chosen)
  print(results.map(\.line).joined(separator: "\n"))
  let failed = results.count { $0.isRight == false }, later = results.count { $0.isRight == nil }
  let known = results.count { $0.isRight == false && $0.note?.hasPrefix("known") == true }
  print("\n\(results.count - failed - later) ok, \(failed) FAILED (\(known) of them known), \(later) later")
  try write(results, options.json)
  return failed == 0 ? 0 : 1
}

func write(_ value: some Encodable, _ file: String?) throws {
  guard let file else { return }
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
  try encoder.encode(value).write(to: URL(fileURLWithPath: file))
}
