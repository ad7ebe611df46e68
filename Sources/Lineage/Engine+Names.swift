internal import Decode
internal import Journal
internal import Records

// What files and directories are and were called: kept of anybody, without the person.
extension Engine {
  /// What an event tells of names. Runs for everybody's events, so it copies only where something changed.
  mutating func gatherName(_ record: FanotifyRecord, in bytes: RawSpan) {
    let mask = record.mask
    if !nameEvents.unopened.isEmpty, mask.contains(.open),
      let target = record.target.flatMap({ identity($0, in: bytes) })
    {
      nameEvents.noteOpening(target)
    }
    guard !mask.isDisjoint(with: [.create, .delete, .rename, .attribute, .deleteSelf]), record.pid != run?.ownPid
    else { return }
    guard let target = record.target.flatMap({ identity($0, in: bytes) }) else { return }
    if mask.contains(.deleteSelf) { nameEvents.noteDeath(target) }
    if mask.contains(.onDirectory) {
      guard !mask.isDisjoint(with: [.create, .delete, .rename]),
        let parent = record.directory.flatMap({ reference($0, in: bytes) })
      else { return }
      directoryEvents.append(
        DirectoryEvent(
          mask: mask, pid: record.pid, target: target, parent: parent, name: bytes.copy(record.name),
          newParent: record.newDirectory.flatMap { reference($0, in: bytes) }, newName: bytes.copy(record.newName)))
      return
    }
    if !mask.isDisjoint(with: [.create, .delete, .rename]) {
      var entry = NameEvents.Entry(mask: mask, pid: record.pid, target: target, parent: nil)
      if mask.intersection([.create, .delete, .rename, .open]) != [.create, .open] {
        entry.parent = record.directory.flatMap { reference($0, in: bytes) }
        entry.name = bytes.copy(record.name)
        entry.newParent = record.newDirectory.flatMap { reference($0, in: bytes) }
        entry.newName = bytes.copy(record.newName)
      }
      nameEvents.note(entry, in: batchNumber)
    } else if mask.contains(.attribute), record.directory == nil {
      nameEvents.noteCount(ProcessFile(pid: record.pid, identity: target))
    }
  }

  // MARK: - Directories

  /// Directories made, renamed and removed by anybody, before any path of this batch is told.
  mutating func learnDirectories(_ oracle: inout some Oracle) {
    for event in directoryEvents where event.mask.contains(.delete) {
      // Nobody can be asked for its path any more; its removal tells it.
      if let target = event.target { directories.noteRemoval(of: target, called: event.name, in: event.parent) }
    }
    for event in directoryEvents {
      guard let target = event.target else { continue }
      let parent = path(of: event.parent, &oracle)
      let name = parent?.appending(event.name)
      if event.mask.contains(.create) {
        if let name { directories.learn(target, name) }
        write(newborns.insert(target))
      }
      if event.mask.contains(.rename) { renameDirectory(event, target, from: name, &oracle) }
      if event.mask.contains(.delete) {
        directories.delete(target)
        if newborns[target] != nil {
          _ = newborns.remove(target)
        } else {
          place(
            UnplacedEnding(
              file: target, kind: .directory, directory: event.parent, name: event.name, isSure: true, time: span),
            parent)
        }
      }
    }
  }

  private mutating func renameDirectory(
    _ event: DirectoryEvent, _ target: FileIdentity, from name: RawPath?, _ oracle: inout some Oracle
  ) {
    // What lies beneath may have been touched, so its former name matters.
    write(newborns.remove(target))
    guard let parent = event.newParent else { return }
    guard let to = path(of: parent, &oracle)?.appending(event.newName) else {
      // It is somewhere, and so is all beneath it.
      directories.forget(beneath: name)
      write(
        NameChange(
          identity: target, from: name ?? RawPath(event.name), to: RawPath(event.newName), kind: .directory,
          time: span))
      return
    }
    directories.rename(target, from: name, to: to)
    write(NameChange(identity: target, from: name ?? RawPath(event.name), to: to, kind: .directory, time: span))
  }

  // MARK: - Files

