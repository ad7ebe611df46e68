public import MerkleLog

/// Which files bore which names in an epoch, committed so that the issuer cannot leave one out later.
///
/// ```
/// tag_i   = HMAC(S, "alibi.v1/name\0" ‖ u32|p_i| ‖ p_i)       p_i the path through its i-th component
/// nonce   = HMAC(T, "alibi.v1/name-nonce\0" ‖ u32|path| ‖ path ‖ identity ‖ u64 from)
/// B       = HMAC(nonce, "alibi.v1/binding\0" ‖ identity[28] ‖ u64 from ‖ u64 to)
/// leaf    = "alibi.v1/names\0" ‖ u16 n ‖ tag_1 … tag_n ‖ B
/// root    = MTH over the leaves, ascending by (tag_1 … tag_n), byte by byte, a shorter list first; then by from
/// ```
///
/// The tags are the path in a blinded form that keeps what sorting needs: equal paths are neighbours. A certificate
/// opens the leaves of its target, and of the two neighbours only the tags, which show that none is missing.
public struct NameHistory: Sendable {
  /// A name a file had for a time.
  public struct Binding: Sendable, Hashable {
    /// The path.
    public var path: [UInt8]
    /// See `Target`.
    public var identity: [UInt8]
    /// Nanoseconds since 1970.
    public var from: UInt64
    /// When the name ended, or the epoch.
    public var to: UInt64

    /// A binding.
    public init(path: [UInt8], identity: [UInt8], from: UInt64, to: UInt64) {
      self.path = path
      self.identity = identity
      self.from = from
      self.to = to
    }
  }

  struct Row: Sendable {
    var tags: [Hash]
    var nonce: Hash
    var binding: Binding
    var commitment: Hash {
      NameHistory.commitment(nonce: nonce, identity: binding.identity, from: binding.from, to: binding.to)
    }
  }

  private let rows: [Row]
  private let log: Log<MemoryHashStore>
  private let keys: IndexKeys

  /// The history of these bindings under an epoch's salt and hiding secret.
  public init(_ bindings: [Binding], keys: IndexKeys, hiding: [UInt8]) throws {
    var known: [[UInt8]: Hash] = [:]
    rows = bindings.map { binding in
      let tags = Target.prefixes(of: binding.path).map { prefix in
        if let tag = known[prefix] { return tag }
        let tag = keys.tag(ofPath: prefix)
        known[prefix] = tag
        return tag
      }
      var message = domain("name-nonce")
      message.append(counted: binding.path)
      message += binding.identity
      message.append(bigEndian: binding.from)
      return Row(tags: tags, nonce: .authentication(message, key: hiding), binding: binding)
    }.sorted {
      if $0.tags != $1.tags { return $0.tags.lexicographicallyPrecedes($1.tags) }
      return $0.binding.from < $1.binding.from
    }
    var log = try Log(MemoryHashStore())
    for row in rows { try log.append(record: Self.leaf(tags: row.tags, commitment: row.commitment)) }
    self.log = log
    self.keys = keys
  }

  /// How many bindings there are.
  public var count: UInt64 { log.size }

  /// The root over them.
  public var root: Hash { get throws { try log.root() } }

  /// What shows which identities a path had, and that it had no others.
  public func opening(of path: [UInt8]) throws -> NameOpening {
    let tags = Target.prefixes(of: path).map(keys.tag(ofPath:))
    let first = rows.firstIndex { !$0.tags.lexicographicallyPrecedes(tags) } ?? rows.count
    let end = rows[first...].firstIndex { $0.tags != tags } ?? rows.count
    func neighbour(_ at: Int) throws -> [NameOpening.Neighbour] {
      guard rows.indices.contains(at) else { return [] }
      let proof = try log.inclusionProof(index: UInt64(at), size: log.size)
      return [NameOpening.Neighbour(tags: rows[at].tags, commitment: rows[at].commitment, proof: proof)]
    }
    let bindings = try (first..<end).map { at in
      NameOpening.Binding(
        nonce: rows[at].nonce, identity: rows[at].binding.identity, from: rows[at].binding.from,
        to: rows[at].binding.to, proof: try log.inclusionProof(index: UInt64(at), size: log.size))
    }
    return NameOpening(
      first: UInt64(first), bindings: bindings, before: try neighbour(first - 1), after: try neighbour(end))
  }

  static func leaf(tags: [Hash], commitment: Hash) -> [UInt8] {
    var out = domain("names")
    out.append(bigEndian: UInt16(tags.count))
    for tag in tags { out += tag.bytes }
    return out + commitment.bytes
  }

  static func commitment(nonce: Hash, identity: [UInt8], from: UInt64, to: UInt64) -> Hash {
    var message = domain("binding") + identity
    message.append(bigEndian: from)
    message.append(bigEndian: to)
    return .authentication(message, key: nonce.bytes)
  }
}

/// The identities that a path had in an epoch, opened.
public struct NameOpening: Sendable, Hashable {
  /// An opened binding.
  public struct Binding: Sendable, Hashable {
    /// See `NameHistory`.
    public var nonce: Hash
    /// See `Target`.
    public var identity: [UInt8]
    /// Nanoseconds since 1970.
    public var from: UInt64
    /// See `from`.
    public var to: UInt64
    /// The leaf's inclusion.
    public var proof: [Hash]
  }

  /// A leaf beside them, of which only the blinded path is shown.
  public struct Neighbour: Sendable, Hashable {
    /// See `NameHistory`.
    public var tags: [Hash]
    /// See `NameHistory`.
    public var commitment: Hash
    /// The leaf's inclusion.
    public var proof: [Hash]
  }

  /// The leaf of the first binding; where there is none, the leaf that it would come before.
  public var first: UInt64
  /// All bindings of the path.
  public var bindings: [Binding]
  /// The leaf before them; empty at the beginning.
  public var before: [Neighbour]
  /// The leaf behind them; empty at the end.
  public var after: [Neighbour]

  /// Whether these are all bindings of the path under that root.
  func isComplete(path: [UInt8], keys: IndexKeys, size: UInt64, root: Hash) -> Bool {
    guard first <= size, UInt64(bindings.count) <= size - first else { return false }
    let end = first + UInt64(bindings.count)
    guard before.count == (first > 0 ? 1 : 0), after.count == (end < size ? 1 : 0),
      size > 0 || root == Hash(of: [])
    else { return false }
    let tags = Target.prefixes(of: path).map(keys.tag(ofPath:))
    func holds(_ tags: [Hash], _ commitment: Hash, _ proof: [Hash], at index: UInt64) -> Bool {
      guard tags.count <= Int(UInt16.max) else { return false }
      let leaf = Hash.leaf(NameHistory.leaf(tags: tags, commitment: commitment))
      return LogCheck.includes(leaf: leaf, index: index, size: size, proof: proof, root: root)
    }
    for (offset, binding) in bindings.enumerated() {
      let commitment = NameHistory.commitment(
        nonce: binding.nonce, identity: binding.identity, from: binding.from, to: binding.to)
      guard binding.identity.count == Target.identityLength,
        holds(tags, commitment, binding.proof, at: first + UInt64(offset))
      else { return false }
    }
    for leaf in before {
      guard leaf.tags.lexicographicallyPrecedes(tags), holds(leaf.tags, leaf.commitment, leaf.proof, at: first - 1)
      else { return false }
    }
    for leaf in after {
      guard tags.lexicographicallyPrecedes(leaf.tags), holds(leaf.tags, leaf.commitment, leaf.proof, at: end)
      else { return false }
    }
    return true
  }
}
