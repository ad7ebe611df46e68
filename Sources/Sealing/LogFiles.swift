internal import Certificates
public import Evidence
internal import Glibc
internal import LinuxKernel
public import MerkleLog

/// A log as files that other people's tools read and a write-once store keeps; see `Tile`.
public enum LogFiles {
  /// What was written.
  public struct Made: Sendable, Hashable {
    /// How many records the signed head has.
    public var size: UInt64
    /// How many files lie beside the head.
    public var files = 0
  }

  /// Writes tiles, records and the newest signed head of a store beneath a directory.
  public static func write(_ store: StoreReader, to directory: String) throws -> Made {
    guard let (size, note) = try store.checkpoint() else { throw StoreError.damaged("no head is signed") }
    var log = try Log(MemoryHashStore())
    var made = Made(size: size)
    for tile in Tile.added(new: size) where tile.level == 0 {
      let texts = try store.texts(from: tile.range.lowerBound, count: tile.width)
      guard texts.count == tile.width, let bundle = Tile.bundle(texts) else {
        throw StoreError.damaged("records of the log are missing")
      }
      for text in texts { try log.append(record: text) }
      try write(bundle, to: "\(directory)/\(tile.entriesPath)")
      made.files += 1
    }
    for tile in Tile.added(new: size) {
      try write(try tile.hashes(from: log.store), to: "\(directory)/\(tile.path)")
      made.files += 1
    }
    // Last: where it is, the rest is.
    try write(note, to: "\(directory)/checkpoint")
    return made
  }

  /// Copies the segments of a store into the directory of a copy of it, as they are; how many there are.
  ///
  /// - Parameter state: where the store is that the copy is of.
  public static func copySegments(of copy: StoreReader, from state: String) throws -> Int {
    let segments = try copy.segments()
    let (source, target) = (KeptSegment.directory(state), KeptSegment.directory(copy.directory))
    if !segments.isEmpty { try OwnFiles.makeDirectory(target, mode: 0o750) }
    for segment in segments {
      let from = try OwnedDescriptor.open("\(source)/\(segment.file)", .readOnly)
      let to = try OwnedDescriptor.open("\(target)/\(segment.file)", [.writeOnly, .create, .truncate])
      _ = fchmod(to.raw, 0o444)
      var part = try from.readAll(limit: 1 << 20)
      while !part.isEmpty {
        try to.write(part)
        part = try from.readAll(limit: 1 << 20)
      }
      guard fsync(to.raw) == 0 else { throw Errno(rawValue: errno) }
      // What was erased meanwhile is in the store, and not in the copy.
      if let fault = segment.fault(in: copy.directory, isThorough: true) { throw StoreError.incomplete(fault) }
    }
    return segments.count
  }

  /// What is wrong with the log's files beneath a directory.
  ///
  /// - Parameters:
  ///   - store: the store beside them, whose records they must be; nil where there is none.
  ///   - pinned: the key that the auditor has of this log; nil to believe the store's.
  public static func flaws(in directory: String, store: StoreReader?, pinned: VerifierKey?) throws -> (
    records: Int, flaws: [Flaw]
  ) {
    guard let bytes = read("\(directory)/checkpoint"), let note = SignedNote(bytes), let head = Checkpoint(note.text)
    else { return (0, [Flaw("checkpoint", "is missing or malformed")]) }
    var flaws: [Flaw] = []
    var ofKeys: [(record: LogRecord, index: UInt64)] = []
    var log = try Log(MemoryHashStore())
    // Nobody has shown yet that the head is the log's: it may claim any size, so that what is there sets the limit.
    while log.size < head.size {
      let tile = Tile(level: 0, index: log.size / 256, width: Int(min(256, head.size - log.size)))
      guard let bytes = read("\(directory)/\(tile.entriesPath)"), let texts = Tile.records(ofBundle: bytes),
        texts.count == tile.width
      else { return (Int(log.size), [Flaw(tile.entriesPath, "is missing, or not so many records")]) }
      if let store, try store.texts(from: tile.range.lowerBound, count: tile.width) != texts {
        flaws.append(Flaw(tile.entriesPath, "has other records than the store"))
      }
      for text in texts {
        let index = try log.append(record: text)
        if let record = LogRecord(text), [.genesis, .key].contains(record.kind) { ofKeys.append((record, index)) }
      }
    }
    // Which keys are the log's it says itself, beginning with one that is known.
    if let chain = KeyChain(ofKeys), pinned.map({ chain.isReached(from: [$0]) }) ?? (store != nil) {
      if note.signers(among: [chain.key.log]) == nil || head.origin != chain.key.log.name {
        flaws.append(Flaw("checkpoint", "is not signed by the log's key"))
      }
    } else {
      flaws.append(Flaw("checkpoint", "is of another log than yours, or its records of the keys do not hold"))
    }
    for tile in Tile.added(new: head.size) where try read("\(directory)/\(tile.path)") != tile.hashes(from: log.store) {
      flaws.append(Flaw(tile.path, "is missing, or not the hashes of the records"))
    }
    if try log.root() != head.root { flaws.append(Flaw("checkpoint", "is the head of another log")) }
    return (Int(log.size), flaws)
  }

  private static func read(_ path: String) -> [UInt8]? { try? Procfs.file(path, limit: 256 * 65_537) }

  private static func write(_ bytes: [UInt8], to path: String) throws(Errno) {
    if let cut = path.lastIndex(of: "/") { try OwnFiles.makeDirectory(String(path[..<cut]), mode: 0o755) }
    let file = try OwnedDescriptor.open(path, [.writeOnly, .create, .truncate])
    _ = fchmod(file.raw, 0o444)
    try file.write(bytes)
    guard fsync(file.raw) == 0 else { throw Errno(rawValue: errno) }
  }
}
