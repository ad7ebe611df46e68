import Certificates
import Evidence
import Foundation
import Records
import Testing

@testable import Sealing

/// The sensor was looked at.
private func seen(_ from: Int64, _ to: Int64, canaries: Int) -> Finding { look(from, to, canaries: canaries) }

/// Random histories in which everything happens that can hide an access from a pattern. Whatever `prove --glob` finds,
/// or cannot exclude, no certificate may deny.
struct GlobHistoryTests {
  private static let patterns = ["/**/x", "/a/*", "/m/**", "/*/d/*", "/b/y", "/a/d", "/**/z*", "/b/?"]

  /// What happens to a few files and directories, told as a service tells it.
  private struct History {
    var random: Seeded
    var time: Int64 = 10
    /// Who bears a name.
    var names: [String: UInt64] = ["/a/x": 20, "/b/y": 21, "/a/d/z": 22]
    var next: UInt64 = 30
    var findings: [Finding] = []

    init(seed: Int) { random = Seeded(state: UInt64(seed) &* 6151 &+ 777) }

    /// Few places, so that they meet.
    mutating func path() -> String {
      ["/a", "/b", "/a/d", "/m", "/b/d"][random.below(5)] + "/" + ["w", "x", "y", "z"][random.below(4)]
    }

    mutating func step() {
      time += Int64(1 + random.below(15))
      switch random.below(12) {
      case 0...3: change()
      case 4: move()
      default: if random.below(3) == 0 { access() }
      }
    }

    private func told(
      _ from: String?, _ to: String?, _ inode: UInt64, _ kind: NameChange.Kind = .file, isSure: Bool = true
    ) -> Finding {
      .name(
        NameChange(
          identity: file(inode), from: from.map { RawPath($0) }, to: to.map { RawPath($0) }, kind: kind,
          isSure: isSure, time: Interval(from: at(time - 1), to: at(time))))
    }

    mutating func change() {
      let isSure = random.below(5) > 0
      let (one, other) = (path(), path())
      // Sometimes the directory cannot be told.
      func known(_ path: String, _ dice: inout Seeded) -> String {
        dice.below(12) == 0 ? String(path.split(separator: "/").last ?? "") : path
      }
      switch random.below(4) {
      case 0:
        names[one] = next
        findings.append(told(nil, known(one, &random), next, isSure: isSure))
        next += 1
      case 1:
        guard let inode = names[one] else { return }
        names[other] = inode
        findings.append(told(nil, known(other, &random), inode, isSure: isSure))
      case 2:
        guard let inode = names.removeValue(forKey: one) else { return }
        findings.append(told(known(one, &random), nil, inode, isSure: isSure))
      default:
        guard one != other, let inode = names.removeValue(forKey: one) else { return }
        names[other] = inode
        findings.append(told(known(one, &random), known(other, &random), inode, isSure: isSure))
      }
    }

    mutating func move() {
      let directories = ["/a", "/a/d", "/b", "/b/d", "/m"]
      let (from, to) = (directories[random.below(5)], directories[random.below(5)])
      guard from != to, !to.hasPrefix(from), !from.hasPrefix(to) else { return }
      for (name, inode) in names where name.hasPrefix(from + "/") {
        names[name] = nil
        names[to + name.dropFirst(from.count)] = inode
      }
      let isUntold = random.below(10) == 0
      findings.append(told(from, isUntold ? "gone" : to, 90, .directory))
    }

    mutating func access() {
      // By name, or of a directory.
      let all = names.sorted { $0.key < $1.key }
      guard !all.isEmpty else { return }
      let (name, inode) = random.below(8) == 0 ? ("/a/d", 91) : all[random.below(all.count)]
      let operations =
        [
          [.open, .read, .closedUnwritten], [.open, .read, .closedUnwritten], [.open], [.open, .write],
          [.open, .read, .mapped], [.inherited],
        ][random.below(6)] as Operations
      let isTold = random.below(8) > 0
      let last = String(name.split(separator: "/").last ?? "")
      findings.append(
        .access(
          Access(
            session: random.below(8) == 0 ? nil : Int64(1 + random.below(2)), process: nil,
            path: isTold ? RawPath(name) : nil, name: isTold || random.below(2) == 0 ? nil : RawPath(last),
            identity: file(inode), operations: operations, result: 0,
            time: Interval(from: at(time - Int64(random.below(3))), to: at(time)), count: 1, attribution: .witnessed)))
    }
  }

