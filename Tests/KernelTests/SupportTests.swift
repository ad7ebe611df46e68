import Glibc
import LinuxKernel
import TestSupport
import Testing

/// The support that privileged tests share.
struct SupportTests {
  @Test("a program's output, errors and exit code come back")
  func outcome() throws {
    let script = "echo $WORD; echo no >&2; exit 3"
    let outcome = try Subprocess.run("/bin/sh", ["-c", script], environment: ["WORD": "yes"])
    #expect(outcome.output == "yes\n" && outcome.errors == "no\n" && outcome.status == 3)
  }

  @Test("a program that a signal ended says so")
  func signalled() async throws {
    let program = try Subprocess("/bin/sleep", ["60"])
    #expect(!program.hasEnded())
    program.signal(15)
    #expect(try await eventually { program.hasEnded() })
    #expect(try program.finish().status == 1015)
  }

  @Test("a child is halted, goes on, and ends; one that has ended says so")
  func halted() throws {
    let program = try ChildProcess("/bin/sleep", ["sleep", "60"], variable: ("A", "b"), inheriting: [])
    #expect(program.halt())
    let stat = String(decoding: try Procfs.file(program.pid, "stat"), as: UTF8.self)
    #expect(stat.contains(") T "))
    program.signal(SIGCONT)
    #expect(program.halt())
    program.signal(SIGKILL)
    #expect(program.awaitEnding() == .killed(SIGKILL))
    let other = try ChildProcess("/bin/true", ["true"], variable: ("A", "b"), inheriting: [])
    while Procfs.exists(other.pid), other.halt() { other.signal(SIGCONT) }
  }

  @Test("a program ends with the value that started it")
  func ended() throws {
    var program: Subprocess? = try Subprocess("/bin/sleep", ["60"])
    let pid = try #require(program?.pid)
    #expect(Procfs.exists(pid))
    program = nil
    #expect(!Procfs.exists(pid))
  }

  @Test("a program that is not there is an error")
  func missing() {
    #expect(throws: Errno.noSuchFile) { try Subprocess("/nowhere/at/all") }
  }

  @Test("a scratch directory is a file system of its own, and gone with its value", .kernel)
  func scratch() throws {
    var scratch: ScratchDirectory? = try ScratchDirectory()
    let path = try #require(scratch?.path)
    try scratch?.write("a")
    #expect(try FileStatus(path: Array(path.utf8)).device != FileStatus(path: Array("/tmp".utf8)).device)
    scratch = nil
    #expect(throws: Errno.noSuchFile) { try FileStatus(path: Array(path.utf8)) }
  }

  @Test("a scratch directory elsewhere is removed with all that is in it")
  func plain() throws {
    var scratch: ScratchDirectory? = try ScratchDirectory(in: "/tmp")
    let path = try #require(scratch?.path)
    try scratch?.makeDirectory("d")
    try scratch?.write("d/a")
    scratch = nil
    #expect(throws: Errno.noSuchFile) { try FileStatus(path: Array(path.utf8)) }
  }

  @Test("waiting ends with the deadline when the answer stays no")
  func deadline() async throws {
    #expect(try await !eventually(within: .milliseconds(20)) { false })
    let nothing: Int? = try await eventually(within: .milliseconds(20), find: { nil })
    #expect(nothing == nil)
  }
}
