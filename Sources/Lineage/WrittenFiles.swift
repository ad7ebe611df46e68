internal import Records

/// The files whose content, or name, may be a session's work, and whose.
///
/// Of a file only a hash is kept, sixteen bytes with its session: two files that share one are both taken for written,
/// which is safe.
struct WrittenFiles {
  /// Beyond so many none is taken in: 64 megabytes.
  static let most = 1 << 21

  /// Hashes, 0 where none is; linear probing.
  private var hashes: [UInt64] = []
  /// Numbers of sessions; 0 for several, or where nobody knows.
  private var sessions: [Int64] = []
  private(set) var count = 0
  /// Whether one was not taken in, ever.
  private(set) var isOverfull = false
  private let most: Int

  init(most: Int = WrittenFiles.most) {
    self.most = most
  }

  var isEmpty: Bool { count == 0 }

  /// Whose work the file may be; nil where it is nobody's.
  func writer(of file: FileIdentity) -> Deputy? {
    guard !isEmpty else { return nil }
    let at = place(of: Self.hash(file))
    guard hashes[at] != 0 else { return nil }
    return Deputy(session: sessions[at] == 0 ? nil : sessions[at], channels: .influenced)
  }

  /// Notes a file as a session's work; whether that is new.
  mutating func insert(_ file: FileIdentity, by session: Int64?) -> Bool {
    if 4 * (count + 1) > 3 * hashes.count { grow() }
    let hash = Self.hash(file)
    let at = place(of: hash)
    if hashes[at] == 0 {
      guard count < most else {
        isOverfull = true
        return false
      }
      hashes[at] = hash
      sessions[at] = session ?? 0
      count += 1
      return true
    }
    guard sessions[at] != 0, sessions[at] != session else { return false }
    sessions[at] = 0
    return true
  }

  /// Forgets a file; whether it was known.
  mutating func remove(_ file: FileIdentity) -> Bool {
    guard !isEmpty else { return false }
    var gap = place(of: Self.hash(file))
    guard hashes[gap] != 0 else { return false }
    count -= 1
    // Whatever was put behind it because it was there moves up.
    let mask = hashes.count - 1
    var at = gap
    while true {
      at = (at + 1) & mask
      if hashes[at] == 0 { break }
      let home = Int(truncatingIfNeeded: hashes[at]) & mask
      if (at - home) & mask >= (at - gap) & mask {
        hashes[gap] = hashes[at]
        sessions[gap] = sessions[at]
        gap = at
      }
    }
    hashes[gap] = 0
    return true
  }

  private func place(of hash: UInt64) -> Int {
    let mask = hashes.count - 1
    var at = Int(truncatingIfNeeded: hash) & mask
    while hashes[at] != 0, hashes[at] != hash { at = (at + 1) & mask }
    return at
  }

  private mutating func grow() {
    let old = zip(hashes, sessions)
    let size = max(1024, 2 * hashes.count)
    hashes = [UInt64](repeating: 0, count: size)
    sessions = [Int64](repeating: 0, count: size)
    for (hash, session) in old where hash != 0 {
      let at = place(of: hash)
      hashes[at] = hash
      sessions[at] = session
    }
  }

  /// Never 0. The same in every process: which files share a hash is part of the answer.
  private static func hash(_ file: FileIdentity) -> UInt64 {
    let device = mixed(mixed(0, file.fileSystem), file.subvolume)
    return max(mixed(mixed(device, file.inode), UInt64(file.generation)), 1)
  }

  /// The finaliser of SplitMix64.
  private static func mixed(_ hash: UInt64, _ word: UInt64) -> UInt64 {
    var hash = (hash ^ word) &+ 0x9e37_79b9_7f4a_7c15
    hash = (hash ^ hash >> 30) &* 0xbf58_476d_1ce4_e5b9
    hash = (hash ^ hash >> 27) &* 0x94d0_49bb_1331_11eb
    return hash ^ hash >> 31
  }
}
