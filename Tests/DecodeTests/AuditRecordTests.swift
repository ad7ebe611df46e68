internal import Decode
internal import Foundation
internal import Testing

/// `audit.bin`: what a process that took the audit daemon's place received, in this order: connections to two unix
/// sockets and by IPv4 and IPv6, a change of user, three denied opens, programs that attach to a process, drop
/// capabilities, open from a thread and through io_uring, an `echo` with a long argument, a login, two messages of
/// programs, a setting, and an attempt to take the place.
private struct Captured {
  let bytes: [UInt8]
  let events: [AuditEvent]
  let rest: [AuditRecord]

  init(_ bytes: [UInt8]) throws {
    var assembler = AuditAssembler()
    var events: [AuditEvent] = []
    var rest: [AuditRecord] = []
    var offset = 0
    while true {
      let start = offset
      guard let record = try unsafe AuditRecord.next(in: bytes.span.bytes, at: &offset) else { break }
      if record.stamp == nil { rest.append(record) }
      unsafe assembler.add(record, at: start..<offset, in: bytes.span.bytes) { events.append($0) }
    }
    assembler.finish { events.append($0) }
    self.bytes = bytes
    self.events = events.sorted { $0.stamp.serial < $1.stamp.serial }
    self.rest = rest
  }

  init() throws { try self.init(captured("audit.bin")) }
}

extension AuditEvent {
  fileprivate var call: AuditSyscall? { first { AuditSyscall($0, in: $1) } }

  fileprivate func text(_ text: AuditText?) -> String? {
    text.map { String(decoding: bytes(of: $0), as: UTF8.self) }
  }
}

struct AuditRecordTests {
  @Test("every prefix of a captured buffer holds the records that are whole")
  func prefixes() throws {
    let bytes = try captured("audit.bin")
    expectEveryPrefixReported(Array(bytes[..<(try place(of: 30, in: bytes))]), AuditRecord.next)
  }

  @Test("no value of any single byte makes the decoder trap, stand still or leave the buffer", .timeLimit(.minutes(2)))
  func corruption() throws {
    let bytes = try captured("audit.bin")
    expectNoCorruptionTraps(Array(bytes[..<(try place(of: 6, in: bytes))]), AuditRecord.next)
  }

  private func place(of count: Int, in bytes: [UInt8]) throws -> Int {
    var offset = 0
    for _ in 0..<count { _ = try unsafe AuditRecord.next(in: bytes.span.bytes, at: &offset) }
    return offset
  }

  @Test("everything that was captured is an event that ended, but for what has no end of its own")
  func events() throws {
    let captured = try Captured()
    #expect(captured.events.count { $0.ending == .cut } == 0)
    let quiet = captured.events.filter { $0.ending == .quiet }
    #expect(quiet.allSatisfy { $0.all { record, _ in record.type } == [.configChange] })
    #expect(captured.rest.map(\.type) == [.replace])
    let replacer = unsafe captured.rest[0].replacer(in: captured.bytes.span.bytes)
    let last = try #require(captured.events.compactMap { $0.first { AuditConfigChange($0, in: $1) } }.last)
    #expect(last.value == replacer.map(Int64.init) && last.old == last.value && last.isSuccess == false)
  }

  @Test("a connection tells to whom")
  func connections() throws {
    let connects = try Captured().events.filter { $0.call?.number == 42 }
    let addresses = connects.map { event in event.first { AuditAddress($0, in: $1) } }
    try #require(addresses.count == 4)
    guard case .unix(let path, false) = addresses[0], case .unix(let name, true) = addresses[1] else {
      throw DecodeError.inconsistent
    }
    #expect(connects[0].text(path) == "/run/nowhere.sock" && connects[1].text(name) == "abs\u{1}name")
    #expect(addresses[2] == .ipv4(0x7f00_0001, port: 9) && addresses[3] == .ipv6(high: 0, low: 1, port: 9))
    #expect(addresses.map { $0?.isLoopback } == [false, false, true, true])
    #expect(connects.map { $0.call?.exit } == [-2, -111, -111, -111])
    #expect(connects.allSatisfy { $0.call?.isSuccess == false && $0.call?.arch == 0xc000_003e })
  }

