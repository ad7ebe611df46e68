import Testing

@testable import Anchoring

/// What the service and its sender say to each other.
struct LetterTests {
  @Test(
    "a letter is read as it was written",
    arguments: [
      Letter.Destination.post(url: "http://127.0.0.1:8000/add-checkpoint", type: "text/plain"),
      .socket(path: "/dev/log"), .udp(host: "127.0.0.1", port: 514),
    ])
  func letters(destination: Letter.Destination) {
    for body in [[], Array("old 0\n\n".utf8), [0, 10, 255]] as [[UInt8]] {
      let letter = Letter(id: .max, to: destination, body: body)
      #expect(Letter(letter.bytes) == letter)
    }
  }

  @Test(
    "anything else is no letter",
    arguments: [
      "", "post", "post 1 http://a text/plain", "post 1 http://a\nbody", "post x http://a text/plain\n", "socket 1\n",
      "udp 1 host 65536\n", "udp 1 host -1\n", "udp 1 host 514 more\n", "mail 1 host\n", "socket 1 /dev/l\u{e9}g\n",
    ])
  func malformed(text: String) { #expect(Letter(Array(text.utf8)) == nil) }

  @Test("a letter that is too long is none")
  func tooLong() {
    let letter = Letter(id: 1, to: .socket(path: "/a"), body: [UInt8](repeating: 0, count: Letter.mostBytes))
    #expect(Letter(letter.bytes) == nil)
  }

  @Test("a reply is read as it was written")
  func replies() {
    for outcome in [
      Reply.Outcome.answered(status: 409, type: "text/x.tlog.size", body: Array("7\n".utf8)),
      .answered(status: 0, type: "-", body: []), .failed("Connection refused"), .failed(""),
    ] {
      let reply = Reply(id: 7, outcome)
      #expect(Reply(reply.bytes) == reply)
    }
    // A header of a stranger's making is no word.
    #expect(
      Reply(Reply(id: 1, .answered(status: 200, type: "text/plain; a\nb", body: [])).bytes)
        == Reply(id: 1, .answered(status: 200, type: "-", body: [])))
    // Nor does a reason bring control bytes into a log.
    #expect(Reply(Reply(id: 1, .failed("a\u{1b}[1m")).bytes) == Reply(id: 1, .failed("a?[1m")))
    for text in [
      "", "answered 1 200\n", "answered 1 x -\n", "failed\n", "failed 1 2\n", "answered 1 200 -", "answered 1 200 \n",
    ] {
      #expect(Reply(Array(text.utf8)) == nil)
    }
  }
}
