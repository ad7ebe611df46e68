/// One line of /proc/PID/mountinfo (proc_pid_mountinfo(5)).
public struct MountEntry: Hashable, Sendable {
  /// The mount's id.
  public var id: UInt32
  /// The id of the mount it sits on.
  public var parent: UInt32
  /// `st_dev` of the files on it, major in the upper and minor in the lower 32 bits.
  public var device: UInt64
  /// The directory of the file system that is its root: `/`, or less for a bind mount.
  public var root: [UInt8]
  /// Where it is, relative to the process's root.
  public var mountPoint: [UInt8]
  /// The file system's type, with its subtype.
  public var type: [UInt8]
  /// What was mounted.
  public var source: [UInt8]
  /// The file system's own options.
  public var options: [UInt8]

  /// Reads a whole mountinfo file. A line that does not have the form is left out: the kernel writes none.
  public static func table(_ text: [UInt8]) -> [MountEntry] {
    text.split(separator: UInt8(ascii: "\n")).compactMap { MountEntry(line: $0) }
  }

  /// Mounts by which a file system's paths are told, the best first: at the file system's own root, and the oldest.
  public static func canonicalOrder(_ table: [MountEntry]) -> [MountEntry] {
    table.sorted { ($0.root.count, $0.id) < ($1.root.count, $1.id) }
  }

  /// Beneath where names may be others than before, because mounts came or went: a file system's directories are told by
  /// the best of its mounts, so wherever one is or was mounted of which any mount changed. What comes and goes over other
  /// file systems, as a container's layers and its memory do, changes no name of theirs.
  public static func moved(_ old: [MountEntry], _ new: [MountEntry]) -> Set<[UInt8]> {
    struct Place: Hashable {
      var id: UInt32
      var parent: UInt32
      var device: UInt64
      var root: [UInt8]
      var mountPoint: [UInt8]
    }
    func places(_ table: [MountEntry]) -> Set<Place> {
      Set(
        table.map { Place(id: $0.id, parent: $0.parent, device: $0.device, root: $0.root, mountPoint: $0.mountPoint) })
    }
    let (before, after) = (places(old), places(new))
    let changed = Set(before.symmetricDifference(after).map(\.device))
    return Set(before.union(after).filter { changed.contains($0.device) }.map(\.mountPoint))
  }

  /// The name that records use for a path which may lead through a bind mount: the one beneath the file system's
  /// best mount. Nil where the path is on no mount of the table.
  public static func canonical(_ path: [UInt8], _ table: [MountEntry]) -> [UInt8]? {
    guard let mount = covering(path, table), let within = MountPath.rest(of: path, beneath: mount.mountPoint) else {
      return nil
    }
    let inFileSystem = MountPath.join(mount.directory, within)
    for best in canonicalOrder(table) where best.device == mount.device {
      if let rest = MountPath.rest(of: inFileSystem, beneath: best.directory) {
        return MountPath.join(best.mountPoint, rest)
      }
    }
    return nil
  }

  /// The mount on which a path lies that leads through no symbolic link: from the root on, whatever is mounted on the
  /// way. Nil where the table has none.
  public static func covering(_ path: [UInt8], _ table: [MountEntry]) -> MountEntry? {
    let ids = Set(table.map(\.id))
    let above = table.filter { MountPath.rest(of: path, beneath: $0.mountPoint) != nil }
    // The root's own parent is outside the table, or it is its own.
    let root = above.first { $0.mountPoint == [0x2f] && ($0.parent == $0.id || !ids.contains($0.parent)) }
    guard var here = root else {
      // Of mounts at one place the last is on top.
      return above.enumerated().max {
        ($0.element.mountPoint.count, $0.offset) < ($1.element.mountPoint.count, $1.offset)
      }?.element
    }
    var seen: Set<UInt32> = [here.id]
    while let next = above.filter({ $0.parent == here.id && !seen.contains($0.id) })
      .min(by: { $0.mountPoint.count < $1.mountPoint.count })
    {
      seen.insert(next.id)
      here = next
    }
    return here
  }

  /// `root` without what the kernel appends when the directory is gone.
  public var directory: [UInt8] {
    let mark = Array("//deleted".utf8)
    guard root.count > mark.count, root.suffix(mark.count).elementsEqual(mark) else { return root }
    return Array(root.dropLast(mark.count))
  }

  init?(line: ArraySlice<UInt8>) {
    // What was mounted may be an empty string.
    let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard fields.count >= 9, let dash = fields[6...].firstIndex(where: { $0.elementsEqual("-".utf8) }),
      dash + 2 < fields.count, let id = Self.number(fields[0]), let parent = Self.number(fields[1])
    else { return nil }
    let device = fields[2].split(separator: UInt8(ascii: ":"))
    guard device.count == 2, let major = Self.number(device[0]), let minor = Self.number(device[1]) else {
      return nil
    }
    self.id = id
    self.parent = parent
    self.device = UInt64(major) << 32 | UInt64(minor)
    root = Self.unescaped(fields[3])
    mountPoint = Self.unescaped(fields[4])
    type = Self.unescaped(fields[dash + 1])
    source = Self.unescaped(fields[dash + 2])
    options = dash + 3 < fields.count ? Self.unescaped(fields[dash + 3]) : []
  }

