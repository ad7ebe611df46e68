/// A log as files (C2SP tlog-tiles), which other people's tools read and a write-once store keeps:
///
/// ```
/// checkpoint                        the signed head
/// tile/<level>/<index>[.p/<width>]  up to 256 hashes of 32 bytes: the roots of the subtrees of 256^level leaves
/// tile/entries/<index>[.p/<width>]  up to 256 records, each `u16 length ‖ bytes`
/// ```
///
/// The index is written in groups of three digits, all but the last behind an `x`: 1234067 is `x001/x234/067`. Only the
/// last tile of a level may be partial; its width is then in its path, and no tile above has its hash.
public struct Tile: Hashable, Sendable {
  /// Hashes in a full tile.
  public static let fullWidth = 256

  /// 0 for leaf hashes; each level spans 256 times as much.
  public let level: Int
  /// The place in the level.
  public let index: UInt64
  /// How many hashes it has, at most 256.
  public let width: Int

  /// A tile.
  ///
  /// - Precondition: the width is 1 to 256.
  public init(level: Int, index: UInt64, width: Int) {
    precondition((1...Self.fullWidth).contains(width), "a tile has 1 to 256 hashes")
    self.level = level
    self.index = index
    self.width = width
  }

  /// The file of the hashes, below the log's directory.
  public var path: String { "tile/\(level)/\(place)" }

  /// The file of the records that a tile of level 0 has the hashes of.
  public var entriesPath: String { "tile/entries/\(place)" }

  /// The leaves or subtrees in the tile.
  public var range: Range<UInt64> { index * 256..<index * 256 + UInt64(width) }

  private var place: String {
    var rest = index
    var groups: [String] = []
    repeat {
      let digits = String(rest % 1000)
      let padded = String(repeating: "0", count: 3 - digits.count) + digits
      groups.append(groups.isEmpty ? padded : "x" + padded)
      rest /= 1000
    } while rest > 0
    let whole = groups.reversed().joined(separator: "/")
    return width == Self.fullWidth ? whole : "\(whole).p/\(width)"
  }

  /// The tiles that a tree of `new` leaves has and one of `old` leaves had not, full ones and partial ones.
  public static func added(old: UInt64 = 0, new: UInt64) -> [Tile] {
    var tiles: [Tile] = []
    var level = 0
    while level < 8, new >> UInt64(8 * level) > 0 {
      let before = old >> UInt64(8 * level)
      let after = new >> UInt64(8 * level)
      if after > before {
        for index in before / 256...(after - 1) / 256 {
          let width = Int(min(256, after - index * 256))
          tiles.append(Tile(level: level, index: index, width: width))
        }
      }
      level += 1
    }
    return tiles
  }

  /// The content of the file at `path`.
  public func hashes(from store: some HashStore) throws -> [UInt8] {
    let numbers = range.map { StoredHash.number(level: 8 * level, $0) }
    return try store.hashes(at: numbers).flatMap(\.bytes)
  }

  /// The content of the file at `entriesPath`; nil where a record is longer than 65,535 bytes.
  public static func bundle(_ records: some Sequence<[UInt8]>) -> [UInt8]? {
    var out: [UInt8] = []
    for record in records {
      guard let length = UInt16(exactly: record.count) else { return nil }
      out.append(bigEndian: length)
      out += record
    }
    return out
  }

  /// The records in an entry bundle; nil where bytes are missing or left.
  public static func records(ofBundle bytes: [UInt8]) -> [[UInt8]]? {
    var records: [[UInt8]] = []
    var at = 0
    while at < bytes.count {
      guard at + 2 <= bytes.count else { return nil }
      let end = at + 2 + Int(bytes[at]) << 8 + Int(bytes[at + 1])
      guard end <= bytes.count, records.count < fullWidth else { return nil }
      records.append(Array(bytes[(at + 2)..<end]))
      at = end
    }
    return records
  }
}
