import Foundation
import TestSupport
import Testing

extension ServiceTests {
  @Suite(.serialized)
  struct CertificateTests {
    @Test(
      "what an agent left alone is certified, sealed up to now; what it touched is not; the store stands up to a full look"
    )
    func bundle() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let touched = try agent.file("touched.txt")
      let quiet = try agent.file("quiet.txt")
      let key = service.alibi("key", "show").output.trimmingCharacters(in: .whitespacesAndNewlines)
      #expect(key.hasPrefix("alibi/"))
      let start = service.moment()
      #expect(try agent.run("cat \(touched) > /dev/null").status == 0)
      let out = try ScratchDirectory(in: "/tmp")
      let refused = service.prove(touched, from: start, "--out", out("none"))
      #expect(refused.status == 1)
      #expect(!FileManager.default.fileExists(atPath: out("none")))

      let proven = service.prove(quiet, from: start, "--out", out("bundle"), "--allow-gaps")
      #expect(proven.status == 0, "\(proven.output) \(proven.errors)")
      let verified = try Subprocess.run(Place.programs + "/alibi", ["verify", out("bundle"), "--key", key])
      #expect([0, 2].contains(verified.status), "\(verified.output)")
      #expect(verified.output.contains("ACCEPT"))
      // The same of the files by their identities.
      func identity(_ path: String) throws -> String {
        let told = service.prove(path, from: start).output
        return String(try #require(told.firstMatch(of: #/inode:[0-9a-f]+:[0-9]+:[0-9]+/#)).output)
      }
      service.expect(1, try identity(touched), from: start, "--out", out("none"))
      let inode = service.prove(try identity(quiet), from: start, "--out", out("inode"), "--allow-gaps")
      #expect(inode.status == 0, "\(inode.output) \(inode.errors)")
      let again = try Subprocess.run(Place.programs + "/alibi", ["verify", out("inode"), "--key", key])
      #expect([0, 2].contains(again.status) && again.output.contains("  target       inode "), "\(again.output)")

      #expect(
        service.prove(quiet, from: start, "--out", out("bundle"), "--allow-gaps").status == 64,
        "and is never overwritten")

      _ = try service.stop()
      let full = service.alibi("verify", "--full", "--key", key)
      #expect(full.status == 0, "\(full.output)")
      let page = try #require(try service.json("verify", "--full") as? [String: Any])
      #expect(page["unsealed"] as? Int == 0)
      #expect(page["epochs"] as? Int ?? 0 > 0)
      #expect(page["events"] as? Int ?? 0 > 0)
    }

    @Test("a killed recorder's successor goes on with the same log, and so does the next run")
    func successor() throws {
      let service = try ServiceUnderTest()
      let agent = try StandInAgent()
      let file = try agent.file("x.txt")
      #expect(try agent.run("cat \(file) > /dev/null").status == 0)
      service.alibi("accesses")
      let first = try service.recorder()
      kill(first, SIGKILL)
      try eventually("another recorder answers") { try service.recorder() != first }
      #expect(try agent.run("cat \(file) > /dev/null").status == 0)
      service.alibi("accesses")
      _ = try service.stop()
      try service.restart()
      _ = try service.stop()
      let full = service.alibi("verify", "--full")
      #expect(full.status == 0, "\(full.output)")
    }
  }
}
