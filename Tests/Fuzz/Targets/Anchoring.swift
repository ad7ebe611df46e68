internal import Anchoring
internal import Certificates
internal import MerkleLog

extension FuzzTarget {
  /// What strangers answer, as their sender's process hands it on.
  public static let anchoring = [FuzzTarget(name: "answer", run: answer)]
}

/// A reply, and what a witness or an authority says in it.
@Sendable private func answer(_ bytes: [UInt8]) throws {
  if let letter = Letter(bytes) {
    try promise(Letter(letter.bytes) == letter, "a letter changes by being read")
  }
  guard let reply = Reply(bytes) else { return }
  guard case .answered(let status, _, let body) = reply.outcome else { return }
  try promise(Reply(reply.bytes) == reply, "a reply changes by being read")
  let query = TimestampQuery(digest: .zero, nonce: 0)
  if let (token, read) = try? query.token(in: body) {
    try promise(read.digest == .zero && read.nonce == query.nonce, "a token over something else")
    try promise(TimestampToken(token) == read, "a token that is not what was kept")
  }
  let key = VerifierKey(name: Array("witness".utf8), kind: .cosignature, publicKey: [UInt8](repeating: 7, count: 32))
  guard let key, let head = Checkpoint(origin: Array("alibi/test".utf8), size: 7, root: .zero) else {
    throw Broken(description: "a head that cannot be")
  }
  let note = head.text + Array("\n\u{2014} alibi/test AAAAAAAA\n".utf8)
  if case .cosigned(let line, let time) = WitnessProtocol.answer(
    status: status, body: body, checkpoint: note, witness: key)
  {
    try promise(SignedNote(note + line)?.cosignatureTime(of: key) == time, "a cosignature of another time")
  }
}
