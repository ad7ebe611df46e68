/// Mounts of the host's own namespace came or went: names beneath these places may be others now.
public struct MovedMounts: JournalValue, Hashable, Sendable {
  /// See `JournalValue`.
  public static let kind = EntryKind.mountsChanged

  /// Where the file systems are, or were, mounted that the changed mounts are of.
  public var places: [[UInt8]]

  /// These places.
  public init(places: [[UInt8]]) { self.places = places }

  /// See `JournalValue`.
  public func write(to writer: inout ByteWriter) {
    writer.write(UInt32(places.count))
    for place in places { writer.write(place) }
  }

  /// See `JournalValue`.
  public init(from reader: inout ByteReader) throws(JournalError) {
    places = []
    for _ in 0..<(try reader.integer(UInt32.self)) { places.append(try reader.byteString()) }
  }
}
