import Foundation
import TestSupport
import Testing

extension ServiceTests {
  @Suite(.serialized)
  struct HistoryTests {
    private func shell(_ script: String) throws {
      let outcome = try Subprocess.run("/bin/sh", ["-c", script])
      #expect(outcome.status == 0, "\(outcome.errors)")
    }

    /// Several ways in which a person takes a name from a file.
    private static let ways = [
      "echo new > T.tmp; mv T.tmp T", "rm T; echo new > T", "rm T", "mv T T.old", "ln -f other.txt T",
      "cp T T.swp; mv T T~; mv T.swp T; rm T~",
    ]

    @Test(
      "a target that somebody replaces or removes is still found by the link through which it was read",
      arguments: ways)
    func endings(way: String) throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let work = agent.home("work")
      for name in ["early.txt", "late.txt", "other.txt", "untouched.txt"] { _ = try agent.file(name) }
      try agent.home.makeDirectory("links")
      let links = agent.home("links")
      func replace(_ name: String) throws { try shell("cd \(work); " + way.replacing("T", with: name)) }
      try shell("ln \(work)/early.txt \(links)/e; ln \(work)/late.txt \(links)/l; ln \(work)/untouched.txt \(links)/u")
      // The service tells a time only to within a batch.
      let from = service.moment()
      try replace("early.txt")
      try agent.run("read l < \(links)/e; read l < \(links)/l")
      let to = service.moment()
      try replace("late.txt")
      try replace("untouched.txt")
      let target = { work + "/" + $0 }
      #expect(service.prove(target("early.txt"), from: from).status == 1, "replaced before the access")
      #expect(service.prove(target("late.txt"), from: from).status == 1, "replaced after the access")
      #expect(service.prove(target("late.txt"), from: from, "--to", to).status == 1, "replaced after the time")
      service.expect(1, target("*e.txt"), from: from, "--glob", "--op", "read")
      let untouched = service.prove(target("untouched.txt"), from: from)
      #expect(untouched.status == 0, "\(untouched.output)")
      service.expect(1, work + "/", from: from)
    }

    @Test("files of a tree that is gone are found by links, and the tree that was not touched is not accessed")
    func goneTree() throws {
      let agent = try StandInAgent()
      for name in ["one", "one/sub", "two", "two/sub"] { try agent.home.makeDirectory("work/" + name) }
      let one = try agent.file("one/sub/a.csv")
      _ = try agent.file("two/sub/a.csv")
      // What is born and gone untouched while it runs is not even known by name.
      let service = try ServiceUnderTest()
      let from = service.moment()
      try shell("ln \(one) \(agent.home("kept")); rm -rf \(agent.home("work/one")) \(agent.home("work/two"))")
      try agent.run("read l < \(agent.home("kept"))")
      service.expect(1, one, from: from)
      service.expect(1, agent.home("work/one/"), from: from)
      service.expect(1, agent.home("work/one/**/*.csv"), from: from, "--glob")
      let other = service.prove(agent.home("work/two/"), from: from)
      #expect(other.status == 0, "\(other.output)")
    }

    @Test("a link within a tree that is gone since leaves the file found, though it has one name now")
    func goneLink() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      try agent.home.makeDirectory("work/tree")
      let file = try agent.file("tree/a.csv")
      try shell("ln \(file) \(agent.home("out"))")
      let from = service.moment()
      try agent.run("read l < \(agent.home("out"))")
      try shell("rm \(agent.home("out"))")
      service.expect(1, agent.home("work/tree/"), from: from)
      service.expect(1, agent.home("work/tree/*"), from: from, "--glob")
      service.expect(0, agent.home("work/other/"), from: from, "--absent-name")
    }

    @Test("renamed directories elsewhere on the host leave a pattern provable")
    func movesElsewhere() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      try agent.home.makeDirectory("work/data")
      try agent.home.makeDirectory("aside")
      _ = try agent.file("data/a.csv")
      let from = service.moment()
      try shell("mv \(agent.home("aside")) \(agent.home("aside2"))")
      try agent.run("read l < \(agent.program)")
      let quiet = service.prove(agent.home("work/data/*.csv"), from: from, "--glob")
      #expect(quiet.status == 0, "\(quiet.output)")
      try shell("mv \(agent.home("work/data")) \(agent.home("work/gone"))")
      try agent.run("read l < \(agent.home("work/gone/a.csv"))")
      service.expect(1, agent.home("work/data/*.csv"), from: from, "--glob")
      service.expect(0, agent.home("work/data/*.tsv"), from: from, "--glob")
    }

    @Test("a mapping of a file that is unlinked, or seen through a chroot, is found by pattern")
    func mappedElsewhere() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      try agent.home.makeDirectory("work/tree")
      let unlinked = try agent.file("tree/unlinked.csv")
      let present = try agent.file("tree/present.csv")
      let from = service.moment()
      func map(_ file: String, _ more: String) throws {
        let start = "exec 7< \(file); \(more); exec \(agent.launch) -c '\(agent.actor) map-stdin; :' <&7"
        try shell(start)
      }
      try map(unlinked, "rm \(unlinked)")
      service.expect(1, agent.home("work/tree/*.csv"), from: from, "--glob")
      let later = service.moment()
      try agent.home.makeDirectory("bound")
      let mount = try ScratchMount(binding: agent.home("work/tree"), on: agent.home("bound"))
      try map(agent.home("bound/present.csv"), ":")
      service.expect(1, agent.home("work/tree/*.csv"), from: later, "--glob")
      service.expect(1, present, from: later)
      // The service lets go of mounts a moment after it has asked for a path.
      try eventually("the mount is free") { (try? mount.unmount()) != nil }
    }

    @Test("a symbolic link that changed on the way to the target is in the way of a no")
    func links() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      for name in ["one", "two"] { try agent.home.makeDirectory("work/" + name) }
      _ = try agent.file("one/a.txt")
      _ = try agent.file("two/a.txt")
      let link = agent.home("work/current")
      try shell("ln -s one \(link)")
      let from = service.moment()
      service.expect(0, link + "/a.txt", from: from)
      try shell("ln -sfn two \(link)")
      let changed = service.prove(link + "/a.txt", from: from)
      #expect(changed.status == 2, "\(changed.output)")
      #expect(changed.output.contains("symbolic link"))
      #expect(service.prove(agent.home("work/two/a.txt"), from: from).status == 0, "by its real path it is sure")
    }

    @Test("a path longer than any system call takes is recorded byte for byte")
    func deep() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let work = agent.home("work")
      let from = service.moment()
      #expect(try agent.run("\(agent.actor) deep-read \(work) 25").status == 0)
      let tree = service.prove(work + "/", from: from, "--op", "read")
      #expect(tree.status == 1)
      let step = "/" + String(repeating: "d", count: 200)
      #expect(tree.output.contains(String(repeating: step, count: 25) + "/deep.txt"))
      service.expect(1, work + "/**/deep.txt", from: from, "--glob")
    }
  }
}
