/// One row of HAZARDS.md, or a part of it, as something that can be done and asked about.
///
/// Programs are those of the actor. `$1` to `$9` are files, `$D` a directory with `$D/in` in it, `$X` a program, `$S` a
/// script, `$L` a library, `$P` a file that only root may read, `$M` an empty directory, `$W` the ordinary actor, `$R`
/// the same with its set-user-id bit, `$C` the same for a file's capabilities, `$A` another agent, `$H` the agent's home.
struct NamedCase {
  /// How it must end.
  enum End: String {
    /// ACCESSED, by the right session.
    case seen
    /// NOT PROVEN with an interval and its source.
    case gap
    /// NOT PROVEN with a hazard, or accesses that could have been, or nobody's.
    case hazard
    /// Anything but NOT ACCESSED.
    case block
    /// NOT ACCESSED.
    case nothing
    /// NOT ACCESSED, and the limit is printed.
    case limit
    /// NOT ACCESSED, and the attempt is told with the error in `note`.
    case denied
    /// Whatever the case's own function says.
    case own
    /// It needs what is not built yet, or what this machine lacks.
    case later
  }

  /// The row, and after a dot the part of it.
  var name: String
  var title: String
  var expected: End
  /// The agent's program.
  var agent = ""
  /// What is done before the agent is launched, by who launches it.
  var before = ""
  /// Somebody else's program, at the same time.
  var bystander = ""
  /// What is asked about; otherwise every file in the agent's program.
  var asks: [String] = []
  var op = "any"
  var form = "agent"
  /// Whether it takes a service that audit is a witness of.
  var needsAudit = false
  /// Why it ends otherwise today. It counts as failed all the same.
  var known: String?
  /// What it waits for, where the end is `later`; the words of the limit, where it is `limit`.
  var note: String?

  /// The row of HAZARDS.md.
  var row: String { String(name.prefix { $0 != "." }) }

  static let all = reaching + leaving + blinding
}

extension NamedCase {
  /// One deed for each way, each on a file of its own.
  static func each(_ ways: String) -> String {
    ways.split(separator: " ").enumerated().map { "do \($0.offset + 1) \($0.element) $\($0.offset + 1) ;" }
      .joined(separator: " ")
  }

  /// One deed in each shape, each on a file of its own.
  static func inside(_ shapes: [String]) -> String {
    shapes.enumerated().map { "\($0.element) { do \($0.offset + 1) read $\($0.offset + 1) ; }" }.joined(separator: " ")
  }
}
