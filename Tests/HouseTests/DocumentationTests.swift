internal import Foundation
internal import Testing

/// The manual and the documentation catalog say what the programs are.
struct DocumentationTests {
  private static let known = [
    "status", "sessions", "timeline", "accesses", "trace", "prove", "verify", "key", "coverage", "retention",
    "erase", "export-evidence", "doctor",
  ]

  private let house = House()

  @Test("the commands the manual knows are those alibi lists")
  func commands() throws {
    let listed = try house.alibi("--help").split(separator: "SUBCOMMANDS:").last ?? ""
    let names = listed.split(separator: "\n").compactMap { line in
      line.firstMatch(of: #/^  ([a-z][a-z-]*)\s/#).map { String($0.1) }
    }
    #expect(names.sorted() == Self.known.sorted())
    let manual = try house.manual("alibi.1")
    #expect(Set(manual.synopsis.keys) == Set(Self.known + ["help"]))
    for name in Self.known { #expect(manual.subsections.contains(name), "no .Ss \(name) in alibi.1") }
  }

  @Test("a command's synopsis in the manual has exactly the options of its usage line", arguments: known)
  func synopsis(command: String) throws {
    let help = try house.alibi("help", command)
    let usage = try #require(help.split(separator: "\n").first { $0.hasPrefix("USAGE:") })
    #expect(try house.manual("alibi.1").synopsis[command] == options(in: usage))
  }

  @Test("the manual explains every option of every command, and no other")
  func explained() throws {
    var printed: Set<String> = options(in: try house.alibi("--help"))
    for command in Self.known { printed.formUnion(options(in: try house.alibi("help", command))) }
    let manual = try house.manual("alibi.1")
    #expect(manual.explained == printed)
    #expect(manual.mentioned == printed)
  }

  @Test("the service's manual explains every option of its usage text, and no other")
  func service() throws {
    let source = try house.text("Sources/alibid/main.swift")
    let accepted = options(in: source)
    try #require(accepted.count > 4)
    let manual = try house.manual("alibid.8")
    #expect(manual.explained == accepted)
    #expect(manual.mentioned == accepted)
  }

  @Test(
    "the verdicts' exit statuses stand in help and manual alike",
    arguments: ["0", "1", "2", "64", "65", "66", "74", "77"])
  func exitStatus(number: String) throws {
    let help = try house.alibi("help", "prove").replacing("\n", with: " ")
    #expect(help.contains(" \(number) "))
    let section = try #require(house.text("packaging/man/alibi.1").split(separator: ".Sh EXIT STATUS\n").last)
    #expect(section.contains("\n.It \(number)\n"))
  }

  @Test("the documentation names every module")
  func modules() throws {
    let catalog = "Sources/alibi/Documentation.docc"
    let pages = try house.entries(catalog).filter { $0.hasSuffix(".md") }
    #expect(Set(pages).isSuperset(of: ["Alibi.md", "Architecture.md", "Losses.md", "ThreatModel.md"]))
    let all = try pages.map { try house.text("\(catalog)/\($0)") }.joined(separator: "\n")
    for module in try house.entries("Sources") {
      #expect(all.contains("`\(module)`"), "no page of the documentation names \(module)")
    }
  }

  @Test("links between pages lead to pages")
  func links() throws {
    let catalog = "Sources/alibi/Documentation.docc"
    let pages = try house.entries(catalog).filter { $0.hasSuffix(".md") }
    for page in pages {
      for link in try house.text("\(catalog)/\(page)").matches(of: /<doc:([A-Za-z]+)>/) {
        #expect(pages.contains("\(link.1).md"), "\(page) links to \(link.1)")
      }
    }
  }

  /// The long options in a text as people write them.
  private func options(in text: some StringProtocol) -> Set<String> {
    Set(String(text).matches(of: /--([a-z][a-z-]*)/).map { String($0.1) })
  }
}

/// A manual page in mdoc(7), as far as its options go.
private struct Manual {
  /// The long options of each `.Nm` `.Cm` of the synopsis.
  var synopsis: [String: Set<String>] = [:]
  /// The titles of `.Ss`.
  var subsections: [String] = []
  /// The long options that head an entry of a list.
  var explained: Set<String> = []
  /// All long options.
  var mentioned: Set<String> = []

  init(_ text: String) {
    var section = ""
    var command: String?
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      let found = Set(line.matches(of: /Fl -([a-z][a-z-]*)/).map { String($0.1) })
      mentioned.formUnion(found)
      switch words.first {
      case ".Sh": section = words.dropFirst().joined(separator: " ")
      case ".Ss": subsections.append(words.dropFirst().joined(separator: " "))
      case ".Nm": command = nil
      case ".Cm" where section == "SYNOPSIS":
        command = words.dropFirst().first.map(String.init)
        if let command { synopsis[command] = [] }
      case ".It": explained.formUnion(found)
      default: break
      }
      if section == "SYNOPSIS", let command { synopsis[command]?.formUnion(found) }
    }
  }
}

/// The repository, and the programs built from it.
private struct House {
  private let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  func text(_ path: String) throws -> String {
    try String(contentsOf: root.appending(path: path), encoding: .utf8)
  }

  func entries(_ directory: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: root.appending(path: directory).path)
      .filter { !$0.hasPrefix(".") }
  }

  func manual(_ name: String) throws -> Manual {
    Manual(try text("packaging/man/\(name)"))
  }

  /// What `alibi` prints, asked with these arguments; it must succeed.
  func alibi(_ arguments: String...) throws -> String {
    let beside = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
    let directory = ProcessInfo.processInfo.environment["ALIBI_BIN_DIR"].map { URL(filePath: $0) } ?? beside
    let process = Process()
    process.executableURL = directory.appending(path: "alibi")
    process.arguments = arguments
    // Argument parser wraps at the width that COLUMNS tells; the usage line must stay one.
    process.environment = ["COLUMNS": "4000"]
    let output = Pipe()
    process.standardOutput = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return String(decoding: bytes, as: UTF8.self)
  }
}
