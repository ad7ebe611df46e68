internal import ArgumentParser
internal import Decode
internal import LinuxKernel
internal import Records

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tries what capture needs of this host's kernel, and says what is lost without it.",
    discussion: "Exit status: 0 everything needed is there, 1 something is missing, 77 not run as root.")

  private struct Finding: Encodable {
    var witness: String
    var ok: Bool
    var needed: Bool
    var detail: String
    var lostWithoutIt: String
  }

  @Flag(name: .long, help: "Print JSON.") var json = false
  @Option(name: .long, help: ArgumentHelp("Accepted like everywhere; not used.", valueName: "dir"))
  var state = Common.defaultState

  func run() throws {
    guard Procfs.effectiveUser == 0 else {
      throw Failure(message: "only root can try what capture needs", hint: "sudo alibi doctor", status: 77)
    }
    let findings = examine()
    if json {
      try Output.json(findings)
    } else {
      var table = Table(["WITNESS", "STATE", "DETAIL", "WITHOUT IT"])
      for each in findings {
        table.add([each.witness, each.ok ? "ok" : each.needed ? "MISSING" : "missing", each.detail, each.lostWithoutIt])
      }
      try Output.write("Linux \(Procfs.kernelRelease) on \(Procfs.hostName)\n\n" + table.text())
    }
    if findings.contains(where: { $0.needed && !$0.ok }) { throw ExitCode(1) }
  }

  private func examine() -> [Finding] {
    [
      attempt("fanotify identity mode", needed: true, "nothing can be captured (needs Linux 5.17)") {
        () throws(Errno) in
        let group = try FanotifyGroup(.identity)
        try group.mark(.fileSystem, mask: FanotifyMask.files.rawValue, path: Array("/".utf8))
        return "whole-file-system marks on / with directory, name and target"
      },
      attempt(
        "fanotify descriptor mode", needed: false,
        "file systems that refuse identity mode are not covered (FAN_REPORT_FD_ERROR, Linux 6.13)"
      ) {
        () throws(Errno) in
        _ = try FanotifyGroup(.descriptor)
        return "for file systems that refuse identity mode"
      },
      attempt(
        "mark on /proc", needed: false, "who reads another process's memory or environment is not seen (Linux 6.13)"
      ) {
        () throws(Errno) in
        let group = try FanotifyGroup(.descriptor)
        try group.mark(.fileSystem, mask: FanotifyMask.memory.rawValue, path: Array("/proc".utf8))
        return "other processes' memory and environment"
      },
      attempt(
        "socket table", needed: false,
        "who has the other end of a Unix socket is not found, and so not whom a session asks (CONFIG_UNIX_DIAG)"
      ) {
        () throws(Errno) in
        _ = try SocketPeers.unix()
        return "the other ends of Unix sockets"
      },
      attempt("mount events", needed: false, "new mounts are found by polling, some milliseconds later (Linux 6.14)") {
        () throws(Errno) in
        let group = try FanotifyGroup(.mounts)
        try group.mark(
          .mountNamespace, mask: FanotifyMask.mounts.rawValue,
          object: try OwnedDescriptor.open("/proc/self/ns/mnt", .readOnly))
        return "attached and detached mounts, by namespace"
      },
      attempt(
        "perf task records", needed: true,
        "no verdict is NOT ACCESSED: CLONE_PARENT and a silenced connector cannot be excluded"
      ) {
        () throws(Errno) in
        let cpus = try Procfs.onlineCPUs()
        for cpu in cpus { _ = try PerfTaskRing(cpu: cpu, bytes: 1 << 16) }
        return "on \(cpus.count) CPUs"
      },
      attempt("process connector", needed: false, "lineage has one witness only; a disagreement cannot be noticed") {
        () throws(Errno) in
        _ = try ProcessConnector(receiveBuffer: 1 << 16)
        return "fork, exec, exit, credentials"
      },
      audit(),
      attempt("locked memory", needed: true, "under memory pressure events can be destroyed while they are read") {
        () throws(Errno) in
        let memory = try LockedMemory(count: 1 << 20, name: "alibi-doctor")
        if !memory.isLocked { throw .notPermitted }
        return "the journal cannot be swapped out"
      },
    ]
  }

  /// What audit could tell, unless it is not to be asked (`audit: false`).
  private func audit() -> Finding {
    let hindrances = AuditHindrance.all()
    let can = !hindrances.contains(where: \.isTotal)
    let told = ["commands, denied attempts, contacts, logins; unless `audit: false` forbids it"]
    return Finding(
      witness: "audit", ok: can, needed: false,
      detail: ((can ? told : []) + hindrances.map { "\($0), and so not seen: \($0.lost)" }).joined(separator: "; "),
      lostWithoutIt: "denied attempts, arguments of commands, and whom a session asks through a socket")
  }

  private func attempt(
    _ witness: String, needed: Bool, _ lost: String, _ body: () throws(Errno) -> String
  ) -> Finding {
    do {
      return Finding(witness: witness, ok: true, needed: needed, detail: try body(), lostWithoutIt: lost)
    } catch {
      return Finding(witness: witness, ok: false, needed: needed, detail: "\(error)", lostWithoutIt: lost)
    }
  }
}
