/// Why a store cannot be used.
public enum StoreError: Error, Sendable, CustomStringConvertible {
  /// There is none in the directory.
  case missing(directory: String)
  /// This user may not read it.
  case forbidden(directory: String)
  /// It is no store, or it is torn.
  case damaged(String)
  /// A segment is missing, or is not the file that was sealed: what it holds cannot be told.
  case incomplete(String)
  /// A newer version of the service wrote it.
  case newer
  /// The disk said no.
  case io(String)

  /// One line for people.
  public var description: String {
    switch self {
    case .missing(let directory): "no store in \(directory)"
    case .forbidden(let directory): "no permission to read the store in \(directory)"
    case .damaged(let what): "the store is damaged: \(what)"
    case .incomplete(let what): "the store is not whole: \(what)"
    case .newer: "the store was written by a newer version"
    case .io(let what): "the store cannot be read or written: \(what)"
    }
  }
}
