internal import MerkleLog
internal import Testing

struct NoteTests {
  private struct Notes: Decodable {
    struct Accepted: Decodable {
      var text: String
      var vkey: String
      var skey: String?
      var note: String
    }
    struct Rejected: Decodable {
      var name: String
      var note: String
      var vkey: String
    }
    var accepts: [Accepted]
    var rejects: [Rejected]
  }

  private struct Checkpoints: Decodable {
    struct Cosignature: Decodable {
      var seed: HexBytes
      var vkey: String
      var time: UInt64
      var text: String
      var line: String
    }
    var skey: String
    var vkey: String
    var entries: [String]
    struct Tree: Decodable {
      var root: String
      var tile_0_000_sha256: Hash
      var tile_0_001_p44_sha256: Hash
      var tile_1_000_p1: Hash
    }
    var checkpoints: [String]
    var cosignature: Cosignature
    var tree_300: Tree
  }

  /// Reads Go's `PRIVATE+KEY+name+id+base64(type ‖ seed)`.
  private func signingKey(_ text: String) throws -> SigningKey {
    let parts = text.split(separator: "+", maxSplits: 4).map(String.init)
    let seed = try #require(Base64.decode(parts[4].utf8))
    return try #require(SigningKey(name: utf8(parts[2]), seed: Array(seed.dropFirst())))
  }

  @Test("the published tree of 300 records has its root and its tiles")
  func tiles() throws {
    let answer = (try KnownAnswers.load("checkpoint") as Checkpoints).tree_300
    var log = try Log(MemoryHashStore())
    for number in 0..<300 { try log.append(record: utf8("record \(number)")) }
    #expect(try log.root().base64 == answer.root)
    let tiles = try Dictionary(
      uniqueKeysWithValues: Tile.added(new: 300).map { ($0.path, try $0.hashes(from: log.store)) })
    #expect(tiles.count == 3)
    #expect(Hash(of: try #require(tiles["tile/0/000"])) == answer.tile_0_000_sha256)
    #expect(Hash(of: try #require(tiles["tile/0/001.p/44"])) == answer.tile_0_001_p44_sha256)
    #expect(tiles["tile/1/000.p/1"] == answer.tile_1_000_p1.bytes)
  }

  @Test("the published notes are accepted, and signed again byte by byte")
  func accepts() throws {
    let notes: Notes = try KnownAnswers.load("note")
    for each in notes.accepts {
      let key = try #require(VerifierKey(each.vkey.utf8))
      #expect(key.text == each.vkey)
      let note = try #require(SignedNote(utf8(each.note)))
      #expect(note.text == utf8(each.text))
      #expect(note.signers(among: [key]) == [key])
      if let secret = each.skey {
        let signer = try signingKey(secret)
        #expect(signer.verifier == key)
        #expect(try SignedNote.sign(note.text, with: [signer]) == utf8(each.note))
      }
    }
  }

  @Test("every known bad note is refused")
  func rejects() throws {
    let notes: Notes = try KnownAnswers.load("note")
    #expect(notes.rejects.count == 8)
    for each in notes.rejects {
      let key = try #require(VerifierKey(each.vkey.utf8))
      #expect(SignedNote(utf8(each.note))?.signers(among: [key]) == nil, "\(each.name)")
    }
  }

  @Test("no published note survives the change of one byte, or its loss")
  func mutations() throws {
    let notes: Notes = try KnownAnswers.load("note")
    for each in notes.accepts {
      let key = try #require(VerifierKey(each.vkey.utf8))
      for at in 0..<each.note.utf8.count {
        var bytes = utf8(each.note)
        bytes[at] ^= 1
        #expect(SignedNote(bytes)?.signers(among: [key]) == nil)
        bytes.remove(at: at)
        #expect(SignedNote(bytes)?.signers(among: [key]) == nil)
      }
    }
  }

