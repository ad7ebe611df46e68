internal import MerkleLog
internal import Testing

@testable internal import Certificates

struct RecordTests {
  /// A value of each form.
  private func value(_ form: LogRecord.Form) -> LogRecord.Value {
    switch form {
    case .number: .number(17)
    case .word: .word("a+b/c=")
    case .words: .words(["one", "two"])
    case .line: .line("not capturing")
    case .hash: .hash(Hash(of: [1]))
    case .anyHash: .anyHash(nil)
    case .bytes: .bytes([1, 2])
    }
  }

  @Test("every type of record is written and read back, and begins with its name", arguments: LogRecord.Kind.allCases)
  func roundTrip(kind: LogRecord.Kind) throws {
    let record = try #require(LogRecord(kind, kind.fields.map { value($0.form) }))
    #expect(String(decoding: record.text, as: UTF8.self).hasPrefix("alibi.v1/\(kind.rawValue)\n"))
    #expect(LogRecord(record.text) == record)
    #expect(record.leaf == Hash.leaf(record.text))
  }

  @Test("no record is read from a text that is cut, longer, out of order or spelled otherwise")
  func strict() throws {
    let record = try #require(GapRecord(from: 5, to: 70, source: "perf", reason: "lost records").record)
    let text = String(decoding: record.text, as: UTF8.self)
    #expect(text == "alibi.v1/gap\nfrom 5\nto 70\nsource perf\nreason lost records\n")
    for length in 0..<record.text.count { #expect(LogRecord(Array(record.text[..<length])) == nil) }
    for (from, to) in [
      ("from 5\nto 70", "to 70\nfrom 5"), ("from 5", "from 05"), ("from 5", "from  5"), ("from 5", "from +5"),
      ("perf", "pe rf"), ("perf", ""), ("lost", " lost"), ("records", "records "), ("records", "rec\trds"),
      ("records", "recörds"), ("gap", "gaps"), ("to 70", "to 70\nto 70"), ("records\n", "records\n\n"),
      ("to 70", "to 9223372036854775808"),
    ] {
      let changed = text.replacing(from, with: to)
      #expect(changed != text)
      #expect(LogRecord(Scene.utf8(changed)) == nil, "\(to)")
    }
  }

  @Test("a value that could not be read back is not written")
  func unwritable() {
    #expect(LogRecord(.gap, [.number(1), .number(2), .word("a b"), .line("x")]) == nil)
    #expect(LogRecord(.gap, [.number(1), .number(2), .word("a"), .line("x\ny")]) == nil)
    #expect(LogRecord(.gap, [.number(.max), .number(2), .word("a"), .line("x")]) == nil)
    #expect(LogRecord(.gap, [.number(1), .number(2), .word("a")]) == nil)
    #expect(LogRecord(.gap, [.number(1), .number(2), .line("a"), .line("x")]) == nil)
    #expect(LogRecord(.erasure, [.number(1), .words(["-"]), .number(1), .number(1), .word("x"), .hash(.zero)]) == nil)
    #expect(GapRecord(from: 5, to: 4, source: "a", reason: "b").record.flatMap(GapRecord.init) == nil)
  }

  @Test("an empty list is a hyphen, and is read as empty")
  func emptyList() throws {
    let record = try #require(
      LogRecord(.erasure, [.number(0), .words([]), .number(1), .number(1), .word("x"), .hash(.zero)]))
    #expect(String(decoding: record.text, as: UTF8.self).contains("\nkinds -\n"))
    #expect(LogRecord(record.text)?.values[1] == .words([]))
  }

  @Test("typed records are read back as they were written")
  func typed() throws {
    let scene = try Scene()
    for each in scene.sealed {
      let text = try #require(each.record.record).text
      #expect(LogRecord(text).flatMap(EpochRecord.init) == each.record)
    }
    let genesis = try #require(LogRecord(scene.authority[0]).flatMap(GenesisRecord.init))
    #expect(genesis.logKey == scene.logKey.verifier)
    #expect(LogRecord(scene.authority[0]).flatMap(EpochRecord.init) == nil)
  }