  /// What became of names in this batch, once everything in it has been attributed: a removal may come before an
  /// access in the queue and after it in truth.
  ///
  /// - Parameter flush: whether somebody waits: then nothing may wait for what later batches tell.
  mutating func settleNames(flush: Bool, _ oracle: inout some Oracle) {
    let waiting = unplaced
    unplaced.removeAll(keepingCapacity: true)
    for (entry, time, left) in nameEvents.late {
      if flush || left == 0 || !nameEvents.unopened.contains(entry.target) {
        settleLate(entry, time, &oracle)
      } else {
        nameEvents.wait(for: entry, since: time, left: left)
      }
    }
    for entry in nameEvents.entries { settle(entry, flush: flush, &oracle) }
    for replaced in replacedFiles { settle(replaced, &oracle) }
    for file in nameEvents.died { newborns.update(file) { $0.isDead = true } }
    forgetWritten()
    let all = waiting + unplaced
    unplaced.removeAll(keepingCapacity: true)
    for ending in all { retry(ending, flush: flush, &oracle) }
    replacedFiles.removeAll(keepingCapacity: true)
    touched.removeAll(keepingCapacity: true)
    singles.removeAll(keepingCapacity: true)
    nameEvents.endBatch(batchNumber)
  }

  private mutating func settle(_ entry: NameEvents.Entry, flush: Bool, _ oracle: inout some Oracle) {
    let file = entry.target
    if entry.mask.contains(.create) { settleCreation(entry, flush: flush, &oracle) }
    guard let parent = entry.parent else { return }
    if entry.mask.contains(.rename), let newParent = entry.newParent {
      let old = places(of: entry.name, in: parent, &oracle)
      let new = places(of: entry.newName, in: newParent, &oracle)
      change(file, from: old[0], to: new[0])
      for other in old.dropFirst() { change(file, from: other, to: new[0]) }
      for other in new.dropFirst() { change(file, from: old[0], to: other) }
    }
    if entry.mask.contains(.delete) { end(file, of: entry.name, in: parent, isSure: true, &oracle) }
  }

  private mutating func settleCreation(
    _ entry: NameEvents.Entry, flush: Bool, _ oracle: inout some Oracle
  ) {
    let file = entry.target
    guard !entry.mask.contains(.open), let parent = entry.parent else {
      if !touched.contains(file) { write(newborns.insert(file)) }
      return
    }
    if nameEvents.hasCount(ProcessFile(pid: entry.pid, identity: file)) {
      // A link. From now on it has, or had, names that nobody told. But a removal changes a count too, so what was
      // made and removed at once may have been a symbolic link.
      if newborns[file] == nil, entry.mask.contains(.delete) {
        write(newborns.insert(file, isSymbolicLink: true))
      } else if newborns[file]?.isSymbolicLink == false {
        write(newborns.remove(file))
      }
      newborns.update(file) { $0.isLinked = true }
      for place in places(of: entry.name, in: parent, &oracle) { change(file, from: nil, to: place) }
    } else {
      write(newborns.insert(file, isSymbolicLink: true))
      if flush { writeLink(entry, at: span, &oracle) } else { nameEvents.wait(for: entry, since: span) }
    }
  }

  /// What was created in an earlier batch without being opened: a file, if it was opened since.
  private mutating func settleLate(_ entry: NameEvents.Entry, _ time: Interval, _ oracle: inout some Oracle) {
    guard !nameEvents.unopened.contains(entry.target) else { return writeLink(entry, at: time, &oracle) }
    newborns.update(entry.target) { $0.isSymbolicLink = false }
    if touched.contains(entry.target) { write(newborns.remove(entry.target)) }
  }

  private mutating func writeLink(_ entry: NameEvents.Entry, at time: Interval, _ oracle: inout some Oracle) {
    guard let parent = entry.parent else { return }
    for place in places(of: entry.name, in: parent, &oracle) {
      write(NameChange(identity: entry.target, from: nil, to: place, kind: .symbolicLink, time: time))
    }
  }

  private mutating func settle(_ replaced: NameEvents.Replaced, _ oracle: inout some Oracle) {
    let file = replaced.file.identity
    // It had one name, whose removal has been told.
    if !replaced.isSure, singles.contains(file) { return }
    guard replaced.targets.count <= NameEvents.most else {
      return change(file, from: RawPath([]), to: nil, isSure: false)
    }
    for target in replaced.targets {
      end(file, of: target.name, in: target.directory, isSure: replaced.isSure, &oracle)
    }
  }

