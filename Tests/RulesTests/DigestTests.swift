import Rules
import Testing

struct DigestTests {
  private let first = RuleDocument("a.yaml", minimal())
  private let second = RuleDocument("b.yaml", minimal().replacing("robot", with: "other"))

  @Test("the digest does not depend on the order of the files, nor on where they lie")
  func stable() throws {
    let digest = try AgentRules(documents: [first, second]).digest
    #expect(try AgentRules(documents: [second, first]).digest == digest)
    let moved = RuleDocument(name: "a.yaml", bytes: first.bytes, directory: "/etc/alibi")
    #expect(try AgentRules(documents: [moved, second]).digest == digest)
  }

  @Test("the digest changes with any name, any byte, and any file")
  func changes() throws {
    let digest = try AgentRules(documents: [first, second]).digest
    let renamed = RuleDocument(name: "c.yaml", bytes: second.bytes)
    let edited = RuleDocument(name: "b.yaml", bytes: second.bytes + [0x0A])
    #expect(try AgentRules(documents: [first, renamed]).digest != digest)
    #expect(try AgentRules(documents: [first, edited]).digest != digest)
    #expect(try AgentRules(documents: [first]).digest != digest)
  }

  @Test("the digest is SHA-256 over lengths, names and contents, as an outside tool computes it")
  func vector() throws {
    // python3: h(len(n).to_bytes(8,'big') + n + len(b).to_bytes(8,'big') + b)
    let digest = try AgentRules(documents: [first]).digest
    let expected = "90d9ef05b852e8435002e7bf5287e9b6e62c2a1a54ef2e625f26fe48c10d4cf9"
    #expect(digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == expected)
  }
}
