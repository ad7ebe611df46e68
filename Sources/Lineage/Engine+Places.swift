internal import Decode
internal import Journal
internal import Records

/// Openings in classified places, as audit's watches told them and as fanotify did.
struct PlaceWatch {
  /// What audit watches.
  var places: [AuditPlaces.Place] = []
  /// CLOCK_MONOTONIC of the end of the last batch in which fanotify told that a process opened a file.
  var opened: [OpenedFile: UInt64] = [:]
  /// CLOCK_MONOTONIC of the last time that audit told that one began to.
  var heard: [OpenedFile: UInt64] = [:]
  /// What audit told of, until fanotify has told everything from before.
  var told: [Told] = []
  /// What fanotify told of, until audit has told everything from before.
  var owed: [Owed] = []
  /// Sessions with a ring of io_uring's, whose operations are no system calls.
  var ofRings: Set<Int64> = []
  /// CLOCK_MONOTONIC up to which audit had told when what it can tell of no more was forgotten.
  var sweptTo: UInt64 = 0
  /// CLOCK_MONOTONIC up to which something was forgotten for want of room.
  var unsureTo: UInt64 = 0

  struct OpenedFile: Hashable {
    var pid: Int32
    var fileSystem: UInt64
    var inode: UInt64

    init(_ pid: Int32, _ file: FileIdentity) {
      self.pid = pid
      fileSystem = file.fileSystem
      inode = file.inode
    }
  }

  struct Told {
    var pid: Int32
    var facts: Reconciliation.Told
    /// CLOCK_MONOTONIC when it had been read.
    var read: UInt64
  }

  struct Owed {
    var file: OpenedFile
    var session: Int64
    var path: RawPath
    var lower: UInt64
    var upper: UInt64
  }

  static let most = 65_536
}

// What a session's process opened in a classified place is told by both witnesses; who reads by a descriptor that is open,
// or by a mapping, is told by neither.
extension Engine {
  /// How long a call may take after fanotify told of what it opened: audit tells at its end.
  private static let longestOpening: UInt64 = 5_000_000_000
  private static let slack: UInt64 = 20_000_000

  mutating func note(_ places: AuditPlaces) { placeWatch.places = places.places }

  /// audit tells that a process of a session opened something, or tried to.
  mutating func noteOpening(_ told: AuditTold, in session: Int64, at stamp: UInt64) {
    guard !placeWatch.places.isEmpty else { return }
    if told.isOfRing { placeWatch.ofRings.insert(session) }
    guard told.isOpening, let file = file(of: told, at: stamp) else { return }
    makeRoom()
    placeWatch.heard[PlaceWatch.OpenedFile(told.pid, file)] = stamp
    guard told.key == .place, told.hasSucceeded, told.isRegular, told.isForContent,
      let run, stamp > reconciliation.begun ?? run.monotonic
    else { return }
    placeWatch.told.append(
      PlaceWatch.Told(
        pid: told.pid, facts: Reconciliation.Told(stamp: stamp, path: told.path, name: told.name, file: file),
        read: batch.upper))
  }

  /// fanotify tells that a process of a session opened a file.
  mutating func noteOpening(
    _ mask: FanotifyMask, of file: FileIdentity, at paths: [RawPath], by pid: Int32
  ) {
    guard !placeWatch.places.isEmpty, audit.isHeard, mask.contains(.open) else { return }
    let lives = processes.lives(pid)
    guard lives.contains(where: { $0.session != nil }) else { return }
    makeRoom()
    let opened = PlaceWatch.OpenedFile(pid, file)
    placeWatch.opened[opened] = batch.upper
    // The kernel itself opens what it executes, and what it dumps.
    guard mask.isDisjoint(with: [.openExec, .create]), lives.count == 1, let life = lives.first,
      let session = life.session, life.formerSessions.isEmpty, isWatched(life), let path = paths.first,
      paths.allSatisfy({ isClassified($0, on: file.fileSystem) })
    else { return }
    placeWatch.owed.append(
      PlaceWatch.Owed(file: opened, session: session, path: path, lower: batch.lower, upper: batch.upper))
  }

  private mutating func makeRoom() {
    guard placeWatch.opened.count + placeWatch.heard.count + placeWatch.owed.count >= PlaceWatch.most else { return }
    placeWatch.opened.removeAll()
    placeWatch.heard.removeAll()
    placeWatch.owed.removeAll()
    placeWatch.unsureTo = batch.upper
  }

