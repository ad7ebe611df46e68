internal import Records

/// A place where content of the target was: under the name that was asked about, or where a directory's move took it
/// to or brought it from.
struct Sight: Hashable {
  /// What of the place is meant.
  enum Form: Hashable {
    /// This path.
    case file(RawPath)
    /// This directory and all beneath.
    case tree(RawPath)
    /// What beneath this directory matches the rest of a pattern.
    case pattern(PathPattern.Progress, beneath: RawPath)
  }

  /// How the place was come to.
  enum Way: Hashable {
    /// It was asked about.
    case asked
    /// Content moved there later.
    case onward
    /// Content came from there.
    case back
  }

  var form: Form
  var way: Way
  /// A file is of the target when it was at the place at some time of these: the time asked about, or when the
  /// directory was moved.
  var window: Interval
  /// When records told the place so; nil for always.
  var told: Interval?

  func matches(_ path: RawPath) -> Bool { form.matches(path) }

  /// Whether what was told then by this path was at the place.
  func matches(_ path: RawPath, at time: Interval) -> Bool { told?.overlaps(time) != false && form.matches(path) }
}

extension Sight.Form {
  func matches(_ path: RawPath) -> Bool {
    switch self {
    case .file(let file): return path == file
    case .tree(let directory): return path.isAtOrBeneath(directory)
    case .pattern(let progress, let directory):
      guard let rest = path.rest(beneath: directory) else { return false }
      return progress.advanced(by: rest).isComplete
    }
  }

  /// Where the content is when what was at `old` and beneath is at `new`; nil where it is not concerned.
  func moved(from old: RawPath, to new: RawPath) -> Sight.Form? {
    switch self {
    case .file(let file):
      return file.rest(beneath: old).map { .file(new.appending(rest: $0)) }
    case .tree(let directory):
      if let rest = directory.rest(beneath: old) { return .tree(new.appending(rest: rest)) }
      return old.isAtOrBeneath(directory) ? .tree(new) : nil
    case .pattern(let progress, let directory):
      if let rest = directory.rest(beneath: old) {
        return .pattern(progress, beneath: new.appending(rest: rest))
      }
      guard let rest = old.rest(beneath: directory) else { return nil }
      let further = progress.advanced(by: rest)
      return further.isDead ? nil : .pattern(further, beneath: new)
    }
  }

  /// Whether everything of `other` is of this too.
  func includes(_ other: Sight.Form) -> Bool {
    switch (self, other) {
    case (.tree(let directory), .file(let path)), (.tree(let directory), .tree(let path)):
      return path.isAtOrBeneath(directory)
    case (.pattern(let progress, let directory), .pattern(let further, let place)):
      guard let rest = place.rest(beneath: directory) else { return false }
      return progress.advanced(by: rest).includes(further)
    default: return self == other
    }
  }
}

extension RawPath {
  /// What of this path follows `directory`, with its slash; empty for the directory itself, nil outside it.
  func rest(beneath directory: RawPath) -> ArraySlice<UInt8>? {
    guard isAtOrBeneath(directory) else { return nil }
    return directory.bytes == [0x2f] ? (bytes == [0x2f] ? [] : bytes[...]) : bytes[directory.bytes.count...]
  }

  /// The path with what followed another directory behind it.
  func appending(rest: ArraySlice<UInt8>) -> RawPath {
    if rest.isEmpty { return self }
    return bytes == [0x2f] ? RawPath(rest) : RawPath(bytes + rest)
  }
}
