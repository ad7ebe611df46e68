internal import Journal
internal import Records

/// Writes or reads a value field by field: one list of fields serves both directions, so they cannot disagree.
struct Archive {
  private var writer = ByteWriter()
  private var reader: ByteReader?

  /// An archive to write into.
  init() {}

  /// An archive to read from.
  init(_ bytes: [UInt8]) {
    reader = ByteReader(bytes)
  }

  var isReading: Bool { reader != nil }
  var bytes: [UInt8] { writer.bytes }
  var isAtEnd: Bool { reader?.isAtEnd ?? true }

  mutating func callAsFunction<T: FixedWidthInteger>(_ value: inout T) throws(JournalError) {
    if isReading { value = try next() } else { writer.write(value) }
  }

  mutating func callAsFunction(_ value: inout Bool) throws(JournalError) {
    var number: UInt8 = value ? 1 : 0
    try self(&number)
    value = number != 0
  }

  mutating func callAsFunction(_ value: inout [UInt8]) throws(JournalError) {
    guard isReading else { return writer.write(value) }
    value = try reader?.byteString() ?? []
  }

  mutating func callAsFunction(_ value: inout String) throws(JournalError) {
    var bytes = Array(value.utf8)
    try self(&bytes)
    if isReading { value = String(decoding: bytes, as: UTF8.self) }
  }

  mutating func callAsFunction<T: RawRepresentable>(_ value: inout T) throws(JournalError)
  where T.RawValue: FixedWidthInteger {
    var raw = value.rawValue
    try self(&raw)
    guard isReading else { return }
    guard let read = T(rawValue: raw) else { throw fault }
    value = read
  }

  mutating func callAsFunction<T: RawRepresentable>(_ value: inout T) throws(JournalError)
  where T.RawValue == String {
    var raw = value.rawValue
    try self(&raw)
    guard isReading else { return }
    guard let read = T(rawValue: raw) else { throw fault }
    value = read
  }

  mutating func callAsFunction<T: Archived>(_ value: inout T) throws(JournalError) { try value.exchange(&self) }

  /// A value that may be missing.
  mutating func optional<T>(
    _ value: inout T?, _ blank: T, _ exchange: (inout Archive, inout T) throws(JournalError) -> Void
  ) throws(JournalError) {
    var isThere = value != nil
    try self(&isThere)
    guard isThere else {
      value = nil
      return
    }
    var present = value ?? blank
    try exchange(&self, &present)
    value = present
  }

  mutating func optional<T: Archived>(_ value: inout T?) throws(JournalError) {
    try optional(&value, T.blank) { (archive, value) throws(JournalError) in try archive(&value) }
  }

  mutating func optional<T: FixedWidthInteger>(_ value: inout T?) throws(JournalError) {
    try optional(&value, 0) { (archive, value) throws(JournalError) in try archive(&value) }
  }

  mutating func optional(_ value: inout String?) throws(JournalError) {
    try optional(&value, "") { (archive, value) throws(JournalError) in try archive(&value) }
  }

  mutating func list<T>(
    _ values: inout [T], _ blank: T, _ exchange: (inout Archive, inout T) throws(JournalError) -> Void
  ) throws(JournalError) {
    var count = UInt32(values.count)
    try self(&count)
    guard isReading else {
      for value in values {
        var value = value
        try exchange(&self, &value)
      }
      return
    }
    values = []
    for _ in 0..<count {
      var value = blank
      try exchange(&self, &value)
      values.append(value)
    }
  }

  mutating func list<T: Archived>(_ values: inout [T]) throws(JournalError) {
    try list(&values, T.blank) { (archive, value) throws(JournalError) in try archive(&value) }
  }

  /// A dictionary, in any order: it is a copy of memory, not a record.
  mutating func table<K: Hashable, V>(
    _ values: inout [K: V], _ blankKey: K, _ blank: V,
    _ exchange: (inout Archive, inout K, inout V) throws(JournalError) -> Void
  ) throws(JournalError) {
    var pairs = isReading ? [] : values.map { ($0.key, $0.value) }
    try list(&pairs, (blankKey, blank)) { (archive, pair) throws(JournalError) in
      try exchange(&archive, &pair.0, &pair.1)
    }
    if isReading { values = Dictionary(pairs, uniquingKeysWith: { $1 }) }
  }

