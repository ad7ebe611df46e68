import Records
import Testing

@testable import Evidence

@Suite("The asked time in parts")
struct DivisionTests {
  private func span(_ from: Int64, _ to: Int64) -> Interval {
    Interval(from: Timestamp(nanoseconds: from), to: Timestamp(nanoseconds: to))
  }

  @Test("each moment is of one part, and what was accessed is no doubt")
  func parts() {
    let division = Division(
      of: span(0, 100), accesses: [span(-5, 10), span(40, 50)], doubts: [span(45, 60), span(90, 200)])
    #expect(division.accessed.intervals == [span(0, 10), span(40, 50)])
    #expect(division.notProven.intervals == [span(50, 60), span(90, 100)])
    #expect(division.proven.intervals == [span(10, 40), span(60, 90)])
  }

  @Test("without accesses and doubts all of it is proven, and with a doubt of all of it nothing is")
  func extremes() {
    #expect(Division(of: span(3, 9), accesses: [], doubts: []).proven.intervals == [span(3, 9)])
    let none = Division(of: span(3, 9), accesses: [], doubts: [span(0, 20)])
    #expect(none.proven.intervals.isEmpty)
    #expect(none.notProven.intervals == [span(3, 9)])
  }

  @Test("the parts fill the asked time, whatever overlaps", arguments: 0..<50)
  func fill(seed: Int) {
    var state = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1
    func random(_ bound: Int64) -> Int64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int64(state >> 33) % bound
    }
    func spans() -> [Interval] { (0..<random(6)).map { _ in span(random(120) - 10, random(120) - 10) } }
    let division = Division(of: span(0, 100), accesses: spans(), doubts: spans())
    let seconds = [division.proven, division.accessed, division.notProven].map(\.seconds).reduce(0, +)
    #expect(abs(seconds - span(0, 100).seconds) < 1e-12)
  }
}
