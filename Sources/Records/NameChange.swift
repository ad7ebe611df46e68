/// A name that a file gained or lost, by whoever: kept without the person (`DESIGN.md` §6).
///
/// A question about a path is about every file that bore it. Who bears it now is told when it is asked; who bore it
/// before is told by how its bearing ended. So beginnings by creation are not kept.
public struct NameChange: Hashable, Sendable {
  /// What bears, or bore, the name.
  public enum Kind: UInt8, Sendable {
    /// A file, or anything else that is no directory.
    case file = 0
    /// A directory.
    case directory = 1
    /// Created without being opened, as a symbolic link is: what leads through it is told under other names.
    case symbolicLink = 2
  }

  /// Which file or directory.
  public var identity: FileIdentity
  /// The name it lost; nil for a link or a creation. Not absolute where the directory could not be told: then it is
  /// the name within that directory. Empty where not even that is known.
  public var from: RawPath?
  /// The name it got; nil where it only lost one.
  public var to: RawPath?
  /// What it is.
  public var kind: Kind
  /// Whether it is sure that it is this file and this name; else it is one of several that it may have been.
  public var isSure: Bool
  /// When, between these two.
  public var time: Interval

  /// A change of these parts.
  public init(
    identity: FileIdentity, from: RawPath?, to: RawPath?, kind: Kind = .file, isSure: Bool = true, time: Interval
  ) {
    self.identity = identity
    self.from = from
    self.to = to
    self.kind = kind
    self.isSure = isSure
    self.time = time
  }
}
