import Foundation
import TestSupport
import Testing

extension ServiceTests {
  @Suite(.serialized)
  struct VerdictTests {
    @Test("the main job: ACCESSED with the record, NOT ACCESSED, and NOT PROVEN once the service has stopped")
    func mainJob() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let touched = try agent.file("touched.csv")
      let untouched = try agent.file("untouched.csv")
      let from = service.moment()
      try agent.run("read line < \(touched)")
      let accessed = service.prove(touched, from: from)
      #expect(accessed.status == 1)
      #expect(accessed.output.hasPrefix("ACCESSED\n"))
      #expect(accessed.output.contains("9.9.9["))
      let not = service.prove(untouched, from: from)
      #expect(not.status == 0, "\(not.output)")
      #expect(not.output.hasPrefix("NOT ACCESSED\n"))
      #expect(try service.stop().status == 0)
      let later = service.prove(untouched, from: from, "--to", now())
      #expect(later.status == 2)
      #expect(later.output.contains("not capturing"))
      let before = service.prove(untouched, from: from)
      #expect(before.status == 0, "now is the last moment vouched for: \(before.output)")
    }

    @Test("a bystander's accesses are nobody's, on the same files at the same time")
    func bystander() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let mine = try agent.file("mine.txt")
      let yours = try agent.file("yours.txt")
      let from = service.moment()
      let session = try agent.start("for i in 1 2 3 4 5; do read l < \(mine); sleep 0.1; done")
      for _ in 0..<5 { _ = try Subprocess.run("/bin/cat", [mine, yours]) }
      _ = try session.finish()
      service.expect(1, mine, from: from)
      service.expect(0, yours, from: from)
      #expect(try service.accesses(mine).allSatisfy { $0.session != nil && $0.exe == agent.program })
    }

    @Test("the kind of operation decides: read is not written, a rename over a file writes it")
    func kinds() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let read = try agent.file("read.txt")
      let replaced = try agent.file("replaced.txt")
      let from = service.moment()
      try agent.run("read l < \(read); echo new > \(replaced).tmp; mv \(replaced).tmp \(replaced)")
      service.expect(1, read, from: from, "--op", "read")
      service.expect(0, read, from: from, "--op", "write")
      service.expect(0, read, from: from, "--op", "exec")
      service.expect(1, replaced, from: from, "--op", "write")
      service.expect(1, agent.program, from: from, "--op", "exec")
    }

    @Test("a directory answers for everything beneath it, a pattern for everything that matches")
    func trees() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      try agent.home.makeDirectory("work/a")
      try agent.home.makeDirectory("work/b")
      let deep = try agent.file("a/deep.csv")
      _ = try agent.file("b/other.csv")
      let from = service.moment()
      try agent.run("read l < \(deep)")
      service.expect(1, agent.home("work/a/"), from: from)
      service.expect(0, agent.home("work/b"), from: from)
      service.expect(1, agent.home("work/**/*.csv"), from: from, "--glob")
      service.expect(0, agent.home("work/**/*.tsv"), from: from, "--glob")
    }

    @Test("a hard link, a rename by anybody and a moved directory are other names of the same target")
    func names() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      try agent.home.makeDirectory("work/dir")
      let linked = try agent.file("linked.txt")
      let renamed = try agent.file("renamed.txt")
      let moved = try agent.file("dir/moved.txt")
      let work = agent.home("work")
      _ = try Subprocess.run("/bin/ln", [linked, work + "/other-name"])
      let from = service.moment()
      // The service tells a time only to within a batch.
      Thread.sleep(forTimeInterval: 0.1)
      _ = try Subprocess.run("/bin/mv", [renamed, work + "/elsewhere.txt"])
      _ = try Subprocess.run("/bin/mv", [work + "/dir", work + "/gone"])
      try agent.run("read l < \(work)/other-name; read l < \(work)/elsewhere.txt; read l < \(work)/gone/moved.txt")
      service.expect(1, linked, from: from)
      service.expect(1, renamed, from: from)
      service.expect(1, moved, from: from)
      service.expect(1, work + "/dir/", from: from)
    }

    @Test("a tree and a pattern answer for a file of theirs that was read by a link elsewhere")
    func linksOutOfTrees() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      try agent.home.makeDirectory("work/tree")
      let file = try agent.file("tree/a.csv")
      let from = service.moment()
      try agent.run("ln \(file) \(agent.home("work/out")); read l < \(agent.home("work/out"))")
      service.expect(1, agent.home("work/tree/"), from: from, "--op", "read")
      service.expect(1, agent.home("work/tree/*.csv"), from: from, "--op", "read", "--glob")
    }

    @Test("a question through a bind mount or a symbolic link is about the place behind it")
    func otherWays() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      try agent.home.makeDirectory("work/data")
      try agent.home.makeDirectory("bound")
      let file = try agent.file("data/a.txt")
      let mount = try ScratchMount(binding: agent.home("work/data"), on: agent.home("bound"))
      try agent.home.link("link", to: agent.home("work/data"))
      let from = service.moment()
      try agent.run("read l < \(file)")
      service.expect(1, agent.home("bound/"), from: from)
      service.expect(1, agent.home("bound/a.txt"), from: from)
      service.expect(1, agent.home("link/"), from: from)
      service.expect(1, agent.home("link/*"), from: from, "--glob")
      service.expect(1, agent.home("bound/*.txt"), from: from, "--glob")
      try mount.unmount()
    }

    @Test("an access through a bind mount is told under the host path")
    func throughBindMount() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      try agent.home.makeDirectory("work/data")
      try agent.home.makeDirectory("bound")
      let file = try agent.file("data/a.txt")
      let mount = try ScratchMount(binding: agent.home("work/data"), on: agent.home("bound"))
      let from = service.moment()
      try agent.run("read l < \(agent.home("bound/a.txt"))")
      service.expect(1, file, from: from)
      #expect(try service.accesses(file).count == 1)
      try mount.unmount()
    }

    @Test("a name that nothing bore is said so, and is proven only when insisted upon")
    func absentName() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let from = service.moment()
      let missing = agent.home("work/misspelt.csv")
      let plain = service.prove(missing, from: from)
      #expect(plain.status == 2)
      #expect(plain.output.contains("absent-name"))
      service.expect(0, missing, from: from, "--absent-name")
    }

    @Test("a file system mounted after the start is watched, and not vouched for before")
    func laterMount() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let before = service.moment()
      let place = try ScratchDirectory()
      try place.write("a.txt")
      try place.write("b.txt")
      Thread.sleep(forTimeInterval: 0.3)
      let from = service.moment()
      try agent.run("read l < \(place("a.txt"))")
      service.expect(1, place("a.txt"), from: from)
      service.expect(0, place("b.txt"), from: from)
      service.expect(2, place("b.txt"), from: before)
    }

    @Test("a file system unmounted and mounted again at once is not vouched for in between")
    func remount() throws {
      let scratch = try ScratchDirectory(in: "/tmp", owner: 0)
      try scratch.makeDirectory("mnt")
      let script = """
        cd \(scratch.path) && truncate -s 16M image && mkfs.ext4 -q image && mount -o loop image mnt && echo x > mnt/a
        """
      let made = try Subprocess.run("/bin/sh", ["-c", script])
      #expect(made.status == 0, "\(made.errors)")
      // Lazily: whoever still has it open must not keep it mounted for ever.
      defer { _ = try? Subprocess.run("/bin/umount", ["--lazy", scratch("mnt")]) }
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let before = service.moment()
      let again =
        "l=$(findmnt -no SOURCE \(scratch("mnt"))); umount \(scratch("mnt")); mount -o loop \(scratch("image")) \(scratch("mnt"))"
      #expect(try Subprocess.run("/bin/sh", ["-c", again]).status == 0)
      Thread.sleep(forTimeInterval: 0.3)
      let from = service.moment()
      try agent.run("read l < \(scratch("mnt/a"))")
      service.expect(1, scratch("mnt/a"), from: from)
      let gap = service.prove(scratch("mnt/a"), from: before, "--to", from)
      #expect(gap.status == 2, "\(gap.output)")
    }

    @Test("a mount that is moved takes its files to other paths")
    func movedMount() throws {
      let scratch = try ScratchDirectory(in: "/tmp", owner: 0)
      try scratch.makeDirectory("all")
      let outer = try ScratchMount("tmpfs", on: scratch("all"))
      // What lies on a shared mount cannot be moved.
      let mount = "mount --make-private \(outer.path) && mkdir \(outer.path)/a \(outer.path)/b"
      #expect(try Subprocess.run("/bin/sh", ["-c", mount]).status == 0)
      let inner = try ScratchMount("tmpfs", on: scratch("all/a"))
      try scratch.makeDirectory("all/a/deep")
      try scratch.write("all/a/deep/x.txt", "secret\n")
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      try agent.run("read l < \(scratch("all/a/deep/x.txt"))")
      #expect(try service.accesses(scratch("all/a/deep/x.txt")).count == 1)
      let move = try Subprocess.run("/bin/mount", ["--move", inner.path, scratch("all/b")])
      try #require(move.status == 0, "\(move.errors)")
      defer { _ = try? Subprocess.run("/bin/umount", [scratch("all/b")]) }
      Thread.sleep(forTimeInterval: 0.3)
      let from = service.moment()
      let moved = scratch("all/b/deep/x.txt")
      try agent.run("read l < \(moved)")
      #expect(try service.accesses(moved).count == 1)
      service.expect(1, moved, from: from)
      _ = try service.stop()
    }

    @Test("overlayfs refuses identity mode: descriptors stand in for it")
    func overlay() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let base = try ScratchDirectory()
      for name in ["lower", "upper", "work", "merged"] { try base.makeDirectory(name) }
      try base.write("lower/a.txt")
      let mount = try ScratchMount(
        "overlay", on: base("merged"),
        options: "lowerdir=\(base("lower")),upperdir=\(base("upper")),workdir=\(base("work"))")
      Thread.sleep(forTimeInterval: 0.3)
      let from = service.moment()
      try agent.run("read l < \(base("merged/a.txt"))")
      let merged = service.prove(base("merged/a.txt"), from: from)
      #expect(merged.status == 1, "\(merged.output)\(merged.errors)")
      service.expect(1, base("lower/a.txt"), from: from)
      #expect(service.alibi("status").output.contains("descriptors"))
      try base.write("lower/b.txt")
      let later = service.moment()
      try agent.run("read l < \(base("lower/b.txt"))")
      #expect(service.prove(base("merged/b.txt"), from: later).status == 1, "read on the layer, asked of the overlay")
      try mount.unmount()
    }

    @Test("JSON carries names that are no text without loss, tables carry no control bytes")
    func hostileNames() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let from = service.moment()
      try agent.run("cd \(agent.home("work")); echo x > $'evil\\n\\xff\\033[2J'; read l < $'evil\\n\\xff\\033[2J'")
      let tree = service.prove(agent.home("work/"), from: from)
      #expect(tree.status == 1)
      #expect(tree.output.contains("evil\\x0a\\xff\\x1b[2J"))
      #expect(!tree.output.unicodeScalars.contains { $0.value == 27 })
      let outcome = service.alibi("accesses", "--json", "--path", agent.home("work/evil*"))
      let records = try JSONDecoder().decode([ServiceUnderTest.Record].self, from: Data(outcome.output.utf8))
      let bytes = try #require(records.first?.path_base64.flatMap { Data(base64Encoded: $0) })
      #expect(Array(bytes).suffix(10) == Array("evil\n".utf8) + [0xff, 0x1b] + Array("[2J".utf8))
      let typed = service.prove(agent.home("work/evil\\x0a\\xff\\x1b[2J"), from: from)
      #expect(typed.status == 1)
    }
  }
}
