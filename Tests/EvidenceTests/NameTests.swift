import Evidence
import Records
import Testing

struct NameTests {
  @Test("a file is followed through renames of it, by identity")
  func file() throws {
    let shelf = try Shelf()
    try shelf.write(
      .session(session(1)), renamed("/data/a.csv", "/tmp/x"), access("/tmp/x", from: 40, to: 40))
    #expect(try shelf.prove().outcome == .accessed)
  }

  @Test("a file that left the name before the time asked about does not count")
  func leftBefore() throws {
    let shelf = try Shelf()
    try shelf.write(
      .session(session(1)), renamed("/data/a.csv", "/tmp/x", at: 5), access("/tmp/x", from: 40, to: 40))
    #expect(try shelf.prove().outcome == .notAccessed)
  }

  @Test("a name that was got before, or lost behind, a time that nobody vouches for is not surely borne in between")
  func unseen() throws {
    let turns: [(changes: [Finding], gap: Int64)] = [
      ([renamed("/data/t", "/data/a.csv", at: 2)], 4), ([renamed("/data/a.csv", "/data/t", at: 96)], 93),
      ([renamed("/data/t", "/data/a.csv", at: 2), renamed("/data/a.csv", "/data/t", at: 96)], 4),
    ]
    for (index, (changes, gap)) in turns.enumerated() {
      for isLost in [false, true] {
        let shelf = try Shelf()
        try shelf.write(.session(session(1)), access("/links/h", from: 40, to: 40))
        for change in changes { try shelf.write(change) }
        if isLost {
          try shelf.write(
            .gap(Gap(time: Interval(from: at(gap), to: at(gap + 1)), source: "fanotify", reason: "", fileSystem: nil)))
        }
        let verdict = try shelf.prove()
        #expect(verdict.outcome == (isLost && index < 2 ? .notProven : .accessed), "\(index)")
        #expect(verdict.gaps.isEmpty)
      }
    }
  }

  @Test("of the files that came to the name before the time, the last one counts")
  func lastBefore() throws {
    let shelf = try Shelf()
    try shelf.write(
      .session(session(1)), renamed("/data/t1", "/data/a.csv", inode: 6, at: 2),
      renamed("/data/t2", "/data/a.csv", inode: 7, at: 4), access("/links/six", inode: 6),
      access("/links/seven", inode: 7))
    let verdict = try shelf.prove()
    #expect(verdict.accesses.map(\.access.identity.inode) == [7])
  }

  @Test("a directory that was moved takes what lies beneath it along, in both directions and in chains")
  func directory() throws {
    let shelf = try Shelf()
    try shelf.write(
      .session(session(1)), renamed("/data", "/old", inode: 2, isDirectory: true, at: 30),
      renamed("/old", "/older", inode: 2, isDirectory: true, at: 35), access("/older/a.csv", from: 40, to: 40))
    #expect(try shelf.prove().outcome == .accessed)
    #expect(try shelf.prove(.tree(RawPath("/data"))).outcome == .accessed)
    #expect(try shelf.prove(.file(RawPath("/older/a.csv"))).outcome == .accessed)
    #expect(try shelf.prove(.file(RawPath("/database/a.csv"))).outcome == .notAccessed)
  }

