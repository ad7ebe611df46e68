internal import Foundation
internal import Testing

/// The page of losses and the Gauntlet's cases are in step.
struct GauntletTableTests {
  /// The rows of the hazards that the project holds itself to.
  static let rows =
    "A1 A2 A3 A4 A5 A5b A6 A6b A7 A8 A8b A9 A9b A10 A11 A12 A12b A13 A14 A15 A16 A17 A18 A19 A20 "
    + "B1 B2 B2b B2c B3 B4 B5 B6 B7 B8 B9 B9b B9c B10 C1 C2 C3 C3b C3c C3d C4 C5 C6 C7 C8 C9 C10 C11 C12 C13 C14"

  private struct Case {
    var name: String
    var isKnownToFail: Bool
    var row: String { String(name.prefix { $0 != "." }) }
  }

  /// The first cell of each row of the page's tables, with the whole row.
  private let losses: [String: String]
  /// What the page's list says: a row of the hazards, and the losses that it belongs to.
  private let list: [(row: String, loss: String)]

  init() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let page = try String(
      contentsOf: root.appending(path: "Sources/alibi/Documentation.docc/Losses.md"), encoding: .utf8)
    var losses: [String: String] = [:]
    var list: [(String, String)] = []
    for line in page.split(separator: "\n") {
      if line.hasPrefix("| "), !line.hasPrefix("| Case |") {
        let cell = line.dropFirst(2).prefix { $0 != "|" }.trimmingCharacters(in: .whitespaces)
        losses[cell] = String(line)
      } else if let entry = line.wholeMatch(of: #/- ([A-C][0-9]+[a-z]?|none): (.+)/#) {
        list.append((String(entry.1), String(entry.2)))
      }
    }
    self.losses = losses
    self.list = list
  }

  private func cases() throws -> [Case] {
    let beside = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
    let directory = ProcessInfo.processInfo.environment["ALIBI_BIN_DIR"].map { URL(filePath: $0) } ?? beside
    let process = Process()
    process.executableURL = directory.appending(path: "alibi-gauntlet")
    process.arguments = ["--list"]
    let output = Pipe()
    process.standardOutput = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { line in
      let words = line.split(separator: "\t")
      return Case(name: String(words[0]), isKnownToFail: words[2] == "known")
    }
  }

  @Test("every row of the hazards is a case, and every case belongs to a row")
  func complete() throws {
    let rows = Set(Self.rows.split(separator: " ").map(String.init))
    let cases = try cases()
    #expect(Set(cases.map(\.row)) == rows)
    #expect(Set(cases.map(\.name)).count == cases.count, "two cases have one name")
  }

  @Test("the page of losses names every case's row, and only losses that it tells of")
  func named() throws {
    #expect(losses.count > 60)
    #expect(Set(list.map(\.row)).subtracting(["none"]) == Set(try cases().map(\.row)))
    for (row, loss) in list where loss != "nothing is lost" {
      #expect(losses[loss] != nil, "\(row): no row of the tables begins with: \(loss)")
    }
  }

  @Test("a case that is known to fail belongs to a loss")
  func known() throws {
    for each in try cases() where each.isKnownToFail {
      #expect(
        list.contains { $0.row == each.row && $0.loss != "nothing is lost" }, "\(each.name) fails, and no loss says so")
    }
  }

  @Test("what is not detected belongs to a case, or is said to have none")
  func undetected() {
    let told = Set(list.map(\.loss))
    for (loss, row) in losses where row.contains("NOT DETECTED") {
      #expect(told.contains(loss), "no case for: \(loss)")
    }
  }
}
