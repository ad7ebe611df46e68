import Foundation
import Glibc

/// Has actors play programs, and hears what they say.
struct Stage {
  /// The program that plays.
  let worker: String
  /// Where its complaints go.
  let log: String

  private static let reportNumber: Int32 = 60

  /// `during` is called again and again while the actors are at work, with the milliseconds since the base.
  func play(
    _ programs: [String], within milliseconds: Int, during: (Int) throws -> Void = { _ in }
  ) throws -> (reports: [Report], span: Span) {
    let start = Wall.now, base = Wall.monotonic + 80_000_000
    let errors = unsafe open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    defer { close(errors) }
    var children: [Child] = [], pipes: [Int32] = []
    defer { for each in pipes { close(each) } }
    for program in programs {
      var ends: [Int32] = [0, 0]
      guard unsafe pipe(&ends) == 0 else { throw Trouble("pipe: errno \(errno)") }
      for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
      pipes.append(ends[0])
      children.append(
        try Child(
          worker, ["--report", "\(Self.reportNumber)", "--base", "\(base)", "--", program],
          descriptors: [Self.reportNumber: ends[1]], errors: errors))
      close(ends[1])
    }
    var said = [[UInt8]](repeating: [], count: pipes.count)
    var waiting = Set(pipes.indices)
    let deadline = base + Int64(milliseconds + 20_000) * 1_000_000
    while !waiting.isEmpty, Wall.monotonic < deadline {
      var polls = waiting.sorted().map { pollfd(fd: pipes[$0], events: Int16(POLLIN), revents: 0) }
      _ = unsafe poll(&polls, nfds_t(polls.count), 20)
      for (index, ready) in zip(waiting.sorted(), polls) where ready.revents != 0 {
        var buffer = [UInt8](repeating: 0, count: 32 * 1024)
        let count = unsafe read(pipes[index], &buffer, buffer.count)
        if count > 0 { said[index] += buffer.prefix(count) } else { waiting.remove(index) }
      }
      try during(Int((Wall.monotonic - base) / 1_000_000))
    }
    if !waiting.isEmpty { killPlayers() }
    for child in children { child.wait() }
    // What an actor cloned for its parent is this process's own child now.
    while waitpid(-1, nil, Int32(WNOHANG)) > 0 {}
    guard waiting.isEmpty else {
      throw Trouble("actors \(waiting.sorted()) did not end; they said: \(complaints)")
    }
    // The span is to end surely after the last deed, as Alibi tells time.
    Wall.sleep(milliseconds: 60)
    return (said.flatMap { bytes in Self.reports(bytes) }, Span(from: start, to: Wall.now))
  }

  /// Ends whoever plays on this stage, wherever it hangs: the stage's place stands on their command lines.
  private func killPlayers() {
    let place = Path("/" + worker.split(separator: "/").prefix(3).joined(separator: "/") + "/")
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
      guard let pid = Int32(name), let line = try? Disk.readAll("/proc/\(pid)/cmdline") else { continue }
      if line.indices.contains(where: { line[$0...].starts(with: place) }) { kill(pid, SIGKILL) }
    }
  }

  var complaints: String { (try? Disk.read(log)).map { String(decoding: $0, as: UTF8.self) } ?? "" }

  private static func reports(_ bytes: [UInt8]) -> [Report] {
    stride(from: 0, to: bytes.count - 31, by: 32).compactMap { at in
      func number(_ offset: Int, _ count: Int) -> UInt64 {
        bytes[(at + offset)..<(at + offset + count)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
      }
      guard number(0, 4) == 0x6c74_7561 else { return nil }
      return Report(
        deed: Int(number(4, 4)), pid: Int32(truncatingIfNeeded: number(8, 4)),
        result: Int32(truncatingIfNeeded: number(12, 4)),
        span: Span(from: Int64(bitPattern: number(16, 8)), to: Int64(bitPattern: number(24, 8))))
    }
  }
}
