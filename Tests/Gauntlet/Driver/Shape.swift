/// A shape of process tree, as the actor knows it.
struct Shape {
  enum Word {
    case none
    /// The program to execute.
    case program
    /// A pid that others want too.
    case pid
    case count
  }

  var name: String
  var row: String
  var word = Word.none
  /// Whether others than agents may be chosen for it: what a person executes from memory is nobody's by design.
  var isForEverybody = true
  /// Whether what is reached in it may be refused, so that it suits only ways that any user can go.
  var losesPrivilege = false
  /// How often it is chosen.
  var weight = 4

  static let all: [Shape] = [
    Shape(name: "fork", row: "B1"),
    Shape(name: "clone3", row: "B1"),
    Shape(name: "thread", row: "B1"),
    Shape(name: "vfork", row: "B1", word: .program),
    Shape(name: "spawn", row: "B1", word: .program),
    Shape(name: "exec", row: "B1", word: .program),
    Shape(name: "daemon", row: "B2", weight: 6),
    Shape(name: "clone-parent", row: "B2b"),
    Shape(name: "leader-exit", row: "B2c"),
    Shape(name: "thread-exec", row: "B2c", word: .program),
    Shape(name: "pid", row: "B4", word: .pid, weight: 3),
    Shape(name: "own-pids", row: "B4", weight: 2),
    Shape(name: "own-users", row: "B4", losesPrivilege: true, weight: 2),
    Shape(name: "own-mounts", row: "B4", weight: 2),
    Shape(name: "sandbox", row: "B4", word: .program, weight: 1),
    Shape(name: "nobody", row: "B5", losesPrivilege: true, weight: 2),
    Shape(name: "set-privilege", row: "B5", word: .program, losesPrivilege: true, weight: 1),
    Shape(name: "switch-user", row: "B5", word: .program, losesPrivilege: true, weight: 1),
    Shape(name: "memory", row: "B6", word: .program, isForEverybody: false, weight: 2),
    Shape(name: "storm", row: "B10", word: .count, weight: 1),
  ]

  static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

  /// The names, each as often as it is to be chosen.
  static func lot(forAgents: Bool) -> [String] {
    all.filter { forAgents || $0.isForEverybody }.flatMap { Array(repeating: $0.name, count: $0.weight) }
  }
}
