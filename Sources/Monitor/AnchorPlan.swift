internal import Anchoring
internal import LinuxKernel
internal import MerkleLog
internal import Rules

/// Who is shown the log's heads, as the configuration has it, checked.
struct AnchorPlan: Sendable {
  /// Witnesses and authorities, and after how many nanoseconds each is asked again.
  var targets: [(target: AnchorDesk.Target, interval: UInt64)]
  /// Where a line for each head goes.
  var syslog: Letter.Destination?
  /// Who the sender becomes.
  var user: UInt32
  /// And of which group.
  var group: UInt32

  /// Nobody, on Linux.
  private static let nobody: UInt32 = 65_534

  init(_ options: AnchorOptions, file: String) throws(StartFailure) {
    targets = []
    for witness in options.witnesses {
      guard let key = VerifierKey(witness.key.utf8), key.kind == .cosignature else {
        throw Self.failure(
          "\(file):\(witness.line): \"\(witness.key)\" is not a witness's verifier key",
          "name+id+key, of type 4 (cosignature/v1), as the witness's operator publishes it")
      }
      targets.append((.witness(url: witness.url, key: key), UInt64(witness.interval) * 1_000_000_000))
    }
    for authority in options.authorities {
      targets.append((.authority(url: authority.url), UInt64(authority.interval) * 1_000_000_000))
    }
    syslog =
      switch options.syslog {
      case .socket(let path): .socket(path: path)
      case .udp(let host, let port): .udp(host: host, port: port)
      case nil: nil
      }
    let name = options.user ?? "nobody"
    let known = UserNames.user(name)
    guard let ids = known ?? (options.user == nil ? (Self.nobody, Self.nobody) : nil) else {
      throw Self.failure("\(file): no user is called \(name)", "name another under anchors, user")
    }
    guard ids.user != 0, ids.group != 0 else {
      throw Self.failure("\(file): the sender cannot run as \(name)", "name a user without rights under anchors, user")
    }
    (user, group) = ids
  }

  private static func failure(_ what: String, _ hint: String) -> StartFailure {
    StartFailure(description: what, hint: hint, exitStatus: 78)
  }
}
