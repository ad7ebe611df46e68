/// A span of the wall clock, in nanoseconds since 1970.
struct Span: Hashable {
  var from: Int64
  var to: Int64

  func overlaps(_ other: Span) -> Bool { from <= other.to && other.from <= to }
  func contains(_ other: Span) -> Bool { from <= other.from && other.to <= to }
}

/// What an actor told of a deed.
struct Report {
  var deed: Int
  var pid: Int32
  var result: Int32
  var span: Span
}

/// Something that happened to a file, or to a name.
struct Touch {
  var deed: Deed
  /// The file, where there was one.
  var node: Int?
  /// The name it was done under, or to.
  var path: Path
  var effect: Effect
  var span: Span
}

/// The truth about one scene: which name meant which file when, and who did what to them.
///
/// It is derived from the plan and from what the actors said, never from Alibi. Where two deeds that move names
/// overlapped, nobody knows the order: such a scene is *unordered*, and says only what is true in any order.
struct World {
  private struct Binding {
    var node: Int
    /// From the first moment it could have been, and from when it surely was.
    var from: Int64
    var surelyFrom: Int64
    var to = Int64.max
    var surelyTo = Int64.max
  }

  private(set) var touches: [Touch] = []
  private(set) var isOrdered = true
  private var bindings: [Path: [Binding]] = [:]
  private var now: [Path: Int] = [:]
  private var nodes = 0
  /// Whether a file of the scene may have been empty at some time.
  private let mayBeEmpty: Bool
  /// Directories that were renamed: what lay in them went by both names.
  private var renamed: [(from: Path, to: Path)] = []

  /// Every name that any file of the scene ever bore.
  var paths: [Path] { bindings.keys.sorted { $0.lexicographicallyPrecedes($1) } }

  init(_ scene: Scene, _ deeds: [Deed], _ reports: [Int: Report]) {
    mayBeEmpty = deeds.contains { ["creat", "truncate"].contains($0.way) }
    for file in scene.files { bind(file.path, newNode(), Span(from: 0, to: 0)) }
    let told = deeds.compactMap { deed in reports[deed.id].map { (deed, $0) } }
    isOrdered = !deeds.contains { $0.isNaming && reports[$0.id] == nil }
    for (index, (deed, report)) in told.enumerated() where deed.isNaming {
      for (other, (_, another)) in told.enumerated() where other != index && another.span.overlaps(report.span) {
        isOrdered = false
      }
    }
    for (deed, report) in told.sorted(by: { $0.1.span.from < $1.1.span.from }) { apply(deed, report) }
    // A deed nobody reported was perhaps done.
    for deed in deeds where reports[deed.id] == nil {
      for path in deed.paths {
        touches.append(
          Touch(deed: deed, node: now[path], path: path, effect: .perhaps, span: Span(from: 0, to: .max)))
      }
    }
  }

  // MARK: - What happened

  private mutating func newNode() -> Int {
    nodes += 1
    return nodes
  }

  private mutating func bind(_ path: Path, _ node: Int, _ span: Span) {
    now[path] = node
    bindings[path, default: []].append(Binding(node: node, from: span.from, surelyFrom: span.to))
  }

  private mutating func unbind(_ path: Path, _ span: Span) {
    guard now.removeValue(forKey: path) != nil, let last = bindings[path]?.indices.last else { return }
    bindings[path]?[last].surelyTo = span.from
    bindings[path]?[last].to = span.to
  }

  private mutating func touch(_ deed: Deed, _ node: Int?, _ path: Path, _ effect: Effect, _ span: Span) {
    touches.append(Touch(deed: deed, node: node, path: path, effect: effect, span: span))
  }