  @Test("who called is told in full")
  func caller() throws {
    let event = try #require(Captured().events.first { $0.call?.number == 117 })
    let call = try #require(event.call)
    #expect(call.a0 == 65534 && call.a1 == 65534 && call.a2 == 65534 && call.isSuccess == true && call.exit == 0)
    let caller = call.caller
    #expect([caller.user, caller.effectiveUser, caller.savedUser, caller.fileUser] == [65534, 65534, 65534, 65534])
    #expect([caller.group, caller.effectiveGroup, caller.savedGroup, caller.fileGroup] == [0, 0, 0, 0])
    #expect(caller.loginUser == .max && caller.session == .max && caller.terminal == nil)
    #expect(event.text(caller.name) == "python3" && event.text(caller.executable) == "/usr/bin/python3.11")
    #expect(event.text(call.key) == "alibi-privilege" && caller.parent > 1 && caller.pid > caller.parent)
  }

  @Test("a denied open names what it could find")
  func denied() throws {
    let events = try Captured().events.filter { $0.text($0.call?.key) == "alibi-denied" }
    let paths = events.flatMap { $0.all { AuditPath($0, in: $1) } }
    try #require(events.count == 4 && paths.count == 4)
    #expect(zip(events, paths).map { $0.text($1.name) } == ["secret", "closed/x y", "closed/\u{fffd}\"q", "secret"])
    let name = try #require(paths[2].name)
    let raw = events[2].bytes(of: name)
    #expect(raw == Array("closed/".utf8) + [0xff] + Array("\"q".utf8) && name.form == .hexadecimal)
    #expect(paths.map(\.role) == [.normal, .unknown, .unknown, .normal])
    #expect(paths[0].inode == paths[3].inode && paths[0].device == 0xfe << 32 && paths[0].mode == 0o100000)
    #expect(paths[0].owner == 0 && paths[1].inode == nil && paths[1].device == nil && paths.allSatisfy { $0.item == 0 })
    let directories = events.map { event in event.text(event.first { AuditNote.workingDirectory($0, in: $1) }) }
    #expect(Set(directories) == ["/run/capture"])
    let title = events[0].text(events[0].first { AuditNote.processTitle($0, in: $1) })
    #expect(title == "/usr/bin/python3\0capture")
  }

  @Test("an execution has all its arguments, also those that are cut, quoted or empty")
  func arguments() throws {
    let executions = try Captured().events.filter { $0.call?.number == 59 }
    let last = try #require(executions.last)
    let expected = ["/bin/echo", "a b", "n\nl", String(repeating: "A b", count: 1400), "q\"q", ""]
    #expect(last.arguments()?.map { String(decoding: $0, as: UTF8.self) } == expected)
    let parts = last.all { record, span -> [AuditArguments.Argument]? in
      var arguments = AuditArguments(record)
      return arguments.map { _ in
        var found: [AuditArguments.Argument] = []
        while let next = arguments?.next(in: span) { found.append(next) }
        return found
      }
    }.flatMap { $0 }
    #expect(parts.map(\.part) == [nil, nil, nil, 0, 1, nil, nil])
    #expect(executions[0].arguments()?.map { String(decoding: $0, as: UTF8.self) } == ["./actions", "seize", "x"])
    #expect(executions[0].all { AuditPath($0, in: $1) }.map(\.item) == [0, 1])
  }

