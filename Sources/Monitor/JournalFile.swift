internal import Glibc
internal import Journal
internal import Lineage
internal import LinuxKernel

/// A recorded journal: what the recorder read, and what it was answered, in order.
///
/// The file is a sequence of entries (`EntryHeader`). The answers of a batch follow its end.
final class JournalFile: @unchecked Sendable {
  // Sendable because only the recorder's thread writes.
  private let file: OwnedDescriptor

  init(_ path: String) throws(Errno) {
    file = try OwnedDescriptor.open(path, [.writeOnly, .create, .truncate])
  }

  func append(_ batch: some BatchSource) {
    try? batch.forEach { (entry, _) throws(JournalError) in write(entry.encoded) }
  }

  func append(_ exchange: Exchange) {
    let payload = exchange.payload
    unsafe write(Entry(kind: .answer, aux: 0, payload: payload.span.bytes).encoded)
  }

  private func write(_ bytes: [UInt8]) {
    var bytes = bytes
    _ = unsafe Glibc.write(file.raw, &bytes, bytes.count)
  }
}
