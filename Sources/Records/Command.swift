/// With which arguments, and where, a program was run.
public struct Command: Hashable, Sendable {
  /// The process record.
  public var process: Int64
  /// What was given, the program's own name first; secrets are masked.
  public var arguments: [[UInt8]]
  /// How many of them were masked.
  public var masked: Int
  /// The working directory; nil where it was not told.
  public var directory: RawPath?

  /// A command of these parts.
  public init(process: Int64, arguments: [[UInt8]], masked: Int, directory: RawPath?) {
    self.process = process
    self.arguments = arguments
    self.masked = masked
    self.directory = directory
  }
}
