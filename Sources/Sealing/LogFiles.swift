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
    let known = try store?.publicKeys().filter { $0.role == "log" }.compactMap { VerifierKey(Array($0.verifier.utf8)) }
    let keys = pinned.map { [$0] } ?? known ?? []
    guard let bytes = read("\(directory)/checkpoint"), let note = SignedNote(bytes), let head = Checkpoint(note.text),
      note.signers(among: keys) != nil
    else { return (0, [Flaw("checkpoint", "is missing, malformed, or not signed by the log's key")]) }
    var flaws: [Flaw] = []
    var log = try Log(MemoryHashStore())
    for tile in Tile.added(new: head.size) where tile.level == 0 {
      guard let bytes = read("\(directory)/\(tile.entriesPath)"), let texts = Tile.records(ofBundle: bytes),
        texts.count == tile.width
      else { return (Int(log.size), [Flaw(tile.entriesPath, "is missing, or not so many records")]) }
      if let store, try store.texts(from: tile.range.lowerBound, count: tile.width) != texts {
        flaws.append(Flaw(tile.entriesPath, "has other records than the store"))
      }
      for text in texts { try log.append(record: text) }
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
