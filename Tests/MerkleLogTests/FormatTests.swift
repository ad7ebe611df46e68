internal import MerkleLog
internal import Testing

struct FormatTests {
  private struct Events: Decodable {
    struct Entry: Decodable {
      var kind: UInt8
      var id: UInt64
      var opening: HexBytes
      var value: HexBytes
      var encoded: HexBytes
      var leaf_hash: Hash
    }
    struct Event: Decodable {
      var seq: UInt64
      var t0: UInt64
      var t1: UInt64
      var ops: UInt32
      var errno: UInt32
      var count: UInt32
      var process: UInt64
      var file: UInt64
      var encoded: HexBytes
      var leaf_hash: Hash
    }
    var entries: [Entry]
    var events: [Event]
    var seal_root: Hash
    var empty_seal_root: Hash
  }

  @Test("entries, events and the root of a seal are the known ones, in whatever order they come")
  func commitments() throws {
    let answers: Events = try KnownAnswers.load("event")
    let entries = try answers.entries.map { each in
      let entry = try #require(
        EntryCommitment(kind: each.kind, id: each.id, value: each.value.bytes, opening: each.opening.bytes))
      #expect(entry.encoded == each.encoded.bytes)
      #expect(Hash.leaf(entry.encoded) == each.leaf_hash)
      return entry
    }
    let events = answers.events.map { each in
      let event = CommittedEvent(
        sequence: each.seq, earliest: each.t0, latest: each.t1, operations: each.ops, errorNumber: each.errno,
        count: each.count, process: each.process, file: each.file)
      #expect(event.encoded == each.encoded.bytes)
      #expect(Hash.leaf(event.encoded) == each.leaf_hash)
      return event
    }
    #expect(SealRoot.root(entries: entries.reversed(), events: events.reversed()) == answers.seal_root)
    #expect(SealRoot.root(entries: [], events: []) == answers.empty_seal_root)
    #expect(EntryCommitment(kind: 1, id: 1, value: [], opening: [1]) == nil)
  }

  @Test("base64 is what RFC 4648 lists, and is read in no other spelling")
  func base64() {
    let listed = ["": "", "f": "Zg==", "fo": "Zm8=", "foo": "Zm9v", "foob": "Zm9vYg==", "foobar": "Zm9vYmFy"]
    for (plain, encoded) in listed {
      #expect(Base64.encode(utf8(plain)) == encoded)
      #expect(Base64.decode(encoded.utf8) == utf8(plain))
    }
    for bad in ["Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm 9", "Zm-_", "=Zg="] {
      #expect(Base64.decode(bad.utf8) == nil, "\(bad)")
    }
    let all = (0...255).map { UInt8($0) }
    #expect(Base64.decode(Base64.encode(all).utf8) == all)
    #expect(Hex.decode(Hex.encode(all).utf8) == all)
    for bad in ["a", "0G", "AA"] { #expect(Hex.decode(bad.utf8) == nil) }
  }

  @Test("a decimal number has one spelling")
  func decimal() {
    #expect(Decimal.parse("0".utf8) == 0)
    #expect(Decimal.parse("8999999999999999999".utf8) == Decimal.limit - 1)
    for bad in [
      "", "00", "01", "+1", "-1", "1 ", "9000000000000000000", "9223372036854775807", "18446744073709551616", "١",
    ] {
      #expect(Decimal.parse(bad.utf8) == nil, "\(bad)")
    }
  }

  @Test("tiles have the paths that C2SP's examples have")
  func tilePaths() {
    #expect(Tile(level: 0, index: 1_234_067, width: 256).path == "tile/0/x001/x234/067")
    #expect(Tile(level: 3, index: 0, width: 7).path == "tile/3/000.p/7")
    #expect(Tile(level: 0, index: 1000, width: 256).entriesPath == "tile/entries/x001/000")
    let tiles = Tile.added(new: 70_000)
    #expect(tiles.filter { $0.level == 0 && $0.width == 256 }.count == 273)
    #expect(tiles.filter { $0.width < 256 }.map(\.path) == ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"])
    #expect(Tile.added(new: 256).map(\.path) == ["tile/0/000", "tile/1/000.p/1"])
    #expect(Tile.added(old: 256, new: 257).map(\.path) == ["tile/0/001.p/1"])
    #expect(Tile.added(old: 5, new: 5).isEmpty)
    #expect(Tile.added(new: 0).isEmpty)
  }

  @Test("the tiles of a tree of 300 leaves hold its leaves and the root of the first 256")
  func tiles() throws {
    let leaves = (0..<300).map { Hash.leaf(utf8("leaf \($0)")) }
    var log = try Log(MemoryHashStore())
    for leaf in leaves { try log.append(leaf: leaf) }
    #expect(try log.root() == LogCheck.root(of: leaves))
    let contents = try Dictionary(
      uniqueKeysWithValues: Tile.added(new: 300).map { ($0.path, try $0.hashes(from: log.store)) })
    #expect(Set(contents.keys) == ["tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"])
    #expect(contents["tile/0/000"] == leaves[..<256].flatMap(\.bytes))
    #expect(contents["tile/0/001.p/44"] == leaves[256...].flatMap(\.bytes))
    #expect(contents["tile/1/000.p/1"] == LogCheck.root(of: Array(leaves[..<256])).bytes)
  }

  @Test("an entry bundle is read back, and no byte too many or too few")
  func bundles() throws {
    let records = [utf8("one"), [], utf8("three")]
    let bundle = try #require(Tile.bundle(records))
    #expect(bundle == [0, 3] + utf8("one") + [0, 0, 0, 5] + utf8("three"))
    #expect(Tile.records(ofBundle: bundle) == records)
    for length in 1..<bundle.count where ![5, 7].contains(length) {
      #expect(Tile.records(ofBundle: Array(bundle[..<length])) == nil)
    }
    #expect(Tile.bundle([[UInt8](repeating: 0, count: 65_536)]) == nil)
  }

  @Test("a proof file is as C2SP writes it, is read back, and proves its record only")
  func proofFile() throws {
    let key = try #require(SigningKey(name: utf8("example.com/log"), seed: [UInt8](repeating: 3, count: 32)))
    var log = try Log(MemoryHashStore())
    for leaf in 0..<11 { try log.append(record: [UInt8(leaf)]) }
    let head = try #require(Checkpoint(origin: key.verifier.name, size: 11, root: try log.root()))
    let note = try SignedNote.sign(head.text, with: [key])
    let hashes = try log.inclusionProof(index: 8, size: 11)
    for extra in [nil, [], utf8("more")] as [[UInt8]?] {
      let proof = LogProof(extra: extra, index: 8, hashes: hashes, checkpoint: note)
      let text = String(decoding: proof.bytes, as: UTF8.self)
      let line = extra.map { "extra \(Base64.encode($0))\n" } ?? ""
      let begin = "c2sp.org/tlog-proof@v1\n\(line)index 8\n\(hashes[0].base64)\n"
      #expect(text.hasPrefix(begin))
      #expect(text.contains("\n\nexample.com/log\n11\n"))
      #expect(LogProof(proof.bytes) == proof)
      #expect(proof.proves(record: [8], origin: head.origin, keys: [key.verifier]))
      #expect(!proof.proves(record: [7], origin: head.origin, keys: [key.verifier]))
      #expect(!proof.proves(record: [8], origin: utf8("example.com/other"), keys: [key.verifier]))
    }
    let whole = LogProof(index: 8, hashes: hashes, checkpoint: note).bytes
    for at in whole.indices {
      var bytes = whole
      bytes[at] ^= 1
      #expect(LogProof(bytes)?.proves(record: [8], origin: head.origin, keys: [key.verifier]) != true)
    }
    for bad in ["c2sp.org/tlog-proof@v1\nindex 08\n\n", "c2sp.org/tlog-proof@v2\nindex 0\n\n", "", "\n\n"] {
      #expect(LogProof(utf8(bad)) == nil)
    }
  }
}
