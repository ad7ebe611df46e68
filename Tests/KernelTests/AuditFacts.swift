import CTestActions
import Decode
import LinuxKernel
import TestSupport
import Testing

extension KernelFacts {
  /// Audit: what its records tell, what they do not, and how loss shows.
  struct Audit {
    let scratch: ScratchDirectory

    init() throws {
      scratch = try ScratchDirectory()
      try scratch.write("a")
    }

    /// Where the state of audit may differ afterwards: counts, and nothing else.
    private struct Visible: Equatable {
      var settings: AuditState.Settings
      var pid: Int32
      var failure: UInt32
      var rateLimit: UInt32
      var rules: [AuditRule]

      init(_ control: AuditControl) throws {
        let status = try control.status()
        settings = AuditState.Settings(status)
        pid = status.pid
        failure = status.failure
        rateLimit = status.rateLimit
        rules = try control.rules()
      }
    }

    @Test("an owner that goes leaves settings and rules as they were, and others' rules alone")
    func restoration() throws {
      let control = try AuditControl()
      let before = try Visible(control)
      var foreign = try #require(
        AuditRule.file(Array("-a always,exit -F arch=b64 -S acct -k alibi-x".utf8)).first)
      foreign.fields[1].text = Array("others".utf8)
      foreign.fields[1].value = 6
      var watch: AuditWatch? = try AuditWatch(.owner, ShippedRules.text("10-alibi-exec"))
      try control.add(foreign)
      defer { try? control.delete(foreign) }
      #expect(try control.status().pid == Procfs.ownPid)
      #expect(try control.status().isEnabled)
      #expect(try control.rules().count == before.rules.count + 3)
      _ = watch
      watch = nil
      #expect(try control.rules() == before.rules + [foreign])
      try control.delete(foreign)
      #expect(try Visible(control) == before)
    }

    @Test("what was altered can be undone from its text, by a process that knows nothing else")
    func crash() throws {
      let control = try AuditControl()
      let before = try Visible(control)
      let watch = try AuditWatch(.owner, ShippedRules.text("45-alibi-handles"))
      let kept = try #require(AuditState(watch.state.description))
      #expect(kept == watch.state)
      try kept.restore(try AuditControl())
      try watch.source.resign()
      #expect(try Visible(control) == before)
    }

    @Test("a setting that somebody else altered meanwhile stays")
    func altered() throws {
      let control = try AuditControl()
      let before = try Visible(control)
      var watch: AuditWatch? = try AuditWatch()
      try control.set(backlogLimit: 4321)
      _ = watch
      watch = nil
      #expect(try control.status().backlogLimit == 4321)
      try control.set(backlogLimit: before.settings.backlogLimit)
      #expect(try Visible(control) == before)
    }

    @Test("a second audit daemon is refused, and the first is told who it was")
    func replacement() async throws {
      let watch = try AuditWatch()
      #expect(throws: Errno.fileExists) { try AuditSource(.owner, receiveBuffer: 0) }
      let events = try await watch.drain()
      #expect(watch.others == [Procfs.ownPid])
      let change = try #require(events.compactMap(\.change).first { $0.isSuccess == false })
      #expect(change.value == Int64(Procfs.ownPid) && change.old == Int64(Procfs.ownPid))
    }

    @Test(
      "who may not use audit is told in which way",
      arguments: [
        ("audit-nobody", AuditHindrance.notPermitted), ("audit-listen", .notPermitted),
        ("audit-namespace", .namespaced),
      ])
    func permission(call: String, hindrance: AuditHindrance) throws {
      let error = #expect(throws: Errno.self) { try Child.run(.call, in: scratch, call, "a") }
      #expect(error.map { AuditHindrance($0) } == hindrance)
    }

    @Test("everything that is in the way of a state is named, with what is not seen because of it")
    func hindrances() throws {
      var status = try AuditControl().status()
      (status.pid, status.isLocked, status.isEnabled, status.rateLimit) = (17, true, false, 100)
      let found = AuditHindrance.all(status: status, rules: [], owner: 18)
      #expect(found == [.occupied(pid: 17), .locked(isEnabled: false), .limited(perSecond: 100)])
      #expect(AuditHindrance.all(status: status, rules: [], owner: 17).count == 2)
      for each in found + [.unsupported, .notPermitted, .namespaced, .locked(isEnabled: true), .failed(.timedOut)] {
        #expect(!each.feature.isEmpty && !each.lost.isEmpty && !"\(each)".isEmpty)
      }
      #expect(AuditHindrance(Errno(rawValue: 93)) == .unsupported)
    }

