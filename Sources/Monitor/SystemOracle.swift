internal import Decode
internal import Journal
internal import Lineage
internal import LinuxKernel
internal import Records

/// Answers the attribution's questions from the running system, and keeps the answers for a recorded journal.
struct SystemOracle: Oracle {
  /// A descriptor of some directory of each file system, to open handles by.
  private final class Mount: Sendable {
    let descriptor: OwnedDescriptor
    init(_ descriptor: consuming OwnedDescriptor) { self.descriptor = descriptor }
  }

  private var mounts: [UInt64: Mount] = [:]
  private let users = UserNames()
  /// Where answers go besides the attribution, if somebody records the journal.
  var keep: ((Answer) -> Void)?

  mutating func answer(_ question: Question) -> Answer {
    let answer: Answer =
      switch question {
      case .directory(let fileSystem, let type, let handle): .directory(path(fileSystem, type, handle))
      case .facts(let pid): .facts(facts(of: pid))
      case .environment(let pid): .environment(environment(of: pid))
      }
    keep?(answer)
    return answer
  }

  private mutating func path(_ fileSystem: UInt64, _ type: Int32, _ handle: [UInt8]) -> [UInt8]? {
    guard let mount = mount(of: fileSystem),
      let directory = try? FileHandle(type: type, bytes: handle).open(mount: mount.descriptor),
      let status = try? FileStatus(descriptor: directory), status.links > 0,
      let found = try? LinuxKernel.path(of: directory), found.first == UInt8(ascii: "/")
    else { return nil }
    return found
  }

  private mutating func mount(of fileSystem: UInt64) -> Mount? {
    if let known = mounts[fileSystem] { return known }
    guard let text = try? Procfs.file("/proc/self/mountinfo", limit: 16 << 20) else { return nil }
    // The mount at the file system's own root comes first: beneath it every path can be told.
    let table = MountEntry.table(text).sorted { ($0.root.count, $0.id) < ($1.root.count, $1.id) }
    for mount in table where (try? fileSystemID(path: mount.mountPoint)) == fileSystem {
      if let directory = try? OwnedDescriptor.open(bytes: mount.mountPoint, [.readOnly, .directory]) {
        let found = Mount(directory)
        mounts[fileSystem] = found
        return found
      }
    }
    return nil
  }

  /// Forgets descriptors, which would keep a file system from being unmounted.
  mutating func forget(_ fileSystem: UInt64) {
    mounts[fileSystem] = nil
  }

  private func facts(of pid: Int32) -> SessionFacts? {
    guard let status = try? Procfs.file(pid, "status") else { return nil }
    var uid: UInt32?
    for line in status.split(separator: 0x0a) where line.starts(with: Array("Uid:".utf8)) {
      uid = line.split(separator: 0x09).dropFirst().first.flatMap { UInt32(String(decoding: $0, as: UTF8.self)) }
    }
    guard let uid else { return nil }
    let login = (try? Procfs.file(pid, "loginuid")).flatMap {
      UInt32(String(decoding: $0.prefix { $0 >= 48 && $0 <= 57 }, as: UTF8.self))
    }
    let loginUid = login == .max ? nil : login
    let directory = (try? Procfs.link(pid, "cwd")).map { RawPath($0) }
    let terminal = (try? Procfs.file(pid, "stat")).flatMap { ProcessStat($0)?.terminal }
    return SessionFacts(
      uid: uid, loginUid: loginUid, userName: users.name(of: loginUid ?? uid),
      terminal: terminal.flatMap(Self.terminalName), workingDirectory: directory,
      project: directory.map(project(around:)))
  }

  /// `tty_nr` of /proc/PID/stat: pseudo-terminals have the majors 136 to 143, consoles 4.
  private static func terminalName(_ number: Int32) -> String? {
    let bits = UInt32(bitPattern: number)
    let major = (bits >> 8) & 0xfff
    let minor = bits & 0xff | (bits >> 12) & 0xfff00
    switch major {
    case 136...143: return "pts/\((major - 136) * 256 + minor)"
    case 4: return minor < 64 ? "tty\(minor)" : "ttyS\(minor - 64)"
    case 0: return nil
    default: return "tty \(major):\(minor)"
    }
  }

  /// The nearest directory upwards that holds `.git`, a directory or, in a work tree, a file.
  private func project(around directory: RawPath) -> RawPath {
    var candidate: RawPath? = directory
    while let here = candidate {
      if (try? FileStatus(path: here.appending(".git".utf8).bytes)) != nil { return here }
      candidate = here.parent
    }
    return directory
  }

  private func environment(of pid: Int32) -> [[UInt8]] {
    ((try? Procfs.file(pid, "environ", limit: 1 << 18)) ?? []).split(separator: 0).map { Array($0) }
  }
}

/// Names of users from /etc/passwd alone: a directory service would make capture wait for a network.
final class UserNames: Sendable {
  private let names: [UInt32: String]

  init() {
    var names: [UInt32: String] = [:]
    let text = (try? Procfs.file("/etc/passwd")) ?? []
    for line in text.split(separator: 0x0a) {
      let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
      guard fields.count > 2, let uid = UInt32(String(decoding: fields[2], as: UTF8.self)) else { continue }
      if names[uid] == nil { names[uid] = String(decoding: fields[0], as: UTF8.self) }
    }
    self.names = names
  }

  func name(of uid: UInt32) -> String? { names[uid] }
}
