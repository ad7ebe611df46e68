import Evidence
import Records
import Testing

struct HazardTests {
  private func shelf(_ findings: Finding...) throws -> Shelf {
    let shelf = try Shelf()
    try shelf.writer.commit([.session(session(1)), .session(session(2, agent: "other"))] + findings, covered: nil)
    return shelf
  }

  @Test("from the moment a session has root's rights nothing is proven, whatever the target and the scope")
  func privilege() throws {
    let shelf = try shelf(.privileged(session: 1, at(50), "process 7 has root's rights"))
    #expect(try shelf.prove(to: 49).outcome == .notAccessed)
    for target in [ProofQuestion.Target.file(RawPath("/other")), .tree(RawPath("/")), .file(RawPath("/data/a.csv"))] {
      let verdict = try shelf.prove(target, from: 40, to: 60) { $0.scope = .agent("other") }
      #expect(verdict.outcome == .notProven)
      #expect(verdict.hazards.map(\.kind) == ["privilege"])
    }
    #expect(try shelf.prove(from: 80).outcome == .notProven, "a blinded sensor stays so")
  }

  @Test("the next run opens everything anew, and vouches again")
  func nextRun() throws {
    let shelf = try shelf(.privileged(session: 1, at(50), "x"))
    try shelf.writer.close(at: at(100))
    let next = try StoreWriter(directory: shelf.directory, run: Shelf.run("boot"))
    try next.commit(
      [
        .fileSystem(
          WatchedFileSystem(
            fileSystem: Shelf.system, device: 1, type: "ext4", mountPoint: RawPath("/"), mode: "identity", reason: "",
            since: at(110)))
      ], covered: Interval(from: at(110), to: at(200)))
    #expect(try shelf.prove(from: 120, to: 190).outcome == .notAccessed)
    #expect(try shelf.prove(from: 60, to: 90).outcome == .notProven)
  }

  @Test("whoever accepts a kind of hazard is told of it, and it is in nobody's way; another kind still is")
  func accepted() throws {
    let shelf = try shelf(.privileged(session: 1, at(50), "x"))
    let verdict = try shelf.prove { $0.accepted = [.privilege] }
    #expect(verdict.outcome == .notAccessed)
    #expect(verdict.hazards.map(\.isAccepted) == [true])
    #expect(try shelf.prove { $0.accepted = [.inherited, .rawDevice] }.outcome == .notProven)
  }

  @Test("a descriptor from outside is a hazard for its file until the session ends, and never an access")
  func inherited() throws {
    let shelf = try shelf(access("/data/a.csv", .inherited, from: 20, to: 20), .sessionEnded(1, at(60)))
    let verdict = try shelf.prove(from: 40, to: 50)
    #expect(verdict.outcome == .notProven)
    #expect(verdict.hazards.map(\.kind) == ["inherited"])
    #expect(verdict.accesses.isEmpty && verdict.possible.isEmpty)
    #expect(try shelf.prove(from: 70).outcome == .notAccessed)
    #expect(try shelf.prove(from: 10, to: 15).outcome == .notAccessed)
    #expect(try shelf.prove(.file(RawPath("/data/b.csv"))).outcome == .notAccessed)
    #expect(try shelf.prove(from: 40, to: 50) { $0.accepted = [.inherited] }.outcome == .notAccessed)
    #expect(try shelf.prove(from: 40, to: 50) { $0.scope = .agent("other") }.outcome == .notAccessed)
    #expect(try shelf.prove(from: 40, to: 50) { $0.kind = .exec }.outcome == .notAccessed, "an exec is told")
    #expect(
      try shelf.prove(.identity(FileIdentity(fileSystem: Shelf.system, inode: 5, generation: 1))).outcome == .notProven)
    #expect(try shelf.reader().accesses(Filter()).isEmpty)
  }

  @Test("a close alone is a hazard up to it, but not where the session had opened the file")
  func closedAlone() throws {
    let shelf = try shelf(access("/data/a.csv", [.inherited, .closedUnwritten], from: 20, to: 40))
    #expect(try shelf.prove(from: 30).hazards.map(\.kind) == ["inherited"])
    #expect(try shelf.prove(from: 50).outcome == .notAccessed)
    try shelf.write(access("/data/a.csv", from: 15, to: 15))
    #expect(try shelf.prove(from: 30).outcome == .notAccessed)
  }

  @Test("an access of a block device concerns every target, as long as it is held")
  func rawDevice() throws {
    let shelf = try shelf(access("/dev/sda", [.open, .rawDevice], inode: 9, system: 77), .sessionEnded(1, at(60)))
    let verdict = try shelf.prove(from: 30, to: 50)
    #expect(verdict.outcome == .notProven)
    #expect(verdict.hazards.map(\.kind) == ["raw-device"])
    #expect(try #require(verdict.hazards.first).detail.contains("/dev/sda"))
    #expect(try shelf.prove(from: 70).outcome == .notAccessed)
    #expect(try shelf.prove(from: 30, to: 50) { $0.accepted = [.rawDevice] }.outcome == .notAccessed)
    #expect(try shelf.prove(from: 30, to: 50) { $0.scope = .agent("other") }.outcome == .notAccessed)
  }
}
