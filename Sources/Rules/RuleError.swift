/// Why a rule file, or the directory of them, is refused.
///
/// Reads like a compiler's message, because the one who can act on it has the file open in an editor.
public struct RuleError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The file or directory as the operator would type it.
  public let file: String
  /// The line, from 1; nil where the fault has no line.
  public let line: Int?
  /// What is wrong.
  public let reason: String

  /// `rules/agents/claude-code.yaml:12: unknown key "executable" (known: …)`
  public var description: String {
    guard let line else { return "\(file): \(reason)" }
    return "\(file):\(line): \(reason)"
  }
}
