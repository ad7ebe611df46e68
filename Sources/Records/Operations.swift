/// What was done to a file within one episode. Bits are stored; they are never renumbered.
public struct Operations: OptionSet, Hashable, Sendable {
  /// One bit an operation.
  public let rawValue: UInt32

  /// The set with these bits.
  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// Opened: could have been read, and mapped or written unless `closedUnwritten` says otherwise.
  public static let open = Operations(rawValue: 1 << 0)
  /// Read through a descriptor, or mapped readable.
  public static let read = Operations(rawValue: 1 << 1)
  /// Written or truncated through a descriptor.
  public static let write = Operations(rawValue: 1 << 2)
  /// Created under this name.
  public static let create = Operations(rawValue: 1 << 3)
  /// This name removed.
  public static let delete = Operations(rawValue: 1 << 4)
  /// Renamed away from this name.
  public static let renameFrom = Operations(rawValue: 1 << 5)
  /// Renamed to this name, replacing what bore it.
  public static let renameTo = Operations(rawValue: 1 << 6)
  /// This name added to a file that had one.
  public static let link = Operations(rawValue: 1 << 7)
  /// Mode, owner, times or extended attributes changed.
  public static let attribute = Operations(rawValue: 1 << 8)
  /// Executed by execve, or mapped executable.
  public static let exec = Operations(rawValue: 1 << 9)
  /// Mapped shared and writable: could have been written with no further event.
  public static let mapWritable = Operations(rawValue: 1 << 10)
  /// Closed after having been open for writing. Qualifies `open`; by itself no access.
  public static let closedWritable = Operations(rawValue: 1 << 11)
  /// Closed after having been open for reading only. Qualifies `open`; by itself no access.
  public static let closedUnwritten = Operations(rawValue: 1 << 12)
  /// Mapped: held until every process that shares the address space has exited or executed something.
  public static let mapped = Operations(rawValue: 1 << 13)
  /// Mapped shared, though not for writing: mprotect(2) allows that later, and raises nothing.
  public static let mapShared = Operations(rawValue: 1 << 14)
  /// No operation: the session held a descriptor of the file that it had not opened, and that can be used without an
  /// event. With a close, up to it; else to the session's end.
  public static let inherited = Operations(rawValue: 1 << 15)
  /// The file is a block device, or memory, the machine's or another process's: whatever was done may have reached any
  /// file's content.
  public static let rawDevice = Operations(rawValue: 1 << 16)

  /// Done by a process outside every session that works with what a session made: it ran, or read, a file that a
  /// session wrote, or one that another such process wrote.
  public static let influenced = Operations(rawValue: 1 << 17)
  /// Done by a process outside every session that a session can ask to act for it: a server of a file system, the
  /// kernel itself.
  public static let contacted = Operations(rawValue: 1 << 18)

  /// No operation: it was tried, and refused. The other bits tell what.
  public static let denied = Operations(rawValue: 1 << 19)

  /// The bits that say that a deputy did it (`DESIGN.md` §4): by themselves no access.
  public static let deputies: Operations = [.influenced, .contacted]

  /// The bits that only qualify others.
  public static let qualifiers: Operations = [.closedWritable, .closedUnwritten]

  /// Names in the order they are printed.
  public static let names: [(Operations, String)] = [
    (.open, "open"), (.read, "read"), (.write, "write"), (.create, "create"), (.delete, "delete"),
    (.renameFrom, "rename-from"), (.renameTo, "rename-to"), (.link, "link"), (.attribute, "attribute"),
    (.exec, "exec"), (.mapWritable, "map-writable"), (.mapped, "map"), (.mapShared, "map-shared"),
    (.inherited, "inherited"), (.rawDevice, "raw-device"), (.influenced, "influenced"), (.contacted, "contacted"),
    (.denied, "denied"),
  ]

  /// The names of the operations in the set.
  public var labels: [String] { Self.names.filter { contains($0.0) }.map(\.1) }

  /// Which operations a question about reading, writing or executing is about.
  public enum Kind: String, Sendable, CaseIterable {
    /// Content taken: read, or mapped.
    case read
    /// Content or name changed: write, create, delete, rename, link, truncate.
    case write
    /// Executed.
    case exec
    /// Any of these, and opening.
    case any
  }

  /// What this set says about a kind of operation: done, possible, or ruled out.
  public enum Answer: Sendable {
    /// It was done.
    case did
    /// It was possible and nothing rules it out.
    case couldHave
    /// It was not done in this episode.
    case didNot
  }

  /// Whether a descriptor was opened of which no close was seen.
  ///
  /// Not a deputy's: it is in no session that could hold it, and what it reads through a descriptor, or maps, is told.
  public var isLeftOpen: Bool {
    contains(.open) && isDisjoint(with: Self.qualifiers.union(Self.deputies).union(.denied))
  }

  /// Whether anything was done at all.
  public var isAccess: Bool {
    !contains(.denied) && !isSubset(of: Self.qualifiers.union(Self.deputies).union([.inherited, .rawDevice]))
  }

  /// Whether content may have been put into the file, or the file under a name.
  public var mayPlace: Bool { !isDisjoint(with: [.write, .create, .renameTo, .link, .mapWritable, .closedWritable]) }

  /// Whether a descriptor from outside was held of which no close was seen.
  public var isInheritedStill: Bool { contains(.inherited) && isDisjoint(with: Self.qualifiers) }

  /// What an episode with these operations says about `kind` (`DESIGN.md` §6: did, could have, did not).
  ///
  /// A close tells how *one* descriptor was opened, and events of several are merged. So `closedUnwritten` rules a
  /// mapped write out only where nothing was mapped shared.
  public func answer(_ kind: Kind) -> Answer {
    if contains(.denied) { return .didNot }
    switch kind {
    case .any: return isAccess ? .did : .didNot
    case .read:
      if contains(.read) || contains(.exec) { return .did }
      return contains(.open) || !isDisjoint(with: [.mapped, .mapShared, .mapWritable]) ? .couldHave : .didNot
    case .write:
      if !isDisjoint(with: [.write, .create, .delete, .renameFrom, .renameTo, .link]) { return .did }
      if !isDisjoint(with: [.mapWritable, .mapShared, .closedWritable]) { return .couldHave }
      return contains(.open) && !contains(.closedUnwritten) ? .couldHave : .didNot
    case .exec: return contains(.exec) ? .did : .didNot
    }
  }

  /// What can be said of `kind` for a time in which the file was only held: mapped or open since before.
  public func heldAnswer(_ kind: Kind) -> Answer {
    if contains(.denied) { return .didNot }
    switch kind {
    case .any: return .did
    case .read: return contains(.mapped) ? .did : .couldHave
    case .write:
      if !isDisjoint(with: [.mapWritable, .mapShared]) { return .couldHave }
      return isLeftOpen ? .couldHave : .didNot
    case .exec: return contains(.mapped) && contains(.exec) ? .did : .didNot
    }
  }
}
