internal import Foundation
public import MerkleLog
internal import Testing

/// The known answers, from Tests/Fixtures.
enum KnownAnswers {
  static func load<Answers: Decodable>(_ name: String) throws -> Answers {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures/known-answers/\(name).json")
    return try JSONDecoder().decode(Answers.self, from: Data(contentsOf: file))
  }
}

struct KnownAnswersTests {
  private let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

  @Test("every known answer is asked for, by these tests and by the second verifier's")
  func asked() throws {
    let folder = tests.appending(path: "Fixtures/known-answers")
    let sources = try FileManager.default.contentsOfDirectory(
      at: tests.appending(path: "MerkleLogTests"), includingPropertiesForKeys: nil)
    let ours = try sources.map { try String(contentsOf: $0, encoding: .utf8) }.joined()
    let theirs = try String(contentsOf: tests.appending(path: "Fixtures/known_answers.py"), encoding: .utf8)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    #expect(names.count > 4)
    for name in names {
      let stem = name.replacing(".json", with: "")
      #expect(ours.contains("KnownAnswers.load(\"\(stem)\")"), "\(name)")
      // Events and entries are in no certificate.
      #expect(theirs.contains("load(\"\(stem)\")") || stem == "event", "\(name)")
      let file = try JSONSerialization.jsonObject(with: Data(contentsOf: folder.appending(path: name)))
      for key in try #require(file as? [String: Any]).keys where key != "source" {
        #expect(ours.contains(".\(key)"), "\(name): \(key)")
      }
    }
  }
}

/// A byte string in hexadecimal.
struct HexBytes: Decodable {
  let bytes: [UInt8]

  init(from decoder: any Decoder) throws {
    let text = try decoder.singleValueContainer().decode(String.self)
    guard let bytes = Hex.decode(text.utf8) else {
      throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: text))
    }
    self.bytes = bytes
  }
}

extension Hash: Decodable {
  /// Reads hexadecimal.
  public init(from decoder: any Decoder) throws {
    let bytes = try HexBytes(from: decoder).bytes
    guard let hash = Hash(bytes) else {
      throw DecodingError.dataCorrupted(.init(codingPath: decoder.codingPath, debugDescription: "no hash"))
    }
    self = hash
  }
}

func utf8(_ text: String) -> [UInt8] { Array(text.utf8) }
