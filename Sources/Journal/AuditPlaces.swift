/// The classified places that audit watches from now on.
public struct AuditPlaces: JournalValue, Hashable, Sendable {
  /// See `JournalValue`.
  public static let kind = EntryKind.auditPlaces

  /// One of them.
  public struct Place: Hashable, Sendable {
    /// Its path, without a slash at its end.
    public var path: [UInt8]
    /// Whether everything beneath is watched; else it is this name.
    public var isDirectory: Bool
    /// `st_dev`, major in the upper and minor in the lower 32 bits; 0 where nothing was there.
    public var device: UInt64

    /// A place of these facts.
    public init(path: [UInt8], isDirectory: Bool, device: UInt64) {
      self.path = path
      self.isDirectory = isDirectory
      self.device = device
    }
  }

  /// All of them.
  public var places: [Place]

  /// These places.
  public init(places: [Place]) { self.places = places }

  /// See `JournalValue`.
  public func write(to writer: inout ByteWriter) {
    writer.write(UInt32(places.count))
    for place in places {
      writer.write(place.path)
      writer.write(UInt8(place.isDirectory ? 1 : 0))
      writer.write(place.device)
    }
  }

  /// See `JournalValue`.
  public init(from reader: inout ByteReader) throws(JournalError) {
    places = []
    for _ in 0..<(try reader.integer(UInt32.self)) {
      places.append(
        Place(
          path: try reader.byteString(), isDirectory: try reader.integer(UInt8.self) != 0, device: try reader.integer())
      )
    }
  }
}
