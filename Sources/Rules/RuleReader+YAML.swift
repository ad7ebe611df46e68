import Yams

extension RuleReader {
  /// The fields of one mapping, in the file's order.
  struct Fields {
    let reader: RuleReader
    let line: Int
    var pairs: [(key: String, value: Node)] = []
    var lines: [String: Int] = [:]

    subscript(key: String) -> Node? { pairs.first { $0.key == key }?.value }

    func line(of key: String) -> Int { lines[key] ?? line }

    func required(_ key: String) throws(RuleError) -> Node {
      guard let node = self[key] else { throw reader.error(line, "\"\(key)\" is missing") }
      return node
    }
  }

  /// The root of the document's only tree.
  func root() throws(RuleError) -> Node {
    let source = try source()
    try refuseAnchors()
    do {
      // The encoding is named because Yams' default would look at an environment variable.
      guard let node = try compose(yaml: source, .default, .default, .utf8) else {
        throw error(1, "the file is empty")
      }
      return node
    } catch let fault as YamlError {
      throw rephrased(fault)
    } catch let fault as RuleError {
      throw fault
    } catch {
      throw self.error(nil, "\(error)")
    }
  }

  /// A mapping with text for keys; any key that is not `known` is refused, if that is given.
  func fields(_ node: Node, known: [String]?) throws(RuleError) -> Fields {
    guard case .mapping(let mapping) = node else {
      throw error(node.mark?.line, "expected keys with values, found \(Self.kind(of: node))")
    }
    var fields = Fields(reader: self, line: node.mark?.line ?? 1)
    for (keyNode, value) in mapping {
      let key = try text(keyNode)
      if let known, !known.contains(key) {
        throw error(keyNode.mark?.line, "unknown key \"\(key)\" (known: \(known.joined(separator: ", ")))")
      }
      fields.pairs.append((key, value))
      fields.lines[key] = keyNode.mark?.line
    }
    return fields
  }

  /// The elements of a list; none where the key is absent.
  func list(_ node: Node?) throws(RuleError) -> [Node] {
    guard let node else { return [] }
    guard case .sequence(let elements) = node else {
      throw error(node.mark?.line, "expected a list, found \(Self.kind(of: node))")
    }
    return Array(elements)
  }

  /// A scalar that YAML takes for text: an unquoted 1 or yes is not, and is not made so.
  func text(_ node: Node) throws(RuleError) -> String {
    guard case .scalar(let scalar) = node, node.tag == Tag(.str) else {
      throw error(node.mark?.line, "expected text, found \(Self.kind(of: node))")
    }
    guard !scalar.string.utf8.contains(0) else {
      throw error(node.mark?.line, "text with a NUL byte: no path or variable has one")
    }
    return scalar.string
  }

  private static func kind(of node: Node) -> String {
    switch node {
    case .mapping: return "keys with values"
    case .sequence: return "a list"
    case .alias: return "an alias"
    case .scalar(let scalar):
      if node.tag == Tag(.null) { return "nothing" }
      return node.tag == Tag(.str) ? "text" : "\(scalar.string), which YAML reads as no text (quote it)"
    }
  }

  // MARK: Before parsing

  private func source() throws(RuleError) -> String {
    guard document.bytes.count <= RuleDocument.sizeLimit else {
      throw error(nil, "larger than \(RuleDocument.sizeLimit) bytes")
    }
    if let text = String(validating: document.bytes, as: UTF8.self) { return text }
    let lines = document.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    let bad = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil }
    throw error(bad.map { $0 + 1 }, "not UTF-8")
  }

  /// Refuses `&` wherever an anchor could begin, which is anywhere but right after a letter or digit. Without
  /// anchors no alias resolves, and a few lines of nested aliases as keys would keep the parser hashing for
  /// years. Comments are not excepted: telling them from text is the parser's work, and it must not run yet.
  private func refuseAnchors() throws(RuleError) {
    var line = 1
    var previous = UInt8(ascii: "\n")
    for byte in document.bytes {
      if byte == UInt8(ascii: "&"), !previous.isLetterOrDigit {
        throw error(line, "\"&\" can begin an anchor here; rule files have neither anchors nor aliases")
      }
      if byte == UInt8(ascii: "\n") { line += 1 }
      previous = byte
    }
  }

  private func rephrased(_ fault: YamlError) -> RuleError {
    switch fault {
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      guard let context else { return error(mark.line, "YAML: \(problem)") }
      return error(mark.line, "YAML: \(context.text), \(problem)")
    case .reader(let problem, let offset, _, let yaml):
      let line = offset.map { yaml.prefix($0).count(where: \.isNewline) + 1 }
      return error(line, "YAML: \(problem)")
    case .duplicatedKeysInMapping(let keys, let context):
      let names = keys.map { "\"\($0)\"" }.joined(separator: ", ")
      return error(context.mark.line, "given twice: \(names)")
    default:
      return error(nil, "YAML: \(fault)")
    }
  }
}
