/// An epoch's index of absence: a sparse Merkle tree of depth 256 (see `SparseProof`) over the keys of its accesses.
///
/// Only the top of the tree is held, down to where about one key is left in each subtree; what lies below is a chain
/// from a leaf up and is computed when asked for. So a root over n keys costs n·(256 − log₂n) hashes and no object per
/// node, and a proof afterwards a few hundred hashes; or some thousand, where only the upper part of the top was kept.
public struct SparseIndex: Sendable {
  /// What is present, in order.
  public let keys: [Hash]
  /// The tree's top in heap order: the root at 1, the children of i at 2i and 2i+1; 0 is unused.
  private let top: [Hash]
  /// The secret that the leaves are made with; see `IndexKeys.leaf`.
  private let hiding: [UInt8]

  /// The root; 32 zero bytes over nothing.
  public var root: Hash { top[1] }

  private var levels: Int { top.count.trailingZeroBitCount - 1 }

  /// The index over these keys.
  public init(_ unsorted: some Sequence<Hash>, hiding: [UInt8]) {
    var sorted = unsorted.sorted()
    var kept = 0
    for key in sorted where kept == 0 || sorted[kept - 1] != key {
      sorted[kept] = key
      kept += 1
    }
    sorted.removeLast(sorted.count - kept)
    keys = sorted
    self.hiding = hiding
    let levels = Self.levels(for: sorted.count)
    var top = [Hash](repeating: .zero, count: 2 << levels)
    var at = 0
    for slot in 0..<(1 << levels) {
      var end = at
      while end < sorted.count, Self.slot(of: sorted[end], levels: levels) == slot { end += 1 }
      top[1 << levels + slot] = Self.root(of: sorted[at..<end], depth: levels, hiding)
      at = end
    }
    for node in stride(from: 1 << levels - 1, to: 0, by: -1) {
      top[node] = SparseProof.node(top[2 * node], top[2 * node + 1], isRight: false)
    }
    self.top = top
  }

  /// How many levels of the top are not worth their room: what is below is computed again for each proof.
  private static let cut = 5

  /// Worth keeping beside the keys: the upper part of the top, a node for some thirty keys. All else is dear, or cheap.
  public var keptTop: [Hash] { Array(top.prefix(Self.keptCount(for: keys.count))) }

  private static func keptCount(for count: Int) -> Int { 2 << max(0, levels(for: count) - cut) }

  /// The index as it was kept; nil unless the keys are sorted and the top is one for so many.
  ///
  /// The hashes in the top are taken as they are: a proof made from a wrong one fails against the sealed root.
  public init?(keys: [Hash], hiding: [UInt8], keptTop: [Hash]) {
    guard keptTop.count == Self.keptCount(for: keys.count),
      zip(keys, keys.dropFirst()).allSatisfy({ $0 < $1 })
    else { return nil }
    self.keys = keys
    self.hiding = hiding
    top = keptTop
  }

  /// The leaf at a key's place; `Hash.zero` where the key is absent.
  public func leaf(at key: Hash) -> Hash { contains(key) ? IndexKeys.leaf(key, hiding: hiding) : .zero }

  /// Whether the key is present.
  public func contains(_ key: Hash) -> Bool {
    let at = first { $0 >= key }
    return at < keys.count && keys[at] == key
  }

  /// What shows that the key is present, or is not.
  public func proof(of key: Hash) -> SparseProof {
    var bitmap = [UInt8](repeating: 0, count: 32)
    var siblings: [Hash] = []
    func add(_ sibling: Hash, at depth: Int) {
      guard sibling != .zero else { return }
      bitmap[(depth - 1) >> 3] |= 0x80 >> UInt8((depth - 1) & 7)
      siblings.append(sibling)
    }
    var node = 1
    for depth in 0..<levels {
      node = 2 * node + (key.bit(depth) ? 1 : 0)
      add(top[node ^ 1], at: depth + 1)
    }
    var depth = levels
    var range = slice(ofSlot: node - 1 << levels)
    while depth < SparseProof.depth, !range.isEmpty {
      let middle = Self.split(range, at: depth)
      let (mine, other) = key.bit(depth) ? (range[middle...], range[..<middle]) : (range[..<middle], range[middle...])
      depth += 1
      add(Self.root(of: other, depth: depth, hiding), at: depth)
      range = mine
    }
    // Made from the bitmap, it has the one form.
    return SparseProof(bitmap: bitmap, siblings: siblings) ?? { preconditionFailure("a zero sibling was kept") }()
  }

  private static func levels(for count: Int) -> Int {
    count < 2 ? 0 : min(Int.bitWidth - (count - 1).leadingZeroBitCount, 28)
  }

  private static func slot(of key: Hash, levels: Int) -> Int {
    levels == 0 ? 0 : Int(key.words.0 >> UInt64(64 - levels))
  }

  private func slice(ofSlot slot: Int) -> ArraySlice<Hash> {
    let begin = first { Self.slot(of: $0, levels: levels) >= slot }
    let end = first { Self.slot(of: $0, levels: levels) > slot }
    return keys[begin..<end]
  }

  /// The first key from which on the condition holds.
  private func first(where condition: (Hash) -> Bool) -> Int { Self.first(in: keys[...], where: condition) }

  private static func first(in slice: ArraySlice<Hash>, where condition: (Hash) -> Bool) -> Int {
    var low = slice.startIndex
    var high = slice.endIndex
    while low < high {
      let middle = low + (high - low) / 2
      if condition(slice[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// Where the keys begin whose bit `depth` is set; all share the bits before it.
  private static func split(_ slice: ArraySlice<Hash>, at depth: Int) -> Int { first(in: slice) { $0.bit(depth) } }

  /// The root of the subtree at `depth` over keys that share their first `depth` bits.
  private static func root(of slice: ArraySlice<Hash>, depth: Int, _ hiding: [UInt8]) -> Hash {
    guard let key = slice.first else { return .zero }
    if slice.count == 1 {
      var hash = IndexKeys.leaf(key, hiding: hiding)
      for level in stride(from: SparseProof.depth, to: depth, by: -1) {
        hash = SparseProof.node(hash, .zero, isRight: key.bit(level - 1))
      }
      return hash
    }
    let middle = split(slice, at: depth)
    return SparseProof.node(
      root(of: slice[..<middle], depth: depth + 1, hiding), root(of: slice[middle...], depth: depth + 1, hiding),
      isRight: false)
  }
}
