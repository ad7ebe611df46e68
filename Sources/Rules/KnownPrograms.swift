internal import Records

/// Programs that are known for what they do with what a session gives them.
struct KnownPrograms: Sendable {
  /// They pass on what they read and never act on it.
  var plainReaders: Set<RawPath> = []
  /// They answer for themselves, and hand nothing on of what they are asked.
  var leafServers: Set<RawPath> = []
  /// They hold the sockets of others to start them when somebody connects.
  var managers: Set<RawPath> = []
  /// They have others start a command.
  var launchers: [RawPath: Launcher] = [:]
  /// Directories each of whose files is a job.
  var spools: Set<RawPath> = []

  mutating func add(_ other: KnownPrograms) {
    plainReaders.formUnion(other.plainReaders)
    leafServers.formUnion(other.leafServers)
    managers.formUnion(other.managers)
    launchers.merge(other.launchers) { $1 }
    spools.formUnion(other.spools)
  }
}