  @Test("an execution that lacks a record has no arguments rather than some")
  func missing() throws {
    let whole = try #require(Captured().events.last { $0.call?.number == 59 })
    var offset = 0
    var records: [Range<Int>] = []
    while true {
      let start = offset
      guard let record = try unsafe AuditRecord.next(in: whole.bytes.span.bytes, at: &offset) else { break }
      if record.type == .execve { records.append(start..<offset) }
    }
    try #require(records.count == 2)
    for record in records {
      var cut = whole
      cut.bytes.removeSubrange(record)
      #expect(cut.arguments() == nil)
    }
  }

  @Test("a tracer's event names the process that it traces")
  func object() throws {
    let event = try #require(Captured().events.first { $0.call?.number == 101 })
    let object = try #require(event.first { AuditObject($0, in: $1) })
    #expect(object.pid > 1 && object.user == 0 && object.loginUser == .max && event.text(object.name) == "actions")
    #expect(event.call?.a0 == 0x4206 && event.call?.a1 == UInt64(object.pid))
  }

  @Test("capabilities are told at an execution that gives them, and when they are given up")
  func capabilities() throws {
    let captured = try Captured()
    let execution = try #require(captured.events.compactMap { $0.first { AuditCapabilities($0, in: $1) } }.first)
    let most = Capabilities(rawValue: 0x1ff_feff_ffff)
    #expect(execution.effective == most && execution.oldEffective == most)
    #expect(execution.permitted == most && execution.oldPermitted == most)
    #expect(execution.ofFile.isEmpty && execution.gained.isEmpty)
    let event = try #require(captured.events.first { $0.call?.number == 126 })
    let dropped = try #require(event.first { AuditCapabilities($0, in: $1) })
    #expect(dropped.permitted.isEmpty && dropped.effective.isEmpty && dropped.oldEffective == nil)
  }

  @Test("an operation of io_uring shares its event with the call that submitted it")
  func ring() throws {
    let event = try #require(Captured().events.first { $0.call?.isRingOperation == true })
    let calls = event.all { AuditSyscall($0, in: $1) }
    #expect(calls.map(\.number) == [18, 426] && calls.map(\.isRingOperation) == [true, false])
    #expect(event.text(calls[0].key) == "alibi-ring" && calls[0].caller.pid == calls[1].caller.pid)
    #expect(event.text(event.first { AuditPath($0, in: $1) }?.name) == "readable")
  }

  @Test("a login, a message and a setting say what changed")
  func messages() throws {
    let captured = try Captured()
    let login = try #require(captured.events.compactMap { $0.first { AuditLogin($0, in: $1) } }.first)
    #expect(login.oldUser == .max && login.oldSession == .max && login.isSuccess)
    #expect(login.caller.loginUser == 1000 && login.caller.session == 3 && login.caller.user == 0)

    let told = captured.events.filter { $0.first { record, _ in record.type.isFromProgram } == true }
    let texts = told.compactMap { event in event.text(event.first { AuditProgramMessage($0, in: $1)?.message }) }
    try #require(texts.count == 2)
    #expect(texts[0] == "alibi mark=1 it's" && texts[1].hasPrefix("op=PAM:authentication"))
    var names: [String] = []
    let bytes = told[1].bytes
    let span = unsafe bytes.span.bytes
    var fields = told[1].first { AuditProgramMessage($0, in: $1)?.fields } ?? AuditFields(0..<0)
    while let field = fields.next(in: span) {
      names.append(told[1].text(AuditText(range: field.name, form: .plain)) ?? "")
    }
    #expect(names == ["op", "grantors", "acct", "exe", "hostname", "addr", "terminal", "res"])

    let changes = captured.events.compactMap { event in
      event.first { AuditConfigChange($0, in: $1) }.map { (event, $0) }
    }
    #expect(changes.map { $0.0.text($0.1.operation) } == ["add_rule", "remove_rule", "set", "set"])
    #expect(changes.map { $0.1.list } == [7, 7, nil, nil] && changes[0].0.text(changes[0].1.key) == "alibi-ring")
    #expect(changes[2].1.value == 8190 && changes[2].1.old == 8192 && changes[2].1.isSuccess == true)
    let setting = changes[2].1.setting.map { AuditText(range: $0, form: .plain) }
    #expect(changes[2].0.text(setting) == "audit_backlog_limit")
  }
}

