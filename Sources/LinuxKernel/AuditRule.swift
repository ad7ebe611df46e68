internal import CLinux

/// One rule of the kernel's audit filters, `struct audit_rule_data`.
public struct AuditRule: Hashable, Sendable, CustomStringConvertible {
  /// Which filter it belongs to.
  public enum List: UInt32, Sendable, CaseIterable {
    /// AUDIT_FILTER_USER: messages that programs send.
    case user = 0
    /// AUDIT_FILTER_TASK: whether a new task is audited at all.
    case task = 1
    /// AUDIT_FILTER_EXIT: system calls at their end, and watches.
    case exit = 4
    /// AUDIT_FILTER_EXCLUDE: records that are not made.
    case exclude = 5
    /// AUDIT_FILTER_FS: file systems that are not looked at.
    case fileSystem = 6
    /// AUDIT_FILTER_URING_EXIT: operations of io_uring (Linux 5.16).
    case ioUring = 7

    /// As auditctl calls it.
    public var name: String {
      switch self {
      case .user: "user"
      case .task: "task"
      case .exit: "exit"
      case .exclude: "exclude"
      case .fileSystem: "filesystem"
      case .ioUring: "io_uring"
      }
    }
  }

  /// How a field is compared, AUDIT_EQUAL and the others.
  public struct Comparison: RawRepresentable, Hashable, Sendable {
    /// As in linux/audit.h.
    public let rawValue: UInt32
    /// The comparison of these bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// As auditctl writes them; the longer ones first.
    static let symbols: [(text: String, comparison: Comparison)] = [
      ("!=", Comparison(rawValue: 0x3000_0000)), (">=", Comparison(rawValue: 0x6000_0000)),
      ("<=", Comparison(rawValue: 0x5000_0000)), ("&=", Comparison(rawValue: 0x4800_0000)),
      ("=", Comparison(rawValue: 0x4000_0000)), (">", Comparison(rawValue: 0x2000_0000)),
      ("<", Comparison(rawValue: 0x1000_0000)), ("&", Comparison(rawValue: 0x0800_0000)),
    ]
    static let equal = Comparison(rawValue: 0x4000_0000)
  }

  /// One condition.
  public struct Field: Hashable, Sendable {
    /// AUDIT_PID and the others.
    public var id: UInt32
    /// How.
    public var comparison: Comparison
    /// With what; the length of `text` where there is one.
    public var value: UInt32
    /// A path or a key.
    public var text: [UInt8]

    init(id: Int32, _ comparison: Comparison = .equal, value: UInt32) {
      self.id = UInt32(id)
      self.comparison = comparison
      self.value = value
      text = []
    }

    init(id: Int32, _ comparison: Comparison = .equal, text: [UInt8]) {
      self.id = UInt32(id)
      self.comparison = comparison
      value = UInt32(text.count)
      self.text = text
    }

    /// Those whose value lies in the rule's buffer.
    static func hasText(_ id: UInt32) -> Bool {
      switch Int32(truncatingIfNeeded: id) {
      case AUDIT_WATCH, AUDIT_DIR, AUDIT_FILTERKEY, AUDIT_EXE: true
      case AUDIT_SUBJ_USER...AUDIT_SUBJ_CLR, AUDIT_OBJ_USER...AUDIT_OBJ_LEV_HIGH: true
      default: false
      }
    }
  }

  /// The filter.
  public var list: List
  /// AUDIT_ALWAYS, or AUDIT_NEVER.
  public var isAlways: Bool
  /// The numbers of the system calls or operations it is about, 64 words of 32 bits.
  public var mask: [UInt32]
  /// The conditions, all of which must hold.
  public var fields: [Field]

  /// A rule about no system call yet, without conditions.
  public init(list: List, isAlways: Bool) {
    self.list = list
    self.isAlways = isAlways
    mask = [UInt32](repeating: 0, count: 64)
    fields = []
  }

  mutating func include(_ number: Int32) {
    guard (0..<2032).contains(number) else { return }
    mask[Int(number / 32)] |= 1 << UInt32(number % 32)
  }

  /// The last sixteen bits stand for classes of calls, which the kernel replaces by their numbers.
  private static let everything = [UInt32](repeating: .max, count: 63) + [0xffff]

  mutating func includeAll() { mask = Self.everything }

  /// The numbers that are in the mask; nil where all are.
  var numbers: [Int32]? {
    if mask == Self.everything { return nil }
    return (0..<2032).filter { mask[Int($0 / 32)] & 1 << UInt32($0 % 32) != 0 }
  }

  /// The key; several are separated by a byte 1.
  public var key: [UInt8]? { fields.first { $0.id == UInt32(AUDIT_FILTERKEY) }?.text }

  /// Whether it is one of Alibi's.
  public var isOurs: Bool { key?.starts(with: AuditState.keyPrefix) ?? false }

  /// Whether it can keep a record from being made that a rule of ours would make.
  public var isSilencing: Bool { !isOurs && (list == .exclude || list == .fileSystem || !isAlways) }

  /// Spares the service itself: calls that it makes all day and that rules are about, made by this executable, raise
  /// nothing. To be added before the rules that it takes from; its own key is `alibi-self`.
  ///
  /// Without it every directory handle that is resolved would be a record, and the record work for who resolves.
  /// Nil on a machine that libaudit does not know.
  public static func sparing(_ executable: [UInt8]) -> AuditRule? {
    guard let machine = AuditNames.Machine.own else { return nil }
    var rule = AuditRule(list: .exit, isAlways: false)
    rule.fields = [
      Field(id: AUDIT_ARCH, value: machine.arch), Field(id: AUDIT_EXE, text: executable),
      Field(id: AUDIT_FILTERKEY, text: AuditState.keyPrefix + Array("self".utf8)),
    ]
    for name in ["open_by_handle_at", "name_to_handle_at", "fanotify_mark", "perf_event_open", "setns", "mount"] {
      guard let number = AuditNames.number(ofSystemCall: name, machine: machine) else { return nil }
      rule.include(number)
    }
    return rule
  }

