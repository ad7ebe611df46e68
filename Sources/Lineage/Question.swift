public import Journal
public import Records

/// Something the journal does not hold and only the running system can tell.
public enum Question: Hashable, Sendable {
  /// The host path of a directory, by its handle.
  case directory(fileSystem: UInt64, type: Int32, handle: [UInt8])
  /// What /proc says of a session's root process.
  case facts(pid: Int32)
  /// The environment of a process, for its class: what it says of itself, so never the ground of a verdict.
  case environment(pid: Int32)
  /// Whether a process has root's rights now.
  case privilege(pid: Int32)
  /// Whether the file of a program gives capabilities that are as good as root's to the process that has executed it.
  /// Without a file: whether such capabilities, which it was told to have, are the host's own.
  case gain(pid: Int32, program: [UInt8]?)
  /// What a device node is.
  case node(path: [UInt8])
  /// Which files a process holds open, by descriptors that it may have from elsewhere.
  case descriptors(pid: Int32)
  /// Which files a process has open or mapped: what it may tell of with no further event. The look's time is 0 where the
  /// process had ended, or was about to.
  case held(pid: Int32)
  /// Who answers at an address, as a process sees it.
  case listeners(pid: Int32, Peer)
  /// Who reads a terminal: the one that a process has open by this descriptor, else its own, by audit's name for it.
  case readers(pid: Int32, descriptor: Int32, terminal: [UInt8])
  /// Whom processes can tell something over sockets, pipes and terminals that are open, though not through some others.
  /// Pipes with which a session begins are left out: who reads those started it, mostly, and shows or keeps what it says.
  case connected(from: [Int32], except: [Int32], isSession: Bool)
}

/// Where a process connects to.
public enum Peer: Hashable, Sendable {
  /// A Unix socket's path; an abstract name begins with a NUL.
  case local([UInt8])
  /// A port of this host, or of another, by the address's 4 or 16 bytes.
  case network([UInt8], port: UInt16)
}

/// What a device node is, as far as that matters.
public enum NodeKind: UInt8, Sendable {
  /// Nothing that gives anybody's files.
  case other = 1
  /// A block device or the machine's memory.
  case raw = 2
  /// /dev/fuse, from which a process reads what a file system in user space is asked for.
  case fileSystemRequests = 3
}

/// A file, or a block device, that a process holds open or mapped; what an overlay shows, as one for each layer.
public struct HeldFile: Hashable, Sendable {
  /// Which file.
  public var identity: FileIdentity
  /// Its path, or its last one where it has none any more; nil where that is not known.
  public var path: [UInt8]?
  /// Whether it may give any file's content: a block device, memory, or what lies on layers that cannot be told.
  public var isRaw: Bool

  /// A file of these facts.
  public init(identity: FileIdentity, path: [UInt8]?, isRaw: Bool) {
    self.identity = identity
    self.path = path
    self.isRaw = isRaw
  }
}

/// What the running system told.
public enum Answer: Hashable, Sendable {
  /// The path; nil where the directory is gone.
  case directory([UInt8]?)
  /// The facts; nil where the process is gone.
  case facts(SessionFacts?)
  /// The variables, `NAME=value` each; empty where the process is gone.
  case environment([[UInt8]])
  /// The rights; untold where the process is gone.
  case privilege(Privilege)
  /// What it is; nil where it is gone.
  case node(NodeKind?)
  /// The files, once for each descriptor and mapping, and CLOCK_MONOTONIC after the look.
  case descriptors(UInt64, [HeldFile])
  /// The processes; nil where the address is another host's, or there is no such terminal.
  case listeners([Int32]?)
  /// CLOCK_MONOTONIC after the look, and the processes, those that were asked about left out.
  case connected(UInt64, [Int32])
}

/// Answers questions: the running system, or the answers that were recorded with a journal.
///
/// Attribution asks only for what no membership depends on, and for directories.
public protocol Oracle {
  /// Answers one question.
  mutating func answer(_ question: Question) -> Answer
}

/// A question and its answer as a recorded journal keeps them: the same journal gives the same records.
public struct Exchange: JournalValue, Hashable, Sendable {
  /// See `JournalValue`.
  public static let kind = EntryKind.answer
  /// What was asked.
  public var question: Question
  /// What was answered.
  public var answer: Answer

