internal import Synchronization

/// Memory for what a recorder knows between two batches: two slots, one of them always whole.
///
/// ```
/// each slot, half of the memory: u64 offset + 1 | u64 length | u64 checksum | i64 given up since | bytes
/// ```
/// A slot is valid when its checksum is that of its bytes. The recorder fills the slot that it would not need if it
/// died now, then commits: whenever it dies, one slot belongs to what the store holds.
@safe
public final class SnapshotArea: @unchecked Sendable {
  // Sendable because one thread writes, and the next process reads after that one is dead.

  /// What a slot holds.
  public struct Snapshot: Sendable, Equatable {
    /// How far into the journal it reaches.
    public var offset: UInt64
    /// From when on, in nanoseconds of wall-clock time, records were given up that the store does not have; 0 where
    /// none were.
    public var givenUpSince: Int64
    /// What the recorder knew.
    public var bytes: [UInt8]

    /// A snapshot of these parts.
    public init(offset: UInt64, givenUpSince: Int64, bytes: [UInt8]) {
      self.offset = offset
      self.givenUpSince = givenUpSince
      self.bytes = bytes
    }
  }

  private let memory: UnsafeMutableRawBufferPointer
  private let slotSize: Int
  private static let headerSize = 32

  /// Lays two slots over zeroed memory, or finds those that are there.
  ///
  /// - Parameter memory: page-aligned, an even number of pages; it must outlive the value.
  public init(memory: UnsafeMutableRawBufferPointer) {
    unsafe self.memory = memory
    slotSize = memory.count / 2
  }

  /// Fills the slot that does not hold the snapshot of offset `kept`. False where it does not fit.
  @discardableResult
  public func write(_ snapshot: Snapshot, keeping kept: UInt64?) -> Bool {
    let slot = kept.map { word(0, 0) == $0 &+ 1 } ?? false ? 1 : 0
    set(slot, 0, 0)
    guard snapshot.bytes.count <= slotSize - Self.headerSize else { return false }
    unsafe UnsafeMutableRawBufferPointer(rebasing: memory[(slot * slotSize + Self.headerSize)...])
      .copyBytes(from: snapshot.bytes)
    set(slot, 1, UInt64(snapshot.bytes.count))
    set(slot, 2, Self.checksum(snapshot.bytes))
    set(slot, 3, UInt64(bitPattern: snapshot.givenUpSince))
    set(slot, 0, snapshot.offset + 1)
    return true
  }

  /// The valid snapshots, the one that reaches farthest first.
  public func snapshots() -> [Snapshot] {
    (0..<2).compactMap(read).sorted { $0.offset > $1.offset }
  }

  private func read(_ slot: Int) -> Snapshot? {
    let count = Int(truncatingIfNeeded: word(slot, 1))
    guard word(slot, 0) != 0, count >= 0, count <= slotSize - Self.headerSize else { return nil }
    let start = slot * slotSize + Self.headerSize
    let bytes = unsafe Array(memory[start..<(start + count)])
    guard Self.checksum(bytes) == word(slot, 2) else { return nil }
    return Snapshot(offset: word(slot, 0) - 1, givenUpSince: Int64(bitPattern: word(slot, 3)), bytes: bytes)
  }

  private func word(_ slot: Int, _ index: Int) -> UInt64 {
    unsafe memory.load(fromByteOffset: slot * slotSize + index * 8, as: UInt64.self)
  }

  private func set(_ slot: Int, _ index: Int, _ value: UInt64) {
    // Atomic, so that neither compiler nor machine moves it before what it vouches for.
    let place = unsafe (memory.baseAddress.unsafelyUnwrapped + slot * slotSize + index * 8)
      .assumingMemoryBound(to: Atomic<UInt64>.self)
    unsafe place.pointee.store(value, ordering: .sequentiallyConsistent)
  }

  /// FNV-1a over words of eight bytes: against a half-written slot, not against an attacker.
  private static func checksum(_ bytes: [UInt8]) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    unsafe bytes.withUnsafeBytes { raw in
      var at = 0
      while at + 8 <= raw.count {
        hash = unsafe (hash ^ raw.loadUnaligned(fromByteOffset: at, as: UInt64.self)) &* 0x0000_0100_0000_01b3
        at += 8
      }
      while at < raw.count {
        hash = unsafe (hash ^ UInt64(raw[at])) &* 0x0000_0100_0000_01b3
        at += 1
      }
    }
    return hash
  }
}
