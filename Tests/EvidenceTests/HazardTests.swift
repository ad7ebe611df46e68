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

  @Test("a deputy's access is a hazard for its target, told by its kind, and no session's access")
  func deputies() throws {
    let deeds: Operations = [.open, .read, .closedUnwritten]
    let shelf = try shelf(
      access("/data/a.csv", deeds.union(.influenced), from: 20, to: 20),
      access("/data/b.csv", session: nil, deeds.union(.contacted), from: 20, to: 20, inode: 6))
    let verdict = try shelf.prove(to: 50)
    #expect(verdict.outcome == .notProven)
    #expect(verdict.hazards.map(\.kind) == ["influenced"])
    #expect(verdict.accesses.isEmpty && verdict.possible.isEmpty && verdict.unattributed.isEmpty)
    #expect(try #require(verdict.hazards.first).detail.contains("session"))
    #expect(try shelf.prove(to: 50) { $0.accepted = [.influenced] }.outcome == .notAccessed)
    #expect(try shelf.prove(to: 50) { $0.accepted = [.contacted] }.outcome == .notProven)
    #expect(try shelf.prove(to: 50) { $0.scope = .agent("other") }.outcome == .notAccessed)
    #expect(try shelf.prove(to: 50) { $0.kind = .write }.outcome == .notAccessed, "it was read only")
    #expect(try shelf.prove(from: 30, to: 50).outcome == .notAccessed, "only when it was touched")
    let other = ProofQuestion.Target.file(RawPath("/data/b.csv"))
    #expect(try shelf.prove(other, to: 50).hazards.map(\.kind) == ["contacted"])
    #expect(try shelf.prove(other, to: 50) { $0.scope = .agent("other") }.outcome == .notProven, "whose, nobody knows")
    #expect(try shelf.prove(.file(RawPath("/data/c.csv"))).outcome == .notAccessed)
    #expect(try shelf.reader().accesses(Filter()).isEmpty)
  }

  @Test("what a deputy opened and left open is not held by the session; what it mapped is, for as long as it may be")
  func deputiesHolds() throws {
    let shelf = try shelf(
      access("/data/a.csv", [.open, .influenced], from: 20, to: 20),
      access("/data/b.csv", [.open, .mapped, .read, .influenced], from: 20, to: 20, inode: 6))
    #expect(try shelf.prove(from: 30, to: 50).outcome == .notAccessed)
    #expect(try shelf.prove(.file(RawPath("/data/b.csv")), from: 30, to: 50).hazards.map(\.kind) == ["influenced"])
  }

  @Test("a deputy's opening does not explain away a descriptor that its session held from outside")
  func deputyIsNoExcuse() throws {
    let shelf = try shelf(access("/data/a.csv", [.inherited, .closedUnwritten], from: 20, to: 40))
    try shelf.write(access("/data/a.csv", [.open, .read, .influenced], from: 15, to: 15))
    #expect(try shelf.prove(from: 30).hazards.map(\.kind) == ["inherited"])
  }

  @Test("a deputy of a session of which retention has left nothing is anybody's")
  func goneSession() throws {
    let shelf = try shelf()
    try shelf.write(access("/data/a.csv", session: 77, [.open, .read, .influenced], from: 20, to: 20))
    #expect(try shelf.prove(to: 50) { $0.scope = .agent("other") }.hazards.map(\.kind) == ["influenced"])
  }

  @Test("what was written is known to the next run: by one session, or by several")
  func written() throws {
    let file = FileIdentity(fileSystem: 7, inode: 5, generation: 1),
      other = FileIdentity(fileSystem: 7, inode: 6, generation: 1)
    let key = ProcessKey(pid: 300, startedAt: 5, provenance: .witnessed)
    let shelf = try shelf(
      .written(file, by: 1), .written(other, by: 1), .written(other, by: nil), .written(other, by: 1),
      .deputy(key, Deputy(session: 1, channels: .influenced)))
    let found = try shelf.writer.writtenFiles()
    #expect(found.map(\.file.inode) == [5, 6] && found.map(\.session) == [1, nil])
    #expect(try shelf.writer.deputies(bootID: "boot").map(\.key.pid) == [300])
    #expect(try shelf.writer.deputies(bootID: "another").isEmpty)
    try shelf.writer.commit([.unwritten(file), .deputyEnded(key)], covered: nil)
    #expect(try shelf.writer.writtenFiles().count == 1)
    #expect(try shelf.writer.deputies(bootID: "boot").isEmpty)
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