  @Test("a tree is all beneath it, and nothing beside it")
  func tree() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), access("/data/x/y"), access("/database", inode: 9))
    #expect(try shelf.prove(.tree(RawPath("/data"))).accesses.count == 1)
    #expect(try shelf.prove(.tree(RawPath("/data/x/"))).accesses.count == 1)
    #expect(try shelf.prove(.tree(RawPath("/dat"))).accesses.isEmpty)
    #expect(try shelf.prove(.tree(RawPath("/"))).accesses.count == 2)
  }

  @Test("a pattern follows a directory's move where it could have moved a match, and no other")
  func patternAndMoves() throws {
    let shelf = try Shelf()
    try shelf.write(
      .session(session(1)), renamed("/data", "/old", inode: 2, isDirectory: true),
      renamed("/tmp/x", "/tmp/y", inode: 3, isDirectory: true), access("/old/a.csv", from: 40, to: 40),
      access("/tmp/y/b.csv", inode: 6))
    #expect(try shelf.prove(.glob(PathPattern("/data/*.csv"))).outcome == .accessed)
    #expect(try shelf.prove(.glob(PathPattern("/data/*.txt"))).outcome == .notAccessed)
    #expect(try shelf.prove(.glob(PathPattern("/data/sub/*.csv"))).outcome == .notAccessed)
    #expect(try shelf.prove(.glob(PathPattern("/t*/x/*.csv"))).outcome == .accessed)
    #expect(try shelf.prove(.glob(PathPattern("/t*/z/*.csv"))).outcome == .notAccessed)
    #expect(try shelf.prove(.glob(PathPattern("/data/**/b.csv"))).outcome == .notAccessed)
  }

  @Test("a name that nothing bore is proven only when insisted upon")
  func absent() throws {
    let shelf = try Shelf()
    #expect(try shelf.prove { $0.exists = false }.outcome == .notProven)
    let insisted = try shelf.prove {
      $0.exists = false
      $0.acceptsAbsentName = true
    }
    #expect(insisted.outcome == .notAccessed)
    #expect(!insisted.targetIsKnown)
  }

  @Test("a file is known by how its bearing of the name ended: replaced or removed before, within or after the time")
  func endings() throws {
    for end in [12, 50, 95] as [Int64] {
      let shelf = try Shelf()
      try shelf.write(.session(session(1)), renamed("/data/a.csv", nil, at: end), access("/links/h", from: 40, to: 40))
      #expect(try shelf.prove().outcome == .accessed, "ended at \(end)")
      #expect(try shelf.prove(.tree(RawPath("/data"))).outcome == .accessed)
      #expect(try shelf.prove(.glob(PathPattern("/data/*.csv"))).outcome == .accessed)
      #expect(try shelf.prove(.file(RawPath("/data/b.csv"))).outcome == .notAccessed)
    }
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), renamed("/data/a.csv", nil, at: 5), access("/links/h", from: 40, to: 40))
    #expect(try shelf.prove().outcome == .notAccessed, "it had lost the name before the time")
  }

  @Test("a bearing that may have ended before the time asked about, or begun after it, is NOT PROVEN")
  func edges() throws {
    for change in [renamed("/data/a.csv", nil, at: 8, to: 12), renamed("/x", "/data/a.csv", at: 88, to: 92)] {
      let shelf = try Shelf()
      try shelf.write(.session(session(1)), change, access("/links/h", from: 40, to: 40))
      let verdict = try shelf.prove()
      #expect(verdict.outcome == .notProven)
      #expect(verdict.possible.count == 1)
    }
    // Nor is it surer for being known from its beginning, or to its end.
    let shelf = try Shelf()
    try shelf.write(
      .session(session(1)), renamed("/x", "/data/a.csv", at: 2), renamed("/data/a.csv", "/y", at: 8, to: 12),
      access("/y", from: 40, to: 40), renamed("/y", "/data/a.csv", at: 88, to: 92), renamed("/data/a.csv", nil, at: 95))
    #expect(try shelf.prove().outcome == .notProven)
  }

  @Test("a file that came to the name after the time does not count, though it bears it now or did since")
  func cameLater() throws {
    let shelf = try Shelf()
    try shelf.write(
      .session(session(1)), access("/data/a.tmp", from: 20, to: 20), renamed("/data/a.tmp", "/data/a.csv", at: 92))
    let file = FileIdentity(fileSystem: Shelf.system, inode: 5, generation: 1)
    let bears: (inout ProofQuestion) -> Void = { $0.bearers = [.init(path: RawPath("/data/a.csv"), file: file)] }
    #expect(try shelf.prove { bears(&$0) }.outcome == .notAccessed)
    #expect(try shelf.prove(to: 93) { bears(&$0) }.outcome == .accessed)
    try shelf.write(renamed("/data/a.csv", nil, at: 94))
    #expect(try shelf.prove().outcome == .notAccessed)
  }

  @Test("a file that bears the name now is the target by whatever path it was accessed")
  func bearer() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), access("/elsewhere", inode: 5))
    let file = FileIdentity(fileSystem: Shelf.system, inode: 5, generation: 1)
    #expect(try shelf.prove { $0.bearers = [.init(path: RawPath("/data/a.csv"), file: file)] }.outcome == .accessed)
    #expect(try shelf.prove { $0.bearers = [.init(path: RawPath("/x/y"), file: file)] }.outcome == .accessed)
  }

  @Test("a directory moved after the time takes its files to where their bearing ended")
  func movedLater() throws {
    let shelf = try Shelf()
    try shelf.write(
      .session(session(1)), access("/links/h", from: 20, to: 20),
      renamed("/data", "/old", inode: 2, isDirectory: true, at: 92), renamed("/old/a.csv", nil, at: 95))
    #expect(try shelf.prove().outcome == .accessed)
    #expect(try shelf.prove(.glob(PathPattern("/data/*.csv"))).outcome == .accessed)
    #expect(try shelf.prove(.tree(RawPath("/data"))).outcome == .accessed)
    #expect(try shelf.prove(.file(RawPath("/old/a.csv"))).outcome == .notAccessed, "it was not called so then")
  }

  @Test("an end that may have been another file's is NOT PROVEN, never ACCESSED and never NOT ACCESSED")
  func unsureEnd() throws {
    let shelf = try Shelf()
    try shelf.write(
      .session(session(1)), access("/links/h"), renamed("/data/a.csv", nil, isSure: false))
    let verdict = try shelf.prove()
    #expect(verdict.outcome == .notProven)
    #expect(verdict.possible.map(\.access.path) == [RawPath("/links/h")])
  }

  @Test("an end in a directory nobody could tell blocks what has that last name, and no other")
  func untoldEnd() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), access("/links/h"), renamed("a.csv", nil))
    #expect(try shelf.prove().outcome == .notProven)
    #expect(try shelf.prove(.file(RawPath("/data/b.csv"))).outcome == .notAccessed)
    #expect(try shelf.prove(.glob(PathPattern("/*/a.csv"))).outcome == .notProven)
    try shelf.write(access("/links/i", inode: 6), renamed("", nil, inode: 6))
    #expect(try shelf.prove(.file(RawPath("/data/b.csv"))).outcome == .notProven)
  }

  @Test("what may be a symbolic link and came or went on the way to the target is in the way of a no")
  func links() throws {
    func outcome(_ finding: Finding, _ target: ProofQuestion.Target = .file(RawPath("/data/a.csv"))) throws
      -> Verdict.Outcome
    {
      let shelf = try Shelf()
      try shelf.write(finding)
      return try shelf.prove(target).outcome
    }
    #expect(try outcome(renamed(nil, "/data", kind: .symbolicLink)) == .notProven)
    #expect(try outcome(renamed("/data", nil)) == .notProven, "no directory, but on the way: it was a link")
    #expect(try outcome(renamed("/data", nil, at: 95)) == .notProven, "it was followed as it is now")
    #expect(try outcome(renamed("/data", nil, at: 5)) == .notAccessed)
    #expect(try outcome(renamed(nil, "/data/a.csv", kind: .symbolicLink)) == .notProven)
    #expect(try outcome(renamed("/data/a.csv", nil)) == .notAccessed, "an edited file was no link")
    #expect(try outcome(renamed(nil, "/data/b", kind: .symbolicLink)) == .notAccessed)
    #expect(try outcome(renamed("/data", nil), .glob(PathPattern("/data/*.csv"))) == .notProven)
    #expect(try outcome(renamed("/data/b", nil), .tree(RawPath("/data"))) == .notAccessed)
  }

  @Test("more than a thousand other names of the target's files can be asked for at once")
  func many() throws {
    let shelf = try Shelf()
    try shelf.write(.session(session(1)), access("/links/h", inode: 3000))
    let verdict = try shelf.prove(.tree(RawPath("/data"))) { question in
      question.bearers = (1...3000).map { inode in
        .init(
          path: RawPath("/data/\(inode)"),
          file: FileIdentity(fileSystem: Shelf.system, inode: inode, generation: 1))
      }
    }
    #expect(verdict.outcome == .accessed)
  }
}
