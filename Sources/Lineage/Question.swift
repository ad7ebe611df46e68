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
}

/// What the running system told.
public enum Answer: Hashable, Sendable {
  /// The path; nil where the directory is gone.
  case directory([UInt8]?)
  /// The facts; nil where the process is gone.
  case facts(SessionFacts?)
  /// The variables, `NAME=value` each; empty where the process is gone.
  case environment([[UInt8]])
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
      writer.write(UInt8(2))
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
    }
  }

  init(from reader: inout ByteReader) throws(JournalError) {
    let at = reader.offset
    switch try reader.integer(UInt8.self) {
    case 1: self = .directory(try reader.optionalByteString())
    case 2:
      guard try reader.integer(UInt8.self) != 0 else {
        self = .facts(nil)
        return
      }
      let uid = try reader.integer(UInt32.self)
      let hasLogin = try reader.integer(UInt8.self) != 0
      let login = try reader.integer(UInt32.self)
      self = .facts(
        SessionFacts(
          uid: uid, loginUid: hasLogin ? login : nil,
          userName: try reader.optionalByteString().map { String(decoding: $0, as: UTF8.self) },
          terminal: try reader.optionalByteString().map { String(decoding: $0, as: UTF8.self) },
          workingDirectory: try reader.optionalByteString().map { RawPath($0) },
          project: try reader.optionalByteString().map { RawPath($0) }))
    case 3:
      var variables: [[UInt8]] = []
      for _ in 0..<(try reader.integer(UInt32.self)) { variables.append(try reader.byteString()) }
      self = .environment(variables)
    default: throw .truncated(offset: at)
    }
  }
}
