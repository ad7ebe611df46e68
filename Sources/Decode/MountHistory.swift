/// Which names records use for what lies beneath a path, by the tables of mounts that held at some time.
///
/// Records tell a file by its path beneath a mount of its file system in the host's own namespace. Whoever reached it
/// did so by the mounts of their own namespace, then. Symbolic links are not known to a table.
public struct MountHistory: Sendable {
  /// A table, and when it may have held.
  public struct Span: Sendable {
    /// Whether it is the host's own.
    public var isHost: Bool
    /// From when on, in any unit.
    public var from: Int64
    /// Until when.
    public var to: Int64
    /// The table; nil where the mounts of that time are not known.
    public var table: [MountEntry]?

    /// A span of these parts.
    public init(isHost: Bool, from: Int64, to: Int64, table: [MountEntry]?) {
      self.isHost = isHost
      self.from = from
      self.to = to
      self.table = table
    }
  }

  /// What lay at and beneath one path was at and beneath another.
  public struct Alias: Hashable, Sendable {
    /// As it was reached.
    public var from: [UInt8]
    /// As records may tell it.
    public var to: [UInt8]
    /// From when on they may: since it was mounted there.
    public var since: Int64
    /// Until when.
    public var until: Int64
  }

  /// What is known of a path.
  public struct Answer: Sendable {
    /// Other names of it, or of what lies beneath.
    public var aliases: Set<Alias> = []
    /// Mounts of the host's that it lay on, and when.
    public var onHost: [(mount: MountEntry, span: Span)] = []
    /// Mounts in namespaces of sessions by which it lay on a file system that the host had mounted nowhere.
    public var elsewhere: [MountEntry] = []
    /// Overlays whose layers cannot be told.
    public var unclear: [MountEntry] = []
  }

  /// A directory of a file system and where the host had it.
  private struct Place: Hashable {
    var directory: [UInt8]
    var mountPoint: [UInt8]
  }

  /// A device number, which is not enough: it may be given anew.
  private struct System: Hashable {
    var device: UInt64
    var type: [UInt8]

    init(_ mount: MountEntry) {
      device = mount.device
      type = mount.type
    }
  }

  /// For how long a device number meant one file system, and where the host had it then.
  private struct Life {
    var from: Int64
    var to: Int64
    /// When it was at each place, oldest first.
    var places: [Place: [(from: Int64, to: Int64)]] = [:]
  }

  private let spans: [Span]
  private var lives: [System: [Life]] = [:]

  /// A history of these tables.
  public init(_ spans: [Span]) {
    self.spans = spans
    for span in spans.sorted(by: { $0.from < $1.from }) {
      let mounts = Dictionary(grouping: span.table ?? [], by: System.init)
      for (system, mounts) in mounts {
        // A number without a device (major 0) is given anew once nothing is mounted there any more.
        let isLasting = system.device >> 32 != 0
        var all = lives[system] ?? []
        if var last = all.last, isLasting || span.from <= last.to {
          last.to = max(last.to, span.to)
          all[all.count - 1] = last
        } else {
          all.append(Life(from: isLasting ? .min : span.from, to: span.to))
        }
        if span.isHost {
          for mount in mounts {
            let place = Place(directory: mount.directory, mountPoint: mount.mountPoint)
            var times = all[all.count - 1].places[place] ?? []
            if let last = times.last, span.from <= last.to {
              times[times.count - 1].to = max(last.to, span.to)
            } else {
              times.append((span.from, span.to))
            }
            all[all.count - 1].places[place] = times
          }
        }
        lives[system] = all
      }
    }
  }

  /// Spans in which nobody knows the mounts of some namespace, with an overlap of this time.
  public func unknown(from: Int64, to: Int64) -> [Span] {
    spans.filter { $0.table == nil && $0.from <= to && from <= $0.to }
  }

