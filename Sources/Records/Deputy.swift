/// What makes a process outside every session work for one (`DESIGN.md` §4).
public struct Deputy: Hashable, Sendable {
  /// The session; nil where it is one of several, or nobody knows which.
  public var session: Int64?
  /// How it was reached: bits of `Operations.deputies`.
  public var channels: Operations

  /// A deputy of these facts.
  public init(session: Int64?, channels: Operations) {
    self.session = session
    self.channels = channels
  }

  /// Both at once.
  public func joined(with other: Deputy) -> Deputy {
    Deputy(session: session == other.session ? session : nil, channels: channels.union(other.channels))
  }
}

extension Deputy? {
  /// Both at once, as far as there are any.
  public func joined(with other: Deputy?) -> Deputy? {
    guard let self, let other else { return self ?? other }
    return self.joined(with: other)
  }
}