  /// Watches a place of any bytes, also such as a rule file cannot name: reads, writes, executions and changes of
  /// attributes, and opens through io_uring, which a watch alone does not see.
  ///
  /// - Parameters:
  ///   - path: absolute, without a slash at its end.
  ///   - isDirectory: with all beneath it.
  ///   - name: what the key says behind `alibi-`.
  public static func watching(_ path: [UInt8], isDirectory: Bool, as name: String = placeName) -> [AuditRule] {
    let key = Field(id: AUDIT_FILTERKEY, text: AuditState.keyPrefix + Array(name.utf8))
    var watch = AuditRule(list: .exit, isAlways: true)
    watch.includeAll()
    let all = AUDIT_PERM_READ | AUDIT_PERM_WRITE | AUDIT_PERM_EXEC | AUDIT_PERM_ATTR
    watch.fields = [
      Field(id: isDirectory ? AUDIT_DIR : AUDIT_WATCH, text: path), Field(id: AUDIT_PERM, value: UInt32(all)), key,
    ]
    var twin = AuditRule(list: .ioUring, isAlways: true)
    for name in ["openat", "openat2"] { if let number = AuditNames.ringOperations[name] { twin.include(number) } }
    twin.fields = [Field(id: AUDIT_DIR, text: path), key]
    return [watch, twin]
  }

  /// What the key of a classified place's rules says behind `alibi-`.
  public static let placeName = "place"

  /// Which classified place it watches; nil where it is no such rule.
  public var place: (path: [UInt8], isDirectory: Bool)? {
    guard list == .exit, key == AuditState.keyPrefix + Array(Self.placeName.utf8) else { return nil }
    return fields.first { $0.id == UInt32(AUDIT_DIR) || $0.id == UInt32(AUDIT_WATCH) }.map {
      ($0.text, $0.id == UInt32(AUDIT_DIR))
    }
  }

  // MARK: - As the kernel takes it

  private static let headerSize = 1040

  /// `struct audit_rule_data`
  var bytes: [UInt8] {
    var out = [UInt8](repeating: 0, count: Self.headerSize)
    out.store(list.rawValue, at: 0)
    out.store(UInt32(isAlways ? AUDIT_ALWAYS : AUDIT_NEVER), at: 4)
    out.store(UInt32(min(fields.count, Int(AUDIT_MAX_FIELDS))), at: 8)
    for (index, word) in mask.prefix(64).enumerated() { out.store(word, at: 12 + 4 * index) }
    var texts: [UInt8] = []
    for (index, field) in fields.prefix(64).enumerated() {
      out.store(field.id, at: 268 + 4 * index)
      out.store(field.value, at: 524 + 4 * index)
      out.store(field.comparison.rawValue, at: 780 + 4 * index)
      texts += field.text
    }
    out.store(UInt32(texts.count), at: 1036)
    return out + texts
  }

  /// Reads what AUDIT_LIST_RULES answers; nil for a list that this version does not know.
  public init?(bytes: [UInt8]) {
    guard bytes.count >= Self.headerSize else { return nil }
    func word(_ offset: Int) -> UInt32 { unsafe bytes.integer(UInt32.self, at: offset) }
    guard let list = List(rawValue: word(0) & 0xf), word(8) <= 64 else { return nil }
    self.list = list
    isAlways = word(4) == UInt32(AUDIT_ALWAYS)
    mask = (0..<64).map { word(12 + 4 * $0) }
    fields = []
    var at = Self.headerSize
    for index in 0..<Int(word(8)) {
      let id = word(268 + 4 * index)
      var field = Field(
        id: Int32(bitPattern: id), Comparison(rawValue: word(780 + 4 * index)), value: word(524 + 4 * index))
      if Field.hasText(id) {
        let end = at + Int(field.value)
        guard end <= bytes.count else { return nil }
        field.text = Array(bytes[at..<end])
        at = end
      }
      fields.append(field)
    }
  }

  // MARK: - For people

  /// Nearly as auditctl writes it: values that are numbers stay numbers.
  public var description: String {
    var words = ["-a", "\(isAlways ? "always" : "never"),\(list.name)"]
    if list == .exit || list == .ioUring {
      words += [list == .exit ? "-S" : "-U", numbers.map { $0.map(String.init).joined(separator: ",") } ?? "all"]
    }
    for field in fields {
      let name = AuditNames.field(field.id) ?? "\(field.id)"
      let symbol = Comparison.symbols.first { $0.comparison == field.comparison }?.text ?? "?"
      let value = Field.hasText(field.id) ? String(decoding: field.text, as: UTF8.self) : "\(field.value)"
      words += ["-F", name + symbol + value]
    }
    return words.joined(separator: " ")
  }
}

extension [UInt8] {
  /// Writes an integer in the machine's byte order.
  mutating func store<T: FixedWidthInteger>(_ value: T, at offset: Int) {
    unsafe Swift.withUnsafeBytes(of: value) { source in
      for index in 0..<source.count { unsafe self[offset + index] = source[index] }
    }
  }
}
