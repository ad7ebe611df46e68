internal import Glibc
internal import Logging
internal import Monitor
internal import ServiceLifecycle

// The root service. It links no argument parser: what runs as root is small.

let usage = """
  usage: alibid [--config FILE] [--state DIR] [--run DIR] [--rules DIR] [--log-level LEVEL] [--record-journal FILE]

  Watches every file access of AI agent sessions on this host and keeps the evidence. Runs in the foreground
  as root until SIGTERM; tells a service manager READY=1 when it captures.

    --config FILE          reads the settings from FILE (default /etc/alibi/alibid.yaml, if it is there);
                           options on the command line go before it
    --state DIR            where the evidence is kept (default /var/lib/alibi)
    --run DIR              where the socket is (default /run/alibi)
    --rules DIR            where the rules are, agents in DIR/agents (default /usr/share/alibi/rules)
    --log-level LEVEL      trace, debug, info, notice, warning, error, critical (default info)
    --record-journal FILE  also writes everything the kernel said to FILE, for a bug report: it names everybody's files
    --version              prints the version
  """

func fail(_ text: String, hint: String, status: Int32) -> Never {
  let message = Array("alibid: error: \(text)\nalibid: hint: \(hint)\n".utf8)
  _ = unsafe write(STDERR_FILENO, message, message.count)
  exit(status)
}

func fail(_ failure: StartFailure) -> Never {
  fail(failure.description, hint: failure.hint, status: failure.exitStatus)
}

// Before anything is read: this one is small.
if AlibiService.serveCanaries() { exit(0) }

var settings = Settings()
do throws(StartFailure) {
  if let index = CommandLine.arguments.lastIndex(of: "--config"), index + 1 < CommandLine.arguments.count {
    try settings.read(CommandLine.arguments[index + 1])
  } else if unsafe access(Settings.usualFile, F_OK) == 0 {
    try settings.read(Settings.usualFile)
  }
} catch {
  fail(error)
}
var arguments = CommandLine.arguments.dropFirst()
while let option = arguments.popFirst() {
  func value() -> String {
    guard let value = arguments.popFirst() else {
      fail("\(option) needs a value", hint: "alibid --help", status: EX_USAGE)
    }
    return value
  }
  switch option {
  case "--config": _ = value()
  case "--state": settings.stateDirectory = value()
  case "--run": settings.runDirectory = value()
  case "--rules": settings.rulesDirectory = value()
  case "--record-journal": settings.recordJournal = value()
  case "--log-level":
    settings.logLevel = value()
    guard Settings.logLevels.contains(settings.logLevel) else {
      fail("no log level is called \(settings.logLevel)", hint: "alibid --help lists them", status: EX_USAGE)
    }
  case "--help", "-h":
    print(usage)
    exit(0)
  case "--version":
    print("alibid \(Settings.version)")
    exit(0)
  default: fail("unknown option \(option)", hint: "alibid --help", status: EX_USAGE)
  }
}

LoggingSystem.bootstrap { label in StreamLogHandler.standardError(label: label) }
var logger = Logger(label: "alibid")
logger.logLevel = Logger.Level(rawValue: settings.logLevel) ?? .info

guard AlibiService.isRecorder else {
  do throws(StartFailure) {
    exit(try Guardian(settings: settings, logger: logger, arguments: CommandLine.arguments).run())
  } catch {
    fail(error)
  }
}
let group = ServiceGroup(
  configuration: .init(
    services: [.init(service: AlibiService(settings: settings, logger: logger))],
    gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
do {
  try await group.run()
} catch let failure as StartFailure {
  fail(failure)
} catch {
  fail("\(error)", hint: "please report this", status: EX_SOFTWARE)
}
