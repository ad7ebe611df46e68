import Foundation
import TestSupport
import Testing

/// A witness that shares no code with us, on loopback.
final class OutsideWitness {
  let directory: ScratchDirectory
  private var logKey: String
  private var process: Subprocess?

  /// Built once: Go compiles its HTTP server for each new cache.
  private static let program: Result<(ScratchDirectory, String), any Error> = Result {
    let scratch = try ScratchDirectory(in: "/tmp")
    let built = try Subprocess.run(
      "/usr/bin/env", ["go", "build", "-o", scratch("witness"), Place.repository + "/Tests/Fixtures/witness/main.go"],
      environment: [
        "PATH": environment("PATH") ?? "/usr/bin", "GO111MODULE": "off", "GOPATH": "/usr/share/gocode",
        "GOCACHE": scratch("cache"), "GOFLAGS": "",
      ])
    try #require(built.status == 0, "\(built.errors)")
    return (scratch, scratch("witness"))
  }

  init(of logKey: String) throws {
    self.logKey = logKey
    directory = try ScratchDirectory(in: "/tmp")
    try start()
  }

  /// Starts, again at the same port and with what it had seen.
  func start(skew seconds: Int = 0) throws {
    let (_, program) = try Self.program.get()
    process = try Subprocess(program, [directory.path, logKey, "\(seconds)"])
    let port = try waitForPort(directory)
    try eventually("the witness listens") {
      try Subprocess.run("/bin/bash", ["-c", "exec 3<>/dev/tcp/127.0.0.1/\(port)"]).status == 0
    }
  }

  /// Is told of another key of the log, and starts again with what it had seen.
  func enrol(_ key: String) throws {
    try stop()
    logKey = key
    try start()
  }

  func stop() throws {
    process?.signal(SIGKILL)
    _ = try process?.finish()
    process = nil
  }

  var url: String { "http://127.0.0.1:" + ((try? read("port")) ?? "0") }
  var key: String { ((try? read("vkey")) ?? "").trimmingCharacters(in: .newlines) }

  /// The size that it has seen last.
  var seen: Int { Int(((try? read("seen")) ?? "0").prefix { $0 != " " }) ?? 0 }

  /// The signed head that it has seen last.
  func head() throws -> String {
    let text = try read("seen")
    return String(text[text.index(after: try #require(text.firstIndex(of: "\n")))...])
  }

  private func read(_ name: String) throws -> String { try String(contentsOfFile: directory(name), encoding: .utf8) }
}

/// A time-stamp authority of openssl's, on loopback.
final class OutsideAuthority {
  let directory: ScratchDirectory
  private let process: Subprocess
  let url: String

  init() throws {
    directory = try ScratchDirectory(in: "/tmp")
    process = try Subprocess(
      "/usr/bin/env", ["python3", Place.repository + "/Tests/Fixtures/authority/authority.py", directory.path])
    url = "http://127.0.0.1:\(try waitForPort(directory))/"
  }

  /// What `openssl ts -verify` says of a token over a text.
  func verifies(_ token: Data, over text: String) throws -> Bool {
    try directory.write("text", text)
    try token.write(to: URL(filePath: directory("token")))
    return try Subprocess.run(
      "/usr/bin/env",
      [
        "openssl", "ts", "-verify", "-token_in", "-in", directory("token"), "-data", directory("text"), "-CAfile",
        directory("authority.pem"),
      ]
    ).status == 0
  }
}

/// Somebody who reads a syslog socket.
final class OutsideLogger {
  private let directory: ScratchDirectory
  private let process: Subprocess
  /// What `syslog:` must say.
  let place: String

  private static let script = """
    import os, socket, sys
    directory, kind = sys.argv[1:]
    reader = socket.socket(socket.AF_UNIX if kind == 'socket' else socket.AF_INET, socket.SOCK_DGRAM)
    reader.bind(directory + '/log' if kind == 'socket' else ('127.0.0.1', 0))
    if kind == 'socket': os.chmod(directory + '/log', 0o666)
    port = '1' if kind == 'socket' else str(reader.getsockname()[1])
    open(directory + '/port.new', 'w').write(port)
    os.rename(directory + '/port.new', directory + '/port')
    while True:
      line = reader.recv(65536)
      with open(directory + '/lines', 'ab') as lines: lines.write(line + b'\\n')
    """

  init(_ kind: String) throws {
    // Whoever sends is nobody, and must get there.
    directory = try ScratchDirectory(in: "/tmp", owner: 65_534)
    process = try Subprocess("/usr/bin/env", ["python3", "-c", Self.script, directory.path, kind])
    let port = try waitForPort(directory)
    place = kind == "socket" ? "{socket: \(directory("log"))}" : "{udp: \"127.0.0.1:\(port)\"}"
  }

  var lines: [String] {
    ((try? String(contentsOfFile: directory("lines"), encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
  }
}

private func waitForPort(_ directory: ScratchDirectory) throws -> String {
  var port = ""
  try eventually("somebody listens") {
    port = (try? String(contentsOfFile: directory("port"), encoding: .utf8)) ?? ""
    return !port.isEmpty
  }
  return port
}

/// A web server that is no authority.
final class OutsideServer {
  private let directory: ScratchDirectory
  private let process: Subprocess
  let url: String

  private static let script = """
    import http.server, os, sys, time
    directory = sys.argv[1]
    class Server(http.server.BaseHTTPRequestHandler):
      def do_POST(self):
        self.rfile.read(int(self.headers['Content-Length']))
        if self.path == '/elsewhere': open(directory + '/elsewhere', 'w')
        if self.path == '/hang': time.sleep(60)
        self.send_response(302 if self.path == '/redirect' else 200)
        self.send_header('Location', '/elsewhere')
        self.end_headers()
        try: self.wfile.write(b'x' * ((1 << 20) if self.path == '/much' else 3))
        except OSError: pass
      def do_GET(self): open(directory + '/elsewhere', 'w')
      def log_message(self, *_): pass
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Server)
    open(directory + '/port.new', 'w').write(str(server.server_port))
    os.rename(directory + '/port.new', directory + '/port')
    server.serve_forever()
    """

  init() throws {
    directory = try ScratchDirectory(in: "/tmp")
    process = try Subprocess("/usr/bin/env", ["python3", "-c", Self.script, directory.path])
    url = "http://127.0.0.1:\(try waitForPort(directory))/"
  }

  var hasBeenSentElsewhere: Bool { FileManager.default.fileExists(atPath: directory("elsewhere")) }
}
