internal import MerkleLog
internal import Testing

struct SparseIndexTests {
  private struct Answers: Decodable {
    struct Key: Decodable {
      var path: HexBytes
      var `class`: String
      var data: HexBytes
      var key: Hash
      var value: Hash
      var leaf: Hash
    }
    struct Proof: Decodable {
      var name: String?
      var `class`: String
      var data: HexBytes
      var key: Hash
      var value: Hash?
      var bitmap: HexBytes
      var siblings: [Hash]
    }
    var payload: HexBytes
    var salt: HexBytes
    var hiding: HexBytes
    var salt_commit: Hash
    var scope: String
    var paths: [HexBytes]
    var keys: [Key]
    var index_root: Hash
    var empty_root: Hash
    var single_root: Hash
    var absent: [Proof]
    var present: [Proof]
    var rejects: [Proof]
  }

  private let answers: Answers
  private let keys: IndexKeys
  private let index: SparseIndex

  init() throws {
    let answers: Answers = try KnownAnswers.load("index")
    self.answers = answers
    keys = try #require(IndexKeys(salt: answers.salt.bytes))
    index = SparseIndex(answers.keys.map(\.key), hiding: answers.hiding.bytes)
  }

  private func key(_ letter: String, _ data: [UInt8]) throws -> Hash {
    let kind = try #require(letter.utf8.first.flatMap(IndexFact.Kind.init(rawValue:)))
    return keys.key(IndexFact(kind, data), scope: utf8(answers.scope))
  }

  @Test("keys, values and leaves are the known ones, and the salt's commitment")
  func derivation() throws {
    #expect(keys.commitment == answers.salt_commit)
    for each in answers.keys {
      #expect(try key(each.class, each.data.bytes) == each.key)
      let value = IndexKeys.value(each.key, hiding: answers.hiding.bytes, payload: answers.payload.bytes)
      #expect(value == each.value)
      #expect(IndexKeys.leaf(each.key, hiding: answers.hiding.bytes) == each.leaf)
    }
  }

  @Test("the facts of the known paths are the known keys, no more and no fewer")
  func facts() throws {
    let all = answers.paths.flatMap { IndexFact.facts(ofPath: $0.bytes) }
    let made = Set(all.map { keys.key($0, scope: utf8(answers.scope)) })
    #expect(made == Set(answers.keys.map(\.key)))
  }

  @Test("the root over the known keys, over one and over none")
  func roots() throws {
    #expect(index.root == answers.index_root)
    #expect(SparseIndex(answers.keys.reversed().map(\.key), hiding: answers.hiding.bytes).root == index.root)
    #expect(SparseIndex([], hiding: []).root == answers.empty_root)
    let single = try key("F", utf8("/etc/passwd"))
    #expect(SparseIndex([single], hiding: answers.hiding.bytes).root == answers.single_root)
  }

  @Test("the known proofs of absence are made and accepted")
  func absent() throws {
    for each in answers.absent {
      let key = try key(each.class, each.data.bytes)
      #expect(key == each.key)
      let proof = index.proof(of: key)
      #expect(proof.bitmap == each.bitmap.bytes)
      #expect(proof.siblings == each.siblings)
      #expect(proof.showsAbsence(of: key, root: index.root))
      #expect(!proof.showsPresence(of: key, leaf: answers.keys[0].leaf, root: index.root))
    }
  }

