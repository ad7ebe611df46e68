internal import LinuxKernel
public import Testing

/// Needs the real kernel's privileged interfaces: skipped without root, and failed instead of skipped where
/// the environment has ALIBI_REQUIRE_KERNEL.
public struct KernelTrait: SuiteTrait, TestTrait {
  /// Nested suites need root as well.
  public var isRecursive: Bool { true }

  /// Why a required test cannot run.
  struct Missing: Error, CustomStringConvertible {
    var description: String { "needs root, and ALIBI_REQUIRE_KERNEL forbids to skip" }
  }

  /// Skips or fails the test before it begins.
  public func prepare(for test: Test) async throws {
    guard Procfs.effectiveUser != 0 else { return }
    if environment("ALIBI_REQUIRE_KERNEL") != nil { throw Missing() }
    try await ConditionTrait.enabled(if: false, "needs root").prepare(for: test)
  }
}

extension Trait where Self == KernelTrait {
  /// The test needs root and a real kernel.
  public static var kernel: Self { KernelTrait() }
}
