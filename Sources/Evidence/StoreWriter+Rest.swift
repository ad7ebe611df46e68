internal import GRDB

extension StoreWriter {
  /// Opens a store that no service uses, for what is done to it at rest: no run begins, and none goes on.
  ///
  /// Whoever does it holds the service's lock.
  public convenience init(atRest directory: String) throws(StoreError) {
    do {
      let queue = try Self.open(directory)
      let run = try queue.read { try Int64.fetchOne($0, sql: "SELECT max(id) FROM runs") }
      guard let run else { throw StoreError.damaged("no run of the service is in the store") }
      self.init(queue, run: run)
    } catch {
      throw StoreError(error, directory: directory)
    }
  }

  /// Closes the store without ending a run.
  public func closeAtRest() throws(StoreError) {
    do { try queue.close() } catch { throw StoreError(error, directory: queue.path) }
  }
}