    @Test("an open that is denied shows the file with its identity, and errno")
    func denied() async throws {
      try scratch.protect("a")
      let watch = try AuditWatch(.owner, ShippedRules.text("20-alibi-denied"))
      let pid = try Child.run(.call, in: scratch, "denied-open", "a")
      let event = try #require(try await watch.calls(of: pid).first)
      #expect(event.ending == .complete)
      #expect(event.types == ["SYSCALL", "CWD", "PATH", "PROCTITLE", "EOE"])
      #expect(event.call?.isSuccess == false && event.call?.exit == -13)
      #expect(AuditNames.systemCall(event.call?.number ?? -1, arch: event.call?.arch ?? 0)?.hasPrefix("open") == true)
      let path = try #require(event.paths.first)
      #expect(path.role == .normal && path.name.map(event.text) == "a")
      let status = try scratch.status("a")
      #expect(path.inode == status.inode && path.device == status.device)
    }

    @Test("where a directory refuses, the record has the name alone")
    func closedDirectory() async throws {
      try scratch.makeDirectory("d")
      try scratch.write("d/secret")
      try scratch.protect("d")
      let watch = try AuditWatch(.owner, ShippedRules.text("20-alibi-denied"))
      let pid = try Child.run(.call, in: scratch, "denied-open", "d/secret")
      let event = try #require(try await watch.calls(of: pid).first)
      let path = try #require(event.paths.first)
      #expect(path.role == .unknown && path.name.map(event.text) == "d/secret")
      #expect(path.inode == nil && path.device == nil && path.mode == 0)
    }

    @Test("a record names the process, also where a thread made it")
    func thread() async throws {
      try scratch.protect("a")
      let watch = try AuditWatch(.owner, ShippedRules.text("20-alibi-denied"))
      let pid = try Child.run(.call, in: scratch, "denied-thread", "a")
      #expect(try await watch.calls(of: pid).count == 1)
    }

    @Test("an execution has its arguments, also one of more bytes than a record takes")
    func arguments() async throws {
      let watch = try AuditWatch(.owner, ShippedRules.text("10-alibi-exec"))
      let given = ["/bin/echo", "a b", "", "line\nline", "\"", String(repeating: "x", count: 30_000), "end"]
      let program = try Subprocess(given[0], Array(given.dropFirst()))
      _ = try program.finish()
      let event = try #require(try await watch.calls(of: program.pid).first)
      #expect(event.key == "alibi-exec" && event.types.count { $0 == "EXECVE" } > 1)
      #expect(event.arguments()?.map { String(decoding: $0, as: UTF8.self) } == given)
      #expect(event.call?.caller.executable.map(event.text)?.hasSuffix("/echo") == true)
      #expect(event.paths.first?.name.map(event.text) == "/bin/echo")
    }

    @Test(
      "an execution tells which capabilities a file gave, in a user namespace, too, and not that it was in one",
      .tool("setcap", "-h"), arguments: [false, true])
    func capabilities(inNamespace: Bool) async throws {
      try scratch.copyProgram("/bin/true", as: "program")
      _ = try Subprocess.run("/usr/bin/env", ["setcap", "cap_sys_ptrace=ep", scratch("program")])
      let watch = try AuditWatch(.owner, ShippedRules.text("10-alibi-exec"))
      let own = inNamespace ? ["/usr/bin/unshare", "--user"] : []
      let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups"]
      let program = try Subprocess("/usr/bin/setpriv", user + own + [scratch("program")])
      #expect(try program.finish().status == 0)
      let event = try #require(try await watch.calls(of: program.pid).last)
      let told = try #require(event.first { AuditCapabilities($0, in: $1) })
      #expect(told.gained == Capabilities(rawValue: 1 << 19))
      #expect(event.call?.caller.user == 65534)
    }

    @Test("a program that has no name is told by its empty one")
    func anonymous() async throws {
      try scratch.copyProgram("/bin/true", as: "program")
      let watch = try AuditWatch(.owner, ShippedRules.text("10-alibi-exec"))
      let pid = try Child.run(.executeAnonymous, in: scratch, "program")
      let event = try #require(try await watch.calls(of: pid).first)
      #expect(event.call?.caller.executable.map(event.text)?.hasPrefix("/memfd:") == true)
      #expect(event.paths.first?.name.map(event.text) == "" && event.paths.first?.role == .normal)
    }