  @Test("the measure of gaps counts a moment once, and only within the stretch")
  func measure() {
    func gap(_ from: UInt64, _ to: UInt64) -> GapRecord { GapRecord(from: from, to: to, source: "s", reason: "r") }
    #expect(GapRecord.measure([], from: 0, to: 10) == 0)
    #expect(GapRecord.measure([gap(2, 5), gap(4, 6), gap(4, 5), gap(8, 20)], from: 3, to: 10) == 5)
    #expect(GapRecord.measure([gap(20, 30), gap(0, 1)], from: 3, to: 10) == 0)
    #expect(GapRecord.measure([gap(0, 50), gap(5, 6)], from: 3, to: 10) == 7)
  }

  @Test("seconds have nine digits behind the point")
  func seconds() {
    #expect(CertificateText.seconds(1_000_000_001) == "1.000000001")
    #expect(CertificateText.nanoseconds("1.000000001") == 1_000_000_001)
    for bad in ["1", "1.0", "01.000000000", ".000000000", "1.+00000000", "9000000000.000000000", "-1.000000000"] {
      #expect(CertificateText.nanoseconds(bad) == nil, "\(bad)")
    }
  }

  @Test("a token that openssl ts made is read: what it stamps, and when")
  func timestampToken() throws {
    let token =
      "MIIB0QYJKoZIhvcNAQcCoIIBwjCCAb4CAQMxDzANBglghkgBZQMEAgEFADByBgsqhkiG9w0BCRABBKBjBGEwXwIBAQYDKgMEMDEw"
      + "DQYJYIZIAWUDBAIBBQAEIEVxUu/Eki9kL8oyuAK0FCImfc+rGV/s21tnCLzdG/bwAgECGA8yMDI2MTEyMTExNTkwMlowAwIBAQIJ"
      + "AJ2xDnTLrT0lMYIBMjCCAS4CAQEwKzATMREwDwYDVQQDDAh0ZXN0IHRzYQIUMdZKazNSIeQheOIoK+8Etqd7D2UwDQYJYIZIAWUD"
      + "BAIBBQCggZgwGgYJKoZIhvcNAQkDMQ0GCyqGSIb3DQEJEAEEMBwGCSqGSIb3DQEJBTEPFw0yNjExMjExMTU5MDJaMCsGCyqGSIb3"
      + "DQEJEAIMMRwwGjAYMBYEFF2pI2HiI3eXb5/Lv3GC+jAc8kAqMC8GCSqGSIb3DQEJBDEiBCAxAxF6Pj0ag8rRcuo/dc5RJNbAAfGi"
      + "X8lpGZ26rC+hiDAKBggqhkjOPQQDAgRGMEQCIH/GqAJIIZJ5Vq/TWAgwmvYXPIlnqL6sXleDUwMFWVI3AiAap89fF0sLBRnjs7Gf"
      + "EmcpSvWhREX3mERQF9nlI4T4qA=="
    let checkpoint = "alibi/test\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    let bytes = try #require(Base64.decode(token.utf8))
    let digest = Hash(of: Scene.utf8(checkpoint))
    let read = try #require(TimestampToken(bytes))
    #expect(read.digest == digest)
    #expect(StampedTime(bytes, over: digest)?.seconds == read.seconds)
    #expect(StampedTime(bytes, over: Hash(of: [])) == nil)
    for cut in bytes.indices { #expect(StampedTime(Array(bytes[..<cut]), over: digest) == nil) }
    // 2026-11-21T11:59:02Z
    #expect(read.seconds == 1_795_262_342)
  }

  @Test("the names of an epoch are opened completely, for paths that are there and that are not")
  func names() throws {
    let keys = try #require(IndexKeys(salt: [UInt8](repeating: 5, count: 32)))
    let paths = ["/", "/a", "/a/b", "/a/b/c", "/a/d", "/b", "/b", "/c/x"]
    let history = try NameHistory(
      paths.enumerated().map {
        .init(path: Scene.utf8($1), identity: Scene.identity(UInt64($0)), from: UInt64($0), to: 100)
      }, keys: keys, hiding: [1])
    let root = try history.root
    for path in Set(paths + ["/a/b/d", "/zz", "/a/b/c/d", "/nothing/here"]) {
      let opening = try history.opening(of: Scene.utf8(path))
      #expect(opening.bindings.count == paths.count { $0 == path })
      #expect(opening.isComplete(path: Scene.utf8(path), keys: keys, size: history.count, root: root))
      #expect(!opening.isComplete(path: Scene.utf8("/b/x"), keys: keys, size: history.count, root: root))
      #expect(!opening.isComplete(path: Scene.utf8(path), keys: keys, size: history.count + 1, root: root))
    }
    let empty = try NameHistory([], keys: keys, hiding: [1])
    let opening = try empty.opening(of: Scene.utf8("/a"))
    #expect(opening.isComplete(path: Scene.utf8("/a"), keys: keys, size: 0, root: try empty.root))
    #expect(!opening.isComplete(path: Scene.utf8("/a"), keys: keys, size: 0, root: root))
  }
}

struct JsonTests {
  @Test("what the evidence file uses is read, and written without white space")
  func accepts() throws {
    let text = "{\"a\":[1,0,\"x\\n\\\"\\\\é\"],\"b\":{},\"c\":[]}"
    let spaced = text.replacing(",", with: " ,\n\t").replacing(":", with: " : ") + "\r\n "
    for source in [text, spaced] {
      var out: [UInt8] = []
      try #require(Json(Scene.utf8(source))).write(to: &out)
      #expect(out == Scene.utf8(text))
    }
  }

