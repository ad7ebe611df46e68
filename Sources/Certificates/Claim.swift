public import MerkleLog

/// What a certificate denies.
public enum Claim: String, Sendable, CaseIterable {
  /// Nothing was opened, mapped, read, written or executed.
  case noAccess = "no-access"
  /// Nothing was written.
  case noWrite = "no-write"
  /// Nothing was executed.
  case noExec = "no-exec"

  /// What is appended to the scope's name in the index.
  public var suffix: String {
    switch self {
    case .noAccess: ""
    case .noWrite: "/write"
    case .noExec: "/exec"
    }
  }
}

/// Of whom it is denied.
public enum Scope: Hashable, Sendable {
  /// Of every session.
  case agent
  /// Of the session with this key.
  case session(String)

  /// `agent` or `session:<key>`.
  public var text: String {
    switch self {
    case .agent: "agent"
    case .session(let key): "session:\(key)"
    }
  }

  /// Reads `agent` or `session:<key>`; a key is 1 to 200 bytes of 0x21…0x7E without a slash.
  public init?(_ text: String) {
    if text == "agent" {
      self = .agent
      return
    }
    let key = text.dropFirst("session:".count)
    guard text.hasPrefix("session:"), (1...200).contains(key.utf8.count),
      key.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "/") })
    else { return nil }
    self = .session(String(key))
  }
}

/// What it is about.
///
/// ```
/// tree <base64 path>     the path and everything beneath           F:path D:path, and I: J: of each identity it had
/// file <base64 path>     the path                                  F:path, and I: of each identity it had
/// name <base64 name>     files with this last component            B:name
/// ext <base64 suffix>    files with this extension, without dot    X:suffix
/// glob <base64 id>       files that match a registered pattern     G:id
/// inode <base64>         a file by identity                        I: J: of the identity, and with generation 0
/// ```
///
/// An identity is 28 bytes: `u64 f_fsid ‖ u64 inode ‖ u32 generation ‖ u64 subvolume`. Generation 0 is that of a witness
/// who could not tell it: no target has it, and what has it may be any target.
public struct Target: Hashable, Sendable {
  /// How the data is meant.
  public enum Kind: String, Sendable, CaseIterable {
    /// A directory with everything beneath.
    case tree
    /// A path.
    case file
    /// A last component.
    case name
    /// An extension.
    case ext
    /// A registered pattern.
    case glob
    /// An identity.
    case inode
  }

  /// How the data is meant.
  public let kind: Kind
  /// The path, name, extension, pattern id or identity.
  public let data: [UInt8]

  /// The bytes of an identity.
  public static let identityLength = 28

  /// A target; nil where the data is none of its kind. A path must be the one spelling of its file: it begins with a
  /// slash, has no empty, `.` or `..` component, no NUL, and no slash at the end.
  public init?(_ kind: Kind, _ data: [UInt8]) {
    let slash = UInt8(ascii: "/")
    guard !data.isEmpty, data.count <= 8192 else { return nil }
    switch kind {
    case .tree, .file:
      guard data[0] == slash, !data.contains(0) else { return nil }
      let parts = data.dropFirst().split(separator: slash, omittingEmptySubsequences: false)
      guard data.count == 1 || !parts.contains(where: { $0.isEmpty || $0 == [0x2E] || $0 == [0x2E, 0x2E] }) else {
        return nil
      }
    case .name:
      guard !data.contains(slash), !data.contains(0), data != [0x2E], data != [0x2E, 0x2E] else { return nil }
    case .ext:
      guard !data.contains(slash), !data.contains(0), !data.contains(0x2E) else { return nil }
    case .glob: break
    case .inode:
      guard data.count == Self.identityLength, data != Self.untold(data) else { return nil }
    }
    self.kind = kind
    self.data = data
  }

  /// Whether the target is a name, so that what bore the name is a question.
  public var isPath: Bool { kind == .tree || kind == .file }

  /// Exactly what must be absent in each scope of an epoch, in the order of the evidence file.
  public func facts(identities: [[UInt8]]) -> [IndexFact] {
    switch kind {
    case .tree:
      [IndexFact(.file, data), IndexFact(.directory, data)]
        + identities.flatMap { [IndexFact(.identity, $0), IndexFact(.directoryIdentity, $0)] }
    case .file: [IndexFact(.file, data)] + identities.map { IndexFact(.identity, $0) }
    case .name: [IndexFact(.base, data)]
    case .ext: [IndexFact(.extension, data)]
    case .glob: [IndexFact(.glob, data)]
    case .inode:
      [data, Self.untold(data)].flatMap { [IndexFact(.identity, $0), IndexFact(.directoryIdentity, $0)] }
    }
  }

  /// An identity as a witness has it who cannot tell the generation.
  private static func untold(_ identity: [UInt8]) -> [UInt8] {
    Array(identity[..<16]) + [0, 0, 0, 0] + Array(identity[20...])
  }

  /// The paths of the components that lead to a path, the path included; none for `/`.
  static func prefixes(of path: [UInt8]) -> [[UInt8]] {
    guard path.count > 1 else { return [] }
    let slash = UInt8(ascii: "/")
    return path.indices.dropFirst().filter { path[$0] == slash }.map { Array(path[..<$0]) } + [path]
  }
}
