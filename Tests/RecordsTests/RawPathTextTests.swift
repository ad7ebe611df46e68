import Records
import Testing

struct RawPathTextTests {
  @Test(
    "plain names are printed as they are",
    arguments: ["/a b", "/größe", "/日本語", "/🙂", "/e\u{301}", "/-rf", "/\"quoted\" 'name'", ""])
  func plain(name: String) {
    #expect(RawPath(name).description == name)
  }

  @Test(
    "what could move a cursor or imitate another name is escaped",
    arguments: [
      ("/a\nb", "/a\\x0ab"), ("/\u{1b}[2J", "/\\x1b[2J"), ("/\u{7f}", "/\\x7f"), ("/a\\b", "/a\\x5cb"),
      ("/\\x0a", "/\\x5cx0a"), ("/\u{202e}gpj", "/\\xe2\\x80\\xaegpj"), ("/\u{2066}", "/\\xe2\\x81\\xa6"),
      ("/\u{200b}", "/\\xe2\\x80\\x8b"), ("/\u{a0}", "/\\xc2\\xa0"), ("/\u{85}", "/\\xc2\\x85"),
      ("/\u{2028}", "/\\xe2\\x80\\xa8"), ("/\u{e000}", "/\\xee\\x80\\x80"), ("/\u{feff}", "/\\xef\\xbb\\xbf"),
      ("/\t\r\0", "/\\x09\\x0d\\x00"),
    ])
  func hostile(name: String, printed: String) {
    #expect(RawPath(name).description == printed)
  }

  @Test(
    "invalid UTF-8 is escaped byte by byte, and what follows is not swallowed",
    arguments: [
      ([0xff], "\\xff"), ([0xc3, 0x41], "\\xc3A"), ([0x80, 0x80], "\\x80\\x80"),
      ([0xc0, 0xaf], "\\xc0\\xaf"), ([0xed, 0xa0, 0x80], "\\xed\\xa0\\x80"), ([0xe2, 0x82], "\\xe2\\x82"),
      ([0xf4, 0x90, 0x80, 0x80], "\\xf4\\x90\\x80\\x80"), ([0xe2, 0x82, 0x2f, 0x78], "\\xe2\\x82/x"),
      ([0xf0, 0x9f, 0x99, 0xc3, 0xa9], "\\xf0\\x9f\\x99é"),
    ] as [([UInt8], String)])
  func invalid(bytes: [UInt8], printed: String) {
    #expect(RawPath(bytes).description == printed)
  }

  @Test("every byte survives being printed and read back, alone and among letters", arguments: 0...255)
  func everyByte(value: Int) {
    let byte = UInt8(value)
    for bytes in [[byte], [0x2f, byte, 0x62], [0xc3, byte], [0xe2, 0x80, byte], [byte, 0xa9, byte]] {
      #expect(RawPath(escaped: RawPath(bytes).description)?.bytes == bytes)
    }
  }

  @Test("any byte string survives being printed and read back, and is printed harmlessly", arguments: 0..<200)
  func anyBytes(seed: Int) {
    var random = Random(seed: seed)
    let bytes = random.bytes(upTo: 300)
    let text = RawPath(bytes).description
    #expect(RawPath(escaped: text)?.bytes == bytes)
    #expect(text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f })
  }

  @Test("two names are never printed alike")
  func injective() {
    var random = Random(seed: 7)
    var seen: [[UInt8]: RawPath] = [:]
    for _ in 0..<2000 {
      let path = RawPath(random.bytes(upTo: 3))
      let text = Array(path.description.utf8)
      #expect(seen[text] == nil || seen[text] == path)
      seen[text] = path
    }
  }

  @Test(
    "a malformed escape is refused, not guessed",
    arguments: [
      "\\", "a\\", "\\x", "\\x1", "\\n", "\\xg0", "\\x0g", "\\X41", "\\\\", "/a\\x4", "\\x-1", "\\x +",
    ])
  func malformed(text: String) {
    #expect(RawPath(escaped: text) == nil)
  }

  @Test("escapes are read in either case, and anything else is itself")
  func lenient() {
    #expect(RawPath(escaped: "/\\xFF\\xfe\n")?.bytes == [0x2f, 0xff, 0xfe, 0x0a])
    #expect(RawPath(escaped: "\\x41x41")?.bytes == Array("Ax41".utf8))
    #expect(RawPath(escaped: "")?.bytes == [])
  }
}
