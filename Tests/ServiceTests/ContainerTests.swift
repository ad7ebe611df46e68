import Foundation
import LinuxKernel
import TestSupport
import Testing

extension ServiceTests {
  /// Debian's docker: its daemon asks containerd, which starts a shim, which starts the container, in namespaces of its
  /// own, on an overlay, with the file that is asked about bound into it.
  @Suite("what runs in containers", .serialized, .tool("/usr/bin/docker", "--version"), .tool("dockerd", "--version"))
  struct ContainerTests {
    private func expect(
      _ service: ServiceUnderTest, _ target: String, _ status: Int32, _ said: String = "", from: String,
      location: SourceLocation = #_sourceLocation
    ) {
      // Who may ask the daemon is as good as root, and so is what it starts.
      let verdict = service.prove(target, from: from, "--accept-hazard", "privilege")
      #expect(
        verdict.status == status && (said.isEmpty || verdict.output.contains(said)), "\(verdict.output)",
        sourceLocation: location)
    }

    /// Nobody whom it concerns touched the file. Before it starts a container runc mounts its own executable, and takes that
    /// away at once: what was mounted then is not known, and that alone may stand in the way.
    private func expectUntouched(
      _ service: ServiceUnderTest, _ target: String, from: String, location: SourceLocation = #_sourceLocation
    ) throws {
      let found = try service.json("prove", target, "--from", from, "--accept-hazard", "privilege")
      let answer = try #require(found as? [String: Any])
      for key in ["accesses", "unattributed", "gaps"] {
        let listed = try #require(answer[key] as? [Any])
        #expect(listed.isEmpty, "\(target): \(key): \(listed)", sourceLocation: location)
      }
      let hazards = try #require(answer["hazards"] as? [[String: Any]])
      for hazard in hazards where hazard["accepted"] as? Int != 1 {
        let detail = hazard["detail"] as? String ?? ""
        #expect(detail.hasPrefix("what was mounted between "), "\(target): \(hazard)", sourceLocation: location)
      }
    }

    private func wait(for file: String, location: SourceLocation = #_sourceLocation) throws {
      try eventually("\(file) is there", location: location) { FileManager.default.fileExists(atPath: file) }
    }

    private func adopted(_ service: ServiceUnderTest) throws -> Int {
      try service.sessions().count { $0.relation == "adopted" }
    }