  @Test("the known proofs of presence are made and accepted, and show no absence")
  func present() throws {
    for each in answers.present {
      let key = try key(each.class, each.data.bytes)
      let proof = index.proof(of: key)
      #expect(proof.bitmap == each.bitmap.bytes)
      #expect(proof.siblings == each.siblings)
      let leaf = IndexKeys.leaf(key, value: try #require(each.value))
      #expect(index.leaf(at: key) == leaf)
      #expect(proof.showsPresence(of: key, leaf: leaf, root: index.root))
      #expect(!proof.showsAbsence(of: key, root: index.root))
    }
  }

  @Test("every known bad proof is refused")
  func rejects() throws {
    #expect(answers.rejects.count == 8)
    for each in answers.rejects {
      let proof = SparseProof(bitmap: each.bitmap.bytes, siblings: each.siblings)
      let key = try key(each.class, each.data.bytes)
      #expect(proof?.showsAbsence(of: key, root: index.root) != true, "\(each.name ?? "")")
    }
  }

  @Test("every key of an index of any size is present or absent, provably, and never both")
  func sizes() throws {
    for count in [1, 2, 3, 7, 64, 65, 257, 3000] {
      let facts = (0..<count).map { IndexFact(.file, utf8("/f/\($0)")) }
      let present = facts.map { keys.key($0, scope: utf8("agent")) }
      let index = SparseIndex(present, hiding: [1])
      let kept = try #require(SparseIndex(keys: index.keys, hiding: [1], keptTop: index.keptTop))
      for key in present.prefix(300) {
        let proof = kept.proof(of: key)
        #expect(proof.showsPresence(of: key, leaf: index.leaf(at: key), root: index.root))
        #expect(!proof.showsAbsence(of: key, root: index.root))
      }
      for number in 0..<100 {
        let key = keys.key(IndexFact(.file, utf8("/f/\(number)")), scope: utf8("session:x"))
        #expect(kept.proof(of: key).showsAbsence(of: key, root: index.root))
        #expect(!index.contains(key))
      }
      // Neighbours that share all bits but the last.
      var twin = present[0].bytes
      twin[31] ^= 1
      let key = try #require(Hash(twin))
      #expect(index.proof(of: key).showsAbsence(of: key, root: index.root))
    }
  }

  @Test("keys that share long prefixes make one tree, whatever their order")
  func prefixes() throws {
    var close: [Hash] = []
    for bit in [0, 1, 8, 60, 130, 254, 255] {
      var bytes = [UInt8](repeating: 0xAA, count: 32)
      bytes[bit >> 3] ^= 0x80 >> UInt8(bit & 7)
      close.append(try #require(Hash(bytes)))
    }
    let index = SparseIndex(close, hiding: [2])
    for key in close {
      #expect(index.proof(of: key).showsPresence(of: key, leaf: index.leaf(at: key), root: index.root))
    }
    let other = try #require(Hash([UInt8](repeating: 0xAA, count: 32)))
    #expect(index.proof(of: other).showsAbsence(of: other, root: index.root))
    #expect(index.proof(of: other).siblings.count == close.count)
  }

  @Test("hashes in a row are read as each would be")
  func list() {
    let hashes = (0..<40).map { Hash(of: [$0]) }
    let bytes = [7] + hashes.flatMap(\.bytes)
    #expect(Hash.list(bytes[1...]) == hashes)
    #expect(Hash.list(bytes[...]) == nil)
    #expect(Hash.list([]) == [])
  }

  @Test("a key counts once")
  func doubled() {
    let key = Hash(of: [1])
    let index = SparseIndex([key, key], hiding: [3])
    #expect(index.keys == [key])
    #expect(index.root == SparseIndex([key], hiding: [3]).root)
  }

  @Test("a kept top that is not one for the keys is refused")
  func keptTop() {
    #expect(SparseIndex(keys: index.keys, hiding: [], keptTop: Array(index.keptTop.dropLast())) == nil)
    #expect(SparseIndex(keys: index.keys.reversed(), hiding: [], keptTop: index.keptTop) == nil)
  }

  @Test("facts of the root, of a dot file and of a name that ends in a dot")
  func oddPaths() {
    #expect(IndexFact.facts(ofPath: utf8("/")) == [IndexFact(.file, utf8("/"))])
    let dot = IndexFact.facts(ofPath: utf8("/.env"))
    #expect(dot == [.init(.file, utf8("/.env")), .init(.directory, utf8("/")), .init(.base, utf8(".env"))])
    #expect(!IndexFact.facts(ofPath: utf8("/a/b.")).contains { $0.kind == .extension })
    #expect(IndexFact.facts(ofPath: utf8("/a/.b.c")).contains(.init(.extension, utf8("c"))))
    for kind in IndexFact.Kind.allCases { #expect(kind.denied.rawValue == kind.rawValue | 0x20) }
  }
}
