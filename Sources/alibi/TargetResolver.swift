internal import Decode
internal import Evidence
internal import Glibc
internal import LinuxKernel
internal import Records

/// Turns what somebody typed into a question, with what the running system knows of the place.
enum TargetResolver {
  static func question(_ text: String, isGlob: Bool, time: Interval) throws(Failure) -> ProofQuestion {
    if text.hasPrefix("inode:") {
      guard let identity = FileIdentity(text) else {
        throw .usage("\(text): not a file identity", hint: "inode:FILESYSTEM:INODE:GENERATION, as `alibi accesses` prints it")
      }
      var question = ProofQuestion(target: .identity(identity), time: time)
      question.fileSystems = [identity.fileSystem]
      return question
    }
    if isGlob { return try glob(text, time) }
    return try path(text, time)
  }

  private static func glob(_ text: String, _ time: Interval) throws(Failure) -> ProofQuestion {
    let pattern: PathPattern
    do { pattern = try PathPattern(text) } catch {
      throw .usage("\(text): not a pattern (\(error))", hint: "** stands for any number of directories, * for a part of a name")
    }
    guard text.hasPrefix("/") else {
      throw .usage("\(text): a pattern must begin with /", hint: "/**/*.csv means every csv file")
    }
    var question = ProofQuestion(target: .glob(pattern), time: time)
    // Everything that can match lies beneath the part before the first wildcard.
    let literal = text.prefix { !"*?{\\".contains($0) }
    let top = RawPath(String(literal.prefix(through: literal.lastIndex(of: "/") ?? literal.startIndex)))
    question.fileSystems = fileSystems(of: top.lexicallyNormal ?? RawPath("/"), beneath: true)
    return question
  }

  private static func path(_ text: String, _ time: Interval) throws(Failure) -> ProofQuestion {
    guard let typed = RawPath(escaped: text.hasPrefix("/") ? text : currentDirectory() + "/" + text),
      let normal = typed.lexicallyNormal
    else {
      throw .usage("\(text): not a path", hint: "write bytes that cannot be typed as \\xNN, and a backslash as \\x5c")
    }
    let status = try? FileStatus(path: normal.bytes, following: true)
    let isTree = text.hasSuffix("/") || status?.isDirectory == true
    var question = ProofQuestion(target: isTree ? .tree(normal) : .file(normal), time: time)
    let real = realPath(normal) ?? normal
    // Records tell paths through the file system's own mount, not through a bind mount of a part of it.
    let table = MountEntry.table((try? Procfs.file("/proc/self/mountinfo", limit: 16 << 20)) ?? [])
    let canonical = MountEntry.canonical(real.bytes, table).map { RawPath($0) } ?? real
    for name in [real, canonical] where name != normal && !question.otherNames.contains(name) {
      question.otherNames.append(name)
    }
    question.exists = status != nil
    let place = real
    if status != nil, let identity = identity(place) { question.identities = [identity] }
    question.fileSystems = fileSystems(of: place, beneath: isTree)
    return question
  }

  /// The file systems a place lies on: the nearest ancestor's that exists and, for a tree, those mounted within.
  private static func fileSystems(of place: RawPath, beneath: Bool) -> Set<UInt64>? {
    var found: Set<UInt64> = []
    var candidate: RawPath? = place
    while let here = candidate {
      if let id = try? fileSystemID(path: here.bytes) {
        found.insert(id)
        break
      }
      candidate = here.parent
    }
    guard !found.isEmpty else { return nil }
    guard beneath else { return found }
    guard let text = try? Procfs.file("/proc/self/mountinfo", limit: 16 << 20) else { return nil }
    for mount in MountEntry.table(text) where RawPath(mount.mountPoint).isAtOrBeneath(place) {
      let type = String(decoding: mount.type, as: UTF8.self)
      if !kernelInterfaces.contains(type), let id = try? fileSystemID(path: mount.mountPoint) { found.insert(id) }
    }
    return found
  }

  /// Holds no files that anybody stored; a question about everything is not about these.
  private static let kernelInterfaces: Set<String> = [
    "proc", "sysfs", "devpts", "securityfs", "debugfs", "tracefs", "bpf", "pstore", "configfs", "fusectl",
    "mqueue", "autofs", "binfmt_misc", "rpc_pipefs", "nsfs", "efivarfs", "selinuxfs",
  ]

  private static func identity(_ path: RawPath) -> FileIdentity? {
    guard let handle = try? FileHandle(path: path.bytes), let id = try? fileSystemID(path: path.bytes),
      let decoded = unsafe DecodedHandle(
        type: handle.type, in: handle.bytes.span.bytes, at: 0, count: handle.bytes.count)
    else { return nil }
    return FileIdentity(
      fileSystem: id, inode: decoded.inode, generation: decoded.generation, subvolume: decoded.subvolume)
  }

  /// realpath(3), of the nearest ancestor that exists.
  private static func realPath(_ path: RawPath) -> RawPath? {
    var head = path
    var tail: [[UInt8]] = []
    while true {
      let terminated = (head.bytes + [0]).map { CChar(bitPattern: $0) }
      if let resolved = unsafe realpath(terminated, nil) {
        defer { unsafe free(resolved) }
        let length = unsafe strlen(resolved)
        var real = RawPath((0..<length).map { unsafe UInt8(bitPattern: resolved[$0]) })
        for name in tail.reversed() { real = real.appending(name) }
        return real
      }
      guard let parent = head.parent else { return nil }
      tail.append(Array(head.lastComponent))
      head = parent
    }
  }

  private static func currentDirectory() -> String {
    guard let buffer = unsafe getcwd(nil, 0) else { return "" }
    defer { unsafe free(buffer) }
    return unsafe String(cString: buffer)
  }
}
