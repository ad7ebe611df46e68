internal import ArgumentParser
internal import Evidence
internal import Sealing

struct Erase: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Erases what is recorded of a person, a session or a file.",
    discussion: """
      Values and what they were committed with are deleted; the commitments stay, so what was sealed stays sealed, and
      certificates that were issued stay valid. The log tells how many values went, of which kinds, and on what ground,
      and names nobody. Of the epochs concerned nothing can be certified any more, and where something erased could
      have been meant the answer is NOT PROVEN.

      BASIS is one of gdpr-17-1-a to gdpr-17-1-e, court-order, works-agreement, policy. It cannot be undone.

      Exit status: 0; 64 usage, 65 evidence damaged, 66 nothing of the kind, 69 service, 74 I/O, 75 sessions still run,
      77 permission.
      """)

  @OptionGroup var common: Common
  @Option(name: .long, help: ArgumentHelp("A person's sessions, by name or user id.", valueName: "user"))
  var subject: String?
  @Option(name: .long, help: ArgumentHelp("A session, by its key.", valueName: "key"))
  var session: String?
  @Option(name: .long, help: ArgumentHelp("The file that a record tells of, by all its names.", valueName: "id"))
  var record: Int64?
  @Option(name: .long, help: ArgumentHelp("On what ground.", valueName: "basis"))
  var basis: String

  private static let bases = ErasureBasis.allCases.map(\.rawValue).joined(separator: ", ")

  func validate() throws {
    let asked = [subject != nil, session != nil, record != nil].filter { $0 }.count
    if asked != 1 { throw ValidationError("one of --subject, --session and --record") }
    if ErasureBasis(rawValue: basis) == nil {
      throw ValidationError("--basis \(basis): no such ground; one of \(Self.bases)")
    }
  }

  func run() throws {
    guard let ground = ErasureBasis(rawValue: basis) else { return }
    let meant =
      subject.map(ErasureSubject.person) ?? session.map(ErasureSubject.session)
      ?? record.map(ErasureSubject.record)
    guard let meant else { return }
    let keeping = try Keeping(try common.freshStore(), state: common.state)
    guard let erased = try keeping.erase(meant, basis: ground) else {
      throw Failure(
        message: "nothing of the kind is recorded", hint: "`alibi sessions` and `alibi accesses` list what is",
        status: 66)
    }
    if common.json { return try Output.json(erased) }
    var lines = [
      "erased   \(erased.count) values: \(erased.kinds.joined(separator: ", "))",
      "epochs   \(erased.firstEpoch) to \(erased.lastEpoch): nothing can be certified of those concerned any more",
    ]
    if !erased.isLogEmpty {
      lines.append("note     somebody reads the store: older versions lie in its write-ahead log until that is over")
    }
    try Output.write(lines.joined(separator: "\n"))
  }
}