  /// The directories of an overlay's layers, from its options `lowerdir`, `lowerdir+`, `datadir+` and `upperdir`.
  /// A backslash takes the meaning from the comma, colon or backslash after it.
  public var layers: [[UInt8]] {
    var found: [[UInt8]] = []
    for option in Self.parts(options[...], at: UInt8(ascii: ",")) {
      guard let equals = option.firstIndex(of: UInt8(ascii: "=")) else { continue }
      let value = option[(equals + 1)...]
      switch String(decoding: option[..<equals], as: UTF8.self) {
      case "upperdir", "lowerdir+", "datadir+": found.append(Self.plain(value))
      case "lowerdir": found += Self.parts(value, at: UInt8(ascii: ":")).map(Self.plain).filter { !$0.isEmpty }
      default: continue
      }
    }
    return found
  }

  private static func parts(_ text: ArraySlice<UInt8>, at separator: UInt8) -> [ArraySlice<UInt8>] {
    var parts: [ArraySlice<UInt8>] = []
    var start = text.startIndex
    var at = start
    while at < text.endIndex {
      if text[at] == UInt8(ascii: "\\") {
        at += 2
        continue
      }
      if text[at] == separator {
        parts.append(text[start..<at])
        start = at + 1
      }
      at += 1
    }
    parts.append(text[min(start, text.endIndex)...])
    return parts
  }

  private static func plain(_ text: ArraySlice<UInt8>) -> [UInt8] {
    var out: [UInt8] = []
    var isTaken = false
    for byte in text {
      if byte == UInt8(ascii: "\\"), !isTaken {
        isTaken = true
      } else {
        out.append(byte)
        isTaken = false
      }
    }
    return out
  }

  /// Whether it holds no files that anybody stored: what is read there is state of the kernel's.
  public var isKernelInterface: Bool { Self.kernelInterfaces.contains(String(decoding: type, as: UTF8.self)) }

  private static let kernelInterfaces: Set<String> = [
    "proc", "sysfs", "devpts", "cgroup", "cgroup2", "securityfs", "debugfs", "tracefs", "bpf", "pstore",
    "configfs", "fusectl", "mqueue", "autofs", "binfmt_misc", "rpc_pipefs", "nsfs", "efivarfs", "selinuxfs",
    "sockfs", "pipefs",
  ]

  private static func number(_ digits: ArraySlice<UInt8>) -> UInt32? {
    UInt32(String(decoding: digits, as: UTF8.self))
  }

  /// Space, tab, newline and backslash are written as octal `\040`.
  static func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
    var out: [UInt8] = []
    var at = field.startIndex
    while at < field.endIndex {
      if field[at] == UInt8(ascii: "\\"), at + 3 < field.endIndex {
        let digits = field[(at + 1)...(at + 3)]
        if digits.allSatisfy({ $0 >= 48 && $0 <= 55 }) {
          out.append(digits.reduce(0) { $0 &* 8 &+ ($1 - 48) })
          at += 4
          continue
        }
      }
      out.append(field[at])
      at += 1
    }
    return out
  }
}

/// The fields of /proc/PID/stat that are needed here (proc_pid_stat(5)).
public struct ProcessStat: Hashable, Sendable {
  /// The process id.
  public var pid: Int32
  /// Whether its leader has exited (`Z`, `X`): the process lives on only in its other threads, if there are any.
  public var isDead: Bool
  /// The parent's.
  public var parent: Int32
  /// The session id of setsid(2).
  public var session: Int32
  /// The controlling terminal, `major << 8 | minor` packed as in dev_t; 0 for none.
  public var terminal: Int32
  /// How many threads it has.
  public var threads: Int32
  /// When it began, in clock ticks of CLOCK_BOOTTIME.
  public var startTicks: UInt64
  /// The name, at most 15 bytes.
  public var name: [UInt8]

  /// Reads the file; nil where it does not have the form. The name may hold any byte, also `)`.
  public init?(_ text: [UInt8]) {
    guard let open = text.firstIndex(of: UInt8(ascii: "(")), let close = text.lastIndex(of: UInt8(ascii: ")")),
      open > 1, open < close
    else { return nil }
    func number<T: FixedWidthInteger>(_ digits: ArraySlice<UInt8>, _ type: T.Type) -> T? {
      T(String(decoding: digits, as: UTF8.self))
    }
    // Field 3 (state) is the first after the name.
    let fields = text[(close + 1)...].split(whereSeparator: { $0 == 0x20 || $0 == 0x0a })
    guard fields.count >= 20, let pid = number(text[..<(open - 1)], Int32.self),
      let parent = number(fields[1], Int32.self), let session = number(fields[3], Int32.self),
      let terminal = number(fields[4], Int32.self), let threads = number(fields[17], Int32.self),
      let start = number(fields[19], UInt64.self)
    else { return nil }
    self.pid = pid
    isDead = fields[0].elementsEqual("Z".utf8) || fields[0].elementsEqual("X".utf8)
    self.parent = parent
    self.session = session
    self.terminal = terminal
    self.threads = threads
    startTicks = start
    name = Array(text[(open + 1)..<close])
  }
}
