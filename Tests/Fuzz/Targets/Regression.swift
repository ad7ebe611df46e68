internal import Foundation

/// An input that once broke a target, or that must not: a file of Tests/Fuzz/Regressions.
public struct Regression: Sendable, CustomStringConvertible {
  private let target: FuzzTarget
  private let file: URL

  /// The target's name and the file's.
  public var description: String { "\(target.name)/\(file.lastPathComponent)" }

  /// Drives the target with it.
  public func replay() throws { try target.run(Array(Data(contentsOf: file))) }

  /// Every file there is for these targets; each must have one.
  public static func all(of targets: [FuzzTarget]) throws -> [Regression] {
    let top = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return try targets.flatMap { target in
      let directory = top.appending(path: "Regressions/\(target.name)")
      let files = try FileManager.default.contentsOfDirectory(at: directory, includingPropertiesForKeys: nil)
      return files.sorted { $0.path < $1.path }.map { Regression(target: target, file: $0) }
    }
  }
}
