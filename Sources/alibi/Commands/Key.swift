internal import ArgumentParser
internal import Evidence

struct Key: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows the keys that heads and certificates of this host's log are checked with.",
    discussion: """
      Give the log's key to whoever is to verify certificates, before the time they are about: a key that comes with a
      certificate proves nothing. The key for certificates is named in the log itself.

      Exit status: 0; 65 evidence damaged, 66 no store, 74 I/O, 77 permission.
      """)

  enum Action: String, ExpressibleByArgument, CaseIterable {
    case show
  }

  private struct Answer: Encodable {
    var log: String?
    var cert: String?
  }

  @OptionGroup var common: Common
  @Argument(help: "show prints the verifier keys.") var action: Action

  func run() throws {
    let keys = try common.store().publicKeys()
    func newest(_ role: String) -> String? { keys.last { $0.role == role }?.verifier }
    guard let log = newest("log") else {
      throw Failure(
        message: "there is no log in \(common.state) yet", hint: "the service makes its keys when it first starts",
        status: 66)
    }
    if common.json { return try Output.json(Answer(log: log, cert: newest("cert"))) }
    // The key alone in its line, so that the output is a file of keys.
    try Output.write(log)
  }
}