  /// Three epochs; each is looked at when it has just been closed, as what is told of names later could not be known then.
  private func history(
    _ seed: Int, _ look: (Vault, StoreReader, (from: Int64, to: Int64)) throws -> Void
  ) throws -> Vault {
    let vault = try Vault(patterns: Self.patterns)
    var history = History(seed: seed)
    try vault.writer.commit(
      [.session(session(1)), .session(session(2))], covered: Interval(from: at(0), to: at(5)), sealing: vault.sealer)
    let reader = try StoreReader(directory: vault.directory)
    var start = 0 as Int64
    for _ in 0..<3 {
      history.findings.removeAll()
      for _ in 0..<(3 + seed % 9) { history.step() }
      history.findings.append(seen(start, history.time, canaries: 3))
      try vault.writer.commit(
        history.findings, covered: Interval(from: at(0), to: at(history.time)), sealing: vault.sealer)
      try vault.close()
      if history.time - start > 4 { try look(vault, reader, (start, history.time)) }
      start = history.time
    }
    return vault
  }

  private enum Answer { case none, withGaps, clean }

  private func certify(_ vault: Vault, _ pattern: String, _ from: Int64, _ to: Int64, _ claim: Claim) -> Answer {
    guard let made = try? vault.certify(.glob, pattern, claim: claim, from: from, to: to) else { return .none }
    let verdict = Verifier.verify(
      certificate: made.certificate, evidence: made.evidence,
      policy: VerificationPolicy(logKeys: [vault.keys.log.verifier], now: at(2000).unsigned))
    switch verdict {
    case .accept: return .clean
    case .acceptWithGaps: return .withGaps
    case .reject: return .none
    }
  }

  private func ask(
    _ reader: StoreReader, _ pattern: String, _ from: Int64, _ to: Int64, _ claim: Claim
  ) throws -> Evidence.Verdict {
    var question = ProofQuestion(
      target: .glob(try PathPattern(pattern)), time: Interval(from: at(from), to: at(to)))
    question.fileSystems = [Vault.system]
    question.acceptsAbsentName = true
    question.kind = claim == .noAccess ? .any : .write
    return try reader.prove(question)
  }

  /// Whether the verdict knows of something that was, or could have been, an access of what matches.
  private func hasHit(_ verdict: Evidence.Verdict) -> Bool {
    !verdict.accesses.isEmpty || !verdict.possible.isEmpty || !verdict.unattributed.isEmpty
      || verdict.hazards.contains { $0.detail.hasPrefix("record ") }
  }

  @Test("no certificate about an epoch denies what prove finds when it is closed, or cannot exclude", arguments: 0..<40)
  func withinEpochs(seed: Int) throws {
    let vault = try history(seed) { vault, reader, epoch in
      for (index, pattern) in Self.patterns.enumerated() {
        let claim = (index + seed) % 3 == 0 ? Claim.noWrite : .noAccess
        let middle = (epoch.from + epoch.to) / 2
        for (from, to) in [(epoch.from, epoch.to), seed % 2 == 0 ? (epoch.from, middle) : (middle, epoch.to)] {
          let verdict = try ask(reader, pattern, from, to, claim)
          let answer = certify(vault, pattern, from, to, claim)
          let what = "\(pattern) \(from) to \(to), \(claim): \(verdict.outcome) \(verdict.hazards) \(verdict.accesses)"
          if hasHit(verdict) { #expect(answer == .none, "\(what)") }
          // A directory that went nowhere, or a link on the way, with no access to make anything of it.
          let isNames = verdict.hazards.allSatisfy { $0.kind == "names" } && verdict.gaps.isEmpty
          if verdict.outcome != .notAccessed, !isNames { #expect(answer != .clean, "\(what)") }
        }
      }
    }
    let found = try FullVerification(StoreReader(directory: vault.directory), pinned: vault.keys.log.verifier).flaws
    #expect(found.isEmpty, "\(found)")
  }

  @Test("the histories are such that each answer is given often")
  func answers() throws {
    var counts: [String: Int] = [:]
    for seed in 0..<12 {
      _ = try history(seed) { vault, reader, epoch in
        for pattern in Self.patterns {
          let verdict = try ask(reader, pattern, epoch.from, epoch.to, .noAccess)
          let answer = certify(vault, pattern, epoch.from, epoch.to, .noAccess)
          counts["\(verdict.outcome) \(answer)", default: 0] += 1
        }
      }
    }
    #expect(counts["notAccessed clean"] ?? 0 > 40, "\(counts)")
    #expect(counts["accessed none"] ?? 0 > 40, "\(counts)")
    #expect(counts["notProven none"] ?? 0 > 10, "\(counts)")
    // And none of what must never be.
    #expect(counts["accessed clean"] == nil && counts["accessed withGaps"] == nil, "\(counts)")
  }
}
