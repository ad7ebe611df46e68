import Records
import Testing

private func span(_ from: Int64, _ to: Int64) -> Interval {
  Interval(from: Timestamp(nanoseconds: from), to: Timestamp(nanoseconds: to))
}

struct IntervalTests {
  @Test("a reversed pair is put in order")
  func order() {
    #expect(span(5, 2) == span(2, 5))
    #expect(span(2, 5).from == Timestamp(nanoseconds: 2))
  }

  @Test("both ends belong to an interval, so touching is overlapping")
  func overlap() {
    #expect(span(0, 5).overlaps(span(5, 9)) && span(5, 9).overlaps(span(0, 5)))
    #expect(!span(0, 5).overlaps(span(6, 9)))
    #expect(span(0, 5).intersection(span(5, 9)) == span(5, 5))
    #expect(span(0, 9).intersection(span(3, 4)) == span(3, 4))
    #expect(span(0, 5).intersection(span(6, 9)) == nil)
  }

  @Test("a length is in seconds")
  func seconds() {
    #expect(span(-500_000_000, 1_000_000_000).seconds == 1.5)
    #expect(span(3, 3).seconds == 0)
  }

  @Test("no interval has a negative length, not even all of time")
  func endless() {
    #expect(Interval(from: .distantPast, to: .distantFuture).seconds > 0)
  }
}

struct IntervalSetTests {
  @Test("what overlaps or touches becomes one, in any order of arrival")
  func merging() {
    #expect(IntervalSet([span(5, 9), span(0, 5)]).intervals == [span(0, 9)])
    #expect(IntervalSet([span(0, 9), span(2, 3)]).intervals == [span(0, 9)])
    #expect(IntervalSet([span(7, 8), span(0, 1), span(1, 3)]).intervals == [span(0, 3), span(7, 8)])
    #expect(IntervalSet([span(1, 1), span(1, 1)]).intervals == [span(1, 1)])
    #expect(IntervalSet([span(0, 4), span(5, 9)]).intervals == [span(0, 4), span(5, 9)])
    #expect(IntervalSet().intervals.isEmpty)
  }

  @Test("what is missing is what no interval covers, ends shared")
  func missing() {
    let set = IntervalSet([span(10, 20), span(30, 40)])
    #expect(set.missing(from: span(0, 50)) == [span(0, 10), span(20, 30), span(40, 50)])
    #expect(set.missing(from: span(12, 18)) == [])
    #expect(set.missing(from: span(10, 20)) == [])
    #expect(set.missing(from: span(15, 35)) == [span(20, 30)])
    #expect(set.missing(from: span(20, 30)) == [span(20, 30)])
    #expect(set.missing(from: span(21, 29)) == [span(21, 29)])
    #expect(set.missing(from: span(0, 10)) == [span(0, 10)])
    #expect(set.missing(from: span(40, 50)) == [span(40, 50)])
  }

  @Test("a single moment is missing exactly when no interval holds it")
  func missingMoment() {
    let set = IntervalSet([span(10, 20)])
    #expect(set.missing(from: span(15, 15)) == [])
    #expect(set.missing(from: span(10, 10)) == [])
    #expect(set.missing(from: span(20, 20)) == [])
    #expect(set.missing(from: span(21, 21)) == [span(21, 21)])
    #expect(IntervalSet().missing(from: span(3, 3)) == [span(3, 3)])
  }

  @Test("nothing known means everything is missing")
  func nothingKnown() {
    #expect(IntervalSet().missing(from: span(0, 50)) == [span(0, 50)])
  }

  @Test("clipping keeps what lies inside")
  func clipping() {
    let set = IntervalSet([span(10, 20), span(30, 40)])
    #expect(set.clipped(to: span(15, 35)).intervals == [span(15, 20), span(30, 35)])
    #expect(set.clipped(to: span(0, 50)) == set)
    #expect(set.clipped(to: span(21, 29)).intervals.isEmpty)
    #expect(set.clipped(to: span(20, 30)).intervals == [span(20, 20), span(30, 30)])
    #expect(set.seconds == 20e-9)
  }

  @Test("what is subtracted leaves what lies before and behind it, ends shared")
  func subtracting() {
    let set = IntervalSet([span(10, 20), span(30, 40), span(50, 50)])
    #expect(set.subtracting(IntervalSet([span(15, 35)])).intervals == [span(10, 15), span(35, 40), span(50, 50)])
    let holes = IntervalSet([span(12, 13), span(13, 14), span(38, 60)])
    #expect(set.subtracting(holes).intervals == [span(10, 12), span(14, 20), span(30, 38)])
    #expect(set.subtracting(IntervalSet([span(20, 30)])).intervals == set.intervals)
    #expect(set.subtracting(IntervalSet([span(15, 15)])).intervals == set.intervals)
    #expect(set.subtracting(IntervalSet()).intervals == set.intervals)
    #expect(set.subtracting(set).intervals.isEmpty)
  }

  @Test("to subtract many is to subtract one after the other", arguments: 0..<200)
  func subtractingMany(seed: Int) {
    var random = Random(seed: seed)
    func some() -> Interval {
      let from = Int64.random(in: 0..<60, using: &random)
      return span(from, from + Int64.random(in: 0..<12, using: &random))
    }
    let (set, holes) = (IntervalSet((0..<6).map { _ in some() }), (0..<5).map { _ in some() })
    let oneByOne = holes.reduce(set) { $0.subtracting(IntervalSet([$1])) }
    #expect(set.subtracting(IntervalSet(holes)) == oneByOne)
  }

  @Test("a set agrees with a list of its moments", arguments: 0..<200)
  func oracle(seed: Int) {
    var random = Random(seed: seed)
    var some: Interval {
      let from = Int64.random(in: 0..<60, using: &random)
      return span(from, from + Int64.random(in: 0..<12, using: &random))
    }
    let parts = (0..<5).map { _ in some }
    let whole = span(10, 50)
    let set = IntervalSet(parts)
    func covered(_ at: Int64) -> Bool { parts.contains { $0.overlaps(span(at, at)) } }
    for at in 0..<80 as Range<Int64> {
      let moment = span(at, at)
      #expect(set.intervals.contains { $0.overlaps(moment) } == covered(at))
      // Ends are shared, so only the inside of a missing interval is surely not covered.
      for open in set.missing(from: whole) where open.from < moment.from && moment.to < open.to {
        #expect(!covered(at))
      }
      if whole.overlaps(moment), !covered(at) {
        #expect(set.missing(from: whole).contains { $0.overlaps(moment) })
      }
    }
    #expect(zip(set.intervals, set.intervals.dropFirst()).allSatisfy { $0.to < $1.from })
    #expect(IntervalSet(parts.shuffled(using: &random)) == set)
  }
}
