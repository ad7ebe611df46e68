import Records
import Testing

struct PathPatternTests {
  @Test(
    "a pattern matches the whole path, token by token",
    arguments: [
      ("/a/b", "/a/b"), ("/", "/"), ("/a/b", "//a///b/"), ("/a/", "/a"),
      ("/?", "/x"), ("/?b?", "/abc"), ("/?", "/."),
      ("/*", "/anything.at all"), ("/*.txt", "/a.txt"), ("/*.txt", "/.txt"), ("/a*c", "/ac"),
      ("/*a*b*", "/xxaxxbxx"), ("/*-*-*", "/a-b-c-d"), ("/a*", "/a*"),
      ("/**", "/"), ("/**", "/a"), ("/**", "/a/b/c"), ("/a/**", "/a"), ("/a/**", "/a/b/c"),
      ("/a/**/b", "/a/b"), ("/a/**/b", "/a/x/y/b"), ("/**/b", "/b"), ("/**/**/b", "/x/b"),
      ("/{name}", "/x"), ("/v{n}.js", "/v1.2.js"), ("/{a}-{b}", "/x-y"),
      ("/\\*", "/*"), ("/\\?", "/?"), ("/\\{a}", "/{a}"), ("/\\\\", "/\\"), ("/\\a", "/a"), ("/a}", "/a}"),
      ("/\\**", "/*abc"),
    ])
  func matching(pattern: String, path: String) throws {
    #expect(try PathPattern(pattern).matches(RawPath(path)))
  }

  @Test(
    "a pattern matches nothing less and nothing more",
    arguments: [
      ("/a/b", "/a"), ("/a", "/a/b"), ("/a", "/A"), ("/a", "/ab"), ("/", "/a"),
      ("/?", "/"), ("/?", "/ab"), ("/a?b", "/a/b"), ("/?", "/é"),
      ("/*", "/"), ("/*", "/a/b"), ("/*.txt", "/a.txt.bak"), ("/a*c", "/abd"),
      ("/a/**/b", "/a/b/c"), ("/a/**/b", "/ab"), ("/a/**", "/ab/c"),
      ("/v{n}", "/v"), ("/{a}-{b}", "/-y"), ("/{a}-{b}", "/x-"), ("/{a}", "/x/y"),
      ("/\\*", "/x"), ("/\\?", "/x"),
    ])
  func notMatching(pattern: String, path: String) throws {
    #expect(try !PathPattern(pattern).matches(RawPath(path)))
  }

  @Test(
    "stars that stand for components give back what they took too much of",
    arguments: [
      ("/**/a/**/b", "/a/x/a/y/b/b", true), ("/**/a/b", "/a/a/a/b", true), ("/**/a/b", "/a/b/a", false),
      ("/**/a/*/c", "/a/b/a/b/c", true), ("/**/x/**/x/**/x", "/x/x", false),
      ("/**/x/**/x/**/x", "/q/x/q/x/q/x", true), ("/a/**/b/**/c", "/a/c/b", false),
      ("/**/a/**/b/c", "/a/b/x/b/c", true), ("/**/a/b/**", "/a/x/a/b", true),
    ])
  func backtracking(pattern: String, path: String, expected: Bool) throws {
    #expect(try PathPattern(pattern).matches(RawPath(path)) == expected)
  }

  @Test("component by component a pattern gets as far as at once: every short pattern over every short path")
  func progress() throws {
    let parts = ["a", "b", "ab", "*", "a*", "*b", "?", "**", "?*"]
    let names = ["a", "b", "ab", "ba", "aab"]
    func all(_ words: [String], _ most: Int) -> [String] {
      var found = [""]
      var last = [""]
      for _ in 0..<most {
        last = last.flatMap { head in words.map { "\(head)/\($0)" } }
        found += last
      }
      return found.map { $0.isEmpty ? "/" : $0 }
    }
    let paths = all(names, 4).map { RawPath($0) }
    var matches = 0
    for source in all(parts, 3) {
      let pattern = try PathPattern(source)
      for path in paths {
        let isMatch = pattern.matches(path)
        let steps = PathPattern.Progress(pattern).advanced(by: path.bytes)
        if isMatch != steps.isComplete { Issue.record("\(source) \(path)") }
        if isMatch {
          matches += 1
          // Whoever knows the last component alone, or nothing, must not leave it out.
          if !pattern.couldMatch(name: RawPath(Array(path.lastComponent))) { Issue.record("\(source) …\(path)") }
        }
      }
      #expect(pattern.couldMatch(name: RawPath([])))
    }
    #expect(matches > 10_000)
    #expect(try !PathPattern("/a/*.key").couldMatch(name: RawPath("x.csv")))
    #expect(try PathPattern("/a/*.key").couldMatch(name: RawPath("sub/x.key")))
  }

  @Test("a relative pattern matches relative paths only, unless it begins with any components")
  func anchoring() throws {
    #expect(try PathPattern("a/*").matches(RawPath("a/b")))
    #expect(try !PathPattern("a/*").matches(RawPath("/a/b")))
    #expect(try !PathPattern("/a/*").matches(RawPath("a/b")))
    #expect(try PathPattern("**/b").matches(RawPath("/a/b")))
    #expect(try PathPattern("**/b").matches(RawPath("a/b")))
    #expect(try PathPattern("**/b").matches(RawPath("b")))
  }

