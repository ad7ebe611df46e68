internal import Foundation
internal import MerkleLog
internal import TestSupport
internal import Testing

@testable internal import Certificates

/// What an authority that nobody here wrote is asked, and what its answers are read as.
@Suite(.tool("openssl", "version"))
struct TimestampTests {
  private let scratch: ScratchDirectory
  private let authority: Subprocess
  private let port: String

  init() throws {
    let scratch = try ScratchDirectory(in: "/tmp")
    self.scratch = scratch
    let script = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures/authority/authority.py").path
    authority = try Subprocess("/usr/bin/env", ["python3", script, scratch.path])
    var port: String?
    for _ in 0..<200 where port == nil {
      Thread.sleep(forTimeInterval: 0.1)
      port = try? String(contentsOfFile: scratch("port"), encoding: .utf8)
    }
    self.port = try #require(port)
  }

  private func reply(to query: TimestampQuery) throws -> [UInt8] {
    try Data(query.bytes).write(to: URL(filePath: scratch("mine.tsq")))
    let asked = try Subprocess.run(
      "/usr/bin/env",
      [
        "python3", "-c",
        """
        import sys, urllib.request
        body = open(sys.argv[1] + '/mine.tsq', 'rb').read()
        request = urllib.request.Request('http://127.0.0.1:' + sys.argv[2], body,
          {'Content-Type': 'application/timestamp-query'})
        open(sys.argv[1] + '/mine.tsr', 'wb').write(urllib.request.urlopen(request).read())
        """, scratch.path, port,
      ])
    try #require(asked.status == 0, "\(asked.errors)")
    return [UInt8](try Data(contentsOf: URL(filePath: scratch("mine.tsr"))))
  }

  @Test("openssl reads the query, and its token is over the digest, with the nonce, and verifies by its own word")
  func roundTrip() throws {
    for nonce in [0, 1, 0x8000_0000_0000_0000, .max] as [UInt64] {
      let text = Array("alibi/test\n\(nonce)\n".utf8)
      let query = TimestampQuery(digest: Hash(of: text), nonce: nonce)
      let (bytes, token) = try query.token(in: try reply(to: query))
      #expect(token.digest == Hash(of: text))
      #expect(token.nonce == query.nonce)
      #expect(abs(Int64(token.seconds) - Int64(Date().timeIntervalSince1970)) < 60)
      try Data(text).write(to: URL(filePath: scratch("head")))
      try Data(bytes).write(to: URL(filePath: scratch("token")))
      let arguments = ["ts", "-verify", "-token_in", "-in", scratch("token"), "-CAfile", scratch("authority.pem")]
      let verified = try Subprocess.run("/usr/bin/env", ["openssl"] + arguments + ["-data", scratch("head")])
      #expect(verified.status == 0, "\(verified.errors)")
      try Data(text + [0]).write(to: URL(filePath: scratch("head")))
      #expect(try Subprocess.run("/usr/bin/env", ["openssl"] + arguments + ["-data", scratch("head")]).status != 0)
    }
  }

  @Test("an answer to another query, a refusal, and anything cut short or lengthened are no token")
  func refused() throws {
    let query = TimestampQuery(digest: Hash(of: [1]), nonce: 5)
    let answer = try reply(to: query)
    _ = try query.token(in: answer)
    let others = [
      TimestampQuery(digest: Hash(of: [2]), nonce: 5), TimestampQuery(digest: Hash(of: [1]), nonce: 7),
    ]
    for other in others {
      #expect(throws: TimestampQuery.Refusal.self) { try other.token(in: answer) }
    }
    for cut in stride(from: 0, to: answer.count, by: 7) {
      #expect(throws: TimestampQuery.Refusal.self) { try query.token(in: Array(answer[..<cut])) }
    }
    #expect(throws: TimestampQuery.Refusal.self) { try query.token(in: answer + [0]) }
    // PKIStatus 2, rejection.
    #expect(throws: TimestampQuery.Refusal(description: "refused with status 2")) {
      try query.token(in: [0x30, 5, 0x30, 3, 2, 1, 2])
    }
  }
}