/// One record of a type and a text, as the kernel frames it.
private func record(_ type: UInt16, _ text: String) -> [UInt8] {
  let payload = Array(text.utf8)
  var bytes = [UInt8](repeating: 0, count: 16)
  bytes.store(UInt32(16 + payload.count), at: 0)
  bytes.store(type, at: 4)
  bytes += payload
  return bytes + [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)
}

struct AuditTextTests {
  private func fields(_ text: String) throws -> [String] {
    let bytes = record(1400, "audit(1.002:3): \(text)")
    var offset = 0
    let found = try #require(try unsafe AuditRecord.next(in: bytes.span.bytes, at: &offset))
    var fields = found.fields
    var told: [String] = []
    while let field = unsafe fields.next(in: bytes.span.bytes) {
      told.append(String(decoding: bytes[field.name], as: UTF8.self))
      told.append(String(decoding: bytes[field.text.range], as: UTF8.self))
    }
    return told
  }

  @Test("words that are no pairs are passed over, and what a daemon added is not the kernel's")
  func walk() throws {
    #expect(try fields("a=1 word  b=\"x y\" =7 c= d='it's e=2'") == ["a", "1", "b", "x y", "c", "", "d", "it's e=2"])
    #expect(try fields("a=1\u{1d}UID=\"root\"") == ["a", "1"])
    #expect(try fields("msg='a'\u{1d}UID=\"root\" b='").count == 2)
    #expect(try fields("a={ saddr_fam=local } b=2") == ["a", "{ saddr_fam=local }", "b", "2"])
    #expect(try fields("a=\"open b=1") == ["a", "\"open", "b", "1"])
    #expect(try fields("") == [])
  }

  @Test("the fields that a daemon added are told apart")
  func enriched() throws {
    let bytes = record(1300, "audit(1.002:3): syscall=2 uid=0\u{1d}ARCH=x86_64 SYSCALL=open UID=\"root\"")
    var offset = 0
    let found = try #require(try unsafe AuditRecord.next(in: bytes.span.bytes, at: &offset))
    let call = unsafe AuditSyscall(found, in: bytes.span.bytes)
    #expect(call?.number == 2)
    var fields = unsafe AuditFields.enriched(found.body, in: bytes.span.bytes)
    var names: [String] = []
    while let field = unsafe fields.next(in: bytes.span.bytes) {
      names.append(String(decoding: bytes[field.name], as: UTF8.self))
    }
    #expect(names == ["ARCH", "SYSCALL", "UID"])
  }

  @Test(
    "a payload without the form of a stamp is an error, and never another time",
    arguments: [
      "", "audit(", "audit(1.2:3)", "audit(1.2:3", "audit(.2:3): ", "audit(1.2:): ", "audit(1.1000:3): ",
      "audit(1:3): ", "audit(-1.2:3): ", "audit(99999999999999999999.2:3): ", "Audit(1.2:3): ",
    ])
  func stamp(text: String) {
    #expect(throws: DecodeError.inconsistent) {
      let bytes = record(1300, text)
      var offset = 0
      _ = try unsafe AuditRecord.next(in: bytes.span.bytes, at: &offset)
    }
  }

  @Test("nothing is told apart from what cannot be")
  func nothing() throws {
    for (text, name) in [
      ("(null)", nil), ("\"(null)\"", "(null)"), ("4142", "AB"), ("414", "414"), ("\"4142\"", "4142"),
    ] {
      let bytes = record(1302, "audit(1.002:3): item=0 name=\(text) nametype=NORMAL")
      var offset = 0
      let found = try #require(try unsafe AuditRecord.next(in: bytes.span.bytes, at: &offset))
      let path = try #require(unsafe AuditPath(found, in: bytes.span.bytes))
      let told = path.name.map { unsafe String(decoding: $0.bytes(in: bytes.span.bytes), as: UTF8.self) }
      #expect(told == name)
    }
  }
}

