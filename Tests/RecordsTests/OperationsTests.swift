import Records
import Testing

struct OperationsTests {
  typealias Row = (Operations, read: Operations.Answer, write: Operations.Answer, exec: Operations.Answer)

  @Test(
    "an episode answers each kind: did, could have, did not",
    arguments: [
      ([], .didNot, .didNot, .didNot),
      ([.open], .couldHave, .couldHave, .didNot),
      ([.open, .closedUnwritten], .couldHave, .didNot, .didNot),
      ([.open, .closedWritable], .couldHave, .couldHave, .didNot),
      ([.open, .closedWritable, .closedUnwritten], .couldHave, .couldHave, .didNot),
      ([.open, .read, .closedUnwritten], .did, .didNot, .didNot),
      ([.open, .write, .closedWritable], .couldHave, .did, .didNot),
      ([.open, .write, .closedUnwritten], .couldHave, .did, .didNot),
      ([.read], .did, .didNot, .didNot),
      ([.write], .didNot, .did, .didNot),
      ([.create], .didNot, .did, .didNot),
      ([.delete], .didNot, .did, .didNot),
      ([.renameFrom], .didNot, .did, .didNot),
      ([.renameTo], .didNot, .did, .didNot),
      ([.link], .didNot, .did, .didNot),
      ([.attribute], .didNot, .didNot, .didNot),
      ([.exec], .did, .didNot, .did),
      ([.open, .exec, .closedUnwritten], .did, .didNot, .did),
      ([.mapWritable], .couldHave, .couldHave, .didNot),
      ([.open, .mapWritable, .closedUnwritten], .couldHave, .couldHave, .didNot),
      ([.open, .read, .mapped, .closedUnwritten], .did, .didNot, .didNot),
      ([.open, .read, .mapped, .mapShared, .closedUnwritten], .did, .couldHave, .didNot),
      ([.mapped], .couldHave, .didNot, .didNot),
      ([.closedUnwritten], .didNot, .didNot, .didNot),
      ([.closedWritable], .didNot, .couldHave, .didNot),
    ] as [Row])
  func table(row: Row) {
    #expect(row.0.answer(.read) == row.read)
    #expect(row.0.answer(.write) == row.write)
    #expect(row.0.answer(.exec) == row.exec)
    #expect(row.0.answer(.any) == (row.0.subtracting(Operations.qualifiers).isEmpty ? .didNot : .did))
  }

  @Test("a close alone is no access")
  func closes() {
    #expect(Operations.qualifiers.answer(.any) == .didNot)
    #expect(Operations.qualifiers.labels.isEmpty)
  }

  @Test("further evidence of a deed never takes back that it was done", arguments: Operations.Kind.allCases)
  func monotone(kind: Operations.Kind) {
    for bits in 0..<(1 << 15) as Range<UInt32> where Operations(rawValue: bits).answer(kind) == .did {
      for more in 0..<15 as Range<UInt32> {
        #expect(Operations(rawValue: bits | 1 << more).answer(kind) == .did)
      }
    }
  }

  @Test("every operation but the qualifiers has a name of its own, in the order of the bits")
  func names() {
    #expect(Operations.names.map(\.0.rawValue) == ((0..<11) + [13, 14, 15, 16, 17, 18, 19]).map { 1 << $0 })
    #expect(Set(Operations.names.map(\.1)).count == 18)
    #expect(Operations([.exec, .open, .closedWritable]).labels == ["open", "exec"])
  }

  @Test("stored bits are never renumbered")
  func bits() {
    #expect(Operations.open.rawValue == 1)
    #expect(Operations.mapWritable.rawValue == 1 << 10)
    #expect(Operations.qualifiers.rawValue == 0b11 << 11)
  }

  @Test(
    "of what is only held: a mapping was read, an open file could have been, and a mapped write leaves no trace",
    arguments: [
      ([.open], .couldHave, .couldHave, .didNot),
      ([.open, .read, .mapped], .did, .couldHave, .didNot),
      ([.open, .read, .mapped, .closedUnwritten], .did, .didNot, .didNot),
      ([.read, .mapped, .mapShared], .did, .couldHave, .didNot),
      ([.read, .mapped, .mapWritable], .did, .couldHave, .didNot),
      ([.open, .read, .exec, .mapped, .closedUnwritten], .did, .didNot, .did),
      ([.open, .write], .couldHave, .couldHave, .didNot),
    ] as [Row])
  func held(row: Row) {
    #expect(row.0.heldAnswer(.read) == row.read)
    #expect(row.0.heldAnswer(.write) == row.write)
    #expect(row.0.heldAnswer(.exec) == row.exec)
    #expect(row.0.heldAnswer(.any) == .did)
  }

  @Test("a file is left open until one close was seen")
  func leftOpen() {
    #expect(Operations([.open, .read]).isLeftOpen)
    #expect(!Operations([.open, .closedUnwritten]).isLeftOpen)
    #expect(!Operations([.open, .closedWritable]).isLeftOpen)
    #expect(!Operations([.read, .mapped]).isLeftOpen)
  }
}
