internal import Journal
internal import Records

/// Files and directories that were seen to be created and that no session has touched since: as long as that is so,
/// nobody needs to know what they were called.
///
/// So churn leaves no rows. What would have to be written is kept here until a session touches the file, or until it
/// is gone with its last holder. The table is bounded: what it forgets is written, or only its end will be.
struct Newborns {
  /// One of them.
  struct Newborn: Hashable {
    /// Its changes of name, none of which has been written.
    var changes: [NameChange] = []
    /// Whether it was created without being opened, as a symbolic link is. Its changes are written at once.
    var isSymbolicLink = false
    /// Whether it got a second name.
    var isLinked = false
    /// Whether its last name is gone; a holder may still hand it on.
    var isNameless = false
    /// Whether it is gone itself.
    var isDead = false
  }

  static let capacity = 65_536

  /// Two halves: the older one is forgotten as a whole.
  private(set) var young: [FileIdentity: Newborn] = [:]
  private(set) var old: [FileIdentity: Newborn] = [:]

  /// The newborn of that identity, if it is still one.
  subscript(identity: FileIdentity) -> Newborn? { young[identity] ?? old[identity] }

  /// Takes one in. Returns what must be written of those that are forgotten for it.
  mutating func insert(_ identity: FileIdentity, isSymbolicLink: Bool = false) -> [NameChange] {
    guard self[identity] == nil else { return [] }
    young[identity] = Newborn(isSymbolicLink: isSymbolicLink)
    guard young.count >= Self.capacity / 2 else { return [] }
    let forgotten = old.values.filter { !$0.isDead }.flatMap(\.changes)
    old = young
    young = [:]
    // A dictionary's order is arbitrary; the same journal must give the same records.
    return forgotten.sorted {
      ($0.time.from, $0.identity.inode, $0.identity.fileSystem) < (
        $1.time.from, $1.identity.inode, $1.identity.fileSystem
      )
    }
  }

  /// Changes one; nothing happens where there is none. It goes once it has neither a name nor a life.
  mutating func update(_ identity: FileIdentity, _ change: (inout Newborn) -> Void) {
    guard var newborn = self[identity] else { return }
    change(&newborn)
    let kept = newborn.isNameless && newborn.isDead ? nil : newborn
    if young[identity] != nil { young[identity] = kept } else { old[identity] = kept }
  }

  /// Takes one out, and returns what must be written of it now.
  mutating func remove(_ identity: FileIdentity) -> [NameChange] {
    (young.removeValue(forKey: identity) ?? old.removeValue(forKey: identity))?.changes ?? []
  }
}

extension Newborns: Archived {
  static var blank: Newborns { Newborns() }

  /// Of very many those alone of which something would have to be written: forgetting the others only means that
  /// more is.
  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    var known = archive.isReading ? [:] : young.merging(old) { $1 }
    if known.count > 2000 { known = known.filter { !$0.value.changes.isEmpty } }
    try archive.table(&known, .blank, Newborn()) { (archive, identity, newborn) throws(JournalError) in
      try archive(&identity)
      try archive.list(&newborn.changes)
      try archive(&newborn.isSymbolicLink)
      try archive(&newborn.isLinked)
      try archive(&newborn.isNameless)
      try archive(&newborn.isDead)
    }
    if archive.isReading { young = known }
  }
}
