internal import Decode
internal import Journal

/// Decides which looks at tables of mounts the journal must hold: those that differ from the one before.
struct MountLooks {
  private struct Namespace {
    /// The table that the journal has; nil where it says that the mounts are not known.
    var text: [UInt8]?
    var isHost: Bool
  }

  /// What the journal is to hold, in this order; for the caller to take.
  private(set) var entries: [MountTableEntry] = []
  private var namespaces: [[UInt8]: Namespace] = [:]
  /// Mounts that the tables of the last look had and those of the look before had not.
  private var appeared = 0
  /// Of those, how many no event had told of by then.
  private var untold = 0
  /// The most bytes of a table.
  private let bound: Int
  /// Bytes that may be written now: whoever mounts and unmounts for ever must not fill the disk.
  private var budget: Int
  private var refilled: UInt64 = 0

  private static let mostBudget = 8 << 20
  private static let refill = 1 << 20

  /// - Parameter capacity: the journal's.
  init(capacity: Int) {
    bound = min(1 << 20, capacity / 16)
    budget = Self.mostBudget
  }

  mutating func take() -> [MountTableEntry] {
    defer { entries.removeAll() }
    return entries
  }

  /// A namespace was looked at.
  ///
  /// - Parameters:
  ///   - text: its table; nil where it could not be read.
  ///   - since: CLOCK_MONOTONIC since when the table may have been so.
  mutating func look(_ name: [UInt8], isHost: Bool = false, text: [UInt8]?, since: UInt64, now: UInt64) {
    let before = namespaces[name]
    if let before, before.text == text { return }
    if let text, let old = before?.text {
      appeared += Self.mounts(text).subtracting(Self.mounts(old)).count
    }
    let isFirst = isHost && before == nil
    namespaces[name] = Namespace(text: text, isHost: isHost)
    guard let text, text.count <= bound, spend(text.count, now) else {
      namespaces[name]?.text = nil
      if let before, before.text == nil { return }
      entries.append(
        MountTableEntry(
          namespace: name, isHost: isHost, isFirst: isFirst, state: .unknown, table: [], since: since, seen: now))
      return
    }
    entries.append(
      MountTableEntry(
        namespace: name, isHost: isHost, isFirst: isFirst, state: .known, table: text, since: since, seen: now))
  }

  /// Nobody of a session lives in it any more.
  mutating func forget(_ name: [UInt8], now: UInt64) {
    guard namespaces.removeValue(forKey: name) != nil else { return }
    entries.append(
      MountTableEntry(namespace: name, isHost: false, state: .gone, table: [], since: now, seen: now))
  }

  /// All namespaces were looked at, after so many mounts were told of.
  ///
  /// A mount that was told of and is in no table came and went in between. Where it was is not known, nor in which
  /// namespace, so the host's mounts are said to be unknown for that time.
  mutating func settle(attached: Int?, since: UInt64, now: UInt64) {
    defer {
      untold = max(0, appeared - (attached ?? 0))
      appeared = 0
    }
    if let attached, attached <= appeared + untold { return }
    guard let host = namespaces.first(where: \.value.isHost), let text = host.value.text else { return }
    entries.append(
      MountTableEntry(namespace: host.key, isHost: true, state: .unknown, table: [], since: since, seen: now))
    namespaces[host.key]?.text = nil
    let before = appeared
    look(host.key, isHost: true, text: text, since: now, now: now)
    appeared = before
  }

  private mutating func spend(_ count: Int, _ now: UInt64) -> Bool {
    let passed = now > refilled ? now - refilled : 0
    budget = min(Self.mostBudget, budget + Int(min(passed, 60_000_000_000) / 1_000_000) * Self.refill / 1000)
    refilled = max(refilled, now)
    guard budget >= count else { return false }
    budget -= count
    return true
  }

  /// What makes a mount this one: the first five fields. The others may change while it stays.
  private static func mounts(_ text: [UInt8]) -> Set<ArraySlice<UInt8>> {
    var found: Set<ArraySlice<UInt8>> = []
    for line in text.split(separator: 0x0a) {
      var spaces = 0
      found.insert(
        line.prefix { byte in
          if byte == 0x20 { spaces += 1 }
          return spaces < 5
        })
    }
    return found
  }
}
