import Glibc

extension AgentRules {
  /// The directories that `load` reads, within that of the rules.
  public static func directories(of rules: String) -> [String] {
    ["agents", "readers", "launchers", "secrets"].map { rules + "/" + $0 }
  }

  /// Reads every `*.yaml` in `agents`, `readers`, `launchers` and `secrets` of a directory of rules, hidden files left
  /// out. `agents` without any is an error: a service with no rules would see no sessions and call that "not accessed".
  /// Without `readers` whoever reads what a session wrote may act on it; without `launchers` nobody is adopted; without
  /// `secrets` arguments are stored as they are.
  public static func load(rules: String) throws(RuleError) -> AgentRules {
    let places = directories(of: rules)
    let agents = try documents(in: places[0])
    guard !agents.isEmpty else {
      throw RuleError(file: places[0], line: nil, reason: "no *.yaml file in this directory")
    }
    return try AgentRules(
      documents: agents, readers: try documents(inOptional: places[1]),
      launchers: try documents(inOptional: places[2]), secrets: try documents(inOptional: places[3]))
  }

  private static func documents(inOptional directory: String) throws(RuleError) -> [RuleDocument] {
    unsafe access(directory, F_OK) == 0 ? try documents(in: directory) : []
  }

  private static func documents(in directory: String) throws(RuleError) -> [RuleDocument] {
    var documents: [RuleDocument] = []
    for name in try ruleFiles(in: directory) {
      let empty = RuleDocument(name: name, bytes: [], directory: directory)
      documents.append(RuleDocument(name: name, bytes: try RuleDocument.read(empty.label), directory: directory))
    }
    return documents
  }

  private static func ruleFiles(in directory: String) throws(RuleError) -> [String] {
    guard let stream = unsafe opendir(directory) else {
      throw RuleDocument.failure(directory, "cannot open directory")
    }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0  // readdir tells its end from a failure by errno alone
      guard let entry = unsafe readdir(stream) else { break }
      let bytes = unsafe withUnsafeBytes(of: entry.pointee.d_name) { unsafe Array($0.prefix { $0 != 0 }) }
      guard bytes.first != UInt8(ascii: "."), bytes.suffix(5).elementsEqual(".yaml".utf8) else { continue }
      guard let name = String(validating: bytes, as: UTF8.self) else {
        throw RuleError(file: directory, line: nil, reason: "a file name here is not UTF-8")
      }
      names.append(name)
    }
    guard errno == 0 else { throw RuleDocument.failure(directory, "cannot list directory") }
    return names
  }
}

extension RuleDocument {
  /// Reads a file; one byte more than allowed, so that too much shows as such and is never cut to fit.
  static func read(_ path: String) throws(RuleError) -> [UInt8] {
    // O_NONBLOCK: a FIFO of that name must not hang the start of the service.
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure(path, "cannot open") }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else { throw failure(path, "cannot stat") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw RuleError(file: path, line: nil, reason: "not a regular file")
    }
    var bytes = [UInt8](repeating: 0, count: sizeLimit + 1)
    var count = 0
    while count < bytes.count {
      let got = unsafe bytes.withUnsafeMutableBytes { buffer in
        let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
        return unsafe Glibc.read(descriptor, rest.baseAddress, rest.count)
      }
      if got < 0, errno == EINTR { continue }
      guard got >= 0 else { throw failure(path, "cannot read") }
      if got == 0 { break }
      count += got
    }
    bytes.removeSubrange(count...)
    return bytes
  }

  static func failure(_ file: String, _ what: String) -> RuleError {
    let code = errno
    let text = unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    return RuleError(file: file, line: nil, reason: "\(what): \(text)")
  }
}
