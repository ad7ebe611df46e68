import Foundation
import LinuxKernel
import TestSupport
import Testing

extension ServiceTests {
  @Suite("quarters that are over", .serialized)
  struct SegmentTests {
    /// When the quarter began that was two days ago, in UTC.
    private func quarter() throws -> Date {
      var calendar = Calendar(identifier: .gregorian)
      calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
      var start = calendar.dateComponents([.year, .month], from: Date(timeIntervalSinceNow: -2 * 86_400))
      start.month = try (#require(start.month) - 1) / 3 * 3 + 1
      return try #require(calendar.date(from: start))
    }

    @Test("a service makes a segment of what is over when it closes the day, and is asked about both as before")
    func made() throws {
      let scratch = try ScratchDirectory(in: "/tmp")
      try scratch.makeDirectory("place")
      try scratch.makeDirectory("place/quiet")
      try scratch.makeDirectory("state")
      // The quarter before is over when a day of this one is.
      let end = try quarter().addingTimeInterval(86_400)
      let simulated = try Subprocess.run(
        Place.programs + "/alibi-year",
        [
          "--state", scratch("state"), "--place", scratch("place"), "--days", "4", "--accesses", "48",
          "--end", "\(Int(end.timeIntervalSince1970))", "--segments", "no",
        ])
      try #require(simulated.status == 0, "\(simulated.errors)")
      let segments = scratch("state/segments")
      func files() -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: segments)) ?? []).filter { $0.hasSuffix(".sqlite") }
      }
      #expect(files().isEmpty)
      let service = try ServiceUnderTest(state: scratch("state"))
      let out = try ScratchDirectory(in: "/tmp")
      let form = ISO8601DateFormatter()
      let from = form.string(from: end.addingTimeInterval(-3 * 86_400))
      let to = form.string(from: end.addingTimeInterval(-3600))
      func ask(_ place: String, _ more: String...) -> Subprocess.Outcome {
        service.alibi(["prove", scratch(place), "--from", from, "--to", to] + more)
      }
      #expect(ask("place/projects/").status == 1)
      let before = ask("place/quiet/")
      #expect(before.status == 0, "\(before.output)")
      #expect(service.alibi("retention", "--apply").status == 0)
      try eventually("there is a segment") { files().count == 1 }
      #expect(ask("place/projects/").status == 1)
      let certified = ask("place/quiet/", "--out", out("bundle"))
      #expect(certified.status == 0, "\(certified.output) \(certified.errors)")
      let key = service.alibi("key", "show").output.trimmingCharacters(in: .whitespacesAndNewlines)
      let verified = try Subprocess.run(Place.programs + "/alibi", ["verify", out("bundle"), "--key", key])
      #expect(verified.status == 0, "\(verified.output)")
      _ = try service.stop()
    }
  }
}
