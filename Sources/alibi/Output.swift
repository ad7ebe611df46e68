internal import Foundation
internal import Glibc
internal import LinuxKernel

/// What goes wrong for the person at the terminal: one line, a hint, an exit status (sysexits.h).
struct Failure: Error {
  var message: String
  var hint: String
  var status: Int32

  static func usage(_ message: String, hint: String) -> Failure {
    Failure(message: message, hint: hint, status: 64)
  }
}

/// Writes answers so that a cut-off one is noticed: exit status 0 only once everything was taken.
enum Output {
  static func write(_ text: String) throws(Failure) {
    try write(Array((text.hasSuffix("\n") ? text : text + "\n").utf8), to: STDOUT_FILENO)
  }

  static func json(_ value: some Encodable) throws(Failure) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.keyEncodingStrategy = .convertToSnakeCase
    guard let data = try? encoder.encode(value) else {
      throw Failure(message: "the answer cannot be written as JSON", hint: "please report this", status: 70)
    }
    try write(Array(data) + [0x0a], to: STDOUT_FILENO)
  }

  static func complain(_ text: String) {
    try? write(Array((text + "\n").utf8), to: STDERR_FILENO)
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32) throws(Failure) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let chunk = Array(rest)
      let count = unsafe Glibc.write(descriptor, chunk, chunk.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw Failure(
          message: "the answer could not be written: \(unsafe String(cString: strerror(errno)))",
          hint: "what was printed is incomplete", status: 74)
      }
      rest = rest.dropFirst(count)
    }
  }

  /// The terminal's width; nil where output goes elsewhere and is not cut.
  static var width: Int? {
    guard isatty(STDOUT_FILENO) == 1 else { return nil }
    var size = winsize()
    guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}

/// A table for people: columns as wide as they need, the widest cut until it fits the terminal.
struct Table {
  var headings: [String]
  var rows: [[String]] = []

  init(_ headings: [String]) {
    self.headings = headings
  }

  mutating func add(_ cells: [String]) {
    rows.append(cells)
  }

  func text(width: Int? = Output.width) -> String {
    var widths = headings.map(\.count)
    for row in rows { for (index, cell) in row.enumerated() { widths[index] = max(widths[index], cell.count) } }
    if let width {
      var excess = widths.reduce(0, +) + 2 * (widths.count - 1) - width
      while excess > 0, let widest = widths.indices.max(by: { widths[$0] < widths[$1] }), widths[widest] > 12 {
        let cut = min(excess, max(1, widths[widest] / 8))
        widths[widest] -= cut
        excess -= cut
      }
    }
    return ([headings] + rows).map { row in
      zip(row, widths).enumerated().map { index, cell in
        let shown = Self.fit(cell.0, cell.1)
        return index == row.count - 1
          ? shown : shown + String(repeating: " ", count: max(0, cell.1 - shown.count))
      }.joined(separator: "  ")
    }.joined(separator: "\n")
  }

  /// Cuts the middle: both ends of a path tell more than its beginning.
  static func fit(_ text: String, _ width: Int) -> String {
    guard text.count > width, width > 1 else { return text }
    let tail = (width - 1) * 2 / 3
    return text.prefix(width - 1 - tail) + "…" + text.suffix(tail)
  }
}

/// What an errno is called, as `EACCES`.
func errorName(_ number: Int32) -> String { AuditNames.error(number) ?? "errno \(number)" }
