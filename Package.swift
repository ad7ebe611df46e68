// swift-tools-version:6.2
import PackageDescription

/// What every module of ours is held to: the Swift 6 language mode is the tools version's default.
let strict: [SwiftSetting] = [
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("ExistentialAny"),
]

// Data moves one way, top to bottom. Tests/HouseTests holds this table.
let package = Package(
  name: "alibi",
  products: [
    .executable(name: "alibid", targets: ["alibid"]),
    .executable(name: "alibi", targets: ["alibi"]),
    .executable(name: "alibi-sender", targets: ["alibi-sender"]),
  ],
  dependencies: [
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    .target(name: "CLinux"),
    .systemLibrary(name: "CAudit", providers: [.apt(["libaudit-dev"])]),
    .target(name: "LinuxKernel", dependencies: ["CLinux", "CAudit"], swiftSettings: strict),
    .target(name: "Decode", swiftSettings: strict),
    // An entry borrows the ring's memory; saying so still needs an experimental attribute.
    .target(name: "Journal", swiftSettings: strict + [.enableExperimentalFeature("Lifetimes")]),
    .target(name: "Records", swiftSettings: strict),
    .target(
      name: "Rules",
      dependencies: ["Records", "Yams", .product(name: "Crypto", package: "swift-crypto")],
      swiftSettings: strict),
    .target(name: "Lineage", dependencies: ["Decode", "Journal", "Records", "Rules"], swiftSettings: strict),
    .target(name: "Capture", dependencies: ["CLinux", "LinuxKernel", "Decode", "Journal"], swiftSettings: strict),
    .target(
      name: "MerkleLog", dependencies: [.product(name: "Crypto", package: "swift-crypto")], swiftSettings: strict),
    .target(name: "Certificates", dependencies: ["MerkleLog"], swiftSettings: strict),
    .target(name: "Anchoring", dependencies: ["MerkleLog", "Certificates"], swiftSettings: strict),
    .target(
      name: "Evidence",
      dependencies: ["Records", "MerkleLog", .product(name: "GRDB", package: "GRDB.swift")],
      swiftSettings: strict),
    .target(
      name: "Sealing", dependencies: ["LinuxKernel", "Records", "Evidence", "MerkleLog", "Certificates"],
      swiftSettings: strict),
    .target(
      name: "Monitor",
      dependencies: [
        "LinuxKernel", "Decode", "Journal", "Records", "Rules", "Lineage", "Capture", "Evidence", "MerkleLog",
        "Sealing", "Anchoring",
        .product(name: "Crypto", package: "swift-crypto"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
      ],
      swiftSettings: strict),
    .executableTarget(
      name: "alibid",
      dependencies: ["Monitor", .product(name: "Logging", package: "swift-log")],
      swiftSettings: strict),
    // What talks to the network: another process, of another user.
    .executableTarget(name: "alibi-sender", dependencies: ["LinuxKernel", "Anchoring"], swiftSettings: strict),
    .executableTarget(
      name: "alibi",
      dependencies: [
        "LinuxKernel", "Decode", "Records", "Evidence", "MerkleLog", "Certificates", "Sealing",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    // What the fuzzer drives (Tests/Fuzz/run), here to replay what it found.
    .target(
      name: "FuzzTargets",
      dependencies: ["Decode", "Journal", "Records", "Rules", "Lineage", "MerkleLog", "Certificates", "Anchoring"],
      path: "Tests/Fuzz/Targets", swiftSettings: strict),
    .testTarget(name: "RulesTests", dependencies: ["Rules", "Records", "FuzzTargets"], swiftSettings: strict),
    .testTarget(
      name: "LineageTests", dependencies: ["Lineage", "Journal", "Records", "Rules", "FuzzTargets"],
      exclude: ["Fixtures"], swiftSettings: strict),
    .target(
      name: "TestSupport", dependencies: ["CLinux", "LinuxKernel"], path: "Tests/TestSupport", swiftSettings: strict),
    .executableTarget(name: "alibi-actor", path: "Tests/Actor"),
    .testTarget(
      name: "ServiceTests",
      dependencies: ["LinuxKernel", "TestSupport", "alibid", "alibi", "alibi-sender", "alibi-actor", "alibi-year"],
      swiftSettings: strict),
    .target(name: "CTestActions", path: "Tests/CTestActions"),
    .testTarget(
      name: "KernelTests", dependencies: ["CTestActions", "TestSupport", "LinuxKernel", "Decode"],
      swiftSettings: strict),
    .executableTarget(name: "gauntlet-actor", dependencies: ["CTestActions"], path: "Tests/Gauntlet/Actor"),
    .executableTarget(
      name: "alibi-gauntlet", dependencies: ["CLinux"], path: "Tests/Gauntlet/Driver", swiftSettings: strict),
    .testTarget(
      name: "GauntletTests",
      dependencies: ["TestSupport", "alibid", "alibi", "gauntlet-actor", "alibi-gauntlet"], swiftSettings: strict),
    .testTarget(name: "HouseTests", dependencies: ["alibi", "alibi-gauntlet"], swiftSettings: strict),
    .testTarget(name: "RecordsTests", dependencies: ["Records", "FuzzTargets"], swiftSettings: strict),
    .testTarget(
      name: "DecodeTests", dependencies: ["Decode", "FuzzTargets"], exclude: ["Fixtures"], swiftSettings: strict),
    .testTarget(name: "JournalTests", dependencies: ["Journal", "FuzzTargets"], swiftSettings: strict),
    .testTarget(name: "CaptureTests", dependencies: ["Capture", "Journal"], swiftSettings: strict),
    .testTarget(name: "MerkleLogTests", dependencies: ["MerkleLog"], swiftSettings: strict),
    .testTarget(
      name: "CertificatesTests",
      dependencies: ["Certificates", "MerkleLog", "Records", "FuzzTargets", "TestSupport", "alibi"],
      swiftSettings: strict),
    .testTarget(
      name: "AnchoringTests", dependencies: ["Anchoring", "Certificates", "MerkleLog", "FuzzTargets"],
      swiftSettings: strict),
    .testTarget(
      name: "SealingTests",
      dependencies: [
        "Sealing", "Evidence", "Records", "MerkleLog", "Certificates", "LinuxKernel", "TestSupport",
        .product(name: "GRDB", package: "GRDB.swift"),
      ], swiftSettings: strict),
    .executableTarget(
      name: "alibi-year", dependencies: ["Sealing", "Evidence", "Records", "MerkleLog", "LinuxKernel"],
      path: "Tests/Benchmarks/Year", swiftSettings: strict),
    .testTarget(name: "MonitorTests", dependencies: ["Monitor", "Records"], swiftSettings: strict),
    .testTarget(
      name: "EvidenceTests",
      dependencies: ["Evidence", "Records", .product(name: "GRDB", package: "GRDB.swift")], swiftSettings: strict),
  ]
)
