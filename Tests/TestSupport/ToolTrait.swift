public import Testing

/// Needs a program that this package does not bring: skipped where trying it fails, and failed instead of skipped where
/// the environment has ALIBI_REQUIRE_KERNEL.
public struct ToolTrait: SuiteTrait, TestTrait {
  private let trial: [String]

  init(trial: [String]) { self.trial = trial }

  /// Nested suites need it as well.
  public var isRecursive: Bool { true }

  /// Why a required test cannot run.
  struct Missing: Error, CustomStringConvertible {
    var trial: [String]
    var description: String { "needs what packaging/prepare installs: `\(trial.joined(separator: " "))` failed" }
  }

  /// Skips or fails the test before it begins.
  public func prepare(for test: Test) async throws {
    if try Subprocess.run("/usr/bin/env", trial).status == 0 { return }
    if environment("ALIBI_REQUIRE_KERNEL") != nil { throw Missing(trial: trial) }
    let reason: Comment = "\(Missing(trial: trial).description)"
    try await ConditionTrait.enabled(if: false, reason).prepare(for: test)
  }
}

extension Trait where Self == ToolTrait {
  /// The test needs a program; running this command must succeed.
  public static func tool(_ trial: String...) -> Self { ToolTrait(trial: trial) }
}