  @Test("an unknown signer beside a known one is ignored; a second, wrong line of the known one is not")
  func mixed() throws {
    let first = try #require(SigningKey(name: utf8("a"), seed: [UInt8](repeating: 1, count: 32)))
    let second = try #require(SigningKey(name: utf8("b"), seed: [UInt8](repeating: 2, count: 32)))
    let bytes = try SignedNote.sign(utf8("text\n\nwith an empty line\n"), with: [first, second])
    let note = try #require(SignedNote(bytes))
    #expect(note.text == utf8("text\n\nwith an empty line\n"))
    #expect(note.signers(among: [first.verifier]) == [first.verifier])
    #expect(note.signers(among: [first.verifier, second.verifier])?.count == 2)
    let wrong = try bytes + first.line(signing: utf8("other\n"))
    #expect(SignedNote(wrong)?.signers(among: [first.verifier]) == nil)
    #expect(SignedNote(wrong)?.signers(among: [second.verifier]) == [second.verifier])
  }

  @Test(
    "a verifier key is read in its one spelling only",
    arguments: [
      "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
      "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
      "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10T",
      "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
      "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "PeterNeumann", "",
    ])
  func badKey(text: String) {
    #expect(VerifierKey(text.utf8) == nil)
  }

  @Test("the published checkpoints follow from the published records, signature included")
  func checkpoints() throws {
    let answers: Checkpoints = try KnownAnswers.load("checkpoint")
    let key = try signingKey(answers.skey)
    #expect(key.verifier.text == answers.vkey)
    var log = try Log(MemoryHashStore())
    for record in answers.entries { try log.append(record: utf8(record)) }
    #expect(answers.checkpoints.count == 16)
    for (size, published) in answers.checkpoints.enumerated() {
      let root = try log.root(size: UInt64(size))
      let head = try #require(Checkpoint(origin: key.verifier.name, size: UInt64(size), root: root))
      #expect(try SignedNote.sign(head.text, with: [key]) == utf8(published))
      let note = try #require(SignedNote(utf8(published)))
      #expect(Checkpoint(note.text) == head)
      #expect(note.signers(among: [key.verifier]) == [key.verifier])
    }
  }

  @Test(
    "a checkpoint has three lines, a number and a hash",
    arguments: [
      "o\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nmore\n",
      "o\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
      "o\n01\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
      "o\n-1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
      "o\n9223372036854775808\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
      "o\n99999999999999999999\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n",
      "o\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n", "o\n1\nAAAA\n",
      "\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", "o\n1\n", "",
    ])
  func badCheckpoint(text: String) {
    #expect(Checkpoint(utf8(text)) == nil)
  }

  @Test("the published cosignature is made and accepted; under another type of key or another time it is not")
  func cosignature() throws {
    let answer: Checkpoints.Cosignature = (try KnownAnswers.load("checkpoint") as Checkpoints).cosignature
    let name = utf8("witness.example.org")
    let witness = try #require(SigningKey(name: name, kind: .cosignature, seed: answer.seed.bytes))
    #expect(witness.verifier.text == answer.vkey)
    #expect(VerifierKey(answer.vkey.utf8) == witness.verifier)
    let text = utf8(answer.text)
    #expect(try witness.line(signing: text, at: answer.time) == utf8(answer.line))
    let note = try #require(SignedNote(text + [10] + utf8(answer.line)))
    #expect(note.signers(among: [witness.verifier]) == [witness.verifier])
    #expect(note.cosignatureTime(of: witness.verifier) == answer.time)

    let plain = try #require(SigningKey(name: name, kind: .note, seed: answer.seed.bytes))
    #expect(plain.verifier.id != witness.verifier.id)
    #expect(note.signers(among: [plain.verifier]) == nil)
    let typeOne = try SignedNote.sign(text, with: [plain])
    #expect(SignedNote(typeOne)?.cosignatureTime(of: witness.verifier) == nil)

    var payload = try #require(Base64.decode(answer.line.dropLast().split(separator: " ")[2].utf8))
    payload[11] ^= 1
    let later = utf8("— witness.example.org \(Base64.encode(payload))\n")
    #expect(SignedNote(text + [10] + later)?.signers(among: [witness.verifier]) == nil)
  }
}