  /// An exchange of these parts.
  public init(question: Question, answer: Answer) {
    self.question = question
    self.answer = answer
  }

  /// See `JournalValue`.
  public func write(to writer: inout ByteWriter) {
    switch question {
    case .directory(let fileSystem, let type, let handle):
      writer.write(UInt8(1))
      writer.write(fileSystem)
      writer.write(type)
      writer.write(handle)
    case .facts(let pid):
      writer.write(UInt8(2))
      writer.write(pid)
    case .environment(let pid):
      writer.write(UInt8(3))
      writer.write(pid)
    case .privilege(let pid):
      writer.write(UInt8(4))
      writer.write(pid)
    case .node(let path):
      writer.write(UInt8(5))
      writer.write(path)
    case .descriptors(let pid):
      writer.write(UInt8(6))
      writer.write(pid)
    case .held(let pid):
      writer.write(UInt8(11))
      writer.write(pid)
    case .listeners(let pid, let peer):
      writer.write(UInt8(7))
      writer.write(pid)
      peer.write(to: &writer)
    case .readers(let pid, let descriptor, let terminal):
      writer.write(UInt8(10))
      writer.write(pid)
      writer.write(descriptor)
      writer.write(terminal)
    case .connected(let pids, let others, let isSession):
      writer.write(UInt8(8))
      writer.write(pids)
      writer.write(others)
      writer.write(UInt8(isSession ? 1 : 0))
    case .gain(let pid, let program):
      writer.write(UInt8(9))
      writer.write(pid)
      writer.write(program)
    }
    answer.write(to: &writer)
  }

  /// See `JournalValue`.
  public init(from reader: inout ByteReader) throws(JournalError) {
    let at = reader.offset
    switch try reader.integer(UInt8.self) {
    case 1:
      question = .directory(
        fileSystem: try reader.integer(), type: try reader.integer(), handle: try reader.byteString())
    case 2: question = .facts(pid: try reader.integer())
    case 3: question = .environment(pid: try reader.integer())
    case 4: question = .privilege(pid: try reader.integer())
    case 5: question = .node(path: try reader.byteString())
    case 6: question = .descriptors(pid: try reader.integer())
    case 7: question = .listeners(pid: try reader.integer(), try Peer(from: &reader))
    case 10:
      question = .readers(
        pid: try reader.integer(), descriptor: try reader.integer(), terminal: try reader.byteString())
    case 8:
      question = .connected(
        from: try reader.numbers(), except: try reader.numbers(), isSession: try reader.integer(UInt8.self) != 0)
    case 11: question = .held(pid: try reader.integer())
    case 9: question = .gain(pid: try reader.integer(), program: try reader.optionalByteString())
    default: throw .truncated(offset: at)
    }
    answer = try Answer(from: &reader)
  }
}

extension Answer {
  func write(to writer: inout ByteWriter) {
    switch self {
    case .directory(let path):
      writer.write(UInt8(1))
      writer.write(path)
    case .facts(let facts):
      writer.write(UInt8(facts?.auditSession == nil ? 2 : 8))
      if let session = facts?.auditSession { writer.write(session) }
      writer.write(UInt8(facts == nil ? 0 : 1))
      guard let facts else { return }
      writer.write(facts.uid)
      writer.write(UInt8(facts.loginUid == nil ? 0 : 1))
      writer.write(facts.loginUid ?? 0)
      writer.write(facts.userName.map { Array($0.utf8) })
      writer.write(facts.terminal.map { Array($0.utf8) })
      writer.write(facts.workingDirectory?.bytes)
      writer.write(facts.project?.bytes)
    case .environment(let variables):
      writer.write(UInt8(3))
      writer.write(UInt32(variables.count))
      for variable in variables { writer.write(variable) }
    case .privilege(let privilege):
      writer.write(UInt8(4))
      writer.write(privilege.rawValue)
    case .node(let kind):
      writer.write(UInt8(5))
      writer.write(kind?.rawValue ?? 0)
    case .descriptors(let time, let files):
      writer.write(UInt8(6))
      writer.write(time)
      writer.write(UInt32(files.count))
      for file in files { file.write(to: &writer) }
    case .listeners(let pids):
      writer.write(UInt8(7))
      writer.write(UInt8(pids == nil ? 0 : 1))
      writer.write(pids ?? [])
    case .connected(let time, let pids):
      writer.write(UInt8(9))
      writer.write(time)
      writer.write(pids)
    }
  }

