internal import LinuxKernel
internal import Logging
internal import Records
internal import Synchronization

/// Answers the commands: how the service is, and "make sure that everything up to now is in the store".
///
/// One line asks, one line of JSON answers. Asking changes nothing, so whoever may connect may ask; what adds to the log
/// (`epoch`, `anchor`, `cert`, `prune`, `erase`, `rotate`) is for root alone.
final class ControlSocket: Sendable {
  private let listener: OwnedDescriptor
  private let path: String
  private let stopping: WakeUp
  /// At its end when the guardian is gone.
  private let life: OwnedDescriptor
  private let rules: RulesWatch
  private let recorder: Recorder
  private let seals: SealRoom
  private let anchors: AnchorRoom?
  private let status: @Sendable () -> String

  init(
    path: String, recorder: Recorder, rules: RulesWatch, seals: SealRoom, anchors: AnchorRoom?,
    life: consuming OwnedDescriptor, status: @escaping @Sendable () -> String
  ) throws(Errno) {
    self.path = path
    self.life = life
    self.recorder = recorder
    self.seals = seals
    self.anchors = anchors
    self.rules = rules
    self.status = status
    listener = try LocalSocket.listen(path, mode: 0o660)
    stopping = try WakeUp()
  }

  func stop() {
    stopping.signal()
  }

  func run() {
    guard let poller = try? Poller() else { return }
    try? poller.add(listener.raw, tag: 1)
    try? poller.add(stopping.descriptor.raw, tag: 2)
    for raw in rules.descriptors { try? poller.add(raw, tag: 3) }
    try? poller.add(life.raw, tag: 4)
    while true {
      let ready = (try? poller.wait(milliseconds: -1)) ?? []
      if ready.contains(2) { break }
      if ready.contains(4) {
        // Nobody guards the sources any more: end in order, with everything committed.
        poller.remove(life.raw)
        Procfs.endThisProcess()
      }
      if ready.contains(3), let changed = rules.reload() {
        recorder.shared.withLock { $0.rules = changed }
        recorder.wakeUp.signal()
      }
      if ready.contains(1), let client = try? LocalSocket.accept(listener) { serve(client) }
    }
    OwnFiles.remove(path)
  }

  private func serve(_ client: consuming OwnedDescriptor) {
    LocalSocket.setTimeout(client, seconds: 2)
    guard let line = try? LocalSocket.receiveLine(client, limit: 4096) else { return }
    let isRoot = LocalSocket.peerUser(client) == 0
    let words = String(decoding: line, as: UTF8.self).split(separator: " ", omittingEmptySubsequences: false)
    switch words.first.map(String.init) {
    case "status": try? LocalSocket.send(client, Array((status() + "\n").utf8))
    case "barrier":
      // Answered from the recorder's thread, so that nobody else has to wait meanwhile.
      let waiting = Mutex<OwnedDescriptor?>(client)
      let box = Box(waiting)
      recorder.barrier { reached in
        guard let client = box.value.withLock({ $0.take() }) else { return }
        let text = reached.map { "{\"committed_to\":\($0.nanoseconds)}\n" } ?? "{\"committed_to\":null}\n"
        try? LocalSocket.send(client, Array(text.utf8))
      }
    case "epoch" where isRoot:
      // Up to now: canaries, a seal, and then the index, on a thread of its own.
      let box = Box(Mutex<OwnedDescriptor?>(client))
      let seals = seals
      recorder.barrier(sealing: true) { reached in
        @Sendable func answer(_ text: String) {
          guard let client = box.value.withLock({ $0.take() }) else { return }
          try? LocalSocket.send(client, Array((text + "\n").utf8))
        }
        guard reached != nil else { return answer("{\"epoch\":null}") }
        seals.closeEpoch { closed in answer("{\"epoch\":\(closed.map { "\($0)" } ?? "null")}") }
      }
    case "anchor" where isRoot:
      // What is signed now is shown to others; nothing but this client waits for them.
      let box = Box(Mutex<OwnedDescriptor?>(client))
      @Sendable func answer(_ anchored: Int, _ all: Int) {
        guard let client = box.value.withLock({ $0.take() }) else { return }
        try? LocalSocket.send(client, Array("{\"anchored\":\(anchored),\"of\":\(all)}\n".utf8))
      }
      if let anchors { anchors.request(answer) } else { answer(0, 0) }
    case "cert" where isRoot && words.count == 3:
      let isDone = seals.noteCertificate(String(words[1]), evidence: String(words[2]))
      try? LocalSocket.send(client, Array("{\"recorded\":\(isDone)}\n".utf8))
    case "prune" where isRoot:
      let box = Box(Mutex<OwnedDescriptor?>(client))
      seals.prune { pruned in box.answer(SealRoom.text(of: pruned)) }
    case "rotate" where isRoot:
      let box = Box(Mutex<OwnedDescriptor?>(client))
      seals.rotate { text in box.answer(text) }
    case "erase" where isRoot && words.count == 4:
      // Sealed first: the record tells of what was committed, and nothing of it waits in memory.
      let box = Box(Mutex<OwnedDescriptor?>(client))
      let (seals, words) = (seals, words.map(String.init))
      recorder.barrier(sealing: true) { reached in
        guard reached != nil else { return box.answer("{\"problem\":\"nothing can be sealed\"}") }
        seals.erase(words[1], words[2], basis: words[3]) { text in box.answer(text) }
      }
    default: try? LocalSocket.send(client, Array("{\"error\":\"unknown request\"}\n".utf8))
    }
  }

  private final class Box: Sendable {
    let value: Mutex<OwnedDescriptor?>
    init(_ value: consuming Mutex<OwnedDescriptor?>) { self.value = value }

    /// Answers, if nobody did, and hangs up.
    func answer(_ text: String) {
      guard let client = value.withLock({ $0.take() }) else { return }
      try? LocalSocket.send(client, Array((text + "\n").utf8))
    }
  }
}
