public import Records

extension Verdict {
  /// Something that keeps the answer from being no.
  public struct Hazard: Sendable, Hashable {
    /// A word for the kind.
    public var kind: String
    /// What exactly.
    public var detail: String
    /// When, where there is a time.
    public var time: Interval?
    /// Whether whoever asked accepts hazards of this kind: then it is told, and in nobody's way.
    public var isAccepted = false
  }

  /// Hazards that whoever asks may accept by name. The others say that the question itself has no sure answer.
  public enum AcceptableHazard: String, Sendable, CaseIterable {
    /// A session's process had, or may have had, root's rights, by which the sensor can be blinded.
    case privilege
    /// A session accessed a block device, or memory, the machine's or another process's, and so perhaps any file.
    case rawDevice = "raw-device"
    /// A session held a descriptor that it had not opened, and may have used it without an event.
    case inherited
    /// A process outside ran, or read, what a session had written.
    case influenced
    /// A process outside, which a session can ask to act for it, accessed something.
    case contacted

    /// The bit of an access that is such a hazard, and no session's access.
    public var operation: Operations? {
      switch self {
      case .privilege, .rawDevice: nil
      case .inherited: .inherited
      case .influenced: .influenced
      case .contacted: .contacted
      }
    }
  }

  /// Marks the hazards that are accepted, and says whether any other is left.
  mutating func accept(_ kinds: Set<AcceptableHazard>) -> Bool {
    for index in hazards.indices {
      hazards[index].isAccepted = AcceptableHazard(rawValue: hazards[index].kind).map(kinds.contains) ?? false
    }
    return hazards.allSatisfy(\.isAccepted)
  }
}
