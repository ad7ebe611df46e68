/// Through what below /proc, proc(5), content that a process holds in memory is reached.
public enum MemoryPlace: Hashable, Sendable {
  /// `PID/mem`, also below `PID/task/TID`.
  case process(Int32)
  /// `PID/environ`, likewise.
  case environment(Int32)
  /// `kcore`: the machine's memory.
  case machine

  /// What a file of a procfs leads to; nil for any other of its files. Its end tells: a procfs is mounted anywhere.
  public init?(path: [UInt8]) {
    var path = path[...]
    let gone = Array(" (deleted)".utf8)
    if path.suffix(gone.count) == gone[...] { path = path.dropLast(gone.count) }
    let words = path.split(separator: 0x2f).suffix(4).map { String(decoding: $0, as: UTF8.self) }
    if words.last == "kcore" {
      self = .machine
      return
    }
    guard let last = words.last, last == "mem" || last == "environ", words.count > 1 else { return nil }
    var owner = Int32(words[words.count - 2])
    if words.count == 4, words[1] == "task", let leader = Int32(words[0]) { owner = leader }
    guard let owner, owner > 0 else { return nil }
    self = last == "mem" ? .process(owner) : .environment(owner)
  }
}
