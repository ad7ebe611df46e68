import Evidence
import Foundation
import MerkleLog
import Records
import TestSupport
import Testing

@testable import Sealing

struct ExportTests {
  /// A log of more than one tile, written to a directory with a copy of the store.
  private func export() throws -> (vault: Vault, directory: String) {
    let vault = try Vault()
    try vault.commit(look(0, 100, canaries: 3), .session(session(1)), access("/data/a"), to: 160)
    for index in 0..<300 as Range<Int64> { try vault.commit(to: 161 + index) }
    try vault.close()
    let directory = vault.directory + "/export"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try StoreReader(directory: vault.directory).copy(to: directory + "/alibi.sqlite")
    let made = try LogFiles.write(StoreReader(directory: directory), to: directory)
    #expect(made.size > 300)
    // Two bundles of records, two tiles of hashes, and one above.
    #expect(made.files == 5)
    return (vault, directory)
  }

  private func flaws(_ vault: Vault, _ directory: String) throws -> [Flaw] {
    let store = try StoreReader(directory: directory)
    return try FullVerification(store, pinned: vault.keys.log.verifier).flaws
      + LogFiles.flaws(in: directory, store: store, pinned: vault.keys.log.verifier).flaws
  }

  @Test("an export is sound by itself, without a key of the host's and without a right to write")
  func sound() throws {
    let (vault, directory) = try export()
    #expect(try flaws(vault, directory).isEmpty)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: directory).sorted() == ["alibi.sqlite", "checkpoint", "tile"])
    let (records, alone) = try LogFiles.flaws(in: directory, store: nil, pinned: vault.keys.log.verifier)
    #expect(alone.isEmpty)
    #expect(records > 300)
    // What comes later in the store it was made of is nothing to the copy.
    try vault.commit(access("/data/b", inode: 6), to: 500)
    try vault.sealer.sign(vault.writer, vault.keys)
    #expect(try flaws(vault, directory).isEmpty)
  }

  @Test(
    "a file that is missing, cut or another is found out",
    arguments: [
      "checkpoint", "tile/0/000", "tile/0/001.p/*", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/*",
    ])
  func tampered(pattern: String) throws {
    let (vault, directory) = try export()
    let size = try #require(try StoreReader(directory: directory).checkpoint()).size
    let path = directory + "/" + pattern.replacing("*", with: "\(size - 256)")
    let bytes = try #require(FileManager.default.contents(atPath: path))
    var flipped = bytes
    flipped[bytes.count / 2] ^= 1
    for other in [flipped, bytes.dropLast(), bytes + [0], nil] {
      try FileManager.default.removeItem(atPath: path)
      if let other { try other.write(to: URL(filePath: path)) }
      #expect(try !flaws(vault, directory).isEmpty, "\(other?.count ?? -1) bytes")
      #expect(try !LogFiles.flaws(in: directory, store: nil, pinned: vault.keys.log.verifier).flaws.isEmpty)
      if other == nil { try bytes.write(to: URL(filePath: path)) }
    }
    #expect(try flaws(vault, directory).isEmpty)
  }

  private static let source = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/third-opinion/main.go").path

  @Test(
    "Go's tlog reads every record through the tiles, and misses a changed one", .tool("go", "version"),
    .tool("test", "-d", "/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog"))
  func thirdOpinion() throws {
    let (vault, directory) = try export()
    let program = vault.directory + "/third-opinion"
    let built = try Subprocess.run(
      "/usr/bin/env", ["go", "build", "-o", program, Self.source],
      environment: [
        "PATH": TestSupport.environment("PATH") ?? "/usr/bin", "GO111MODULE": "off", "GOPATH": "/usr/share/gocode",
        "GOCACHE": vault.directory + "/cache", "GOFLAGS": "",
      ])
    try #require(built.status == 0, "\(built.errors)")
    let size = try #require(try StoreReader(directory: directory).checkpoint()).size
    func ask() throws -> Subprocess.Outcome {
      try Subprocess.run(program, [vault.keys.log.verifier.text, directory])
    }
    let sound = try ask()
    #expect(sound.output == "alibi/test: \(size) records in tiles\n", "\(sound.errors)")
    for name in ["tile/0/000", "tile/1/000.p/1", "tile/entries/000"] {
      let path = directory + "/" + name
      let bytes = try #require(FileManager.default.contents(atPath: path))
      var flipped = bytes
      flipped[20] ^= 1
      try FileManager.default.removeItem(atPath: path)
      try flipped.write(to: URL(filePath: path))
      #expect(try ask().status == 1, "\(name)")
      try bytes.write(to: URL(filePath: path))
    }
    #expect(try ask().status == 0)
  }

  @Test("the files of one log beside the store of another are found out")
  func mixed() throws {
    let (one, other) = (try export(), try export())
    try FileManager.default.removeItem(atPath: one.directory + "/alibi.sqlite")
    try FileManager.default.copyItem(
      atPath: other.directory + "/alibi.sqlite", toPath: one.directory + "/alibi.sqlite")
    #expect(try !flaws(one.vault, one.directory).isEmpty)
  }
}