    @Test("a command for a container is the session's; what the image says, and a person's containers, are contacted")
    func docker() throws {
      let agent = try StandInAgent()
      let names = ["before", "running", "run", "detached", "exec", "image", "start", "person", "copied", "other"]
      let files = try Dictionary(uniqueKeysWithValues: names.map { ($0, try agent.file($0)) })
      let place = agent.home("work")
      let host = try ContainerHost(command: "cat \(place)/image; touch \(place)/image.done")
      defer { host.end() }
      let docker = host.client, run = "run --network none \(host.volumes) -v \(place):\(place)"
      func read(_ name: String) -> String { "sh -c 'cat \(place)/\(name); touch \(place)/\(name).done'" }
      let service = try ServiceUnderTest(audit: true)
      let from = service.moment()
      try host.person("\(docker) \(run) --rm image \(read("before"))")
      try host.person(
        "\(docker) \(run) -d --name persons image "
          + "sh -c 'cat \(place)/running; while [ ! -e \(place)/end ]; do sleep 0.1; done'")
      try host.person(
        "\(docker) create --name made --network none \(host.volumes) -v \(place):\(place) image \(read("start"))")
      Thread.sleep(forTimeInterval: 0.5)
      _ = service.moment()
      func ask(_ command: String) throws {
        let outcome = try agent.run("\(docker) \(command) > \(place)/output 2>&1 || cat \(place)/output")
        #expect(outcome.output.isEmpty, "\(command): \(outcome.output)")
      }
      try ask("\(run) --rm image cat \(place)/run")
      #expect(try adopted(service) == 1)
      expect(service, try #require(files["run"]), 1, from: from)
      try expectUntouched(service, try #require(files["before"]), from: from)
      try expectUntouched(service, try #require(files["running"]), from: from)
      try ask("\(run) -d image sh -c 'sleep 1; cat \(place)/detached; touch \(place)/detached.done'")
      try ask("exec persons cat \(place)/exec")
      #expect(try adopted(service) == 3)
      try ask("\(run) --rm image")
      try ask("start made")
      try ask("cp persons:\(place)/copied \(agent.home("copy"))")
      for name in ["detached", "image", "start"] { try wait(for: "\(place)/\(name).done") }
      // Who ends before the look at whom the daemon is connected with may be one of those.
      _ = service.moment()
      try host.person("cat \(place)/other > /dev/null")
      _ = service.moment()
      try host.person("\(docker) \(run) --rm image \(read("person")); touch \(place)/end")
      try wait(for: "\(place)/person.done")
      for name in ["detached", "exec"] { expect(service, try #require(files[name]), 1, from: from) }
      for name in ["image", "start", "person", "copied"] {
        expect(service, try #require(files[name]), 2, "contacted: record", from: from)
      }
      try expectUntouched(service, try #require(files["other"]), from: from)
      #expect(service.alibi("verify", "--full").status == 0)
    }

    @Test(
      "over a restart of the service: containers that a session started, and what is asked of the daemon in other ways")
    func restart() throws {
      let agent = try StandInAgent()
      let names = ["detached", "image", "raw", "other"]
      let files = try Dictionary(uniqueKeysWithValues: names.map { ($0, try agent.file($0)) })
      let place = agent.home("work")
      func read(_ name: String) -> String {
        "while [ ! -e \(place)/go ]; do sleep 0.1; done; cat \(place)/\(name); touch \(place)/\(name).done"
      }
      let host = try ContainerHost(command: read("image"))
      defer { host.end() }
      let docker = host.client, run = "run -d --network none \(host.volumes) -v \(place):\(place)"
      try host.person(
        "\(docker) create --name raw --network none \(host.volumes) -v \(place):\(place) image sh -c '\(read("raw"))'")
      let service = try ServiceUnderTest(audit: true)
      let asked = try agent.run(
        """
        set -e
        export \(host.environment)
        docker=/usr/bin/docker
        $docker \(run) image sh -c '\(read("detached"))'
        $docker \(run) image
        printf 'POST /containers/raw/start HTTP/1.0\\r\\n\\r\\n' | socat -t 5 - UNIX-CONNECT:\(host.door) | grep -q 204
        """)
      #expect(asked.status == 0, "\(asked.errors)")
      try eventually("the container is adopted") { try adopted(service) == 1 }
      // Who works for a session is kept for the next run once it has lived a while.
      Thread.sleep(forTimeInterval: 2)
      _ = service.moment()
      _ = try service.stop()
      try service.restart()
      let from = service.moment()
      try host.person("cat \(place)/other > /dev/null")
      _ = service.moment()
      try host.person("touch \(place)/go")
      for name in names.dropLast() { try wait(for: "\(place)/\(name).done") }
      expect(service, try #require(files["detached"]), 1, from: from)
      for name in ["image", "raw"] {
        expect(service, try #require(files[name]), 2, "contacted: record", from: from)
      }
      try expectUntouched(service, try #require(files["other"]), from: from)
    }

    @Test("runc, which a session runs itself: the container is of its tree")
    func runc() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let target = try agent.file("target"), other = try agent.file("other")
      let place = agent.home("work")
      let bundle = try ScratchDirectory(in: "/tmp")
      let name = "alibi-test-\(getpid())"
      let binds = ["/usr", place].map {
        #"{"destination": "\#($0)", "source": "\#($0)", "type": "bind", "options": ["rbind"]}"#
      }
      try bundle.write(
        "config.json",
        """
        {"ociVersion": "1.0.2", "root": {"path": "root"}, "mounts": [
          {"destination": "/proc", "type": "proc", "source": "proc"}, \(binds.joined(separator: ", "))],
         "process": {"cwd": "/", "user": {"uid": \(StandInAgent.user), "gid": \(StandInAgent.user)}, "env": ["PATH=/usr/bin"], "args":
           ["/bin/sh", "-c", "cat \(target); touch \(place)/done"]},
         "linux": {"cgroupsPath": "/\(name)", "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}]}}
        """)
      try ContainerHost.fill(bundle("root"))
      let from = service.moment()
      let outcome = try agent.run("runc --root \(bundle("state")) run --bundle \(bundle.path) \(name)", asRoot: true)
      #expect(outcome.status == 0 && FileManager.default.fileExists(atPath: place + "/done"), "\(outcome.errors)")
      try ContainerHost.removeGroups(name)
      expect(service, target, 1, from: from)
      try expectUntouched(service, other, from: from)
      #expect(try adopted(service) == 0)
    }
  }
}

/// A container daemon of the test's own, without a network, and an image that takes its programs from the host.
final class ContainerHost {
  /// The command by which to talk to it, and what that has in its environment.
  let client: String, environment: String
  /// Its socket.
  let door: String
  /// What each container needs to have programs.
  let volumes = "-v /usr:/usr:ro"
  private let place: ScratchDirectory
  private let group = "alibi-test-\(getpid())"
  /// What the daemons make elsewhere, and nobody can tell them where.
  private let traces = ["/run/containerd", "/run/docker", "/etc/docker/key.json"].filter {
    !FileManager.default.fileExists(atPath: $0)
  }
  private var servers: [Subprocess] = []

  /// - Parameter command: what a container runs that is told nothing.
  init(command: String) throws {
    place = try ScratchDirectory(in: "/tmp", owner: 0)
    door = place("door")
    environment = "HOME=\(place("home")) DOCKER_HOST=unix://\(door)"
    client = environment + " /usr/bin/docker"
    do {
      try start()
      try Self.fill(place("image"))
      try person(
        "tar -C \(place("image")) -c . | \(client) import --change 'CMD [\"/bin/sh\", \"-c\", \"\(command)\"]' - image")
    } catch {
      end()
      throw error
    }
  }

  private func start() throws {
    try place.write(
      "containerd.toml",
      """
      version = 2
      root = "\(place("containerd"))"
      state = "\(place("containers"))"
      disabled_plugins = ["io.containerd.grpc.v1.cri"]
      [grpc]
      address = "\(place("containerd.sock"))"
      """)
    try place.write("daemon.json", "{}")
    try place.makeDirectory("home")
    servers.append(try Subprocess("/usr/bin/containerd", ["--config", place("containerd.toml")]))
    try eventually("containerd listens") { FileManager.default.fileExists(atPath: place("containerd.sock")) }
    servers.append(
      try Subprocess(
        "/usr/sbin/dockerd",
        [
          "--config-file", place("daemon.json"), "--host", "unix://" + door, "--containerd",
          place("containerd.sock"), "--data-root", place("data"), "--exec-root", place("exec"), "--pidfile",
          place("pid"), "--bridge", "none", "--iptables=false",
          "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--userland-proxy=false", "--cgroup-parent",
          "/" + group, "--exec-opt", "native.cgroupdriver=cgroupfs", "--storage-driver", "overlay2",
        ]))
    try eventually("docker answers") { try Subprocess.run("/bin/sh", ["-c", client + " info"]).status == 0 }
    try Self.shell("chmod 755 \(place("home")); chmod 666 \(door)")
  }

  /// Somebody who is no agent.
  func person(_ script: String) throws { try Self.shell(script) }

  /// Makes a directory a container's: programs come with `/usr`.
  static func fill(_ root: String) throws {
    try shell(
      """
      set -e
      mkdir -p \(root)/{dev,etc,proc,root,run,sys,tmp,usr,var}
      for name in bin lib lib64 sbin; do ln -s usr/$name \(root)/$name; done
      """)
  }

  /// Removes the control groups of that name, which are empty.
  static func removeGroups(_ name: String) throws {
    try shell(
      """
      for group in $(find /sys/fs/cgroup -maxdepth 2 -type d -name \(name)); do
        for try in 1 2 3 4 5; do find $group -depth -type d -exec rmdir {} + && break; sleep 0.2; done
      done
      """)
  }

  private static func shell(_ script: String) throws {
    let outcome = try Subprocess.run("/bin/bash", ["--norc", "-c", script])
    #expect(outcome.status == 0, "\(script): \(outcome.errors)")
  }

  /// Ends it, with its containers, and leaves nothing mounted.
  func end() {
    _ = try? Subprocess.run("/bin/bash", ["--norc", "-c", "\(client) rm -f $(\(client) ps -aq)"])
    var said = ""
    for server in servers.reversed() {
      server.signal(SIGTERM)
      let deadline = Date(timeIntervalSinceNow: 10)
      while !server.hasEnded(), Date() < deadline { Thread.sleep(forTimeInterval: 0.02) }
      server.signal(SIGKILL)
      said += (try? server.finish().errors.suffix(2000)) ?? ""
    }
    servers = []
    // A shim that outlived its container names the directory in its arguments.
    for pid in (try? Procfs.pids()) ?? [] where pid != getpid() {
      guard let words = try? Procfs.file(pid, "cmdline"), words.firstRange(of: Array(place.path.utf8)) != nil else {
        continue
      }
      Issue.record("process \(pid) was left behind: \(String(decoding: words, as: UTF8.self)) \(said)")
      kill(pid, SIGKILL)
    }
    _ = try? Self.shell(
      "for point in $(findmnt -rno TARGET | grep -F \(place.path)/ | sort -r); do umount -l $point; done")
    _ = try? Self.removeGroups(group)
    for trace in traces { try? FileManager.default.removeItem(atPath: trace) }
  }
}
