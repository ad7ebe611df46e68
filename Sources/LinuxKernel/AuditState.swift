/// What was altered of the machine's audit settings, so that it can be undone: at the end, or by the next process after
/// a crash. Held as a value, or as its text.
public struct AuditState: Hashable, Sendable, LosslessStringConvertible {
  /// The settings that are altered.
  public struct Settings: Hashable, Sendable {
    /// Whether records are made.
    public var isEnabled: Bool
    /// How many records may wait to be sent.
    public var backlogLimit: UInt32
    /// How long a process is held up where too many wait; 0 loses a record instead, and counts it.
    public var backlogWaitTime: UInt32

    /// Settings of these values.
    public init(isEnabled: Bool, backlogLimit: UInt32, backlogWaitTime: UInt32) {
      self.isEnabled = isEnabled
      self.backlogLimit = backlogLimit
      self.backlogWaitTime = backlogWaitTime
    }

    /// Those of a state.
    public init(_ status: AuditStatus) {
      self.init(
        isEnabled: status.isEnabled, backlogLimit: status.backlogLimit, backlogWaitTime: status.backlogWaitTime)
    }
  }

  /// As they were found.
  public let found: Settings
  /// As they were made; what is no longer so was altered by somebody else, and stays.
  public let made: Settings

  /// Every rule of ours has a key that begins so.
  public static let keyPrefix = Array("alibi-".utf8)

  init(found: Settings, made: Settings) {
    self.found = found
    self.made = made
  }

  /// Notes the settings as they are, with those that `apply` shall make of them.
  ///
  /// Keep the value where it outlives this process before the call of `apply`.
  ///
  /// - Parameter patient: whether processes may be held up where too many records wait. An audit daemon's settings are
  ///   its own: beside one, only audit itself is switched on.
  public static func capture(
    _ control: AuditControl, backlogLimit: UInt32, patient: Bool = false
  ) throws(Errno) -> AuditState {
    let status = try control.status()
    let found = Settings(status)
    var made = found
    made.isEnabled = true
    if status.pid == 0 || status.pid == Procfs.ownPid {
      made.backlogLimit = max(found.backlogLimit, backlogLimit)
      if !patient { made.backlogWaitTime = 0 }
    }
    return AuditState(found: found, made: made)
  }

  /// The same without the settings, which are somebody else's from now on: only rules are left to take away.
  public var leavingSettings: AuditState { AuditState(found: made, made: made) }

  /// Makes the settings what they shall be. Locked ones stay as they are.
  public func apply(_ control: AuditControl) throws(Errno) {
    try Self.change(control, to: made) { _, _ in true }
  }

  /// Removes exactly our rules, and gives back each setting that is still as we made it.
  public func restore(_ control: AuditControl) throws(Errno) {
    guard try !control.status().isLocked else { return }
    try Self.removeRules(control)
    let made = made
    try Self.change(control, to: found) { now, setting in
      switch setting {
      case .enabled: now.isEnabled == made.isEnabled
      case .backlogLimit: now.backlogLimit == made.backlogLimit
      case .backlogWaitTime: now.backlogWaitTime == made.backlogWaitTime
      }
    }
  }

  /// Removes the rules whose key is ours, and no others.
  public static func removeRules(_ control: AuditControl) throws(Errno) {
    for rule in try control.rules() where rule.isOurs {
      // Somebody else may have removed it meanwhile.
      do throws(Errno) { try control.delete(rule) } catch { if error != .noSuchFile { throw error } }
    }
  }

  private enum Setting { case enabled, backlogLimit, backlogWaitTime }

  private static func change(
    _ control: AuditControl, to target: Settings, where isWanted: (Settings, Setting) -> Bool
  ) throws(Errno) {
    let status = try control.status()
    guard !status.isLocked else { return }
    let now = Settings(status)
    // Off before the limits shrink and on after they grew: in between, processes would wait for a backlog without room.
    if now.isEnabled, !target.isEnabled, isWanted(now, .enabled) { try control.set(isEnabled: false) }
    if now.backlogLimit != target.backlogLimit, isWanted(now, .backlogLimit) {
      try control.set(backlogLimit: target.backlogLimit)
    }
    if now.backlogWaitTime != target.backlogWaitTime, isWanted(now, .backlogWaitTime) {
      try control.set(backlogWaitTime: target.backlogWaitTime)
    }
    if !now.isEnabled, target.isEnabled, isWanted(now, .enabled) { try control.set(isEnabled: true) }
  }

  /// `found=0,64,15000 made=1,8192,0`
  public var description: String { "found=\(found) made=\(made)" }

  /// What the text says; nil where it is none.
  public init?(_ description: String) {
    let words = description.split(separator: " ")
    guard words.count == 2, words[0].hasPrefix("found="), words[1].hasPrefix("made="),
      let found = Settings(String(words[0].dropFirst(6))), let made = Settings(String(words[1].dropFirst(5)))
    else { return nil }
    self.init(found: found, made: made)
  }
}

extension AuditState.Settings: LosslessStringConvertible {
  /// `1,8192,0`
  public var description: String { "\(isEnabled ? 1 : 0),\(backlogLimit),\(backlogWaitTime)" }

  /// What the text says; nil where it is none.
  public init?(_ description: String) {
    let numbers = description.split(separator: ",", omittingEmptySubsequences: false).map { UInt32($0) }
    guard numbers.count == 3, let enabled = numbers[0], enabled < 2, let limit = numbers[1], let wait = numbers[2]
    else { return nil }
    self.init(isEnabled: enabled == 1, backlogLimit: limit, backlogWaitTime: wait)
  }
}
