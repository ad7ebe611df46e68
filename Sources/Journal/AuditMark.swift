/// A word that the service says to audit, to know by its return that all records from before have come.
public enum AuditMark {
  /// What stands before the number.
  public static let prefix = Array("alibi-mark=".utf8)
}
