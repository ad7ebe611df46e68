internal import ArgumentParser
internal import Evidence

struct Key: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows what to keep elsewhere: the log's key, or its newest signed head.",
    discussion: """
      Give the log's key to whoever is to verify certificates, before the time they are about: a key that comes with a
      certificate proves nothing. The key for certificates is named in the log itself. A head that is kept elsewhere
      shows later whether the log went on from it: `alibi verify --full --checkpoint`.

      Exit status: 0; 65 evidence damaged, 66 no store, 74 I/O, 77 permission.
      """)

  enum Action: String, ExpressibleByArgument, CaseIterable {
    case show
    case head
  }

  private struct Answer: Encodable {
    var log: String?
    var cert: String?
  }

  private struct Head: Encodable {
    var size: UInt64
    var note: String
    var cosigned: Int
  }

  @OptionGroup var common: Common
  @Argument(help: "show prints the keys, head the newest signed head with its cosignatures.") var action: Action

  func run() throws {
    let store = try common.store()
    let keys = try store.publicKeys()
    func newest(_ role: String) -> String? { keys.last { $0.role == role }?.verifier }
    guard let log = newest("log") else {
      throw Failure(
        message: "there is no log in \(common.state) yet", hint: "the service makes its keys when it first starts",
        status: 66)
    }
    if action == .head { return try tellHead(store) }
    if common.json { return try Output.json(Answer(log: log, cert: newest("cert"))) }
    // The key alone in its line, so that the output is a file of keys.
    try Output.write(log)
  }
  /// The newest head, unless an older one has been seen by witnesses and nothing but anchors came since.
  private func tellHead(_ store: StoreReader) throws {
    guard var (size, note) = try store.checkpoint() else {
      throw Failure(message: "no head is signed", hint: "`alibi status` tells why", status: 66)
    }
    let news = min(try store.sizeWithNews(), size)
    let witnessed = try store.anchors().filter { $0.kind == "witness" && $0.size >= news }
    let cosigners = witnessed.last.map { last in witnessed.filter { $0.size == last.size } } ?? []
    if let first = cosigners.first {
      size = first.size
      note = first.note + cosigners.flatMap(\.token)
    }
    let text = String(decoding: note, as: UTF8.self)
    if common.json { return try Output.json(Head(size: size, note: text, cosigned: cosigners.count)) }
    try Output.write(String(text.dropLast()))
  }
}
