/// The blinded keys of an epoch's index of absence.
///
/// ```
/// salt_commit = H("alibi.v1/salt\0" ‖ S)
/// key   = HMAC(S, "alibi.v1/key\0" ‖ class[1] ‖ u16|scope| ‖ scope ‖ u32|data| ‖ data)
/// nonce = HMAC(T, "alibi.v1/nonce\0" ‖ key)      value = HMAC(nonce, "alibi.v1/val\0" ‖ payload)
/// leaf  = H(0x02 ‖ key ‖ value)
/// ```
///
/// S (the salt) goes to auditors inside certificates, T (the hiding secret) to nobody. The salt is committed before
/// anybody asks: with another one everything would be absent.
public struct IndexKeys: Sendable {
  private let salt: [UInt8]

  /// The keys under a salt; nil unless it has 32 bytes.
  public init?(salt: [UInt8]) {
    guard salt.count == 32 else { return nil }
    self.salt = salt
  }

  /// What the sealed epoch says of the salt.
  public var commitment: Hash { Hash(of: domain("salt") + salt) }

  /// The key of one fact about an access.
  ///
  /// - Precondition: the scope is shorter than 65,536 bytes.
  public func key(_ fact: IndexFact, scope: [UInt8]) -> Hash {
    var message = domain("key")
    message.append(fact.kind.rawValue)
    message.append(bigEndian: UInt16(scope.count))
    message += scope
    message.append(counted: fact.data)
    return .authentication(message, key: salt)
  }

  /// The name of the first components of a path in the sorted name history: the same for all that lies beneath,
  /// and nothing to who does not know the path.
  public func tag(ofPath prefix: [UInt8]) -> Hash {
    var message = domain("name")
    message.append(counted: prefix)
    return .authentication(message, key: salt)
  }

  /// The leaf of a key that is present.
  public static func leaf(_ key: Hash, hiding: [UInt8], payload: [UInt8] = [1]) -> Hash {
    leaf(key, value: value(key, hiding: hiding, payload: payload))
  }

  /// The value of a key that is present.
  public static func value(_ key: Hash, hiding: [UInt8], payload: [UInt8] = [1]) -> Hash {
    let nonce = Hash.authentication(domain("nonce") + key.bytes, key: hiding)
    return .authentication(domain("val") + payload, key: nonce.bytes)
  }

  /// The leaf of a key with this value.
  public static func leaf(_ key: Hash, value: Hash) -> Hash { .joined(0x02, key, value) }
}

/// One fact under which an access is committed: a class letter and its data.
public struct IndexFact: Hashable, Sendable {
  /// What the data is.
  public enum Kind: UInt8, Sendable, CaseIterable {
    /// The path itself.
    case file = 0x46  // F
    /// A directory above the path.
    case directory = 0x44  // D
    /// The last component.
    case base = 0x42  // B
    /// What follows the last component's last dot.
    case `extension` = 0x58  // X
    /// The identity of the file.
    case identity = 0x49  // I
    /// The identity of a directory above it.
    case directoryIdentity = 0x4A  // J
    /// A registered pattern that the path matches, by its id.
    case glob = 0x47  // G
    /// The same of an attempt that was denied.
    case deniedFile = 0x66
    /// See `deniedFile`.
    case deniedDirectory = 0x64
    /// See `deniedFile`.
    case deniedBase = 0x62
    /// See `deniedFile`.
    case deniedExtension = 0x78
    /// See `deniedFile`.
    case deniedIdentity = 0x69
    /// See `deniedFile`.
    case deniedDirectoryIdentity = 0x6A
    /// See `deniedFile`.
    case deniedGlob = 0x67

    /// The letter of a denied attempt.
    public var denied: Kind { Kind(rawValue: rawValue | 0x20) ?? self }
  }

  /// The class.
  public let kind: Kind
  /// What is absent or present: a path, a name, an identity.
  public let data: [UInt8]

  /// A fact.
  public init(_ kind: Kind, _ data: [UInt8]) {
    self.kind = kind
    self.data = data
  }

  /// The facts that follow from a path: itself, every directory above it, its last component and its extension.
  ///
  /// Identities and patterns are not in a path; the caller adds them. A leading dot begins no extension.
  public static func facts(ofPath path: [UInt8]) -> [IndexFact] {
    let slash = UInt8(ascii: "/")
    var facts = [IndexFact(.file, path)]
    for (at, byte) in path.enumerated() where byte == slash {
      if path.count > 1 { facts.append(IndexFact(.directory, at == 0 ? [slash] : Array(path[..<at]))) }
    }
    let base = path.lastIndex(of: slash).map { path[($0 + 1)...] } ?? path[...]
    guard !base.isEmpty else { return facts }
    facts.append(IndexFact(.base, Array(base)))
    if let dot = base.lastIndex(of: UInt8(ascii: ".")), dot > base.startIndex, dot + 1 < base.endIndex {
      facts.append(IndexFact(.extension, Array(base[(dot + 1)...])))
    }
    return facts
  }
}
