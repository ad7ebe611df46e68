internal import Capture
internal import Decode
internal import Journal
internal import Lineage
internal import LinuxKernel
internal import Records

/// Answers the attribution's questions from the running system, and keeps the answers for a recorded journal.
struct SystemOracle: Oracle {
  var handles = HandlePaths()
  private var users = UserNames()
  /// Where answers go besides the attribution, if somebody records the journal.
  var keep: ((Exchange) -> Void)?

  mutating func answer(_ question: Question) -> Answer {
    let answer: Answer =
      switch question {
      case .directory(let fileSystem, let type, let handle):
        .directory(handles.path(fileSystem, FileHandle(type: type, bytes: handle)))
      case .facts(let pid): .facts(facts(of: pid))
      case .environment(let pid): .environment(environment(of: pid))
      case .privilege(let pid): .privilege(ProcessRights.of(pid))
      case .gain(let pid, let program): .privilege(ProcessRights.gained(pid, by: program))
      case .node(let path): .node((try? FileStatus(path: path)).map { HeldFiles.kind(of: $0, path) })
      case .descriptors(let pid): HeldFiles.answer(pid)
      case .held(let pid): HeldFiles.all(of: pid)
      case .listeners(let pid, let peer): .listeners(Listeners.at(peer, seenBy: pid))
      case .readers(let pid, let descriptor, let terminal): .listeners(Terminals.readers(pid, descriptor, terminal))
      case .connected(let pids, let others, let isSession): Self.connected(from: pids, except: others, isSession)
      }
    keep?(Exchange(question: question, answer: answer))
    return answer
  }

  /// With the moment after the look: who ended before that may not have been found.
  private static func connected(
    from pids: [Int32], except others: [Int32], _ isSession: Bool
  ) -> Answer {
    // Most have nothing by which to tell anybody anything.
    guard pids.contains(where: { Connections.hasOutlet($0, isSession) }) else {
      return .connected(Clock.monotonic.now, [])
    }
    let found = Connections.now().reach(from: pids, except: Set(others), isSession: isSession)
    return .connected(Clock.monotonic.now, found)
  }

  private mutating func facts(of pid: Int32) -> SessionFacts? {
    guard let status = try? Procfs.file(pid, "status") else { return nil }
    var uid: UInt32?
    for line in status.split(separator: 0x0a) where line.starts(with: Array("Uid:".utf8)) {
      uid = line.split(separator: 0x09).dropFirst().first.flatMap { UInt32(String(decoding: $0, as: UTF8.self)) }
    }
    guard let uid else { return nil }
    let loginUid = Self.number(pid, "loginuid")
    let directory = (try? Procfs.link(pid, "cwd")).map { RawPath($0) }
    let terminal = (try? Procfs.file(pid, "stat")).flatMap { ProcessStat($0)?.terminal }
    var facts = SessionFacts(
      uid: uid, loginUid: loginUid, userName: users.name(of: loginUid ?? uid),
      terminal: terminal.flatMap(Self.terminalName), workingDirectory: directory,
      project: directory.map(project(around:)))
    facts.auditSession = Self.number(pid, "sessionid")
    return facts
  }

  /// A number of audit's; nil where it was never set.
  private static func number(_ pid: Int32, _ name: String) -> UInt32? {
    let number = (try? Procfs.file(pid, name)).flatMap {
      UInt32(String(decoding: $0.prefix { $0 >= 48 && $0 <= 57 }, as: UTF8.self))
    }
    return number == .max ? nil : number
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

/// Names of users and groups from /etc alone: a directory service would make capture wait for a network.
struct UserNames {
  /// The id of a group of that name.
  static func group(_ name: String) -> UInt32? {
    let text = (try? Procfs.file("/etc/group")) ?? []
    for line in text.split(separator: 0x0a) {
      let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
      if fields.count > 2, fields[0].elementsEqual(name.utf8) {
        return UInt32(String(decoding: fields[2], as: UTF8.self))
      }
    }
    return nil
  }

  /// The ids of a user of that name, and of the user's group.
  static func user(_ name: String) -> (user: UInt32, group: UInt32)? {
    let text = (try? Procfs.file("/etc/passwd")) ?? []
    for line in text.split(separator: 0x0a) {
      let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
      guard fields.count > 3, fields[0].elementsEqual(name.utf8),
        let user = UInt32(String(decoding: fields[2], as: UTF8.self)),
        let group = UInt32(String(decoding: fields[3], as: UTF8.self))
      else { continue }
      return (user, group)
    }
    return nil
  }

  private var names: [UInt32: String] = [:]

  /// The name of a user; the file is read again for one that it did not name before.
  mutating func name(of uid: UInt32) -> String? {
    if let known = names[uid] { return known }
    let text = (try? Procfs.file("/etc/passwd")) ?? []
    for line in text.split(separator: 0x0a) {
      let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
      guard fields.count > 2, let uid = UInt32(String(decoding: fields[2], as: UTF8.self)) else { continue }
      if names[uid] == nil { names[uid] = String(decoding: fields[0], as: UTF8.self) }
    }
    return names[uid]
  }
}
