import Foundation
import TestSupport
import Testing

extension ServiceTests {
  @Suite(.serialized)
  struct HazardTests {
    @Test("a session that becomes root by a set-user-ID program proves nothing from there on, unless that is accepted")
    func becomesRoot() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let other = try agent.file("other.txt")
      let programs = try ScratchDirectory(in: "/tmp", owner: 0)
      try programs.copyProgram(Place.actor, as: "actor")
      let from = service.moment()
      // Root in a namespace of its own is nobody here.
      #expect(try agent.run("unshare --user --map-root-user \(programs("actor")) read \(other)").status == 0)
      let untouched = try agent.file("untouched.txt")
      let before = service.prove(untouched, from: from)
      #expect(before.status == 0, "\(before.output)")
      _ = try Subprocess.run("/bin/chmod", ["4755", programs("actor")])
      #expect(try agent.run("\(programs("actor")) read \(other)").status == 0)
      let verdict = service.prove(untouched, from: from)
      #expect(verdict.status == 2)
      #expect(verdict.output.contains("privilege: session"))
      let accepted = service.prove(untouched, from: from, "--accept-hazard", "privilege")
      #expect(accepted.status == 0, "\(accepted.output)")
      #expect(accepted.output.contains("accepted: privilege\n  privilege: session"))
      let json = try service.json("prove", untouched, "--from", from, "--accept-hazard", "privilege") as? [String: Any]
      #expect(json?["accepted"] as? [String] == ["privilege"])
      #expect((json?["hazards"] as? [[String: Any]])?.allSatisfy { $0["accepted"] as? Bool == true } == true)
      #expect(service.alibi("sessions").output.contains("root's rights since"))
      // The next run opens everything anew.
      _ = try service.stop()
      try service.restart()
      let later = service.moment()
      service.expect(0, untouched, from: later)
    }

    @Test(
      "a session that gets capabilities from its program's file proves nothing from there on; a ping's are nothing",
      .tool("setcap", "-h"), arguments: [false, true])
    func getsCapabilities(hasAudit: Bool) throws {
      let service = try ServiceUnderTest(audit: hasAudit)
      defer { _ = try? service.stop() }
      let agent = try StandInAgent()
      let other = try agent.file("other.txt"), untouched = try agent.file("untouched.txt")
      let programs = try ScratchDirectory(in: "/tmp", owner: 0)
      for (name, given) in [("ping", "cap_net_raw=ep"), ("tracer", "cap_sys_ptrace=ep")] {
        try programs.copyProgram(Place.actor, as: name)
        let set = try Subprocess.run("/usr/bin/env", ["setcap", given, programs(name)])
        try #require(set.status == 0, "\(set.errors)")
      }
      let from = service.moment()
      #expect(try agent.run("\(programs("ping")) read \(other)").status == 0)
      // The capabilities of a namespace of its own are nobody's here; it waits until that was looked at.
      let door = agent.home("work/door")
      let own = "mkfifo \(door); unshare --user \(programs("tracer")) read \(door) & sleep 1; echo > \(door); wait $!"
      #expect(try agent.run(own).status == 0)
      // As agents' sandboxes are made: every capability in namespaces of their own, and given up by capset.
      let sandbox = "bwrap --ro-bind / / --dev /dev --proc /proc --unshare-user --unshare-pid --cap-drop ALL"
      #expect(try agent.run("\(sandbox) cat \(other)").status == 0)
      let before = service.prove(untouched, from: from)
      #expect(before.status == 0, "\(before.output)")
      #expect(try agent.run("\(programs("tracer")) read \(other)").status == 0)
      let verdict = service.prove(untouched, from: from)
      #expect(verdict.status == 2, "\(verdict.output)")
      #expect(verdict.output.contains("privilege: session") && verdict.output.contains("capabilities"))
      service.expect(0, untouched, from: from, "--accept-hazard", "privilege")
    }

