internal import Foundation
public import MerkleLog

/// The known answers, from Tests/Fixtures.
enum KnownAnswers {
  static func load<Answers: Decodable>(_ name: String) throws -> Answers {
    let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Fixtures/known-answers/\(name).json")
    return try JSONDecoder().decode(Answers.self, from: Data(contentsOf: file))
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
