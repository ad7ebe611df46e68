internal import Dispatch
internal import Synchronization

/// Makes something of each element, on as many threads as there are processors; the results are in the elements' order.
///
/// - Throws: what `make` threw for the first element for which it threw.
func concurrently<Element: Sendable, Made: Sendable>(
  _ elements: [Element], _ make: @Sendable (Element) throws -> Made
) throws -> [Made] {
  let made = Mutex([Result<Made, any Error>?](repeating: nil, count: elements.count))
  DispatchQueue.concurrentPerform(iterations: elements.count) { index in
    let result = Result { try make(elements[index]) }
    made.withLock { $0[index] = result }
  }
  return try made.withLock { try $0.compactMap { try $0?.get() } }
}