    @Test("the same, where the program's file and its process are gone at once: audit tells", .tool("setcap", "-h"))
    func getsCapabilitiesUnseen() throws {
      let service = try ServiceUnderTest(audit: true)
      defer { _ = try? service.stop() }
      let agent = try StandInAgent()
      let other = try agent.file("other.txt"), untouched = try agent.file("untouched.txt")
      for _ in 0..<3 {
        let from = service.moment()
        service.expect(0, untouched, from: from)
        try agent.home.copyProgram(Place.actor, as: "work/tracer")
        let tracer = agent.home("work/tracer")
        try #require(try Subprocess.run("/usr/bin/env", ["setcap", "cap_sys_ptrace=ep", tracer]).status == 0)
        #expect(try agent.run("\(tracer) read \(other); rm -f \(tracer)").status == 0)
        let verdict = service.prove(untouched, from: from)
        #expect(verdict.status == 2 && verdict.output.contains("was given capabilities"), "\(verdict.output)")
        _ = try service.stop()
        try service.restart()
      }
    }

    @Test("a descriptor from outside that is only held blocks a no for its file until the session ends")
    func heldFromOutside() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("held.txt")
      let other = try agent.file("other.txt")
      let shell = try Subprocess("/bin/sh", ["-c", "exec 8< \(file); sleep 0.5; exec \(agent.launch) -c 'sleep 2; :'"])
      Thread.sleep(forTimeInterval: 1.2)
      let during = service.moment()
      let held = service.prove(file, from: during)
      #expect(held.status == 2)
      #expect(held.output.contains("inherited: record"))
      service.expect(0, file, from: during, "--accept-hazard", "inherited")
      service.expect(0, other, from: during)
      _ = try shell.finish()
      Thread.sleep(forTimeInterval: 0.3)
      let after = service.moment()
      let over = service.prove(file, from: after)
      #expect(over.status == 0, "\(over.output)")
    }

    @Test("one of a file that was deleted, as of a shell's here-document, blocks a no for that file alone")
    func heldDeletedFromOutside() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("held.txt"), other = try agent.file("other.txt")
      let from = service.moment()
      let shell = try Subprocess(
        "/bin/sh", ["-c", "exec 8< \(file); rm \(file); sleep 0.5; exec \(agent.launch) -c 'sleep 2; :'"])
      Thread.sleep(forTimeInterval: 1.2)
      let held = service.prove(file, from: from)
      #expect(held.status == 2 && held.output.contains("inherited: record"), "\(held.output)")
      let untouched = service.prove(other, from: from)
      #expect(untouched.status == 0, "\(untouched.output)")
      _ = try shell.finish()
    }

    @Test("a block device that a session reads is every file's hazard")
    func blockDevice() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let other = try agent.file("other.txt")
      let image = try ScratchDirectory(in: "/tmp")
      let set = "truncate -s 1M \(image("image")) && losetup --show -f \(image("image"))"
      let device = try Subprocess.run("/bin/sh", ["-c", set]).output.filter { !$0.isNewline }
      try #require(device.hasPrefix("/dev/loop"))
      let state = try Subprocess.run("/usr/bin/stat", ["-c", "%g %a", device]).output.split(separator: " ")
      try #require(state.count == 2)
      let restored = "chgrp \(state[0]) \(device); chmod \(state[1].filter(\.isNumber)) \(device); losetup -d \(device)"
      defer { _ = try? Subprocess.run("/bin/sh", ["-c", restored]) }
      // As most systems have it, where there is a udev.
      _ = try Subprocess.run("/bin/sh", ["-c", "chgrp disk \(device) && chmod 660 \(device)"])
      let from = service.moment()
      let group = ["--reuid", "65534", "--regid", "disk", "--clear-groups"]
      let read = ["-c", "head -c 512 \(device) > /dev/null; :"]
      _ = try Subprocess.run("/usr/bin/setpriv", group + [agent.program] + read)
      try #require(try !service.accesses(device).isEmpty)
      let verdict = service.prove(other, from: from)
      #expect(verdict.status == 2)
      #expect(verdict.output.contains("raw-device: record"))
      #expect(verdict.output.contains(device))
      service.expect(0, other, from: from, "--accept-hazard", "raw-device")
      #expect(try service.accesses("/dev/null").isEmpty || !verdict.output.contains("the device /dev/null"))
    }
  }
}
