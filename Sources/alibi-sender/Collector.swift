internal import Anchoring
internal import Foundation
internal import FoundationNetworking
internal import Synchronization

/// Gathers responses, as much of them as is allowed. Nobody is followed elsewhere: a redirection is the answer.
final class Collector: NSObject, URLSessionDataDelegate, Sendable {
  private struct Gathering {
    var body: [UInt8] = []
    var done: @Sendable (Reply.Outcome) -> Void
  }

  private let tasks = Mutex<[Int: Gathering]>([:])

  func expect(_ task: URLSessionTask, _ done: @escaping @Sendable (Reply.Outcome) -> Void) {
    tasks.withLock { $0[task.taskIdentifier] = Gathering(done: done) }
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
    newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
  ) {
    completionHandler(nil)
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    let isTooMuch = tasks.withLock { tasks in
      guard (tasks[dataTask.taskIdentifier]?.body.count ?? 0) + data.count <= Reply.mostBytes else { return true }
      tasks[dataTask.taskIdentifier]?.body += Array(data)
      return false
    }
    if isTooMuch { finish(dataTask, .failed("more than \(Reply.mostBytes) bytes")) }
  }

  func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
    if let error { return finish(task, .failed("\(error.localizedDescription)")) }
    guard let response = task.response as? HTTPURLResponse else { return finish(task, .failed("no HTTP response")) }
    let body = tasks.withLock { $0[task.taskIdentifier]?.body ?? [] }
    let type = response.value(forHTTPHeaderField: "Content-Type") ?? "-"
    finish(task, .answered(status: response.statusCode, type: type, body: body))
  }

  private func finish(_ task: URLSessionTask, _ outcome: Reply.Outcome) {
    guard let gathering = tasks.withLock({ $0.removeValue(forKey: task.taskIdentifier) }) else { return }
    if case .failed = outcome { task.cancel() }
    gathering.done(outcome)
  }
}
