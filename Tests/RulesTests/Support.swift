import Records
import Rules
import Testing

/// The directory of the rule files we ship, found from where this file was compiled.
let shippedDirectory: String = {
  let here = #filePath.split(separator: "/", omittingEmptySubsequences: false)
  return here.dropLast(3).joined(separator: "/") + "/rules"
}()

func shipped() throws -> AgentRules { try AgentRules.load(rules: shippedDirectory) }

extension AgentRules {
  /// The agent's name, and its version after a space where the path names one.
  func named(_ match: AgentMatch?) -> String? {
    guard let match else { return nil }
    let name = agents[match.agent].name
    return match.version.map { "\(name) \($0)" } ?? name
  }

  func place(_ name: String) throws -> Int { try #require(agents.firstIndex { $0.name == name }) }

  func mayBeAgent(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    return mayBeAgent(name: bytes.span)
  }

  func mayBeSessionFile(_ name: String, pid: Int32) -> Bool {
    let bytes = Array(name.utf8)
    return mayBeSessionFile(name: bytes.span, pid: pid)
  }
}

extension RuleDocument {
  init(_ name: String, _ text: String) { self.init(name: name, bytes: Array(text.utf8)) }
}

/// The least a rule file can be, with more of it appended.
func minimal(_ more: String = "") -> String {
  "agent: robot\ntitle: Robot\nexecutables: [\"**/bin/robot\"]\n" + more
}
