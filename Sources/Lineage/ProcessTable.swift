internal import Journal
internal import Records

/// Every process alive, and those whose end the batch at hand may still overlap.
struct ProcessTable {
  /// What can be said of a pid without looking further. The path every bystander's event takes.
  enum Standing: UInt8 {
    /// No life of it is known.
    case unknown = 0
    /// Every life it had within the batch is known and outside all sessions.
    case bystander = 1
    /// It needs a look.
    case special = 2
  }

  /// The present, or last, life of each pid.
  private(set) var current: [Int32: Life] = [:]
  /// Earlier lives that ended within the batch at hand.
  private(set) var former: [Int32: [Life]] = [:]
  private var standings: [UInt8] = []
  /// PID_MAX_LIMIT: a damaged journal may name a higher one, for which no memory is to be spent.
  private static let highestPid: Int32 = 1 << 22
  /// Pids whose standing the end of the batch may change.
  private var touched: [Int32] = []

  func standing(_ pid: Int32) -> Standing {
    if pid > Self.highestPid { return .special }
    guard pid >= 0, Int(pid) < standings.count else { return .unknown }
    return Standing(rawValue: standings[Int(pid)]) ?? .special
  }

  /// The pids that run an agent's program.
  var agentProcesses: [Int32] { current.values.filter { $0.agent != nil }.map(\.key.pid) }

  subscript(pid: Int32) -> Life? { current[pid] }

  /// All lives a pid had within the batch.
  func lives(_ pid: Int32) -> [Life] {
    (former[pid] ?? []) + (current[pid].map { [$0] } ?? [])
  }

  /// Begins a life; what lived under the pid before is over, and counts only if it ended after `lower`: no event of
  /// the batch is older.
  mutating func begin(_ life: Life, at time: UInt64, lower: UInt64) {
    let pid = life.key.pid
    if var old = current[pid] {
      if old.died == nil { old.died = time }
      if let died = old.died, died >= lower {
        former[pid, default: []].append(old)
        touched.append(pid)
      }
    }
    current[pid] = life
    judge(pid)
  }

  /// Changes a life, if there is one.
  mutating func update<R>(_ pid: Int32, _ change: (inout Life) -> R) -> R? {
    guard var life = current.removeValue(forKey: pid) else { return nil }
    let result = change(&life)
    current[pid] = life
    if !life.formerSessions.isEmpty { touched.append(pid) }
    judge(pid)
    return result
  }

  /// Makes every life that the pid had within the batch, and that is in no session, a deputy; whether that is new.
  ///
  /// - Parameter isByReading: whether it is because its present program has read something: one that only passes on what
  ///   it reads just carries it.
  mutating func makeDeputy(_ pid: Int32, _ deputy: Deputy, isByReading: Bool = false) -> Bool {
    var isNew = false
    func change(_ life: inout Life) {
      guard life.session == nil else { return }
      let place = isByReading && life.isPlainReader ? \Life.carried : \Life.deputy
      guard life[keyPath: place].joined(with: deputy) != life[keyPath: place] else { return }
      life[keyPath: place] = life[keyPath: place].joined(with: deputy)
      isNew = true
    }
    if var life = current[pid] {
      change(&life)
      current[pid] = life
    }
    if var lives = former[pid] {
      for index in lives.indices { change(&lives[index]) }
      former[pid] = lives
    }
    if isNew { judge(pid) }
    return isNew
  }

  /// Who was born since a moment, of whom, in order of time.
  func births(since time: UInt64) -> [(child: Int32, parent: Int32)] {
    var found: [(life: ProcessKey, parent: Int32)] = []
    for life in current.values where life.key.startedAt >= time { found.append((life.key, life.parent)) }
    for lives in former.values {
      for life in lives where life.key.startedAt >= time { found.append((life.key, life.parent)) }
    }
    found.sort { ($0.life.startedAt, $0.life.pid) < ($1.life.startedAt, $1.life.pid) }
    return found.map { ($0.life.pid, $0.parent) }
  }

  private mutating func judge(_ pid: Int32) {
    guard pid >= 0, pid <= Self.highestPid else { return }
    if Int(pid) >= standings.count {
      standings.append(contentsOf: repeatElement(0, count: max(4096, Int(pid) + 1 - standings.count)))
    }
    let all = current[pid] == nil ? .unknown : verdict(pid)
    standings[Int(pid)] = all.rawValue
  }

  private func verdict(_ pid: Int32) -> Standing {
    func plain(_ life: Life) -> Bool {
      life.session == nil && life.formerSessions.isEmpty && !life.mayBeAnybodys && life.agent == nil
        && !life.isInterpreter && life.deputy == nil && life.carried == nil
        && !life.isKernel
    }
    if let life = current[pid], !plain(life) { return .special }
    if let lives = former[pid], !lives.allSatisfy(plain) { return .special }
    return .bystander
  }

  /// Forgets what no event of a batch beginning at `lower` can belong to.
  mutating func endBatch(nextLower lower: UInt64) {
    let pids = touched
    touched.removeAll(keepingCapacity: true)
    for pid in pids {
      if let lives = former[pid] {
        let kept = lives.filter { ($0.died ?? .max) >= lower }
        former[pid] = kept.isEmpty ? nil : kept
        if !kept.isEmpty { touched.append(pid) }
      }
      if current[pid]?.formerSessions.isEmpty == false {
        current[pid]?.formerSessions.removeAll { $0.until < lower }
        if current[pid]?.formerSessions.isEmpty == false { touched.append(pid) }
      }
      judge(pid)
    }
  }

  /// Forgets processes that ended before `time`. A pid is kept a while after its end: a thread count taken
  /// from /proc can be one short, and an event of a process thought dead still belongs to it.
  mutating func sweep(diedBefore time: UInt64) {
    for (pid, life) in current {
      if let died = life.died, died < time {
        current[pid] = nil
        judge(pid)
      }
    }
  }
}

extension ProcessTable: Archived {
  static var blank: ProcessTable { ProcessTable() }

  mutating func exchange(_ archive: inout Archive) throws(JournalError) {
    try archive.table(&current, 0, .blank) { (archive, pid, life) throws(JournalError) in
      try archive(&pid)
      try archive(&life)
    }
    try archive.table(&former, 0, []) { (archive, pid, lives) throws(JournalError) in
      try archive(&pid)
      try archive.list(&lives)
    }
    try archive.list(&touched, 0) { (archive, pid) throws(JournalError) in try archive(&pid) }
    guard archive.isReading else { return }
    for pid in Set(current.keys).union(former.keys) { judge(pid) }
  }
}