  @Test(
    "a named run is remembered, also where stars had to be retried",
    arguments: [
      ("/versions/{v}", "/versions/2.1.3", ["v": "2.1.3"]),
      ("/v{n}-{arch}.tar", "/v1-x64.tar", ["n": "1", "arch": "x64"]),
      ("/**/{pkg}/cli.js", "/node/claude/cli.js", ["pkg": "claude"]),
      ("/**/{a}/b/{c}", "/x/b/y/b/z", ["a": "y", "c": "z"]),
      ("/{a}-{b}", "/1-2-3", ["a": "1", "b": "2-3"]),
      ("/*{a}", "/xyz", ["a": "xyz"]),
      ("/plain", "/plain", [:]),
    ])
  func captures(pattern: String, path: String, expected: [String: String]) throws {
    let found = try #require(try PathPattern(pattern).captures(RawPath(path)))
    #expect(found == expected.mapValues { Array($0.utf8) })
  }

  @Test("no captures come from a path that does not match")
  func noCaptures() throws {
    #expect(try PathPattern("/{a}/b").captures(RawPath("/x/c")) == nil)
  }

  @Test("any byte but a slash can stand where a wildcard is", arguments: 0...255)
  func hostileBytes(value: Int) throws {
    let byte = UInt8(value)
    let path = RawPath([0x2f, byte])
    let isSlash = byte == UInt8(ascii: "/")
    for pattern in ["/?", "/*", "/{x}"] {
      #expect(try PathPattern(pattern).matches(path) == !isSlash)
    }
    #expect(try PathPattern("/**").matches(path))
    if !isSlash {
      #expect(try PathPattern("/a{x}b").captures(RawPath([0x2f, 0x61, byte, 0x62]))?["x"] == [byte])
    }
  }

  @Test("a path never acts as a pattern", arguments: ["/*", "/**", "/?", "/{a}", "/\\a", "/[a-z]"])
  func pathsAreLiteral(path: String) throws {
    #expect(try !PathPattern("/abc").matches(RawPath(path)))
  }

  @Test(
    "a malformed pattern is refused at the offending byte",
    arguments: [
      ("", .empty), ("/a\\", .unfinished(offset: 2)), ("/a\\/b", .unfinished(offset: 2)),
      ("/{a", .unfinished(offset: 1)), ("/x/{}", .unfinished(offset: 3)), ("/{a/b}", .unfinished(offset: 1)),
      ("/a**", .starsInsideComponent(offset: 2)), ("/b/**a", .starsInsideComponent(offset: 3)),
      ("***", .starsInsideComponent(offset: 0)), ("/**{a}", .starsInsideComponent(offset: 1)),
    ] as [(String, PathPattern.Malformed)])
  func malformed(pattern: String, reason: PathPattern.Malformed) {
    #expect(throws: reason) { try PathPattern(pattern) }
  }

  @Test("escaping every byte of a name makes a pattern of that name alone", arguments: 0..<100)
  func escapedLiteral(seed: Int) throws {
    var random = Random(seed: seed)
    let alphabet = Array("ab*?{}\\[]. é")
    let name = String((0..<8).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &random)] })
    let escaped = name.unicodeScalars.map { $0.isASCII ? "\\\($0)" : "\($0)" }.joined()
    let pattern = try PathPattern("/" + escaped)
    #expect(pattern.matches(RawPath("/" + name)))
    #expect(!pattern.matches(RawPath("/" + name + "x")))
    #expect(!pattern.matches(RawPath("/x" + name)))
  }

  @Test("a pattern agrees with the obvious recursive definition", arguments: 0..<300)
  func oracle(seed: Int) throws {
    var random = Random(seed: seed)
    func some(_ of: [String], _ upTo: Int) -> [String] {
      (0..<Int.random(in: 0...upTo, using: &random)).map { _ in
        of[Int.random(in: 0..<of.count, using: &random)]
      }
    }
    let pattern = some(["a", "b", "*", "**", "?", "a*"], 5)
    let path = some(["a", "b", "ab"], 6)
    let compiled = try PathPattern("/" + pattern.joined(separator: "/"))
    let expected = Self.agrees(pattern[...], path[...])
    #expect(compiled.matches(RawPath("/" + path.joined(separator: "/"))) == expected, "\(pattern) \(path)")
  }

  private static func agrees(_ pattern: ArraySlice<String>, _ path: ArraySlice<String>) -> Bool {
    guard let head = pattern.first else { return path.isEmpty }
    if head == "**" {
      return (path.startIndex...path.endIndex).contains { agrees(pattern.dropFirst(), path[$0...]) }
    }
    guard let part = path.first else { return false }
    let fits =
      switch head {
      case "*": true
      case "?": part.count == 1
      case "a*": part.first == "a"
      default: head == part
      }
    return fits && agrees(pattern.dropFirst(), path.dropFirst())
  }
}
