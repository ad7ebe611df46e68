internal import Certificates
internal import MerkleLog

extension FuzzTarget {
  /// What an auditor is given, by whomever.
  public static let certificates = [
    FuzzTarget(name: "certificate", run: certificate), FuzzTarget(name: "evidence", run: evidence),
    FuzzTarget(name: "note", run: note), FuzzTarget(name: "record", run: record), FuzzTarget(name: "token", run: token),
  ]
}

/// The text of a certificate: it has one spelling.
@Sendable private func certificate(_ bytes: [UInt8]) throws {
  guard let stated = CertificateText(bytes) else { return }
  try promise(stated.text == bytes, "a certificate was read that would be written otherwise")
  try promise(stated.from < stated.to && stated.firstEpoch <= stated.lastEpoch, "a time that ends before it begins")
  let facts = stated.target.facts(identities: [[UInt8](repeating: 1, count: Target.identityLength)])
  try promise(!facts.isEmpty, "a target that nothing must be absent for")
  if stated.target.isPath { try promise(stated.target.data.first == 0x2F, "a path that does not begin with a slash") }
}

/// An evidence file: what was read is what would be written, but for white space.
@Sendable private func evidence(_ bytes: [UInt8]) throws {
  guard let file = EvidenceFile(bytes) else { return }
  let written = file.bytes
  guard let again = EvidenceFile(written) else { throw Broken(description: "what was written cannot be read") }
  try promise(again == file && again.bytes == written, "a file changes by being read")
  for epoch in file.epochs {
    _ = LogRecord(epoch.leaf.record).flatMap(EpochRecord.init)
    for absence in epoch.absences {
      _ = absence.proof?.showsAbsence(of: .leaf(epoch.salt), root: .zero)
    }
  }
  let key = VerifierKey(name: Array("alibi/test".utf8), kind: .note, publicKey: [UInt8](repeating: 1, count: 32))
  let policy = VerificationPolicy(logKeys: key.map { [$0] } ?? [], now: UInt64(Int64.max))
  guard case .reject = Verifier.verify(certificate: bytes, evidence: bytes, policy: policy) else {
    throw Broken(description: "evidence without a certificate was accepted")
  }
}

/// A signed note, a checkpoint in it, and a verifier key: each has one spelling.
@Sendable private func note(_ bytes: [UInt8]) throws {
  if let key = VerifierKey(bytes) { try promise(key.text.utf8.elementsEqual(bytes), "a key with two spellings") }
  guard let note = SignedNote(bytes) else { return }
  var rebuilt = note.text + [0x0A]
  for line in note.lines {
    var payload: [UInt8] = []
    payload.append(bigEndian: line.id)
    rebuilt += Array("\u{2014} ".utf8) + line.name + Array(" \(Base64.encode(payload + line.signature))\n".utf8)
  }
  try promise(rebuilt == bytes, "a note was read that would be written otherwise")
  if let head = Checkpoint(note.text) { try promise(head.text == note.text, "a checkpoint with two spellings") }
  for line in note.lines.prefix(4) {
    for kind in [VerifierKey.Kind.note, .cosignature] {
      let key = VerifierKey(name: line.name, kind: kind, publicKey: [UInt8](repeating: 7, count: 32))
      guard let key else { throw Broken(description: "a line under a name that no key can have") }
      _ = note.signers(among: [key])
      _ = note.cosignatureTime(of: key)
    }
  }
}

/// A record of the log: it has one spelling, also by its type.
@Sendable private func record(_ bytes: [UInt8]) throws {
  guard let record = LogRecord(bytes) else { return }
  try promise(record.text == bytes, "a record was read that would be written otherwise")
  try promise(LogRecord(record.kind, record.values) == record, "a record's values do not make it")
  let typed = [
    GenesisRecord(record).map(\.record), KeyRecord(record).map(\.record), EpochRecord(record).map(\.record),
    GapRecord(record).map(\.record),
  ].compactMap(\.self)
  try promise(typed.count <= 1 && typed.allSatisfy { $0 == record }, "a typed record is another one")
  if let gap = GapRecord(record) {
    let length = GapRecord.measure([gap, gap], from: 5, to: UInt64(Int64.max))
    try promise(length <= gap.to - gap.from, "a gap is longer than it is")
  }
}

/// The DER of a time stamp.
@Sendable private func token(_ bytes: [UInt8]) throws {
  for digest in [Hash(bytes.prefix(32)), Hash(bytes.suffix(32))] {
    guard let digest, let read = StampedTime(bytes, over: digest) else { continue }
    try promise(read.seconds < 1 << 40, "a year that four digits cannot hold")
    try promise(StampedTime(bytes + [0], over: digest) == nil, "bytes behind a token")
  }
  guard let token = TimestampToken(bytes) else { return }
  _ = StampedTime(bytes, over: token.digest)
  try promise(token.seconds < 1 << 40, "a year that four digits cannot hold")
  try promise(TimestampToken(bytes + [0]) == nil, "bytes behind a token")
}
