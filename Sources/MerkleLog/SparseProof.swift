/// What shows that a key is in an epoch's index, or is not.
///
/// ```
/// leaf at depth 256; the path to it is the bits of the key, the most significant first
/// node  = 0^32 if both children are 0^32, else H(0x03 ‖ left ‖ right)
/// proof = bitmap[32] (bit d-1, the most significant first, set ⇔ the sibling at depth d is not 0^32)
///         ‖ the siblings that are not 0^32, the one nearest the root first
/// absent ⇔ fold(key, 0^32) == root              present ⇔ fold(key, leaf) == root
/// ```
///
/// One proof has one form: as many siblings as the bitmap has bits, none of them zero. Else a sibling could be moved
/// between "empty" and "zero".
public struct SparseProof: Sendable, Equatable {
  /// Levels between root and leaf.
  static let depth = 256

  /// 32 bytes.
  public let bitmap: [UInt8]
  /// The siblings that are there.
  public let siblings: [Hash]

  /// A proof of these parts; nil unless it has the one form.
  public init?(bitmap: [UInt8], siblings: [Hash]) {
    guard bitmap.count == 32, bitmap.reduce(0, { $0 + $1.nonzeroBitCount }) == siblings.count,
      !siblings.contains(.zero)
    else { return nil }
    self.bitmap = bitmap
    self.siblings = siblings
  }

  /// The root that follows from a leaf at the key's place; `Hash.zero` for no leaf.
  public func root(from leaf: Hash, at key: Hash) -> Hash {
    var hash = leaf
    var next = siblings.count
    for depth in stride(from: Self.depth, to: 0, by: -1) {
      var sibling = Hash.zero
      if bitmap[(depth - 1) >> 3] >> UInt8(7 - (depth - 1) & 7) & 1 == 1 {
        next -= 1
        sibling = siblings[next]
      }
      hash = Self.node(hash, sibling, isRight: key.bit(depth - 1))
    }
    return hash
  }

  /// Whether this shows that nothing lies at the key's place.
  public func showsAbsence(of key: Hash, root: Hash) -> Bool { self.root(from: .zero, at: key) == root }

  /// Whether this shows that the leaf lies at the key's place.
  public func showsPresence(of key: Hash, leaf: Hash, root: Hash) -> Bool {
    leaf != .zero && self.root(from: leaf, at: key) == root
  }

  /// The node above `hash` and its sibling.
  @inline(__always)
  static func node(_ hash: Hash, _ sibling: Hash, isRight: Bool) -> Hash {
    if hash == .zero, sibling == .zero { return .zero }
    return isRight ? .joined(0x03, sibling, hash) : .joined(0x03, hash, sibling)
  }
}
