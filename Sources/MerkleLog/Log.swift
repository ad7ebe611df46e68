/// The log: an append-only Merkle tree (RFC 6962 §2.1), its proofs, and what checks them (RFC 9162 §2.1.3.2, §2.1.4.2).
///
/// ```
/// leaf(d) = H(0x00 ‖ d)      node(l, r) = H(0x01 ‖ l ‖ r)      MTH(∅) = H("")
/// MTH(D[n]) = node(MTH(D[0:k]), MTH(D[k:n])), k the largest power of two smaller than n
/// ```
///
/// An inclusion proof lists the sibling subtrees from the leaf to the root; a consistency proof the subtrees that make
/// both the older and the newer root. Both checkers bind the size, end after at most 64 steps whatever they are given,
/// and a consistency proof from size 0 is refused: it would prove nothing.
public struct Log<Store: HashStore> {
  /// The hashes.
  public private(set) var store: Store
  /// How many leaves there are.
  public private(set) var size: UInt64

  /// The log whose hashes lie in the store.
  public init(_ store: Store) throws {
    let count = try store.count
    guard let size = StoredHash.size(count: count) else { throw LogError.tornStore(hashes: count) }
    self.store = store
    self.size = size
  }

  /// Adds a leaf and returns its index.
  @discardableResult
  public mutating func append(leaf: Hash) throws -> UInt64 {
    let index = size
    var added = [leaf]
    // The subtrees that end here: their left halves are stored, and are read in one go.
    let levels = (~index).trailingZeroBitCount
    let halves = (0..<levels).map { StoredHash.number(level: $0, (index >> UInt64($0)) - 1) }
    var hash = leaf
    for half in try store.hashes(at: halves) {
      hash = .node(half, hash)
      added.append(hash)
    }
    try store.append(added)
    size = index + 1
    return index
  }

  /// Adds a record and returns its index.
  @discardableResult
  public mutating func append(record: [UInt8]) throws -> UInt64 { try append(leaf: .leaf(record)) }

  /// The root at a size; the present one when none is given.
  public func root(size wanted: UInt64? = nil) throws -> Hash {
    let wanted = wanted ?? size
    guard wanted <= size else { throw LogError.noSuchSize(wanted) }
    return try hash(of: 0..<wanted)
  }

  /// The siblings on the way from leaf `index` to the root at `size`.
  public func inclusionProof(index: UInt64, size wanted: UInt64) throws -> [Hash] {
    guard wanted <= size else { throw LogError.noSuchSize(wanted) }
    guard index < wanted else { throw LogError.noSuchLeaf(index: index, size: wanted) }
    var range = 0..<wanted
    var siblings: [Range<UInt64>] = []
    while range.upperBound - range.lowerBound > 1 {
      let middle = Self.split(range)
      if index < middle {
        siblings.append(middle..<range.upperBound)
        range = range.lowerBound..<middle
      } else {
        siblings.append(range.lowerBound..<middle)
        range = middle..<range.upperBound
      }
    }
    return try siblings.reversed().map(hash(of:))
  }

  /// What shows that the tree of `new` leaves begins with the tree of `old` leaves.
  public func consistencyProof(old: UInt64, new: UInt64) throws -> [Hash] {
    guard new <= size else { throw LogError.noSuchSize(new) }
    guard old > 0, old <= new else { throw LogError.noSuchSize(old) }
    var range = 0..<new
    var siblings: [Range<UInt64>] = []
    while range.upperBound != old {
      let middle = Self.split(range)
      if old <= middle {
        siblings.append(middle..<range.upperBound)
        range = range.lowerBound..<middle
      } else {
        siblings.append(range.lowerBound..<middle)
        range = middle..<range.upperBound
      }
    }
    // The whole old tree is not in the proof: whoever checks it has its root.
    if range.lowerBound > 0 { siblings.append(range) }
    return try siblings.reversed().map(hash(of:))
  }

  private static func split(_ range: Range<UInt64>) -> UInt64 {
    let count = range.upperBound - range.lowerBound
    return range.lowerBound + 1 << UInt64(63 - (count - 1).leadingZeroBitCount)
  }

  /// The root over some leaves that begin where a subtree of their size does.
  private func hash(of range: Range<UInt64>) throws -> Hash {
    var low = range.lowerBound
    var numbers: [UInt64] = []
    while low < range.upperBound {
      let level = 63 - (range.upperBound - low).leadingZeroBitCount
      numbers.append(StoredHash.number(level: level, low >> UInt64(level)))
      low += 1 << UInt64(level)
    }
    let parts = try store.hashes(at: numbers)
    guard var hash = parts.last else { return Hash(of: []) }
    for part in parts.dropLast().reversed() { hash = .node(part, hash) }
    return hash
  }
}

extension Log: Sendable where Store: Sendable {}

/// What anyone can check of a log with hashes alone.
public enum LogCheck {
  /// Whether `leaf` is leaf `index` of the tree of `size` leaves with this root.
  public static func includes(leaf: Hash, index: UInt64, size: UInt64, proof: [Hash], root: Hash) -> Bool {
    guard index < size else { return false }
    var place = index
    var last = size - 1
    var hash = leaf
    for sibling in proof {
      guard last != 0 else { return false }
      if place & 1 == 1 || place == last {
        hash = .node(sibling, hash)
        while place & 1 == 0, place != 0 {
          place >>= 1
          last >>= 1
        }
      } else {
        hash = .node(hash, sibling)
      }
      place >>= 1
      last >>= 1
    }
    return last == 0 && hash == root
  }

  /// Whether the tree of `new` leaves begins with the tree of `old` leaves.
  public static func isConsistent(
    old: UInt64, oldRoot: Hash, new: UInt64, newRoot: Hash, proof: [Hash]
  ) -> Bool {
    guard old > 0, old <= new else { return false }
    if old == new { return proof.isEmpty && oldRoot == newRoot }
    guard !proof.isEmpty else { return false }
    var place = old - 1
    var last = new - 1
    while place & 1 == 1 {
      place >>= 1
      last >>= 1
    }
    // A power of two is a whole subtree of the new tree; the proof leaves it out.
    let path = old & (old - 1) == 0 ? [oldRoot] + proof : proof
    var first = path[0]
    var second = path[0]
    for sibling in path.dropFirst() {
      guard last != 0 else { return false }
      if place & 1 == 1 || place == last {
        first = .node(sibling, first)
        second = .node(sibling, second)
        while place & 1 == 0, place != 0 {
          place >>= 1
          last >>= 1
        }
      } else {
        second = .node(second, sibling)
      }
      place >>= 1
      last >>= 1
    }
    return last == 0 && first == oldRoot && second == newRoot
  }

  /// The root over all these leaves.
  public static func root(of leaves: [Hash]) -> Hash {
    // What a binary counter holds: complete subtrees, each smaller than the one before.
    var stack: [Hash] = []
    for (index, leaf) in leaves.enumerated() {
      var hash = leaf
      var rest = index
      while rest & 1 == 1 {
        hash = .node(stack.removeLast(), hash)
        rest >>= 1
      }
      stack.append(hash)
    }
    guard var hash = stack.popLast() else { return Hash(of: []) }
    while let left = stack.popLast() { hash = .node(left, hash) }
    return hash
  }
}
