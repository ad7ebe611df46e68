internal import MerkleLog
internal import Testing

struct LogTests {
  private struct Answers: Decodable {
    struct Inclusion: Decodable {
      var name: String?
      var index: UInt64
      var size: UInt64
      var leaf: Hash
      var proof: [Hash]
      var root: Hash
    }
    struct Consistency: Decodable {
      var name: String?
      var old: UInt64
      var new: UInt64
      var proof: [Hash]
      var old_root: Hash
      var new_root: Hash
    }
    var leaf_empty: Hash
    var leaf_L123456: Hash
    var node_N123_N456: Hash
    var data: [HexBytes]
    var roots: [Hash]
    var inclusion: [Inclusion]
    var consistency: [Consistency]
    var inclusion_rejects: [Inclusion]
    var consistency_rejects: [Consistency]
  }

  private let answers: Answers
  private let log: Log<MemoryHashStore>

  init() throws {
    answers = try KnownAnswers.load("tree")
    var log = try Log(MemoryHashStore())
    for record in answers.data { try log.append(record: record.bytes) }
    self.log = log
  }

  @Test("leaf and node hashes are those published with RFC 6962's test code")
  func hashes() throws {
    #expect(Hash.leaf([]) == answers.leaf_empty)
    #expect(Hash.leaf(utf8("L123456")) == answers.leaf_L123456)
    // The published node is over two strings that are no hashes.
    #expect(Hash(of: [1] + utf8("N123") + utf8("N456")) == answers.node_N123_N456)
    let left = Hash(of: [1])
    let right = Hash(of: [2])
    #expect(Hash.node(left, right) == Hash(of: [1] + left.bytes + right.bytes))
  }

  @Test("every size of the published tree has its published root, stored or not")
  func roots() throws {
    for (size, root) in answers.roots.enumerated() {
      #expect(try log.root(size: UInt64(size)) == root)
      #expect(LogCheck.root(of: answers.data.prefix(size).map { .leaf($0.bytes) }) == root)
    }
  }

  @Test("the published inclusion proofs are made and accepted")
  func inclusion() throws {
    #expect(answers.inclusion.count == 36)
    for each in answers.inclusion {
      #expect(try log.inclusionProof(index: each.index, size: each.size) == each.proof)
      #expect(
        LogCheck.includes(
          leaf: each.leaf, index: each.index, size: each.size, proof: each.proof, root: each.root))
    }
  }

  @Test("the published consistency proofs are made and accepted")
  func consistency() throws {
    #expect(answers.consistency.count == 36)
    for each in answers.consistency {
      #expect(try log.consistencyProof(old: each.old, new: each.new) == each.proof)
      #expect(
        LogCheck.isConsistent(
          old: each.old, oldRoot: each.old_root, new: each.new, newRoot: each.new_root, proof: each.proof))
    }
  }

  @Test("every known bad proof is refused")
  func rejects() {
    #expect(answers.inclusion_rejects.count + answers.consistency_rejects.count == 10)
    for each in answers.inclusion_rejects {
      let isIncluded = LogCheck.includes(
        leaf: each.leaf, index: each.index, size: each.size, proof: each.proof, root: each.root)
      #expect(!isIncluded, "\(each.name ?? "")")
    }
    for each in answers.consistency_rejects {
      let isConsistent = LogCheck.isConsistent(
        old: each.old, oldRoot: each.old_root, new: each.new, newRoot: each.new_root, proof: each.proof)
      #expect(!isConsistent, "\(each.name ?? "")")
    }
  }

  @Test("stored hashes are numbered as Go's tlog does")
  func numbering() {
    // From tlog's own comment and test: the numbers in order of writing.
    #expect((0..<5).map { StoredHash.number(level: 0, $0) } == [0, 1, 3, 4, 7])
    #expect((0..<3).map { StoredHash.number(level: 1, $0) } == [2, 5, 9])
    #expect(StoredHash.number(level: 2, 0) == 6)
    var next: UInt64 = 0
    for leaf in UInt64(0)..<300 {
      for level in 0...(~leaf).trailingZeroBitCount {
        #expect(StoredHash.number(level: level, leaf >> UInt64(level)) == next)
        next += 1
      }
      #expect(StoredHash.count(size: leaf + 1) == next)
      #expect(StoredHash.size(count: next) == leaf + 1)
    }
    #expect(StoredHash.size(count: 2) == nil)
    #expect(StoredHash.size(count: 0) == 0)
  }

  @Test("a store torn in the middle of an append is told")
  func torn() {
    var store = MemoryHashStore()
    store.append([.zero, .zero])
    #expect(throws: LogError.tornStore(hashes: 2)) { _ = try Log(store) }
  }

  @Test("every proof of trees of up to 70 leaves holds, and none with a hash changed, moved or left out")
  func everyProof() throws {
    var log = try Log(MemoryHashStore())
    for leaf in 0..<70 { try log.append(record: [UInt8(leaf)]) }
    for size in UInt64(1)...70 {
      let root = try log.root(size: size)
      for index in 0..<size {
        let proof = try log.inclusionProof(index: index, size: size)
        let leaf = Hash.leaf([UInt8(index)])
        #expect(LogCheck.includes(leaf: leaf, index: index, size: size, proof: proof, root: root))
        #expect(!LogCheck.includes(leaf: leaf, index: index ^ 1, size: size, proof: proof, root: root) || size == 1)
        if !proof.isEmpty {
          #expect(!LogCheck.includes(leaf: leaf, index: index, size: size, proof: proof.dropLast(), root: root))
          var wrong = proof
          wrong[Int(index) % proof.count] = leaf
          #expect(!LogCheck.includes(leaf: leaf, index: index, size: size, proof: wrong, root: root))
        }
      }
      for old in 1...size {
        let proof = try log.consistencyProof(old: old, new: size)
        let oldRoot = try log.root(size: old)
        #expect(LogCheck.isConsistent(old: old, oldRoot: oldRoot, new: size, newRoot: root, proof: proof))
        #expect(
          !LogCheck.isConsistent(old: old, oldRoot: oldRoot, new: size, newRoot: root, proof: proof + [.zero]))
        #expect(!LogCheck.isConsistent(old: old, oldRoot: .zero, new: size, newRoot: root, proof: proof))
      }
    }
  }

  @Test("the checkers end on the largest numbers and the longest proofs")
  func hostile() {
    let long = [Hash](repeating: Hash(of: []), count: 1000)
    for (index, size) in [(UInt64(0), UInt64.max), (.max - 1, .max), (.max, .max), (1 << 63, .max)] {
      #expect(!LogCheck.includes(leaf: .zero, index: index, size: size, proof: long, root: .zero))
      #expect(!LogCheck.includes(leaf: .zero, index: index, size: size, proof: [], root: .zero))
      #expect(
        !LogCheck.isConsistent(old: index, oldRoot: .zero, new: size, newRoot: Hash(of: []), proof: long))
    }
  }
}
