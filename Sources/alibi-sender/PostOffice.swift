internal import Anchoring
internal import Foundation
internal import FoundationNetworking
internal import LinuxKernel

/// Carries letters, each on its own, and brings back what became of them.
final class PostOffice: Sendable {
  private let channel: MessageChannel
  private let session: URLSession

  /// Longer than any witness or authority takes that is worth waiting for.
  private static let patience: TimeInterval = 15

  init(_ channel: MessageChannel) {
    self.channel = channel
    let configuration = URLSessionConfiguration.ephemeral
    configuration.timeoutIntervalForRequest = Self.patience
    configuration.timeoutIntervalForResource = Self.patience
    configuration.httpCookieStorage = nil
    configuration.urlCache = nil
    session = URLSession(configuration: configuration, delegate: Collector(), delegateQueue: nil)
  }

  /// Until nobody gives letters any more.
  func run() {
    while true {
      guard let received = try? channel.receive(limit: Letter.mostBytes, waits: true) else { return }
      switch received {
      case .end: return
      case .none, .tooLong: continue
      case .message(let bytes):
        guard let letter = Letter(bytes) else { continue }
        carry(letter)
      }
    }
  }

  private func carry(_ letter: Letter) {
    switch letter.destination {
    case .post(let url, let type): post(letter, url, type)
    case .socket(let path): datagram(letter) { () throws(Errno) in try Datagram.send(letter.body, toSocket: path) }
    case .udp(let host, let port):
      // A name is looked up in its own time.
      DispatchQueue.global().async { [self] in
        datagram(letter) { () throws(Errno) in try Datagram.send(letter.body, toHost: host, port: port) }
      }
    }
  }

  private func datagram(_ letter: Letter, _ send: () throws(Errno) -> Void) {
    do throws(Errno) {
      try send()
      answer(Reply(id: letter.id, .answered(status: 0, type: "-", body: [])))
    } catch {
      answer(Reply(id: letter.id, .failed(error.description)))
    }
  }

  private func post(_ letter: Letter, _ text: String, _ type: String) {
    guard let url = URL(string: text) else {
      return answer(Reply(id: letter.id, .failed("not a URL")))
    }
    var request = URLRequest(url: url)
    request.httpMethod = "POST"
    request.httpBody = Data(letter.body)
    request.setValue(type, forHTTPHeaderField: "Content-Type")
    request.setValue("alibi", forHTTPHeaderField: "User-Agent")
    let task = session.dataTask(with: request)
    (session.delegate as? Collector)?.expect(task) { [self] outcome in answer(Reply(id: letter.id, outcome)) }
    task.resume()
  }

  private func answer(_ reply: Reply) {
    // Room there is: one letter is on its way to each place at a time. Where the service has gone, so does this.
    try? channel.send(reply.bytes, waits: true)
  }
}
