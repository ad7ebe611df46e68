import Foundation
import TestSupport
import Testing

extension ServiceTests {
  /// A message bus that starts programs for whoever calls them, and a service manager that starts units.
  @Suite(
    "what a bus or a service manager starts for a session", .serialized, .tool("dbus-daemon", "--version"),
    .tool("test", "-x", "/usr/lib/systemd/systemd"))
  struct BusTests {
    private func person(_ script: String) throws {
      let outcome = try Subprocess.run(
        "/usr/bin/setpriv", StandInAgent.setpriv + ["/bin/bash", "--norc", "-c", script])
      #expect(outcome.status == 0, "\(outcome.errors)")
    }

    private func expect(
      _ service: ServiceUnderTest, _ target: String, _ status: Int32, _ said: String = "", from: String,
      location: SourceLocation = #_sourceLocation
    ) {
      let verdict = service.prove(target, from: from)
      #expect(
        verdict.status == status && (said.isEmpty || verdict.output.contains(said)), "\(verdict.output)",
        sourceLocation: location)
    }

    private func wait(for file: String, location: SourceLocation = #_sourceLocation) throws {
      try eventually("what was asked for is done", location: location) { FileManager.default.fileExists(atPath: file) }
    }

    private func adopted(_ service: ServiceUnderTest) throws -> Int {
      try service.sessions().count { $0.relation == "adopted" }
    }

