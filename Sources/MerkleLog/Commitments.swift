/// What a seal commits: entries, which can name a person or a place, each under a salt of its own, and events, which are
/// integers that refer to entries and say nothing once those are erased.
///
/// ```
/// C     = HMAC(opening[16], "alibi.v1/c\0" ‖ u8 kind ‖ u64 id ‖ u32|value| ‖ value)
/// entry = "alibi.v1/entry\0" ‖ u8 kind ‖ u64 id ‖ C
/// event = "alibi.v1/event\0" ‖ u64 seq ‖ u64 t0 ‖ u64 t1 ‖ u32 ops ‖ u32 errno ‖ u32 count ‖ u64 process ‖ u64 file
/// root  = MTH over the entries first used in this seal, by id and then kind, then its events, by seq
/// ```
///
/// To erase an entry delete value and opening and keep C. The opening is random: derived from a kept key it would let
/// a guess at the value be checked.
public struct EntryCommitment: Sendable, Hashable {
  /// What it is of; the store's numbers.
  public let kind: UInt8
  /// Never used again for another entry of the kind.
  public let id: UInt64
  /// What stays after an erasure.
  public let commitment: Hash

  /// The entry that has this commitment.
  public init(kind: UInt8, id: UInt64, commitment: Hash) {
    self.kind = kind
    self.id = id
    self.commitment = commitment
  }

  /// Commits a value under a random opening; nil unless that has 16 bytes.
  public init?(kind: UInt8, id: UInt64, value: [UInt8], opening: [UInt8]) {
    guard opening.count == 16 else { return nil }
    var message = domain("c")
    message.append(kind)
    message.append(bigEndian: id)
    message.append(counted: value)
    self.init(kind: kind, id: id, commitment: .authentication(message, key: opening))
  }

  /// The bytes of the leaf.
  public var encoded: [UInt8] {
    var out = domain("entry")
    out.append(kind)
    out.append(bigEndian: id)
    return out + commitment.bytes
  }
}

/// An access as the integers that a seal commits.
public struct CommittedEvent: Sendable, Hashable {
  /// The number of the event, without holes.
  public var sequence: UInt64
  /// Nanoseconds since 1970; the access lies between the two.
  public var earliest: UInt64
  /// See `earliest`.
  public var latest: UInt64
  /// The bits of what was done and could have been done.
  public var operations: UInt32
  /// 0, or why the attempt was denied.
  public var errorNumber: UInt32
  /// Repeats within the episode.
  public var count: UInt32
  /// The entry of the process.
  public var process: UInt64
  /// The entry of the file.
  public var file: UInt64

  /// An event of these parts.
  public init(
    sequence: UInt64, earliest: UInt64, latest: UInt64, operations: UInt32, errorNumber: UInt32, count: UInt32,
    process: UInt64, file: UInt64
  ) {
    self.sequence = sequence
    self.earliest = earliest
    self.latest = latest
    self.operations = operations
    self.errorNumber = errorNumber
    self.count = count
    self.process = process
    self.file = file
  }

  /// The bytes of the leaf.
  public var encoded: [UInt8] {
    var out = domain("event")
    for value in [sequence, earliest, latest] { out.append(bigEndian: value) }
    for value in [operations, errorNumber, count] { out.append(bigEndian: value) }
    for value in [process, file] { out.append(bigEndian: value) }
    return out
  }
}

/// What a seal stands for.
public enum SealRoot {
  /// The root over a seal's entries and events, put into their order here.
  public static func root(entries: [EntryCommitment], events: [CommittedEvent]) -> Hash {
    let first = entries.sorted { ($0.id, $0.kind) < ($1.id, $1.kind) }.map(\.encoded)
    let second = events.sorted { $0.sequence < $1.sequence }.map(\.encoded)
    return LogCheck.root(of: (first + second).map(Hash.leaf))
  }
}
