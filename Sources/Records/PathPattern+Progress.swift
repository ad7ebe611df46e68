extension PathPattern {
  /// How far a pattern has got after the components of some directory: what may still match beneath it.
  ///
  /// The set of places in the pattern at which the rest of a path may go on, as of a nondeterministic automaton whose
  /// input are components.
  public struct Progress: Hashable, Sendable {
    private let pattern: PathPattern
    private var places: Set<Int>

    /// Nothing consumed: at `/`.
    public init(_ pattern: PathPattern) {
      self.pattern = pattern
      places = []
      enter(0)
    }

    /// Whether nothing beneath can match any more.
    public var isDead: Bool { places.isEmpty }

    /// Whether everything that goes on from `other`, of the same pattern, can go on from here too.
    public func includes(_ other: Progress) -> Bool {
      pattern == other.pattern && places.isSuperset(of: other.places)
    }

    /// The progress after these components too.
    public func advanced(by rest: some Collection<UInt8>) -> Progress {
      var progress = self
      for part in rest.split(separator: RawPath.slash) where !progress.isDead {
        progress.step(Array(part)[...])
      }
      return progress
    }

    /// The directory beneath which everything lies that the whole pattern can match.
    public var fixedDirectory: RawPath {
      var directory = RawPath("/")
      for component in pattern.components.dropLast() {
        guard case .tokens(let tokens) = component else { break }
        let bytes = tokens.compactMap { if case .byte(let byte) = $0 { byte } else { nil } }
        guard bytes.count == tokens.count else { break }
        directory = directory.appending(bytes)
      }
      return directory
    }

    /// Whether a path that ends here matches.
    public var isComplete: Bool { places.contains(pattern.components.count) }

    private mutating func step(_ part: ArraySlice<UInt8>) {
      let before = places
      places.removeAll(keepingCapacity: true)
      var found: [String: [UInt8]] = [:]
      for place in before where place < pattern.components.count {
        switch pattern.components[place] {
        case .anything: enter(place)
        case .tokens(let tokens):
          if PathPattern.match(tokens, part, &found) { enter(place + 1) }
        }
      }
    }

    /// `**` stands for no component too.
    private mutating func enter(_ place: Int) {
      places.insert(place)
      if place < pattern.components.count, pattern.components[place] == .anything { enter(place + 1) }
    }
  }
}