  /// Whether a path lies where audit watches: on the place's own file system, for what is mounted beneath later is not
  /// watched with it.
  private func isClassified(_ path: RawPath, on fileSystem: UInt64) -> Bool {
    placeWatch.places.contains { place in
      guard let watched = fileSystems[place.device], watched.fileSystem == fileSystem, isComparable(watched) else {
        return false
      }
      if !place.isDirectory { return path.bytes == place.path }
      return path.bytes.count > place.path.count && path.bytes.starts(with: place.path)
        && path.bytes[place.path.count] == UInt8(ascii: "/")
    }
  }

  /// CLOCK_MONOTONIC of the oldest opening that only audit has told of so far.
  var unsettledPlacesSince: UInt64? { placeWatch.told.map(\.facts.stamp).min() }

  /// At the end of a batch.
  mutating func reconcilePlaces() {
    // Sessions may open thousands of files a second, wherever these lie.
    if let told = audit.toldTo, told > placeWatch.sweptTo.later(by: 1_000_000_000) {
      placeWatch.opened = placeWatch.opened.filter { $0.value.later(by: Self.longestOpening) >= told }
      placeWatch.sweptTo = told
    }
    guard !placeWatch.told.isEmpty || !placeWatch.owed.isEmpty else { return }
    let told = placeWatch.told, owed = placeWatch.owed
    placeWatch.told = told.filter { !settle($0) }
    placeWatch.owed = owed.filter { !settle($0) }
  }

  private mutating func settle(_ told: PlaceWatch.Told) -> Bool {
    // fanotify tells within the call, and audit behind it.
    guard told.read <= batch.emptied, overflowSince == nil, let file = told.facts.file else { return false }
    if let upper = placeWatch.opened[PlaceWatch.OpenedFile(told.pid, file)],
      upper.later(by: Self.slack) >= told.facts.stamp
    {
      count(told.facts.stamp, .places, \.both)
    } else if told.facts.stamp > max(lossUntil, placeWatch.unsureTo, audit.standing.unsureTo) {
      miss(
        "fanotify", told.facts, by: told.pid, to: told.facts.stamp, device: nil, inode: nil, matter: .places)
    }
    return true
  }

  private mutating func settle(_ owed: PlaceWatch.Owed) -> Bool {
    if let stamp = placeWatch.heard[owed.file], stamp.later(by: Self.longestOpening) >= owed.lower { return true }
    let end = owed.upper.later(by: Self.longestOpening)
    guard end < audit.toldTo ?? 0, end < audit.standing.wholeAt ?? 0 else { return false }
    guard audit.standing.unsureTo < owed.lower, audit.standing.toldTo == nil, placeWatch.unsureTo < owed.lower,
      !placeWatch.ofRings.contains(owed.session),
      reconciliation.killed[owed.file.pid].map({ $0 < owed.lower }) ?? true
    else { return true }
    count(owed.lower, .places, \.othersOnly)
    reconciliation.missed.append(("audit", "an opening by process \(owed.file.pid), \(owed.path)"))
    return true
  }

  mutating func sweepPlaces() {
    func isNew(_ time: UInt64) -> Bool { time.later(by: 3 * Self.longestOpening) > batch.upper }
    placeWatch.heard = placeWatch.heard.filter { isNew($0.value) }
    placeWatch.ofRings = placeWatch.ofRings.filter { sessions[$0] != nil }
  }
}

extension PlaceWatch: Archived {
  static var blank: PlaceWatch { PlaceWatch() }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive.list(&places, AuditPlaces.Place(path: [], isDirectory: false, device: 0)) {
      (archive, place) throws(JournalError) in
      try archive(&place.path)
      try archive(&place.isDirectory)
      try archive(&place.device)
    }
    try archive.table(&opened, .blank, 0) { (archive, file, time) throws(JournalError) in
      try archive(&file)
      try archive(&time)
    }
    try archive.table(&heard, .blank, 0) { (archive, file, time) throws(JournalError) in
      try archive(&file)
      try archive(&time)
    }
    try archive.list(&told, Told(pid: 0, facts: .blank, read: 0)) { (archive, told) throws(JournalError) in
      try archive(&told.pid)
      try archive(&told.facts)
      try archive(&told.read)
    }
    try archive.list(&owed, Owed(file: .blank, session: 0, path: .blank, lower: 0, upper: 0)) {
      (archive, owed) throws(JournalError) in
      try archive(&owed.file)
      try archive(&owed.session)
      try archive(&owed.path)
      try archive(&owed.lower)
      try archive(&owed.upper)
    }
    try archive.set(&ofRings, 0) { (archive, session) throws(JournalError) in try archive(&session) }
    try archive(&sweptTo)
    try archive(&unsureTo)
  }
}

extension PlaceWatch.OpenedFile: Archived {
  static var blank: Self { Self(0, .blank) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&pid)
    try archive(&fileSystem)
    try archive(&inode)
  }
}
