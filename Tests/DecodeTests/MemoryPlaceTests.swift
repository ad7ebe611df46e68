import Decode
import Testing

struct MemoryPlaceTests {
  @Test(
    "what below a procfs leads to memory, wherever that is mounted",
    arguments: [
      ("/proc/12/mem", 12), ("/proc/12/task/13/mem", 12), ("/c/task/12/mem", 12), ("/proc/12/mem (deleted)", 12),
      ("12/mem", 12),
    ])
  func memory(path: String, pid: Int32) { #expect(MemoryPlace(path: Array(path.utf8)) == .process(pid)) }

  @Test("to an environment", arguments: ["/proc/12/environ", "12/task/13/environ"])
  func environment(path: String) { #expect(MemoryPlace(path: Array(path.utf8)) == .environment(12)) }

  @Test(
    "everything else does not",
    arguments: [
      "", "/", "mem", "/mem", "/proc/12/maps", "/proc/12/task/13/stat", "/proc/meminfo", "/proc/self/mem",
      "/proc/-1/mem", "/proc/0/mem", "/proc/99999999999/mem", "/proc/12/environ2",
    ])
  func others(path: String) { #expect(MemoryPlace(path: Array(path.utf8)) == nil) }

  @Test("the machine's memory")
  func machine() { #expect(MemoryPlace(path: Array("/proc/kcore".utf8)) == .machine) }
}