  init(from reader: inout ByteReader) throws(JournalError) {
    let at = reader.offset
    switch try reader.integer(UInt8.self) {
    case 1: self = .directory(try reader.optionalByteString())
    case 2: self = .facts(try Self.facts(from: &reader))
    case 8:
      let session = try reader.integer(UInt32.self)
      var facts = try Self.facts(from: &reader)
      facts?.auditSession = session
      self = .facts(facts)
    case 3:
      var variables: [[UInt8]] = []
      for _ in 0..<(try reader.integer(UInt32.self)) { variables.append(try reader.byteString()) }
      self = .environment(variables)
    case 4:
      guard let privilege = Privilege(rawValue: try reader.integer()) else { throw .truncated(offset: at) }
      self = .privilege(privilege)
    case 5:
      let kind = try reader.integer(UInt8.self)
      guard kind == 0 || NodeKind(rawValue: kind) != nil else { throw .truncated(offset: at) }
      self = .node(NodeKind(rawValue: kind))
    case 6:
      let time = try reader.integer(UInt64.self)
      var files: [HeldFile] = []
      for _ in 0..<(try reader.integer(UInt32.self)) { files.append(try HeldFile(from: &reader)) }
      self = .descriptors(time, files)
    case 7:
      let isHere = try reader.integer(UInt8.self) != 0
      let pids = try reader.numbers()
      self = .listeners(isHere ? pids : nil)
    case 9: self = .connected(try reader.integer(), try reader.numbers())
    default: throw .truncated(offset: at)
    }
  }

  private static func facts(from reader: inout ByteReader) throws(JournalError) -> SessionFacts? {
    guard try reader.integer(UInt8.self) != 0 else { return nil }
    let uid = try reader.integer(UInt32.self)
    let hasLogin = try reader.integer(UInt8.self) != 0
    let login = try reader.integer(UInt32.self)
    return SessionFacts(
      uid: uid, loginUid: hasLogin ? login : nil,
      userName: try reader.optionalByteString().map { String(decoding: $0, as: UTF8.self) },
      terminal: try reader.optionalByteString().map { String(decoding: $0, as: UTF8.self) },
      workingDirectory: try reader.optionalByteString().map { RawPath($0) },
      project: try reader.optionalByteString().map { RawPath($0) })
  }
}

extension Peer {
  func write(to writer: inout ByteWriter) {
    switch self {
    case .local(let name):
      writer.write(UInt8(1))
      writer.write(name)
    case .network(let address, let port):
      writer.write(UInt8(2))
      writer.write(address)
      writer.write(port)
    }
  }

  init(from reader: inout ByteReader) throws(JournalError) {
    let at = reader.offset
    switch try reader.integer(UInt8.self) {
    case 1: self = .local(try reader.byteString())
    case 2: self = .network(try reader.byteString(), port: try reader.integer())
    default: throw .truncated(offset: at)
    }
  }
}

extension ByteWriter {
  fileprivate mutating func write(_ pids: [Int32]) {
    write(UInt32(pids.count))
    for pid in pids { write(pid) }
  }
}

extension ByteReader {
  fileprivate mutating func numbers() throws(JournalError) -> [Int32] {
    var pids: [Int32] = []
    for _ in 0..<(try integer(UInt32.self)) { pids.append(try integer()) }
    return pids
  }
}

extension HeldFile {
  func write(to writer: inout ByteWriter) {
    writer.write(identity.fileSystem)
    writer.write(identity.inode)
    writer.write(identity.generation)
    writer.write(identity.subvolume)
    writer.write(path)
    writer.write(UInt8(isRaw ? 1 : 0))
  }

  init(from reader: inout ByteReader) throws(JournalError) {
    identity = FileIdentity(
      fileSystem: try reader.integer(), inode: try reader.integer(), generation: try reader.integer(),
      subvolume: try reader.integer())
    path = try reader.optionalByteString()
    isRaw = try reader.integer(UInt8.self) != 0
  }
}