struct AuditAssemblerTests {
  private func run(_ assembler: inout AuditAssembler, _ records: [(UInt16, Int)]) throws -> [AuditEvent] {
    var events: [AuditEvent] = []
    for (type, serial) in records {
      let bytes = record(type, "audit(1.002:\(serial)): syscall=1 items=1")
      var offset = 0
      let found = try #require(try unsafe AuditRecord.next(in: bytes.span.bytes, at: &offset))
      unsafe assembler.add(found, at: 0..<offset, in: bytes.span.bytes) { events.append($0) }
    }
    return events
  }

  @Test("records of two events among each other become two events")
  func interleaved() throws {
    var assembler = AuditAssembler()
    let events = try run(&assembler, [(1300, 1), (1300, 2), (1302, 2), (1307, 1), (1320, 2), (1302, 1), (1320, 1)])
    #expect(events.map(\.stamp.serial) == [2, 1] && events.allSatisfy { $0.ending == .complete })
    #expect(
      events.map { $0.all { record, _ in record.type.rawValue } } == [[1300, 1302, 1320], [1300, 1307, 1302, 1320]])
    #expect(assembler.pending == 0)
  }

  @Test("an event without an end is over after enough others")
  func patience() throws {
    var assembler = AuditAssembler(patience: 3)
    #expect(try run(&assembler, [(1305, 1), (1300, 2), (1307, 2), (1302, 2)]).isEmpty)
    let events = try run(&assembler, [(1302, 2)])
    #expect(events.map(\.stamp.serial) == [1] && events[0].ending == .quiet && assembler.pending == 1)
  }

  @Test("what has no room is given out as cut, and never grows")
  func bounds() throws {
    var assembler = AuditAssembler(room: 2, longest: 100)
    let evicted = try run(&assembler, [(1300, 1), (1300, 2), (1300, 3)])
    #expect(evicted.map(\.stamp.serial) == [1] && evicted[0].ending == .cut && assembler.pending == 2)
    #expect(try run(&assembler, [(1320, 1)]).map(\.ending) == [.cut, .cut])
    let long = try run(&assembler, [(1307, 3), (1307, 3), (1320, 3)])
    #expect(long.map(\.ending) == [.cut] && long[0].bytes.count <= 100)
  }

  @Test(
    "an event that lacks its call, or a path that its call tells of, is cut", arguments: [[1302, 1320], [1300, 1320]])
  func lacking(types: [UInt16]) throws {
    var assembler = AuditAssembler()
    #expect(try run(&assembler, types.map { ($0, 1) }).map(\.ending) == [.cut])
    #expect(try run(&assembler, [(1300, 2), (1302, 2), (1320, 2)]).map(\.ending) == [.complete])
  }

  @Test("once records were lost, what is open may lack some")
  func loss() throws {
    var assembler = AuditAssembler()
    #expect(try run(&assembler, [(1300, 1), (1302, 1)]).isEmpty)
    assembler.lose()
    #expect(try run(&assembler, [(1320, 1)]).map(\.ending) == [.cut])
    #expect(try run(&assembler, [(1300, 2), (1302, 2), (1320, 2)]).map(\.ending) == [.complete])
  }

  @Test("a program's message is an event at once")
  func message() throws {
    var assembler = AuditAssembler()
    #expect(try run(&assembler, [(1300, 1), (1121, 2)]).map(\.stamp.serial) == [2])
    var rest: [AuditEvent] = []
    assembler.finish { rest.append($0) }
    #expect(rest.map(\.ending) == [.quiet] && assembler.pending == 0)
  }
}