  @Test(
    "everything else is refused",
    arguments: [
      "", " ", "{", "[", "\"", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "[1 2]", "[01]", "[-1]", "[1.0]", "[1e3]",
      "[9223372036854775808]", "[99999999999999999999]", "[true]", "[null]", "[NaN]", "[\"\\u0041\"]", "[\"\\/\"]",
      "[\"\\t\"]", "[\"\t\"]", "[\"\n\"]", "[1]]", "[1] x", "{\"a\":1,\"a\":2}", "{\"a\":1,\"b\":2,\"a\":1}",
      "[[[[[[[[[1]]]]]]]]]", "[1]\0", "\u{FEFF}[1]", "[\"\\", "'a'", "[/**/1]",
    ])
  func refuses(text: String) {
    #expect(Json(Scene.utf8(text)) == nil)
  }

  @Test("bytes that are not UTF-8 are refused, and eight levels are enough")
  func bounds() {
    #expect(Json([0x22, 0xFF, 0x22]) == nil)
    #expect(Json([0x22, 0xED, 0xA0, 0x80, 0x22]) == nil)
    #expect(Json(Scene.utf8("[[[[[[[[1]]]]]]]]")) != nil)
    #expect(Json([UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)) == nil)
  }

  @Test("an evidence file with a key too many, too few, doubled or out of order is refused")
  func evidence() throws {
    let bundle = try Scene().build(Scene.request())
    #expect(EvidenceFile(bundle.evidence)?.bytes == bundle.evidence)
    let text = String(decoding: bundle.evidence, as: UTF8.self)
    for (from, to) in [
      ("\"anchors\":", "\"anchor\":"), ("\"salt\":", "\"x\":1,\"salt\":"), ("\"index\":0,", ""),
      ("\"index\":0,", "\"index\":0,\"index\":0,"), ("alibi.v1/evidence", "alibi.v2/evidence"),
      ("\"bitmap\":\"", "\"bitmap\":\"AAA"), ("\"siblings\":[\"", "\"siblings\":[\"AAAA\",\""),
      ("\"format\":\"alibi.v1/evidence\",", "\"format\":true,"),
      ("\"names\":[", "\"names\":[1,"), ("\"session\":[]", "\"session\":[{}]"), ("witness\",", "notary\","),
    ] {
      let changed = text.replacing(from, with: to)
      #expect(changed != text)
      #expect(EvidenceFile(Scene.utf8(changed)) == nil, "\(to)")
    }
    // The first two members in the other order.
    let second = try #require(text.firstMatch(of: /"checkpoint":"[^"]*",/)).output
    let swapped = text.replacing(second, with: "", maxReplacements: 1)
      .replacing("{\"format\"", with: "{\(second)\"format\"", maxReplacements: 1)
    #expect(swapped.utf8.count == text.utf8.count && EvidenceFile(Scene.utf8(swapped)) == nil)
    for more in ["x", "{}", "\0", ","] { #expect(EvidenceFile(bundle.evidence + Scene.utf8(more)) == nil) }
  }
}