  private mutating func apply(_ deed: Deed, _ report: Report) {
    let way = deed.kind
    guard report.result == 0 else {
      if way.effects.allSatisfy({ $0.could.isEmpty }) && report.result != 106 || way.isClean(failure: report.result) {
        return
      }
      // ENOENT, EEXIST: no name has changed.
      if [.create, .replace].contains(way.naming), ![2, 17].contains(report.result) { isOrdered = false }
      for path in deed.paths { touch(deed, now[path], path, .perhaps, report.span) }
      return
    }
    let first = deed.paths[0], second = deed.paths.count > 1 ? deed.paths[1] : []
    switch way.naming {
    case .none:
      if way.name == "copy-range" || way.name == "creat", let target = deed.paths.last, now[target] == nil {
        bind(target, newNode(), report.span)
      }
      // The kernel opens no empty file beneath an overlay, and tells of no read that brought nothing.
      let isNothing = mayBeEmpty && ["fd-read", "fd-receive", "overlay-write"].contains(way.name)
      for (path, effect) in zip(deed.paths, way.effects) {
        touch(deed, now[path], path, isNothing ? .perhaps : effect, report.span)
      }
    case .link:
      let node = now[first]
      touch(deed, node, first, .writes, report.span)
      touch(deed, node, second, .writes, report.span)
      if let node { bind(second, node, report.span) }
    case .unlink:
      touch(deed, now[first], first, .writes, report.span)
      unbind(first, report.span)
    case .create:
      let node = newNode()
      touch(deed, node, first, .writes, report.span)
      bind(first, node, report.span)
    case .replace:
      let node = newNode(), old = now[first]
      touch(deed, node, first, .writes, report.span)
      touch(deed, node, second, .writes, report.span)
      if let old { touch(deed, old, first, .perhaps, report.span) }
      unbind(first, report.span)
      bind(second, node, report.span)
      unbind(second, report.span)
      bind(first, node, report.span)
    case .rename: move(deed, first, second, report.span)
    case .exchange:
      let one = now[first], other = now[second]
      // Two names of one file: nothing is done.
      if one != nil, one == other {
        touch(deed, one, first, .perhaps, report.span)
        touch(deed, one, second, .perhaps, report.span)
        return
      }
      touch(deed, one, first, .writes, report.span)
      touch(deed, other, second, .writes, report.span)
      unbind(first, report.span)
      unbind(second, report.span)
      if let other { bind(first, other, report.span) }
      if let one { bind(second, one, report.span) }
    }
  }

  private mutating func move(_ deed: Deed, _ first: Path, _ second: Path, _ span: Span) {
    if let node = now[first] {
      // Renaming a file over another name of the same file does nothing.
      if now[second] == node {
        touch(deed, node, first, .perhaps, span)
        touch(deed, node, second, .perhaps, span)
        return
      }
      touch(deed, node, first, .writes, span)
      touch(deed, node, second, .writes, span)
      if let old = now[second] { touch(deed, old, second, .perhaps, span) }
      unbind(second, span)
      unbind(first, span)
      bind(second, node, span)
      return
    }
    // A directory: everything in it has another name. Whether that is an access of each is a matter of taste.
    for (path, node) in now where path.isAtOrBeneath(first) {
      let moved = second + path[first.count...]
      touch(deed, node, path, .perhaps, span)
      touch(deed, node, moved, .perhaps, span)
      unbind(path, span)
      bind(moved, node, span)
    }
    touch(deed, nil, first, .perhaps, span)
    touch(deed, nil, second, .perhaps, span)
    renamed.append((first, second))
  }

  // MARK: - What is true

  /// The deeds that surely were of a kind asked for within a time, of what bore a name that matches; and those that
  /// perhaps were.
  func deeds(
    _ kind: Kinds, within asked: Span, where matches: (Path) -> Bool
  ) -> (surely: [Touch], perhaps: [Touch]) {
    var sure: Set<Int> = [], possible: Set<Int> = []
    for (path, list) in bindings where couldMatch(path, matches) {
      for each in list {
        // Whoever asks about a name may mean the file that bears it now, too.
        if Span(from: each.from, to: each.to).overlaps(asked) || each.to == .max { possible.insert(each.node) }
        if matches(path), each.surelyFrom <= each.surelyTo,
          Span(from: each.surelyFrom, to: each.surelyTo).overlaps(asked)
        {
          sure.insert(each.node)
        }
      }
    }
    var surely: [Touch] = [], perhaps: [Touch] = []
    for touch in touches where touch.span.overlaps(asked) {
      let named = matches(touch.path)
      if isOrdered, !touch.effect.did.isDisjoint(with: kind), asked.contains(touch.span),
        named || touch.node.map(sure.contains) == true
      {
        surely.append(touch)
      }
      if !touch.effect.could.isDisjoint(with: kind),
        couldMatch(touch.path, matches) || touch.node.map(possible.contains) == true
      {
        perhaps.append(touch)
      }
    }
    return (surely, perhaps)
  }
  /// Whether the path matches, or would under another name of a directory above it: the same place, if not the same
  /// file.
  private func couldMatch(_ path: Path, _ matches: (Path) -> Bool) -> Bool {
    if matches(path) { return true }
    return renamed.contains { from, to in
      [(from, to), (to, from)].contains { old, new in
        path.isAtOrBeneath(old) && matches(new + path[old.count...])
      }
    }
  }
}
