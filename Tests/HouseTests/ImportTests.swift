internal import Foundation
internal import Testing

/// Data moves one way. This is the table; Package.swift and every source file are held to it.
struct ImportTests {
  /// What each module of ours may import of ours.
  static let allowed: [String: Set<String>] = [
    "LinuxKernel": ["CLinux", "CAudit"],
    "Decode": [],
    "Journal": [],
    "Records": [],
    "Rules": ["Records"],
    "Lineage": ["Decode", "Journal", "Records", "Rules"],
    "Capture": ["CLinux", "LinuxKernel", "Decode", "Journal"],
    "MerkleLog": [],
    "Certificates": ["MerkleLog"],
    "Anchoring": ["MerkleLog", "Certificates"],
    "Evidence": ["Records", "MerkleLog"],
    "Sealing": ["LinuxKernel", "Records", "Evidence", "MerkleLog", "Certificates"],
    "Monitor": [
      "LinuxKernel", "Decode", "Journal", "Records", "Rules", "Lineage", "Capture", "Evidence", "MerkleLog", "Sealing",
      "Anchoring",
    ],
    "alibid": ["Monitor"],
    "alibi-sender": ["LinuxKernel", "Anchoring"],
    "alibi": ["LinuxKernel", "Decode", "Records", "Evidence", "MerkleLog", "Certificates", "Sealing"],
  ]

  /// Which libraries of others' each module may import.
  static let libraries: [String: Set<String>] = [
    "LinuxKernel": ["Glibc", "Synchronization"],
    "Journal": ["Synchronization"],
    "Rules": ["Yams", "Crypto", "Glibc"],
    "Capture": ["Synchronization"],
    "MerkleLog": ["Crypto"],
    "Evidence": ["GRDB", "Foundation", "Glibc", "Synchronization"],
    "Sealing": ["Dispatch", "Glibc", "Synchronization"],
    "Monitor": ["Crypto", "Logging", "ServiceLifecycle", "Synchronization", "Glibc"],
    "alibid": ["Glibc", "Logging", "ServiceLifecycle"],
    "alibi-sender": ["Foundation", "FoundationNetworking", "Glibc", "Synchronization"],
    "alibi": ["ArgumentParser", "Foundation", "Glibc"],
  ]

  private static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private func files(beneath directory: String) throws -> [URL] {
    let top = Self.repository.appendingPathComponent(directory)
    let all = try #require(FileManager.default.enumerator(at: top, includingPropertiesForKeys: nil))
    return all.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
  }

  private func imports(_ file: URL) throws -> [(module: String, isPublic: Bool)] {
    let text = try String(contentsOf: file, encoding: .utf8)
    return text.split(separator: "\n").compactMap { line in
      guard
        let match = line.firstMatch(of: #/^(@\w+ )?(public |internal )?import (?:struct |class |enum |func )?(\w+)/#)
      else { return nil }
      return (String(match.3), match.2 == "public ")
    }
  }

  @Test("every module imports only what the table allows", arguments: allowed.keys.sorted())
  func table(module: String) throws {
    let files = try files(beneath: "Sources/\(module)")
    #expect(!files.isEmpty)
    let may = (Self.allowed[module] ?? []).union(Self.libraries[module] ?? [])
    for file in files {
      for (name, _) in try imports(file) {
        #expect(may.contains(name), "\(file.lastPathComponent) imports \(name)")
      }
    }
  }

  @Test("the table knows every module there is")
  func complete() throws {
    let names = try FileManager.default.contentsOfDirectory(
      atPath: Self.repository.appendingPathComponent("Sources").path)
    #expect(Set(names) == Set(Self.allowed.keys).union(["CLinux", "CAudit"]))
  }

  @Test("Package.swift gives no module more than the table")
  func package() throws {
    let text = try String(contentsOf: Self.repository.appendingPathComponent("Package.swift"), encoding: .utf8)
    for (module, may) in Self.allowed {
      let target = try #require(text.range(of: "name: \"\(module)\"", range: targets(text)))
      let rest = text[target.upperBound...]
      let end = rest.range(of: "swiftSettings")?.lowerBound ?? rest.endIndex
      let ours = rest[..<end].matches(of: #/"(\w+)"/#).map { String($0.1) }
        .filter { Self.allowed[$0] != nil || ["CLinux", "CAudit"].contains($0) }
      #expect(Set(ours) == may, "\(module)")
    }
  }

  private func targets(_ text: String) -> Range<String.Index> {
    (text.range(of: "targets: [\n    .target")?.lowerBound ?? text.startIndex)..<text.endIndex
  }

  @Test("only the kernel's wrapper and capture see C")
  func seesC() throws {
    for module in Self.allowed.keys {
      for file in try files(beneath: "Sources/\(module)") {
        let imported = try imports(file)
        for (name, isPublic) in imported where ["CLinux", "CAudit"].contains(name) {
          #expect(["LinuxKernel", "Capture"].contains(module))
          #expect(!isPublic, "\(file.lastPathComponent) shows C to others")
        }
      }
    }
  }

  @Test("at the top lie only what the customer fixed, and dotfiles")
  func topLevel() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: Self.repository.path)
      .filter { !$0.hasPrefix(".") && $0 != "Package.resolved" }
    #expect(Set(names) == ["Package.swift", "Sources", "Tests", "rules", "packaging", "README.md"])
  }

  @Test("the second verifier is short enough for an auditor to read it")
  func secondVerifier() throws {
    let file = Self.repository.appendingPathComponent("packaging/verify/alibi_verify.py")
    let lines = try String(contentsOf: file, encoding: .utf8).dropLast().split(
      separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count <= 200)
    #expect(lines.allSatisfy { $0.count <= 120 })
  }

  @Test("no source file is longer than fits in the head")
  func length() throws {
    for file in try files(beneath: "Sources") {
      let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
      #expect(lines.count <= 400, "\(file.lastPathComponent)")
    }
  }
}
