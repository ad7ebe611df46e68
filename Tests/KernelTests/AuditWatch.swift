import Decode
import LinuxKernel
import TestSupport
import Testing

/// Audit, switched on for one test, and given back as it was found when the value goes.
///
/// One at a time on a machine: the suites that use it are serialized.
final class AuditWatch {
  let control: AuditControl
  let source: AuditSource
  let state: AuditState
  private let place: AuditSource.Place
  private var assembler = AuditAssembler()
  private var events: [AuditEvent] = []
  private var marks = 0
  /// Whether the kernel said that the socket had no room.
  private(set) var isLossy = false

  /// Becomes the audit daemon, or listens beside one.
  init(_ place: AuditSource.Place = .owner, receiveBuffer: Int32 = 1 << 23, _ rules: String...) throws {
    control = try AuditControl()
    if place == .owner { try Self.claim(control) }
    self.place = place
    state = try AuditState.capture(control, backlogLimit: 8192)
    source = try AuditSource(place, receiveBuffer: receiveBuffer)
    do {
      try state.apply(control)
      for rule in rules { try add(rule) }
    } catch {
      end()
      throw error
    }
  }

  deinit { end() }

  /// Cancels the test where somebody uses this machine's audit.
  static func claim(_ control: AuditControl) throws {
    let hindrances = try AuditHindrance.all(status: control.status(), rules: control.rules(), owner: Procfs.ownPid)
    if let first = hindrances.first { try Test.cancel("this machine's audit is in use: \(first)") }
  }

  private func end() {
    try? state.restore(control)
    if place == .owner { try? source.resign() }
  }

  /// Adds every rule of a text in auditctl's syntax.
  func add(_ text: String) throws {
    for rule in try AuditRule.file(Array(text.utf8)) { try control.add(rule) }
  }

  /// Every event so far, complete: up to a message of our own that comes last.
  func drain() async throws -> [AuditEvent] {
    marks += 1
    let mark = "alibi-test \(Procfs.ownPid) \(marks)"
    try control.tell(mark)
    let found = try await eventually { () throws -> Bool in
      try read()
      return events.contains { event in
        event.message.map { $0 == mark } ?? false
      }
    }
    try #require(found, "the mark never came")
    assembler.finish { events.append($0) }
    defer { events = [] }
    return events.filter { $0.message?.hasPrefix("alibi-test ") != true }
  }

  /// The events of system calls of this process.
  func calls(of pid: Int32) async throws -> [AuditEvent] {
    try await drain().filter { $0.call?.caller.pid == pid }
  }

  private func read() throws {
    var buffer = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let result = unsafe try buffer.withUnsafeMutableBytes { unsafe try source.drain(into: $0) }
      isLossy = isLossy || result.isLossy
      var offset = 0
      let bytes = unsafe buffer.span.bytes.extracting(0..<result.count)
      while true {
        let start = offset
        guard let record = try AuditRecord.next(in: bytes, at: &offset) else { break }
        assembler.add(record, at: start..<offset, in: bytes) { events.append($0) }
        if record.stamp == nil { others.append(record.replacer(in: bytes) ?? -1) }
      }
      if result.isEmpty { return }
    }
  }

  /// Who asked for the daemon's place.
  private(set) var others: [Int32] = []
}

/// What tests ask of an event.
extension AuditEvent {
  /// The kinds of its records, in order.
  var types: [String] {
    all { record, _ in AuditNames.recordType(record.type.rawValue) ?? "\(record.type.rawValue)" }
  }

  var call: AuditSyscall? { first { AuditSyscall($0, in: $1) } }
  var change: AuditConfigChange? { first { AuditConfigChange($0, in: $1) } }
  var address: AuditAddress? { first { AuditAddress($0, in: $1) } }
  var object: AuditObject? { first { AuditObject($0, in: $1) } }
  var message: String? { first { AuditProgramMessage($0, in: $1)?.message }.map(text) }
  var key: String? { call?.key.map(text) }

  /// Its paths, in order.
  var paths: [AuditPath] { all { AuditPath($0, in: $1) } }

  /// Whether one of its paths is this file.
  func leads(to status: FileStatus) -> Bool {
    paths.contains { $0.inode == status.inode && $0.device == status.device }
  }

  /// Whether a child of that process executed something.
  func isExecution(by parent: Int32) -> Bool { types.contains("EXECVE") && call?.caller.parent == parent }

  /// The bytes of a text, as characters.
  func text(_ text: AuditText) -> String {
    String(decoding: bytes(of: text), as: UTF8.self)
  }
}

/// The rule files that are shipped.
enum ShippedRules {
  static let directory =
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    .joined(separator: "/") + "/rules/audit"
  static let files = [
    "10-alibi-exec", "20-alibi-denied", "30-alibi-privilege", "40-alibi-memory", "45-alibi-handles",
    "47-alibi-terminal", "50-alibi-mounts",
    "55-alibi-kernel", "60-alibi-devices", "65-alibi-connect", "70-alibi-async", "75-alibi-sensors", "80-alibi-watches",
    "90-alibi-io-uring",
  ]

  static func text(_ name: String) throws -> String {
    String(decoding: try Procfs.file("\(directory)/\(name).rules"), as: UTF8.self)
  }
}

extension ScratchDirectory {
  /// Takes every right to it from everybody; root has its own.
  func protect(_ name: String) throws {
    try #require(Subprocess.run("/bin/chmod", ["0", self(name)]).status == 0)
  }

  /// Another one, with one file.
  static func with(_ name: String) throws -> ScratchDirectory {
    let made = try ScratchDirectory()
    try made.write(name)
    return made
  }

  func status(_ name: String) throws -> FileStatus { try FileStatus(path: Array(self(name).utf8)) }
}