    @Test(
      "a program that the bus starts because a session calls it: what it touched, and what it was started for before was nobody's"
    )
    func activation() throws {
      let service = try ServiceUnderTest(audit: true)
      let agent = try StandInAgent()
      let names = ["before", "asked", "after", "other"]
      let files = try Dictionary(uniqueKeysWithValues: names.map { ($0, try agent.file($0)) })
      let place = agent.home("work")
      for name in names.dropLast() {
        _ = try agent.file(
          "\(name).service",
          """
          [D-BUS Service]
          Name=org.example.\(name)
          Exec=/bin/sh -c 'cat \(place)/\(name) > /dev/null; touch \(place)/\(name).done'

          """)
      }
      let address = "unix:path=" + agent.home("bus")
      let configuration = try agent.file("bus.conf", busConfiguration(listen: address, services: place))
      let bus = try Subprocess(
        "/usr/bin/setpriv", StandInAgent.setpriv + ["dbus-daemon", "--nofork", "--config-file=\(configuration)"])
      defer {
        bus.signal(SIGTERM)
        _ = try? bus.finish()
      }
      try wait(for: agent.home("bus"))
      func call(_ name: String) -> String {
        "dbus-send --bus=\(address) --type=method_call --dest=org.example.\(name) / org.example.Go"
      }
      let from = service.moment()
      try person(call("before"))
      try wait(for: place + "/before.done")
      _ = service.moment()
      #expect(try agent.run(call("asked")).status == 0)
      try wait(for: place + "/asked.done")
      // Who ends before the look at whom the bus is connected with may be one of those.
      _ = service.moment()
      try person("cat \(place)/other > /dev/null; " + call("after"))
      try wait(for: place + "/after.done")
      expect(service, try #require(files["before"]), 0, from: from)
      expect(service, try #require(files["asked"]), 2, "contacted: record", from: from)
      expect(service, try #require(files["after"]), 2, "contacted: record", from: from)
      expect(service, try #require(files["other"]), 0, from: from)
      #expect(try adopted(service) == 0)
    }

    @Test("units of a user's systemd: a command that systemd-run was given is the session's, all others are contacted")
    func units() throws {
      let agent = try StandInAgent()
      let place = agent.home("work")
      let manager = try UserManager(
        agent,
        units: [
          "reader.service":
            "[Service]\nExecStart=/bin/sh -c 'cat \(place)/unit > /dev/null; touch \(place)/unit.done'\n"
        ])
      defer { manager.end() }
      let service = try ServiceUnderTest(audit: true)
      let names = ["before", "direct", "waited", "unit", "bus", "timer", "person", "other"]
      let files = try Dictionary(uniqueKeysWithValues: names.map { ($0, try agent.file($0)) })
      func read(_ name: String) -> String { "sh -c 'cat \(place)/\(name) > /dev/null; touch \(place)/\(name).done'" }
      let from = service.moment()
      try person("\(manager.environment) systemd-run -q --user \(read("before"))")
      try wait(for: place + "/before.done")
      _ = service.moment()
      let asked = try agent.run(
        """
        set -e
        export \(manager.environment)
        systemd-run -q --user \(read("direct"))
        """)
      #expect(asked.status == 0, "\(asked.errors)")
      try wait(for: place + "/direct.done")
      let waited = try agent.run("export \(manager.environment)\nsystemd-run -q --user --wait --pipe \(read("waited"))")
      #expect(waited.status == 0, "\(waited.errors)")
      try wait(for: place + "/waited.done")
      #expect(try adopted(service) == 2)
      let others = try agent.run(
        """
        set -e
        export \(manager.environment)
        systemctl --user start reader.service
        systemd-run -q --user --on-active=3 --timer-property=AccuracySec=1ms \(read("timer"))
        busctl --user -q call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager \
          StartTransientUnit 'ssa(sv)a(sa(sv))' bus.service fail 1 ExecStart 'a(sasb)' 1 /bin/sh 3 /bin/sh -- -c \
          'cat \(place)/bus > /dev/null; touch \(place)/bus.done' false 0
        """)
      #expect(others.status == 0, "\(others.errors)")
      // As above.
      _ = service.moment()
      try person("\(manager.environment) systemd-run -q --user \(read("person")); cat \(place)/other > /dev/null")
      for name in ["unit", "bus", "timer", "person"] { try wait(for: "\(place)/\(name).done") }
      expect(service, try #require(files["before"]), 0, from: from)
      for name in ["direct", "waited"] { expect(service, try #require(files[name]), 1, from: from) }
      for name in ["unit", "bus", "timer", "person"] {
        expect(service, try #require(files[name]), 2, "contacted: record", from: from)
      }
      expect(service, try #require(files["other"]), 0, from: from)
      #expect(try adopted(service) == 2)
      #expect(service.alibi("verify", "--full").status == 0)
    }
  }
}

/// What a message bus is told of whom to let in, and of what it may start.
private func busConfiguration(listen address: String, services: String) -> String {
  """
  <!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
   "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
  <busconfig>
    <type>session</type>
    <listen>\(address)</listen>
    <auth>EXTERNAL</auth>
    <servicedir>\(services)</servicedir>
    <policy context="default">
      <allow send_destination="*" eavesdrop="true"/>
      <allow eavesdrop="true"/>
      <allow own="*"/>
    </policy>
  </busconfig>
  """
}

/// A systemd of the agent's user, with a bus, and with units of the test's own.
///
/// It runs as on a host that systemd has booted, which this one need not be: its own `/run` says so.
final class UserManager {
  /// What a program that is to find it has in its environment.
  let environment: String
  private let group: String
  private let process: Subprocess

  init(_ agent: StandInAgent, units: [String: String]) throws {
    let room = agent.home("run"), place = agent.home("units")
    try agent.home.makeDirectory("run")
    try agent.home.makeDirectory("units")
    let units = units.merging(
      [
        "default.target": "[Unit]\nRequires=dbus.socket\nAfter=dbus.socket\n", "basic.target": "[Unit]\n",
        "shutdown.target": "[Unit]\nDefaultDependencies=no\n", "timers.target": "[Unit]\n",
        "dbus.socket": "[Socket]\nListenStream=%t/bus\n",
        "dbus.service":
          "[Unit]\nRequires=dbus.socket\n[Service]\nType=notify\nExecStart=/usr/bin/dbus-daemon --config-file=\(place)/bus.conf "
          + "--address=systemd: --nofork --nopidfile --systemd-activation --syslog-only\n",
        "bus.conf": busConfiguration(listen: "unix:path=\(room)/bus", services: place),
      ], uniquingKeysWith: { $1 })
    for (name, text) in units { try agent.home.write("units/" + name, text) }
    environment = "HOME=\(room) XDG_RUNTIME_DIR=\(room) DBUS_SESSION_BUS_ADDRESS=unix:path=\(room)/bus"
    let roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
    let root = try #require(roots.first { FileManager.default.fileExists(atPath: $0 + "/cgroup.procs") })
    group = "\(root)/alibi-test-\(getpid())"
    process = try Subprocess(
      "/usr/bin/unshare",
      [
        "--mount", "/bin/bash", "--norc", "-c",
        """
        set -e
        mount -t tmpfs -o mode=755 alibi-test /run
        mkdir -p /run/systemd/system
        mkdir \(group)
        chown -R \(StandInAgent.user) \(group)
        echo $$ > \(group)/cgroup.procs
        chown -R \(StandInAgent.user) \(group)
        export \(environment) SYSTEMD_UNIT_PATH=\(place)
        exec setpriv \(StandInAgent.setpriv.joined(separator: " ")) /usr/lib/systemd/systemd --user --log-target=console
        """,
      ])
    do {
      try eventually("the manager listens") {
        FileManager.default.fileExists(atPath: room + "/systemd/private")
          && FileManager.default.fileExists(atPath: room + "/bus")
      }
    } catch {
      end()
      throw error
    }
  }

  /// Ends it, with all that it has started.
  func end() {
    process.signal(SIGKILL)
    let outcome = try? process.finish()
    let removed = try? Subprocess.run(
      "/bin/bash",
      [
        "--norc", "-c",
        """
        echo 1 > \(group)/cgroup.kill
        for try in 1 2 3 4 5; do find \(group) -depth -type d -exec rmdir {} + && break; sleep 0.2; done
        """,
      ])
    #expect(removed?.status == 0, "\(removed?.errors ?? "") \(outcome?.errors ?? "")")
  }
}
