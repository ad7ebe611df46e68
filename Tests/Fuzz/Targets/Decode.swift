internal import Decode

extension FuzzTarget {
  /// Bytes of the kernel's.
  public static let decoders = [
    FuzzTarget(name: "fanotify", run: fanotify), FuzzTarget(name: "perf", run: perf),
    FuzzTarget(name: "connector", run: connector), FuzzTarget(name: "procfs", run: procfs),
    FuzzTarget(name: "audit", run: audit),
  ]
}

/// Goes through a buffer as capture and attribution do: until its end, or until the decoder throws.
private func walk<Item>(
  _ bytes: [UInt8], _ next: (RawSpan, inout Int) throws(DecodeError) -> Item?, _ look: (Item) throws -> Void
) throws {
  var offset = 0
  while true {
    let before = offset
    let item: Item?
    do { item = try unsafe next(bytes.span.bytes, &offset) } catch {
      return try promise(offset == before, "the decoder threw and moved on")
    }
    guard let item else { return try promise(offset == bytes.count, "the decoder ended before the buffer did") }
    try promise(offset > before && offset <= bytes.count, "the offset went from \(before) to \(offset)")
    try look(item)
  }
}

private func promise(_ range: Range<Int>, within bytes: [UInt8]) throws {
  try promise(range.isEmpty || 0..<bytes.count ~= range.lowerBound && range.upperBound <= bytes.count, "\(range)")
}

@Sendable private func fanotify(_ bytes: [UInt8]) throws {
  try walk(bytes, FanotifyRecord.next) { record in
    for view in [record.directory, record.target, record.newDirectory] {
      guard let view else { continue }
      try promise(view.offset..<(view.offset + view.count), within: bytes)
      try promise(unsafe view.bytes(in: bytes.span.bytes).count == view.count, "a handle lost bytes")
      _ = unsafe view.decoded(in: bytes.span.bytes)
    }
    for name in [record.name, record.newName] {
      try promise(name, within: bytes)
      try promise(!bytes[name].contains(0), "a name with a NUL")
    }
  }
  // A handle that name_to_handle_at wrote, or that somebody made up.
  var numbers = Numbers(bytes)
  let type = numbers.next(Int32.self)
  for count in [0, 8, 12, 20, Int(numbers.next(UInt8.self))] {
    let offset = Int(numbers.next(UInt8.self))
    _ = unsafe DecodedHandle(type: type, in: bytes.span.bytes, at: offset, count: count)
    let view = HandleView(fileSystem: 0, type: type, offset: offset, count: count)
    try promise(unsafe view.bytes(in: bytes.span.bytes).count <= count, "a handle of more bytes than it has")
  }
}

@Sendable private func perf(_ bytes: [UInt8]) throws {
  try walk(bytes, PerfRecord.next) { record in
    switch record.body {
    case .exec(_, let name): try promise(name, within: bytes)
    case .map(let map): try promise(map.path, within: bytes)
    case .fork, .exit, .lost, .other: break
    }
  }
}

@Sendable private func connector(_ bytes: [UInt8]) throws {
  try walk(bytes, ConnectorRecord.next) { _ in }
}

@Sendable private func audit(_ bytes: [UInt8]) throws {
  var assembler = AuditAssembler(room: 4, patience: 8, longest: 4096)
  var given = 0
  var taken = 0
  var broken: (any Error)?
  func take(_ event: AuditEvent) {
    given += event.bytes.count
    let arguments = event.arguments() ?? []
    do {
      try promise(event.bytes.count <= max(4096, bytes.count), "an event longer than it may be")
      try promise(arguments.reduce(0) { $0 + $1.count } <= event.bytes.count, "more arguments than there are bytes")
    } catch { broken = error }
  }
  var start = 0
  try walk(bytes, AuditRecord.next) { record in
    var end = start
    _ = try unsafe AuditRecord.next(in: bytes.span.bytes, at: &end)
    try look(at: record, in: bytes)
    taken += end - start
    unsafe assembler.add(record, at: start..<end, in: bytes.span.bytes, take)
    start = end
    try promise(assembler.pending <= 4, "more events open than there is room for")
  }
  assembler.finish(take)
  try promise(given <= taken && assembler.pending == 0, "bytes out of nothing, or an event forgotten")
  if let broken { throw broken }
}

private func look(at record: AuditRecord, in bytes: [UInt8]) throws {
  let span = unsafe bytes.span.bytes
  try promise(record.body, within: bytes)
  var fields = record.fields
  while let field = fields.next(in: span) {
    try promise(field.name, within: bytes)
    try promise(!field.name.isEmpty, "a field without a name")
    try promise(field.text.range, within: bytes)
  }
  var arguments = AuditArguments(record)
  while let argument = arguments?.next(in: span) { try promise(argument.text.range, within: bytes) }
  let call = AuditSyscall(record, in: span)
  let change = AuditConfigChange(record, in: span)
  let account = AuditAccount(record, in: span)
  let texts = [
    account?.operation, account?.account, account?.program, account?.terminal, account?.host, account?.command,
    account?.directory, call?.key, call?.caller.name, call?.caller.executable, call?.caller.terminal,
    AuditPath(record, in: span)?.name,
    AuditNote.workingDirectory(record, in: span), AuditNote.processTitle(record, in: span),
    AuditObject(record, in: span)?.name, change?.operation, change?.key,
    AuditProgramMessage(record, in: span)?.message,
  ]
  for text in texts {
    guard let text else { continue }
    try promise(text.range, within: bytes)
    try promise(text.bytes(in: span).count == text.count, "a text lost bytes")
  }
  if case .unix(let path, _) = AuditAddress(record, in: span) { try promise(path.range, within: bytes) }
  _ = AuditLogin(record, in: span)
  _ = AuditCapabilities(record, in: span)
  _ = record.replacer(in: span)
}

/// `/proc/PID/mountinfo` and `/proc/PID/stat`.
@Sendable private func procfs(_ bytes: [UInt8]) throws {
  let table = MountEntry.table(bytes)
  try promise(table.count <= bytes.split(separator: 0x0a).count, "a line became two mounts")
  for entry in table.prefix(16) {
    _ = entry.isKernelInterface
    for layer in entry.layers { try promise(layer.count <= bytes.count, "a layer longer than its line") }
    for path in [entry.mountPoint, entry.mountPoint + [0x2f, 0x78], entry.root] {
      guard let told = MountEntry.canonical(path, table) else { continue }
      let again = MountEntry.canonical(told, MountEntry.canonicalOrder(table))
      try promise(again == nil || again?.isEmpty == false || told.isEmpty, "a path was lost")
    }
  }
  if let stat = ProcessStat(bytes) {
    try promise(stat.name.count + 4 <= bytes.count, "a name out of nothing")
  }
}
