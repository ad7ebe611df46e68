internal import Certificates
internal import MerkleLog
internal import Records

/// What a certificate says and does not say, in words. Nothing is verified by that.
struct Statement {
  var certificate: CertificateText
  /// The head that the evidence rests on, as it was signed.
  let checkpoint: [UInt8]
  var epochs: [EpochRecord]
  /// Those that touch the time, in order, each once.
  var gaps: [GapRecord]
  let configs: [LogRecord]
  /// The file systems that every epoch had watched throughout.
  let fileSystems: [String]
  /// The log key that took the place of others, where that is so.
  let replacement: VerifierKey?

  /// The words for a bundle; nil where something in it has not the form that a verifier asks for.
  init?(_ bundle: Bundle) {
    guard let note = SignedNote(bundle.certificate), let certificate = CertificateText(note.text),
      let file = EvidenceFile(bundle.evidence)
    else { return nil }
    epochs = file.epochs.compactMap { LogRecord($0.leaf.record).flatMap(EpochRecord.init) }
    configs = file.configs.compactMap { LogRecord($0) }
    let gaps = file.epochs.flatMap(\.gaps).map { LogRecord($0).flatMap(GapRecord.init) }
    guard let first = epochs.first, epochs.count == file.epochs.count, configs.count == file.configs.count,
      !gaps.contains(nil)
    else { return nil }
    let ofKeys = file.authority.compactMap { leaf in LogRecord(leaf.record).map { (record: $0, index: leaf.index) } }
    replacement = KeyChain(ofKeys).flatMap { $0.log.count > 1 ? $0.key.log : nil }
    var seen: Set<GapRecord> = []
    self.gaps = gaps.compactMap(\.self)
      .filter { $0.from < certificate.to && $0.to > certificate.from && seen.insert($0).inserted }
      .sorted { ($0.from, $0.to) < ($1.from, $1.to) }
    fileSystems = epochs.dropFirst().reduce(Set(first.fileSystems)) { $0.intersection($1.fileSystems) }.sorted()
    self.certificate = certificate
    checkpoint = file.checkpoint
  }

  var isClean: Bool { gaps.isEmpty && certificate.lost == 0 && certificate.degraded == 0 }

  /// The target's name in a form that can neither move a cursor nor imitate another name.
  var name: String { Self.name(certificate.target) }

  static func name(_ target: Target) -> String {
    target.kind == .inode ? Hex.encode(target.data) : RawPath(target.data).description
  }

  /// What the target means.
  var target: String {
    switch certificate.target.kind {
    case .tree: "\(name) and everything beneath it"
    case .file: "the file \(name)"
    case .name: "every file called \(name)"
    case .ext: "every file with the extension \(name)"
    case .glob: "every file that matches the registered pattern \(name)"
    case .inode: "the file with the identity \(name)"
    }
  }

  /// What is denied.
  var deeds: String {
    switch certificate.claim {
    case .noAccess: "opened, mapped, read, wrote or executed"
    case .noWrite: "wrote or changed"
    case .noExec: "executed"
    }
  }

  /// Of whom.
  var who: String {
    switch certificate.scope {
    case .agent: "a recognised agent session"
    case .session(let key): "the agent session \(key)"
    }
  }

  var question: String { "Was there a process of \(who) that \(deeds) \(target), between \(from) and \(to)?" }

  /// The sentence that the certificate is.
  var answer: String {
    let names =
      switch (certificate.target.isPath, certificate.names) {
      case (true, nil): " under this name"
      case (true, 0?): ", a name that no file on a watched file system bore"
      case (true, _): ", followed through every name that the files bore"
      case (false, _): ""
      }
    return "According to the log \(certificate.origin), no process attributed to \(who) \(deeds) \(target)\(names), on "
      + "the file systems listed, between \(from) and \(to)\(isClean ? "" : ", apart from the gaps and losses listed")."
  }

  var from: String { Self.time(certificate.from) }
  var to: String { Self.time(certificate.to) }

  /// RFC 3339.
  static func time(_ nanoseconds: UInt64) -> String {
    Timestamp(nanoseconds: Int64(clamping: nanoseconds)).description
  }

