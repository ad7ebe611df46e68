import Foundation
import Glibc

// The Gauntlet: random programs on a real kernel, and what Alibi says about them.
// Exit status: 0 nothing false was said, 1 something was, 64 usage, 70 the Gauntlet itself failed.

signal(SIGPIPE, SIG_IGN)
do {
  let options = try Options(CommandLine.arguments)
  guard geteuid() == 0 else { throw Trouble("the Gauntlet needs root") }
  let installation = Installation(programs: options.programs, rules: options.rules)
  let place = try Disk.scratch("alibi-gauntlet")
  defer { try? Disk.remove(place) }
  let keep = options.keep.isEmpty ? "/tmp/alibi-gauntlet-kept-\(options.seed)" : options.keep
  let summary = try Campaign(options: options, installation: installation, place: place, keep: keep).run()
  print(summary.text)
  if let file = options.json {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try encoder.encode(summary).write(to: URL(fileURLWithPath: file))
  }
  exit(summary.isClean ? 0 : 1)
} catch {
  say("alibi-gauntlet: error: \(error)")
  exit(70)
}
