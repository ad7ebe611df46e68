/// Asks again every few milliseconds until the answer is yes or the time is over; the last answer.
public func eventually(
  within limit: Duration = .seconds(60), _ condition: () throws -> Bool
) async throws -> Bool {
  let deadline = ContinuousClock.now + limit
  while true {
    if try condition() { return true }
    if ContinuousClock.now >= deadline { return false }
    try await Task.sleep(for: .milliseconds(2))
  }
}

/// The first value that `body` finds before the time is over.
public func eventually<Value>(
  within limit: Duration = .seconds(60), find body: () throws -> Value?
) async throws -> Value? {
  var found: Value?
  _ = try await eventually(within: limit) {
    found = try body()
    return found != nil
  }
  return found
}