  /// A file lost a name.
  private mutating func end(
    _ file: FileIdentity, of name: [UInt8], in directory: DirectoryReference, isSure: Bool, _ oracle: inout some Oracle
  ) {
    if let newborn = newborns[file], !newborn.isLinked { singles.insert(file) }
    if let newborn = newborns[file], !newborn.isSymbolicLink {
      newborns.update(file) { $0.isNameless = true }
      // Gone without a holder: nobody will ask what it was called.
      if newborn.isDead || nameEvents.died.contains(file) { return newborns.update(file) { $0.isDead = true } }
    }
    let found = paths(of: name, in: directory, &oracle)
    if found.isEmpty, newborns[file]?.isSymbolicLink != false {
      let kind: NameChange.Kind = newborns[file] == nil ? .file : .symbolicLink
      place(
        UnplacedEnding(file: file, kind: kind, directory: directory, name: name, isSure: isSure, time: span), nil)
    }
    // A newborn's changes wait as they are: few are ever written.
    if found.isEmpty, newborns[file]?.isSymbolicLink == false {
      change(file, from: RawPath(name), to: nil, isSure: isSure)
    }
    for place in found { change(file, from: place, to: nil, isSure: isSure) }
    if newborns[file]?.isSymbolicLink == true { newborns.update(file) { $0.isNameless = true } }
  }

  /// Writes the end of a name, or waits for what tells the path of its directory: it may have gone after it.
  private mutating func place(_ ending: UnplacedEnding, _ directory: RawPath?) {
    if let directory {
      write(
        NameChange(
          identity: ending.file, from: directory.appending(ending.name), to: nil, kind: ending.kind,
          isSure: ending.isSure, time: ending.time))
    } else if unplaced.count < Self.mostUnplaced {
      unplaced.append(ending)
    } else {
      writeBare(ending)
    }
  }

  private mutating func retry(_ ending: UnplacedEnding, flush: Bool, _ oracle: inout some Oracle) {
    var ending = ending
    ending.batchesLeft -= 1
    if let directory = path(of: ending.directory, &oracle) {
      place(ending, directory)
    } else if flush || ending.batchesLeft == 0 {
      writeBare(ending)
    } else {
      unplaced.append(ending)
    }
  }

  /// The name alone is kept, where its directory remains unknown.
  private mutating func writeBare(_ ending: UnplacedEnding) {
    write(
      NameChange(
        identity: ending.file, from: RawPath(ending.name), to: nil, kind: ending.kind, isSure: ending.isSure,
        time: ending.time))
  }

  /// The paths that an entry of a directory had in the batch; its bare name where the directory cannot be told.
  private mutating func places(
    of name: [UInt8], in directory: DirectoryReference, _ oracle: inout some Oracle
  ) -> [RawPath] {
    let found = paths(of: name, in: directory, &oracle)
    return found.isEmpty ? [RawPath(name)] : found
  }

  /// Writes a change of a file's names, or keeps it in mind while nobody needs to know it.
  private mutating func change(_ file: FileIdentity, from: RawPath?, to: RawPath?, isSure: Bool = true) {
    let newborn = newborns[file]
    let change = NameChange(
      identity: file, from: from, to: to, kind: newborn?.isSymbolicLink == true ? .symbolicLink : .file,
      isSure: isSure, time: span)
    if let newborn, !newborn.isSymbolicLink, newborn.changes.count < 16 {
      newborns.update(file) { $0.changes.append(change) }
    } else {
      if newborn?.isSymbolicLink == false { write(newborns.remove(file)) }
      write(change)
    }
  }

  /// A session, or somebody who may be of one, did something with a file: what it is called matters from now on.
  mutating func touch(_ file: FileIdentity) {
    touched.insert(file)
    if let newborn = newborns[file], !newborn.isSymbolicLink { write(newborns.remove(file)) }
  }

  private mutating func write(_ change: NameChange) { findings.append(.name(change)) }

  private mutating func write(_ changes: [NameChange]) {
    for change in changes { write(change) }
  }
}

/// An end of a name in a directory whose path cannot be told yet.
struct UnplacedEnding: Hashable {
  var file: FileIdentity
  var kind: NameChange.Kind
  var directory: DirectoryReference
  var name: [UInt8]
  var isSure: Bool
  var time: Interval
  var batchesLeft = DirectoryNames.patience

  static var blank: UnplacedEnding {
    UnplacedEnding(file: .blank, kind: .file, directory: .blank, name: [], isSure: true, time: .blank)
  }
}