  mutating func set<T: Hashable>(
    _ values: inout Set<T>, _ blank: T, _ exchange: (inout Archive, inout T) throws(JournalError) -> Void
  ) throws(JournalError) {
    var all = isReading ? [] : Array(values)
    try list(&all, blank, exchange)
    if isReading { values = Set(all) }
  }

  private mutating func next<T: FixedWidthInteger>() throws(JournalError) -> T {
    guard let value = try reader?.integer(T.self) else { throw fault }
    return value
  }

  private var fault: JournalError { .truncated(offset: reader?.offset ?? 0) }
}

/// A value that an archive can hold.
protocol Archived {
  /// Any value, to be read over.
  static var blank: Self { get }
  /// Names every field, in order.
  mutating func exchange(_ archive: inout Archive) throws(JournalError)
}

extension RawPath: Archived {
  static var blank: RawPath { RawPath([]) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    var raw = bytes
    try archive(&raw)
    if archive.isReading { self = RawPath(raw) }
  }
}

extension Timestamp: Archived {
  static var blank: Timestamp { Timestamp(nanoseconds: 0) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) { try archive(&nanoseconds) }
}

extension Interval: Archived {
  static var blank: Interval { Interval(from: .blank, to: .blank) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&from)
    try archive(&to)
  }
}

extension FileIdentity: Archived {
  static var blank: FileIdentity { FileIdentity(fileSystem: 0, inode: 0, generation: 0) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&fileSystem)
    try archive(&inode)
    try archive(&generation)
    try archive(&subvolume)
  }
}

extension ProcessKey: Archived {
  static var blank: ProcessKey { ProcessKey(pid: 0, startedAt: 0, provenance: .unknown) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&pid)
    try archive(&startedAt)
    try archive(&provenance)
  }
}

extension NameChange: Archived {
  static var blank: NameChange { NameChange(identity: .blank, from: nil, to: nil, time: .blank) }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&identity)
    try archive.optional(&from)
    try archive.optional(&to)
    try archive(&kind)
    try archive(&isSure)
    try archive(&time)
  }
}

extension Access: Archived {
  static var blank: Access {
    Access(
      session: nil, process: nil, path: nil, name: nil, identity: .blank, operations: [], result: 0, time: .blank,
      count: 0, attribution: .witnessed)
  }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive.optional(&session)
    try archive.optional(&process)
    try archive.optional(&path)
    try archive.optional(&name)
    try archive(&identity)
    try archive(&operations)
    try archive(&result)
    try archive(&time)
    try archive(&count)
    try archive(&attribution)
  }
}

extension SessionFacts: Archived {
  static var blank: SessionFacts {
    SessionFacts(uid: 0, loginUid: nil, userName: nil, terminal: nil, workingDirectory: nil, project: nil)
  }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&uid)
    try archive.optional(&loginUid)
    try archive.optional(&userName)
    try archive.optional(&terminal)
    try archive.optional(&workingDirectory)
    try archive.optional(&project)
  }
}

extension Session: Archived {
  static var blank: Session {
    Session(
      id: 0, key: "", agent: "", started: .blank, root: .blank, bootID: "", host: "", executable: .blank,
      executableIdentity: nil, version: nil, joinedLate: false, parent: nil, relation: nil, facts: nil)
  }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive(&id)
    try archive(&key)
    try archive(&agent)
    try archive(&started)
    try archive.optional(&ended)
    try archive(&root)
    try archive(&bootID)
    try archive(&host)
    try archive(&executable)
    try archive.optional(&executableIdentity)
    try archive.optional(&executableDigest, []) { (archive, value) throws(JournalError) in try archive(&value) }
    try archive.optional(&version)
    try archive(&joinedLate)
    try archive.optional(&parent)
    try archive.optional(&relation, .nested) { (archive, value) throws(JournalError) in try archive(&value) }
    try archive.optional(&facts)
  }
}
