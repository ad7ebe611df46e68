/// Where the hashes of a log lie.
///
/// They have one dense numbering, that of Go's `tlog.StoredHashIndex`: each complete subtree is numbered when its last
/// leaf arrives, after the leaf and the smaller subtrees that end there. So the store is append-only: one column in a
/// table, one file.
///
/// ```
/// level 2          6
/// level 1      2        5
/// level 0    0   1    3   4    7 …
/// ```
public protocol HashStore {
  /// How many hashes there are.
  var count: UInt64 { get throws }
  /// The hashes of these numbers, in their order.
  func hashes(at numbers: [UInt64]) throws -> [Hash]
  /// Adds hashes behind the last.
  mutating func append(_ hashes: [Hash]) throws
}

/// A log's hashes in memory: for tests, and for trees that are built, asked and thrown away.
public struct MemoryHashStore: HashStore, Sendable {
  private var kept: [Hash] = []

  /// An empty store.
  public init() {}

  /// How many hashes there are.
  public var count: UInt64 { UInt64(kept.count) }

  /// The hashes of these numbers, in their order.
  public func hashes(at numbers: [UInt64]) throws -> [Hash] {
    try numbers.map { number in
      guard number < count else { throw LogError.missingHash(number) }
      return kept[Int(number)]
    }
  }

  /// Adds hashes behind the last.
  public mutating func append(_ hashes: [Hash]) { kept += hashes }
}

/// Why a log cannot answer.
public enum LogError: Error, Equatable {
  /// The store has no hash of this number.
  case missingHash(UInt64)
  /// The store holds another number of hashes than a tree of any size has.
  case tornStore(hashes: UInt64)
  /// There is no such leaf in a tree of that size.
  case noSuchLeaf(index: UInt64, size: UInt64)
  /// There is no tree of that size, or no proof between these two.
  case noSuchSize(UInt64)
}

/// The arithmetic of stored hashes.
public enum StoredHash {
  /// The number of the hash of the `n`-th complete subtree of `2^level` leaves.
  public static func number(level: Int, _ n: UInt64) -> UInt64 {
    // It comes `level` places after its last leaf.
    var leaf = n
    for _ in 0..<level { leaf = 2 * leaf + 1 }
    var number = UInt64(level)
    while leaf > 0 {
      number += leaf
      leaf >>= 1
    }
    return number
  }

  /// How many hashes a tree of `size` leaves has.
  public static func count(size: UInt64) -> UInt64 {
    var total: UInt64 = 0
    var rest = size
    while rest > 0 {
      total += rest
      rest >>= 1
    }
    return total
  }

  /// The size of the tree that has `count` hashes; nil when none has.
  public static func size(count wanted: UInt64) -> UInt64? {
    // A tree of n leaves has at least n hashes and fewer than 2n.
    var low = wanted / 2
    var high = wanted
    while low < high {
      let middle = low + (high - low) / 2
      if count(size: middle) < wanted { low = middle + 1 } else { high = middle }
    }
    return count(size: low) == wanted ? low : nil
  }
}