  /// What `path` was at some moment of a time, and what lay beneath.
  ///
  /// - Parameter beneath: whether what is mounted beneath counts, too.
  public func names(of path: [UInt8], beneath: Bool, from: Int64, to: Int64) -> Answer {
    var answer = Answer()
    for span in spans where span.from <= to && from <= span.to {
      guard let table = span.table else { continue }
      if let mount = MountEntry.covering(path, table) { add(mount, table, span, isAbove: true, to: &answer) }
      guard beneath else { continue }
      for mount in table where mount.mountPoint != path && MountPath.rest(of: mount.mountPoint, beneath: path) != nil {
        add(mount, table, span, isAbove: false, to: &answer)
      }
    }
    answer.aliases = answer.aliases.filter { $0.from != $0.to }
    return answer
  }

  private func add(
    _ mount: MountEntry, _ table: [MountEntry], _ span: Span, isAbove: Bool, to answer: inout Answer
  ) {
    if mount.isKernelInterface { return }
    if span.isHost, isAbove || MountEntry.covering(mount.mountPoint, table)?.id == mount.id {
      answer.onHost.append((mount, span))
    }
    let found = hostNames(System(mount), mount.directory, seenAs: mount.mountPoint, span)
    answer.aliases.formUnion(found)
    if mount.type == Array("overlay".utf8) {
      addLayers(of: mount, at: mount.mountPoint, mount.directory, table, span, depth: 0, to: &answer)
    } else if found.isEmpty, isAbove, !span.isHost {
      answer.elsewhere.append(mount)
    }
  }

  /// What is opened through an overlay is seen on the layer that holds it.
  private func addLayers(
    of mount: MountEntry, at place: [UInt8], _ directory: [UInt8], _ table: [MountEntry], _ span: Span, depth: Int,
    to answer: inout Answer
  ) {
    for layer in mount.layers {
      guard layer.first == 0x2f, depth < 4 else {
        answer.unclear.append(mount)
        continue
      }
      let path = directory == [0x2f] ? layer : MountPath.join(layer, directory[...])
      // The layer was named in the namespace of whoever mounted the overlay: this one, or the host's.
      answer.aliases.insert(Alias(from: place, to: path, since: .min, until: .max))
      var tables = [(table, span)]
      if !span.isHost {
        for other in spans where other.isHost && other.from <= span.to && span.from <= other.to {
          if let table = other.table { tables.append((table, other)) }
        }
      }
      for (table, span) in tables {
        guard let lower = MountEntry.covering(path, table),
          let rest = MountPath.rest(of: path, beneath: lower.mountPoint)
        else { continue }
        let inside = MountPath.join(lower.directory, rest)
        answer.aliases.formUnion(hostNames(System(lower), inside, seenAs: place, span))
        if lower.type == Array("overlay".utf8), lower.id != mount.id {
          addLayers(of: lower, at: place, inside, table, span, depth: depth + 1, to: &answer)
        }
      }
    }
  }

  /// Every name that the host had for a directory of a file system, while that file system was the same.
  private func hostNames(_ system: System, _ directory: [UInt8], seenAs place: [UInt8], _ span: Span) -> Set<Alias> {
    var found: Set<Alias> = []
    for life in lives[system] ?? [] where life.from <= span.from && span.from <= life.to {
      for (known, times) in life.places {
        let (from, to): ([UInt8], [UInt8])
        if let rest = MountPath.rest(of: directory, beneath: known.directory) {
          (from, to) = (place, MountPath.join(known.mountPoint, rest))
        } else if let rest = MountPath.rest(of: known.directory, beneath: directory) {
          (from, to) = (MountPath.join(place, rest), known.mountPoint)
        } else {
          continue
        }
        for time in times { found.insert(Alias(from: from, to: to, since: time.from, until: time.to)) }
      }
    }
    return found
  }
}

/// Paths as bytes, one beneath another.
enum MountPath {
  /// What of a path follows a directory, with its slash; empty for the directory itself, nil outside it.
  static func rest(of path: [UInt8], beneath directory: [UInt8]) -> ArraySlice<UInt8>? {
    if directory == [0x2f] { return path == [0x2f] ? [] : path[...] }
    guard path.starts(with: directory) else { return nil }
    let rest = path[directory.count...]
    return rest.isEmpty || rest.first == 0x2f ? rest : nil
  }

  static func join(_ directory: [UInt8], _ rest: ArraySlice<UInt8>) -> [UInt8] {
    if rest.isEmpty { return directory }
    return directory == [0x2f] ? Array(rest) : directory + rest
  }
}
