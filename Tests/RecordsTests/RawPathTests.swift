import Records
import Testing

struct RawPathTests {
  @Test(
    "a path splits at its last slash",
    arguments: [
      ("/a/b", "/a", "b"), ("/a", "/", "a"), ("/", nil, ""), ("a", nil, "a"), ("", nil, ""),
      ("a/b", "a", "b"),
      ("/a/", "/a", ""), ("//", "/", ""), ("/a//b", "/a/", "b"), ("./x", ".", "x"),
    ] as [(String, String?, String)])
  func split(path: String, parent: String?, last: String) {
    #expect(RawPath(path).parent == parent.map { RawPath($0) })
    #expect(Array(RawPath(path).lastComponent) == Array(last.utf8))
  }

  @Test(
    "walking up from any absolute path ends at the root", arguments: ["/a/b/c", "/", "//x", "/a/", "/a//b"])
  func walkUp(path: String) {
    var at = RawPath(path)
    for _ in 0...path.utf8.count {
      guard let up = at.parent else { break }
      #expect(up.bytes.count < at.bytes.count)
      at = up
    }
    #expect(at == RawPath("/"))
  }

  @Test(
    "an entry's name is put behind one slash",
    arguments: [("/a", "b", "/a/b"), ("/", "b", "/b"), ("/a/", "b", "/a/b"), ("rel", "b", "rel/b")])
  func appending(directory: String, name: String, whole: String) {
    let joined = RawPath(directory).appending(Array(name.utf8))
    #expect(joined == RawPath(whole))
    #expect(Array(joined.lastComponent) == Array(name.utf8))
  }

  @Test("appending keeps a name that is no UTF-8")
  func appendingRawBytes() {
    let name: [UInt8] = [0xff, 0x0a, 0xc3]
    #expect(RawPath("/d").appending(name).bytes == Array("/d/".utf8) + name)
    #expect(RawPath("/d").appending(name).parent == RawPath("/d"))
  }

  @Test(
    "a directory holds itself and what is beneath it",
    arguments: [
      ("/a", "/a"), ("/a/b", "/a"), ("/a/b/c", "/a"), ("/a/", "/a"), ("/a", "/"), ("/", "/"), ("/a//b", "/a"),
      ("rel/x", "rel"),
    ])
  func beneath(path: String, directory: String) {
    #expect(RawPath(path).isAtOrBeneath(RawPath(directory)))
  }

  @Test(
    "a neighbour whose name begins alike is not beneath",
    arguments: [
      ("/ab", "/a"), ("/a", "/ab"), ("/a", "/a/b"), ("/", "/a"), ("a/b", "/a"), ("a", "/"), ("", "/"),
      ("/x/a", "/a"), ("/a.d/b", "/a"), ("/A/b", "/a"), ("relx", "rel"),
    ])
  func notBeneath(path: String, directory: String) {
    #expect(!RawPath(path).isAtOrBeneath(RawPath(directory)))
  }

  @Test(
    "what people type is normalised by text alone",
    arguments: [
      ("/a//b", "/a/b"), ("/a/./b", "/a/b"), ("/a/../b", "/b"), ("/..", "/"), ("/../../x", "/x"), ("/", "/"),
      ("///", "/"), ("/a/", "/a"), ("/a/..", "/"), ("/.../b", "/.../b"), ("/..a/.b", "/..a/.b"),
    ])
  func normal(typed: String, normal: String) throws {
    let once = try #require(RawPath(typed).lexicallyNormal)
    #expect(once == RawPath(normal))
    #expect(once.lexicallyNormal == once)
  }

  @Test(
    "what is not absolute, or holds a NUL, has no normal form", arguments: ["", "a", "./a", "../a", "/a\0b"])
  func noNormal(typed: String) {
    #expect(RawPath(typed).lexicallyNormal == nil)
  }

  @Test("paths are ordered byte by byte, not by locale")
  func order() {
    let sorted = ["", "/", "/A", "/a", "/a/b", "/ab", "/é"].map { RawPath($0) }
    #expect(sorted.shuffled().sorted() == sorted)
    #expect(RawPath("/a/b") < RawPath([0x2f, 0xff]))
  }

  @Test("two spellings that Unicode calls equal are two paths")
  func noUnicodeEquivalence() {
    #expect("e\u{301}" == "\u{e9}")
    #expect(RawPath("/e\u{301}") != RawPath("/\u{e9}"))
    #expect(RawPath([0x2f, 0xff]) != RawPath([0x2f, 0xfe]))
  }
}
