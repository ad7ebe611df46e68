import Decode
import LinuxKernel

/// The process connector and what it tells.
struct ConnectorWatch {
  private let connector: ProcessConnector

  init(receiveBuffer: Int32 = 1 << 23) throws {
    connector = try ProcessConnector(receiveBuffer: receiveBuffer)
  }

  /// Everything that waits.
  func drain() throws -> [ConnectorRecord] {
    var records: [ConnectorRecord] = []
    var buffer = [UInt8](repeating: 0, count: 8192)
    while true {
      switch unsafe try buffer.withUnsafeMutableBytes({ unsafe try connector.receive(into: $0) }) {
      case .none: return records
      case .foreign: continue
      case .lost: throw Errno.noBufferSpace
      case .datagram(let count):
        let bytes = unsafe buffer.span.bytes.extracting(0..<count)
        var offset = 0
        while let record = try ConnectorRecord.next(in: bytes, at: &offset) { records.append(record) }
      }
    }
  }
}