    @Test(
      "each rule raises its record",
      arguments: [
        ("denied-open", "20-alibi-denied", "denied"), ("denied-create", "20-alibi-denied", "denied"),
        ("denied-unlink", "20-alibi-denied", "denied"), ("denied-execute", "20-alibi-denied", "denied"),
        ("become", "30-alibi-privilege", "privilege"), ("capset", "30-alibi-privilege", "privilege"),
        ("seize", "40-alibi-memory", "memory"), ("attach", "40-alibi-memory", "memory"),
        ("traceme", "40-alibi-memory", "memory"), ("read-memory", "40-alibi-memory", "memory"),
        ("getfd", "40-alibi-memory", "memory"),
        ("handle", "45-alibi-handles", "handle"),
        ("mount", "50-alibi-mounts", "mount"), ("setns", "50-alibi-mounts", "mount"),
        ("module", "55-alibi-kernel", "kernel"), ("bpf", "55-alibi-kernel", "kernel"),
        ("block", "60-alibi-devices", "device"), ("connect-unix", "65-alibi-connect", "connect"),
        ("connect-abstract", "65-alibi-connect", "connect"), ("connect-4", "65-alibi-connect", "connect"),
        ("connect-6", "65-alibi-connect", "connect"), ("accept", "65-alibi-connect", "accept"),
        ("keys", "47-alibi-terminal", "terminal"), ("libaio", "70-alibi-async", "async"),
        ("fanotify", "75-alibi-sensors", "sensor"), ("perf", "75-alibi-sensors", "sensor"),
        ("clock", "75-alibi-sensors", "clock"),
      ])
    func rule(call: String, file: String, key: String) async throws {
      let target: String
      switch call {
      case "mount":
        try scratch.makeDirectory("m")
        target = "m"
      case "block": target = "node"
      case "denied-create", "denied-unlink": target = "new"
      default: target = "a"
      }
      if call == "denied-unlink" { try scratch.write("new") }
      try scratch.protect("a")
      let watch = try AuditWatch(.owner, ShippedRules.text(file))
      let pid = try Child.run(.call, in: scratch, call, target)
      let events = try await watch.calls(of: pid)
      #expect(!events.isEmpty && events.allSatisfy { $0.key == "alibi-\(key)" })
      switch call {
      case "connect-unix":
        guard case .unix(let path, false) = events.first?.address else { throw Errno.invalidArgument }
        #expect(events[0].text(path) == "a")
      case "connect-abstract":
        guard case .unix(let path, true) = events.first?.address else { throw Errno.invalidArgument }
        #expect(events[0].text(path) == "a")
      case "connect-4": #expect(events.first?.address == .ipv4(0x7f00_0001, port: 9))
      case "connect-6": #expect(events.first?.address == .ipv6(high: 0, low: 1, port: 9))
      case "seize", "attach": #expect(events.first?.object?.pid == Child.notedPid())
      case "read-memory":
        #expect(events.first?.object == nil && events.first?.call?.a0 == UInt64(Child.notedPid()))
      case "handle":
        let status = try scratch.status("a")
        #expect(
          events.first?.leads(to: status) == true && events.first?.paths.map { $0.name.map(events[0].text) } == [""])
      case "getfd": #expect(events.allSatisfy { $0.object == nil })
      case "block":
        #expect(events.contains { $0.paths.contains { $0.mode & 0o170000 == 0o060000 && $0.role == .normal } })
      default: break
      }
    }

    @Test("a rule on openat does not see an open through io_uring; one on the ring does", arguments: 0...2)
    func ring(way: Int) async throws {
      let watch = try AuditWatch(
        .owner, "-a always,exit -F arch=b64 -S open,openat,openat2 -F dir=\(scratch.path) -k alibi-open",
        "-a always,io_uring -U openat,openat2 -k alibi-ring")
      let pid = try Child.run(.ring, in: scratch, number: way)
      let events = try await watch.calls(of: pid)
      #expect(events.count == 1)
      let call = try #require(events.first?.call)
      #expect(call.isRingOperation && AuditNames.ringOperation(call.number) == "openat" && call.isSuccess == true)
      // The name was looked up for the submitter, not for the kernel's worker: then the record has none.
      let status = try scratch.status("a")
      #expect(events.first?.leads(to: status) == (way != 1))
      #expect(events.first?.types.contains("SYSCALL") == (way == 0))
    }

    @Test("a watch does not see an open through io_uring; a rule of the ring's list does", arguments: ["", "/a"])
    func watchedRing(below: String) async throws {
      let path = scratch.path + below
      let watch = try AuditWatch(.owner, "-w \(path) -p rwxa -k alibi-watch-test")
      let opener = try Child.run(.open, in: scratch)
      for way in 0...2 { try Child.run(.ring, in: scratch, number: way) }
      #expect(try await watch.drain().filter { $0.key == "alibi-watch-test" }.map { $0.call?.caller.pid } == [opener])
      try watch.add("-a always,io_uring -U openat,openat2 -F dir=\(path) -k alibi-watch-ring")
      let pids = try (0...2).map { try Child.run(.ring, in: scratch, number: $0) }
      try Child.run(.ring, in: ScratchDirectory.with("a"))
      #expect(try await watch.drain().filter { $0.key == "alibi-watch-ring" }.map { $0.call?.caller.pid } == pids)
    }

    @Test("a place is watched whatever its name is, by system calls and by io_uring", arguments: [true, false])
    func place(isDirectory: Bool) async throws {
      try scratch.makeDirectory("a place")
      try scratch.write("a place/in \"it\"")
      let path = scratch("a place") + (isDirectory ? "" : "/in \"it\"")
      let watch = try AuditWatch()
      let rules = AuditRule.watching(Array(path.utf8), isDirectory: isDirectory, as: "watch-test")
      #expect(rules.allSatisfy(\.isOurs) && watch.control.load(rules).isEmpty)
      #expect(try watch.control.missing(of: rules).isEmpty)
      let opener = try Child.run(.open, in: scratch, "a place/in \"it\"")
      let ring = try Child.run(.ring, in: scratch, "a place/in \"it\"")
      try Child.run(.open, in: scratch)
      let events = try await watch.drain().filter { $0.key == "alibi-watch-test" }
      #expect(events.map { $0.call?.caller.pid } == [opener, ring])
      #expect(events.first?.paths.last?.name.map(events[0].text) == "a place/in \"it\"")
    }

    @Test("rules that somebody else removes are told of")
    func removed() async throws {
      let watch = try AuditWatch(.owner, ShippedRules.text("45-alibi-handles"))
      _ = try await watch.drain()
      let control = try AuditControl()
      for rule in try control.rules() where rule.isOurs { try control.delete(rule) }
      let events = try await watch.drain().filter { $0.change != nil }
      #expect(events.count == 2)
      for event in events {
        let change = try #require(event.change)
        #expect(change.operation.map(event.text) == "remove_rule" && change.key.map(event.text) == "alibi-handle")
        #expect(change.isSuccess == true && change.list == 4)
      }
    }

    @Test("audit that somebody else switches off is told of, and then silent; switching it on again is not told of")
    func disabled() async throws {
      let watch = try AuditWatch(.owner, ShippedRules.text("10-alibi-exec"))
      _ = try await watch.drain()
      try watch.control.set(isEnabled: false)
      _ = try Subprocess.run("/bin/true")
      try watch.control.set(isEnabled: true)
      let events = try await watch.drain()
      let changes = events.compactMap(\.change).filter { $0.setting != nil }
      #expect(changes.map(\.value) == [0] && changes.map(\.old) == [1])
      #expect(!events.contains { $0.isExecution(by: Procfs.ownPid) })
    }

    @Test("a process that was born while no task was audited is not audited later, but its children are")
    func bornBefore() async throws {
      let watch = try AuditWatch(.owner, ShippedRules.text("10-alibi-exec"))
      try watch.add("-a never,task -k alibi-fence")
      let shell = try Subprocess(
        "/bin/sh", ["-c", "while [ ! -e \(scratch.path)/go ]; do :; done; /bin/true; exec /bin/echo"])
      for rule in try watch.control.rules() where rule.list == .task && rule.isOurs { try watch.control.delete(rule) }
      _ = try await watch.drain()
      try scratch.write("go")
      #expect(try shell.finish().status == 0)
      let events = try await watch.drain().filter {
        $0.call?.caller.parent == shell.pid || $0.call?.caller.pid == shell.pid
      }
      #expect(events.map { $0.arguments()?.first.map { String(decoding: $0, as: UTF8.self) } } == ["/bin/true"])
    }

    @Test("what the service's own executable does all day raises nothing; what it does else is seen")
    func spared() async throws {
      let watch = try AuditWatch(.owner)
      let own = try Procfs.link(Procfs.ownPid, "exe")
      let rule = try #require(AuditRule.sparing(own))
      #expect(rule.isOurs && !rule.isSilencing)
      #expect(watch.control.load([rule]).isEmpty)
      try watch.add(ShippedRules.text("45-alibi-handles"))
      try watch.add(ShippedRules.text("30-alibi-privilege"))
      #expect(try await watch.calls(of: Child.run(.call, in: scratch, "handle", "a")).isEmpty)
      #expect(try await watch.calls(of: Child.run(.call, in: scratch, "capset", "a")).count == 1)
      try watch.control.delete(rule)
      #expect(try await watch.calls(of: Child.run(.call, in: scratch, "handle", "a")).count == 1)
    }

    @Test("a rule of somebody else's that says never hides ours behind it")
    func hidden() async throws {
      let watch = try AuditWatch(
        .owner, "-a never,exit -F arch=b64 -S open_by_handle_at -k alibi-hide",
        try ShippedRules.text("45-alibi-handles"))
      let pid = try Child.run(.call, in: scratch, "handle", "a")
      #expect(try await watch.calls(of: pid).isEmpty)
      var foreign = try #require(try watch.control.rules().first)
      foreign.fields.removeLast()
      #expect(foreign.isSilencing)
      let status = try watch.control.status()
      #expect(
        AuditHindrance.all(status: status, rules: [foreign], owner: Procfs.ownPid) == [.silenced(by: foreign)])
    }
  }
}