  static func seconds(_ nanoseconds: UInt64) -> String {
    // Cut, not rounded: what is short of a second must not look whole.
    String(CertificateText.seconds(nanoseconds).dropLast(6)) + " s"
  }

  /// What an accepted kind of hazard means.
  static func meaning(ofAccepted kind: String) -> String {
    switch kind {
    case "unattributed":
      "accesses for which nobody could be named were not counted, though a session may have made them"
    case "privilege": "a session had, or may have had, root's rights, and could have blinded the sensor from then on"
    case "raw-device":
      "somebody reached into a block device or another process's memory, and so perhaps into any file's content"
    case "inherited": "a process held files that it had got open from outside"
    default: "hazards of this kind were not counted as accesses, though a session may have caused them"
    }
  }

  /// What the certificate does not say, one paragraph each: first what this one lacks, then what all lack.
  var limits: [String] {
    let stated = certificate
    var limits: [String] = []
    if !gaps.isEmpty { limits.append("What happened in the gaps: \(gaps.count) of them touch the time asked about.") }
    if stated.lost > 0 {
      limits.append("What was lost: \(stated.lost) losses were reported in the epochs, each of at least one event.")
    }
    if stated.degraded > 0 {
      limits.append("\(Self.seconds(stated.degraded)) in which something was lost, or the sensor was not seen to work.")
    }
    for kind in stated.accepted { limits.append("Accepted, \(kind): \(Self.meaning(ofAccepted: kind)).") }
    if stated.target.isPath, stated.names == nil {
      limits.append("Other names of the same files: a link, a rename or a bind mount was not followed.")
    }
    if stated.target.isPath, stated.names == 0 {
      limits.append("That the name existed: no watched file system had it. It may be mistyped, or lie on another one.")
    }
    if stated.target.kind == .inode {
      limits.append(
        "What lies beneath it, if it is a directory, and what had its names before it or after: the identity alone is "
          + "meant, that is file system, inode, generation and subvolume.")
    }
    if let lag = stated.anchorLag {
      limits.append(
        "That the log was as it is now before somebody outside had seen it, which took up to \(Self.seconds(lag)). It "
          + "counts only where you know the witness: alibi verify --policy.")
    } else {
      limits.append(
        "That the log was not written afterwards: nobody outside is shown to have seen all of these epochs. Whoever "
          + "holds the log's key could have written them at any time before you were given this.")
    }
    return limits + Self.everyLimit
  }

  private static let everyLimit = [
    "Attempts that were denied: only what succeeded counts.",
    "Content that a person or a program handed to an agent: by paste, by a pipe, by an editor, by a prompt.",
    "Copies of the files, backups, and other hosts, also where they hold the same files over the network.",
    "File systems that are not listed, and what was mounted from such a one beneath the target.",
    "Programs that the rules in force did not know as agents. The rules are named by their digest.",
    "Work that somebody else did at a session's request, where that was not noticed: containers, schedulers, other "
      + "services, another machine.",
    "What happened if somebody was root on the host before or at that time and wanted to deceive: nothing on a host "
      + "proves itself against its own root. What was sealed cannot be changed later; what never was cannot be shown.",
  ]

  /// The text of what is not claimed.
  var notClaimed: String {
    let head = "This certificate says:\n\n\(Self.wrap(answer, indent: "  "))\n\nIt does not speak of:\n"
    return head + limits.map { "\n" + Self.wrap($0, indent: "  ", first: "- ") + "\n" }.joined()
  }

  /// Breaks at spaces; a name longer than a line stays whole.
  private static func wrap(_ text: String, indent: String, first: String? = nil) -> String {
    var lines: [String] = []
    var line = first ?? indent
    var isEmpty = true
    for word in text.split(separator: " ", omittingEmptySubsequences: false) {
      if !isEmpty, line.count + 1 + word.count > 100 {
        lines.append(line)
        line = indent
        isEmpty = true
      }
      line += (isEmpty ? "" : " ") + word
      isEmpty = false
    }
    return (lines + [line]).joined(separator: "\n")
  }
}
