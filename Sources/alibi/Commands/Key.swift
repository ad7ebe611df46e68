internal import ArgumentParser
internal import Certificates
internal import Evidence
internal import Sealing

struct Key: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows what to keep elsewhere, the log's key or its newest signed head; replaces the keys.",
    discussion: """
      Give the log's key to whoever is to verify certificates, before the time they are about: a key that comes with a
      certificate proves nothing. The key for certificates is named in the log itself. A head that is kept elsewhere
      shows later whether the log went on from it: `alibi verify --full --checkpoint`.

      After rotate new keys sign, and the old ones are destroyed; the log holds that both agreed. Whoever enrolled a key
      from before can verify what comes after. Needs root.

      Exit status: 0; 65 evidence damaged, 66 no store, 69 service, 74 I/O, 77 permission.
      """)

  enum Action: String, ExpressibleByArgument, CaseIterable {
    case show
    case head
    case rotate
  }

  private struct Answer: Encodable {
    var log: String
    var cert: String
    var past: [Past]
  }

  /// Keys that were replaced.
  private struct Past: Encodable {
    var log: String
    var cert: String
    /// The index of the record that put them in force.
    var from: UInt64
    /// That of the one that ended it.
    var before: UInt64
  }

  private struct Head: Encodable {
    var size: UInt64
    var note: String
    var cosigned: Int
  }

  @OptionGroup var common: Common
  @Argument(help: "show prints the key, head the newest signed head with its cosignatures; rotate makes new keys.")
  var action: Action

  func run() throws {
    let store = try common.store()
    guard let chain = try KeyChain(of: store) else {
      throw Failure(
        message: "there is no log in \(common.state) yet", hint: "the service makes its keys when it first starts",
        status: 66)
    }
    switch action {
    case .head: try tellHead(store)
    case .show: try show(chain)
    case .rotate: try rotate()
    }
  }

  private func show(_ chain: KeyChain) throws {
    let places = chain.log.map(\.record)
    let past = zip(chain.log, chain.certificates).dropLast().enumerated().map { index, link in
      Past(log: link.0.key.text, cert: link.1.key.text, from: places[index], before: places[index + 1])
    }
    if common.json {
      return try Output.json(Answer(log: chain.key.log.text, cert: chain.key.certificate.text, past: past))
    }
    // The key alone in its line, the others as comments, so that the output is a file of keys.
    let comments = past.map { "# heads of \($0.from + 1) to \($0.before) records: \($0.log)" }
    try Output.write((comments + [chain.key.log.text]).joined(separator: "\n"))
  }

  private func rotate() throws {
    let made = try Keeping(try common.freshStore(), state: common.state).rotate()
    if common.json { return try Output.json(made) }
    try Output.write(
      """
      \(made.log)
      takes the place of
      \(made.old)
      from record \(made.record) of the log on; the key of certificates was replaced with it.

      Whoever enrolled the old key can go on with it, and should enrol the new one instead: who has stolen the old one
      can still mislead those who know no other. Witnesses must be told, or they refuse the log from here on.
      """)
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
